//! Routes against Hypatia (github.com/snkas/hypatia), three constellations and one variant, every row: the same path, and the same
//! round trip within its own noise. `reference/hypatia/README.md` beside the shared data states the model to the last detail.
#![allow(clippy::disallowed_methods, reason = "the reference is in files")]

use skyweave_base::{Ellipsoid, Geodetic, SatId, Span, Time, Utc};
use skyweave_orbit::{Elements, Format, Sky};
use skyweave_plan::{Router, Seam, walker_grid};
use skyweave_radio::LinkLimit;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a textbook implementation may differ by: Hypatia takes 6378.16 km for the Earth's radius, another sidereal time and
/// single precision for elements (its README, "How exact").
const TOLERANCE_S: f64 = 2e-6;

/// The row that the README excepts: Hypatia's last link is 19 m under the length limit and ours 3 m over it.
const EXCEPTED: (&str, u32, u32, u32) = ("kuiper_630", 20, 14, 96);

fn reference() -> Option<PathBuf> {
    let shared = std::env::var_os("SKYWEAVE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let reference = shared.join("reference/hypatia");
    if !reference.is_dir() {
        eprintln!("SKIPPED: no {}; set SKYWEAVE_SHARED", reference.display());
        return None;
    }
    Some(reference)
}

struct Constellation {
    sky: Sky,
    lasers: Vec<(SatId, SatId)>,
    planes: u32,
    satellites_per_plane: u32,
}

fn constellation(folder: &Path) -> Constellation {
    let tles = fs::read_to_string(folder.join("tles.txt")).unwrap();
    let (size, tles) = tles.split_once('\n').unwrap();
    let (planes, satellites_per_plane) = size.split_once(' ').unwrap();
    let elements: Vec<Elements> = skyweave_orbit::parse(tles, Format::Tle).unwrap();
    let isls = fs::read_to_string(folder.join("isls.txt")).unwrap();
    let lasers = isls
        .lines()
        .map(|line| {
            let (a, b) = line.split_once(' ').unwrap();
            (SatId(a.parse().unwrap()), SatId(b.parse().unwrap()))
        })
        .collect();
    Constellation {
        sky: Sky::new(&elements).unwrap(),
        lasers,
        planes: planes.parse().unwrap(),
        satellites_per_plane: satellites_per_plane.parse().unwrap(),
    }
}

fn max_ground_range_m(folder: &Path) -> f64 {
    let text = fs::read_to_string(folder.join("description.txt")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("max_gsl_length_m="))
        .unwrap();
    line.parse().unwrap()
}

fn sites(folder: &Path) -> Vec<Geodetic> {
    let text = fs::read_to_string(folder.join("ground_stations.txt")).unwrap();
    text.lines()
        .map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            Geodetic::from_degrees(fields[2].parse().unwrap(), fields[3].parse().unwrap()).unwrap()
        })
        .collect()
}

/// A row of the reference: pair, round trip (none: unreachable) and the path as it is written there.
struct Row {
    pair: (u32, u32),
    rtt_ms: Option<f64>,
    path: String,
}

fn rows(file: &Path) -> BTreeMap<(String, u32), Vec<Row>> {
    let text = fs::read_to_string(file).unwrap();
    let mut rows: BTreeMap<_, Vec<Row>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let [constellation, t_s, src, _, dst, _, rtt_ms, path] = fields[..] else {
            panic!("{line}")
        };
        let row = Row {
            pair: (src.parse().unwrap(), dst.parse().unwrap()),
            rtt_ms: (!rtt_ms.is_empty()).then(|| rtt_ms.parse().unwrap()),
            path: path.to_owned(),
        };
        rows.entry((constellation.to_owned(), t_s.parse().unwrap()))
            .or_default()
            .push(row);
    }
    rows
}

/// Rows that disagree, and how many were compared with the greatest difference seen.
fn compare(reference: &Path, file: &str) -> (Vec<String>, usize, f64) {
    let start: Time = "2000-01-01T00:00:00Z".parse::<Utc>().unwrap().into();
    let mut skies = BTreeMap::new();
    let (mut wrong, mut compared, mut greatest_s) = (Vec::new(), 0, 0.0_f64);
    for ((name, t_s), rows) in rows(&reference.join(file)) {
        // The variant has its own length limit and nothing else of its own.
        let limits = reference.join(&name);
        let folder = reference.join(name.strip_suffix("_el10").unwrap_or(&name));
        let (sky, router) = skies.entry(name.clone()).or_insert_with(|| {
            let constellation = constellation(&folder);
            let limit = LinkLimit::Range {
                max_range_m: max_ground_range_m(&limits),
            };
            let router = Router::new(
                constellation.sky.len(),
                &constellation.lasers,
                &sites(&folder),
                limit,
                Ellipsoid::WGS72,
            );
            (constellation.sky, router)
        });
        let satellites = sky.ecef_all(start + Span::from_secs(i64::from(t_s)));
        let pairs: Vec<_> = rows.iter().map(|row| row.pair).collect();
        for (row, route) in rows.iter().zip(router.routes(&satellites, &pairs)) {
            compared += 1;
            let path = route.as_ref().map_or_else(
                || "unreachable".to_owned(),
                |route| {
                    let n = sky.len() as u32;
                    let ids = route.satellites.iter().map(|s| s.0);
                    let ids = [n + row.pair.0]
                        .into_iter()
                        .chain(ids)
                        .chain([n + row.pair.1]);
                    ids.map(|id| id.to_string()).collect::<Vec<_>>().join("-")
                },
            );
            let difference_s = match (&route, row.rtt_ms) {
                (Some(route), Some(rtt_ms)) => (route.round_trip_s() - rtt_ms * 1e-3).abs(),
                (None, None) => 0.0,
                _ => f64::INFINITY,
            };
            if (name.as_str(), t_s, row.pair.0, row.pair.1) == EXCEPTED {
                continue;
            }
            greatest_s = greatest_s.max(difference_s);
            if path != row.path || difference_s > TOLERANCE_S {
                wrong.push(format!(
                    "{name} t={t_s} {:?}: {path} for {}, {difference_s:e} s",
                    row.pair, row.path
                ));
            }
        }
    }
    (wrong, compared, greatest_s)
}

#[test]
fn every_row_of_the_three_constellations() {
    let Some(reference) = reference() else { return };
    let (wrong, compared, greatest_s) = compare(&reference, "routes.csv");
    println!(
        "{compared} rows, greatest difference {:.0} ns",
        greatest_s * 1e9
    );
    assert_eq!(compared, 2400);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_of_the_variant_with_a_physical_limit() {
    let Some(reference) = reference() else { return };
    let (wrong, compared, greatest_s) = compare(&reference, "routes_telesat_el10.csv");
    println!(
        "{compared} rows, greatest difference {:.0} ns",
        greatest_s * 1e9
    );
    assert_eq!(compared, 800);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_walker_grid_is_hypatias() {
    let Some(reference) = reference() else { return };
    for name in ["kuiper_630", "starlink_550", "telesat_1015"] {
        let constellation = constellation(&reference.join(name));
        let mut theirs: Vec<_> = constellation
            .lasers
            .iter()
            .map(|&(a, b)| (a.min(b), a.max(b)))
            .collect();
        theirs.sort_unstable();
        let ours = walker_grid(
            SatId(0),
            constellation.planes,
            constellation.satellites_per_plane,
            Seam::Closed,
        );
        assert_eq!(ours, theirs, "{name}");
    }
}
