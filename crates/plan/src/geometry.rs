//! From positions to the combinatorial problem: what stands in reach of what for a whole epoch.
//!
//! A link must be allowed at both ends of the epoch; between them it is then allowed too (see
//! [`crate::SatelliteState`]). Everything that depends on one cell, gateway or laser alone is done in parallel, in order of index.

use crate::csr::Csr;
use crate::inputs::{Access, Cell, Inputs, LiveTerminal};
use crate::instance::{BeamPlan, CellAsk, GatewayLimit, Instance, Network, Rates, Reach};
use crate::lasers;
use crate::preference::{Ranking, Vantage};
use rayon::prelude::*;
use skyweave_base::{Ecef, Geodetic, SPEED_OF_LIGHT_M_S, SatId, great_circle_m};
use skyweave_orbit::Visibility;
use skyweave_radio::{LinkLimit, PointLimit, RateModel, RateTable, Sight, Standing, Verdict};
use std::sync::Arc;

/// Cells handled by one task.
const CHUNK: usize = 1024;

/// What depends on where cells are and on nothing else: made once for a list of cells, used for every epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Geography {
    places: Vec<(skyweave_base::CellId, Geodetic)>,
    neighbours: Arc<Csr<u32>>,
    visibility: Visibility,
}

impl Geography {
    /// Of a list of cells, ascending by id. A cell whose id is no H3 index has no neighbours.
    pub(crate) fn new(cells: &[Cell]) -> Self {
        let places: Vec<_> = cells.iter().map(|c| (c.id, c.centre)).collect();
        let parts: Vec<Csr<u32>> = cells
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut part = Csr::default();
                for cell in chunk {
                    let mut row = neighbours(cell.id.0, cells);
                    row.sort_unstable();
                    part.push_row(row);
                }
                part
            })
            .collect();
        let centres: Vec<Geodetic> = cells.iter().map(|c| c.centre).collect();
        Self {
            places,
            neighbours: Arc::new(Csr::concat(parts)),
            visibility: Visibility::new(&centres),
        }
    }

    /// Whether it was made for these cells.
    pub(crate) fn is_of(&self, cells: &[Cell]) -> bool {
        self.places.len() == cells.len()
            && self
                .places
                .iter()
                .zip(cells)
                .all(|(p, c)| *p == (c.id, c.centre))
    }
}

fn neighbours(id: u64, cells: &[Cell]) -> Vec<u32> {
    let Ok(cell) = h3o::CellIndex::try_from(id) else {
        return Vec::new();
    };
    cell.grid_ring::<Vec<h3o::CellIndex>>(1)
        .into_iter()
        .filter_map(|n| cells.binary_search_by_key(&u64::from(n), |c| c.id.0).ok())
        .map(|i| i as u32)
        .collect()
}

/// The problem of an epoch, and what of its geometry the plan has to tell.
pub(crate) struct Scene {
    pub(crate) instance: Instance,
    /// For each cell without a satellite in reach, whether some are kept from it.
    pub(crate) kept_away: Vec<KeptAway>,
}

/// What keeps satellites that stand high enough from a cell that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptAway {
    /// Some stand too near the GSO arc.
    pub(crate) near_gso_arc: bool,
    /// The atmosphere leaves nothing of the links to some.
    pub(crate) faded: bool,
}

impl Scene {
    pub(crate) fn new(inputs: &Inputs, geography: &Geography) -> Self {
        let beams = BeamPlan::of(&inputs.profile.user);
        let (cells, reach, kept_away) = reach(inputs, geography);
        let network = network(inputs, &reach);
        let neighbours = Arc::clone(&geography.neighbours);
        Self {
            instance: Instance {
                beams,
                cells,
                reach,
                neighbours,
                network,
            },
            kept_away,
        }
    }
}

/// Whether a link is allowed for the whole epoch.
pub(crate) fn judge(limit: &PointLimit, satellite: &crate::SatelliteState) -> Verdict {
    match limit.judge(satellite.start) {
        Verdict::Allowed => limit.judge(satellite.end),
        no => no,
    }
}

