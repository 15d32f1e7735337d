//! The planner's choices beside those of the real scheduler, as measured at one terminal.
//!
//! A measurement is a table of candidates and chosen satellites by elevation and azimuth, and one of how long each stayed. Of
//! the candidates only their shares are used: they say how much of each part of the sky the terminal's field of view holds
//! and lets through. Satellites are thinned to that, each always or never within a part of the sky, and the planner chooses among
//! the rest for one cell, epoch after epoch. What it chose is then compared with what was chosen.

use crate::problem::{Location, Problems};
use crate::table::{read_csv, required};
use crate::world::World;
use core::f64::consts::TAU;
use skyweave_base::{CellId, Ecef, Enu, EpochNumber, Geodetic, PopId, SatId, Seed, great_circle_m};
use skyweave_plan::{Cell, Inputs, Planner, Preference};
use std::collections::BTreeMap;

/// Degrees of elevation in a bin.
const BIN_DEG: f64 = 5.0;
/// Azimuths by eighths of a turn, the first around north.
pub const OCTANTS: [&str; 8] = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
/// What the one cell holds: far less than a beam carries, so that only preference decides.
const TERMINALS: u32 = 10;
const TERMINAL_KBPS: u64 = 2_000;
/// Parts of the sky with fewer satellites than this over all epochs say nothing of how open the view is.
const LEAST_SEEN: f64 = 100.0;

/// A part of the sky: bin of elevation and octant.
type Part = (u8, u8);

/// What was measured at one terminal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// By part of the sky: candidates, and of these the chosen.
    parts: BTreeMap<Part, (u64, u64)>,
    /// By the number of epochs in a row on one satellite.
    dwell: BTreeMap<u32, u64>,
}

impl Measured {
    /// Reads both tables. Choice: CSV with `elevation_bin_deg` (lower edge of 5 degrees), `azimuth_octant` (N to NW), `candidates` and
    /// `selected`. Dwell: CSV with `consecutive_15s_slots_on_same_satellite` and `occurrences`.
    pub fn parse(
        (choice_file, choice): (&str, &[u8]),
        (dwell_file, dwell): (&str, &[u8]),
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut measured = Self::default();
        let columns = [
            required(&["elevation_bin_deg"]),
            required(&["azimuth_octant"]),
            required(&["candidates"]),
            required(&["selected"]),
        ];
        read_csv(choice_file, choice, &columns, &mut problems, |row| {
            let elevation_deg = row.required_number(0, 0.0..=90.0);
            let octant = row.required_text(1);
            let candidates = row.required_number(2, 0..=u64::MAX >> 16);
            let selected = row.required_number(3, 0..=u64::MAX >> 16);
            let octant = octant.and_then(|name| {
                let found = OCTANTS.iter().position(|o| *o == name);
                if found.is_none() {
                    row.error(1, &format!("`{name}` is none of {}", OCTANTS.join(", ")));
                }
                found
            });
            if let (Some(deg), Some(octant), Some(candidates), Some(selected)) =
                (elevation_deg, octant, candidates, selected)
            {
                let part = ((deg / BIN_DEG) as u8, octant as u8);
                let sums = measured.parts.entry(part).or_default();
                *sums = (sums.0 + candidates, sums.1 + selected);
            }
        });
        let columns = [
            required(&["consecutive_15s_slots_on_same_satellite"]),
            required(&["occurrences"]),
        ];
        read_csv(dwell_file, dwell, &columns, &mut problems, |row| {
            let slots = row.required_number(0, 1..=1_000_000);
            let times = row.required_number(1, 0..=u64::MAX >> 16);
            if let (Some(slots), Some(times)) = (slots, times) {
                *measured.dwell.entry(slots).or_default() += times;
            }
        });
        let chosen: u64 = measured.parts.values().map(|p| p.1).sum();
        for (file, sum, what) in [
            (choice_file, chosen, "satellite was selected"),
            (
                dwell_file,
                measured.dwell.values().sum(),
                "stay was counted",
            ),
        ] {
            if sum == 0 && !problems.has_errors() {
                problems.push(Location::file(file).error(format!("no {what}")));
            }
        }
        match problems.has_errors() {
            true => Err(problems),
            false => Ok(measured),
        }
    }
}

