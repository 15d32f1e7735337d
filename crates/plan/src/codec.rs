//! A plan as bytes, and its hash.
//!
//! The file is one CBOR map (RFC 8949) that names what it holds, with each list as columns; `docs/plan-format.md` describes it.
//! The hash is BLAKE3 over an encoding of its own, described there too, so that it does not depend on the file format.
//! Reading takes any bytes: it allocates no more than a small multiple of their length and never panics.

use crate::{
    Access, CellOutcome, FeederLink, Landing, LaserLoad, Plan, Reason, Service, Slot,
    TerminalOutcome,
};
use serde::{Deserialize, Serialize};
use skyweave_base::{CellId, EpochNumber, GatewayId, PopId, SatId, TerminalId, Time};

const FORMAT: &str = "skyweave-plan";
const VERSION: u64 = 2;

/// Why bytes are not a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanReadError {
    /// Another kind of file.
    #[error("not a plan: it is not a CBOR map with `format` = \"skyweave-plan\"")]
    NotAPlan,
    /// A later format, or none at all.
    #[error("plan format version {found} cannot be read; this program reads version {VERSION}")]
    Version {
        /// The version found.
        found: u64,
    },
    /// The map does not hold what it should.
    #[error("damaged plan{}: {reason}", .offset.map_or_else(String::new, |o| format!(" at byte {o}")))]
    Malformed {
        /// Where, if known.
        offset: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// Columns of one list differ in length.
    #[error(
        "damaged plan: column `{table}.{column}` has {found} rows, its first column {expected}"
    )]
    Columns {
        /// The list.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Its length.
        found: usize,
        /// Length of the first column.
        expected: usize,
    },
    /// The contents are not those that were written.
    #[error("damaged plan: its contents hash to {found}, but it says {stated}")]
    Hash {
        /// The hash in the file.
        stated: String,
        /// The hash of what was read.
        found: String,
    },
    /// More bytes follow the plan.
    #[error("{bytes} bytes follow the plan")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

impl Plan {
    /// The plan as bytes: one CBOR map. Equal plans give equal bytes.
    pub fn to_cbor(&self) -> Vec<u8> {
        let document = Document {
            format: FORMAT.into(),
            version: VERSION,
            hash: self.hash(),
            starts_utc: self.start.to_string(),
            epoch: self.epoch,
            start_tai_ns: self.start,
            end_tai_ns: self.end,
            satellites_in_service: self.satellites_in_service,
            moved_terminals: self.moved_terminals,
            cells: Cells::from_rows(&self.cells),
            slots: Slots::from_rows(&self.slots),
            landings: Landings::from_rows(&self.landings),
            feeders: Feeders::from_rows(&self.feeders),
            lasers: Lasers::from_rows(&self.lasers),
            terminals: Terminals::from_outcomes(&self.terminals),
        };
        let mut bytes = Vec::new();
        ciborium::into_writer(&document, &mut bytes)
            .expect("a vector takes every byte, and all of a plan has a CBOR form");
        bytes
    }

    /// Reads what [`Self::to_cbor`] wrote, from bytes that may come from anywhere. The hash is checked; the rules of the
    /// network are not (that is what [`crate::check`] is for).
    pub fn from_cbor(mut bytes: &[u8]) -> Result<Self, PlanReadError> {
        let whole = bytes;
        let document: Document =
            ciborium::from_reader(&mut bytes).map_err(|error| diagnose(whole, error))?;
        if document.format != FORMAT {
            return Err(PlanReadError::NotAPlan);
        }
        if document.version != VERSION {
            return Err(PlanReadError::Version {
                found: document.version,
            });
        }
        if !bytes.is_empty() {
            return Err(PlanReadError::Trailing { bytes: bytes.len() });
        }
        let plan = Self {
            epoch: document.epoch,
            start: document.start_tai_ns,
            end: document.end_tai_ns,
            satellites_in_service: document.satellites_in_service,
            cells: document.cells.into_rows()?,
            slots: document.slots.into_rows()?,
            landings: document.landings.into_rows()?,
            feeders: document.feeders.into_rows()?,
            lasers: document.lasers.into_rows()?,
            terminals: document.terminals.into_outcomes()?,
            moved_terminals: document.moved_terminals,
        };
        let found = plan.hash();
        if found != document.hash {
            return Err(PlanReadError::Hash {
                stated: document.hash,
                found,
            });
        }
        Ok(plan)
    }

