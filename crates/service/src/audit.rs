//! The audit log: an append-only chain of rows, each hashed with the one before it.
//!
//! A row's body is text, hashed as it stands: a store keeps the text, and what was hashed is what is read. The chain
//! shows any change of a row, a row left out, put in or moved. It cannot show that the last rows were cut off: for that,
//! [`verify`] compares with a head that was kept elsewhere.

use crate::life::Stamp;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A BLAKE3 hash, 32 bytes (O'Connor et al., "BLAKE3: one function, fast everywhere", 2020).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainHash(pub [u8; 32]);

/// One row, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Counted from 1.
    pub number: u64,
    /// An [`AuditEntry`] as JSON.
    pub body: String,
    /// Over the previous row's hash, the number and the body.
    pub hash: ChainHash,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Who, when, why.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// What: the action with its facts.
    pub what: Value,
}

/// The end of a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Rows so far.
    pub rows: u64,
    /// Hash of the last row; zeros before the first.
    pub hash: ChainHash,
}

/// Why a text is not the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the end of an audit log: expected ROWS:HASH with 64 hexadecimal digits")]
pub struct BadAuditHead(String);

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditBroken {
    /// Something before or in this row was changed: the first row that does not fit.
    #[error("row {number} of the audit log was changed, or the one before it was")]
    Changed {
        /// Its place, counted from 1.
        number: u64,
    },
    /// Rows are missing at the end, or more than expected.
    #[error(
        "the audit log ends after {found} rows with another hash than the expected end after {expected}"
    )]
    OtherEnd {
        /// Rows found.
        found: u64,
        /// Rows expected.
        expected: u64,
    },
}

impl AuditHead {
    /// The row that follows, and the end after it.
    pub fn append(self, entry: &AuditEntry) -> (AuditRow, Self) {
        let number = self.rows + 1;
        let body =
            serde_json::to_string(entry).expect("an entry's maps have texts as keys: it is JSON");
        let hash = hash(self.hash, number, &body);
        (AuditRow { number, body, hash }, Self { rows: number, hash })
    }

    /// The end after this row, which must be the next: [`verify`] for one row of a log too long to hold.
    ///
    /// # Errors
    /// [`AuditBroken::Changed`] if the row does not fit.
    pub fn follow(self, row: &AuditRow) -> Result<Self, AuditBroken> {
        let number = self.rows + 1;
        if row.number != number || row.hash != hash(self.hash, number, &row.body) {
            return Err(AuditBroken::Changed { number });
        }
        Ok(Self {
            rows: number,
            hash: row.hash,
        })
    }
}

/// As people note it: `ROWS:HASH`.
impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = blake3::Hash::from_bytes(self.hash.0);
        write!(f, "{}:{}", self.rows, hash.to_hex())
    }
}

impl FromStr for AuditHead {
    type Err = BadAuditHead;

    fn from_str(text: &str) -> Result<Self, BadAuditHead> {
        let parse = || {
            let (rows, hash) = text.split_once(':')?;
            let hash = blake3::Hash::from_hex(hash).ok()?;
            Some(Self {
                rows: rows.parse().ok()?,
                hash: ChainHash(*hash.as_bytes()),
            })
        };
        parse().ok_or_else(|| BadAuditHead(text.chars().take(100).collect()))
    }
}

/// Checks a whole chain from its first row, and that it ends where expected if that is given.
///
/// # Errors
/// The first row that does not fit.
pub fn verify<'a>(
    rows: impl IntoIterator<Item = &'a AuditRow>,
    expected: Option<AuditHead>,
) -> Result<AuditHead, AuditBroken> {
    let mut head = AuditHead::default();
    for row in rows {
        head = head.follow(row)?;
    }
    match expected.filter(|&e| e != head) {
        Some(e) => Err(AuditBroken::OtherEnd {
            found: head.rows,
            expected: e.rows,
        }),
        None => Ok(head),
    }
}

fn hash(previous: ChainHash, number: u64, body: &str) -> ChainHash {
    let mut hasher = blake3::Hasher::new_derive_key("skyweave 2026-11 audit row");
    hasher
        .update(&previous.0)
        .update(&number.to_le_bytes())
        .update(body.as_bytes());
    ChainHash(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use skyweave_base::Time;

    fn chain(n: u64) -> (Vec<AuditRow>, AuditHead) {
        let mut head = AuditHead::default();
        let mut rows = Vec::new();
        for i in 0..n {
            let stamp = Stamp {
                by: format!("user:{i}"),
                at: Time::from_nanos(i as i64),
                why: "test".into(),
            };
            let (row, next) = head.append(&AuditEntry {
                stamp,
                what: serde_json::json!({ "suspend": i }),
            });
            rows.push(row);
            head = next;
        }
        (rows, head)
    }

    #[test]
    fn a_whole_chain_verifies_and_reads_back() {
        let (rows, head) = chain(5);
        assert_eq!(verify(&rows, Some(head)), Ok(head));
        let entry: AuditEntry = serde_json::from_str(&rows[3].body).unwrap();
        assert_eq!(
            (entry.stamp.by.as_str(), &entry.what["suspend"]),
            ("user:3", &serde_json::json!(3))
        );
        assert_eq!(head.to_string().parse(), Ok(head));
        for bad in ["", "5", "5:", "5:00", "x:00", "é:é"] {
            assert!(bad.parse::<AuditHead>().is_err(), "{bad}");
        }
        let cut = verify(&rows[..4], Some(head)).unwrap_err();
        assert_eq!(
            cut,
            AuditBroken::OtherEnd {
                found: 4,
                expected: 5
            }
        );
    }

    proptest! {
        /// Any byte of any row: body, number or hash.
        #[test]
        fn any_changed_byte_is_found_at_its_row(n in 0_usize..8, at: prop::sample::Index, flip in 1_u8..128) {
            let (mut rows, _) = chain(8);
            let row = &mut rows[n];
            let mut bytes = row.body.clone().into_bytes();
            let place = at.index(bytes.len() + 8 + 32);
            if place < bytes.len() {
                bytes[place] ^= flip;
                row.body = String::from_utf8(bytes).unwrap();
            } else if place < bytes.len() + 8 {
                row.number ^= u64::from(flip) << (8 * (place - bytes.len()));
            } else {
                row.hash.0[place - bytes.len() - 8] ^= flip;
            }
            prop_assert_eq!(verify(&rows, None), Err(AuditBroken::Changed { number: n as u64 + 1 }));
        }

        #[test]
        fn a_row_left_out_or_moved_is_found(a in 0_usize..7, b in 0_usize..8) {
            let (mut rows, _) = chain(8);
            if a == b { rows.remove(a); } else { rows.swap(a, b); }
            prop_assert_eq!(verify(&rows, None), Err(AuditBroken::Changed { number: a.min(b) as u64 + 1 }));
        }
    }
}
