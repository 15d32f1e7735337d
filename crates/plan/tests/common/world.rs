//! A world to plan: the built-in sky, gateways and population, with demand spread over H3 cells of resolution 5.

#![allow(clippy::disallowed_methods)] // Tests read files.

use skyweave_base::{CellId, EpochNumber, Geodetic, PopId, SatId, TerminalId, Utc, great_circle_m};
use skyweave_orbit::{Elements, Format, Sky, parse};
use skyweave_plan::{
    Access, Cell, Gateway, Inputs, LiveTerminal, PointOfPresence, Preference, SatelliteState,
    plus_grid,
};
use skyweave_radio::Profile;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The epoch at which the built-in elements are fresh.
pub(crate) const START: &str = "2026-05-21T00:00:12Z";

pub(crate) struct World {
    sky: Sky,
    in_service: Vec<bool>,
    first: Inputs,
}

/// The repository's data, wherever in it the package that includes this stands.
fn data() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut found = folders.map(|f| f.join("data")).filter(|f| f.is_dir());
    found.next().expect("the repository has a folder `data`")
}

fn rows(file: &str) -> Vec<csv::StringRecord> {
    csv::Reader::from_path(data().join(file))
        .unwrap()
        .records()
        .map(Result::unwrap)
        .collect()
}

impl World {
    /// `terminals` over the world by population, `ask_kbps` each; only cells for which `within` holds are kept.
    pub(crate) fn new(terminals: u64, ask_kbps: u64, within: impl Fn(Geodetic) -> bool) -> Self {
        let start: Utc = START.parse().unwrap();
        let text = std::fs::read_to_string(data().join("orbits/starlink-2026-05-21.tle")).unwrap();
        let elements: Vec<Elements> = parse(&text, Format::Tle).unwrap();
        let in_service: Vec<bool> = elements
            .iter()
            .map(|e| (455e3..580e3).contains(&e.altitude_m()))
            .collect();
        let lasers = plus_grid(&elements, &in_service, start.into());
        let pops: Vec<PointOfPresence> = rows("ground/pops.csv")
            .iter()
            .filter(|r| &r[6] == "listed")
            .map(|r| PointOfPresence {
                code: r[0].into(),
                city: r[1].into(),
                place: place(&r[3], &r[4]),
            })
            .collect();
        let profile = Profile::builtin("starlink-mixed").unwrap();
        let gateways: Vec<Gateway> = rows("ground/gateways.csv")
            .iter()
            .filter(|r| ["live", "presumed live", "built", "construction"].contains(&&r[4]))
            .map(|r| Gateway {
                name: r[1].into(),
                place: place(&r[2], &r[3]),
                antennas: r[6]
                    .parse::<f64>()
                    .map_or(profile.feeder.default_antennas, |n| n as u32),
                min_elevation_rad: r[10].parse::<f64>().ok().map(f64::to_radians),
            })
            .collect();
        let first = Inputs {
            epoch: EpochNumber::containing(start.into()),
            profile: Arc::new(profile),
            preference: Preference::Capacity,
            cells: cells(terminals, ask_kbps, &pops, within).into(),
            live: [].into(),
            satellites: Vec::new(),
            gateways: gateways.into(),
            pops: pops.into(),
            lasers: lasers.into(),
            weather: Default::default(),
        };
        Self {
            sky: Sky::new(&elements).unwrap(),
            in_service,
            first,
        }
    }

    /// A live terminal at a place, counted in its cell.
    pub(crate) fn add_live(&mut self, place: Geodetic, ask_kbps: u32) {
        let cell = h3o::LatLng::from_radians(place.lat_rad, place.lon_rad)
            .unwrap()
            .to_cell(h3o::Resolution::Five);
        let cell = CellId(cell.into());
        let mut cells = self.first.cells.to_vec();
        let i = cells
            .binary_search_by_key(&cell, |c| c.id)
            .expect("live terminals of tests stand in cells with demand");
        cells[i].terminals += 1;
        cells[i].demand_kbps += u64::from(ask_kbps);
        self.first.cells = cells.into();
        let mut live = self.first.live.to_vec();
        live.push(LiveTerminal {
            obstructions: std::sync::Arc::default(),
            id: TerminalId(live.len() as u32),
            place,
            cell,
            ask_kbps,
            most_up_kbps: u32::MAX,
            access: Access::Full,
        });
        self.first.live = live.into();
    }

    /// The inputs of the `n`-th epoch.
    pub(crate) fn inputs(&self, n: i64) -> Inputs {
        let epoch = EpochNumber(self.first.epoch.0 + n);
        let (start, end) = (
            self.sky.ecef_all(epoch.start()),
            self.sky.ecef_all(epoch.end()),
        );
        let satellites = (0..self.sky.len())
            .filter(|&i| self.in_service[i])
            .filter_map(|i| {
                Some(SatelliteState {
                    id: SatId(i as u32),
                    start: start[i]?,
                    end: end[i]?,
                })
            })
            .collect();
        Inputs {
            epoch,
            satellites,
            ..self.first.clone()
        }
    }
}

fn place(lat: &str, lon: &str) -> Geodetic {
    Geodetic::from_degrees(lat.parse().unwrap(), lon.parse().unwrap()).unwrap()
}

/// Terminals by population, rounded so that their sum is right; a cell of resolution 4 shares its people with its children.
fn cells(
    terminals: u64,
    ask_kbps: u64,
    pops: &[PointOfPresence],
    within: impl Fn(Geodetic) -> bool,
) -> Vec<Cell> {
    let mut people: Vec<(u64, u64)> = Vec::new();
    for r in rows("population/world_h3r4.csv") {
        let parent: h3o::CellIndex = r[0].parse().unwrap();
        let count: u64 = r[2].parse().unwrap();
        let children: Vec<_> = parent.children(h3o::Resolution::Five).collect();
        let n = children.len() as u64;
        people.extend(children.into_iter().map(|c| (u64::from(c), count / n)));
    }
    people.sort_unstable();
    people.dedup_by_key(|p| p.0);
    let all: u64 = people.iter().map(|p| p.1).sum();
    let mut before = 0;
    let mut cells = Vec::new();
    for (id, count) in people {
        let share =
            |people: u64| (u128::from(terminals) * u128::from(people) / u128::from(all)) as u32;
        let here = share(before + count) - share(before);
        before += count;
        let centre = h3o::LatLng::from(h3o::CellIndex::try_from(id).unwrap());
        let centre = Geodetic {
            lat_rad: centre.lat_radians(),
            lon_rad: centre.lng_radians(),
            height_m: 0.0,
        };
        if here == 0 || !within(centre) {
            continue;
        }
        let nearest = (0..pops.len()).min_by(|&a, &b| {
            great_circle_m(centre, pops[a].place).total_cmp(&great_circle_m(centre, pops[b].place))
        });
        cells.push(Cell {
            id: CellId(id),
            centre,
            terminals: here,
            demand_kbps: u64::from(here) * ask_kbps,
            pop: PopId(nearest.expect("there are points of presence") as u32),
        });
    }
    cells
}