/// Just enough of an observer to tell elevations.
pub(crate) struct Look {
    origin: skyweave_base::Ecef,
    up: skyweave_base::Vec3,
}

impl Look {
    pub(crate) fn at(place: Geodetic) -> Self {
        Self {
            origin: place.to_ecef(),
            up: place.up(),
        }
    }

    /// How the satellite stands at both ends of the epoch.
    pub(crate) fn sights(&self, satellite: &crate::SatelliteState) -> [Sight; 2] {
        [satellite.start, satellite.end].map(|p| Sight::new(self.origin, self.up, p))
    }
}

/// A satellite that a cell may be served by, and where it stands at both ends of the epoch.
#[derive(Clone, Copy)]
struct Sighting {
    satellite: u32,
    start: Standing,
    end: Standing,
}

#[derive(Default)]
struct ReachPart {
    cells: Vec<CellAsk>,
    satellites: Csr<u32>,
    preference: Vec<u8>,
    rates: Vec<u32>,
    kept_away: Vec<KeptAway>,
}

/// What each cell asks, which satellites it may be served by, and [`Scene::kept_away`].
fn reach(inputs: &Inputs, geography: &Geography) -> (Vec<CellAsk>, Reach, Vec<KeptAway>) {
    let user = &inputs.profile.user;
    let beams = BeamPlan::of(user);
    let (starts, ends): (Vec<Ecef>, Vec<Ecef>) =
        inputs.satellites.iter().map(|s| (s.start, s.end)).unzip();
    let min_elevation_rad = user.limit.min_elevation_rad();
    let in_view = geography
        .visibility
        .lists_at_both(&starts, &ends, min_elevation_rad);
    let ranking = Ranking::new(inputs);
    let table = (!matches!(user.down, RateModel::Fixed(_))).then(|| RateTable::new(&user.down));
    let mut parts: Vec<ReachPart> = inputs
        .cells
        .par_chunks(CHUNK)
        .enumerate()
        .map(|(chunk, cells)| {
            let mut part = ReachPart::default();
            let mut row = Vec::new();
            for (i, cell) in cells.iter().enumerate() {
                let limit = user.limit.at(cell.centre);
                let vantage = Vantage::of(cell, &limit);
                row.clear();
                let mut kept_away = KeptAway::default();
                for &satellite in in_view.of(chunk * CHUNK + i) {
                    let (verdict, start) = limit.sight(starts[satellite as usize]);
                    let (verdict, end) = match verdict {
                        Verdict::Allowed => limit.sight(ends[satellite as usize]),
                        no => (no, start),
                    };
                    match verdict {
                        Verdict::Allowed => row.push(Sighting {
                            satellite,
                            start,
                            end,
                        }),
                        Verdict::NearGsoArc => kept_away.near_gso_arc = true,
                        Verdict::OutOfReach => {}
                    }
                }
                keep_those_seen_by_live_terminals(inputs, cell, &user.limit, &mut row);
                let fade = inputs.weather.down(chunk * CHUNK + i);
                // By the best rate in reach; without any satellite the ask is of no consequence.
                let mut best_kbps = match user.down {
                    RateModel::Fixed(kbps) => kbps,
                    _ => 1,
                };
                row.retain(|seen| {
                    if let Some(table) = &table {
                        match table.kbps(seen.start.sin_elevation, seen.end.sin_elevation, fade) {
                            0 => {
                                kept_away.faded = true;
                                return false;
                            }
                            kbps => {
                                best_kbps = best_kbps.max(kbps);
                                part.rates.push(kbps);
                            }
                        }
                    }
                    let s = seen.satellite as usize;
                    part.preference.push(ranking.rank(
                        &vantage,
                        (s, inputs.satellites[s].id),
                        (seen.start, seen.end),
                    ));
                    true
                });
                part.cells.push(CellAsk::new(
                    cell.terminals,
                    cell.demand_kbps,
                    best_kbps,
                    beams,
                ));
                part.kept_away.push(match row.is_empty() {
                    true => kept_away,
                    false => KeptAway::default(),
                });
                part.satellites
                    .push_row(row.iter().map(|seen| seen.satellite));
            }
            part
        })
        .collect();
    drop(in_view);
    let pairs = parts.iter().map(|p| p.preference.len()).sum();
    let (mut cells, mut kept_away) = (Vec::new(), Vec::new());
    let (mut preference, mut rates) = (Vec::with_capacity(pairs), Vec::new());
    if table.is_some() {
        rates.reserve_exact(pairs);
    }
    let mut lists = Vec::with_capacity(parts.len());
    for part in &mut parts {
        lists.push(core::mem::take(&mut part.satellites));
        cells.append(&mut part.cells);
        preference.append(&mut part.preference);
        rates.append(&mut part.rates);
        kept_away.append(&mut part.kept_away);
    }
    let rates = match user.down {
        RateModel::Fixed(kbps) => Rates::Fixed(kbps),
        RateModel::ByElevation(_) | RateModel::LinkBudget(_) => Rates::PerPair(rates),
    };
    let reach = Reach {
        satellites: Csr::concat(lists),
        preference,
        preference_weight: inputs.preference.weight(),
        rates,
    };
    (cells, reach, kept_away)
}

