//! What an empty database gets so that a scenario works at once, and how emulated terminals come onto the books.

use super::ServiceError;
use crate::operator::{Desk, Draft};
use skyweave_base::{Geodetic, Time};
use skyweave_service::{
    Account, AccountId, Action, AuditHead, BatchId, Command, Defaults, Elsewhere, Holder, Market,
    Mobility, MobilityClass, Plan, PlanId, PublicKey, Rates, Service, ServiceClass, Stamp,
    Standing, State, Step, Terminal, UtId,
};
use std::collections::BTreeSet;

/// Holds the terminals of the scenario.
pub const SCENARIO_TERMINALS: AccountId = AccountId(1);
/// Holds terminals that join a running network.
pub const GUESTS: AccountId = AccountId(2);
/// The plan of both.
pub const ENROLLED_PLAN: PlanId = PlanId(1);

/// Who acts here, in the audit log.
const BY: &str = "skyweave up";

/// What became of a terminal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrolment {
    /// The register had it.
    Known,
    /// It was put on the books.
    Enrolled,
    /// It was not: the account is not there or not active.
    Closed,
}

/// Makes an empty register usable, in one transaction. False if it was not empty.
pub(super) fn commission(desk: &Desk, now: Time) -> Result<bool, ServiceError> {
    let actions = [
        Action::SetDefaults(Defaults {
            elsewhere: Elsewhere::Open,
            oldest_software: 0,
        }),
        Action::PutPlan(enrolled_plan()),
        Action::PutAccount(account(SCENARIO_TERMINALS, "terminals of the scenario")),
        Action::PutAccount(account(GUESTS, "guests: terminals that join by `run --at`")),
    ];
    let done = desk.submit(move |register| {
        if register.audit_head() != AuditHead::default() {
            return Ok(Draft::default());
        }
        Ok(draft(actions, now, "commissioning of an empty database"))
    });
    Ok(done.wait()?.is_some())
}

/// Everything that a scenario may ask: the rates of a scenario's terminals decide, not this plan's, which no beam reaches.
fn enrolled_plan() -> Plan {
    Plan {
        id: ENROLLED_PLAN,
        name: "Scenario".to_owned(),
        rates: Rates {
            down_bps: 100_000_000_000,
            up_bps: 100_000_000_000,
        },
        cap: None,
        priority: 0,
        class: ServiceClass::Consumer,
        mobility: Mobility {
            class: MobilityClass::Mobile,
            // An airliner in a jet stream reaches 350.
            max_speed_m_s: 400.0,
            home_radius_m: None,
            min_height_m: None,
        },
        areas: BTreeSet::new(),
        at_sea: true,
    }
}

fn account(id: AccountId, whose: &str) -> Account {
    Account {
        id,
        holder: Holder::Person(whose.to_owned()),
        market: nowhere(),
        standing: Standing::Active,
        terminal_limit: None,
    }
}

/// An emulated terminal was sold nowhere: one of the codes that ISO 3166-1 leaves to its users (clause 8.1.3).
fn nowhere() -> Market {
    "ZZ".parse().expect("two capital letters are a market")
}

pub(super) fn enrol(
    desk: &Desk,
    terminal: UtId,
    account: AccountId,
    at: Geodetic,
    now: Time,
    key: impl FnOnce() -> Result<PublicKey, ServiceError>,
) -> Result<Enrolment, ServiceError> {
    let register = desk.register();
    if register.terminals().contains_key(&terminal) {
        return Ok(Enrolment::Known);
    }
    let open = register
        .accounts()
        .get(&account)
        .is_some_and(|a| a.standing == Standing::Active)
        && register.plans().contains_key(&ENROLLED_PLAN);
    // Not held while it is written to.
    drop(register);
    if !open {
        return Ok(Enrolment::Closed);
    }
    let new = Terminal {
        id: terminal,
        key: key()?,
        model: "emulated".to_owned(),
        batch: BatchId(account.0 as u32),
        state: State::Sold { market: nowhere() },
    };
    let actions = [
        Action::AddTerminals(vec![new]),
        Action::Step(terminal, Step::Register { account }),
        Action::Step(
            terminal,
            Step::Activate(Service {
                plan: ENROLLED_PLAN,
                place: skyweave_service::Place::Address(at),
            }),
        ),
    ];
    let why = "emulated terminal, seen for the first time";
    desk.submit(move |_| Ok(draft(actions, now, why))).wait()?;
    Ok(Enrolment::Enrolled)
}

/// All or nothing.
fn draft(actions: impl IntoIterator<Item = Action>, now: Time, why: &str) -> Draft {
    let stamp = Stamp {
        by: BY.to_owned(),
        at: now,
        why: why.to_owned(),
    };
    let command = |action| Command {
        stamp: stamp.clone(),
        action,
    };
    Draft {
        commands: actions.into_iter().map(command).collect(),
        records: Vec::new(),
    }
}
