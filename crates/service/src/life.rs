//! A terminal and its life: manufactured, sold, registered, activated, and then suspended, blocked or retired.
//!
//! What a terminal needs in a state stands in that state, so that an activated terminal without a plan cannot be written.

use crate::ids::{AccountId, AreaId, BatchId, Market, PlanId, PublicKey, UtId};
use serde::{Deserialize, Serialize};
use skyweave_base::{Geodetic, Time};

/// A terminal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terminal {
    /// Its identifier, as the dish reports it.
    pub id: UtId,
    /// The public half of its key. No two terminals have the same.
    pub key: PublicKey,
    /// Model, for example `rev4`.
    pub model: String,
    /// Production batch.
    pub batch: BatchId,
    /// Where it stands in its life.
    pub state: State,
}

/// Where a terminal stands in its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Made, not sold.
    Manufactured,
    /// Sold, nobody's yet.
    Sold {
        /// Where it was sold.
        market: Market,
    },
    /// An account has claimed it.
    Registered(Registration),
    /// It may have service.
    Activated(Registration, Service),
    /// Service is paused; everything else is kept.
    Suspended(Registration, Service),
    /// Cut off for misuse or on an authority's word; an appeal restores what was.
    Blocked(Box<State>),
    /// For ever.
    Retired,
}

/// A terminal's market and account.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Where it was sold.
    pub market: Market,
    /// Whose it is.
    pub account: AccountId,
}

/// What a terminal was activated for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The plan.
    pub plan: PlanId,
    /// Where it is to be used.
    pub place: Place,
}

/// Where a terminal is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// At a service address: within the plan's distance of it.
    Address(Geodetic),
    /// Anywhere in a service area.
    Area(AreaId),
}

/// One step in a terminal's life.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It was sold.
    Sell {
        /// Where.
        market: Market,
    },
    /// An account claims it.
    Register {
        /// Whose it becomes.
        account: AccountId,
    },
    /// Its account gives it up; it can be registered again.
    Release,
    /// Service begins, or goes on with another plan or at another place.
    Activate(Service),
    /// Service ends; the account keeps the terminal.
    Deactivate,
    /// Service is paused.
    Suspend,
    /// And goes on.
    Resume,
    /// Cut off.
    Block,
    /// An appeal was heard: back to what was before the block.
    Restore,
    /// Out of use for ever.
    Retire,
}

/// Who does something, when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// A person's or a rule's name, for example `user:17` or `rule:key_in_two_places`.
    pub by: String,
    /// When.
    pub at: Time,
    /// Why, in words. Never empty.
    pub why: String,
}

/// What happened to a terminal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// The terminal.
    pub terminal: UtId,
    /// The step.
    pub step: Step,
    /// The state before.
    pub before: State,
    /// The state after.
    pub after: State,
}

/// Why a step was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StepRefused {
    /// Not from this state.
    #[error("terminal {terminal} is {state}: it cannot be {step}")]
    NotFromHere {
        /// The terminal.
        terminal: UtId,
        /// Its state.
        state: &'static str,
        /// What was asked.
        step: &'static str,
    },
    /// No reason was given.
    #[error("a step needs a reason and a name of who takes it")]
    NoReason,
    /// An address that is not a place on Earth.
    #[error("the service address is not a place on Earth")]
    NotAPlace,
}

/// Takes a step: the terminal afterwards, and what goes into the audit log. The terminal given is not changed.
///
/// # Errors
/// [`StepRefused`], with nothing changed, if the step does not lead anywhere from the terminal's state.
pub fn apply(
    terminal: &Terminal,
    step: Step,
    stamp: &Stamp,
) -> Result<(Terminal, Transition), StepRefused> {
    if stamp.why.trim().is_empty() || stamp.by.trim().is_empty() {
        return Err(StepRefused::NoReason);
    }
    if let Step::Activate(Service {
        place: Place::Address(at),
        ..
    }) = step
        && Geodetic::from_degrees(at.lat_deg(), at.lon_deg()).is_err()
    {
        return Err(StepRefused::NotAPlace);
    }
    let after = next(&terminal.state, step).ok_or_else(|| StepRefused::NotFromHere {
        terminal: terminal.id,
        state: terminal.state.name(),
        step: step.name(),
    })?;
    let transition = Transition {
        terminal: terminal.id,
        step,
        before: terminal.state.clone(),
        after: after.clone(),
    };
    Ok((
        Terminal {
            state: after,
            ..terminal.clone()
        },
        transition,
    ))
}

