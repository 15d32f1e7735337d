//! The live network: packets of unmodified programs through terminals, satellites, a PoP and out to the host.
//!
//! [`Network::start`] makes one network namespace with a TUN device for each live terminal and one for the PoP, and a thread
//! that moves packets between them through [`skyweave_dataplane::Engine`]. [`enter`] runs a program behind a terminal;
//! [`Client`] finds a network that another process runs. Which way a packet takes, and when, is said by the tables given to
//! [`Network::install`]: nothing is decided here.
//!
//! Namespaces are anonymous. File descriptors of this process hold them and nothing else does, so however the process ends,
//! they end with it, and with them their devices, routes, addresses and address translation.
//! Linux only.

mod client;
mod clock;
mod control;
mod enter;
mod error;
mod listener;
mod namespace;
mod netlink;
mod network;
mod nft;
mod packets;
mod pages;
mod probe;
mod relay;
mod resolver;
mod rtt;
mod run_dir;
mod sys;
mod uplink;

pub use client::{Client, Events};
pub use clock::Clock;
pub use control::{Attachment, Controller};
pub use enter::enter;
pub use error::LiveError;
pub(crate) use listener::lock;
pub(crate) use namespace::open_inside;
pub use namespace::{DISH_ADDRESS, NamespaceHandle};
pub use network::{Addresses, MAX_TERMINALS, Network, NetworkConfig, TerminalConfig, TerminalInfo};
pub use packets::{LATE, Realtime, Stats};
pub use pages::Page;
pub use probe::{Capabilities, Missing, Privilege, probe};
pub use rtt::{Echo, probe_rtt};
pub(crate) use rtt::{EchoSocket, realtime_nanos};
pub(crate) use run_dir::file_name;
pub use uplink::{Uplink, UplinkChoice};