/// One distribution measured and planned, as shares of their sums.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// What is counted, ascending: (bin, measured, planned).
    pub bins: Vec<(u32, f64, f64)>,
}

impl Shares {
    fn new(measured: &BTreeMap<u32, u64>, planned: &BTreeMap<u32, u64>) -> Self {
        let sum = |counts: &BTreeMap<u32, u64>| counts.values().sum::<u64>().max(1) as f64;
        let sums = (sum(measured), sum(planned));
        let mut bins: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for (&bin, &n) in measured {
            bins.entry(bin).or_default().0 += n as f64 / sums.0;
        }
        for (&bin, &n) in planned {
            bins.entry(bin).or_default().1 += n as f64 / sums.1;
        }
        Self {
            bins: bins.into_iter().map(|(bin, (m, p))| (bin, m, p)).collect(),
        }
    }

    /// The total-variation distance: the largest difference that any set of bins has, from 0 to 1.
    pub fn total_variation(&self) -> f64 {
        self.bins.iter().map(|b| (b.1 - b.2).abs()).sum::<f64>() / 2.0
    }
}

/// The planner's choices beside the measured ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Candidates by elevation (lower edge of the bin, degrees): how like the sky is.
    pub candidates: Shares,
    /// Chosen satellites by elevation (lower edge of the bin, degrees).
    pub elevation: Shares,
    /// Chosen satellites by azimuth (position in [`OCTANTS`]).
    pub azimuth: Shares,
    /// Stays by their length in epochs.
    pub dwell: Shares,
    /// Epochs in which the cell was served.
    pub served: u64,
}

/// Plans `epochs` epochs for one cell at a place, under the world's sky as the measured terminal sees it.
pub fn compare(
    world: &World,
    place: Geodetic,
    measured: &Measured,
    preference: Preference,
    epochs: u32,
) -> Comparison {
    let first = world.first_epoch();
    let here = Enu::at(place);
    let inputs = |n: u32| {
        let epoch = EpochNumber(first.0 + i64::from(n));
        alone(world, place, epoch, preference)
    };
    let openness = openness(measured, (0..epochs).map(inputs), &here);
    let mut candidates: BTreeMap<Part, u64> = BTreeMap::new();
    let mut chosen: BTreeMap<Part, u64> = BTreeMap::new();
    let mut dwell: BTreeMap<u32, u64> = BTreeMap::new();
    let mut planner = Planner::default();
    let mut previous = None;
    let mut stay: Option<(SatId, u32)> = None;
    let mut served = 0;
    for mut inputs in (0..epochs).map(inputs) {
        inputs.satellites.retain(|s| {
            let Some(part) = part_of(&here, middle(s.start, s.end)) else {
                return false;
            };
            let open = openness.get(&part).copied().unwrap_or(0.0);
            let seed = Seed::root(world.seed()).child("view", s.id.0.into());
            let sees = seed.rng().next_f64() < open;
            if sees {
                *candidates.entry(part).or_default() += 1;
            }
            sees
        });
        let plan = planner.plan(&inputs, previous.as_ref());
        let satellite = plan.slots.first().map(|slot| slot.satellite);
        stay = match (stay, satellite) {
            (Some((before, n)), Some(now)) if before == now => Some((now, n + 1)),
            (before, now) => {
                if let Some((_, n)) = before {
                    *dwell.entry(n).or_default() += 1;
                }
                now.map(|now| (now, 1))
            }
        };
        if let Some(id) = satellite {
            served += 1;
            let i = inputs.satellites.binary_search_by_key(&id, |s| s.id);
            let state = &inputs.satellites[i.expect("plans name satellites of their inputs")];
            if let Some(part) = part_of(&here, middle(state.start, state.end)) {
                *chosen.entry(part).or_default() += 1;
            }
        }
        previous = Some(plan);
    }
    let of = |count: fn(&(u64, u64)) -> u64, key: fn(&Part) -> u32| {
        let mut sums = BTreeMap::new();
        for (part, counts) in &measured.parts {
            *sums.entry(key(part)).or_default() += count(counts);
        }
        sums
    };
    let sums = |parts: &BTreeMap<Part, u64>, key: fn(&Part) -> u32| {
        let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
        for (part, n) in parts {
            *sums.entry(key(part)).or_default() += n;
        }
        sums
    };
    let elevation: fn(&Part) -> u32 = |part| u32::from(part.0) * BIN_DEG as u32;
    let azimuth: fn(&Part) -> u32 = |part| part.1.into();
    Comparison {
        candidates: Shares::new(&of(|c| c.0, elevation), &sums(&candidates, elevation)),
        elevation: Shares::new(&of(|c| c.1, elevation), &sums(&chosen, elevation)),
        azimuth: Shares::new(&of(|c| c.1, azimuth), &sums(&chosen, azimuth)),
        dwell: Shares::new(&measured.dwell, &dwell),
        served,
    }
}

