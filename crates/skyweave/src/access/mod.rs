//! The service of a live network: who of its terminals is entitled, how they prove who they are, and what those are told
//! who are not.
//!
//! The register and its rules are `skyweave_service`, the [`Desk`] executes commands on them. Here they meet the emulated
//! terminals of a scenario: where their keys are kept ([`Keys`]), and how an empty database is commissioned.

mod commission;
mod keys;
mod page;
mod place;
mod watch;

pub use commission::{ENROLLED_PLAN, Enrolment, GUESTS, SCENARIO_TERMINALS};
pub use keys::{KeyFileError, Keys};
pub use page::AccountPage;
pub use place::{Choice, ServicePlace, state_folder};
pub use watch::Watch;
pub(crate) use watch::{Said, claim};

use crate::live::lock;
use crate::operator::{Desk, Rejected, StoreError};
use crate::random::random;
use skyweave_base::{Geodetic, Time};
use skyweave_service::{AccountId, Challenge, Gate, NotProven, Proof, UtId};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Why the service of a network cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ServiceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    #[error("cannot make {}: {source}", path.display())]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "no folder to keep the service in: neither XDG_STATE_HOME nor HOME is set; say --database FILE or --database none"
    )]
    NoStateFolder,
    #[error("the terminal has not proved who it is: {0}")]
    NotProven(#[from] NotProven),
    #[error("the service could not be set up: {0}")]
    Rejected(#[from] Rejected),
}

/// The service of a network: its desk, and the keys of the terminals that this program emulates.
#[derive(Debug)]
pub struct Service {
    desk: Arc<Desk>,
    keys: Mutex<Keys>,
    gate: Mutex<Gate>,
    place: ServicePlace,
    commissioned: bool,
}

impl Service {
    /// Opens the database and the keys. An empty database is commissioned at `now`: a plan, an account for the terminals of
    /// the scenario and one for guests, and service wherever no area says otherwise. Waits; not from an asynchronous
    /// function.
    ///
    /// # Errors
    /// [`ServiceError`]
    pub fn open(place: ServicePlace, now: Time) -> Result<Self, ServiceError> {
        place.prepare()?;
        let desk = Desk::open(&place.url)?;
        let keys = Keys::open(&place.keys)?;
        let commissioned = commission::commission(&desk, now)?;
        Ok(Self {
            desk: Arc::new(desk),
            keys: Mutex::new(keys),
            gate: Mutex::new(Gate::new(random())),
            place,
            commissioned,
        })
    }

    /// Where commands are executed.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Where it is kept.
    pub fn place(&self) -> &ServicePlace {
        &self.place
    }

    /// True if the database was empty when it was opened.
    pub fn was_commissioned(&self) -> bool {
        self.commissioned
    }

    /// What a terminal is to sign.
    pub fn challenge(&self, terminal: UtId, now: Time) -> Challenge {
        lock(&self.gate).challenge(terminal, now, random())
    }

    /// Whether a proof is one, by the key that the register knows.
    ///
    /// # Errors
    /// [`NotProven`]
    pub fn judge(&self, proof: &Proof, now: Time) -> Result<UtId, NotProven> {
        let register = self.desk.register();
        let key = |id| register.terminals().get(&id).map(|t| t.key);
        lock(&self.gate).judge(proof, key, now)
    }

    /// Lets a terminal of this machine prove who it is, with its key from the file.
    ///
    /// # Errors
    /// [`ServiceError`] if the file has no key of it, or another than the register.
    pub fn prove_own(&self, terminal: UtId, now: Time) -> Result<(), ServiceError> {
        let challenge = self.challenge(terminal, now);
        let proof = challenge.sign(lock(&self.keys).get(terminal)?);
        self.judge(&proof, now)?;
        Ok(())
    }

    /// Puts an emulated terminal on the books that the register does not know yet: sold, registered to `account`, activated
    /// at `at`. As long as that account is active; the operator closes enrolment by disabling it.
    ///
    /// # Errors
    /// [`ServiceError`]
    pub fn enrol(
        &self,
        terminal: UtId,
        account: AccountId,
        at: Geodetic,
        now: Time,
    ) -> Result<Enrolment, ServiceError> {
        let key = || Ok(lock(&self.keys).public_key_or_new(terminal)?);
        commission::enrol(&self.desk, terminal, account, at, now, key)
    }
}