    /// BLAKE3 over the canonical encoding of the plan (`docs/plan-format.md`), 64 hexadecimal digits. Equal plans have equal hashes
    /// on every machine and in every version of this program that keeps the encoding.
    pub fn hash(&self) -> String {
        let mut c = Canonical(Vec::with_capacity(
            64 + 40 * (self.cells.len() + self.slots.len()),
        ));
        c.0.extend_from_slice(b"skyweave-plan/1\n");
        c.u64(self.epoch.0 as u64);
        c.u64(self.start.nanos() as u64);
        c.u64(self.end.nanos() as u64);
        c.u32(self.satellites_in_service);
        c.u64(self.moved_terminals);
        c.list(&self.cells, |c, cell| {
            c.u64(cell.cell.0);
            c.u32(cell.terminals);
            c.u64(cell.demand_kbps);
            c.u64(cell.delivered_kbps);
            c.u8(cell.unserved.map_or(0, reason_code));
        });
        c.list(&self.slots, |c, slot| {
            c.u64(slot.cell.0);
            c.u32(slot.satellite.0);
            c.u8(slot.channel);
            c.u8(slot.beam);
            c.u8(slot.slices);
            c.u32(slot.terminals);
            c.u32(slot.radio_kbps);
            c.u32(slot.radio_up_kbps);
            c.u32(slot.delivered_kbps);
            c.u32(slot.landing);
        });
        c.list(&self.landings, |c, landing| {
            c.list(&landing.path, |c, satellite| c.u32(satellite.0));
            c.u32(landing.gateway.0);
            c.u64(landing.kbps);
        });
        c.list(&self.feeders, |c, feeder| {
            c.u32(feeder.gateway.0);
            c.u32(feeder.satellite.0);
            c.u64(feeder.kbps);
        });
        c.list(&self.lasers, |c, laser| {
            c.u32(laser.from.0);
            c.u32(laser.to.0);
            c.u64(laser.kbps);
        });
        c.list(&self.terminals, |c, terminal| {
            c.u32(terminal.terminal.0);
            c.u64(terminal.cell.0);
            match terminal.service {
                Err(reason) => c.u8(reason_code(reason)),
                Ok(service) => {
                    c.u8(access_code(service.access));
                    c.u32(service.slot);
                    c.u32(service.down_kbps);
                    c.u32(service.up_kbps);
                    c.u32(service.pop.0);
                }
            }
        });
        blake3::hash(&c.0).to_hex().to_string()
    }
}

/// Numbers of the reasons in the canonical encoding; 0 is "served". Never to be changed or used again for another.
fn reason_code(reason: Reason) -> u8 {
    match reason {
        Reason::NoSatelliteInReach => 1,
        Reason::GsoExclusion => 2,
        Reason::NoGatewayPath => 3,
        Reason::NoFreeSlot => 4,
        Reason::ChannelConflict => 5,
        Reason::BackhaulFull => 6,
        Reason::NoCell => 7,
        Reason::Faded => 8,
        Reason::Forbidden => 9,
    }
}

/// Their continuation for terminals that are served.
fn access_code(access: Access) -> u8 {
    match access {
        // The planner gives no such service, and the checker finds it.
        Access::None => 66,
        Access::AccountPage => 65,
        Access::Limited => 64,
        Access::Full => 0,
    }
}

/// Integers in little-endian order, lists with their length before them.
struct Canonical(Vec<u8>);

impl Canonical {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn list<T>(&mut self, list: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.u64(list.len() as u64);
        for entry in list {
            item(self, entry);
        }
    }
}

/// What the file holds, in this order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u64,
    hash: String,
    /// For people and other programs; `start_tai_ns` counts.
    starts_utc: String,
    epoch: EpochNumber,
    start_tai_ns: Time,
    end_tai_ns: Time,
    satellites_in_service: u32,
    moved_terminals: u64,
    cells: Cells,
    slots: Slots,
    landings: Landings,
    feeders: Feeders,
    lasers: Lasers,
    terminals: Terminals,
}

