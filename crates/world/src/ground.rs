//! Gateways and points of presence: built in or from CSV, those whose status and kind are wanted.

use crate::conditions::NewGateway;
use crate::demand::read_located;
use crate::fields::Located;
use crate::files::{Files, builtin};
use crate::problem::{Problems, did_you_mean};
use crate::scenario::{GroundSpec, ListSource};
use crate::table::{Column, optional, read_csv, required};
use skyweave_base::{Geodetic, PopId, Vec3};
use skyweave_plan::{Gateway, PointOfPresence};

/// The sites in a scenario, and how many the lists held.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) gateways_listed: usize,
    pub(crate) pops: Vec<PointOfPresence>,
    pub(crate) pops_listed: usize,
}

/// Sites that stand or were being built in 2023, for a scenario of 2024 and later.
const GATEWAY_STATUSES: [&str; 4] = ["live", "presumed live", "built", "construction"];
/// What the operator itself lists.
const POP_STATUSES: [&str; 1] = ["listed"];
/// Community gateways serve their own community, not the customers around.
const POP_KINDS: [&str; 2] = ["colo", "pop"];
/// More antennas than at any site: the largest are filed with 72.
const MOST_ANTENNAS: f64 = 10_000.0;
/// Of a list of gateways, those that stand and those that might.
const GATEWAY_COLUMNS: [Column; 6] = [
    required(&["name"]),
    required(&["lat_deg", "latitude_deg"]),
    required(&["lon_deg", "longitude_deg"]),
    optional(&["status"]),
    optional(&["antennas", "ka_antennas"]),
    optional(&["min_elevation_deg", "ka_min_elev_deg"]),
];

pub(crate) fn load(
    spec: &GroundSpec,
    default_antennas: u32,
    files: &dyn Files,
    problems: &mut Problems,
) -> Ground {
    let mut ground = Ground::default();
    if let Some((file, bytes)) = list(
        &spec.gateways,
        "gateways.csv",
        builtin::GATEWAYS,
        files,
        problems,
    ) {
        gateways(spec, default_antennas, &file, &bytes, &mut ground, problems);
    }
    if let Some((file, bytes)) = list(&spec.pops, "pops.csv", builtin::POPS, files, problems) {
        pops(spec, &file, &bytes, &mut ground, problems);
    }
    ground
}

fn list(
    source: &ListSource,
    name: &str,
    builtin: &'static str,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<(String, std::borrow::Cow<'static, [u8]>)> {
    match source {
        ListSource::None => None,
        ListSource::Builtin => Some((name.to_owned(), builtin.as_bytes().into())),
        ListSource::File(path) => Some((
            path.value.clone(),
            read_located(path, files, problems)?.into(),
        )),
    }
}

/// Sites of the built-in list that are not used by default: licensed, planned or of unknown state.
pub(crate) fn possible_gateways() -> Vec<NewGateway> {
    let is_possible = |status: &str| !GATEWAY_STATUSES.contains(&status);
    let mut problems = Problems::default();
    let bytes = builtin::GATEWAYS.as_bytes();
    let all = new_gateways("gateways.csv", bytes, &is_possible, &mut problems);
    debug_assert!(problems.0.is_empty(), "built-in data: {problems}");
    all
}

/// Gateways that might be built: those rows of a CSV whose status, if it says one, is wanted.
pub(crate) fn new_gateways(
    file: &str,
    bytes: &[u8],
    is_wanted: &dyn Fn(&str) -> bool,
    problems: &mut Problems,
) -> Vec<NewGateway> {
    let mut all = Vec::new();
    read_csv(file, bytes, &GATEWAY_COLUMNS, problems, |row| {
        let (name, place) = (row.required_text(0), row.place(1, 2));
        let antennas = row.number(4, 1.0..=MOST_ANTENNAS);
        let (Some(name), Some(place)) = (name, place) else {
            return;
        };
        if row.text(3).is_none_or(is_wanted) {
            all.push(NewGateway {
                name,
                lat_deg: place.lat_deg(),
                lon_deg: place.lon_deg(),
                antennas: antennas.map(|n: f64| n as u32),
            });
        }
    });
    all
}