/// The inputs of an epoch with one cell and nothing else on the ground that asks.
fn alone(world: &World, place: Geodetic, epoch: EpochNumber, preference: Preference) -> Inputs {
    let inputs = world.inputs(epoch);
    let pop = (0..inputs.pops.len()).min_by(|&a, &b| {
        let distance = |i: usize| great_circle_m(place, inputs.pops[i].place);
        distance(a).total_cmp(&distance(b))
    });
    // Not an H3 index: the cell is where the terminal stands, and it has no neighbours.
    let cell = Cell {
        id: CellId(1),
        centre: place,
        terminals: TERMINALS,
        demand_kbps: u64::from(TERMINALS) * TERMINAL_KBPS,
        pop: PopId(pop.unwrap_or(0) as u32),
    };
    Inputs {
        preference,
        cells: [cell].into(),
        live: [].into(),
        weather: skyweave_plan::Weather::default(),
        ..inputs
    }
}

/// Which part of the satellites the terminal sees in each part of the sky: measured candidates beside all that stand there, in
/// relation to the part that is most open.
fn openness(
    measured: &Measured,
    inputs: impl Iterator<Item = Inputs>,
    here: &Enu,
) -> BTreeMap<Part, f64> {
    let mut there: BTreeMap<Part, f64> = BTreeMap::new();
    for state in inputs.flat_map(|i| i.satellites) {
        if let Some(part) = part_of(here, middle(state.start, state.end)) {
            *there.entry(part).or_default() += 1.0;
        }
    }
    let ratio = |part: &Part| {
        let candidates = measured.parts.get(part).map_or(0, |p| p.0);
        Some(candidates as f64 / there.get(part)?)
    };
    let mut ratios: Vec<f64> = (there.iter())
        .filter(|(_, n)| **n >= LEAST_SEEN)
        .filter_map(|(part, _)| ratio(part))
        .collect();
    ratios.sort_by(f64::total_cmp);
    // The tenth part of the sky that is most open is all seen: a maximum would follow chance.
    let most = ratios
        .get(ratios.len() * 9 / 10)
        .copied()
        .unwrap_or(1.0)
        .max(1e-9);
    let open = |part: &Part| ratio(part).map(|r| (r / most).min(1.0));
    there
        .keys()
        .filter_map(|part| Some((*part, open(part)?)))
        .collect()
}

fn middle(start: Ecef, end: Ecef) -> Ecef {
    Ecef((start.0 + end.0) * 0.5)
}

/// The part of the sky where a position stands; none below the horizon.
fn part_of(here: &Enu, position: Ecef) -> Option<Part> {
    let look = here.look(position);
    let elevation_deg = look.elevation_rad.to_degrees();
    let octant = (look.azimuth_rad / TAU * 8.0).round() as u8 % 8;
    (elevation_deg >= 0.0).then_some(((elevation_deg / BIN_DEG) as u8, octant))
}
