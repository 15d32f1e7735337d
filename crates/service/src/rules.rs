//! The rules of entitlement in the order in which they decide, and what each says.
//!
//! There is one table, [`RULES`]; [`Rule`]'s order is the order of precedence. A terminal is refused by the first rule
//! that refuses it, and granted service if none does. [`decide`] and [`explain`] ask the same [`Rule::check`].

use crate::area::Blocked;
use crate::ids::AreaId;
use crate::things::{MobilityClass, Plan, Rates, ServiceClass};
use serde::{Deserialize, Serialize};
use skyweave_base::PopId;

/// `UtDisablementCode` of the dish API, same names and numbers. 0 (not known yet) is the terminal's own to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum Code {
    /// Service is on.
    Okay = 1,
    /// No account, an account that has ended, or a terminal not activated.
    NoActiveAccount = 2,
    /// Not where the plan wants the terminal.
    TooFarFromServiceAddress = 3,
    /// At sea without a plan for it.
    InOcean = 4,
    /// No service in this country.
    BlockedCountry = 6,
    /// The data allowance is used up.
    DataOverageSandboxPolicy = 7,
    /// The network has switched the cell off.
    CellIsDisabled = 8,
    /// The plan does not hold here.
    RoamRestricted = 10,
    /// The policy needs a position and there is none.
    UnknownLocation = 11,
    /// Switched off by the operator.
    AccountDisabled = 12,
    /// Firmware too old.
    UnsupportedVersion = 13,
    /// Faster than allowed.
    MovingTooFastForPolicy = 14,
    /// An aircraft too low.
    UnderAviationFlyoverLimits = 15,
    /// No service in this part of the country.
    BlockedArea = 16,
}

/// A rule. The order of the variants is the order of precedence: the first that refuses decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "RULES says what each is")]
pub enum Rule {
    KeyNotProven,
    Blocked,
    DenyList,
    AccountDisabled,
    Unregistered,
    AccountClosed,
    NotActivated,
    Suspended,
    SoftwareTooOld,
    LocationUnknown,
    AreaDenied,
    NotOnAllowList,
    AtSea,
    NoOpenArea,
    OutsidePlanAreas,
    TooFarFromPlace,
    BelowFlightLevel,
    TooFast,
    DataCapReached,
}

/// The table of rules, in order: the rule, the code that the terminal shows, the sentence for people. The code of
/// [`Rule::AreaDenied`] is what the area says; the table gives the usual one.
pub const RULES: [(Rule, Code, &str); 19] = [
    (
        Rule::KeyNotProven,
        Code::NoActiveAccount,
        "The terminal has not proved that it holds its key.",
    ),
    (
        Rule::Blocked,
        Code::AccountDisabled,
        "The terminal was cut off; its holder may appeal.",
    ),
    (
        Rule::DenyList,
        Code::AccountDisabled,
        "The terminal or its holder is on the list of those without service.",
    ),
    (
        Rule::AccountDisabled,
        Code::AccountDisabled,
        "The operator has switched the account off.",
    ),
    (
        Rule::Unregistered,
        Code::NoActiveAccount,
        "The terminal is not registered to an account.",
    ),
    (
        Rule::AccountClosed,
        Code::NoActiveAccount,
        "The account has ended.",
    ),
    (
        Rule::NotActivated,
        Code::NoActiveAccount,
        "The terminal is registered but not activated on a plan.",
    ),
    (
        Rule::Suspended,
        Code::NoActiveAccount,
        "Service of this terminal is paused.",
    ),
    (
        Rule::SoftwareTooOld,
        Code::UnsupportedVersion,
        "The terminal's software is too old.",
    ),
    (
        Rule::LocationUnknown,
        Code::UnknownLocation,
        "The terminal does not know where it is.",
    ),
    (
        Rule::AreaDenied,
        Code::BlockedArea,
        "There is no service in this area.",
    ),
    (
        Rule::NotOnAllowList,
        Code::BlockedArea,
        "Service here is for terminals on the area's list, and this one is not on it.",
    ),
    (
        Rule::AtSea,
        Code::InOcean,
        "The plan does not include service at sea.",
    ),
    (
        Rule::NoOpenArea,
        Code::BlockedCountry,
        "Service is not open here.",
    ),
    (
        Rule::OutsidePlanAreas,
        Code::RoamRestricted,
        "The plan does not hold in this area.",
    ),
    (
        Rule::TooFarFromPlace,
        Code::TooFarFromServiceAddress,
        "The terminal is too far from where it was activated.",
    ),
    (
        Rule::BelowFlightLevel,
        Code::UnderAviationFlyoverLimits,
        "The aircraft is below the height of its plan.",
    ),
    (
        Rule::TooFast,
        Code::MovingTooFastForPolicy,
        "The terminal moves faster than its plan or this area allows.",
    ),
    (
        Rule::DataCapReached,
        Code::DataOverageSandboxPolicy,
        "The data allowance of this period is used up.",
    ),
];

