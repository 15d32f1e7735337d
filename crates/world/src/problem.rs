//! What is wrong with a scenario or one of its files: every problem with its file, line, column and field.

use core::fmt;
use serde::Serialize;

/// Whether a scenario can be used in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The scenario cannot be used.
    Error,
    /// It can, but look at this before you trust the result.
    Warning,
}

/// Where a value stands. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file as it was named.
    pub file: String,
    /// Line.
    pub line: Option<u32>,
    /// Column.
    pub column: Option<u32>,
    /// The field, for example `demand[0].area`.
    pub field: Option<String>,
}

impl Location {
    /// A line of a file.
    pub(crate) fn line(file: &str, line: u64) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(line as u32),
            column: None,
            field: None,
        }
    }

    /// A file as a whole.
    pub(crate) fn file(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn with_field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// A problem here that makes the scenario unusable.
    pub(crate) fn error(&self, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            at: self.clone(),
            message: message.into(),
        }
    }

    /// A problem here that leaves the scenario usable.
    pub(crate) fn warning(&self, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Warning,
            at: self.clone(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        match &self.field {
            Some(field) => write!(f, ": {field}"),
            None => Ok(()),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the scenario can be used in spite of it.
    pub severity: Severity,
    /// Where.
    pub at: Location,
    /// What, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}: {}", self.at, self.message)
    }
}

/// Everything that is wrong, in the order in which it was found. As an error it holds at least one [`Severity::Error`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// True if something makes the scenario unusable.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|p| p.severity == Severity::Error)
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    /// One problem per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// `; did you mean ...?` for the candidates that look most like `wrong`, or nothing if none does.
pub fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let near = suggestions(wrong, candidates);
    match near.as_slice() {
        [] => String::new(),
        [only] => format!("; did you mean `{only}`?"),
        [first @ .., last] => format!("; did you mean `{}` or `{last}`?", first.join("`, `")),
    }
}

/// At most three candidates that look like `wrong`, the likeliest first.
pub(crate) fn suggestions<'a>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    /// Jaro-Winkler similarity from which two words are likely the same one misspelt.
    const ALIKE: f64 = 0.82;
    let wrong = wrong.to_lowercase();
    let mut near: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|c| (strsim::jaro_winkler(&wrong, &c.to_lowercase()), c))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.dedup_by_key(|(_, c)| *c);
    near.truncate(3);
    near.into_iter().map(|(_, c)| c.to_owned()).collect()
}
