//! Reading TOML so that every problem is found and placed: a wrong value is reported and reading goes on.
//!
//! Knows nothing of scenarios. A [`Fields`] remembers which keys it was asked for; [`Fields::finish`] reports the others, each
//! with the likeliest of those as a suggestion, so that the list of known keys is written once: by reading them.

use crate::problem::{Location, Problem, Problems, did_you_mean};
use core::cell::RefCell;
use core::ops::{Deref, Range, RangeInclusive};
use skyweave_base::Utc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands, for problems that show up only later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) at: Location,
}

impl<T> Deref for Located<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Located<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Located<U> {
        Located {
            value: f(self.value),
            at: self.at,
        }
    }
}

/// A TOML text that is being read, and what was found wrong in it so far.
pub(crate) struct Document<'d> {
    file: &'d str,
    text: &'d str,
    line_starts: Vec<usize>,
    problems: RefCell<Problems>,
}

impl<'d> Document<'d> {
    pub(crate) fn new(file: &'d str, text: &'d str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(i, _)| i + 1))
            .collect();
        Self {
            file,
            text,
            line_starts,
            problems: RefCell::default(),
        }
    }

    /// The parsed table. After a syntax error there is none: what the parser guesses of the rest would only mislead.
    pub(crate) fn parse(&self) -> Option<Spanned<DeTable<'d>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let at = error
                .span()
                .map_or_else(|| Location::file(self.file), |span| self.location(&span));
            self.report(at.error(format!("not TOML: {}", error.message().replace('\n', ", "))));
        }
        errors.is_empty().then_some(table)
    }

    pub(crate) fn root<'a>(&'a self, table: &'a Spanned<DeTable<'d>>) -> Fields<'a, 'd> {
        Fields {
            document: self,
            table: table.get_ref(),
            path: String::new(),
            span: 0..0,
            asked: RefCell::default(),
        }
    }

    pub(crate) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// What was found, in the order of the text.
    pub(crate) fn into_problems(self) -> Problems {
        let mut problems = self.problems.into_inner();
        problems.0.sort_by_key(|p| (p.at.line, p.at.column));
        problems
    }

    fn location(&self, span: &Range<usize>) -> Location {
        let line = self
            .line_starts
            .partition_point(|&start| start <= span.start);
        let start = self.line_starts[line - 1];
        let column = 1 + self
            .text
            .get(start..span.start)
            .map_or(0, |before| before.chars().count());
        Location {
            file: self.file.to_owned(),
            line: Some(line as u32),
            column: Some(column as u32),
            field: None,
        }
    }
}

/// A table of the document.
pub(crate) struct Fields<'a, 'd> {
    document: &'a Document<'d>,
    table: &'a DeTable<'d>,
    path: String,
    span: Range<usize>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a, 'd> Fields<'a, 'd> {
    /// Where this table begins.
    pub(crate) fn at(&self) -> Location {
        let at = self.document.location(&self.span);
        if self.path.is_empty() {
            at
        } else {
            at.with_field(&self.path)
        }
    }

    pub(crate) fn report(&self, problem: Problem) {
        self.document.report(problem);
    }

