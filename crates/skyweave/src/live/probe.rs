//! What this machine and this user can do.

use std::fmt;

/// What is possible here, as this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether packets can flow, and as whom.
    pub packets: Result<Privilege, Vec<Missing>>,
    /// Whether they can leave for the host's network.
    pub uplink: Result<(), Vec<Missing>>,
}

/// With whose rights namespaces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Root, or the capabilities of root that matter.
    Root,
    /// An ordinary user, inside a user namespace.
    User,
}

/// Something that is missing, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What and why.
    pub what: String,
    /// What would help.
    pub remedy: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.remedy)
    }
}

/// Tries what a network needs, and leaves nothing behind.
pub fn probe() -> Capabilities {
    todo!()
}