/// A live terminal must see its satellite from where it stands, not only from its cell's centre: satellites that not all of
/// a cell's live terminals see are left out, as long as one remains; and then those behind an obstruction, as the operator says
/// that it does ("avoids obstructed sky when it can").
fn keep_those_seen_by_live_terminals(
    inputs: &Inputs,
    cell: &Cell,
    limit: &LinkLimit,
    row: &mut Vec<Sighting>,
) {
    let here = |t: &&LiveTerminal| t.cell == cell.id && t.access != Access::None;
    let keep_if_any = |row: &mut Vec<Sighting>, keeps: &dyn Fn(&crate::SatelliteState) -> bool| {
        let kept: Vec<Sighting> = row
            .iter()
            .copied()
            .filter(|s| keeps(&inputs.satellites[s.satellite as usize]))
            .collect();
        if !kept.is_empty() {
            *row = kept;
        }
    };
    for terminal in inputs.live.iter().filter(here) {
        let here = limit.at(terminal.place);
        keep_if_any(row, &|satellite| {
            judge(&here, satellite) == Verdict::Allowed
        });
        if !terminal.obstructions.is_empty() {
            keep_if_any(row, &|satellite| !terminal.is_obstructed(satellite));
        }
    }
}

fn network(inputs: &Inputs, reach: &Reach) -> Network {
    let profile = &inputs.profile;
    let feeder = &profile.feeder;
    let satellites = &inputs.satellites;
    let limits: Vec<PointLimit> = inputs
        .gateways
        .iter()
        .map(|g| {
            let limit = match g.min_elevation_rad {
                Some(own) => feeder.limit.with_min_elevation(own),
                None => feeder.limit,
            };
            limit.at(g.place)
        })
        .collect();
    let pop_of = busiest_pop(inputs, reach);
    let fibre_s: Vec<Vec<f64>> = inputs
        .gateways
        .iter()
        .map(|g| {
            let delays = &profile.delays;
            inputs
                .pops
                .iter()
                .map(|p| great_circle_m(g.place, p.place) * delays.fibre_detour / delays.fibre_m_s)
                .collect()
        })
        .collect();
    let looks: Vec<Look> = inputs.gateways.iter().map(|g| Look::at(g.place)).collect();
    let candidates = gateways_high_enough(inputs, satellites);
    let rows: Vec<Vec<(u32, u64)>> = satellites
        .par_iter()
        .zip(&pop_of)
        .enumerate()
        .map(|(s, (satellite, pop))| {
            // Shortest first: through space, and by fibre to where most of what the satellite sees meets the Internet.
            let mut row: Vec<(f64, u32, u64)> = candidates
                .row(s)
                .iter()
                .map(|&g| g as usize)
                .filter(|&g| inputs.gateways[g].antennas > 0)
                .filter(|&g| judge(&limits[g], satellite) == Verdict::Allowed)
                .filter_map(|g| {
                    let [start, end] = looks[g]
                        .sights(satellite)
                        .map(|sight| feeder.kbps(sight, inputs.weather.feeder(g)));
                    // Rain may leave nothing of a link.
                    (start.min(end) > 0).then_some((g, start.min(end)))
                })
                .map(|(g, kbps)| {
                    let space_s = limits[g].range_m(satellite.start) / SPEED_OF_LIGHT_M_S;
                    (
                        space_s + pop.map_or(0.0, |p| fibre_s[g][p as usize]),
                        g as u32,
                        kbps,
                    )
                })
                .collect();
            row.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            row.into_iter().map(|(_, g, kbps)| (g, kbps)).collect()
        })
        .collect();
    let mut gateways_of = Csr::default();
    for row in &rows {
        gateways_of.push_row(row.iter().map(|&(g, _)| g));
    }
    // What an antenna carries follows the weather and the way to the satellite.
    let feeder_kbps = match feeder.up {
        Some(_) => rows.iter().flatten().map(|&(_, kbps)| kbps).collect(),
        None => Vec::new(),
    };
    let index = |id: SatId| satellites.binary_search_by_key(&id, |s| s.id).ok();
    let lasers: Vec<(u32, u32)> = inputs
        .lasers
        .par_iter()
        .filter_map(|&(a, b)| {
            let (i, j) = (index(a)?, index(b)?);
            let (a, b) = (&satellites[i], &satellites[j]);
            let stands = lasers::usable(&profile.laser, a.start, b.start)
                && lasers::usable(&profile.laser, a.end, b.end);
            stands.then_some((i as u32, j as u32))
        })
        .collect();
    Network {
        satellites: satellites.len(),
        gateways: inputs
            .gateways
            .iter()
            .map(|g| GatewayLimit {
                total_kbps: u64::from(g.antennas) * feeder.antenna_kbps,
                satellites: feeder.antennas_track_one_satellite.then_some(g.antennas),
            })
            .collect(),
        gateways_of,
        lasers,
        antenna_kbps: feeder.antenna_kbps,
        feeder_kbps,
        satellite_kbps: feeder.satellite_kbps,
        laser_kbps: profile.laser.kbps,
    }
}

