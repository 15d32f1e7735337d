//! From a plan to the packet path's table: for each live terminal the links that its packets take, and how long each takes
//! at every instant of the epoch.
//!
//! A delay is the light time from where the sender is when the packet enters the link to where the receiver is when it arrives,
//! in an inertial frame, plus the profile's constant processing delay. It is solved for at the Chebyshev nodes of the epoch and
//! interpolated by the cubic through them.

use crate::world::{Terminal, World};
use skyweave_base::{Ecef, Geodetic, PopId, SPEED_OF_LIGHT_M_S, SatId, Span, Time, great_circle_m};
use skyweave_dataplane::{
    Access, Beam, DelayCurve, EpochTable, Leg, LegKind, TerminalRoute, Unserved,
};
use skyweave_orbit::{EARTH_ROTATION_RAD_S, PropagationError};
use skyweave_plan::{self as plan, Inputs, Landing, Plan, Reason, Service, TerminalOutcome};
use skyweave_radio::ProcessingDelays;
use std::collections::BTreeMap;

/// Curves go on this long after the epoch: a packet sent at its end passes its last link later, by up to the round trip of the
/// longest path (half the Earth over lasers is under 0.15 s).
const BEYOND_END: Span = Span::from_millis(250);

/// A satellite overhead moves by a tenth of a degree meanwhile, less than an obstruction is known to.
const LOOK_EVERY: Span = Span::from_millis(100);

pub(crate) fn table(world: &World, plan: &Plan) -> EpochTable {
    let mut beams = Vec::new();
    let mut beam_of_slot: BTreeMap<u32, u32> = BTreeMap::new();
    let mut routes = Vec::with_capacity(plan.terminals.len());
    for outcome in &plan.terminals {
        let route = outcome.service.and_then(|service| {
            let mut new_beam = || {
                beams.push(Beam {
                    down_bps: 0,
                    up_bps: 0,
                });
                beams.len() as u32 - 1
            };
            // Who may never exceed its share has it for itself.
            let beam = match service.access {
                plan::Access::Full => *beam_of_slot.entry(service.slot).or_insert_with(new_beam),
                _ => new_beam(),
            };
            // The others of the cell are the background: what the plan gives to live terminals is what is left to them.
            let shared = &mut beams[beam as usize];
            shared.down_bps += u64::from(service.down_kbps) * 1_000;
            shared.up_bps += u64::from(service.up_kbps) * 1_000;
            route(world, plan, outcome, &service, beam)
        });
        routes.push((
            outcome.terminal,
            route.map_err(|reason| Unserved(code(reason))),
        ));
    }
    EpochTable {
        epoch: plan.epoch.0,
        revision: 0,
        start: plan.start,
        end: plan.end,
        beams,
        routes,
    }
}

/// The text of a reason as `plan --json` has it.
fn code(reason: Reason) -> &'static str {
    match reason {
        Reason::NoSatelliteInReach => "no_satellite_in_reach",
        Reason::GsoExclusion => "gso_exclusion",
        Reason::NoGatewayPath => "no_gateway_path",
        Reason::NoFreeSlot => "no_free_slot",
        Reason::ChannelConflict => "channel_conflict",
        Reason::BackhaulFull => "backhaul_full",
        Reason::NoCell => "no_cell",
        Reason::Faded => "faded",
        Reason::Forbidden => "forbidden",
    }
}

