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

use skyweave_plan::{Instance, Kept, Solution, solve};
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
            let inputs = region.world(ask_kbps).inputs(0);
            let name = format!("{}_{}_mbit_s", region.name, ask_kbps / 1000);
            compare(
                &name.replace(' ', "_"),
                &skyweave_plan::instance(&inputs),
                &folder,
            );
        }
    }
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

/// `only`: the feeder links (satellite, gateway) that there are; without, all in reach.
fn relaxation(instance: &Instance, only: Option<&[(u32, u32)]>) -> String {
    // Mbit/s, so that numbers are neither large nor small.
    let mbps = |kbps: u64| kbps as f64 / 1e3;
    let (reach, network, beams) = (&instance.reach, &instance.network, instance.beams);
    let slices = f64::from(beams.time_slices);
    let mut program = Program::default();
    let mut rows = |n: usize, most: &dyn Fn(usize) -> Option<f64>| -> Vec<usize> {
        (0..n).map(|i| program.row(most(i))).collect()
    };
    let satellites = network.satellites;
    let balance = rows(satellites, &|_| None);
    let used = rows(satellites, &|_| {
        Some(f64::from(beams.slices_per_satellite()))
    });
    let fed = rows(satellites, &|_| Some(mbps(network.satellite_kbps)));
    let gateway = rows(network.gateways.len(), &|g| {
        Some(mbps(network.gateways[g].total_kbps))
    });
    let antennas = rows(network.gateways.len(), &|g| {
        Some(network.gateways[g].satellites.map_or(1e6, f64::from))
    });
    let demand = rows(instance.cells.len(), &|c| {
        Some(mbps(instance.cells[c].demand_kbps))
    });
    let channels = rows(instance.cells.len(), &|_| {
        Some(f64::from(beams.channels) * slices)
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
                    (balance[s], -1.0),
                ];
                program.column(-1.0, 0.0, None, &entries);
            }
        }
    }
    for s in 0..satellites {
        for (i, &g) in network.gateways_of.range(s).zip(network.gateways_of.row(s)) {
            if only.is_some_and(|only| !only.contains(&(s as u32, g))) {
                continue;
            }
            let most = mbps(*network.feeder_kbps.get(i).unwrap_or(&network.antenna_kbps));
            let entries = [
                (balance[s], 1.0),
                (fed[s], 1.0),
                (gateway[g as usize], 1.0),
                (antennas[g as usize], 1.0 / most),
            ];
            program.column(0.0, 0.0, Some(most), &entries);
        }
    }
    let most = mbps(network.laser_kbps);
    for &(a, b) in &network.lasers {
        let entries = [(balance[a as usize], -1.0), (balance[b as usize], 1.0)];
        program.column(0.0, -most, Some(most), &entries);
    }
    program.text()
}
