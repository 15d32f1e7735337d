//! Terminals from CSV: all of them, or a list of every bad row.

use crate::ids::{BatchId, Market, PublicKey, UtId};
use crate::life::{State, Terminal};
use crate::register::Register;
use core::borrow::Borrow;
use core::fmt;
use std::collections::BTreeMap;

/// The columns, which the first line must name, in any order. `market` may be left out or empty: made, not yet sold.
pub const TERMINAL_COLUMNS: [&str; 5] = ["id", "key", "model", "batch", "market"];
/// The longest name of a model, characters.
const LONGEST_MODEL: usize = 64;

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file, counted from 1, where it begins.
    pub line: u64,
    /// Everything that is wrong with it.
    pub reasons: Vec<String>,
}

/// Nothing was imported, and why: every bad row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRows(pub Vec<BadRow>);

impl std::error::Error for BadRows {}

impl fmt::Display for BadRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing was imported, {} bad rows:", self.0.len())?;
        self.0
            .iter()
            .try_for_each(|row| write!(f, "\nline {}: {}", row.line, row.reasons.join("; ")))
    }
}

/// Reads terminals from CSV (RFC 4180) in UTF-8 with a header line.
///
/// # Errors
/// Every bad row with its line and all that is wrong with it, ids and keys that stand twice included.
pub fn parse_terminals(bytes: &[u8]) -> Result<Vec<Terminal>, BadRows> {
    parse(bytes, |_, _| ())
}

/// As [`parse_terminals`], for a register that they are to be added to: what it has already is bad, too. The register is asked for
/// row by row, so that nobody who changes it waits for a large file.
///
/// # Errors
/// Every bad row with its line and all that is wrong with it.
pub fn parse_new_terminals<R: Borrow<Register>>(
    bytes: &[u8],
    register: impl Fn() -> R,
) -> Result<Vec<Terminal>, BadRows> {
    parse(bytes, |terminal, reasons| {
        let register = register();
        let register = register.borrow();
        if register.terminals().contains_key(&terminal.id) {
            reasons.push(format!("terminal {} is there already", terminal.id));
        } else if let Some(other) = register.terminal_of_key(&terminal.key) {
            reasons.push(format!("terminal {other} has this key"));
        }
    })
}

fn parse(
    bytes: &[u8],
    check: impl Fn(&Terminal, &mut Vec<String>),
) -> Result<Vec<Terminal>, BadRows> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header = reader.headers().map_err(|e| whole(&e.to_string()))?.clone();
    let columns =
        Columns::find(&header).map_err(|reasons| BadRows(vec![BadRow { line: 1, reasons }]))?;
    let (mut terminals, mut bad) = (Vec::new(), Vec::new());
    let (mut ids, mut keys) = (BTreeMap::new(), BTreeMap::new());
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                bad.push(BadRow {
                    line,
                    reasons: vec![error.to_string()],
                });
                continue;
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        let mut reasons = Vec::new();
        let terminal = columns.read(&record, header.len(), &mut reasons);
        if let Some(t) = &terminal {
            for first in [ids.insert(t.id, line), keys.insert(t.key, line)]
                .into_iter()
                .flatten()
            {
                reasons.push(format!("the same id or key stands in line {first}"));
            }
            check(t, &mut reasons);
        }
        match terminal.filter(|_| reasons.is_empty()) {
            Some(terminal) => terminals.push(terminal),
            None => bad.push(BadRow { line, reasons }),
        }
    }
    if bad.is_empty() {
        Ok(terminals)
    } else {
        Err(BadRows(bad))
    }
}

fn whole(reason: &str) -> BadRows {
    BadRows(vec![BadRow {
        line: 1,
        reasons: vec![reason.to_owned()],
    }])
}

/// Where each column stands.
struct Columns([Option<usize>; 5]);

impl Columns {
    fn find(header: &csv::StringRecord) -> Result<Self, Vec<String>> {
        let mut reasons = Vec::new();
        for name in header
            .iter()
            .filter(|name| !TERMINAL_COLUMNS.contains(name))
        {
            reasons.push(format!(
                "unknown column `{}`",
                name.chars().take(40).collect::<String>()
            ));
        }
        let columns = TERMINAL_COLUMNS.map(|column| {
            let places: Vec<usize> = (0..header.len())
                .filter(|&n| &header[n] == column)
                .collect();
            match places[..] {
                [place] => Some(place),
                [] if column == "market" => None,
                _ => {
                    reasons.push(format!(
                        "expected one column `{column}`, found {}",
                        places.len()
                    ));
                    None
                }
            }
        });
        if reasons.is_empty() {
            Ok(Self(columns))
        } else {
            Err(reasons)
        }
    }

