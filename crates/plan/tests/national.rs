//! The national capacity instances of the reference data: at least what a published simulator reaches, with every cell
//! served, and no rule broken. Everything here is read from the instances' files and checked by itself.

use flate2::read::GzDecoder;
use skyweave_plan::{
    BeamPlan, CellAsk, Csr, GatewayLimit, Instance, Kept, Network, Rates, Reach, Solution, solve,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

const SATELLITES: usize = 6_364;
const GATEWAYS: usize = 198;
const SLOT_KBPS: u64 = 1_280_000;
const TERMINAL_KBPS: u64 = 100_000;
const GATEWAY_KBPS: u64 = 166_400_000;
const FEEDER_KBPS: u64 = 20_800_000;
const LASER_KBPS: u64 = 100_000_000;
const CHANNELS: usize = 8;
const BEAMS_PER_CHANNEL: usize = 4;

/// The share of the published bounds that a plan must reach: what lies between them and the best plan with whole slots
/// is not known, but it is less than this.
const NEAR_THE_BOUND: f64 = 0.99;

fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("SKYWEAVE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let folder = root.join("reference/national");
    if !folder.is_dir() {
        eprintln!("SKIPPED: the national instances are not at {}", folder.display());
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

struct National {
    h3: Vec<u64>,
    terminals: Vec<u32>,
    /// Satellites of each cell.
    reach: Vec<BTreeSet<u32>>,
    gateway_satellites: BTreeSet<(u32, u32)>,
    lasers: BTreeSet<(u32, u32)>,
}

impl National {
    fn read(name: &str) -> Option<Self> {
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
            rows(folder.join(file)).iter().map(|r| (number(&r[0]), number(&r[1]))).collect()
        };
        Some(Self {
            h3: cells.keys().copied().collect(),
            terminals: cells.values().copied().collect(),
            reach,
            gateway_satellites: pairs("gateway_satellites.csv.gz"),
            lasers: pairs("isls.csv.gz").into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect(),
        })
    }

    fn neighbours(&self, c: usize) -> Vec<usize> {
        let cell = h3o::CellIndex::try_from(self.h3[c]).unwrap();
        let ring: Vec<h3o::CellIndex> = cell.grid_disk(1);
        ring.into_iter()
            .filter(|&n| n != cell)
            .filter_map(|n| self.h3.binary_search(&u64::from(n)).ok())
            .collect()
    }

    fn instance(&self) -> Instance {
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
                preference: vec![0; satellites.items().len()],
                satellites,
                rates: Rates::Fixed(SLOT_KBPS as u32),
            },
            neighbours: Arc::new(neighbours),
            network: Network {
                satellites: SATELLITES,
                gateways: vec![GatewayLimit { total_kbps: GATEWAY_KBPS, satellites: None }; GATEWAYS],
                gateways_of: of,
                lasers: self.lasers.iter().copied().collect(),
                antenna_kbps: FEEDER_KBPS,
                satellite_kbps: FEEDER_KBPS,
                laser_kbps: LASER_KBPS,
            },
        }
    }

    /// Satellites that a gateway reaches, directly or over lasers.
    fn grounded(&self) -> BTreeSet<u32> {
        let mut links: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &(a, b) in &self.lasers {
            links.entry(a).or_default().push(b);
            links.entry(b).or_default().push(a);
        }
        let mut found = BTreeSet::new();
        let mut queue: Vec<u32> = self.gateway_satellites.iter().map(|p| p.1).collect();
        while let Some(s) = queue.pop() {
            if found.insert(s) {
                queue.extend(links.get(&s).into_iter().flatten());
            }
        }
        found
    }

    /// The most slots that satellites with a way to the ground could give if neighbours and channels were no matter: a
    /// maximum matching of asked slots with satellites' slots, by Kuhn's augmenting paths.
    fn slot_bound(&self) -> usize {
        let grounded = self.grounded();
        let mut held: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        fn find(
            cell: usize,
            reach: &[BTreeSet<u32>],
            grounded: &BTreeSet<u32>,
            held: &mut BTreeMap<u32, Vec<usize>>,
            seen: &mut BTreeSet<u32>,
        ) -> bool {
            for &s in reach[cell].intersection(grounded) {
                if !seen.insert(s) {
                    continue;
                }
                let holders = held.entry(s).or_default().clone();
                if holders.len() < CHANNELS * BEAMS_PER_CHANNEL {
                    held.get_mut(&s).unwrap().push(cell);
                    return true;
                }
                for (i, &other) in holders.iter().enumerate() {
                    if find(other, reach, grounded, held, seen) {
                        held.get_mut(&s).unwrap()[i] = cell;
                        return true;
                    }
                }
            }
            false
        }
        let mut slots = 0;
        for cell in 0..self.h3.len() {
            for _ in 0..self.terminals[cell].div_ceil(12).min(8) {
                slots += usize::from(find(cell, &self.reach, &grounded, &mut held, &mut BTreeSet::new()));
            }
        }
        slots
    }

    /// Slots and delivered kbit/s, after a check of every rule of the instance.
    fn audit(&self, solution: &Solution) -> (usize, u64) {
        let mut of_cell = vec![Vec::new(); self.h3.len()];
        let mut beam = BTreeSet::new();
        let mut on_channel: BTreeMap<(u32, u8), Vec<usize>> = BTreeMap::new();
        let mut asked_of = BTreeMap::<u32, u64>::new();
        for slot in &solution.slots {
            let c = slot.cell as usize;
            assert!(self.reach[c].contains(&slot.satellite), "out of reach: {slot:?}");
            assert!(usize::from(slot.channel) < CHANNELS && usize::from(slot.beam) < BEAMS_PER_CHANNEL);
            assert!(beam.insert((slot.satellite, slot.channel, slot.beam)), "a beam serves two cells: {slot:?}");
            assert!(
                u64::from(slot.delivered_kbps) <= SLOT_KBPS.min(TERMINAL_KBPS * u64::from(slot.terminals)),
                "more than it can carry: {slot:?}"
            );
            on_channel.entry((slot.satellite, slot.channel)).or_default().push(c);
            *asked_of.entry(slot.satellite).or_default() += u64::from(slot.delivered_kbps);
            of_cell[c].push(slot);
        }
        for (c, slots) in of_cell.iter().enumerate() {
            let asked = self.terminals[c].div_ceil(12).min(8) as usize;
            assert!(slots.len() <= asked, "cell {c} has more than it asks");
            assert_eq!(!slots.is_empty(), !self.reach[c].is_empty(), "cell {c} has a beam in reach and none serves it");
            let channels: BTreeSet<u8> = slots.iter().map(|s| s.channel).collect();
            assert_eq!(channels.len(), slots.len(), "cell {c} has a channel twice");
            if slots.is_empty() {
                continue;
            }
            let terminals: Vec<u32> = slots.iter().map(|s| s.terminals).collect();
            assert_eq!(terminals.iter().sum::<u32>(), self.terminals[c]);
            assert!(terminals.iter().max().unwrap() - terminals.iter().min().unwrap() <= 1, "uneven: {terminals:?}");
            assert!(slots.iter().any(|s| s.delivered_kbps > 0), "cell {c} is served with nothing");
        }
        for ((satellite, channel), cells) in &on_channel {
            for &c in cells {
                for n in self.neighbours(c) {
                    assert!(!cells.contains(&n), "satellite {satellite} has channel {channel} in neighbours {c} and {n}");
                }
            }
        }
        let mut carried_of = BTreeMap::<u32, u64>::new();
        let (mut gateway, mut feeder, mut satellite, mut laser) =
            (BTreeMap::<u32, u64>::new(), BTreeMap::new(), BTreeMap::<u32, u64>::new(), BTreeMap::new());
        for way in &solution.ways {
            let last = *way.path.last().unwrap();
            assert!(self.gateway_satellites.contains(&(way.gateway, last)), "no feeder link: {way:?}");
            *carried_of.entry(way.path[0]).or_default() += way.kbps;
            *gateway.entry(way.gateway).or_default() += way.kbps;
            *feeder.entry((way.gateway, last)).or_default() += way.kbps;
            *satellite.entry(last).or_default() += way.kbps;
            for hop in way.path.windows(2) {
                assert!(self.lasers.contains(&(hop[0].min(hop[1]), hop[0].max(hop[1]))), "no laser: {way:?}");
                *laser.entry((hop[1], hop[0])).or_default() += way.kbps;
            }
        }
        assert!(gateway.values().all(|&kbps| kbps <= GATEWAY_KBPS));
        assert!(feeder.values().all(|&kbps: &u64| kbps <= FEEDER_KBPS));
        assert!(satellite.values().all(|&kbps| kbps <= FEEDER_KBPS));
        assert!(laser.values().all(|&kbps: &u64| kbps <= LASER_KBPS));
        carried_of.retain(|_, kbps| *kbps > 0);
        asked_of.retain(|_, kbps| *kbps > 0);
        assert_eq!(carried_of, asked_of, "what satellites bring is what their slots deliver");
        (solution.slots.len(), asked_of.values().sum())
    }
}

