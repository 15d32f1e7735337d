//! Who gets service and who does not, and why.

mod common;

use common::*;
use proptest::prelude::*;
use skyweave_base::{Seed, Span, Time};
use skyweave_service::*;
use std::collections::BTreeMap;

/// One terminal (number 1, account 1) in the small service of `common`.
struct Case {
    register: Register,
    claim: Claim,
}

impl Case {
    fn new(plan: u32, at: Place) -> Self {
        let register = with_terminals(&register(2), vec![activated(1, 1, plan, at)]);
        Self {
            register,
            claim: claim(48.0, 30.0),
        }
    }

    fn with(mut self, action: Action) -> Self {
        self.register.apply(&command(action)).unwrap();
        self
    }

    fn at(mut self, lat: f64, lon: f64) -> Self {
        self.claim.position = Some(place(lat, lon));
        self
    }

    fn explained(&self) -> Explanation {
        let policy = Policy::new(&self.register);
        let terminal = &self.register.terminals()[&ut(1)];
        let explanation = policy.explain(&self.register, terminal, &self.claim, now());
        assert_eq!(
            policy.entitlement(&self.register, terminal, &self.claim, now()),
            explanation.decision
        );
        explanation
    }

    fn rule(&self) -> Option<(Rule, Code)> {
        match self.explained().decision {
            Decision::Granted(_) => None,
            Decision::Refused(r) => Some((r.rule, r.code)),
        }
    }
}

fn mobile() -> Case {
    Case::new(1, Place::Area(HOME_AREA))
}

fn fixed() -> Case {
    Case::new(2, Place::Address(place(48.0, 30.0)))
}

