//! Plans, and the linear-programming relaxation of the same epochs for a solver: no plan delivers more.
//!
//! `cargo run --release -p skyweave-plan --example bound -- DIR` plans the published national instances and some countries
//! under the real sky, and writes a relaxation of each into DIR as an MPS file; `scripts/bound/solve` does this, solves them with
//! HiGHS and prints the ratios.
//!
//! Variables are d(c,s), what satellite s brings to cell c, and the flows of feeder links and lasers, Mbit/s. A beam on a pair
//! with rate r carries r in all its T time slices, so that d takes d T / r slices of it.
//! - A cell: Σ_s d(c,s) ≤ its demand; Σ_s d(c,s) T / r(c,s) ≤ channels × T, each channel once.
//! - A satellite: Σ_c d(c,s) T / r(c,s) ≤ the slices of all its beams; what comes from gateways and lasers less what goes on
//!   over lasers is Σ_c d(c,s).
//! - Feeder links, satellites, gateways and lasers carry no more than they can; a gateway's antennas divide their time.
//!
//! Left out, so that this is a bound and not a plan: whole slices and slots, which channel is which, neighbours, that an
//! antenna tracks one satellite, and that every cell must be served. `NAME.antennas.mps` has only the feeder links that the plan's
//! antennas track: where its optimum is the same, neither that rule nor the planner's choice costs anything.
//!
//! `small.integer.mps` is the whole problem of a small instance in overload, slots and slices, channels and neighbours included: x(c,s,k,b),
//! whole slices of beam b of satellite s on channel k that serve cell c, and z(c,s,k,b), whether there are any.
//! - x ≤ T z; a beam has Σ_c x ≤ T; a cell has each channel once, Σ_s,b z ≤ 1, no more slots than terminals, and at least one slice;
//!   neighbours c, c' have no two beams of a satellite on a channel, z(c,s,k,b) + z(c',s,k,b') ≤ 1 for b ≠ b'.
//! - d(c,s) ≤ Σ_k,b x r / T, and d goes on as above.

#![allow(clippy::disallowed_methods)] // Examples write files.

#[path = "../tests/common/national.rs"]
#[allow(dead_code)]
mod national;
#[path = "../tests/common/region.rs"]
#[allow(dead_code)]
mod region;
#[path = "../tests/common/world.rs"]
#[allow(dead_code)]
mod world;

use skyweave_base::{Geodetic, great_circle_m};
use skyweave_plan::{Cell, Instance, Kept, Solution, solve};
use skyweave_radio::Profile;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("usage: bound DIR   (writes an MPS file for each instance)");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for name in ["britain_200000", "lithuania_50000"] {
        if let Some(national) = national::National::read(name) {
            compare(name, &national.instance(), &folder);
            // The same from its elements, where links must stand for a whole epoch.
            let inputs = national.sky().inputs(0);
            let epoch = format!("{name}_epoch");
            compare(&epoch, &skyweave_plan::instance(&inputs), &folder);
        }
    }
    for region in &region::REGIONS {
        for ask_kbps in region::ASKS_KBPS {
            let world = region.world(ask_kbps);
            // In overload of two countries three other times of the day too.
            let is_long = ["JP", "NG"].iter().any(|c| region.has(c)) && ask_kbps > 2_000;
            let hours: &[i64] = if is_long { &[0, 5, 11, 17] } else { &[0] };
            for hour in hours {
                let later = if *hour > 0 {
                    format!("_{hour}_h_later")
                } else {
                    String::new()
                };
                let name = format!("{}_{}_mbit_s{later}", region.name, ask_kbps / 1000);
                let instance = skyweave_plan::instance(&world.inputs(240 * hour));
                compare(&name.replace(' ', "_"), &instance, &folder);
            }
        }
    }
    let small = small();
    compare("small", &small, &folder);
    std::fs::write(folder.join("small.integer.mps"), integer(&small))
        .expect("the folder can be written");
}