/// The state machine: where a step leads, if anywhere.
fn next(state: &State, step: Step) -> Option<State> {
    use State::{Activated, Blocked, Manufactured, Registered, Retired, Sold, Suspended};
    Some(match (state, step) {
        (Manufactured, Step::Sell { market }) => Sold { market },
        (&Sold { market }, Step::Register { account }) => {
            Registered(Registration { market, account })
        }
        (Registered(r) | Activated(r, _) | Suspended(r, _), Step::Release) => {
            Sold { market: r.market }
        }
        (Registered(r) | Activated(r, _), Step::Activate(service)) => Activated(*r, service),
        (Activated(r, _) | Suspended(r, _), Step::Deactivate) => Registered(*r),
        (&Activated(r, service), Step::Suspend) => Suspended(r, service),
        (&Suspended(r, service), Step::Resume) => Activated(r, service),
        (Blocked(was), Step::Restore) => (**was).clone(),
        (Blocked(_) | Retired, Step::Block) => return None,
        (was, Step::Block) => Blocked(Box::new(was.clone())),
        (Retired, Step::Retire) => return None,
        (_, Step::Retire) => Retired,
        _ => return None,
    })
}

impl State {
    /// Its name, for people.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Manufactured => "manufactured",
            Self::Sold { .. } => "sold",
            Self::Registered(_) => "registered",
            Self::Activated(..) => "activated",
            Self::Suspended(..) => "suspended",
            Self::Blocked(_) => "blocked",
            Self::Retired => "retired",
        }
    }

    /// True of a terminal that nobody has claimed yet.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self, Self::Manufactured | Self::Sold { .. })
    }

    /// The market and the account, also of a blocked terminal.
    pub fn registration(&self) -> Option<Registration> {
        match self {
            Self::Registered(r) | Self::Activated(r, _) | Self::Suspended(r, _) => Some(*r),
            Self::Blocked(was) => was.registration(),
            Self::Manufactured | Self::Sold { .. } | Self::Retired => None,
        }
    }

    /// Where the terminal was sold; not known of a retired one.
    pub fn market(&self) -> Option<Market> {
        match self {
            Self::Sold { market } => Some(*market),
            Self::Blocked(was) => was.market(),
            other => other.registration().map(|r| r.market),
        }
    }

    /// What it was activated for, also while it is suspended or blocked.
    pub fn service(&self) -> Option<Service> {
        match self {
            Self::Activated(_, service) | Self::Suspended(_, service) => Some(*service),
            Self::Blocked(was) => was.service(),
            _ => None,
        }
    }
}

impl Step {
    /// Its name, for people: completes "it cannot be".
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sell { .. } => "sold",
            Self::Register { .. } => "registered",
            Self::Release => "released",
            Self::Activate(_) => "activated",
            Self::Deactivate => "deactivated",
            Self::Suspend => "suspended",
            Self::Resume => "resumed",
            Self::Block => "blocked",
            Self::Restore => "restored",
            Self::Retire => "retired",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp() -> Stamp {
        Stamp {
            by: "user:1".into(),
            at: Time::from_nanos(0),
            why: "asked for by the holder".into(),
        }
    }

    fn terminal(state: State) -> Terminal {
        Terminal {
            id: UtId::new([1, 0, 7]),
            key: PublicKey([7; 32]),
            model: "rev4".into(),
            batch: BatchId(3),
            state,
        }
    }

