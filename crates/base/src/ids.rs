//! Identifiers as newtypes, so that a gateway number is never taken for a satellite number.

use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty)),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The id as an index into the list that defines it.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

ids! {
    /// Position of a gateway in the scenario's list of gateways.
    GatewayId(u32),
    /// Position of a point of presence in the scenario's list.
    PopId(u32),
    /// Position of a satellite in the constellation (not its catalogue number).
    SatId(u32),
    /// Position of a live terminal in the scenario's list.
    TerminalId(u32),
}

/// An H3 cell index (Uber H3, 64 bits). This crate does not interpret it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct CellId(pub u64);

impl fmt::Display for CellId {
    /// The usual spelling: lower-case hexadecimal without leading zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

macro_rules! display_number {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}
display_number!(GatewayId, PopId, SatId, TerminalId);