/// The cells within 45 km of Tokyo, four of the satellites that most of them see, and two beams of four slices on each of two channels: small
/// enough for the integer optimum, and asked a third more than it can carry.
fn small() -> Instance {
    const SATELLITES: usize = 4;
    let japan = region::REGIONS.iter().find(|r| r.has("JP"));
    let mut inputs = japan.expect("Japan is a region").world(1_500).inputs(0);
    let tokyo = Geodetic::from_degrees(35.68, 139.77).expect("a place");
    let near = |c: &&Cell| great_circle_m(c.centre, tokyo) < 45e3;
    inputs.cells = inputs.cells.iter().filter(near).copied().collect();
    let mut profile = Profile::clone(&inputs.profile);
    profile.user.channels = 2;
    profile.user.beams_per_channel = 2;
    profile.user.time_slices = 4;
    inputs.profile = profile.into();
    let seen = skyweave_plan::instance(&inputs).reach.satellites;
    let mut seen_by = vec![0; inputs.satellites.len()];
    (0..inputs.cells.len())
        .for_each(|c| seen.row(c).iter().for_each(|&s| seen_by[s as usize] += 1));
    let mut best: Vec<usize> = (0..seen_by.len()).collect();
    best.sort_by_key(|&s| (core::cmp::Reverse(seen_by[s]), s));
    best.truncate(SATELLITES);
    best.sort_unstable();
    inputs.satellites = best.iter().map(|&s| inputs.satellites[s]).collect();
    // So many antennas that each may track all satellites: that rule takes nothing here.
    let mut gateways = inputs.gateways.to_vec();
    for gateway in gateways.iter_mut().filter(|g| g.antennas > 0) {
        gateway.antennas = gateway.antennas.max(SATELLITES as u32);
    }
    inputs.gateways = gateways.into();
    skyweave_plan::instance(&inputs)
}

/// Plans, writes the relaxation, and prints a line for the script: name, cells, cells served and reachable, Gbit/s delivered and
/// asked.
fn compare(name: &str, instance: &Instance, folder: &Path) {
    let solution = solve(instance, &Kept::default());
    let (served, reachable) = served(instance, &solution);
    let delivered: u64 = (solution.slots.iter())
        .map(|s| u64::from(s.delivered_kbps))
        .sum();
    let asked: u64 = instance.cells.iter().map(|c| c.demand_kbps).sum();
    println!(
        "{name} {} {served} {reachable} {:.3} {:.3}",
        instance.cells.len(),
        delivered as f64 / 1e6,
        asked as f64 / 1e6
    );
    let feeders = |only| relaxation(instance, only);
    for (suffix, text) in [
        ("", feeders(None)),
        (".antennas", feeders(Some(&solution.feeders))),
    ] {
        let file = folder.join(format!("{name}{suffix}.mps"));
        std::fs::write(file, text).expect("the folder can be written");
    }
}

/// Cells that get something, and those that see a satellite with a way to the ground.
fn served(instance: &Instance, solution: &Solution) -> (usize, usize) {
    let mut delivered = vec![0_u64; instance.cells.len()];
    for slot in &solution.slots {
        delivered[slot.cell as usize] += u64::from(slot.delivered_kbps);
    }
    let reachable = (0..instance.cells.len()).filter(|&c| {
        let row = instance.reach.satellites.row(c);
        row.iter().any(|&s| solution.grounded[s as usize])
    });
    let served = delivered.iter().filter(|&&kbps| kbps > 0).count();
    (served, reachable.count())
}

/// A program in the making: rows first, as MPS wants it.
#[derive(Default)]
struct Program {
    /// Upper bound of each row; `None`: the row is zero.
    rows: Vec<Option<f64>>,
    columns: String,
    bounds: String,
    count: usize,
}

impl Program {
    fn row(&mut self, most: Option<f64>) -> usize {
        self.rows.push(most);
        self.rows.len() - 1
    }

    /// A column of whole numbers up to `most`.
    fn whole(&mut self, most: u32, entries: &[(usize, f64)]) -> usize {
        let marker = |kind| format!(" marker 'MARKER' '{kind}'\n");
        self.columns += &marker("INTORG");
        self.column(0.0, 0.0, Some(most.into()), entries);
        self.columns += &marker("INTEND");
        self.count - 1
    }