fn route(
    world: &World,
    plan: &Plan,
    outcome: &TerminalOutcome,
    service: &Service,
    beam: u32,
) -> Result<TerminalRoute, Reason> {
    let slot = plan
        .slots
        .get(service.slot as usize)
        .ok_or(Reason::NoFreeSlot)?;
    let landing = plan
        .landings
        .get(slot.landing as usize)
        .ok_or(Reason::NoGatewayPath)?;
    let terminal = world
        .terminal_by_id(outcome.terminal)
        .ok_or(Reason::NoCell)?;
    let gateway = world
        .gateways()
        .get(landing.gateway.index())
        .ok_or(Reason::NoGatewayPath)?;
    let pop = world
        .pops()
        .get(service.pop.index())
        .ok_or(Reason::NoGatewayPath)?;
    let (&first, &last) = landing
        .path
        .first()
        .zip(landing.path.last())
        .ok_or(Reason::NoGatewayPath)?;
    let delays = &world.profile().delays;
    let fit = Fit {
        start: plan.start,
        length: plan.end - plan.start + BEYOND_END,
    };
    let ground = |t| Ok(world.position(terminal, t).to_ecef());
    let satellite = |id: SatId| move |t| world.ephemeris().position(id, t);
    let at_gateway = gateway.place.to_ecef();
    let mut legs = Vec::with_capacity(landing.path.len() + 2);
    // Each satellite's own delay belongs to the link on the terminal's side of it.
    legs.push(Leg {
        kind: LegKind::User,
        up: fit.curve(
            ground,
            satellite(first),
            delays.uplink_s + delays.satellite_s,
        )?,
        down: fit.curve(
            satellite(first),
            ground,
            delays.downlink_s + delays.satellite_s,
        )?,
    });
    for pair in landing.path.windows(2) {
        let (near, far) = (satellite(pair[0]), satellite(pair[1]));
        legs.push(Leg {
            kind: LegKind::Laser,
            up: fit.curve(near, far, delays.satellite_s)?,
            down: fit.curve(far, near, delays.satellite_s)?,
        });
    }
    legs.push(Leg {
        kind: LegKind::Feeder,
        up: fit.curve(satellite(last), |_| Ok(at_gateway), delays.gateway_s)?,
        down: fit.curve(|_| Ok(at_gateway), satellite(last), delays.gateway_s)?,
    });
    let fibre = DelayCurve::constant(Span::from_secs_f64(fibre_s(
        delays,
        gateway.place,
        pop.place,
    )));
    legs.push(Leg {
        kind: LegKind::Fibre,
        up: fibre,
        down: fibre,
    });
    Ok(TerminalRoute {
        beam,
        down_weight_bps: u64::from(service.down_kbps) * 1_000,
        up_weight_bps: u64::from(service.up_kbps) * 1_000,
        legs,
        access: match service.access {
            plan::Access::Full | plan::Access::Limited => Access::Full,
            plan::Access::AccountPage => Access::AccountPage,
            plan::Access::None => return Err(Reason::Forbidden),
        },
        blocked: blocked(world, terminal, first, plan.start, plan.end + BEYOND_END),
    })
}

/// When something hides a satellite from a terminal, by looks every [`LOOK_EVERY`].
fn blocked(
    world: &World,
    terminal: &Terminal,
    satellite: SatId,
    start: Time,
    end: Time,
) -> Vec<(Time, Time)> {
    let mut all: Vec<(Time, Time)> = Vec::new();
    if terminal.obstructions.is_empty() {
        return all;
    }
    let mut t = start;
    while t < end {
        let next = t + LOOK_EVERY;
        let hidden = world
            .look(terminal, satellite, t)
            .is_some_and(|look| terminal.is_obstructed(&look));
        match all.last_mut() {
            Some((_, until)) if hidden && *until == t => *until = next,
            _ if hidden => all.push((t, next)),
            _ => {}
        }
        t = next;
    }
    all
}

fn fibre_s(delays: &ProcessingDelays, gateway: Geodetic, pop: Geodetic) -> f64 {
    great_circle_m(gateway, pop) * delays.fibre_detour / delays.fibre_m_s
}

/// Round trip from a place to its point of presence over a landing, s, with everything where it is at the start of the plan: the
/// sum of the [`table`]'s legs there, to within the motion during the flight (under 0.1 ms for paths under 100 ms at 7.6 km/s).
/// `None` if the inputs lack a part of the way.
pub(crate) fn round_trip_s(
    inputs: &Inputs,
    from: Geodetic,
    landing: &Landing,
    pop: PopId,
) -> Option<f64> {
    let delays = &inputs.profile.delays;
    let gateway = inputs.gateways.get(landing.gateway.index())?.place;
    let pop = inputs.pops.get(pop.index())?.place;
    let mut at = from.to_ecef().0;
    let mut metres = 0.0;
    for id in &landing.path {
        let index = inputs.satellites.binary_search_by_key(id, |s| s.id).ok()?;
        let next = inputs.satellites[index].start.0;
        metres += (next - at).norm();
        at = next;
    }
    metres += (gateway.to_ecef().0 - at).norm();
    let each_way_s = metres / SPEED_OF_LIGHT_M_S
        + delays.satellite_s * landing.path.len() as f64
        + delays.gateway_s
        + fibre_s(delays, gateway, pop);
    Some(delays.uplink_s + delays.downlink_s + 2.0 * each_way_s)
}

