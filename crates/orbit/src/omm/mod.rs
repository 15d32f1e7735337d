//! CCSDS Orbit Mean-Elements Messages (502.0-B-3, 505.0-B-3) in the shapes in which CelesTrak and Space-Track give them.
//!
//! Each layout turns its text into [`Record`]s, lists of keyword, value and line; what the keywords mean is here, once.

pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod kvn;
pub(crate) mod xml;

use crate::elements::{Elements, ElementsError, Expected, quoted};
use core::f64::consts::PI;
use skyweave_base::Utc;
use std::borrow::Cow;

const PROPAGATABLE: &str =
    "only SGP4 mean elements, as in general perturbations data, can be propagated";
const SGP4: Expected = Expected::with_hint("SGP4", PROPAGATABLE);
const TEME: Expected = Expected::with_hint("TEME", PROPAGATABLE);
const UTC: Expected = Expected::with_hint("UTC", PROPAGATABLE);
const EARTH: Expected = Expected::with_hint("EARTH", PROPAGATABLE);
const NUMBER: Expected = Expected::new("a number");
const INTEGER: Expected = Expected::new("a whole number from 0 to 4294967295");
const CLASSIFICATION: Expected = Expected::new("one letter: U, C or S");
const EPHEMERIS_TYPE: Expected = Expected::new("a whole number from 0 to 255");
const EPOCH: Expected =
    Expected::new("UTC as YYYY-MM-DDTHH:MM:SS.ffffff or YYYY-DDDTHH:MM:SS.ffffff");
const MEAN_MOTION: Expected = Expected::new("revolutions per day, above 0");
const ECCENTRICITY: Expected = Expected::new("from 0 to below 1");
const INCLINATION: Expected = Expected::new("degrees from 0 to 180");
const ANGLE: Expected = Expected::new("degrees from -360 to 360");

/// The keywords of one message with their values, in their order, and the lines on which they stand.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    line: usize,
    fields: Vec<(Cow<'a, str>, Cow<'a, str>, usize)>,
}

impl<'a> Record<'a> {
    fn starting_at(line: usize) -> Self {
        Self {
            line,
            fields: Vec::new(),
        }
    }

    fn push(
        &mut self,
        keyword: impl Into<Cow<'a, str>>,
        value: impl Into<Cow<'a, str>>,
        line: usize,
    ) {
        self.fields.push((keyword.into(), value.into(), line));
    }

    /// The value of a keyword and its line; a value without text counts as absent.
    fn get(&self, keyword: &str) -> Option<(&str, usize)> {
        let (_, value, line) = self.fields.iter().rfind(|(k, ..)| k == keyword)?;
        Some((value.trim(), *line)).filter(|(value, _)| !value.is_empty())
    }

    fn need(&self, keyword: &'static str) -> Result<(&str, usize), ElementsError> {
        self.get(keyword).ok_or(ElementsError::Missing {
            line: self.line,
            field: keyword,
        })
    }

    fn number(&self, keyword: &'static str) -> Result<f64, ElementsError> {
        let (text, line) = self.need(keyword)?;
        text.parse::<f64>()
            .ok()
            .filter(|x| x.is_finite())
            .ok_or_else(|| wrong(line, keyword, text, NUMBER))
    }

    fn number_or_zero(&self, keyword: &'static str) -> Result<f64, ElementsError> {
        if self.get(keyword).is_some() {
            self.number(keyword)
        } else {
            Ok(0.0)
        }
    }

    fn number_in(
        &self,
        keyword: &'static str,
        expected: Expected,
        is_right: impl Fn(f64) -> bool,
    ) -> Result<f64, ElementsError> {
        let value = self.number(keyword)?;
        let (text, line) = self.need(keyword)?;
        if is_right(value) {
            Ok(value)
        } else {
            Err(wrong(line, keyword, text, expected))
        }
    }

    fn integer(&self, keyword: &'static str) -> Result<u32, ElementsError> {
        let (text, line) = self.need(keyword)?;
        text.parse()
            .map_err(|_| wrong(line, keyword, text, INTEGER))
    }