    /// A column with its place in the objective, which is to be the least, and its place in rows.
    fn column(&mut self, cost: f64, least: f64, most: Option<f64>, entries: &[(usize, f64)]) {
        let x = self.count;
        self.count += 1;
        let out = &mut self.columns;
        if cost != 0.0 {
            writeln!(out, " x{x} cost {cost}").expect("text grows");
        }
        for &(row, value) in entries {
            writeln!(out, " x{x} r{row} {value}").expect("text grows");
        }
        if least != 0.0 {
            writeln!(self.bounds, " LO b x{x} {least}").expect("text grows");
        }
        if let Some(most) = most {
            writeln!(self.bounds, " UP b x{x} {most}").expect("text grows");
        }
    }

    /// Free MPS.
    fn text(&self) -> String {
        let mut out = "NAME relaxation\nROWS\n N cost\n".to_owned();
        for (i, row) in self.rows.iter().enumerate() {
            let kind = if row.is_some() { 'L' } else { 'E' };
            writeln!(out, " {kind} r{i}").expect("text grows");
        }
        out += "COLUMNS\n";
        out += &self.columns;
        out += "RHS\n";
        for (i, row) in self.rows.iter().enumerate() {
            if let Some(most) = row {
                writeln!(out, " rhs r{i} {most}").expect("text grows");
            }
        }
        out += "BOUNDS\n";
        out += &self.bounds;
        out + "ENDATA\n"
    }
}

/// The whole problem.
fn integer(instance: &Instance) -> String {
    let (reach, beams) = (&instance.reach, instance.beams);
    let slices = f64::from(beams.time_slices);
    let (channels, per_channel) = (
        usize::from(beams.channels),
        usize::from(beams.beams_per_channel),
    );
    let satellites = instance.network.satellites;
    let mut program = Program::default();
    let ways = Ways::of(&mut program, instance);
    let mut rows =
        |n: usize, most: f64| -> Vec<usize> { (0..n).map(|_| program.row(Some(most))).collect() };
    let beam = rows(satellites * channels * per_channel, slices);
    let once = rows(instance.cells.len() * channels, 1.0);
    let slots: Vec<usize> = instance
        .cells
        .iter()
        .map(|c| rows(1, beams.most_of_cell(c.terminals).into())[0])
        .collect();
    let demand: Vec<usize> = instance
        .cells
        .iter()
        .map(|c| rows(1, mbps(c.demand_kbps))[0])
        .collect();
    // At least one slice.
    let some: Vec<usize> = (0..instance.cells.len())
        .map(|c| {
            rows(
                1,
                if reach.satellites.row(c).is_empty() {
                    0.0
                } else {
                    -1.0
                },
            )[0]
        })
        .collect();
    // Of each pair and channel and beam the rows in which z stands for the sake of neighbours.
    let pairs: usize = (0..instance.cells.len())
        .map(|c| reach.satellites.row(c).len())
        .sum();
    let mut apart = vec![Vec::new(); pairs * channels * per_channel];
    let at = |pair: usize, k: usize, b: usize| (pair * channels + k) * per_channel + b;
    for c in 0..instance.cells.len() {
        for &other in instance
            .neighbours
            .row(c)
            .iter()
            .filter(|&&o| (o as usize) > c)
        {
            for (i, s) in reach.satellites.range(c).zip(reach.satellites.row(c)) {
                let theirs = reach.satellites.range(other as usize);
                let mut theirs = theirs.zip(reach.satellites.row(other as usize));
                let Some((j, _)) = theirs.find(|(_, t)| *t == s) else {
                    continue;
                };
                for k in 0..channels {
                    for (b, d) in (0..per_channel)
                        .flat_map(|b| (0..per_channel).map(move |d| (b, d)))
                        .filter(|(b, d)| b != d)
                    {
                        let row = program.row(Some(1.0));
                        apart[at(i, k, b)].push((row, 1.0));
                        apart[at(j, k, d)].push((row, 1.0));
                    }
                }
            }
        }
    }
    for c in 0..instance.cells.len() {
        for (i, &s) in reach.satellites.range(c).zip(reach.satellites.row(c)) {
            let s = s as usize;
            let rate = mbps(reach.rates.of_pair(i).into());
            let brings = program.row(Some(0.0));
            program.column(
                -1.0,
                0.0,
                None,
                &[(demand[c], 1.0), (brings, 1.0), (ways.balance[s], -1.0)],
            );
            for (k, b) in (0..channels).flat_map(|k| (0..per_channel).map(move |b| (k, b))) {
                let taken = program.row(Some(0.0));
                let x = [
                    (taken, 1.0),
                    (beam[(s * channels + k) * per_channel + b], 1.0),
                    (some[c], -1.0),
                    (brings, -rate / slices),
                ];
                program.whole(beams.time_slices.into(), &x);
                let mut z = vec![
                    (taken, -slices),
                    (once[c * channels + k], 1.0),
                    (slots[c], 1.0),
                ];
                z.append(&mut apart[at(i, k, b)]);
                program.whole(1, &z);
            }
        }
    }
    ways.columns(&mut program, instance, None);
    program.text()
}