/// For each satellite the gateways from which it may be high enough, ascending.
fn gateways_high_enough(inputs: &Inputs, satellites: &[crate::SatelliteState]) -> Csr<u32> {
    let limit = inputs.profile.feeder.limit;
    if matches!(limit, LinkLimit::Range { .. }) {
        let all = 0..inputs.gateways.len() as u32;
        let mut rows = Csr::default();
        satellites.iter().for_each(|_| rows.push_row(all.clone()));
        return rows;
    }
    let places: Vec<Geodetic> = inputs.gateways.iter().map(|g| g.place).collect();
    let own = inputs.gateways.iter().filter_map(|g| g.min_elevation_rad);
    let least_rad = own.fold(limit.min_elevation_rad(), f64::min);
    let (start, end): (Vec<Ecef>, Vec<Ecef>) = satellites.iter().map(|s| (s.start, s.end)).unzip();
    let lists = Visibility::new(&places).lists_at_both(&start, &end, least_rad);
    let mut seen = Csr::default();
    lists
        .iter()
        .for_each(|row| seen.push_row(row.iter().copied()));
    seen.transposed(satellites.len())
}

/// For each satellite the point of presence of most of the demand that prefers this satellite.
fn busiest_pop(inputs: &Inputs, reach: &Reach) -> Vec<Option<u32>> {
    let mut votes: Vec<(u32, u32, u64)> = inputs
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.pop.index() < inputs.pops.len())
        .filter_map(|(c, cell)| {
            let best = reach
                .satellites
                .range(c)
                .max_by_key(|&i| reach.preference[i])?;
            Some((reach.satellites.items()[best], cell.pop.0, cell.demand_kbps))
        })
        .collect();
    votes.sort_unstable();
    let mut busiest: Vec<Option<(u64, u32)>> = vec![None; inputs.satellites.len()];
    for same in votes.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let demand: u64 = same.iter().map(|v| v.2).sum();
        let best = &mut busiest[same[0].0 as usize];
        if best.is_none_or(|(most, _)| demand > most) {
            *best = Some((demand, same[0].1));
        }
    }
    busiest.into_iter().map(|b| b.map(|(_, pop)| pop)).collect()
}