/// May this terminal have service?
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may.
    Granted(Grant),
    /// It may not.
    Refused(Refusal),
}

/// Service, and which.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Rates at most.
    pub rates: Rates,
    /// Why the rates are not the plan's.
    pub limit: RateLimit,
    /// Class of service.
    pub class: ServiceClass,
    /// Mobility class.
    pub mobility: MobilityClass,
    /// The greater goes first.
    pub priority: u8,
    /// The point of presence that the area prefers.
    pub pop: Option<PopId>,
}

/// `RateLimitReason` of the dish API, same numbers, as far as the service sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimit {
    /// The plan's rates.
    NoLimit = 1,
    /// The allowance is used up and the plan goes on slower.
    OverageLimit = 5,
}

/// No service, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What the terminal shows.
    pub code: Code,
    /// The rule that decided.
    pub rule: Rule,
    /// The area that decided, if one did.
    pub area: Option<AreaId>,
}

impl Decision {
    /// On a terminal that the register does not have: not even a key to prove.
    pub const UNKNOWN: Self = Self::Refused(Refusal {
        code: Code::NoActiveAccount,
        rule: Rule::KeyNotProven,
        area: None,
    });

    /// True if service is granted.
    pub const fn is_granted(&self) -> bool {
        matches!(self, Self::Granted(_))
    }

    /// What the terminal shows.
    pub const fn code(&self) -> Code {
        match self {
            Self::Granted(_) => Code::Okay,
            Self::Refused(refusal) => refusal.code,
        }
    }

    /// True if the terminal reaches at least the account page: a refused one does once it has proved its key.
    pub fn reaches_account_page(&self) -> bool {
        !matches!(
            self,
            Self::Refused(Refusal {
                rule: Rule::KeyNotProven,
                ..
            })
        )
    }

    /// A sentence for people.
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::Granted(Grant {
                limit: RateLimit::OverageLimit,
                ..
            }) => "Service is on, slower: the data allowance of this period is used up.",
            Self::Granted(_) => "Service is on.",
            Self::Refused(refusal) => refusal.rule.sentence(),
        }
    }
}

/// Where a terminal stands, as far as rules ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Unregistered,
    Registered,
    Suspended,
    Activated,
}

/// What an area of the access group says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Access {
    Allowed(Option<PopId>),
    Denied(Blocked),
    /// On a list, and on it or not.
    Listed {
        on_list: bool,
        pop: Option<PopId>,
    },
}

/// What the place says, once all areas there were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Here {
    /// The deciding access area.
    pub(crate) access: Option<(AreaId, Access)>,
    /// The sea area, if this is sea.
    pub(crate) sea: Option<AreaId>,
    /// The deciding speed limit, m/s; infinite if this terminal is exempt.
    pub(crate) speed: Option<(AreaId, f64)>,
    /// One of the plan's areas is here.
    pub(crate) in_plan_area: bool,
    /// The area for which the terminal was activated is here.
    pub(crate) in_home_area: bool,
}

