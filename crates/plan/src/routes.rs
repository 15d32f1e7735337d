//! Shortest paths between ground sites over the constellation: up to any satellite in reach, over lasers, down from any.
//!
//! The model of most comparisons (Hypatia's `algorithm_free_one_only_over_isls`): lengths are the only weight, ground sites never
//! relay, everything stands still at one instant. It knows no capacity, no beam and no plan.

use rayon::prelude::*;
use skyweave_base::{Ecef, Ellipsoid, Geodetic, SPEED_OF_LIGHT_M_S, SatId};
use skyweave_radio::{LinkLimit, PointLimit};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A path between two sites.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Length from site to site, m.
    pub length_m: f64,
    /// Satellites passed, from the source's to the destination's; one if both sites are under the same.
    pub satellites: Vec<SatId>,
}

impl Route {
    /// Time there and back at the speed of light in vacuum, s. Nothing but propagation.
    pub fn round_trip_s(&self) -> f64 {
        2.0 * self.length_m / SPEED_OF_LIGHT_M_S
    }
}

/// Finds routes over one constellation between fixed sites, at any number of instants.
#[derive(Clone, Debug)]
pub struct Router {
    sites: Vec<PointLimit>,
    /// Neighbours of satellite s: `neighbours[first[s]..first[s + 1]]`, in the order of the list of lasers.
    first: Vec<u32>,
    neighbours: Vec<u32>,
}

/// No satellite, and no distance yet.
const NONE: u32 = u32::MAX;

impl Router {
    /// `satellites` is their number; a laser whose end is not below it is an error of the caller. `limit` says which satellites
    /// a site may use. Places are on `ellipsoid`, WGS84 unless the routes are to be compared with software that takes another.
    ///
    /// # Panics
    /// If a laser names a satellite that does not exist, or there are 2^24 satellites or more.
    pub fn new(
        satellites: usize,
        lasers: &[(SatId, SatId)],
        sites: &[Geodetic],
        limit: LinkLimit,
        ellipsoid: Ellipsoid,
    ) -> Self {
        assert!(
            satellites <= MAX_SATELLITES as usize,
            "{satellites} satellites"
        );
        let mut first = vec![0_u32; satellites + 1];
        for &(a, b) in lasers {
            assert!(
                a.index().max(b.index()) < satellites,
                "laser {a}-{b} among {satellites} satellites"
            );
            first[a.index() + 1] += 1;
            first[b.index() + 1] += 1;
        }
        for s in 0..satellites {
            first[s + 1] += first[s];
        }
        let mut next = first.clone();
        let mut neighbours = vec![0; 2 * lasers.len()];
        for &(a, b) in lasers {
            for (from, to) in [(a, b), (b, a)] {
                neighbours[next[from.index()] as usize] = to.0;
                next[from.index()] += 1;
            }
        }
        let sites = sites
            .iter()
            .map(|&place| limit.at_on(place, ellipsoid))
            .collect();
        Self {
            sites,
            first,
            neighbours,
        }
    }

    /// A route for each pair of sites (indices: source, destination) at the instant at which the satellites stand at
    /// `satellites` (by id; `None` for one that has no position). `None`: unreachable. In parallel over the sources.
    ///
    /// Of several routes of equal length one is taken by a fixed rule, the same on any number of threads.
    ///
    /// # Panics
    /// If there are not as many satellites as were announced, or a pair names a site that does not exist.
    pub fn routes(&self, satellites: &[Option<Ecef>], pairs: &[(u32, u32)]) -> Vec<Option<Route>> {
        assert_eq!(
            satellites.len() + 1,
            self.first.len(),
            "positions of all satellites"
        );
        let lengths = self.laser_lengths(satellites);
        let mut order: Vec<u32> = (0..pairs.len() as u32).collect();
        order.sort_by_key(|&i| pairs[i as usize].0);
        let by_source: Vec<&[u32]> = order
            .chunk_by(|&i, &j| pairs[i as usize].0 == pairs[j as usize].0)
            .collect();
        let mut wanted = vec![false; self.sites.len()];
        for &(source, destination) in pairs {
            wanted[source as usize] = true;
            wanted[destination as usize] = true;
        }
        let reach: Vec<Vec<(u32, f64)>> = (self.sites.par_iter().zip(&wanted))
            .map(|(site, &wanted)| {
                if wanted {
                    in_reach(site, satellites)
                } else {
                    Vec::new()
                }
            })
            .collect();
        let found: Vec<Vec<Option<Route>>> = by_source
            .par_iter()
            .map_init(
                || Search::new(satellites.len()),
                |search, indices| {
                    let source = pairs[indices[0] as usize].0;
                    search.from(self, &lengths, &reach[source as usize]);
                    indices
                        .iter()
                        .map(|&i| {
                            let destination = pairs[i as usize].1;
                            search.route(&reach[destination as usize])
                        })
                        .collect()
                },
            )
            .collect();
        let mut routes = vec![None; pairs.len()];
        for (indices, found) in by_source.iter().zip(found) {
            for (&i, route) in indices.iter().zip(found) {
                routes[i as usize] = route;
            }
        }
        routes
    }

