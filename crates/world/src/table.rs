//! CSV files with a header line: columns are found by name, in any order, under any of several spellings, and every bad
//! value is reported with its line and column name. Columns that nobody asks for are ignored.

use crate::problem::{Location, Problems, did_you_mean};
use core::ops::RangeInclusive;
use core::str::FromStr;
use skyweave_base::Geodetic;

/// A column that is looked for.
pub(crate) struct Column {
    /// Accepted spellings, the usual one first.
    pub(crate) names: &'static [&'static str],
    pub(crate) required: bool,
}

/// A required column.
pub(crate) const fn required(names: &'static [&'static str]) -> Column {
    Column {
        names,
        required: true,
    }
}

/// A column that may be absent.
pub(crate) const fn optional(names: &'static [&'static str]) -> Column {
    Column {
        names,
        required: false,
    }
}

/// Problems beyond this many in one file are counted, not listed: the first ones show what is wrong.
const MOST_PROBLEMS: usize = 20;

/// Reads a CSV file; `row` is called for each row with the values of `columns` in that order.
pub(crate) fn read_csv(
    file: &str,
    bytes: &[u8],
    columns: &[Column],
    problems: &mut Problems,
    mut row: impl FnMut(&mut Row<'_>),
) {
    let mut found = Problems::default();
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(strip_bom(bytes));
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return problems.push(csv_error(file, &error)),
    };
    let at = Location::line(file, 1);
    let index = columns.iter().map(|column| {
        let index = header.iter().position(|h| {
            column
                .names
                .iter()
                .any(|n| h.trim().eq_ignore_ascii_case(n))
        });
        if index.is_none() && column.required {
            let hint = did_you_mean(column.names[0], header.iter());
            let there: Vec<_> = header.iter().take(12).map(|h| format!("`{h}`")).collect();
            found.push(at.error(format!(
                "no column `{}`{hint} (the header has {})",
                column.names.join("` or `"),
                there.join(", ")
            )));
        }
        index
    });
    let index: Vec<Option<usize>> = index.collect();
    let mut record = csv::StringRecord::new();
    while found.0.is_empty() || found.0.iter().all(|p| p.at.line != Some(1)) {
        match reader.read_record(&mut record) {
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                row(&mut Row {
                    file,
                    line,
                    record: &record,
                    index: &index,
                    columns,
                    problems: &mut found,
                });
            }
            Ok(false) => break,
            Err(error) => {
                found.push(csv_error(file, &error));
                // Text that is not UTF-8 spoils one record; the reader can go on. Nothing else can fail on bytes in memory.
            }
        }
        if found.0.len() > MOST_PROBLEMS {
            found.0.truncate(MOST_PROBLEMS);
            found
                .push(Location::file(file).error(
                    "there are more problems like these; the rest of the file was not read",
                ));
            break;
        }
    }
    problems.0.append(&mut found.0);
}

fn strip_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn csv_error(file: &str, error: &csv::Error) -> crate::Problem {
    let at = error
        .position()
        .map_or_else(|| Location::file(file), |p| Location::line(file, p.line()));
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => at.error("is not UTF-8 text"),
        other => at.error(format!("not CSV: {other:?}")),
    }
}

/// A row of a file; values are asked for by the position of their column in the list given to [`read_csv`].
pub(crate) struct Row<'a> {
    file: &'a str,
    line: u64,
    record: &'a csv::StringRecord,
    index: &'a [Option<usize>],
    columns: &'a [Column],
    problems: &'a mut Problems,
}

impl Row<'_> {
    /// The text, without blanks around it; `None` if the column or the value is absent.
    pub(crate) fn text(&self, column: usize) -> Option<&str> {
        self.record
            .get(self.index[column]?)
            .map(str::trim)
            .filter(|s| !s.is_empty())
    }

    /// The text, which must be there.
    pub(crate) fn required_text(&mut self, column: usize) -> Option<String> {
        let text = self.text(column).map(str::to_owned);
        if text.is_none() {
            self.error(column, "is empty");
        }
        text
    }

    /// A number inside `range`; `None` if it is absent, or wrong (which is reported).
    pub(crate) fn number<T>(&mut self, column: usize, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + core::fmt::Display,
    {
        let text = self.text(column)?;
        match text.parse::<T>() {
            Ok(value) if range.contains(&value) => Some(value),
            Ok(_) => {
                let message = format!(
                    "{text} is out of range: expected {} to {}",
                    range.start(),
                    range.end()
                );
                self.error(column, &message);
                None
            }
            Err(_) => {
                let message = format!(
                    "`{text}` is not a number: expected {} to {}",
                    range.start(),
                    range.end()
                );
                self.error(column, &message);
                None
            }
        }
    }

    /// The same, and its absence is reported too.
    pub(crate) fn required_number<T>(
        &mut self,
        column: usize,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: FromStr + PartialOrd + core::fmt::Display,
    {
        if self.text(column).is_none() {
            self.error(column, "is empty: expected a number");
            return None;
        }
        self.number(column, range)
    }

    /// Latitude and longitude in degrees from two columns.
    pub(crate) fn place(&mut self, lat_column: usize, lon_column: usize) -> Option<Geodetic> {
        let lat = self.required_number(lat_column, -90.0..=90.0);
        let lon = self.required_number(lon_column, -180.0..=360.0);
        Geodetic::from_degrees(lat?, lon?).ok()
    }

    /// Where this row stands.
    pub(crate) fn at(&self) -> Location {
        Location::line(self.file, self.line)
    }

    /// Reports a bad value.
    pub(crate) fn error(&mut self, column: usize, message: &str) {
        let field = self.index[column]
            .and(self.columns.get(column))
            .map_or(self.columns[column].names[0], |c| c.names[0]);
        let problem = self.at().with_field(field).error(message);
        self.problems.push(problem);
    }
}