    /// The value if it is there; otherwise says that `key` is missing and what is expected.
    pub(crate) fn required<T>(&self, key: &str, expected: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.has(key) {
            let field = self.field(key);
            self.report(
                self.at()
                    .error(format!("`{field}` is missing: expected {expected}")),
            );
        }
        value
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    pub(crate) fn string(&self, key: &'static str) -> Option<Located<String>> {
        let (value, at) = self.get(key)?;
        match value {
            DeValue::String(s) => Some(Located {
                value: s.clone().into_owned(),
                at,
            }),
            other => self.wrong_type(&at, "a string", other),
        }
    }

    pub(crate) fn boolean(&self, key: &'static str) -> Option<bool> {
        let (value, at) = self.get(key)?;
        match value {
            DeValue::Boolean(b) => Some(*b),
            other => self.wrong_type(&at, "true or false", other),
        }
    }

    /// A finite number inside `range`, integer or not.
    pub(crate) fn number(
        &self,
        key: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<Located<f64>> {
        let (value, at) = self.get(key)?;
        self.as_number(value, &at, &range)
            .map(|value| Located { value, at })
    }

    pub(crate) fn integer(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Located<u64>> {
        let (value, at) = self.get(key)?;
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(written) = value else {
            return self.wrong_type(&at, &expected, value);
        };
        match u64::from_str_radix(written.as_str(), written.radix())
            .ok()
            .filter(|n| range.contains(n))
        {
            Some(value) => Some(Located { value, at }),
            None => {
                self.report(at.error(format!("{written} is out of range: expected {expected}")));
                None
            }
        }
    }

    /// A time as a TOML date-time or a string, or whatever else `or_word` accepts.
    pub(crate) fn time<T>(
        &self,
        key: &'static str,
        or_word: impl Fn(&str) -> Option<T>,
        utc: impl Fn(Utc) -> T,
    ) -> Option<Located<T>> {
        let (value, at) = self.get(key)?;
        let text = match value {
            DeValue::String(s) => s.clone().into_owned(),
            DeValue::Datetime(d) => d.to_string(),
            other => return self.wrong_type(&at, "a UTC time such as 2026-05-21T00:00:12Z", other),
        };
        match or_word(&text).map_or_else(|| text.parse().map(utc), Ok) {
            Ok(value) => Some(Located { value, at }),
            Err(error) => {
                self.report(at.error(error.to_string()));
                None
            }
        }
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<Located<T>> {
        let word = self.string(key)?;
        match words.iter().find(|(w, _)| **w == *word.value) {
            Some(&(_, value)) => Some(word.map(|_| value)),
            None => {
                let known: Vec<_> = words.iter().map(|(w, _)| format!("`{w}`")).collect();
                let hint = did_you_mean(&word, words.iter().map(|(w, _)| *w));
                self.report(word.at.error(format!(
                    "`{}` is not known: expected {}{hint}",
                    *word,
                    known.join(", ")
                )));
                None
            }
        }
    }

    /// True if it is there and a list.
    pub(crate) fn is_list(&self, key: &str) -> bool {
        let value = self.table.get(key);
        value.is_some_and(|v| matches!(v.get_ref(), DeValue::Array(_)))
    }

    /// A list of `N` finite numbers inside `range`; `None` if any is wrong.
    pub(crate) fn numbers<const N: usize>(
        &self,
        key: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<[f64; N]> {
        let expected = format!("a list of {N} numbers");
        let list = self.list(key, &expected)?;
        let numbers: Vec<Option<f64>> = list
            .iter()
            .map(|(value, at)| self.as_number(value, at, &range))
            .collect();
        let numbers: Vec<f64> = numbers.into_iter().collect::<Option<_>>()?;
        let found = numbers.len();
        let numbers = numbers.try_into().ok();
        if numbers.is_none() {
            let (_, at) = self.get(key)?;
            self.report(at.error(format!("expected {expected}, found {found}")));
        }
        numbers
    }

    /// A list of strings.
    pub(crate) fn strings(&self, key: &'static str) -> Option<Vec<Located<String>>> {
        let mut all = Vec::new();
        for (value, at) in self.list(key, "a list of strings")? {
            match value {
                DeValue::String(s) => all.push(Located {
                    value: s.clone().into_owned(),
                    at,
                }),
                other => {
                    self.wrong_type::<()>(&at, "a string", other);
                }
            }
        }
        Some(all)
    }

    /// A list of `[low, high]` with low < high, both inside `range`; `None` if any is wrong.
    pub(crate) fn intervals(
        &self,
        key: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<Located<Vec<(f64, f64)>>> {
        let (_, at) = self.get(key)?;
        let list = self.list(key, "a list of [low, high] pairs")?;
        let all: Vec<_> = list
            .iter()
            .map(|(value, at)| self.interval(value, at, &range))
            .collect();
        Some(Located {
            value: all.into_iter().collect::<Option<_>>()?,
            at,
        })
    }

    fn interval(
        &self,
        value: &DeValue<'_>,
        at: &Location,
        range: &RangeInclusive<f64>,
    ) -> Option<(f64, f64)> {
        let DeValue::Array(pair) = value else {
            return self.wrong_type(at, "a [low, high] pair", value);
        };
        let numbers: Vec<_> = pair
            .iter()
            .map(|v| self.as_number(v.get_ref(), at, range))
            .collect();
        match numbers.into_iter().collect::<Option<Vec<_>>>()?[..] {
            [low, high] if low < high => Some((low, high)),
            _ => {
                self.report(at.error("expected [low, high] with low below high"));
                None
            }
        }
    }

    /// A table inside this one.
    pub(crate) fn table(&self, key: &'static str) -> Option<Fields<'a, 'd>> {
        self.asked.borrow_mut().push(key);
        let spanned = self.table.get(key)?;
        match spanned.get_ref() {
            DeValue::Table(table) => Some(self.inner(table, self.field(key), spanned.span())),
            other => {
                let at = self
                    .document
                    .location(&spanned.span())
                    .with_field(&self.field(key));
                self.wrong_type(&at, &format!("a table, [{}]", self.field(key)), other)
            }
        }
    }

    /// An array of tables inside this one; empty if there is none.
    pub(crate) fn tables(&self, key: &'static str) -> Vec<Fields<'a, 'd>> {
        let Some(list) = self.list(key, &format!("tables, [[{}]]", self.field(key))) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        let Some(DeValue::Array(array)) = self.table.get(key).map(Spanned::get_ref) else {
            return all;
        };
        for (i, ((value, at), spanned)) in list.into_iter().zip(array.iter()).enumerate() {
            match value {
                DeValue::Table(table) => {
                    all.push(self.inner(
                        table,
                        format!("{}[{i}]", self.field(key)),
                        spanned.span(),
                    ));
                }
                other => {
                    self.wrong_type::<()>(&at, &format!("a table, [[{}]]", self.field(key)), other);
                }
            }
        }
        all
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(&self) {
        let asked = self.asked.borrow();
        let mut unknown: Vec<_> = self
            .table
            .iter()
            .filter(|(k, _)| !asked.contains(&k.get_ref().as_ref()))
            .collect();
        unknown.sort_by_key(|(k, _)| k.span().start);
        for (key, _) in unknown {
            let name = key.get_ref();
            let at = self
                .document
                .location(&key.span())
                .with_field(&self.field(name));
            let known: Vec<_> = asked.iter().map(|k| format!("`{k}`")).collect();
            let hint = match did_you_mean(name, asked.iter().copied()) {
                none if none.is_empty() => format!("; known here: {}", known.join(", ")),
                hint => hint,
            };
            self.document
                .report(at.error(format!("unknown key `{name}`{hint}")));
        }
    }

    fn inner(&self, table: &'a DeTable<'d>, path: String, span: Range<usize>) -> Self {
        Fields {
            document: self.document,
            table,
            path,
            span,
            asked: RefCell::default(),
        }
    }

    fn field(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn get(&self, key: &'static str) -> Option<(&'a DeValue<'d>, Location)> {
        if !self.asked.borrow().contains(&key) {
            self.asked.borrow_mut().push(key);
        }
        let value = self.table.get(key)?;
        Some((
            value.get_ref(),
            self.document
                .location(&value.span())
                .with_field(&self.field(key)),
        ))
    }

    fn list(&self, key: &'static str, expected: &str) -> Option<Vec<(&'a DeValue<'d>, Location)>> {
        let (value, at) = self.get(key)?;
        let DeValue::Array(array) = value else {
            return self.wrong_type(&at, expected, value);
        };
        let located = array.iter().enumerate().map(|(i, v)| {
            (
                v.get_ref(),
                self.document
                    .location(&v.span())
                    .with_field(&format!("{}[{i}]", self.field(key))),
            )
        });
        Some(located.collect())
    }

    fn as_number(
        &self,
        value: &DeValue<'_>,
        at: &Location,
        range: &RangeInclusive<f64>,
    ) -> Option<f64> {
        let expected = || match range.end().is_finite() {
            true => format!("a number from {} to {}", range.start(), range.end()),
            false => format!("a number not below {}", range.start()),
        };
        let number: Option<f64> = match value {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
                .ok()
                .map(|n| n as f64),
            DeValue::Float(x) => x.as_str().parse().ok(),
            other => return self.wrong_type(at, &expected(), other),
        };
        match number.filter(|x| x.is_finite() && range.contains(x)) {
            Some(x) => Some(x),
            None => {
                let written = number.map_or("this number".to_owned(), |x| x.to_string());
                self.report(at.error(format!(
                    "{written} is out of range: expected {}",
                    expected()
                )));
                None
            }
        }
    }

    fn wrong_type<T>(&self, at: &Location, expected: &str, found: &DeValue<'_>) -> Option<T> {
        let found = match found {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.report(at.error(format!("expected {expected}, found {found}")));
        None
    }
}
