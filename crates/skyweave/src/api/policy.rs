//! The compiled policy for `explain`, made anew when an area, a plan or a default has changed.

use super::lock;
use crate::operator::{Desk, Event, Events};
use skyweave_service::{Policy, Register, Touched};
use std::sync::{Arc, Mutex};

/// The policy that was compiled last, and what has happened since.
pub(super) struct Policies(Mutex<Kept>);

struct Kept {
    events: Events,
    policy: Option<Arc<Policy>>,
}

impl Policies {
    pub(super) fn new(desk: &Desk) -> Self {
        Self(Mutex::new(Kept {
            events: desk.subscribe(),
            policy: None,
        }))
    }

    /// The policy of the register as it stands. May take a good part of a second: not on a thread that serves.
    pub(super) fn of(&self, desk: &Desk) -> (Arc<Policy>, Arc<Register>) {
        let mut kept = lock(&self.0);
        // The events of a write are sent before it is answered: whoever asks after it sees it.
        while let Some(event) = kept.events.try_next() {
            let changed = match event {
                Event::Done(outcome) => outcome
                    .touched
                    .iter()
                    .any(|t| matches!(t, Touched::Area(_) | Touched::Plan(_) | Touched::Defaults)),
                Event::Used(_) => false,
                Event::Everything => true,
            };
            if changed {
                kept.policy = None;
            }
        }
        let register = desk.register();
        let policy = kept
            .policy
            .get_or_insert_with(|| Arc::new(Policy::new(&register)));
        (Arc::clone(policy), register)
    }
}
