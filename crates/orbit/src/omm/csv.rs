//! OMM as CSV: a header line of keywords, then a line for each message.

use super::{Record, entries};
use crate::elements::{Elements, ElementsError, Format, without_bom};

pub(crate) fn parse(text: &str) -> Result<Vec<Elements>, ElementsError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(without_bom(text).as_bytes());
    let syntax = |e: csv::Error| ElementsError::Syntax {
        line: e.position().map_or(1, |p| p.line() as usize),
        format: Format::OmmCsv,
        reason: e.to_string(),
    };
    let heads = reader.headers().map_err(syntax)?.clone();
    let mut out = Vec::new();
    for row in reader.records() {
        let row = row.map_err(syntax)?;
        let line = row.position().map_or(1, |p| p.line() as usize);
        let mut record = Record::starting_at(line);
        for (keyword, value) in heads.iter().zip(&row) {
            record.push(keyword, value, line);
        }
        out.push(record.elements()?);
    }
    Ok(out)
}

pub(crate) fn write(elements: &[Elements]) -> Result<String, ElementsError> {
    let mut out = String::new();
    for (i, e) in elements.iter().enumerate() {
        let entries = entries(e)?;
        if i == 0 {
            push_row(&mut out, entries.iter().map(|entry| entry.keyword));
        }
        push_row(&mut out, entries.iter().map(|entry| &*entry.value));
    }
    Ok(out)
}

/// Quoted where RFC 4180 asks for it.
fn push_row<'a>(out: &mut String, values: impl Iterator<Item = &'a str>) {
    for (i, value) in values.enumerate() {
        if i > 0 {
            out.push(',');
        }
        if value.contains(['"', ',']) {
            out.push_str(&format!("\"{}\"", value.replace('"', "\"\"")));
        } else {
            out.push_str(value);
        }
    }
    out.push('\n');
}