struct Bar {
    name: &'static str,
    /// Of the published coordinated policy, which leaves most cells of Britain unserved.
    published: (usize, f64),
    /// The published bounds. That on slots counts satellites that no gateway reaches in any way.
    bound: (usize, f64),
}

fn reaches(bar: &Bar) {
    let Some(national) = National::read(bar.name) else { return };
    let instance = national.instance();
    let started = std::time::Instant::now();
    let solution = solve(&instance, &Kept::default());
    let elapsed = started.elapsed();
    let (slots, kbps) = national.audit(&solution);
    let gbps = kbps as f64 / 1e6;
    let useful = national.slot_bound();
    assert!(useful <= bar.bound.0);
    eprintln!(
        "{}: {slots} slots ({:.2} % of the {useful} of satellites with a way to the ground, of {} published), \
         {gbps:.1} Gbit/s ({:.2} %), {} ms",
        bar.name,
        100.0 * slots as f64 / useful as f64,
        bar.bound.0,
        100.0 * gbps / bar.bound.1,
        elapsed.as_millis()
    );
    assert!(slots >= bar.published.0 && gbps >= bar.published.1, "below the published policy");
    assert!(slots as f64 >= NEAR_THE_BOUND * useful as f64, "slots are far from the bound");
    assert!(gbps >= NEAR_THE_BOUND * bar.bound.1, "capacity is far from the bound");
}

#[test]
fn britain_is_served_everywhere_and_near_the_bound() {
    reaches(&Bar { name: "britain_200000", published: (2_632, 2_741.1), bound: (2_655, 2_804.7) });
}

#[test]
fn lithuania_is_served_everywhere_and_near_the_bound() {
    reaches(&Bar { name: "lithuania_50000", published: (1_692, 1_708.4), bound: (1_757, 1_824.6) });
}
