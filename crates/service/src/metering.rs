//! Traffic of live terminals by calendar month, from counters that only grow: what data allowances are measured by.

use crate::ids::UtId;
use crate::register::Register;
use crate::things::UsageRecord;
use skyweave_base::{Span, TerminalId, Time, Utc};
use std::collections::BTreeMap;

/// A month that has begun goes on if it is this much earlier again: a host's clock was set back between two runs. A scenario that
/// plays its days again goes back farther, and begins anew.
const SET_BACK: Span = Span::from_secs(86_400);

/// What a live terminal's counters say: bytes since the network began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its number in the network.
    pub live: TerminalId,
    /// Who it is.
    pub terminal: UtId,
    /// Toward it.
    pub down_bytes: u64,
    /// From it.
    pub up_bytes: u64,
}

/// Traffic of live terminals in the current month.
#[derive(Debug, Default)]
pub struct Metering {
    /// Bytes down and up of each, as last counted.
    counted: BTreeMap<TerminalId, (u64, u64)>,
    month: BTreeMap<UtId, UsageRecord>,
    changed: bool,
}

impl Metering {
    /// Takes over counters at `t`. A month that the register knows of goes on from there.
    pub fn count(
        &mut self,
        register: &Register,
        counters: impl IntoIterator<Item = Counted>,
        t: Time,
    ) {
        let period_start = month_of(t);
        for now in counters {
            let bytes = (now.down_bytes, now.up_bytes);
            let before = self.counted.insert(now.live, bytes).unwrap_or((0, 0));
            let (down, up) = (
                bytes.0.saturating_sub(before.0),
                bytes.1.saturating_sub(before.1),
            );
            if (down, up) == (0, 0) {
                continue;
            }
            let empty = UsageRecord {
                terminal: now.terminal,
                period_start,
                down_bytes: 0,
                up_bytes: 0,
            };
            let begin = || {
                register
                    .usage()
                    .get(&now.terminal)
                    .copied()
                    .unwrap_or(empty)
            };
            let record = self.month.entry(now.terminal).or_insert_with(begin);
            let set_back = Span::ZERO..SET_BACK;
            if record.period_start != period_start && !set_back.contains(&(record.period_start - t))
            {
                *record = empty;
            }
            record.down_bytes = record.down_bytes.saturating_add(down);
            record.up_bytes = record.up_bytes.saturating_add(up);
            self.changed = true;
        }
    }

    /// The records of the month of terminals that the register knows, if any has changed since the last call.
    pub fn take_changed(&mut self, register: &Register) -> Option<Vec<UsageRecord>> {
        if !core::mem::take(&mut self.changed) {
            return None;
        }
        let known = |record: &&UsageRecord| register.terminals().contains_key(&record.terminal);
        Some(self.month.values().filter(known).copied().collect())
    }
}

/// The first instant of a time's month, UTC.
fn month_of(t: Time) -> Time {
    let utc = Utc::from(t);
    let (year, month, _) = utc.date();
    i32::try_from(year)
        .ok()
        .and_then(|year| Utc::from_date(year, month, 1, 0))
        .map_or(t, Time::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::ids::{BatchId, PublicKey};
    use crate::life::{Stamp, State, Terminal};
    use crate::register::{Action, Command};

    fn time(text: &str) -> Time {
        Time::from(text.parse::<Utc>().unwrap())
    }

    #[test]
    fn a_period_is_a_month_of_utc() {
        assert_eq!(
            month_of(time("2026-05-21T13:14:15Z")),
            time("2026-05-01T00:00:00Z")
        );
        assert_eq!(
            month_of(time("2024-12-31T23:59:59Z")),
            time("2024-12-01T00:00:00Z")
        );
    }

    #[test]
    fn a_month_adds_up_what_counters_grew_by_and_the_next_begins_anew() {
        let (register, mut metering) = (Register::default(), Metering::default());
        let mut count = |down_bytes, up_bytes, at| {
            let counted = Counted {
                live: TerminalId(1),
                terminal: UtId::new([1, 2, 3]),
                down_bytes,
                up_bytes,
            };
            metering.count(&register, [counted], time(at));
            let record = metering.month.values().next().copied();
            (record, core::mem::take(&mut metering.changed))
        };
        let bytes = |of: (Option<UsageRecord>, bool)| {
            let record = of.0.unwrap();
            (record.down_bytes, record.up_bytes, of.1)
        };
        assert_eq!(count(0, 0, "2026-05-31T23:59:00Z"), (None, false));
        assert_eq!(bytes(count(10, 1, "2026-05-31T23:59:20Z")), (10, 1, true));
        assert_eq!(bytes(count(10, 1, "2026-05-31T23:59:40Z")), (10, 1, false));
        assert_eq!(bytes(count(30, 2, "2026-05-31T23:59:59Z")), (30, 2, true));
        assert_eq!(bytes(count(35, 2, "2026-06-01T00:00:01Z")), (5, 0, true));
        // The clock is set back an hour, and forward: nothing that was counted is lost or counted twice.
        assert_eq!(bytes(count(37, 2, "2026-05-31T23:00:01Z")), (7, 0, true));
        assert_eq!(bytes(count(38, 3, "2026-06-01T00:00:02Z")), (8, 1, true));
        // The days are played again.
        assert_eq!(bytes(count(40, 3, "2026-05-21T00:00:00Z")), (2, 0, true));
    }

    #[test]
    fn a_run_on_a_clock_that_was_set_back_over_the_months_end_goes_on_where_the_last_one_was() {
        let id = UtId::new([1, 2, 3]);
        let terminal = Terminal {
            id,
            key: PublicKey([1; 32]),
            model: "rev4".into(),
            batch: BatchId(1),
            state: State::Manufactured,
        };
        let mut register = Register::default();
        let stamp = Stamp {
            by: "user:1".into(),
            at: time("2026-06-01T00:30:00Z"),
            why: "test".into(),
        };
        let action = Action::AddTerminals(vec![terminal]);
        register.apply(&Command { stamp, action }).unwrap();
        let june = UsageRecord {
            terminal: id,
            period_start: time("2026-06-01T00:00:00Z"),
            down_bytes: 100,
            up_bytes: 10,
        };
        register.record_usage(june).unwrap();
        let mut metering = Metering::default();
        let counted = Counted {
            live: TerminalId(1),
            terminal: id,
            down_bytes: 5,
            up_bytes: 1,
        };
        metering.count(&register, [counted], time("2026-05-31T23:30:00Z"));
        let record = metering.take_changed(&register).unwrap()[0];
        assert_eq!(
            (record.period_start, record.down_bytes, record.up_bytes),
            (june.period_start, 105, 11)
        );
    }
}