    fn integer_or_zero(&self, keyword: &'static str) -> Result<u32, ElementsError> {
        if self.get(keyword).is_some() {
            self.integer(keyword)
        } else {
            Ok(0)
        }
    }

    fn classification(&self) -> Result<char, ElementsError> {
        let (text, line) = self.get("CLASSIFICATION_TYPE").unwrap_or(("U", self.line));
        match text.as_bytes() {
            [letter] if letter.is_ascii_alphabetic() => Ok(char::from(*letter)),
            _ => Err(wrong(line, "CLASSIFICATION_TYPE", text, CLASSIFICATION)),
        }
    }

    fn ephemeris_type(&self) -> Result<u8, ElementsError> {
        let Some((text, line)) = self.get("EPHEMERIS_TYPE") else {
            return Ok(0);
        };
        text.parse()
            .map_err(|_| wrong(line, "EPHEMERIS_TYPE", text, EPHEMERIS_TYPE))
    }

    /// What is not said is taken to be as in general perturbations data; what is said must agree.
    fn demand(
        &self,
        keyword: &'static str,
        allowed: &[&str],
        expected: Expected,
    ) -> Result<(), ElementsError> {
        match self.get(keyword) {
            Some((text, line)) if !allowed.iter().any(|a| a.eq_ignore_ascii_case(text)) => {
                Err(wrong(line, keyword, text, expected))
            }
            _ => Ok(()),
        }
    }

    fn elements(&self) -> Result<Elements, ElementsError> {
        self.demand("MEAN_ELEMENT_THEORY", &["SGP4", "SGP/SGP4"], SGP4)?;
        self.demand("REF_FRAME", &["TEME"], TEME)?;
        self.demand("TIME_SYSTEM", &["UTC"], UTC)?;
        self.demand("CENTER_NAME", &["EARTH"], EARTH)?;
        let (epoch, epoch_line) = self.need("EPOCH")?;
        let angle = |keyword| {
            self.number_in(keyword, ANGLE, |x| x.abs() <= 360.0)
                .map(f64::to_radians)
        };
        let text = |keyword| {
            self.get(keyword)
                .map_or(String::new(), |(text, _)| text.to_owned())
        };
        Ok(Elements {
            name: text("OBJECT_NAME"),
            catalog_number: self.integer("NORAD_CAT_ID")?,
            international_designator: text("OBJECT_ID"),
            classification: self.classification()?,
            epoch: parse_epoch(epoch).ok_or_else(|| wrong(epoch_line, "EPOCH", epoch, EPOCH))?,
            mean_motion_rev_day: self.number_in("MEAN_MOTION", MEAN_MOTION, |x| x > 0.0)?,
            mean_motion_dot: self.number_or_zero("MEAN_MOTION_DOT")?,
            mean_motion_ddot: self.number_or_zero("MEAN_MOTION_DDOT")?,
            eccentricity: self
                .number_in("ECCENTRICITY", ECCENTRICITY, |x| (0.0..1.0).contains(&x))?,
            inclination_rad: self
                .number_in("INCLINATION", INCLINATION, |x| (0.0..=180.0).contains(&x))?
                .to_radians(),
            raan_rad: angle("RA_OF_ASC_NODE")?,
            argument_of_perigee_rad: angle("ARG_OF_PERICENTER")?,
            mean_anomaly_rad: angle("MEAN_ANOMALY")?,
            bstar: self.number("BSTAR")?,
            ephemeris_type: self.ephemeris_type()?,
            element_set_number: self.integer_or_zero("ELEMENT_SET_NO")?,
            revolution_number: self.integer_or_zero("REV_AT_EPOCH")?,
        })
    }
}

fn wrong(line: usize, field: &'static str, found: &str, expected: Expected) -> ElementsError {
    ElementsError::Field {
        line,
        field,
        found: quoted(found),
        expected,
    }
}

