//! The national capacity instances of the reference data: at least what a published simulator reaches, with every cell
//! served, and no rule broken. Everything here is read from the instances' files and checked by itself.

#![allow(clippy::disallowed_methods)] // Tests take the time.

#[path = "common/national.rs"]
mod national;

use national::*;
use skyweave_plan::{Checker, Kept, Planner, Solution, solve};
use std::collections::{BTreeMap, BTreeSet};

/// The share of the published bounds that a plan must reach: what lies between them and the best plan with whole slots
/// is not known, but it is less than this.
const NEAR_THE_BOUND: f64 = 0.99;

impl National {
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
                slots += usize::from(find(
                    cell,
                    &self.reach,
                    &grounded,
                    &mut held,
                    &mut BTreeSet::new(),
                ));
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
            assert!(
                self.reach[c].contains(&slot.satellite),
                "out of reach: {slot:?}"
            );
            assert!(
                usize::from(slot.channel) < CHANNELS && usize::from(slot.beam) < BEAMS_PER_CHANNEL
            );
            assert!(
                beam.insert((slot.satellite, slot.channel, slot.beam)),
                "a beam serves two cells: {slot:?}"
            );
            assert!(
                u64::from(slot.delivered_kbps)
                    <= SLOT_KBPS.min(TERMINAL_KBPS * u64::from(slot.terminals)),
                "more than it can carry: {slot:?}"
            );
            on_channel
                .entry((slot.satellite, slot.channel))
                .or_default()
                .push(c);
            *asked_of.entry(slot.satellite).or_default() += u64::from(slot.delivered_kbps);
            of_cell[c].push(slot);
        }
        for (c, slots) in of_cell.iter().enumerate() {
            let asked = self.terminals[c].div_ceil(12).min(8) as usize;
            assert!(slots.len() <= asked, "cell {c} has more than it asks");
            assert_eq!(
                !slots.is_empty(),
                !self.reach[c].is_empty(),
                "cell {c} has a beam in reach and none serves it"
            );
            let channels: BTreeSet<u8> = slots.iter().map(|s| s.channel).collect();
            assert_eq!(channels.len(), slots.len(), "cell {c} has a channel twice");
            if slots.is_empty() {
                continue;
            }
            let terminals: Vec<u32> = slots.iter().map(|s| s.terminals).collect();
            assert_eq!(terminals.iter().sum::<u32>(), self.terminals[c]);
            assert!(
                terminals.iter().max().unwrap() - terminals.iter().min().unwrap() <= 1,
                "uneven: {terminals:?}"
            );
            assert!(
                slots.iter().any(|s| s.delivered_kbps > 0),
                "cell {c} is served with nothing"
            );
        }
        for ((satellite, channel), cells) in &on_channel {
            for &c in cells {
                for n in self.neighbours(c) {
                    assert!(
                        !cells.contains(&n),
                        "satellite {satellite} has channel {channel} in neighbours {c} and {n}"
                    );
                }
            }
        }
        let mut carried_of = BTreeMap::<u32, u64>::new();
        let (mut gateway, mut feeder, mut satellite, mut laser) = (
            BTreeMap::<u32, u64>::new(),
            BTreeMap::new(),
            BTreeMap::<u32, u64>::new(),
            BTreeMap::new(),
        );
        for way in &solution.ways {
            let last = *way.path.last().unwrap();
            assert!(
                self.gateway_satellites.contains(&(way.gateway, last)),
                "no feeder link: {way:?}"
            );
            *carried_of.entry(way.path[0]).or_default() += way.kbps;
            *gateway.entry(way.gateway).or_default() += way.kbps;
            *feeder.entry((way.gateway, last)).or_default() += way.kbps;
            *satellite.entry(last).or_default() += way.kbps;
            for hop in way.path.windows(2) {
                assert!(
                    self.lasers
                        .contains(&(hop[0].min(hop[1]), hop[0].max(hop[1]))),
                    "no laser: {way:?}"
                );
                *laser.entry((hop[1], hop[0])).or_default() += way.kbps;
            }
        }
        assert!(gateway.values().all(|&kbps| kbps <= GATEWAY_KBPS));
        assert!(feeder.values().all(|&kbps: &u64| kbps <= FEEDER_KBPS));
        assert!(satellite.values().all(|&kbps| kbps <= FEEDER_KBPS));
        assert!(laser.values().all(|&kbps: &u64| kbps <= LASER_KBPS));
        carried_of.retain(|_, kbps| *kbps > 0);
        asked_of.retain(|_, kbps| *kbps > 0);
        assert_eq!(
            carried_of, asked_of,
            "what satellites bring is what their slots deliver"
        );
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
    let Some(national) = National::read(bar.name) else {
        return;
    };
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
    assert!(
        slots >= bar.published.0 && gbps >= bar.published.1,
        "below the published policy"
    );
    assert!(
        slots as f64 >= NEAR_THE_BOUND * useful as f64,
        "slots are far from the bound"
    );
    assert!(
        gbps >= NEAR_THE_BOUND * bar.bound.1,
        "capacity is far from the bound"
    );
}

#[test]
fn britain_is_served_everywhere_and_near_the_bound() {
    reaches(&Bar {
        name: "britain_200000",
        published: (2_632, 2_741.1),
        bound: (2_655, 2_804.7),
    });
}

#[test]
fn lithuania_is_served_everywhere_and_near_the_bound() {
    reaches(&Bar {
        name: "lithuania_50000",
        published: (1_692, 1_708.4),
        bound: (1_757, 1_824.6),
    });
}

/// From elements: what stands in reach is found out, and the plan goes on from epoch to epoch.
#[test]
fn satellites_move_and_every_cell_stays_served() {
    for name in ["britain_200000", "lithuania_50000"] {
        let Some(national) = National::read(name) else {
            return;
        };
        let sky = national.sky();
        let mut planner = Planner::default();
        let mut checker = Checker::default();
        let mut previous = None;
        for n in 0..2 {
            let inputs = sky.inputs(n);
            let plan = planner.plan(&inputs, previous.as_ref());
            assert_eq!(checker.check(&inputs, &plan), []);
            assert!(plan.cells.iter().all(|c| c.unserved.is_none()), "{name}");
            // The files are of 12 s before the first epoch. Until its end a satellite moves 205 km, a tenth of the width of its view: of the
            // pairs that stand until then fewer than one in twenty did not stand before.
            let known = plan.slots.iter().filter(|slot| {
                let c = national.h3.binary_search(&slot.cell.0).unwrap();
                national.reach[c].contains(&slot.satellite.0)
            });
            let known = known.count();
            eprintln!("{name}, epoch {n}: {known} of {} pairs", plan.slots.len());
            if n == 0 {
                assert!(20 * known >= 19 * plan.slots.len());
            }
            previous = Some(plan);
        }
    }
}
