//! The API's JSON as tables and lines for people.

use serde_json::Value;
use std::io::{self, Write};

/// A column: what stands above it, and where in an item its value is (RFC 6901).
pub(super) type Column = (&'static str, &'static str);

/// Prints items as a table, and that there are more.
pub(super) fn table(
    out: &mut impl Write,
    columns: &[Column],
    items: &[Value],
    more: bool,
) -> io::Result<()> {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            columns
                .iter()
                .map(|(_, at)| text(item.pointer(at)))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(n, (head, _))| {
            let cells = rows.iter().map(|row| row[n].chars().count());
            cells.chain([head.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let mut line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", padded.join("  ").trim_end())
    };
    if rows.is_empty() {
        return writeln!(out, "none");
    }
    line(columns.iter().map(|(head, _)| *head).collect())?;
    for row in &rows {
        line(row.iter().map(String::as_str).collect())?;
    }
    if more {
        writeln!(out, "... and more: --limit shows more than {}", rows.len())?;
    }
    Ok(())
}

/// Prints what a thing has, one line each; what it has not is left out.
pub(super) fn fields(out: &mut impl Write, columns: &[Column], thing: &Value) -> io::Result<()> {
    let told = columns
        .iter()
        .map(|(head, at)| (head, text(thing.pointer(at))))
        .filter(|(_, text)| text != "-");
    for (head, text) in told {
        writeln!(out, "{head:<18} {text}")?;
    }
    Ok(())
}

/// A value in a table. Names were written by many hands: control characters are not passed on.
pub(super) fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => visible(&to_the_second(text)),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => {
            let texts: Vec<String> = items.iter().map(|item| text(Some(item))).collect();
            texts.join(", ")
        }
        Some(other) => visible(&other.to_string()),
    }
}

/// A moment to the second, as people read it; any other text as it is.
pub(super) fn to_the_second(text: &str) -> String {
    let moment = text.split_once('.').filter(|(whole, rest)| {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        whole.len() == 19
            && whole.split(['-', 'T', ':']).count() == 6
            && whole.split(['-', 'T', ':']).all(digits)
            && rest.strip_suffix('Z').is_some_and(digits)
    });
    moment.map_or_else(|| text.to_owned(), |(whole, _)| format!("{whole}Z"))
}

pub(super) fn visible(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_are_told_to_the_second_and_nothing_else_is_cut() {
        let told = [
            ("2026-12-25T21:58:23.342296619Z", "2026-12-25T21:58:23Z"),
            ("2026-12-25T21:58:23Z", "2026-12-25T21:58:23Z"),
            (
                "2026-12-25T21:58:23.5 o'clock",
                "2026-12-25T21:58:23.5 o'clock",
            ),
            ("abcd-ef-ghTij:kl:mn.5Z", "abcd-ef-ghTij:kl:mn.5Z"),
            ("a.b", "a.b"),
        ];
        for (text, expected) in told {
            assert_eq!(to_the_second(text), expected);
        }
    }

    #[test]
    fn a_table_is_as_wide_as_its_widest_cells_and_hides_what_moves_the_cursor() {
        let mut out = Vec::new();
        let items = [
            json!({ "id": 1, "name": "Київ\u{1b}[2J", "of": { "a": true } }),
            json!({ "id": 23, "tags": ["x", "y"] }),
        ];
        let columns = [
            ("ID", "/id"),
            ("NAME", "/name"),
            ("A", "/of/a"),
            ("TAGS", "/tags"),
        ];
        table(&mut out, &columns, &items, true).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "ID  NAME      A    TAGS\n\
             1   Київ\u{fffd}[2J  yes  -\n\
             23  -         -    x, y\n\
             ... and more: --limit shows more than 2\n"
        );
    }
}