/// The interval over which curves are fitted.
struct Fit {
    start: Time,
    length: Span,
}

impl Fit {
    /// The cubic through the exact delays at the four Chebyshev nodes cos((2k + 1)π/8), which keeps the greatest error within
    /// M₄ h⁴ / 192, with h half the interval and M₄ the greatest fourth derivative of the delay (Burden and Faires, "Numerical
    /// Analysis", 9th ed., 8.3). A range is sharpest as a satellite passes overhead: M₄ = 3 v⁴ / (c r³), and with
    /// v = 7.6 km/s at r = 480 km the error stays below 5.5 ns; at 25 degrees of elevation it is below 0.5 ns.
    fn curve(
        &self,
        sender: impl Fn(Time) -> Result<Ecef, PropagationError>,
        receiver: impl Fn(Time) -> Result<Ecef, PropagationError>,
        constant_s: f64,
    ) -> Result<DelayCurve, Reason> {
        let half_s = self.length.as_secs_f64() / 2.0;
        let mut nodes = [(0.0, 0.0); 4];
        for (k, node) in nodes.iter_mut().enumerate() {
            let x = ((2 * k + 1) as f64 * core::f64::consts::PI / 8.0).cos();
            let t = self.start + Span::from_secs_f64(half_s * (1.0 + x));
            // The plan only uses satellites that have positions at both ends of the epoch.
            let delay_s =
                light_time_s(&sender, &receiver, t).map_err(|_| Reason::NoSatelliteInReach)?;
            *node = ((t - self.start).as_secs_f64(), delay_s + constant_s);
        }
        Ok(DelayCurve {
            origin: self.start,
            coefficients: cubic(nodes),
            valid: self.length,
        })
    }
}

/// Light time of what is sent at `t`: the fixed point of τ = |receiver(t + τ) − sender(t)| / c. Earth-fixed axes turn by ωτ
/// on the way, so that the receiver's position is turned back to the axes of `t` (the Sagnac effect, up to 0.1 µs).
pub(crate) fn light_time_s<E>(
    sender: impl Fn(Time) -> Result<Ecef, E>,
    receiver: impl Fn(Time) -> Result<Ecef, E>,
    t: Time,
) -> Result<f64, E> {
    let from = sender(t)?.0;
    let mut tau_s = (receiver(t)?.0 - from).norm() / SPEED_OF_LIGHT_M_S;
    // Each step multiplies the error by at most v/c < 3e-5: from 1e-6 s to below 1e-15 s in two.
    for _ in 0..2 {
        let to = receiver(t + Span::from_secs_f64(tau_s))?
            .0
            .rotate_frame_z(-EARTH_ROTATION_RAD_S * tau_s);
        tau_s = (to - from).norm() / SPEED_OF_LIGHT_M_S;
    }
    Ok(tau_s)
}

/// Coefficients of the cubic through four points, lowest power first: Newton's divided differences, multiplied out.
fn cubic(points: [(f64, f64); 4]) -> [f64; 4] {
    let x = points.map(|p| p.0);
    let mut d = points.map(|p| p.1);
    for order in 1..4 {
        for i in (order..4).rev() {
            d[i] = (d[i] - d[i - 1]) / (x[i] - x[i - order]);
        }
    }
    let mut c = [0.0; 4];
    for i in (0..4).rev() {
        // c ← c · (τ − x_i) + d_i
        for power in (1..4).rev() {
            c[power] = c[power - 1] - x[i] * c[power];
        }
        c[0] = d[i] - x[i] * c[0];
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cubic_is_found_again() {
        let wanted = [3e-3, -2e-5, 4e-7, -1e-9];
        let value = |t: f64| ((wanted[3] * t + wanted[2]) * t + wanted[1]) * t + wanted[0];
        let found = cubic([0.7, 4.0, 11.2, 14.6].map(|t| (t, value(t))));
        for t in [0.0, 1.0, 7.5, 15.0] {
            let got = ((found[3] * t + found[2]) * t + found[1]) * t + found[0];
            // 1e-16 s is a few units in the last place of 3 ms.
            assert!(
                (got - value(t)).abs() < 1e-16 * 50.0,
                "{t}: {got} {}",
                value(t)
            );
        }
    }
}