/// The calendar form, or the form with the day of the year (CCSDS 301.0-B-4, ASCII time codes A and B).
fn parse_epoch(text: &str) -> Option<Utc> {
    let (date, clock) = text.split_once('T')?;
    match date.split_once('-')? {
        (year, day) if day.len() == 3 && day.bytes().all(|b| b.is_ascii_digit()) => {
            let new_year: Utc = format!("{year}-01-01T{clock}").parse().ok()?;
            let day: i64 = day.parse().ok()?;
            const DAY_NANOS: i64 = 86_400_000_000_000;
            let unix_nanos = new_year
                .unix_nanos()
                .checked_add(day.checked_sub(1)? * DAY_NANOS)?;
            let utc = Utc::from_unix_nanos(unix_nanos);
            (day >= 1 && utc.date().0 == new_year.date().0).then_some(utc)
        }
        _ => text.parse().ok(),
    }
}

/// One keyword and its value, as every layout writes it.
struct Entry {
    keyword: &'static str,
    value: String,
    /// Numbers stand without quotation marks in JSON.
    is_number: bool,
}

/// Keywords in the order of CelesTrak's CSV.
fn entries(e: &Elements) -> Result<Vec<Entry>, ElementsError> {
    let finite = |field, value: f64| {
        value
            .is_finite()
            .then(|| value.to_string())
            .ok_or_else(|| ElementsError::NotWritable {
                name: e.name.clone(),
                field,
                value: value.to_string(),
                limit: "numbers are finite",
            })
    };
    let number = |keyword, value: f64| {
        Ok(Entry {
            keyword,
            value: finite(keyword, value)?,
            is_number: true,
        })
    };
    // Half a unit of the 12th decimal is 1e-14 rad: enough to hide that degrees become radians and degrees again.
    let angle = |keyword, angle_rad: f64| {
        let degrees = angle_rad * (180.0 / PI);
        number(keyword, format!("{degrees:.12}").parse().unwrap_or(degrees))
    };
    let integer = |keyword, value: u32| {
        Ok(Entry {
            keyword,
            value: value.to_string(),
            is_number: true,
        })
    };
    // None of the layouts can hold control characters in all places.
    let text = |keyword, value: &str| {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        Ok(Entry {
            keyword,
            value: value.trim().to_owned(),
            is_number: false,
        })
    };
    [
        text("OBJECT_NAME", &e.name),
        text("OBJECT_ID", &e.international_designator),
        text("EPOCH", e.epoch.to_string().trim_end_matches('Z')),
        number("MEAN_MOTION", e.mean_motion_rev_day),
        number("ECCENTRICITY", e.eccentricity),
        angle("INCLINATION", e.inclination_rad),
        angle("RA_OF_ASC_NODE", e.raan_rad),
        angle("ARG_OF_PERICENTER", e.argument_of_perigee_rad),
        angle("MEAN_ANOMALY", e.mean_anomaly_rad),
        integer("EPHEMERIS_TYPE", u32::from(e.ephemeris_type)),
        text("CLASSIFICATION_TYPE", &e.classification.to_string()),
        integer("NORAD_CAT_ID", e.catalog_number),
        integer("ELEMENT_SET_NO", e.element_set_number),
        integer("REV_AT_EPOCH", e.revolution_number),
        number("BSTAR", e.bstar),
        number("MEAN_MOTION_DOT", e.mean_motion_dot),
        number("MEAN_MOTION_DDOT", e.mean_motion_ddot),
    ]
    .into_iter()
    .collect()
}

/// Line of a byte position, counted from 1, found by going forward only.
struct LineCounter<'a> {
    text: &'a str,
    position: usize,
    line: usize,
}

impl<'a> LineCounter<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            line: 1,
        }
    }

    /// Positions must not go back.
    fn line_of(&mut self, position: usize) -> usize {
        let end = position.min(self.text.len());
        if end > self.position {
            self.line += self.text.as_bytes()[self.position..end]
                .iter()
                .filter(|&&b| b == b'\n')
                .count();
            self.position = end;
        }
        self.line
    }
}
