//! Names of places: countries by code, cities by name.

use crate::files::builtin;
use crate::problem::{Problems, suggestions};
use crate::scenario::lat_lon;
use crate::table::{read_csv, required};
use skyweave_base::{Geodetic, GeodeticError};

/// A place on the ground.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// What to call it.
    pub name: String,
    /// Where it is.
    pub position: Geodetic,
    /// Something the user should know about how the name was understood.
    pub note: Option<String>,
}

impl core::fmt::Display for Place {
    /// The name, and the position in degrees where the name does not say it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.name)?;
        if lat_lon(&self.name).is_some() {
            return Ok(());
        }
        write!(
            f,
            " {:.4},{:.4}",
            self.position.lat_deg(),
            self.position.lon_deg()
        )
    }
}

/// Why a text names no place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlaceError {
    /// Two numbers that are no coordinates.
    #[error("`{text}` is no place: {error}")]
    Coordinates {
        /// The text.
        text: String,
        /// What is wrong with it.
        error: GeodeticError,
    },
    /// Nothing of this name is known.
    #[error("no place is called `{text}`{}; expected a terminal of the scenario, a city of 15,000 people or more, or LAT,LON", listed(.suggestions))]
    Unknown {
        /// The text.
        text: String,
        /// Names that look like it.
        suggestions: Vec<String>,
    },
    /// The constellation never serves this latitude.
    #[error(
        "`{name}` at latitude {lat_deg:.2} is in no cell that this constellation can serve: its satellites reach latitudes up to {reach_deg:.1}"
    )]
    OutOfReach {
        /// The place.
        name: String,
        /// Its latitude, degrees.
        lat_deg: f64,
        /// The greatest latitude that a satellite in service can reach, degrees.
        reach_deg: f64,
    },
    /// The scenario has nothing on the ground that a terminal could reach.
    #[error("`{name}` cannot join: the scenario has no gateway or no point of presence")]
    NoGround {
        /// The name.
        name: String,
    },
    /// A terminal of this name is there already.
    #[error("there is a terminal `{name}` already")]
    Duplicate {
        /// The name.
        name: String,
    },
}

fn listed(suggestions: &[String]) -> String {
    match suggestions {
        [] => String::new(),
        some => format!("; did you mean `{}`?", some.join("` or `")),
    }
}

/// What to call an area of a scenario: the country's name, or the text as it is.
pub fn area_name(area: &str) -> String {
    let countries = Countries::builtin();
    let named = countries
        .0
        .iter()
        .find(|(a2, ..)| a2.eq_ignore_ascii_case(area));
    named.map_or_else(|| area.to_owned(), |(_, _, name)| name.clone())
}

/// Country codes of ISO 3166-1 and their names.
pub(crate) struct Countries(Vec<(String, String, String)>);

impl Countries {
    pub(crate) fn builtin() -> Self {
        let mut all = Vec::with_capacity(240);
        let mut problems = Problems::default();
        let columns = [
            required(&["iso_a2"]),
            required(&["iso_a3"]),
            required(&["name"]),
        ];
        read_csv(
            "countries.csv",
            builtin::COUNTRIES.as_bytes(),
            &columns,
            &mut problems,
            |row| {
                if let (Some(a2), Some(a3), Some(name)) = (row.text(0), row.text(1), row.text(2)) {
                    all.push((a2.to_owned(), a3.to_owned(), name.to_owned()));
                }
            },
        );
        debug_assert!(problems.0.is_empty(), "built-in data: {problems}");
        Self(all)
    }

    /// The two-letter code if `text` is one; otherwise which codes may have been meant.
    pub(crate) fn code(&self, text: &str) -> Result<String, String> {
        if let Some((a2, ..)) = self.0.iter().find(|(a2, ..)| a2.eq_ignore_ascii_case(text)) {
            return Ok(a2.clone());
        }
        let by_other_name = self
            .0
            .iter()
            .find(|(_, a3, name)| a3.eq_ignore_ascii_case(text) || name.eq_ignore_ascii_case(text));
        let near = match by_other_name {
            Some((a2, _, name)) => vec![format!("`{a2}` ({name})")],
            None if text.len() <= 3 => {
                // A short code resembles too many others: those within one letter, which the eye can sort.
                let lower = text.to_uppercase();
                let near = self.0.iter().filter(|(a2, a3, _)| {
                    strsim::osa_distance(&lower, a2) <= 1
                        && lower.chars().next() == a2.chars().next()
                        || strsim::osa_distance(&lower, a3) <= 1
                });
                near.take(6)
                    .map(|(a2, _, name)| format!("`{a2}` ({name})"))
                    .collect()
            }
            None => suggestions(text, self.0.iter().map(|(_, _, name)| name.as_str()))
                .iter()
                .filter_map(|name| self.0.iter().find(|c| c.2 == *name))
                .map(|(a2, _, name)| format!("`{a2}` ({name})"))
                .collect(),
        };
        Err(if near.is_empty() {
            String::new()
        } else {
            format!("; did you mean {}?", near.join(" or "))
        })
    }
}

