//! From the service's decisions to what the planner is asked: the only place where the two meet.

use skyweave_plan::Access;
use skyweave_service::{Decision, Grant};

/// What a refused terminal may have to read its account page with, kbit/s: some ten such pages a second toward it.
pub(crate) const ACCOUNT_PAGE_KBPS: u32 = 512;

/// What is asked for a live terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) access: Access,
    pub(crate) ask_kbps: u32,
    pub(crate) most_up_kbps: u32,
}

impl Asked {
    /// What a decision leaves of what a terminal would ask; without a service there is no decision and everybody is
    /// entitled. `beam_kbps` is more than any beam carries: a plan of that rate limits nobody.
    pub(crate) fn of(decision: Option<&Decision>, ask_kbps: u32, beam_kbps: u64) -> Self {
        match decision {
            None => Self {
                access: Access::Full,
                ask_kbps,
                most_up_kbps: u32::MAX,
            },
            Some(Decision::Granted(Grant { rates, .. })) => {
                let [down_kbps, up_kbps] = [rates.down_bps, rates.up_bps].map(|bps| bps / 1_000);
                Self {
                    access: match down_kbps.min(up_kbps) >= beam_kbps {
                        true => Access::Full,
                        false => Access::Limited,
                    },
                    ask_kbps: u64::from(ask_kbps).min(down_kbps) as u32,
                    most_up_kbps: u32::try_from(up_kbps).unwrap_or(u32::MAX),
                }
            }
            Some(refused) if refused.reaches_account_page() => Self {
                access: Access::AccountPage,
                ask_kbps: ask_kbps.min(ACCOUNT_PAGE_KBPS),
                most_up_kbps: ACCOUNT_PAGE_KBPS,
            },
            Some(_) => Self {
                access: Access::None,
                ask_kbps: 0,
                most_up_kbps: 0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skyweave_service::{Code, MobilityClass, RateLimit, Rates, Refusal, Rule, ServiceClass};

    fn granted(down_bps: u64, up_bps: u64) -> Decision {
        Decision::Granted(Grant {
            rates: Rates { down_bps, up_bps },
            limit: RateLimit::NoLimit,
            class: ServiceClass::Consumer,
            mobility: MobilityClass::Stationary,
            priority: 0,
            pop: None,
        })
    }

    fn refused(rule: Rule) -> Decision {
        Decision::Refused(Refusal {
            code: Code::NoActiveAccount,
            rule,
            area: None,
        })
    }

    #[test]
    fn a_plan_bounds_what_is_asked_and_a_refusal_leaves_the_account_page() {
        let asked = |decision: &Decision| {
            let asked = Asked::of(Some(decision), 200_000, 20_000_000);
            (asked.access, asked.ask_kbps, asked.most_up_kbps)
        };
        assert_eq!(
            asked(&granted(50_000_000, 5_000_000)),
            (Access::Limited, 50_000, 5_000)
        );
        assert_eq!(
            asked(&granted(u64::MAX, u64::MAX)),
            (Access::Full, 200_000, u32::MAX)
        );
        assert_eq!(
            asked(&granted(u64::MAX, 19_999_999_999)).0,
            Access::Limited,
            "one direction is enough"
        );
        assert_eq!(
            asked(&refused(Rule::Suspended)),
            (Access::AccountPage, 512, 512)
        );
        assert_eq!(asked(&refused(Rule::KeyNotProven)), (Access::None, 0, 0));
        assert_eq!(
            Asked::of(None, 7, 1),
            Asked {
                access: Access::Full,
                ask_kbps: 7,
                most_up_kbps: u32::MAX
            }
        );
    }
}