#[test]
fn every_rule_refuses_with_its_code_and_only_when_it_should() {
    let step = |s| Action::Step(ut(1), s);
    let changed = |mut case: Case, f: &dyn Fn(&mut Claim)| {
        f(&mut case.claim);
        case
    };
    let defaults = Defaults {
        elsewhere: Elsewhere::Closed,
        oldest_software: 101,
    };
    let account = |standing| {
        let holder = Holder::Person("check 1".into());
        Action::PutAccount(Account {
            id: AccountId(1),
            holder,
            market: market("UA"),
            standing,
            terminal_limit: None,
        })
    };
    let listed = area(
        1,
        HOME,
        10,
        AreaKind::AllowListRequired {
            list: LIST,
            pop: None,
        },
    );
    let mut aircraft = plan(1);
    aircraft.mobility.min_height_m = Some(3000.0);
    let mut local = plan(1);
    local.areas.insert(NEIGHBOUR_AREA);
    let used = |mut case: Case, bytes| {
        let record = UsageRecord {
            terminal: ut(1),
            period_start: now(),
            down_bytes: bytes,
            up_bytes: 0,
        };
        case.register.record_usage(record).unwrap();
        case
    };
    let capped = || Case::new(3, Place::Area(HOME_AREA));
    let everywhere = || fixed().with(Action::PutPlan(plan(2)));
    type Row = (&'static str, Case, Option<(Rule, Code)>);
    let cases: Vec<Row> = vec![
        ("mobile", mobile(), None),
        ("fixed", fixed(), None),
        (
            "key",
            changed(mobile(), &|c| c.key = KeyProof::Missing),
            Some((Rule::KeyNotProven, Code::NoActiveAccount)),
        ),
        (
            "blocked",
            mobile().with(step(Step::Block)),
            Some((Rule::Blocked, Code::AccountDisabled)),
        ),
        (
            "restored",
            mobile().with(step(Step::Block)).with(step(Step::Restore)),
            None,
        ),
        (
            "denied",
            mobile().with(Action::Deny(Denied::Terminal(ut(1)))),
            Some((Rule::DenyList, Code::AccountDisabled)),
        ),
        (
            "denied account",
            mobile().with(Action::Deny(Denied::Account(AccountId(1)))),
            Some((Rule::DenyList, Code::AccountDisabled)),
        ),
        (
            "account off",
            mobile().with(account(Standing::Disabled)),
            Some((Rule::AccountDisabled, Code::AccountDisabled)),
        ),
        (
            "released",
            mobile().with(step(Step::Release)),
            Some((Rule::Unregistered, Code::NoActiveAccount)),
        ),
        (
            "retired",
            mobile().with(step(Step::Retire)),
            Some((Rule::Unregistered, Code::NoActiveAccount)),
        ),
        (
            "account ended",
            mobile().with(account(Standing::Closed)),
            Some((Rule::AccountClosed, Code::NoActiveAccount)),
        ),
        (
            "deactivated",
            mobile().with(step(Step::Deactivate)),
            Some((Rule::NotActivated, Code::NoActiveAccount)),
        ),
        (
            "suspended",
            mobile().with(step(Step::Suspend)),
            Some((Rule::Suspended, Code::NoActiveAccount)),
        ),
        (
            "old software",
            mobile().with(Action::SetDefaults(defaults)),
            Some((Rule::SoftwareTooOld, Code::UnsupportedVersion)),
        ),
        (
            "lost",
            changed(mobile(), &|c| c.position = None),
            Some((Rule::LocationUnknown, Code::UnknownLocation)),
        ),
        (
            "nowhere",
            changed(mobile(), &|c| {
                c.position.as_mut().unwrap().lat_rad = f64::NAN
            }),
            Some((Rule::LocationUnknown, Code::UnknownLocation)),
        ),
        (
            "occupied",
            mobile().at(48.0, 38.0),
            Some((Rule::AreaDenied, Code::BlockedArea)),
        ),
        (
            "country off",
            mobile().with(Action::PutArea(area(
                9,
                HOME,
                99,
                AreaKind::Deny {
                    shown: Blocked::Country,
                },
            ))),
            Some((Rule::AreaDenied, Code::BlockedCountry)),
        ),
        (
            "cell off",
            mobile().with(Action::PutArea(area(
                9,
                HOME,
                10,
                AreaKind::Deny {
                    shown: Blocked::Cell,
                },
            ))),
            Some((Rule::AreaDenied, Code::CellIsDisabled)),
        ),
        (
            "weaker no",
            mobile().with(Action::PutArea(area(
                9,
                HOME,
                9,
                AreaKind::Deny {
                    shown: Blocked::Area,
                },
            ))),
            None,
        ),
        (
            "not listed",
            mobile().with(Action::PutArea(listed.clone())),
            Some((Rule::NotOnAllowList, Code::BlockedArea)),
        ),
        (
            "at sea",
            everywhere().at(43.0, 30.0),
            Some((Rule::AtSea, Code::InOcean)),
        ),
        (
            "sailor",
            Case::new(4, Place::Address(place(48.0, 30.0))).at(43.0, 30.0),
            None,
        ),
        ("coast is land", everywhere().at(44.5, 30.0), None),
        (
            "abroad",
            everywhere().at(48.0, 50.0),
            Some((Rule::NoOpenArea, Code::BlockedCountry)),
        ),
        (
            "other country's plan",
            mobile().with(Action::PutPlan(local)),
            Some((Rule::OutsidePlanAreas, Code::RoamRestricted)),
        ),
        (
            "out of its area",
            mobile().at(48.0, 20.0),
            Some((Rule::TooFarFromPlace, Code::TooFarFromServiceAddress)),
        ),
        (
            "far from home",
            fixed().at(48.3, 30.0),
            Some((Rule::TooFarFromPlace, Code::TooFarFromServiceAddress)),
        ),
        ("near home", fixed().at(48.25, 30.0), None),
        (
            "low",
            mobile().with(Action::PutPlan(aircraft)),
            Some((Rule::BelowFlightLevel, Code::UnderAviationFlyoverLimits)),
        ),
        (
            "fast here",
            changed(mobile(), &|c| c.speed_m_s = 21.0),
            Some((Rule::TooFast, Code::MovingTooFastForPolicy)),
        ),
        (
            "slow enough",
            changed(mobile(), &|c| c.speed_m_s = 20.8),
            None,
        ),
        (
            "fast for the plan",
            changed(fixed(), &|c| c.speed_m_s = 3.0),
            Some((Rule::TooFast, Code::MovingTooFastForPolicy)),
        ),
        (
            "no speed",
            changed(mobile(), &|c| c.speed_m_s = f64::NAN),
            Some((Rule::TooFast, Code::MovingTooFastForPolicy)),
        ),
        (
            "cap",
            used(capped(), 1000),
            Some((Rule::DataCapReached, Code::DataOverageSandboxPolicy)),
        ),
        ("below cap", used(capped(), 999), None),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for (name, case, expected) in cases {
        assert_eq!(case.rule(), expected, "{name}");
        seen.extend(expected.map(|(rule, _)| rule));
        let decision = case.explained().decision;
        assert_eq!(
            decision.reaches_account_page(),
            expected.is_none_or(|(rule, _)| rule != Rule::KeyNotProven),
            "{name}"
        );
    }
    assert_eq!(seen.len(), RULES.len(), "each rule was seen to refuse");
}

#[test]
fn the_list_works_as_in_ukraine() {
    let listed = area(
        1,
        HOME,
        10,
        AreaKind::AllowListRequired {
            list: LIST,
            pop: None,
        },
    );
    let mut case = mobile().with(Action::PutArea(listed));
    let more: Vec<Terminal> = (2..6)
        .map(|n| activated(n, 1, 1, Place::Area(HOME_AREA)))
        .collect();
    case.register = with_terminals(&case.register, more);
    let ask = |n, seen| Action::Request(LIST, RequestId(n), ut(n as u32), seen);
    let approve = |n| Action::Approve(LIST, RequestId(n));
    let mut case = case.with(ask(1, Seen::Unseen));
    assert!(matches!(
        case.register.apply(&command(ask(1, Seen::Unseen))),
        Err(Refused::Exists { .. })
    ));
    let again = Action::Request(LIST, RequestId(77), ut(1), Seen::Shown);
    assert!(matches!(
        case.register.apply(&command(again)),
        Err(Refused::AlreadyAsked { .. })
    ));
    assert_eq!(
        case.rule().unwrap().0,
        Rule::NotOnAllowList,
        "asking is not enough"
    );
    let mut case = case.with(approve(1));
    assert_eq!(case.rule(), None);
    assert_eq!(
        case.register.apply(&command(approve(1))),
        Err(Refused::Decided(RequestId(1)))
    );
    // A person: one terminal unseen, three when shown.
    let mut case = case.with(ask(2, Seen::Unseen));
    let full = Refused::ListFull {
        list: LIST,
        account: AccountId(1),
        limit: 1,
    };
    assert_eq!(case.register.apply(&command(approve(2))), Err(full));
    let mut case = case
        .with(Action::Reject(LIST, RequestId(2)))
        .with(ask(3, Seen::Shown))
        .with(approve(3));
    case = case
        .with(ask(4, Seen::Shown))
        .with(approve(4))
        .with(ask(5, Seen::Shown));
    assert!(matches!(
        case.register.apply(&command(approve(5))),
        Err(Refused::ListFull { limit: 3, .. })
    ));
    // Being on the list also lifts the speed limit of area 5; the plan's own stays.
    case.claim.speed_m_s = 30.0;
    assert_eq!(case.rule(), None);
    case.claim.speed_m_s = 50.0;
    assert_eq!(case.rule().unwrap().0, Rule::TooFast);
    case.claim.speed_m_s = 0.0;
    // Sold on to somebody else: the entry is not theirs.
    let service = Service {
        plan: PlanId(1),
        place: Place::Area(HOME_AREA),
    };
    let handed_on = [
        Step::Release,
        Step::Register {
            account: AccountId(2),
        },
        Step::Activate(service),
    ];
    let case = handed_on
        .into_iter()
        .fold(case, |case, s| case.with(Action::Step(ut(1), s)));
    assert!(
        !case.register.lists()[&LIST].entries.contains_key(&ut(1)),
        "the place on the list is free again"
    );
    assert_eq!(case.rule().unwrap().0, Rule::NotOnAllowList);
    let case = mobile().with(Action::PutArea(area(
        1,
        HOME,
        10,
        AreaKind::AllowListRequired {
            list: LIST,
            pop: None,
        },
    )));
    let case = case
        .with(ask(1, Seen::Unseen))
        .with(approve(1))
        .with(Action::Unlist(LIST, ut(1)));
    assert_eq!(case.rule().unwrap().0, Rule::NotOnAllowList, "taken off");
}

#[test]
fn a_country_is_switched_on_and_off_at_a_set_time() {
    let on = now() + Span::from_secs(3600);
    let off = on + Span::from_secs(7200);
    let mut case = fixed();
    let validity = Validity {
        from: Some(on),
        until: Some(off),
    };
    let mut fleet = Fleet::new(
        &case.register,
        &BTreeMap::from([(ut(1), case.claim)]),
        now(),
    );
    assert!(fleet.decision(ut(1)).unwrap().is_granted());
    let outcome = case
        .register
        .apply(&command(Action::SetValidity(
            vec![HOME_AREA, AreaId(5)],
            validity,
        )))
        .unwrap();
    assert_eq!(
        fleet.follow(&case.register, &outcome.touched, now()),
        [ut(1)]
    );
    assert_eq!(fleet.policy().next_change(now()), Some(on));
    for (t, expected) in [
        (on - Span::from_nanos(1), false),
        (on, true),
        (off - Span::from_nanos(1), true),
        (off, false),
    ] {
        fleet.evaluate(t);
        assert_eq!(fleet.decision(ut(1)).unwrap().is_granted(), expected, "{t}");
    }
    assert_eq!(fleet.policy().next_change(off), None);
}

#[test]
fn the_explanation_is_a_paragraph_that_names_the_area_and_the_numbers() {
    let mut case = mobile();
    case.claim.speed_m_s = 25.0;
    let case = case.with(Action::Step(ut(1), Step::Suspend));
    let text = case.explained().paragraph;
    assert_eq!(
        text,
        "Service of this terminal is paused. Also: The terminal moves faster than its plan or this area allows."
    );
    let case = case.with(Action::Step(ut(1), Step::Resume));
    assert_eq!(
        case.explained().paragraph,
        "The terminal moves faster than its plan or this area allows. The area that decides is \"area 5\" (area 5). \
         It moves at 90 km/h; the limit is 75 km/h."
    );
    let granted = mobile().explained();
    assert_eq!(
        granted.paragraph,
        "Service is on. The area that decides is \"area 1\" (area 1). Up to 200 Mbit/s down and 20 up."
    );
    assert_eq!(granted.considered.len(), RULES.len());
}

#[test]
fn slower_after_the_cap_is_a_grant_that_says_so() {
    let mut slow = plan(3);
    let then = Rates {
        down_bps: 1_000_000,
        up_bps: 500_000,
    };
    slow.cap = Some(DataCap {
        bytes: 10,
        then: Some(then),
    });
    let mut case = Case::new(3, Place::Area(HOME_AREA)).with(Action::PutPlan(slow));
    case.register
        .record_usage(UsageRecord {
            terminal: ut(1),
            period_start: now(),
            down_bytes: 6,
            up_bytes: 4,
        })
        .unwrap();
    let Decision::Granted(grant) = case.explained().decision else {
        panic!("granted")
    };
    assert_eq!((grant.rates, grant.limit), (then, RateLimit::OverageLimit));
}

/// A random command on the crowd: everything that can change an entitlement.
fn random_action(n: u32, choice: (u8, u32, u32)) -> Action {
    let (kind, a, b) = choice;
    let terminal = ut(a % n);
    let account = AccountId(u64::from(a % (n / 3 + 1)) + 1);
    let west = 14.0 + f64::from(b % 20);
    let bounds = [
        west,
        42.0,
        west + 1.0 + f64::from(a % 7),
        50.0 + f64::from(b % 3),
    ];
    let service = Service {
        plan: PlanId(1 + b % 4),
        place: Place::Area(AreaId(1 + a % 2)),
    };
    let kinds = [
        AreaKind::Allow { pop: None },
        AreaKind::Deny {
            shown: Blocked::Area,
        },
        AreaKind::AllowListRequired {
            list: LIST,
            pop: None,
        },
        AreaKind::SpeedLimit {
            max_speed_m_s: f64::from(b % 40),
            exempt: None,
        },
        AreaKind::Sea,
    ];
    match kind % 16 {
        0 | 1 => Action::PutArea(area(
            10 + a % 4,
            bounds,
            (b % 25) as i32,
            kinds[(a % 5) as usize].clone(),
        )),
        2 => Action::RemoveArea(AreaId(10 + a % 4)),
        3 => {
            let until = Some(now() + Span::from_secs(i64::from(b % 3) - 1));
            Action::SetValidity(vec![AreaId(1 + a % 5)], Validity { from: None, until })
        }
        4 => Action::SetValidity((1..=5).map(AreaId).collect(), Validity::ALWAYS),
        5 => {
            let standing =
                [Standing::Active, Standing::Disabled, Standing::Closed][(b % 3) as usize];
            let holder = Holder::Person("x".into());
            Action::PutAccount(Account {
                id: account,
                holder,
                market: market("UA"),
                standing,
                terminal_limit: None,
            })
        }
        6 => Action::Deny(if b % 2 == 0 {
            Denied::Terminal(terminal)
        } else {
            Denied::Account(account)
        }),
        7 => Action::Undeny(if b % 2 == 0 {
            Denied::Terminal(terminal)
        } else {
            Denied::Account(account)
        }),
        8 => Action::PutPlan(if b % 2 == 0 {
            plan(1 + a % 4)
        } else {
            fixed_plan(1 + a % 4)
        }),
        9 => Action::Request(LIST, RequestId(u64::from(a % 50)), terminal, Seen::Shown),
        10 => Action::Approve(LIST, RequestId(u64::from(a % 50))),
        11 => Action::Unlist(LIST, terminal),
        12 => Action::AddTerminals(vec![sold(10_000 + a % 60)]),
        13 => Action::SetDefaults(Defaults {
            elsewhere: if b % 2 == 0 {
                Elsewhere::Open
            } else {
                Elsewhere::Closed
            },
            oldest_software: a % 200,
        }),
        _ => {
            let steps = [
                Step::Release,
                Step::Deactivate,
                Step::Suspend,
                Step::Resume,
                Step::Block,
                Step::Restore,
                Step::Retire,
                Step::Register { account },
                Step::Activate(service),
                Step::Sell {
                    market: market("PL"),
                },
            ];
            Action::Step(terminal, steps[(b % 10) as usize])
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens in whatever order: following the changes gives what a fresh evaluation gives, the list of the
    /// changed is right, a refused command changes nothing, and the audit chain verifies.
    #[test]
    fn following_changes_equals_evaluating_everything(
        choices in prop::collection::vec((any::<u8>(), any::<u32>(), any::<u32>()), 1..40),
        seed: u64,
    ) {
        const N: u32 = 400;
        let (mut register, mut claims) = crowd(N, &mut Seed::root(seed).child("crowd", 0).rng());
        let mut fleet = Fleet::new(&register, &claims, now());
        let head = register.audit_head();
        let mut rows = Vec::new();
        for choice in choices {
            let before = register.clone();
            let decided: BTreeMap<UtId, Decision> = fleet.decisions().map(|(id, d)| (id, *d)).collect();
            match register.apply(&command(random_action(N, choice))) {
                Err(_) => prop_assert!(register == before),
                Ok(outcome) => {
                    rows.push(outcome.row);
                    let changed = fleet.follow(&register, &outcome.touched, now());
                    let expected: Vec<UtId> = fleet
                        .decisions()
                        .filter(|(id, d)| decided.get(id).is_some_and(|old| old != *d))
                        .map(|(id, _)| id)
                        .collect();
                    let known: Vec<UtId> = changed.into_iter().filter(|id| decided.contains_key(id)).collect();
                    prop_assert_eq!(known, expected);
                }
            }
            let moved = ut(choice.1 % N);
            let new = claim(40.0 + f64::from(choice.2 % 13), 12.0 + f64::from(choice.1 % 30));
            claims.insert(moved, new);
            let answer = fleet.claim(&register, moved, new, now());
            prop_assert_eq!(answer, fleet.decision(moved));
        }
        let fresh = Fleet::new(&register, &claims, now());
        prop_assert!(fleet.decisions().eq(fresh.decisions()));
        prop_assert!(rows.iter().map(|r| r.number).eq(head.rows + 1..=register.audit_head().rows));
        prop_assert_eq!(Register::load(register.to_things()).unwrap(), register);
    }

    /// Taking something away never gives anybody service.
    #[test]
    fn taking_away_never_grants(choices in prop::collection::vec((any::<u8>(), any::<u32>(), any::<u32>()), 0..25), seed: u64) {
        const N: u32 = 300;
        let (mut register, claims) = crowd(N, &mut Seed::root(seed).child("crowd", 0).rng());
        for choice in choices {
            let _ = register.apply(&command(random_action(N, choice)));
        }
        let granted = |register: &Register, claims: &BTreeMap<UtId, Claim>| -> Vec<UtId> {
            Fleet::new(register, claims, now()).decisions().filter(|(_, d)| d.is_granted()).map(|(id, _)| id).collect()
        };
        let before = granted(&register, &claims);
        let allow = |a: &&std::sync::Arc<ServiceArea>| matches!(a.kind, AreaKind::Allow { .. } | AreaKind::AllowListRequired { .. });
        let mut takings: Vec<Action> = register.areas().values().filter(allow).map(|a| Action::RemoveArea(a.id)).collect();
        let entries = register.lists()[&LIST].entries.keys();
        takings.extend(entries.map(|id| Action::Unlist(LIST, *id)));
        for step in [Step::Suspend, Step::Block, Step::Deactivate, Step::Release, Step::Retire] {
            takings.push(Action::Step(before.first().copied().unwrap_or(ut(1)), step));
        }
        takings.push(Action::Deny(Denied::Account(AccountId(1))));
        for taking in takings {
            let mut after = register.clone();
            if after.apply(&command(taking.clone())).is_ok() {
                let still = granted(&after, &claims);
                let taken_area_over_a_no = matches!(&taking, Action::RemoveArea(id) if opens_when_removed(&register, *id));
                prop_assert!(taken_area_over_a_no || still.iter().all(|id| before.contains(id)), "{:?}", taking);
            }
        }
        let unproven = claims.iter().map(|(id, c)| (*id, Claim { key: KeyProof::Missing, ..*c })).collect();
        prop_assert!(granted(&register, &unproven).is_empty());
    }

    /// The order of areas is total and does not depend on the order in which they came.
    #[test]
    fn precedence_is_a_total_order(parts in prop::collection::vec((-3..3_i32, 0..5_usize), 2..12)) {
        let kinds = [
            AreaKind::Allow { pop: None },
            AreaKind::Deny { shown: Blocked::Area },
            AreaKind::AllowListRequired { list: LIST, pop: None },
            AreaKind::SpeedLimit { max_speed_m_s: 1.0, exempt: None },
            AreaKind::Sea,
        ];
        let mut areas: Vec<ServiceArea> =
            parts.iter().enumerate().map(|(n, &(p, k))| area(n as u32, HOME, p, kinds[k].clone())).collect();
        areas.sort_by_key(ServiceArea::order);
        for pair in areas.windows(2) {
            prop_assert!(pair[0].order() < pair[1].order());
            prop_assert!(pair[0].precedence >= pair[1].precedence);
        }
        let mut reversed: Vec<ServiceArea> = areas.iter().rev().cloned().collect();
        reversed.sort_by_key(ServiceArea::order);
        prop_assert_eq!(reversed, areas);
    }
}

/// An area that demands a list is a restriction where something weaker says yes, so its removal may open; a plain yes
/// never does, except that one may stand above a list.
fn opens_when_removed(register: &Register, id: AreaId) -> bool {
    matches!(
        register.areas()[&id].kind,
        AreaKind::AllowListRequired { .. }
    )
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let (register, claims) = crowd(20_000, &mut Seed::root(9).child("crowd", 0).rng());
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut fleet = Fleet::new(&register, &claims, now());
            fleet.evaluate(now() + Span::from_secs(15));
            serde_json::to_vec(&fleet.decisions().collect::<Vec<_>>()).unwrap()
        })
    };
    let one = on(1);
    assert_eq!(on(3), one);
    assert_eq!(on(1), one);
}

#[test]
fn an_account_holds_no_more_than_its_limit_and_ids_and_keys_are_unique() {
    let mut r = register(1);
    let holder = Holder::Person("check".into());
    let limited = Account {
        id: AccountId(1),
        holder,
        market: market("UA"),
        standing: Standing::Active,
        terminal_limit: Some(1),
    };
    r.apply(&command(Action::PutAccount(limited))).unwrap();
    let copy = Terminal {
        id: ut(3),
        ..sold(1)
    };
    let refused = r.apply(&command(Action::AddTerminals(vec![sold(1), sold(2), copy])));
    assert_eq!(
        refused,
        Err(Refused::SameKey {
            first: ut(1),
            second: ut(3)
        })
    );
    assert!(r.terminals().is_empty(), "all or none");
    let finished = vec![sold(1), activated(2, 1, 1, Place::Area(HOME_AREA))];
    let refused = r.apply(&command(Action::AddTerminals(finished)));
    let not_new = Refused::NotNew {
        terminal: ut(2),
        state: "activated",
    };
    assert_eq!(refused, Err(not_new), "no life begins in the middle");
    r.apply(&command(Action::AddTerminals(vec![sold(1), sold(2)])))
        .unwrap();
    assert!(matches!(
        r.apply(&command(Action::AddTerminals(vec![sold(2)]))),
        Err(Refused::Exists { .. })
    ));
    let claim = |n| {
        Action::Step(
            ut(n),
            Step::Register {
                account: AccountId(1),
            },
        )
    };
    r.apply(&command(claim(1))).unwrap();
    assert_eq!(
        r.apply(&command(claim(2))),
        Err(Refused::AccountFull {
            account: AccountId(1),
            limit: 1
        })
    );
    assert_eq!(r.held_by(AccountId(1)).collect::<Vec<_>>(), [ut(1)]);
}

#[test]
fn an_incident_cuts_off_by_a_person_or_by_a_rule_and_an_appeal_restores() {
    let incident = |n, kind| Incident {
        id: IncidentId(n),
        at: now(),
        kind,
        terminals: [ut(1)].into(),
        evidence: Vec::new(),
        proposal: Proposal::CutOff,
        state: IncidentState::Open,
    };
    let mut case = mobile().with(Action::OpenIncident(incident(
        1,
        IncidentKind::KeyInTwoPlaces,
    )));
    assert_eq!(case.rule(), None, "a finding alone cuts nobody off");
    case = case.with(Action::CutOff(IncidentId(1)));
    assert_eq!(case.rule().unwrap().0, Rule::Blocked);
    let rule = [IncidentKind::ImpossibleTravel].into();
    case = case
        .with(Action::SetAutomatic(rule))
        .with(Action::OpenIncident(incident(
            2,
            IncidentKind::ImpossibleTravel,
        )));
    assert_eq!(
        case.register.incidents()[&IncidentId(2)].state,
        IncidentState::CutOff
    );
    case = case
        .with(Action::Appeal(IncidentId(1)))
        .with(Action::Restore(IncidentId(1)));
    assert_eq!(
        case.rule().unwrap().0,
        Rule::Blocked,
        "the second incident still stands"
    );
    case = case.with(Action::Restore(IncidentId(2)));
    assert_eq!(case.rule(), None);
    let again = case.register.apply(&command(Action::Appeal(IncidentId(2))));
    let state = IncidentState::Restored;
    assert_eq!(
        again,
        Err(Refused::IncidentState {
            incident: IncidentId(2),
            state
        })
    );
    // By the rule at once, and the audit row says what happened to the terminal.
    let outcome = case
        .register
        .apply(&command(Action::OpenIncident(incident(
            3,
            IncidentKind::ImpossibleTravel,
        ))))
        .unwrap();
    assert_eq!(case.rule().unwrap().0, Rule::Blocked);
    let entry: AuditEntry = serde_json::from_str(&outcome.row.body).unwrap();
    assert_eq!(entry.what["transitions"][0]["step"], "block");
    assert_eq!(
        outcome.touched,
        [Touched::Incident(IncidentId(3)), Touched::Terminal(ut(1))]
    );
}

#[test]
fn commands_need_a_name_and_a_reason() {
    let mut r = register(1);
    let before = r.clone();
    let nameless = Command {
        stamp: Stamp {
            by: String::new(),
            at: Time::default(),
            why: "x".into(),
        },
        action: Action::RemoveArea(HOME_AREA),
    };
    assert_eq!(
        r.apply(&nameless),
        Err(Refused::Step(StepRefused::NoReason))
    );
    assert_eq!(r, before);
}

#[test]
fn a_place_is_open_where_the_first_access_area_says_so() {
    let with = |area: ServiceArea| {
        let mut register = register(1);
        register.apply(&command(Action::PutArea(area))).unwrap();
        Policy::new(&register)
    };
    let open = |policy: &Policy, lat: f64, lon: f64, t: Time| policy.is_open(place(lat, lon), t);
    let plain = Policy::new(&register(1));
    for (lat, lon, expected) in [
        (48.0, 30.0, true),
        // Within the country, and closed by an area of greater precedence: on both sides of its border, in one H3 cell.
        (48.0, 36.9999, true),
        (48.0, 37.0001, false),
        // A sea area says nothing of who may have service, nor does one of speed.
        (42.0, 30.0, false),
        (44.5, 30.0, true),
        (60.0, 10.0, false),
    ] {
        assert_eq!(open(&plain, lat, lon, now()), expected, "{lat}, {lon}");
    }
    // Where an allow list decides, it is open for those on it; deny comes before allow at one precedence.
    let (list, pop) = (LIST, None);
    let listed = AreaKind::AllowListRequired { list, pop };
    assert!(open(&with(area(1, HOME, 10, listed)), 48.0, 30.0, now()));
    let shown = Blocked::Country;
    let denied = with(area(9, HOME, 10, AreaKind::Deny { shown }));
    assert!(!open(&denied, 48.0, 30.0, now()));
    // An area holds from its first instant on and not at its end.
    let (second, nano) = (Span::from_secs(1), Span::from_nanos(1));
    let mut passing = area(9, [0.0, 0.0, 5.0, 5.0], 0, AreaKind::Allow { pop });
    passing.validity.from = Some(now());
    passing.validity.until = Some(now() + second);
    let passing = with(passing);
    let at = |t| open(&passing, 2.0, 2.0, t);
    assert!(!at(now() - nano) && at(now()) && at(now() + second - nano) && !at(now() + second));
    // Where no area says anything, what holds elsewhere.
    let mut register = register(1);
    let defaults = Defaults {
        elsewhere: Elsewhere::Open,
        ..register.defaults()
    };
    let set = command(Action::SetDefaults(defaults));
    register.apply(&set).unwrap();
    let elsewhere = Policy::new(&register);
    assert!(open(&elsewhere, 60.0, 10.0, now()) && open(&elsewhere, 42.0, 30.0, now()));
    assert!(!open(&elsewhere, 48.0, 38.0, now()));
}

#[test]
fn a_place_is_open_exactly_where_a_terminal_without_limits_has_service() {
    let (list, pop) = (LIST, None);
    let mut register = with_terminals(
        &register(1),
        vec![activated(1, 1, 1, Place::Area(HOME_AREA))],
    );
    let listed = AreaKind::AllowListRequired { list, pop };
    let shown = Blocked::Cell;
    for action in [
        Action::PutArea(area(2, NEIGHBOUR, 10, listed)),
        Action::PutArea(area(
            6,
            [24.0, 45.0, 26.0, 47.0],
            15,
            AreaKind::Deny { shown },
        )),
        Action::PutArea(area(
            7,
            [25.0, 46.0, 27.0, 48.0],
            15,
            AreaKind::Allow { pop },
        )),
        Action::Request(list, RequestId(1), ut(1), Seen::Shown),
        Action::Approve(list, RequestId(1)),
    ] {
        register.apply(&command(action)).unwrap();
    }
    let policy = Policy::new(&register);
    let terminal = &register.terminals()[&ut(1)];
    let mut rng = Seed::root(4).rng();
    let mut counts = [0; 2];
    for _ in 0..2000 {
        let (lat, lon) = (40.0 + 13.0 * rng.next_f64(), 12.0 + 30.0 * rng.next_f64());
        let decision = policy.entitlement(&register, terminal, &claim(lat, lon), now());
        let open = policy.is_open(place(lat, lon), now());
        // The area of its activation is another matter. No access area comes after the sea here: who may not go to sea finds
        // it closed.
        let by_area = match decision {
            Decision::Granted(_) => true,
            Decision::Refused(r) => r.rule == Rule::TooFarFromPlace,
        };
        assert_eq!(open, by_area, "{lat}, {lon}: {decision:?}");
        counts[usize::from(open)] += 1;
    }
    assert!(counts[0] > 500 && counts[1] > 500, "{counts:?}");
}

#[test]
fn the_market_of_a_place_is_that_of_the_first_area_that_has_one() {
    let mut register = register(1);
    let of = |id, bounds, precedence, code: &str| ServiceArea {
        market: Some(market(code)),
        ..area(id, bounds, precedence, AreaKind::Allow { pop: None })
    };
    let mut passing = of(12, [30.0, 46.0, 32.0, 48.0], 30, "MD");
    passing.validity.until = Some(now());
    for area in [of(10, HOME, 5, "UA"), of(11, OCCUPIED, 7, "PL"), passing] {
        register.apply(&command(Action::PutArea(area))).unwrap();
    }
    let policy = Policy::new(&register);
    let at = |lat, lon, t| policy.market(place(lat, lon), t).map(|m| m.to_string());
    // Areas of greater precedence that are nobody's (the country's, the closed one's) say nothing.
    assert_eq!(at(48.0, 28.0, now()).as_deref(), Some("UA"));
    assert_eq!(at(48.0, 36.9999, now()).as_deref(), Some("UA"));
    assert_eq!(at(48.0, 37.0001, now()).as_deref(), Some("PL"));
    assert_eq!(at(48.0, 15.0, now()), None);
    // An area out of its time is not there.
    let before = now() - Span::from_nanos(1);
    assert_eq!(at(47.0, 31.0, before).as_deref(), Some("MD"));
    assert_eq!(at(47.0, 31.0, now()).as_deref(), Some("UA"));
}
