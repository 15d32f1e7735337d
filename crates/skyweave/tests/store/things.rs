//! A small service: commands that touch every kind of thing.

use skyweave_base::{Geodetic, Time};
use skyweave_service::*;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn command(n: i64, action: Action) -> Command {
    Command {
        stamp: Stamp {
            by: "user:1".into(),
            at: Time::from_nanos(n.saturating_mul(1_000_000_007)),
            why: format!("test {n}"),
        },
        action,
    }
}

pub(crate) fn ut(n: u32) -> UtId {
    UtId::new([0x0100_0000, n >> 16, n])
}

pub(crate) fn sold(n: u32) -> Terminal {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&n.to_le_bytes());
    Terminal {
        id: ut(n),
        key: PublicKey(key),
        model: "rev4".into(),
        batch: BatchId(n / 100),
        state: State::Sold { market: ua() },
    }
}

pub(crate) fn ua() -> Market {
    "UA".parse().unwrap()
}

pub(crate) fn organisation(n: u64) -> Organisation {
    Organisation {
        id: OrganisationId(n),
        name: format!("організація {n} \" \\ \u{1}"),
        market: ua(),
        critical: n.is_multiple_of(2),
    }
}

fn account(n: u64) -> Account {
    let holder = match n {
        1 => Holder::Person("passport check 17".into()),
        _ => Holder::Company(OrganisationId(n)),
    };
    Account {
        id: AccountId(n),
        holder,
        market: ua(),
        standing: Standing::Active,
        terminal_limit: Some(100),
    }
}

fn plan(n: u32) -> Plan {
    Plan {
        id: PlanId(n),
        name: format!("plan {n}"),
        rates: Rates {
            down_bps: 200_000_000,
            up_bps: 20_000_000,
        },
        cap: Some(DataCap {
            bytes: 1 << 40,
            then: None,
        }),
        priority: 3,
        class: ServiceClass::Business,
        mobility: Mobility {
            class: MobilityClass::Nomadic,
            // A number whose decimal form is long: it must come back to the last bit.
            max_speed_m_s: 100.0 / 3.6 + 1e-15,
            home_radius_m: Some(0.1 + 0.2),
            min_height_m: None,
        },
        areas: BTreeSet::from([AreaId(1)]),
        at_sea: false,
    }
}

fn area(n: u32) -> ServiceArea {
    let ring = vec![
        [22.1, 44.3],
        [40.2, 44.3],
        [40.2, 52.4],
        [22.1, 52.4],
        [22.1, 44.3],
    ];
    ServiceArea {
        id: AreaId(n),
        name: format!("area {n}"),
        market: Some(ua()),
        kind: AreaKind::AllowListRequired {
            list: ListId(1),
            pop: None,
        },
        precedence: 10,
        validity: Validity {
            from: None,
            until: None,
        },
        shape: Shape::new(&[vec![ring]]).unwrap().0,
    }
}

fn incident(n: u64, terminal: u32) -> Incident {
    Finding {
        kind: IncidentKind::KeyInTwoPlaces,
        terminals: BTreeSet::from([ut(terminal)]),
        evidence: vec![Evidence::TwoSessions {
            at: Time::from_nanos(5),
            apart_m: 123_456.789_012_345_67,
        }],
        proposal: Proposal::CutOff,
    }
    .open(IncidentId(n), Time::from_nanos(6))
}

fn user(n: u64, mandate: Mandate) -> User {
    User {
        id: UserId(n),
        name: format!("user {n}"),
        mandate,
        identity: None,
        standing: UserStanding::Active,
    }
}

/// What a secret's hash looks like in JSON must never be seen in the audit log.
pub(crate) const HASH: SecretHash = SecretHash([0xab; 32]);
/// As `HASH`, of a password.
pub(crate) const PASSWORD_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA";

fn password(kind: PasswordKind) -> Password {
    Password {
        hash: PASSWORD_HASH.into(),
        kind,
    }
}

fn token(n: u64, user: u64) -> Token {
    Token {
        id: TokenId(n),
        user: UserId(user),
        name: format!("token {n}"),
        hash: HASH,
        permissions: BTreeSet::from([Permission::ReadTerminals, Permission::ReadUsage]),
        created: Time::from_nanos(1),
        expires: Time::from_nanos(i64::MAX),
    }
}

fn sign_in(n: u64, user: u64) -> skyweave_service::SignIn {
    skyweave_service::SignIn {
        id: SignInId(n),
        user: UserId(user),
        hash: HASH,
        opened: Time::from_nanos(n.cast_signed()),
        expires: Time::from_nanos(i64::MAX),
    }
}

