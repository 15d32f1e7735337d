//! What the packet path follows: one immutable table for each epoch.

use crate::Direction;
use skyweave_base::{Span, TerminalId, Time};

/// The forwarding table of one epoch. Immutable; it takes effect at `start` and ends at `end`.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochTable {
    /// The epoch's number; a table with a lower number than one that already took effect is refused.
    pub epoch: i64,
    /// 0 at first. A greater one of an epoch takes the place of the lesser, at once if that is followed already.
    pub revision: u32,
    /// First instant at which it holds.
    pub start: Time,
    /// First instant at which it holds no more. If no later table is installed by then, this one goes on being followed.
    pub end: Time,
    /// Beams shared by live terminals, in the order in which routes refer to them.
    pub beams: Vec<Beam>,
    /// Each live terminal's route, or why it has none; ascending by terminal.
    pub routes: Vec<(TerminalId, Result<TerminalRoute, Unserved>)>,
}

/// The share of a beam that is left to its live terminals after the background load. They divide it fairly (by weight) and
/// each may use what the others leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beam {
    /// Toward the ground, bit/s of IP.
    pub down_bps: u64,
    /// Toward the satellite, bit/s of IP.
    pub up_bps: u64,
}

/// The way of one terminal's packets.
#[derive(Clone, Debug, PartialEq)]
pub struct TerminalRoute {
    /// Index into [`EpochTable::beams`].
    pub beam: u32,
    /// Its share of the beam toward the ground relative to the others: its planned rate in bit/s.
    pub down_weight_bps: u64,
    /// The same toward the satellite.
    pub up_weight_bps: u64,
    /// Legs from the terminal to the PoP, in that order. The way back is the same legs in reverse.
    pub legs: Vec<Leg>,
    /// How far packets may go.
    pub access: Access,
    /// When something stands between the terminal and its satellite: first instant and first no more. What is on the user link then
    /// is lost.
    pub blocked: Vec<(Time, Time)>,
}

/// How far a terminal's packets may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everywhere.
    Full,
    /// To TCP port [`ACCOUNT_PAGE_PORT`] of the PoP's router and back, and nowhere else: a walled garden.
    AccountPage,
}

/// Where the PoP's router shows a terminal its account page: HTTP.
pub const ACCOUNT_PAGE_PORT: u16 = 80;

/// One link of a route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    /// What it is, for traces.
    pub kind: LegKind,
    /// Delay toward the PoP of a packet that enters the leg at a given time.
    pub up: DelayCurve,
    /// Delay toward the terminal.
    pub down: DelayCurve,
}

/// What a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegKind {
    /// Terminal to satellite.
    User,
    /// Satellite to satellite.
    Laser,
    /// Satellite to gateway.
    Feeder,
    /// Gateway to PoP.
    Fibre,
}

/// A delay as a function of the time at which a packet enters the leg: a cubic, c0 + c1 τ + c2 τ² + c3 τ³ seconds, with
/// τ the seconds since `origin`. Over 15 s a cubic follows the range of a satellite at 480 km to 6 ns of
/// light time where it passes overhead, the worst case, and to 0.3 ns at 25 degrees of elevation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DelayCurve {
    /// Where τ is 0.
    pub origin: Time,
    /// c0 to c3.
    pub coefficients: [f64; 4],
    /// τ is held inside `[0, valid]`: a cubic says nothing beyond its ends.
    pub valid: Span,
}

/// Why a terminal has no route; carried through to counters and the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unserved(pub &'static str);

/// Why a table cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// `end` is not after `start`.
    #[error("epoch {epoch} ends at {end}, not after its start {start}")]
    Empty {
        /// The table's number.
        epoch: i64,
        /// Its start.
        start: Time,
        /// Its end.
        end: Time,
    },
    /// Routes are not strictly ascending by terminal.
    #[error("the route of terminal {0} is out of order or there twice")]
    Order(TerminalId),
    /// A route names a beam that the table does not have.
    #[error("terminal {terminal} is on beam {beam}, but the table has {beams}")]
    Beam {
        /// Whose route.
        terminal: TerminalId,
        /// The index it names.
        beam: u32,
        /// How many there are.
        beams: usize,
    },
    /// A delay curve has a coefficient that is no finite number, or a negative `valid`.
    #[error("leg {leg} of terminal {terminal} has a delay that is no number")]
    Delay {
        /// Whose route.
        terminal: TerminalId,
        /// Which leg, from 0.
        leg: usize,
    },
}