/// A list of records as one column for each field.
macro_rules! columns {
    ($columns:ident($table:literal) of $row:ident { $first:ident: $first_type:ty, $($field:ident: $type:ty),+ $(,)? }) => {
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $columns {
            $first: Vec<$first_type>,
            $($field: Vec<$type>,)+
        }

        impl $columns {
            fn from_rows(rows: &[$row]) -> Self {
                Self {
                    $first: rows.iter().map(|row| row.$first.clone()).collect(),
                    $($field: rows.iter().map(|row| row.$field.clone()).collect(),)+
                }
            }

            fn into_rows(self) -> Result<Vec<$row>, PlanReadError> {
                $(same_length($table, stringify!($field), self.$field.len(), self.$first.len())?;)+
                $(let mut $field = self.$field.into_iter();)+
                Ok(self.$first.into_iter().map(|$first| $row {
                    $first,
                    $($field: $field.next().expect("all columns are as long as the first"),)+
                }).collect())
            }
        }
    };
}

columns!(Cells("cells") of CellOutcome {
    cell: CellId, terminals: u32, demand_kbps: u64, delivered_kbps: u64, unserved: Option<Reason>,
});
columns!(Slots("slots") of Slot {
    cell: CellId, satellite: SatId, channel: u8, beam: u8, slices: u8, terminals: u32,
    radio_kbps: u32, radio_up_kbps: u32, delivered_kbps: u32, landing: u32,
});
columns!(Landings("landings") of Landing { path: Vec<SatId>, gateway: GatewayId, kbps: u64 });
columns!(Feeders("feeders") of FeederLink { gateway: GatewayId, satellite: SatId, kbps: u64 });
columns!(Lasers("lasers") of LaserLoad { from: SatId, to: SatId, kbps: u64 });
columns!(Terminals("terminals") of TerminalRow {
    terminal: TerminalId, cell: CellId, unserved: Option<Reason>,
    slot: Option<u32>, down_kbps: Option<u32>, up_kbps: Option<u32>, pop: Option<PopId>, access: Option<Access>,
});

/// A live terminal: either `unserved`, or the five others.
struct TerminalRow {
    terminal: TerminalId,
    cell: CellId,
    unserved: Option<Reason>,
    slot: Option<u32>,
    down_kbps: Option<u32>,
    up_kbps: Option<u32>,
    pop: Option<PopId>,
    access: Option<Access>,
}

impl Terminals {
    fn from_outcomes(outcomes: &[TerminalOutcome]) -> Self {
        let row = |outcome: &TerminalOutcome| {
            let service = outcome.service.ok();
            TerminalRow {
                terminal: outcome.terminal,
                cell: outcome.cell,
                unserved: outcome.service.err(),
                slot: service.map(|s| s.slot),
                down_kbps: service.map(|s| s.down_kbps),
                up_kbps: service.map(|s| s.up_kbps),
                pop: service.map(|s| s.pop),
                access: service.map(|s| s.access),
            }
        };
        Self::from_rows(&outcomes.iter().map(row).collect::<Vec<_>>())
    }

    fn into_outcomes(self) -> Result<Vec<TerminalOutcome>, PlanReadError> {
        let outcome = |row: TerminalRow| {
            let rates = row.down_kbps.zip(row.up_kbps);
            let service = match (row.unserved, row.slot, rates, row.pop, row.access) {
                (Some(reason), None, None, None, None) => Err(reason),
                (None, Some(slot), Some((down_kbps, up_kbps)), Some(pop), Some(access)) => {
                    Ok(Service {
                        slot,
                        down_kbps,
                        up_kbps,
                        pop,
                        access,
                    })
                }
                _ => {
                    let reason =
                        format!("terminal {} is neither served nor unserved", row.terminal);
                    return Err(PlanReadError::Malformed {
                        offset: None,
                        reason,
                    });
                }
            };
            Ok(TerminalOutcome {
                terminal: row.terminal,
                cell: row.cell,
                service,
            })
        };
        self.into_rows()?.into_iter().map(outcome).collect()
    }
}

fn same_length(
    table: &'static str,
    column: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), PlanReadError> {
    if found == expected {
        Ok(())
    } else {
        Err(PlanReadError::Columns {
            table,
            column,
            found,
            expected,
        })
    }
}