fn gateways(
    spec: &GroundSpec,
    default_antennas: u32,
    file: &str,
    bytes: &[u8],
    ground: &mut Ground,
    problems: &mut Problems,
) {
    let mut wanted = Wanted::new(&spec.gateway_statuses, &GATEWAY_STATUSES);
    read_csv(file, bytes, &GATEWAY_COLUMNS, problems, |row| {
        let name = row.required_text(0);
        let place = row.place(1, 2);
        let antennas = row.number(4, 0.0..=MOST_ANTENNAS);
        let min_elevation_deg = row.number(5, 0.0..=90.0);
        let (Some(name), Some(place)) = (name, place) else {
            return;
        };
        ground.gateways_listed += 1;
        if wanted.has(row.text(3)) {
            ground.gateways.push(Gateway {
                name,
                place,
                antennas: antennas.map_or(default_antennas, |n: f64| n as u32),
                min_elevation_rad: min_elevation_deg.map(f64::to_radians),
            });
        }
    });
    wanted.report_unknown(problems);
}

fn pops(spec: &GroundSpec, file: &str, bytes: &[u8], ground: &mut Ground, problems: &mut Problems) {
    let columns = [
        required(&["code"]),
        required(&["city", "name"]),
        required(&["lat_deg", "latitude_deg"]),
        required(&["lon_deg", "longitude_deg"]),
        optional(&["status"]),
        optional(&["kind"]),
    ];
    let mut statuses = Wanted::new(&spec.pop_statuses, &POP_STATUSES);
    let mut kinds = Wanted::new(&spec.pop_kinds, &POP_KINDS);
    read_csv(file, bytes, &columns, problems, |row| {
        let (code, city, place) = (row.required_text(0), row.required_text(1), row.place(2, 3));
        let (Some(code), Some(city), Some(place)) = (code, city, place) else {
            return;
        };
        ground.pops_listed += 1;
        let status = statuses.has(row.text(4));
        let kind = kinds.has(row.text(5));
        if status && kind {
            ground.pops.push(PointOfPresence { code, city, place });
        }
    });
    statuses.report_unknown(problems);
    kinds.report_unknown(problems);
}

/// The words of a column that are wanted, and those that were seen.
struct Wanted<'a> {
    words: Vec<&'a str>,
    given: &'a [Located<String>],
    seen: Vec<String>,
}

impl<'a> Wanted<'a> {
    fn new(given: &'a [Located<String>], default: &'a [&'a str]) -> Self {
        let words = if given.is_empty() {
            default.to_vec()
        } else {
            given.iter().map(|w| w.value.as_str()).collect()
        };
        Self {
            words,
            given,
            seen: Vec::new(),
        }
    }

    /// A row that says nothing is wanted.
    fn has(&mut self, word: Option<&str>) -> bool {
        let Some(word) = word else { return true };
        if !self.seen.iter().any(|s| s == word) {
            self.seen.push(word.to_owned());
        }
        self.words.contains(&word)
    }

    /// A word that no row has is a slip, or has no effect: say so.
    fn report_unknown(self, problems: &mut Problems) {
        for word in self.given.iter().filter(|w| !self.seen.contains(&w.value)) {
            let hint = did_you_mean(word, self.seen.iter().map(String::as_str));
            let seen: Vec<_> = self.seen.iter().map(|s| format!("`{s}`")).collect();
            problems.push(word.at.error(format!(
                "no site has `{}`{hint}; the list has {}",
                **word,
                seen.join(", ")
            )));
        }
    }
}

/// Finds the nearest point of presence.
#[derive(Clone, Debug)]
pub(crate) struct NearestPop(Vec<(Vec3, PopId)>);

impl NearestPop {
    /// Of all but those that are lost.
    pub(crate) fn without(pops: &[PointOfPresence], lost: &[PopId]) -> Self {
        let all = pops.iter().enumerate();
        let all = all.map(|(i, pop)| (direction(pop.place), PopId(i as u32)));
        Self(all.filter(|(_, id)| !lost.contains(id)).collect())
    }

    /// By great circle; of equal distances the first. There must be one.
    pub(crate) fn of(&self, place: Geodetic) -> PopId {
        let here = direction(place);
        // The nearest on the sphere has the greatest cosine of the angle between.
        let mut best = (f64::NEG_INFINITY, PopId(0));
        for &(there, id) in &self.0 {
            let cosine = here.dot(there);
            if cosine > best.0 {
                best = (cosine, id);
            }
        }
        best.1
    }
}

fn direction(place: Geodetic) -> Vec3 {
    place.up()
}