/// A city or village.
#[derive(Clone, Debug)]
pub(crate) struct City {
    pub(crate) geoname_id: u32,
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) position: Geodetic,
    pub(crate) population: u64,
}

/// The built-in cities of 15,000 people and more, in the order of the file (by population, descending).
pub(crate) fn cities() -> Vec<City> {
    let columns = [
        required(&["geonameid"]),
        required(&["name"]),
        required(&["country"]),
        required(&["lat_deg"]),
        required(&["lon_deg"]),
        required(&["population"]),
    ];
    read_places("cities15000.csv", builtin::CITIES, &columns, 40_000)
}

/// The built-in places of Ukraine, villages included.
fn ukraine_places() -> Vec<City> {
    let columns = [
        required(&["geonameid"]),
        required(&["name"]),
        required(&["iso_3166_2"]),
        required(&["lat_deg"]),
        required(&["lon_deg"]),
        required(&["population"]),
    ];
    read_places(
        "ukraine_places.csv",
        builtin::UKRAINE_PLACES,
        &columns,
        5_000,
    )
}

fn read_places(
    file: &str,
    text: &str,
    columns: &[crate::table::Column],
    capacity: usize,
) -> Vec<City> {
    let mut all = Vec::with_capacity(capacity);
    let mut problems = Problems::default();
    read_csv(file, text.as_bytes(), columns, &mut problems, |row| {
        let geoname_id = row.required_number(0, 0..=u32::MAX);
        let position = row.place(3, 4);
        let population = row.required_number(5, 0..=u64::MAX);
        let name = row.required_text(1);
        let country = row.required_text(2);
        if let (Some(geoname_id), Some(name), Some(country), Some(position), Some(population)) =
            (geoname_id, name, country, position, population)
        {
            all.push(City {
                geoname_id,
                name,
                country,
                position,
                population,
            });
        }
    });
    debug_assert!(problems.0.is_empty(), "built-in data: {problems}");
    all
}

/// A place from `LAT,LON` or the name of a city or Ukrainian village. Of several places of one name the largest is taken.
pub fn find_place(text: &str) -> Result<Place, PlaceError> {
    let text = text.trim();
    if let Some(position) = lat_lon(text) {
        let position = position.map_err(|error| PlaceError::Coordinates {
            text: text.to_owned(),
            error,
        })?;
        return Ok(Place {
            name: text.to_owned(),
            position,
            note: None,
        });
    }
    let mut known = cities();
    let mut ids: Vec<u32> = known.iter().map(|c| c.geoname_id).collect();
    ids.sort_unstable();
    known.extend(
        ukraine_places()
            .into_iter()
            .filter(|p| ids.binary_search(&p.geoname_id).is_err()),
    );
    let wanted = text.to_lowercase();
    let mut named: Vec<&City> = known
        .iter()
        .filter(|c| c.name.to_lowercase() == wanted)
        .collect();
    named.sort_by_key(|c| (core::cmp::Reverse(c.population), c.geoname_id));
    let Some(&city) = named.first() else {
        let suggestions = suggestions(text, known.iter().map(|c| c.name.as_str()));
        return Err(PlaceError::Unknown {
            text: text.to_owned(),
            suggestions,
        });
    };
    let note = (named.len() > 1).then(|| {
        format!(
            "`{text}` is the name of {} places; the largest is taken: {}, {} ({} people). Give LAT,LON for another",
            named.len(),
            city.name,
            city.country,
            city.population
        )
    });
    Ok(Place {
        name: city.name.clone(),
        position: city.position,
        note,
    })
}