/// The most telling error for bytes that could not be read: another kind of file and another version come first.
fn diagnose(bytes: &[u8], error: ciborium::de::Error<std::io::Error>) -> PlanReadError {
    #[derive(Deserialize)]
    struct Header {
        format: String,
        version: Option<u64>,
    }
    match ciborium::from_reader::<Header, _>(bytes) {
        Ok(header) if header.format != FORMAT => return PlanReadError::NotAPlan,
        Ok(Header {
            version: Some(found),
            ..
        }) if found != VERSION => return PlanReadError::Version { found },
        // A truncated file has no readable header either; its beginning tells what it was.
        Err(_) if !starts_like_a_plan(bytes) => return PlanReadError::NotAPlan,
        _ => {}
    }
    let (offset, reason) = match error {
        ciborium::de::Error::Io(_) => (Some(bytes.len()), "it ends too early".to_owned()),
        ciborium::de::Error::Syntax(offset) => (Some(offset), "not CBOR".to_owned()),
        ciborium::de::Error::Semantic(offset, reason) => (offset, reason),
        ciborium::de::Error::RecursionLimitExceeded => (None, "nested too deeply".to_owned()),
    };
    PlanReadError::Malformed { offset, reason }
}

/// Whether the first entry of a CBOR map (15 pairs at most, as written here) is `format: "skyweave-plan"`.
fn starts_like_a_plan(bytes: &[u8]) -> bool {
    let mut start = vec![0x66];
    start.extend_from_slice(b"format\x6d");
    start.extend_from_slice(FORMAT.as_bytes());
    bytes.first().is_some_and(|major| major >> 5 == 5)
        && bytes.get(1..).is_some_and(|rest| rest.starts_with(&start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn reason() -> impl Strategy<Value = Reason> {
        prop_oneof![
            Just(Reason::NoSatelliteInReach),
            Just(Reason::GsoExclusion),
            Just(Reason::NoGatewayPath),
            Just(Reason::NoFreeSlot),
            Just(Reason::ChannelConflict),
            Just(Reason::BackhaulFull),
            Just(Reason::NoCell),
            Just(Reason::Faded),
            Just(Reason::Forbidden),
        ]
    }

    fn access() -> impl Strategy<Value = Access> {
        prop_oneof![
            Just(Access::None),
            Just(Access::AccountPage),
            Just(Access::Limited),
            Just(Access::Full),
        ]
    }

    prop_compose! {
        fn cell()(cell: u64, terminals: u32, demand_kbps: u64, delivered_kbps: u64, unserved in option::of(reason())) -> CellOutcome {
            CellOutcome { cell: CellId(cell), terminals, demand_kbps, delivered_kbps, unserved }
        }
    }

    prop_compose! {
        fn slot()(cell: u64, satellite: u32, (channel, beam, slices) in any::<(u8, u8, u8)>(), terminals: u32, radio_kbps: u32,
            radio_up_kbps: u32, delivered_kbps: u32, landing: u32) -> Slot {
            Slot { cell: CellId(cell), satellite: SatId(satellite), channel, beam, slices, terminals, radio_kbps,
                radio_up_kbps, delivered_kbps, landing }
        }
    }

    prop_compose! {
        fn terminal()(terminal: u32, cell: u64, slot: u32, down_kbps: u32, up_kbps: u32, pop: u32, access in access(),
            failed in option::of(reason()))
            -> TerminalOutcome {
            let service = match failed {
                Some(reason) => Err(reason),
                None => Ok(Service { slot, down_kbps, up_kbps, pop: PopId(pop), access }),
            };
            TerminalOutcome { terminal: TerminalId(terminal), cell: CellId(cell), service }
        }
    }

    prop_compose! {
        fn plan()(
            epoch in -1_000_000_000_i64..1_000_000_000, satellites_in_service: u32, moved_terminals: u64,
            cells in vec(cell(), 0..5), slots in vec(slot(), 0..5), terminals in vec(terminal(), 0..5),
            landings in vec((vec(any::<u32>(), 0..4), any::<u32>(), any::<u64>()), 0..4),
            feeders in vec(any::<(u32, u32, u64)>(), 0..4), lasers in vec(any::<(u32, u32, u64)>(), 0..4),
        ) -> Plan {
            let epoch = EpochNumber(epoch / 15);
            Plan {
                epoch, start: epoch.start(), end: epoch.end(), satellites_in_service, cells, slots,
                landings: landings.into_iter().map(|(path, gateway, kbps)| Landing {
                    path: path.into_iter().map(SatId).collect(), gateway: GatewayId(gateway), kbps,
                }).collect(),
                feeders: feeders.into_iter().map(|(gateway, satellite, kbps)| FeederLink {
                    gateway: GatewayId(gateway), satellite: SatId(satellite), kbps,
                }).collect(),
                lasers: lasers.into_iter().map(|(from, to, kbps)| LaserLoad { from: SatId(from), to: SatId(to), kbps }).collect(),
                terminals, moved_terminals,
            }
        }
    }

    fn small() -> Plan {
        let epoch = EpochNumber(118_621_440);
        Plan {
            epoch,
            start: epoch.start(),
            end: epoch.end(),
            satellites_in_service: 2,
            cells: vec![CellOutcome {
                cell: CellId(0x0851_1aa6_ffff_ffff),
                terminals: 3,
                demand_kbps: 300_000,
                delivered_kbps: 0,
                unserved: Some(Reason::BackhaulFull),
            }],
            slots: Vec::new(),
            landings: Vec::new(),
            feeders: Vec::new(),
            lasers: Vec::new(),
            terminals: Vec::new(),
            moved_terminals: 0,
        }
    }

    proptest! {
        #[test]
        fn plans_round_trip(plan in plan()) {
            let bytes = plan.to_cbor();
            let back = Plan::from_cbor(&bytes).unwrap();
            prop_assert_eq!(&back, &plan);
            prop_assert_eq!(back.to_cbor(), bytes);
        }

        #[test]
        fn different_plans_have_different_hashes(a in plan(), b in plan()) {
            prop_assert_eq!(a.hash() == b.hash(), a == b);
        }

        #[test]
        fn any_damage_is_an_error_and_never_a_panic(plan in plan(), at: prop::sample::Index, flip in 1_u8.., cut: prop::sample::Index) {
            let mut bytes = plan.to_cbor();
            let shorter = &bytes[..cut.index(bytes.len())];
            prop_assert!(Plan::from_cbor(shorter).is_err());
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            // A changed byte is found by the hash, except in the text for people.
            if let Ok(back) = Plan::from_cbor(&bytes) {
                prop_assert_eq!(back, plan);
            }
        }

        #[test]
        fn any_bytes_are_refused(bytes in vec(any::<u8>(), 0..200)) {
            prop_assert!(Plan::from_cbor(&bytes).is_err());
        }
    }

    /// Computed with another program from the description in `docs/plan-format.md`. Changes only with its version.
    #[test]
    fn the_hash_of_a_known_plan() {
        assert_eq!(
            small().hash(),
            "5a8a23aa7631d772fd648f004293c4a53209aff66b64aa5222a68d8c3c090871"
        );
    }

    #[test]
    fn errors_say_what_the_file_is() {
        let bytes = small().to_cbor();
        assert_eq!(Plan::from_cbor(b"{}"), Err(PlanReadError::NotAPlan));
        assert_eq!(Plan::from_cbor(b""), Err(PlanReadError::NotAPlan));
        let replaced = |from: &[u8], to: &[u8]| {
            let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
            [&bytes[..at], to, &bytes[at + from.len()..]].concat()
        };
        let other = replaced(b"skyweave-plan", b"skyweave-plum");
        assert_eq!(Plan::from_cbor(&other), Err(PlanReadError::NotAPlan));
        let newer = replaced(b"version\x02", b"version\x03");
        assert_eq!(
            Plan::from_cbor(&newer),
            Err(PlanReadError::Version { found: 3 })
        );
        let mut longer = bytes.clone();
        longer.extend_from_slice(b"more");
        assert_eq!(
            Plan::from_cbor(&longer),
            Err(PlanReadError::Trailing { bytes: 4 })
        );
        let half = Plan::from_cbor(&bytes[..bytes.len() / 2]).unwrap_err();
        assert_eq!(
            half.to_string(),
            format!(
                "damaged plan at byte {}: it ends too early",
                bytes.len() / 2
            )
        );
        let more_terminals = replaced(b"terminals\x81\x03", b"terminals\x81\x04");
        assert!(matches!(
            Plan::from_cbor(&more_terminals),
            Err(PlanReadError::Hash { .. })
        ));
        let longer_column = replaced(b"terminals\x81\x03", b"terminals\x82\x03\x03");
        let error = Plan::from_cbor(&longer_column).unwrap_err();
        assert_eq!(
            error.to_string(),
            "damaged plan: column `cells.terminals` has 2 rows, its first column 1"
        );
    }
}
