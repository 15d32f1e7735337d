//! OMM as `KEYWORD = value` lines; a message begins with `CCSDS_OMM_VERS`.

use super::{Record, entries};
use crate::elements::{Elements, ElementsError, Expected, quoted, without_bom};

const KEY_VALUE: Expected = Expected::new("KEYWORD = value, or COMMENT");
const VERSION: &str = "CCSDS_OMM_VERS";

pub(crate) fn parse(text: &str) -> Result<Vec<Elements>, ElementsError> {
    let mut out = Vec::new();
    let mut record = Record::default();
    for (i, line) in without_bom(text).lines().enumerate() {
        let number = i + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with("COMMENT") {
            continue;
        }
        let (keyword, value) = line.split_once('=').ok_or_else(|| ElementsError::Line {
            line: number,
            expected: KEY_VALUE,
            found: quoted(line),
        })?;
        let (keyword, value) = (keyword.trim(), value.trim());
        let begins =
            keyword == VERSION || (keyword == "OBJECT_NAME" && record.get(keyword).is_some());
        if record.fields.is_empty() {
            record.line = number;
        } else if begins {
            out.push(record.elements()?);
            record = Record::starting_at(number);
        }
        record.push(keyword, without_unit(keyword, value), number);
    }
    if !record.fields.is_empty() {
        out.push(record.elements()?);
    }
    Ok(out)
}

/// Values may carry a unit in brackets (502.0-B-3, 7.7.1); names keep theirs: `STARLINK [test]` is a name.
fn without_unit<'a>(keyword: &str, value: &'a str) -> &'a str {
    match value.rsplit_once('[') {
        Some((number, unit)) if unit.ends_with(']') && !keyword.starts_with("OBJECT_") => {
            number.trim_end()
        }
        _ => value,
    }
}

pub(crate) fn write(elements: &[Elements]) -> Result<String, ElementsError> {
    let mut out = String::new();
    for (i, e) in elements.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        out.push_str("CCSDS_OMM_VERS = 2.0\nORIGINATOR = skyweave\n");
        for entry in entries(e)? {
            out.push_str(&format!("{} = {}\n", entry.keyword, entry.value));
            if entry.keyword == "OBJECT_ID" {
                out.push_str(
                    "CENTER_NAME = EARTH\nREF_FRAME = TEME\nTIME_SYSTEM = UTC\nMEAN_ELEMENT_THEORY = SGP4\n",
                );
            }
        }
    }
    Ok(out)
}
