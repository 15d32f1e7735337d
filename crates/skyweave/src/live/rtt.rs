//! Measuring round trips from behind a terminal.

use super::{LiveError, NamespaceHandle};
use serde::{Deserialize, Serialize};
use skyweave_base::{Span, Time};
use std::net::IpAddr;
use std::time::Duration;

/// One echo request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    /// When it was sent, in the network's time.
    pub sent: Time,
    /// How long the answer took; `None` if none came.
    pub round_trip: Option<Span>,
}

/// Sends ICMP echo requests from a terminal's namespace, one each `interval`, for as long as `go_on` says (it is asked before
/// each), waits up to a second for the last answers, and returns all of them in the order sent.
pub fn probe_rtt(
    namespace: &NamespaceHandle,
    target: IpAddr,
    interval: Duration,
    go_on: impl FnMut() -> bool,
) -> Result<Vec<Echo>, LiveError> {
    let _ = (namespace, target, interval, go_on);
    todo!()
}
