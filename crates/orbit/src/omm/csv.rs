//! OMM as CSV: a header line of keywords, then a line for each message.

use super::{LineCounter, Record, entries};
use crate::elements::{Elements, ElementsError, Format, without_bom};

pub(crate) fn parse(text: &str) -> Result<Vec<Elements>, ElementsError> {
    let text = without_bom(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut lines = LineCounter::new(text);
    // The reader may give a row's place as that of the line feed before it.
    let mut line_of = |place: Option<&csv::Position>| {
        let start = place
            .map_or(0, |place| place.byte() as usize)
            .min(text.len());
        let breaks = text.as_bytes()[start..]
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        lines.line_of(start + breaks)
    };
    let syntax = |error: &csv::Error, line| ElementsError::Syntax {
        line,
        format: Format::OmmCsv,
        reason: error.to_string(),
    };
    let heads = reader.headers().map_err(|e| syntax(&e, 1))?.clone();
    let mut out = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| syntax(&e, line_of(e.position())))?;
        let line = line_of(row.position());
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
