//! The one clock: simulated time is the monotonic clock plus an offset that stays.

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use skyweave_base::{Span, Time, Utc};

/// Maps the machine's monotonic clock to the network's time. The monotonic clock is one for all processes of a machine, so a
/// clock that is handed to another process tells the same time there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Clock {
    offset: Span,
}

impl Clock {
    /// A clock that shows `start` now.
    pub fn starting_at(start: Time) -> Self {
        Self {
            offset: start - Time::from_nanos(monotonic_nanos()),
        }
    }

    /// A clock that follows the wall clock as it stands now. A later step of the wall clock does not move it.
    pub fn wall() -> Self {
        let now = clock_gettime(ClockId::Realtime);
        Self::starting_at(Utc::from_unix_nanos(now.tv_sec * 1_000_000_000 + now.tv_nsec).into())
    }

    /// The network's time.
    pub fn now(&self) -> Time {
        Time::from_nanos(monotonic_nanos()) + self.offset
    }
}

/// Nanoseconds of the monotonic clock.
fn monotonic_nanos() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