/// All that the rules ask about one terminal at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) key_proven: bool,
    pub(crate) blocked: bool,
    pub(crate) denied: bool,
    pub(crate) account_disabled: bool,
    pub(crate) account_closed: bool,
    pub(crate) stage: Stage,
    pub(crate) plan: Option<&'a Plan>,
    pub(crate) software_ok: bool,
    pub(crate) located: bool,
    pub(crate) open_by_default: bool,
    pub(crate) here: Here,
    pub(crate) home: Home,
    pub(crate) speed_m_s: f64,
    pub(crate) height_m: f64,
    pub(crate) used_bytes: u64,
}

/// What the activation says about the place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Home {
    /// Distance from the service address, m.
    Address(f64),
    /// An area: [`Here::in_home_area`] says whether it is here.
    Area(AreaId),
}

impl Rule {
    /// The sentence of the table.
    pub fn sentence(self) -> &'static str {
        RULES[self as usize].2
    }

    /// `Some` if the rule refuses the case.
    fn check(self, case: &Case<'_>) -> Option<Refusal> {
        let here = &case.here;
        // An unactivated terminal is refused before any rule asks for its plan.
        let plan = |refuses: &dyn Fn(&Plan) -> bool| case.plan.is_none_or(refuses);
        let no = |refuses: bool| refuses.then(|| self.refusal(None));
        match self {
            Self::KeyNotProven => no(!case.key_proven),
            Self::Blocked => no(case.blocked),
            Self::DenyList => no(case.denied),
            Self::AccountDisabled => no(case.account_disabled),
            Self::Unregistered => no(case.stage == Stage::Unregistered),
            Self::AccountClosed => no(case.account_closed),
            Self::NotActivated => no(case.stage == Stage::Registered || case.plan.is_none()),
            Self::Suspended => no(case.stage == Stage::Suspended),
            Self::SoftwareTooOld => no(!case.software_ok),
            Self::LocationUnknown => no(!case.located),
            Self::AreaDenied => match here.access {
                Some((area, Access::Denied(shown))) => {
                    let code = match shown {
                        Blocked::Country => Code::BlockedCountry,
                        Blocked::Area => Code::BlockedArea,
                        Blocked::Cell => Code::CellIsDisabled,
                    };
                    Some(Refusal {
                        code,
                        ..self.refusal(Some(area))
                    })
                }
                _ => None,
            },
            Self::NotOnAllowList => match here.access {
                Some((area, Access::Listed { on_list: false, .. })) => {
                    Some(self.refusal(Some(area)))
                }
                _ => None,
            },
            Self::AtSea => here
                .sea
                .filter(|_| plan(&|p| !p.at_sea))
                .map(|area| self.refusal(Some(area))),
            Self::NoOpenArea => {
                no(here.access.is_none() && here.sea.is_none() && !case.open_by_default)
            }
            Self::OutsidePlanAreas => no(plan(&|p| !p.areas.is_empty() && !here.in_plan_area)),
            Self::TooFarFromPlace => match case.home {
                Home::Address(distance_m) => no(plan(&|p| {
                    p.mobility
                        .home_radius_m
                        .is_some_and(|most| !at_most(distance_m, most))
                })),
                Home::Area(area) => (!here.in_home_area).then(|| self.refusal(Some(area))),
            },
            Self::BelowFlightLevel => no(plan(&|p| {
                p.mobility
                    .min_height_m
                    .is_some_and(|least| !at_most(least, case.height_m))
            })),
            Self::TooFast => {
                let by_area = here
                    .speed
                    .filter(|&(_, most)| !at_most(case.speed_m_s, most));
                by_area
                    .map(|(area, _)| self.refusal(Some(area)))
                    .or_else(|| {
                        no(plan(&|p| {
                            !at_most(case.speed_m_s, p.mobility.max_speed_m_s)
                        }))
                    })
            }
            Self::DataCapReached => no(plan(&|p| {
                p.cap
                    .is_some_and(|cap| cap.then.is_none() && case.used_bytes >= cap.bytes)
            })),
        }
    }

    fn refusal(self, area: Option<AreaId>) -> Refusal {
        Refusal {
            code: RULES[self as usize].1,
            rule: self,
            area,
        }
    }
}

/// False also for what is not a number: a claim that makes no sense is refused.
fn at_most(value: f64, most: f64) -> bool {
    value <= most
}

