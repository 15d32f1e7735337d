//! Who may connect, where, how fast they may move, and what happens to a terminal that should not be there (sans-IO).
//!
//! [`Register`] holds the things and changes them by [`Command`], each with a row of the audit log; [`Policy`] answers
//! whether one terminal may have service and explains it; [`Fleet`] keeps the answers for all of them; the detectors of
//! misuse turn observations into incidents. All of it is values and pure functions: no clock, file, socket or database.
//! The crate knows the Earth's surface, but not space, beams or packets. `docs/service.md` is its description.
#![forbid(unsafe_code)]

mod access;
mod area;
mod audit;
mod cover;
mod fleet;
mod ids;
mod import;
mod life;
mod metering;
mod misuse;
mod policy;
mod proof;
mod register;
mod rules;
mod shape;
mod sightings;
mod suspicion;
mod things;

pub use access::{
    AccessRefused, Directory, Identity, Mandate, NoSuchName, PERMISSIONS, Password, PasswordKind,
    Permission, Role, SecretHash, SignIn, SignInId, Token, TokenId, User, UserId, UserStanding,
};
pub use area::{AreaKind, BadArea, BadAreaReason, Blocked, ServiceArea, Validity, parse_areas};
pub use audit::{AuditBroken, AuditEntry, AuditHead, AuditRow, BadAuditHead, ChainHash, verify};
pub use fleet::Fleet;
pub use ids::{
    AccountId, AreaId, BadMarket, BadPublicKey, BadUtId, BatchId, IncidentId, ListId, Market,
    OrganisationId, PlanId, PublicKey, RequestId, UtId,
};
pub use import::{BadRow, BadRows, TERMINAL_COLUMNS, parse_new_terminals, parse_terminals};
pub use life::{
    Place, Registration, Service, Stamp, State, Step, StepRefused, Terminal, Transition, apply,
};
pub use metering::{Counted, Metering};
pub use misuse::{
    BatchMember, Declared, Evidence, Finding, Incident, IncidentKind, IncidentState, Limits,
    Observation, Proposal, Session, Sighting, batch_cluster, impossible_travel, key_in_two_places,
    out_of_market, position_against_radio,
};
pub use policy::{Claim, Defaults, Elsewhere, KeyProof, Policy};
pub use proof::{Challenge, Gate, NotProven, Proof};
pub use register::{Action, Command, Denied, Outcome, Refused, Register, Things, Touched};
pub use rules::{Code, Considered, Decision, Explanation, Grant, RULES, RateLimit, Refusal, Rule};
pub use shape::{Fix, MOST_POSITIONS, RingAt, Shape, ShapeError};
pub use sightings::Sightings;
pub use suspicion::{Observed, Suspicion};
pub use things::{
    Account, AllowList, DataCap, Holder, ListEntry, ListRequest, Mobility, MobilityClass,
    Organisation, OwnerLimits, Plan, Rates, RequestState, Seen, ServiceClass, Standing,
    UsageRecord,
};