    /// The terminal of a row, or what is wrong with each of its fields.
    fn read(
        &self,
        record: &csv::StringRecord,
        width: usize,
        reasons: &mut Vec<String>,
    ) -> Option<Terminal> {
        if record.len() != width {
            reasons.push(format!("{} fields, expected {width}", record.len()));
            return None;
        }
        let field = |n: usize| self.0[n].and_then(|place| record.get(place)).unwrap_or("");
        let mut keep = |reason: String| reasons.push(reason);
        let id = field(0)
            .parse::<UtId>()
            .map_err(|e| keep(e.to_string()))
            .ok();
        let key = field(1)
            .parse::<PublicKey>()
            .map_err(|e| keep(e.to_string()))
            .ok();
        let model = field(2);
        if model.is_empty() || model.chars().count() > LONGEST_MODEL {
            keep(format!("a model has 1 to {LONGEST_MODEL} characters"));
        }
        let batch = field(3)
            .parse()
            .map(BatchId)
            .map_err(|_| keep("the batch is not a whole number".to_owned()))
            .ok();
        let state = match field(4) {
            "" => Some(State::Manufactured),
            market => {
                let market = market
                    .parse::<Market>()
                    .map_err(|e| keep(e.to_string()))
                    .ok();
                market.map(|market| State::Sold { market })
            }
        };
        Some(Terminal {
            id: id?,
            key: key?,
            model: model.to_owned(),
            batch: batch?,
            state: state?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(n: u32, market: &str) -> String {
        format!(
            "{},{},rev4,7,{market}\n",
            UtId::new([1, 0, n]),
            PublicKey([n as u8; 32])
        )
    }

    #[test]
    fn good_rows_become_terminals() {
        let text = format!("id,key,model,batch,market\n{}{}", row(1, "PL"), row(2, ""));
        let terminals = parse_terminals(text.as_bytes()).unwrap();
        assert_eq!(
            terminals[0].state,
            State::Sold {
                market: "PL".parse().unwrap()
            }
        );
        assert_eq!(terminals[1].state, State::Manufactured);
        let without = format!(
            "batch,key,model,id\n7,{},rev4,{}\r\n",
            PublicKey([3; 32]),
            UtId::new([1, 0, 3])
        );
        assert_eq!(
            parse_terminals(without.as_bytes()).unwrap()[0].id,
            UtId::new([1, 0, 3])
        );
    }

    #[test]
    fn every_bad_row_is_listed_with_its_line_and_nothing_is_taken() {
        let text = format!(
            "id,key,model,batch,market\n{}nonsense,zz,,x,Poland\n{}{}{},extra\n\"two\nlines\",1,2,3,4\n{}",
            row(1, "PL"),
            row(2, "PL"),
            row(1, "UA"),
            row(3, "PL").trim(),
            row(4, "ua"),
        );
        let bad = parse_terminals(text.as_bytes()).unwrap_err();
        let lines: Vec<(u64, usize)> = bad.0.iter().map(|b| (b.line, b.reasons.len())).collect();
        assert_eq!(lines, [(3, 5), (5, 2), (6, 1), (7, 3), (9, 1)], "{bad}");
        assert!(
            bad.to_string()
                .contains("line 5: the same id or key stands in line 2"),
            "{bad}"
        );
        for header in [
            "",
            "id,key\n",
            "id,id,key,model,batch\n",
            "id,key,model,batch,colour\n",
        ] {
            assert_eq!(
                parse_terminals(header.as_bytes()).unwrap_err().0[0].line,
                1,
                "{header}"
            );
        }
    }

    #[test]
    fn a_row_that_is_not_text_is_listed_and_the_next_is_read() {
        let mut bytes = format!("id,key,model,batch,market\n{}", row(1, "PL")).into_bytes();
        bytes.extend(b"\xff\xfe,1,2,3,4\n");
        bytes.extend(row(2, "pl").into_bytes());
        let bad = parse_terminals(&bytes).unwrap_err();
        assert_eq!(
            bad.0.iter().map(|b| b.line).collect::<Vec<_>>(),
            [3, 4],
            "{bad}"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), with_header: bool) {
            let mut text = if with_header { b"id,key,model,batch,market\n".to_vec() } else { Vec::new() };
            text.extend(bytes);
            if let Ok(terminals) = parse_terminals(&text) {
                prop_assert!(terminals.is_empty() || with_header);
            }
        }
    }
}