/// The first rule that refuses decides.
pub(crate) fn decide(case: &Case<'_>) -> Decision {
    let refusal = RULES.iter().find_map(|(rule, ..)| rule.check(case));
    match (refusal, case.plan) {
        (Some(refusal), _) => Decision::Refused(refusal),
        (None, Some(plan)) => Decision::Granted(grant(plan, case)),
        (None, None) => Decision::Refused(Rule::NotActivated.refusal(None)),
    }
}

fn grant(plan: &Plan, case: &Case<'_>) -> Grant {
    let slower = plan
        .cap
        .filter(|cap| case.used_bytes >= cap.bytes)
        .and_then(|cap| cap.then);
    let pop = match case.here.access {
        Some((_, Access::Allowed(pop) | Access::Listed { pop, .. })) => pop,
        _ => None,
    };
    Grant {
        rates: slower.unwrap_or(plan.rates),
        limit: if slower.is_some() {
            RateLimit::OverageLimit
        } else {
            RateLimit::NoLimit
        },
        class: plan.class,
        mobility: plan.mobility.class,
        priority: plan.priority,
        pop,
    }
}

/// A decision with all rules that were considered, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Every rule of the table with its outcome. Rules after the one that decided are asked too: they show what else
    /// stands in the way.
    pub considered: Vec<Considered>,
    /// One paragraph for people.
    pub paragraph: String,
}

/// One rule's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// The rule.
    pub rule: Rule,
    /// What it says, if it refuses.
    pub refusal: Option<Refusal>,
}

/// What every rule says, and the paragraph. `name` names areas.
pub(crate) fn explain(case: &Case<'_>, name: impl Fn(AreaId) -> String) -> Explanation {
    let decision = decide(case);
    let considered: Vec<Considered> = RULES
        .iter()
        .map(|&(rule, ..)| Considered {
            rule,
            refusal: rule.check(case),
        })
        .collect();
    let mut paragraph = decision.sentence().to_owned();
    let area = match decision {
        Decision::Refused(refusal) => refusal.area,
        Decision::Granted(_) => case.here.access.map(|(area, _)| area),
    };
    if let Some(area) = area {
        paragraph += &format!(
            " The area that decides is \"{}\" (area {area}).",
            name(area)
        );
    }
    if let Decision::Refused(Refusal {
        rule: Rule::TooFast,
        area,
        ..
    }) = decision
    {
        let by_area = case
            .here
            .speed
            .filter(|_| area.is_some())
            .map(|(_, most)| most);
        let most = by_area
            .or(case.plan.map(|p| p.mobility.max_speed_m_s))
            .unwrap_or(0.0);
        paragraph += &format!(
            " It moves at {:.0} km/h; the limit is {:.0} km/h.",
            case.speed_m_s * 3.6,
            most * 3.6
        );
    }
    if let Decision::Granted(grant) = decision {
        let mbit = |bps: u64| bps as f64 / 1e6;
        paragraph += &format!(
            " Up to {} Mbit/s down and {} up.",
            mbit(grant.rates.down_bps),
            mbit(grant.rates.up_bps)
        );
    } else {
        let decided = considered
            .iter()
            .position(|c| c.refusal.is_some())
            .unwrap_or(0);
        let also: Vec<&str> = considered[decided + 1..]
            .iter()
            .filter(|c| c.refusal.is_some())
            .map(|c| c.rule.sentence())
            .collect();
        // Rules after an unproven key would tell a stranger about the account.
        if !also.is_empty() && decision.reaches_account_page() {
            paragraph += &format!(" Also: {}", also.join(" "));
        }
    }
    Explanation {
        decision,
        considered,
        paragraph,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        assert!(RULES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(
            RULES
                .iter()
                .enumerate()
                .all(|(n, (rule, ..))| *rule as usize == n)
        );
        // Every code that a dish can show, but OKAY and those that an area chooses, is some rule's.
        let mut codes: Vec<u8> = RULES.iter().map(|(_, code, _)| *code as u8).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes, [2, 3, 4, 6, 7, 10, 11, 12, 13, 14, 15, 16]);
    }
}
