//! The 15-second epochs of the scheduler.

use crate::{Span, Time, Utc};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Number of a 15-second epoch. Epochs begin at second :12, :27, :42 and :57 of each UTC minute, everywhere at once
/// (Tanveer et al., CoNEXT'23 Companion, arXiv 2307.00402); number 0 begins at 1970-01-01T00:00:12Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EpochNumber(pub i64);

impl EpochNumber {
    /// Length of an epoch.
    pub const LENGTH: Span = Span::from_secs(15);
    const PHASE_S: i64 = 12;

    /// The epoch that contains `t`.
    pub fn containing(t: Time) -> Self {
        let unix_s = Utc::from(t).unix_nanos().div_euclid(1_000_000_000);
        Self((unix_s - Self::PHASE_S).div_euclid(15))
    }

    /// First instant of the epoch.
    pub fn start(self) -> Time {
        Utc::from_unix_seconds(self.0 * 15 + Self::PHASE_S).into()
    }

    /// First instant after the epoch: epochs are `[start, end)`.
    pub fn end(self) -> Time {
        self.next().start()
    }

    /// The epoch that follows.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for EpochNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_begin_at_12_27_42_57() {
        for (inside, start) in [
            ("2026-05-21T00:00:11.999999999Z", "2026-05-20T23:59:57Z"),
            ("2026-05-21T00:00:12Z", "2026-05-21T00:00:12Z"),
            ("2026-05-21T00:00:26.5Z", "2026-05-21T00:00:12Z"),
            ("2026-05-21T00:00:42Z", "2026-05-21T00:00:42Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:59:57Z"),
        ] {
            let inside: Utc = inside.parse().unwrap();
            let epoch = EpochNumber::containing(inside.into());
            assert_eq!(epoch.start(), start.parse::<Utc>().unwrap().into());
            assert!(epoch.start() <= inside.into() && Time::from(inside) < epoch.end());
        }
    }
}