/// Commands that use every action, in an order in which none is refused.
pub(crate) fn a_days_work() -> Vec<Command> {
    use Action::*;
    let home = Place::Address(Geodetic::from_degrees(50.450_100_000_000_01, 30.523_4).unwrap());
    let step = |n, s| Step(ut(n), s);
    let service = |place| skyweave_service::Service {
        plan: PlanId(1),
        place,
    };
    let limits = OwnerLimits::UKRAINE_2026;
    let mut actions = vec![
        PutOrganisation(organisation(2)),
        PutOrganisation(organisation(3)),
        PutAccount(account(1)),
        PutAccount(account(2)),
        PutList(ListId(1), "Ukraine".into(), limits),
        PutList(ListId(2), "another".into(), limits),
        PutArea(area(1)),
        PutArea(area(2)),
        PutPlan(plan(1)),
        AddTerminals((1..=40).map(sold).collect()),
    ];
    use skyweave_service::Step as S;
    for n in 1..=6 {
        let account = AccountId(1 + u64::from(n) % 2);
        actions.push(step(n, S::Register { account }));
        let place = if n == 1 { home } else { Place::Area(AreaId(1)) };
        actions.push(step(n, S::Activate(service(place))));
        actions.push(Request(ListId(1), RequestId(n.into()), ut(n), Seen::Shown));
    }
    actions.extend([
        Approve(ListId(1), RequestId(1)),
        Approve(ListId(1), RequestId(2)),
        Approve(ListId(1), RequestId(3)),
        Reject(ListId(1), RequestId(4)),
        Unlist(ListId(1), ut(2)),
        // A place on a list is dropped with its holder.
        step(3, S::Release),
        PutList(ListId(1), "Ukraine, renamed".into(), limits),
        Deny(Denied::Terminal(ut(5))),
        Deny(Denied::Account(AccountId(2))),
        Undeny(Denied::Account(AccountId(2))),
        SetValidity(
            vec![AreaId(1), AreaId(2)],
            Validity {
                from: Some(Time::from_nanos(1)),
                until: Some(Time::from_nanos(i64::MAX)),
            },
        ),
        EndValidity(vec![AreaId(2), AreaId(1)], Time::from_nanos(7)),
        RemoveArea(AreaId(2)),
        SetDefaults(Defaults {
            elsewhere: Elsewhere::Open,
            oldest_software: 9,
        }),
        OpenIncident(incident(1, 4)),
        CutOff(IncidentId(1)),
        Appeal(IncidentId(1)),
        Restore(IncidentId(1)),
        SetAutomatic(BTreeSet::from([
            IncidentKind::KeyInTwoPlaces,
            IncidentKind::BatchCluster,
        ])),
        OpenIncident(incident(2, 5)),
        OpenIncident(Incident {
            kind: IncidentKind::OutOfMarket,
            ..incident(3, 6)
        }),
        Dismiss(IncidentId(3)),
        NoteLocationRead(ut(1)),
        NoteConditions(serde_json::json!({ "faults": { "gateways": ["Turku"] } })),
        step(40, S::Retire),
        PutAreas(vec![area(3), area(1)]),
        PutUser(user(1, Mandate::Owner)),
        PutUser(user(2, Mandate::Customer(AccountId(1)))),
        PutUser(user(3, Mandate::Terminal(ut(1)))),
        PutUser(User {
            identity: Some(Identity {
                issuer: "https://id.example".into(),
                subject: "17".into(),
            }),
            ..user(3, Mandate::Auditor)
        }),
        AddToken(token(1, 1)),
        AddToken(token(2, 1)),
        AddToken(token(3, 2)),
        RevokeToken(TokenId(2)),
        SignIn(sign_in(1, 1)),
        SignIn(sign_in(2, 1)),
        SignIn(sign_in(3, 2)),
        SignIn(sign_in(10, 3)),
        SignOut(SignInId(2)),
        SetPassword(UserId(1), password(PasswordKind::Once)),
        SetPassword(UserId(1), password(PasswordKind::Own)),
        SetPassword(UserId(2), password(PasswordKind::Own)),
        SignIn(sign_in(4, 2)),
        RevokeUser(UserId(2)),
    ]);
    actions
        .into_iter()
        .zip(1..)
        .map(|(action, n)| command(n, action))
        .collect()
}

/// Names of the actions in these commands.
pub(crate) fn names(commands: &[Command]) -> BTreeMap<String, u32> {
    let mut names = BTreeMap::new();
    for c in commands {
        let value = serde_json::to_value(&c.action).unwrap();
        let name = value.as_object().unwrap().keys().next().unwrap().clone();
        *names.entry(name).or_default() += 1;
    }
    names
}