/// Rows of how traffic comes to satellites, which is alike in both programs.
struct Ways {
    /// Of each satellite: what comes less what goes on less what it brings to cells.
    balance: Vec<usize>,
    fed: Vec<usize>,
    gateway: Vec<usize>,
    antennas: Vec<usize>,
}

impl Ways {
    fn of(program: &mut Program, instance: &Instance) -> Self {
        let network = &instance.network;
        let mut rows = |n: usize, most: &dyn Fn(usize) -> Option<f64>| -> Vec<usize> {
            (0..n).map(|i| program.row(most(i))).collect()
        };
        let gateways = &network.gateways;
        Self {
            balance: rows(network.satellites, &|_| None),
            fed: rows(network.satellites, &|_| Some(mbps(network.satellite_kbps))),
            gateway: rows(gateways.len(), &|g| Some(mbps(gateways[g].total_kbps))),
            antennas: rows(gateways.len(), &|g| {
                Some(gateways[g].satellites.map_or(1e6, f64::from))
            }),
        }
    }

    /// The flows. `only`: the feeder links (satellite, gateway) that there are; without, all in reach.
    fn columns(&self, program: &mut Program, instance: &Instance, only: Option<&[(u32, u32)]>) {
        let network = &instance.network;
        for s in 0..network.satellites {
            for (i, &g) in network.gateways_of.range(s).zip(network.gateways_of.row(s)) {
                if only.is_some_and(|only| !only.contains(&(s as u32, g))) {
                    continue;
                }
                let most = mbps(*network.feeder_kbps.get(i).unwrap_or(&network.antenna_kbps));
                let entries = [
                    (self.balance[s], 1.0),
                    (self.fed[s], 1.0),
                    (self.gateway[g as usize], 1.0),
                    (self.antennas[g as usize], 1.0 / most),
                ];
                program.column(0.0, 0.0, Some(most), &entries);
            }
        }
        let most = mbps(network.laser_kbps);
        for &(a, b) in &network.lasers {
            let ends = [
                (self.balance[a as usize], -1.0),
                (self.balance[b as usize], 1.0),
            ];
            program.column(0.0, -most, Some(most), &ends);
        }
    }
}

/// Mbit/s, so that numbers are neither large nor small.
fn mbps(kbps: u64) -> f64 {
    kbps as f64 / 1e3
}

/// `only`: the feeder links (satellite, gateway) that there are; without, all in reach.
fn relaxation(instance: &Instance, only: Option<&[(u32, u32)]>) -> String {
    let (reach, beams) = (&instance.reach, instance.beams);
    let slices = f64::from(beams.time_slices);
    let mut program = Program::default();
    let ways = Ways::of(&mut program, instance);
    let mut rows = |n: usize, most: &dyn Fn(usize) -> f64| -> Vec<usize> {
        (0..n).map(|i| program.row(Some(most(i)))).collect()
    };
    let used = rows(instance.network.satellites, &|_| {
        beams.slices_per_satellite().into()
    });
    let demand = rows(instance.cells.len(), &|c| {
        mbps(instance.cells[c].demand_kbps)
    });
    let channels = rows(instance.cells.len(), &|_| {
        f64::from(beams.channels) * slices
    });
    for c in 0..instance.cells.len() {
        for (i, &s) in reach.satellites.range(c).zip(reach.satellites.row(c)) {
            let rate = mbps(reach.rates.of_pair(i).into());
            let s = s as usize;
            if rate > 0.0 {
                let part = slices / rate;
                let entries = [
                    (demand[c], 1.0),
                    (channels[c], part),
                    (used[s], part),
                    (ways.balance[s], -1.0),
                ];
                program.column(-1.0, 0.0, None, &entries);
            }
        }
    }
    ways.columns(&mut program, instance, only);
    program.text()
}