impl EpochTable {
    /// Checks what the types leave open; the engine refuses a table that does not pass.
    pub fn validate(&self) -> Result<(), TableError> {
        if self.end <= self.start {
            return Err(TableError::Empty {
                epoch: self.epoch,
                start: self.start,
                end: self.end,
            });
        }
        let mut previous = None;
        for (terminal, route) in &self.routes {
            if previous.is_some_and(|p| p >= *terminal) {
                return Err(TableError::Order(*terminal));
            }
            previous = Some(*terminal);
            let Ok(route) = route else { continue };
            if route.beam as usize >= self.beams.len() {
                let beams = self.beams.len();
                return Err(TableError::Beam {
                    terminal: *terminal,
                    beam: route.beam,
                    beams,
                });
            }
            if let Some(leg) = route
                .legs
                .iter()
                .position(|l| !l.up.is_finite() || !l.down.is_finite())
            {
                return Err(TableError::Delay {
                    terminal: *terminal,
                    leg,
                });
            }
        }
        Ok(())
    }
}

impl TerminalRoute {
    /// Its weight among the terminals of its beam; one of 0 counts as 1, so that every queue moves.
    pub(crate) fn weight_bps(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Up => self.up_weight_bps.max(1),
            Direction::Down => self.down_weight_bps.max(1),
        }
    }

    /// Whether the user link is behind something at `t`.
    pub fn is_blocked(&self, t: Time) -> bool {
        self.blocked
            .iter()
            .any(|&(from, until)| from <= t && t < until)
    }

    /// When a packet that enters the first leg toward the PoP at `t` comes out of the last.
    pub fn out_at_pop(&self, t: Time) -> Time {
        self.legs.iter().fold(t, |t, leg| leg.up.exit(t))
    }

    /// When a packet that enters the first leg toward the terminal at `t` comes out of the last.
    pub fn out_at_terminal(&self, t: Time) -> Time {
        self.legs.iter().rev().fold(t, |t, leg| leg.down.exit(t))
    }

    /// The planned round trip of a packet that leaves the terminal at `t` and is answered by the PoP at once: the legs up
    /// and the legs down, each at the time at which it is entered, and nothing else.
    pub fn round_trip(&self, t: Time) -> Span {
        self.out_at_terminal(self.out_at_pop(t)) - t
    }
}

impl DelayCurve {
    /// Longest delay that a curve can give, whatever its coefficients: keeps arithmetic on times far from overflow.
    pub const MAX: Span = Span::from_secs(60);

    /// The same delay at all times.
    pub fn constant(delay: Span) -> Self {
        Self {
            origin: Time::from_nanos(0),
            coefficients: [delay.as_secs_f64(), 0.0, 0.0, 0.0],
            valid: Span::ZERO,
        }
    }

    /// The delay of a packet that enters at `t`, to the nearest nanosecond, held inside `[0, MAX]`.
    pub fn delay(&self, t: Time) -> Span {
        let tau_ns = t.nanos().saturating_sub(self.origin.nanos());
        let tau_s = tau_ns.min(self.valid.nanos()).max(0) as f64 * 1e-9;
        let [c0, c1, c2, c3] = self.coefficients;
        let delay_s = ((c3 * tau_s + c2) * tau_s + c1) * tau_s + c0;
        // The cast truncates and saturates; with the half it rounds, for any delay that is not negative.
        Span::from_nanos(((delay_s * 1e9 + 0.5) as i64).clamp(0, Self::MAX.nanos()))
    }

    /// When a packet that enters at `t` comes out.
    pub fn exit(&self, t: Time) -> Time {
        Time::from_nanos(t.nanos().saturating_add(self.delay(t).nanos()))
    }

    fn is_finite(&self) -> bool {
        self.coefficients.iter().all(|c| c.is_finite()) && self.valid >= Span::ZERO
    }
}
