//! How the work grows with satellites and with cells: which satellites are in view, by the index and by brute force over all pairs,
//! and a whole plan.
//!
//! `cargo run --release -p skyweave-plan --example growth -- docs/growth-satellites.svg docs/growth-cells.svg` prints the tables
//! of docs/performance.md and draws them. Processor time of all threads.
//!
//! Satellites are those of the built-in sky, every so-manieth of them, or with copies turned about the Earth's axis (these have
//! no lasers). Cells are H3 cells of resolution 5, with people first.

#![allow(clippy::disallowed_methods)] // Examples write files and read clocks.

#[path = "../tests/common/chart.rs"]
mod chart;
#[path = "../tests/common/world.rs"]
#[allow(dead_code)]
mod world;

use skyweave_base::{Ecef, Geodetic, SatId, Vec3};
use skyweave_orbit::{Visibility, in_view};
use skyweave_plan::{Cell, Inputs, Planner, SatelliteState};
use std::hint::black_box;

const SATELLITES: [usize; 6] = [1_000, 2_000, 5_000, 10_000, 20_000, 40_000];
const CELLS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// What is held while the other grows.
const OF_CELLS: usize = 100_000;
const OF_SATELLITES: usize = 9_000;
const MIN_ELEVATION_DEG: f64 = 25.0;
/// Pairs that brute force looks at; beyond these its time is that of these in proportion, and said to be.
const MOST_PAIRS: usize = 500_000_000;

fn main() {
    let world = world::World::new(10_000_000, 2_000, |_| true);
    let base = world.inputs(0);
    let files: Vec<String> = std::env::args().skip(1).collect();
    let lines = |points: Vec<(f64, [f64; 3])>| {
        let line = |i: usize| points.iter().map(|(x, t)| (*x, t[i])).collect();
        let names = [
            "in view, brute force",
            "in view, index",
            "a plan from scratch",
        ];
        (0..3)
            .map(|i| (names[i].to_owned(), line(i)))
            .collect::<Vec<_>>()
    };
    let by_satellites = SATELLITES.map(|n| (n as f64, measure(&base, n, OF_CELLS)));
    let by_cells = CELLS.map(|n| (n as f64, measure(&base, OF_SATELLITES, n)));
    let charts = [
        (
            "satellites, with 100,000 cells",
            1e3..4e4,
            lines(by_satellites.to_vec()),
        ),
        (
            "cells, with 9,000 satellites",
            1e3..1e6,
            lines(by_cells.to_vec()),
        ),
    ];
    for (file, (x, range, lines)) in files.iter().zip(&charts) {
        let svg = chart::lines(&chart::Chart {
            title: "Processor time",
            x: (x, range.clone()),
            y: ("seconds", 0.001..1_000.0),
            scale: chart::Scale::Logarithmic,
            lines,
        });
        std::fs::write(file, svg).expect("the file can be written");
    }
}

/// Seconds: in view by brute force, by the index, and a plan.
fn measure(base: &Inputs, satellites: usize, cells: usize) -> [f64; 3] {
    let inputs = Inputs {
        satellites: sky(base, satellites),
        cells: ground(base, cells).into(),
        ..base.clone()
    };
    let places: Vec<Geodetic> = inputs.cells.iter().map(|c| c.centre).collect();
    let above: Vec<Ecef> = inputs.satellites.iter().map(|s| s.start).collect();
    let least = MIN_ELEVATION_DEG.to_radians();
    let (index_s, pairs) = timed(|| Visibility::new(&places).lists(&above, least).pairs());
    let step = (places.len() * above.len()).div_ceil(MOST_PAIRS);
    let (brute_s, found) = timed(|| {
        let some = places.iter().step_by(step);
        some.map(|&place| {
            let (at, up) = (place.to_ecef(), place.up());
            let seen = above.iter().filter(|&&s| in_view(at, up, s, least));
            black_box(seen.count())
        })
        .sum::<usize>()
    });
    if step == 1 {
        assert_eq!(pairs, found, "the index is exact");
    }
    let (plan_s, plan) = timed(|| Planner::default().plan(&inputs, None));
    let brute_s = brute_s * step as f64;
    println!(
        "{satellites} satellites, {cells} cells: {pairs} pairs in view; brute force {brute_s:.3} s{}, index {index_s:.3} s, plan \
         {plan_s:.2} s with {} slots",
        if step > 1 { " (in proportion)" } else { "" },
        plan.slots.len()
    );
    [brute_s, index_s, plan_s]
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let before = cpu_s();
    let done = black_box(work());
    (cpu_s() - before, done)
}

/// Processor time of all threads, s.
fn cpu_s() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists threads");
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}

fn sky(base: &Inputs, count: usize) -> Vec<SatelliteState> {
    let all = base.satellites.len();
    let copies = count.div_ceil(all);
    let next = base.satellites.iter().map(|s| s.id.0).max().unwrap_or(0) + 1;
    let of_all = (0..all * copies).map(|i| (i / all, &base.satellites[i % all]));
    // Evenly: every so-manieth of all copies.
    let of_all: Vec<_> = of_all.collect();
    (0..count)
        .map(|i| of_all[i * of_all.len() / count])
        .map(|(copy, s)| {
            let (sin, cos) = (copy as f64 * 0.065).sin_cos();
            let turn = |Ecef(p)| {
                Ecef(Vec3 {
                    x: p.x * cos - p.y * sin,
                    y: p.x * sin + p.y * cos,
                    ..p
                })
            };
            SatelliteState {
                id: SatId(s.id.0 + copy as u32 * next),
                start: turn(s.start),
                end: turn(s.end),
            }
        })
        .collect()
}

/// Cells with people, evenly thinned; beyond these others with one terminal each.
fn ground(base: &Inputs, count: usize) -> Vec<Cell> {
    let people = base.cells.len();
    if count <= people {
        return (0..count).map(|i| base.cells[i * people / count]).collect();
    }
    let mut cells = base.cells.to_vec();
    let every = h3o::CellIndex::base_cells().flat_map(|c| c.children(h3o::Resolution::Five));
    let has = |id: skyweave_base::CellId| base.cells.binary_search_by_key(&id, |c| c.id).is_ok();
    let others = every
        .map(|c| (skyweave_base::CellId(c.into()), h3o::LatLng::from(c)))
        .filter(|(id, _)| !has(*id));
    let others: Vec<_> = others.collect();
    let missing = count - people;
    cells.extend((0..missing).map(|i| {
        let (id, centre) = others[i * others.len() / missing];
        Cell {
            id,
            centre: Geodetic {
                lat_rad: centre.lat_radians(),
                lon_rad: centre.lng_radians(),
                height_m: 0.0,
            },
            terminals: 1,
            demand_kbps: 2_000,
            pop: base.cells[0].pop,
        }
    }));
    cells.sort_by_key(|c| c.id);
    cells
}
