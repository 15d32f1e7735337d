//! The things of the service: organisations, accounts, plans, lists, usage.

use crate::ids::{AccountId, AreaId, ListId, Market, OrganisationId, PlanId, RequestId, UtId};
use serde::{Deserialize, Serialize};
use skyweave_base::Time;
use std::collections::{BTreeMap, BTreeSet};

/// A company, an authority, an aid organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Which organisation.
    pub id: OrganisationId,
    /// For people.
    pub name: String,
    /// Where it is registered.
    pub market: Market,
    /// Power, water, hospitals: lists may give such organisations another limit.
    pub critical: bool,
}

/// Who holds terminals and pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Which account.
    pub id: AccountId,
    /// A person or an organisation.
    pub holder: Holder,
    /// The country of the account.
    pub market: Market,
    /// Whether it may use the service.
    pub standing: Standing,
    /// The most terminals that may be registered to it; `None`: no limit.
    pub terminal_limit: Option<u32>,
}

/// The holder of an account. Who a person is stays with whoever checked it: here is only a reference to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A natural person, by a reference to the record of the check of identity.
    Person(String),
    /// An organisation.
    Company(OrganisationId),
}

/// Whether an account may use the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may.
    Active,
    /// The operator has switched it off.
    Disabled,
    /// The holder has ended it, or it was not paid.
    Closed,
}

/// What was sold: how fast, how much, how mobile, where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Which plan.
    pub id: PlanId,
    /// For people.
    pub name: String,
    /// Rates at best.
    pub rates: Rates,
    /// Data of a month, and what follows.
    pub cap: Option<DataCap>,
    /// The greater goes first when a beam is full.
    pub priority: u8,
    /// The class that a terminal shows.
    pub class: ServiceClass,
    /// How it may move.
    pub mobility: Mobility,
    /// The areas in which it works; empty: wherever service is open.
    pub areas: BTreeSet<AreaId>,
    /// Whether it works at sea.
    pub at_sea: bool,
}

/// Rates of the user link, bit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// To the terminal.
    pub down_bps: u64,
    /// From the terminal.
    pub up_bps: u64,
}

/// A data allowance, both directions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataCap {
    /// Bytes of one period.
    pub bytes: u64,
    /// Rates when it is used up; `None`: only the account page.
    pub then: Option<Rates>,
}

/// `UserClassOfService` of the dish API, same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceClass {
    /// A household.
    Consumer = 1,
    /// A business.
    Business = 2,
    /// A business with priority.
    BusinessPlus = 3,
    /// An aircraft.
    CommercialAviation = 4,
}

/// `UserMobilityClass` of the dish API, same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MobilityClass {
    /// At one address.
    Stationary = 0,
    /// At changing places.
    Nomadic = 1,
    /// On the move.
    Mobile = 2,
}

/// How a plan's terminals may move.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mobility {
    /// The class that a terminal shows.
    pub class: MobilityClass,
    /// The greatest speed over ground with service, m/s.
    pub max_speed_m_s: f64,
    /// How far from its service address a terminal may be, m; `None`: anywhere.
    pub home_radius_m: Option<f64>,
    /// Lowest height above the ellipsoid with service, m: for aircraft.
    pub min_height_m: Option<f64>,
}

/// Who may be served in areas that demand it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowList {
    /// Which list.
    pub id: ListId,
    /// For people.
    pub name: String,
    /// The most terminals of one holder.
    pub limits: OwnerLimits,
    /// Terminals on it. An entry holds for that account only: who gets the terminal next asks again.
    pub entries: BTreeMap<UtId, ListEntry>,
    /// Requests ever made.
    pub requests: BTreeMap<RequestId, ListRequest>,
}

/// The most terminals of one holder on a list; `None`: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerLimits {
    /// Of a person, terminals not shown to anybody.
    pub person: Option<u32>,
    /// Of a person who shows the terminals.
    pub person_shown: Option<u32>,
    /// Of an organisation.
    pub company: Option<u32>,
    /// Of an organisation of critical infrastructure.
    pub critical: Option<u32>,
}

impl OwnerLimits {
    /// As Ukraine's list of February 2026: a person 1, or 3 if shown; a company 10; critical infrastructure without limit
    /// (minfin.com.ua 2026-02-03, komersant.ua 2026-02-17).
    pub const UKRAINE_2026: Self = Self {
        person: Some(1),
        person_shown: Some(3),
        company: Some(10),
        critical: None,
    };
}

/// A terminal on an allow list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// The holder for whom it was approved.
    pub account: AccountId,
    /// The request.
    pub request: RequestId,
}

/// Somebody asks for a terminal to be put on a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRequest {
    /// The terminal.
    pub terminal: UtId,
    /// Its holder.
    pub account: AccountId,
    /// Whether the terminal was shown in person.
    pub seen: Seen,
    /// When it was asked.
    pub at: Time,
    /// What came of it.
    pub state: RequestState,
}

/// Whether a terminal was shown in person, at a service centre for example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// It was shown.
    Shown,
    /// It was not.
    Unseen,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Nobody has decided yet.
    Pending,
    /// The terminal is on the list, unless it was taken off since.
    Approved,
    /// It was refused; the audit log says why.
    Rejected,
}

/// Traffic of a terminal in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// The terminal.
    pub terminal: UtId,
    /// Begin of the period.
    pub period_start: Time,
    /// Bytes to the terminal.
    pub down_bytes: u64,
    /// Bytes from the terminal.
    pub up_bytes: u64,
}