    /// The length of each entry of `neighbours`; infinite where an end has no position.
    fn laser_lengths(&self, satellites: &[Option<Ecef>]) -> Vec<f64> {
        let mut lengths = Vec::with_capacity(self.neighbours.len());
        for (s, here) in satellites.iter().enumerate() {
            let neighbours = &self.neighbours[self.first[s] as usize..self.first[s + 1] as usize];
            lengths.extend(
                neighbours
                    .iter()
                    .map(|&n| match (here, satellites[n as usize]) {
                        (Some(here), Some(there)) => here.distance_m(there),
                        _ => f64::INFINITY,
                    }),
            );
        }
        lengths
    }
}

/// The satellites that a site may use, ascending, with their distance.
fn in_reach(site: &PointLimit, satellites: &[Option<Ecef>]) -> Vec<(u32, f64)> {
    (satellites.iter().enumerate())
        .filter_map(|(s, position)| {
            let position = (*position)?;
            site.allows(position)
                .then(|| (s as u32, site.range_m(position)))
        })
        .collect()
}

/// Dijkstra's algorithm from one site to all satellites, with room that is used again for the next site.
struct Search {
    length_m: Vec<f64>,
    before: Vec<u32>,
    /// Quantised length and satellite in one word: see [`key`].
    queue: BinaryHeap<Reverse<u64>>,
}

impl Search {
    fn new(satellites: usize) -> Self {
        Self {
            length_m: vec![0.0; satellites],
            before: vec![0; satellites],
            queue: BinaryHeap::new(),
        }
    }

    fn from(&mut self, router: &Router, lengths: &[f64], reach: &[(u32, f64)]) {
        self.length_m.fill(f64::INFINITY);
        self.before.fill(NONE);
        for &(s, length_m) in reach {
            self.length_m[s as usize] = length_m;
            self.queue.push(Reverse(key(length_m, s)));
        }
        while let Some(Reverse(entry)) = self.queue.pop() {
            let s = entry as u32 & MAX_SATELLITES;
            let here = self.length_m[s as usize];
            if key(here, s) != entry {
                continue; // An older, longer entry.
            }
            let edges = router.first[s as usize] as usize..router.first[s as usize + 1] as usize;
            for (&n, &length) in router.neighbours[edges.clone()].iter().zip(&lengths[edges]) {
                let there = here + length;
                if there < self.length_m[n as usize] {
                    self.length_m[n as usize] = there;
                    self.before[n as usize] = s;
                    self.queue.push(Reverse(key(there, n)));
                }
            }
        }
    }

    /// The route down to a site with these satellites in reach: of equal lengths the one over the smaller satellite id.
    fn route(&self, reach: &[(u32, f64)]) -> Option<Route> {
        let mut best = (f64::INFINITY, NONE);
        for &(s, down_m) in reach {
            let length_m = self.length_m[s as usize] + down_m;
            if length_m < best.0 {
                best = (length_m, s);
            }
        }
        let (length_m, last) = best;
        if last == NONE {
            return None;
        }
        let mut satellites = vec![SatId(last)];
        let mut s = last;
        while self.before[s as usize] != NONE {
            s = self.before[s as usize];
            satellites.push(SatId(s));
        }
        satellites.reverse();
        Some(Route {
            length_m,
            satellites,
        })
    }
}

const SATELLITE_BITS: u32 = 24;
const MAX_SATELLITES: u32 = (1 << SATELLITE_BITS) - 1;

/// Length in steps of 2^-10 m in the upper 40 bits (up to 1.07e9 m), the satellite in the lower 24: one integer to compare.
/// The queue's order is then right to 1 mm; lengths themselves stay exact, because a satellite that gets shorter within
/// the step is looked at again.
fn key(length_m: f64, satellite: u32) -> u64 {
    (((length_m * 1024.0) as u64) << SATELLITE_BITS) | u64::from(satellite)
}
