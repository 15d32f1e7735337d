//! The national capacity instances of the reference data, read from their files.

#![allow(clippy::disallowed_methods)] // Tests read files.

use flate2::read::GzDecoder;
use skyweave_base::{CellId, EpochNumber, Geodetic, PopId, SatId, Utc};
use skyweave_orbit::{Format, Sky, parse};
use skyweave_plan::{
    BeamPlan, Cell, CellAsk, Csr, Gateway, GatewayLimit, Inputs, Instance, Network,
    PointOfPresence, Preference, Rates, Reach, SatelliteState,
};
use skyweave_radio::{LinkLimit, Profile, RateModel};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const SATELLITES: usize = 6_364;
pub(crate) const GATEWAYS: usize = 198;
pub(crate) const SLOT_KBPS: u64 = 1_280_000;
pub(crate) const TERMINAL_KBPS: u64 = 100_000;
pub(crate) const GATEWAY_KBPS: u64 = 166_400_000;
pub(crate) const FEEDER_KBPS: u64 = 20_800_000;
pub(crate) const LASER_KBPS: u64 = 100_000_000;
pub(crate) const CHANNELS: usize = 8;
pub(crate) const BEAMS_PER_CHANNEL: usize = 4;

fn folder() -> Option<PathBuf> {
    // Beside the checkout, wherever in it the package that includes this stands.
    let beside = || {
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let mut found = folders
            .map(|f| f.join("shared"))
            .filter(|f| f.join("reference").is_dir());
        found.next().unwrap_or_else(|| "../shared".into())
    };
    let root = std::env::var_os("SKYWEAVE_SHARED").map_or_else(beside, PathBuf::from);
    let folder = root.join("reference/national");
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: the national instances are not at {}",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

fn rows(path: PathBuf) -> Vec<Vec<String>> {
    let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    csv::Reader::from_reader(GzDecoder::new(file))
        .records()
        .map(|r| r.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// An instance as its files state it; cells without terminals are left out.
pub(crate) struct National {
    pub(crate) h3: Vec<u64>,
    pub(crate) terminals: Vec<u32>,
    /// Satellites of each cell.
    pub(crate) reach: Vec<BTreeSet<u32>>,
    pub(crate) gateway_satellites: BTreeSet<(u32, u32)>,
    pub(crate) lasers: BTreeSet<(u32, u32)>,
}

impl National {
    /// Nothing, with a line that says so, where the reference data is absent.
    pub(crate) fn read(name: &str) -> Option<Self> {
        let folder = folder()?;
        let number = |s: &String| s.parse::<u32>().unwrap();
        let h3 = |s: &String| u64::from_str_radix(s, 16).unwrap();
        let cells: BTreeMap<u64, u32> = rows(folder.join(format!("{name}_cells.csv.gz")))
            .iter()
            .map(|r| (h3(&r[0]), number(&r[2])))
            .filter(|&(_, terminals)| terminals > 0)
            .collect();
        let index: BTreeMap<u64, usize> = cells.keys().enumerate().map(|(i, &h)| (h, i)).collect();
        let mut reach = vec![BTreeSet::new(); cells.len()];
        for r in rows(folder.join(format!("{name}_cell_satellites.csv.gz"))) {
            if let Some(&c) = index.get(&h3(&r[0])) {
                reach[c].insert(number(&r[1]));
            }
        }
        let pairs = |file: &str| -> BTreeSet<(u32, u32)> {
            rows(folder.join(file))
                .iter()
                .map(|r| (number(&r[0]), number(&r[1])))
                .collect()
        };
        Some(Self {
            h3: cells.keys().copied().collect(),
            terminals: cells.values().copied().collect(),
            reach,
            gateway_satellites: pairs("gateway_satellites.csv.gz"),
            lasers: pairs("isls.csv.gz")
                .into_iter()
                .map(|(a, b)| (a.min(b), a.max(b)))
                .collect(),
        })
    }

    pub(crate) fn neighbours(&self, c: usize) -> Vec<usize> {
        let cell = h3o::CellIndex::try_from(self.h3[c]).unwrap();
        let ring: Vec<h3o::CellIndex> = cell.grid_disk(1);
        ring.into_iter()
            .filter(|&n| n != cell)
            .filter_map(|n| self.h3.binary_search(&u64::from(n)).ok())
            .collect()
    }

    pub(crate) fn instance(&self) -> Instance {
        let beams = BeamPlan {
            channels: CHANNELS as u8,
            beams_per_channel: BEAMS_PER_CHANNEL as u8,
            time_slices: 1,
        };
        let mut satellites = Csr::default();
        let mut neighbours = Csr::default();
        for c in 0..self.h3.len() {
            satellites.push_row(self.reach[c].iter().copied());
            neighbours.push_row(self.neighbours(c).into_iter().map(|n| n as u32));
        }
        let mut gateways_of = vec![Vec::new(); SATELLITES];
        for &(g, s) in &self.gateway_satellites {
            gateways_of[s as usize].push(g);
        }
        let mut of = Csr::default();
        gateways_of.into_iter().for_each(|row| of.push_row(row));
        Instance {
            beams,
            cells: self
                .terminals
                .iter()
                .map(|&t| CellAsk::new(t, u64::from(t) * TERMINAL_KBPS, SLOT_KBPS as u32, beams))
                .collect(),
            reach: Reach {
                preference_weight: 0.25,
                preference: vec![0; satellites.count()],
                satellites,
                rates: Rates::Fixed(SLOT_KBPS as u32),
                far: Vec::new(),
            },
            neighbours: Arc::new(neighbours),
            network: Network {
                satellites: SATELLITES,
                gateways: vec![
                    GatewayLimit {
                        total_kbps: GATEWAY_KBPS,
                        satellites: None
                    };
                    GATEWAYS
                ],
                gateways_of: of,
                lasers: self.lasers.iter().copied().collect(),
                antenna_kbps: FEEDER_KBPS,
                feeder_kbps: Vec::new(),
                satellite_kbps: FEEDER_KBPS,
                laser_kbps: LASER_KBPS,
            },
        }
    }

    /// The instance from its elements: satellites move, so that what stands in reach is found out, and for a whole epoch. Its bounds
    /// of range are those of 25 degrees of elevation.
    pub(crate) fn sky(&self) -> NationalSky {
        let folder = folder().expect("the instance was read from it");
        let mut text = String::new();
        GzDecoder::new(File::open(folder.join("starlink_5shells.tle.gz")).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        // The first line is the size of the first shell.
        let (_, sets) = text.split_once('\n').unwrap();
        let elements = parse(sets, Format::Tle).unwrap();
        let start: Utc = "2022-01-01T00:00:12Z".parse().unwrap();
        let limit = LinkLimit::Elevation {
            min_elevation_rad: 25.0_f64.to_radians(),
            gso_exclusion_rad: 0.0,
        };
        let mut profile = Profile::builtin("starlink").unwrap();
        profile.user.limit = limit;
        profile.user.channels = CHANNELS as u8;
        profile.user.beams_per_channel = BEAMS_PER_CHANNEL as u8;
        profile.user.time_slices = 1;
        profile.user.down = RateModel::Fixed(SLOT_KBPS as u32);
        profile.user.up = RateModel::Fixed(SLOT_KBPS as u32);
        profile.feeder.limit = limit;
        profile.feeder.antenna_kbps = FEEDER_KBPS;
        profile.feeder.up = None;
        profile.feeder.satellite_kbps = FEEDER_KBPS;
        profile.feeder.antennas_track_one_satellite = false;
        profile.laser.kbps = LASER_KBPS;
        let place = |lat: f64, lon: f64| Geodetic::from_degrees(lat, lon).unwrap();
        let mut gateways = csv::Reader::from_path(folder.join("gateways.csv")).unwrap();
        let gateways = gateways.records().map(|r| {
            let r = r.unwrap();
            Gateway {
                name: r[1].to_owned(),
                place: place(r[2].parse().unwrap(), r[3].parse().unwrap()),
                antennas: (GATEWAY_KBPS / FEEDER_KBPS) as u32,
                min_elevation_rad: None,
            }
        });
        let cells = self
            .h3
            .iter()
            .zip(&self.terminals)
            .map(|(&id, &terminals)| {
                let centre = h3o::LatLng::from(h3o::CellIndex::try_from(id).unwrap());
                Cell {
                    id: CellId(id),
                    centre: place(centre.lat(), centre.lng()),
                    terminals,
                    demand_kbps: u64::from(terminals) * TERMINAL_KBPS,
                    pop: PopId(0),
                }
            });
        let lasers = self.lasers.iter().map(|&(a, b)| (SatId(a), SatId(b)));
        NationalSky {
            sky: Sky::new(&elements).unwrap(),
            first: Inputs {
                epoch: EpochNumber::containing(start.into()),
                profile: Arc::new(profile),
                preference: Preference::Capacity,
                cells: cells.collect(),
                live: [].into(),
                satellites: Vec::new(),
                gateways: gateways.collect(),
                pops: [PointOfPresence {
                    code: "one".into(),
                    city: "one".into(),
                    place: place(51.5, 0.0),
                }]
                .into(),
                lasers: lasers.collect(),
                weather: Default::default(),
            },
        }
    }
}

/// A national instance whose satellites move.
pub(crate) struct NationalSky {
    sky: Sky,
    first: Inputs,
}

impl NationalSky {
    /// The inputs of the `n`-th epoch.
    pub(crate) fn inputs(&self, n: i64) -> Inputs {
        let epoch = EpochNumber(self.first.epoch.0 + n);
        let (start, end) = (
            self.sky.ecef_all(epoch.start()),
            self.sky.ecef_all(epoch.end()),
        );
        let state = |i: usize| SatelliteState {
            id: SatId(i as u32),
            start: start[i].expect("the model holds for these elements"),
            end: end[i].expect("the model holds for these elements"),
        };
        Inputs {
            epoch,
            satellites: (0..self.sky.len()).map(state).collect(),
            ..self.first.clone()
        }
    }
}