    fn service(plan: u32) -> Service {
        Service {
            plan: PlanId(plan),
            place: Place::Area(AreaId(1)),
        }
    }

    fn steps() -> Vec<Step> {
        let market = "UA".parse().unwrap();
        vec![
            Step::Sell { market },
            Step::Register {
                account: AccountId(9),
            },
            Step::Release,
            Step::Activate(service(2)),
            Step::Deactivate,
            Step::Suspend,
            Step::Resume,
            Step::Block,
            Step::Restore,
            Step::Retire,
        ]
    }

    #[test]
    fn a_life_and_a_refusal() {
        let mut t = terminal(State::Manufactured);
        let s = steps();
        for step in [s[0], s[1], s[3], s[5], s[6], s[7], s[8], s[4], s[2], s[9]] {
            let (after, transition) = apply(&t, step, &stamp()).unwrap();
            assert_eq!(
                (&transition.before, &transition.after),
                (&t.state, &after.state)
            );
            t = after;
        }
        let refused = apply(&t, s[8], &stamp()).unwrap_err().to_string();
        assert_eq!(
            refused,
            "terminal ut00000001-00000000-00000007 is retired: it cannot be restored"
        );
        let silent = Stamp {
            why: " ".into(),
            ..stamp()
        };
        assert_eq!(
            apply(&terminal(State::Manufactured), s[0], &silent),
            Err(StepRefused::NoReason)
        );
    }

    /// The whole machine as a table: what each state allows, in the order of `steps()`.
    #[test]
    fn each_state_allows_exactly_this() {
        let market = "UA".parse().unwrap();
        let r = Registration {
            market,
            account: AccountId(9),
        };
        let allowed = |state: State| -> Vec<&str> {
            let t = terminal(state);
            steps()
                .iter()
                .filter(|s| apply(&t, **s, &stamp()).is_ok())
                .map(Step::name)
                .collect()
        };
        assert_eq!(allowed(State::Manufactured), ["sold", "blocked", "retired"]);
        assert_eq!(
            allowed(State::Sold { market }),
            ["registered", "blocked", "retired"]
        );
        assert_eq!(
            allowed(State::Registered(r)),
            ["released", "activated", "blocked", "retired"]
        );
        let activated = State::Activated(r, service(1));
        assert_eq!(
            allowed(activated.clone()),
            [
                "released",
                "activated",
                "deactivated",
                "suspended",
                "blocked",
                "retired"
            ]
        );
        assert_eq!(
            allowed(State::Suspended(r, service(1))),
            ["released", "deactivated", "resumed", "blocked", "retired"]
        );
        assert_eq!(
            allowed(State::Blocked(Box::new(activated))),
            ["restored", "retired"]
        );
        assert!(allowed(State::Retired).is_empty());
    }

    proptest! {
        /// Whatever is tried: a block holds one state that is neither blocked nor retired, a refusal changes nothing, a
        /// block and its restoration are nothing, and the market never changes once sold.
        #[test]
        fn no_way_leaves_the_machine(choices in prop::collection::vec(0_usize..10, 0..40)) {
            let mut t = terminal(State::Manufactured);
            for n in choices {
                let before = t.clone();
                if let Ok((after, _)) = apply(&t, steps()[n], &stamp()) {
                    t = after;
                }
                prop_assert_eq!((t.id, t.key, t.batch), (before.id, before.key, before.batch));
                if let State::Blocked(was) = &t.state {
                    prop_assert!(!matches!(**was, State::Blocked(_) | State::Retired));
                }
                if t.state != State::Retired && before.state.market().is_some() {
                    prop_assert_eq!(t.state.market(), before.state.market());
                }
                if let Ok((blocked, _)) = apply(&t, Step::Block, &stamp()) {
                    prop_assert_eq!(apply(&blocked, Step::Restore, &stamp()).unwrap().0, t.clone());
                }
            }
        }
    }
}
