//! OMM as JSON: an array of objects, or one object. Values may be numbers or strings (CelesTrak writes numbers,
//! Space-Track strings).

use super::{LineCounter, Record, entries};
use crate::elements::{Elements, ElementsError, Format, without_bom};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

pub(crate) fn parse(text: &str) -> Result<Vec<Elements>, ElementsError> {
    let text = without_bom(text);
    let syntax = |e: serde_json::Error, line: usize| ElementsError::Syntax {
        // Positions inside an object count from its beginning.
        line: line + e.line().saturating_sub(1),
        format: Format::OmmJson,
        reason: e.to_string(),
    };
    let is_one = text.trim_start().starts_with('{');
    let objects: Vec<&RawValue> = if is_one {
        vec![serde_json::from_str(text).map_err(|e| syntax(e, 1))?]
    } else if text.trim().is_empty() {
        Vec::new()
    } else {
        serde_json::from_str(text).map_err(|e| syntax(e, 1))?
    };
    // A raw value borrows from the text, so its address tells where it stands.
    let position =
        |value: &RawValue| (value.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let mut lines = LineCounter::new(text);
    let mut out = Vec::with_capacity(objects.len());
    for object in objects {
        let line = lines.line_of(position(object));
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_str(object.get()).map_err(|e| syntax(e, line))?;
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.sort_by_key(|(_, value)| position(value));
        let mut record = Record::starting_at(line);
        for (keyword, value) in fields {
            let line = lines.line_of(position(value));
            match value.get() {
                "null" => {}
                string if string.starts_with('"') => {
                    let string: String =
                        serde_json::from_str(string).map_err(|e| syntax(e, line))?;
                    record.push(keyword, string, line);
                }
                other => record.push(keyword, other, line),
            }
        }
        out.push(record.elements()?);
    }
    Ok(out)
}

pub(crate) fn write(elements: &[Elements]) -> Result<String, ElementsError> {
    let mut out = String::from("[");
    for (i, e) in elements.iter().enumerate() {
        out.push_str(if i == 0 { "\n{" } else { ",\n{" });
        for (j, entry) in entries(e)?.iter().enumerate() {
            if j > 0 {
                out.push(',');
            }
            let value = if entry.is_number {
                entry.value.clone()
            } else {
                serde_json::Value::from(&*entry.value).to_string()
            };
            out.push_str(&format!("\"{}\":{value}", entry.keyword));
        }
        out.push('}');
    }
    out.push_str("\n]\n");
    Ok(out)
}
