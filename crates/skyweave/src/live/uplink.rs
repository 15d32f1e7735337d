//! The way out of the PoP to the host's network.

use super::Missing;

/// How packets should leave for the host's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UplinkChoice {
    /// As root the kernel's NAT, else pasta.
    #[default]
    Auto,
    /// Through pasta also as root: changes nothing on the host.
    Pasta,
    /// Not at all: terminals reach the PoP and each other.
    None,
}

/// How packets leave for the host's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uplink {
    /// Through a veth pair, forwarded and translated by the host's kernel.
    Kernel {
        /// The device's name on the host.
        device: String,
    },
    /// Through pasta.
    Pasta,
    /// Not at all: by choice (empty), or for these reasons.
    None(Vec<Missing>),
}
