//! From positions to the combinatorial problem: what stands in reach of what for a whole epoch.
//!
//! A link must be allowed at both ends of the epoch; between them it is then allowed too (see
//! [`crate::SatelliteState`]). Everything that depends on one cell, gateway or laser alone is done in parallel, in order of index.

use crate::csr::Csr;
use crate::halves::FarHalf;
use crate::inputs::{Access, Cell, Inputs, LiveTerminal, SatelliteState};
use crate::instance::{BeamPlan, CellAsk, GatewayLimit, Instance, Network, Rates, Reach};
use crate::lasers;
use crate::positions::Positions;
use crate::preference::{Ranking, Vantage};
use fearless_simd::{Level, Simd, dispatch};
use rayon::prelude::*;
use skyweave_base::{Ecef, Geodetic, SPEED_OF_LIGHT_M_S, great_circle_m};
use skyweave_orbit::{Lists, Visibility};
use skyweave_radio::{LinkLimit, PointLimit, RateModel, RateTable, Verdict};
use std::sync::Arc;

/// Cells handled by one task.
const CHUNK: usize = 1024;

/// What depends on where cells are and on the limit of user links, and on nothing else: made once, used for every epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Geography {
    places: Vec<(skyweave_base::CellId, Geodetic)>,
    neighbours: Arc<Csr<u32>>,
    visibility: Visibility,
    far: Option<FarHalf>,
    /// Of each cell, and what they are of.
    limits: Vec<PointLimit>,
    limit: Option<LinkLimit>,
}

impl Geography {
    /// Of the cells and the profile of some inputs. A cell whose id is no H3 index has no neighbours.
    pub(crate) fn of(inputs: &Inputs) -> Self {
        let mut geography = Self::default();
        geography.update(inputs);
        geography
    }

    /// Makes anew what is not that of the inputs' cells and profile.
    pub(crate) fn update(&mut self, inputs: &Inputs) {
        let cells = &inputs.cells;
        if !self.is_of(cells) {
            *self = Self {
                places: cells.iter().map(|c| (c.id, c.centre)).collect(),
                neighbours: Arc::new(neighbours_of_all(cells)),
                visibility: visibility(cells),
                far: FarHalf::of(cells),
                limits: Vec::new(),
                limit: None,
            };
        }
        let limit = inputs.profile.user.limit;
        if self.limit != Some(limit) {
            self.limits = cells.par_iter().map(|c| limit.at(c.centre)).collect();
            self.limit = Some(limit);
        }
    }

    /// Whether it was made for these cells.
    fn is_of(&self, cells: &[Cell]) -> bool {
        self.places.len() == cells.len()
            && self
                .places
                .iter()
                .zip(cells)
                .all(|(p, c)| *p == (c.id, c.centre))
    }

    /// The limit of user links at a cell.
    pub(crate) fn limit(&self, cell: usize) -> &PointLimit {
        &self.limits[cell]
    }
}

/// By the order of H3 indices neighbours mostly follow each other.
fn visibility(cells: &[Cell]) -> Visibility {
    let centres: Vec<Geodetic> = cells.iter().map(|c| c.centre).collect();
    match cells
        .iter()
        .all(|c| h3o::CellIndex::try_from(c.id.0).is_ok())
    {
        true => Visibility::in_order(&centres),
        false => Visibility::new(&centres),
    }
}

fn neighbours_of_all(cells: &[Cell]) -> Csr<u32> {
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
    Csr::concat(&parts)
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
    pub(crate) views: Vec<View>,
}

/// What of a cell's sky is told beside who is in reach.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct View {
    /// The satellite by which the cell is served most willingly.
    preferred: Option<u32>,
    /// Without a satellite in reach, whether some are kept from it.
    pub(crate) kept_away: KeptAway,
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
    pub(crate) fn new(inputs: &Inputs, geography: &Geography, memory: &mut Memory) -> Self {
        let beams = BeamPlan::of(&inputs.profile.user);
        let ((cells, reach, views), links) =
            rayon::join(|| reach(inputs, geography, memory), || Links::of(inputs));
        let network = network(inputs, &views, links);
        let neighbours = Arc::clone(&geography.neighbours);
        Self {
            instance: Instance {
                beams,
                cells,
                reach,
                neighbours,
                network,
            },
            views,
        }
    }
}

/// Whether a link is allowed for the whole epoch.
pub(crate) fn judge(limit: &PointLimit, satellite: &SatelliteState) -> Verdict {
    match limit.judge(satellite.start) {
        Verdict::Allowed => limit.judge(satellite.end),
        no => no,
    }
}

/// How many satellites are looked at together.
const LANES: usize = 8;

/// At least one satellite, the last again and again where there are fewer than lanes.
#[inline(always)]
fn lanes_of(satellites: &[u32]) -> [u32; LANES] {
    match satellites.first_chunk() {
        Some(all) => *all,
        None => core::array::from_fn(|i| satellites[i.min(satellites.len() - 1)]),
    }
}

/// Satellites that cells may be served by, one cell's after the other's, in memory given for them.
struct Sightings<'a> {
    satellites: &'a mut [u32],
    /// How willingly.
    ranks: &'a mut [u8],
    /// With how much; empty where that is the same everywhere.
    kbps: &'a mut [u32],
    count: usize,
}

impl Sightings<'_> {
    /// Appends the lanes that have a bit: without a branch for each, for nobody could predict them.
    #[inline(always)]
    fn append(
        &mut self,
        lanes: u8,
        satellites: [u32; LANES],
        ranks: [u32; LANES],
        kbps: [u32; LANES],
    ) {
        let here = self.count..self.count + LANES;
        let satellites_here = &mut self.satellites[here.clone()];
        let ranks_here = &mut self.ranks[here.clone()];
        // Where it is the same everywhere nothing is written that is looked at.
        let mut nowhere = [0; LANES];
        let kbps_here = self.kbps.get_mut(here).unwrap_or(&mut nowhere);
        let mut kept = 0;
        for (i, ((satellite, rank), kbps)) in
            satellites.into_iter().zip(ranks).zip(kbps).enumerate()
        {
            satellites_here[kept] = satellite;
            ranks_here[kept] = rank as u8;
            kbps_here[kept] = kbps;
            kept += usize::from(lanes >> i & 1);
        }
        self.count += kept;
    }

    /// Of those from `start` on keeps some, if there are any.
    fn keep_if_any(&mut self, start: usize, keeps: impl Fn(u32) -> bool) {
        let kept: Vec<usize> = (start..self.count)
            .filter(|&i| keeps(self.satellites[i]))
            .collect();
        if kept.is_empty() {
            return;
        }
        self.count = start + kept.len();
        for (to, from) in (start..).zip(kept) {
            self.satellites[to] = self.satellites[from];
            self.ranks[to] = self.ranks[from];
            if !self.kbps.is_empty() {
                self.kbps[to] = self.kbps[from];
            }
        }
    }

    /// Of those from `start` on the one of the highest rank, of equal ones the last.
    fn most_preferred(&self, start: usize) -> Option<u32> {
        let ranks = &self.ranks[start..self.count];
        // The greatest of many bytes is found many at once.
        let most = ranks.iter().copied().max()?;
        let at = ranks.iter().rposition(|&rank| rank == most)?;
        Some(self.satellites[start + at])
    }

    /// The best rate of those from `start` on; none where it is the same everywhere, or there are none.
    fn best_kbps(&self, start: usize) -> Option<u32> {
        self.kbps.get(start..self.count)?.iter().copied().max()
    }
}

/// Some cells that follow each other, and where to write what is found of them.
struct Part<'a> {
    first_cell: usize,
    /// Where the first pair stands among those of all cells.
    first_pair: u32,
    sightings: Sightings<'a>,
    bounds: &'a mut [(u32, u32)],
    cells: &'a mut [CellAsk],
    views: &'a mut [View],
}

impl<'a> Part<'a> {
    /// Cuts it into parts of [`CHUNK`] cells, each with its room for pairs.
    fn cut(self, rooms: &[usize]) -> Vec<Part<'a>> {
        let Sightings {
            mut satellites,
            mut ranks,
            mut kbps,
            ..
        } = self.sightings;
        let (mut bounds, mut cells, mut views) = (self.bounds, self.cells, self.views);
        let (mut first_cell, mut first_pair) = (self.first_cell, self.first_pair);
        let mut parts = Vec::with_capacity(rooms.len());
        for &room in rooms {
            let count = CHUNK.min(cells.len());
            let rates = room.min(kbps.len());
            parts.push(Part {
                first_cell,
                first_pair,
                sightings: Sightings {
                    satellites: satellites.split_off_mut(..room).expect("room for all"),
                    ranks: ranks.split_off_mut(..room).expect("room for all"),
                    kbps: kbps.split_off_mut(..rates).expect("room for all, or none"),
                    count: 0,
                },
                bounds: bounds.split_off_mut(..count).expect("a row for each cell"),
                cells: cells.split_off_mut(..count).expect("one for each cell"),
                views: views.split_off_mut(..count).expect("one for each cell"),
            });
            first_cell += count;
            first_pair += room as u32;
        }
        parts
    }
}

/// Memory for the next epoch: as much is needed each time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    lists: Lists,
    pub(crate) reach: Reach,
}

/// What each cell asks, which satellites it may be served by, and its view.
fn reach(
    inputs: &Inputs,
    geography: &Geography,
    memory: &mut Memory,
) -> (Vec<CellAsk>, Reach, Vec<View>) {
    let user = &inputs.profile.user;
    let (starts, ends): (Vec<Ecef>, Vec<Ecef>) =
        inputs.satellites.iter().map(|s| (s.start, s.end)).unzip();
    let lists = &mut memory.lists;
    let least_rad = user.limit.min_elevation_rad();
    (geography.visibility).lists_at_both_into(&starts, &ends, least_rad, lists);
    let mut live: Vec<&LiveTerminal> = (inputs.live.iter())
        .filter(|t| t.access != Access::None)
        .collect();
    live.sort_by_key(|t| t.cell);
    let survey = Survey {
        inputs,
        geography,
        lists,
        ranking: Ranking::new(inputs),
        table: (!matches!(user.down, RateModel::Fixed(_))).then(|| RateTable::new(&user.down)),
        live,
    };
    let count = inputs.cells.len();
    let mut cells = vec![CellAsk::default(); count];
    let mut views = vec![View::default(); count];
    let mut reach = core::mem::take(&mut memory.reach);
    let mut kbps = match reach.rates {
        Rates::PerPair(kbps) => kbps,
        Rates::Fixed(_) => Vec::new(),
    };
    // As much room as there are satellites high enough; the last lanes are written as a whole.
    let room = |chunk: usize| {
        let cells = chunk * CHUNK..count.min((chunk + 1) * CHUNK);
        cells.map(|c| survey.lists.of(c).len()).sum::<usize>() + LANES
    };
    let rooms: Vec<usize> = (0..count.div_ceil(CHUNK))
        .into_par_iter()
        .map(room)
        .collect();
    let pairs = rooms.iter().sum();
    reach.preference.resize(pairs, 0);
    kbps.resize(if survey.table.is_some() { pairs } else { 0 }, 0);
    let (bounds, satellites) = reach.satellites.rewrite(count, pairs);
    let whole = Part {
        first_cell: 0,
        first_pair: 0,
        sightings: Sightings {
            satellites,
            ranks: &mut reach.preference,
            kbps: &mut kbps,
            count: 0,
        },
        bounds,
        cells: &mut cells,
        views: &mut views,
    };
    let level = Level::new();
    // Some parts are much more work than others: who is done takes the next.
    (whole.cut(&rooms).into_par_iter().with_max_len(1))
        .for_each(|part| dispatch!(level, simd => survey.fill(simd, part)));
    reach.rates = match user.down {
        RateModel::Fixed(kbps) => Rates::Fixed(kbps),
        RateModel::ByElevation(_) | RateModel::LinkBudget(_) => Rates::PerPair(kbps),
    };
    reach.preference_weight = inputs.preference.weight();
    let far = (geography.far.iter()).flat_map(|half| starts.iter().map(|&start| half.holds(start)));
    reach.far = far.collect();
    (cells, reach, views)
}

/// What decides which satellites may serve a cell.
struct Survey<'a> {
    inputs: &'a Inputs,
    geography: &'a Geography,
    /// High enough, at both ends of the epoch.
    lists: &'a Lists,
    ranking: Ranking,
    /// None where the rate is the same everywhere.
    table: Option<RateTable>,
    /// Those that may have service, by cell.
    live: Vec<&'a LiveTerminal>,
}

impl Survey<'_> {
    /// Inlined into code that may use the vector instructions of a level; none of its arithmetic depends on which.
    #[inline(always)]
    fn fill<S: Simd>(&self, simd: S, part: Part<'_>) {
        let user = &self.inputs.profile.user;
        let beams = BeamPlan::of(user);
        let mut seen = part.sightings;
        let cells = self.inputs.cells[part.first_cell..].iter().enumerate();
        let out = part.bounds.iter_mut().zip(part.cells).zip(part.views);
        for ((i, cell), ((bounds, ask), view)) in cells.zip(out) {
            let start = seen.count;
            let kept_away = self.look(simd, part.first_cell + i, &mut seen);
            self.keep_those_seen_by_live_terminals(cell, &mut seen, start);
            // By the best rate in reach; without any satellite the ask is of no consequence.
            let best_kbps = match user.down {
                RateModel::Fixed(kbps) => kbps,
                _ => seen.best_kbps(start).unwrap_or(1),
            };
            *view = View {
                preferred: seen.most_preferred(start),
                kept_away,
            };
            *ask = CellAsk::new(cell.terminals, cell.demand_kbps, best_kbps, beams);
            *bounds = (
                part.first_pair + start as u32,
                part.first_pair + seen.count as u32,
            );
        }
    }

    /// Appends the satellites that a cell may be served by, and says what keeps others from it.
    #[inline(always)]
    fn look<S: Simd>(&self, simd: S, c: usize, seen: &mut Sightings<'_>) -> KeptAway {
        let limit = self.geography.limit(c);
        let vantage = Vantage::of(&self.inputs.cells[c], limit, self.inputs.preference);
        let rates = self
            .table
            .as_ref()
            .map(|table| table.under(self.inputs.weather.down(c)));
        let mut kept_away = KeptAway::default();
        for satellites in self.lists.of(c).chunks(LANES) {
            let lanes = lanes_of(satellites);
            let arcs = self.ranking.arcs(simd, &lanes);
            let start = limit.sights(simd, arcs.start);
            let end = limit.sights(simd, arcs.end);
            let exist = u8::MAX >> (LANES - satellites.len());
            let near = start.near_gso_arc | start.allowed & end.near_gso_arc;
            kept_away.near_gso_arc |= near & exist != 0;
            let mut allowed = start.allowed & end.allowed & exist;
            let stands = (&start, &end);
            let ranks = self
                .ranking
                .ranks(simd, &vantage, satellites, &arcs, stands, allowed);
            let mut kbps = [0; LANES];
            if let Some(rates) = rates {
                kbps = rates.eight_kbps(simd, start.sin_elevation, end.sin_elevation);
                let mut dark = 0;
                for (i, &kbps) in kbps.iter().enumerate() {
                    dark |= u8::from(kbps == 0) << i;
                }
                kept_away.faded |= allowed & dark != 0;
                allowed &= !dark;
            }
            seen.append(allowed, lanes, ranks, kbps);
        }
        kept_away
    }

    /// A live terminal must see its satellite from where it stands, not only from its cell's centre: satellites that not all of
    /// a cell's live terminals see are left out, as long as one remains; and then those behind an obstruction, as the operator says
    /// that it does ("avoids obstructed sky when it can").
    fn keep_those_seen_by_live_terminals(
        &self,
        cell: &Cell,
        seen: &mut Sightings<'_>,
        start: usize,
    ) {
        let first = self.live.partition_point(|t| t.cell < cell.id);
        let here = self.live[first..].iter();
        for terminal in here.take_while(|t| t.cell == cell.id) {
            let satellite = |s: u32| &self.inputs.satellites[s as usize];
            let limit = self.inputs.profile.user.limit.at(terminal.place);
            seen.keep_if_any(start, |s| judge(&limit, satellite(s)) == Verdict::Allowed);
            if !terminal.obstructions.is_empty() {
                seen.keep_if_any(start, |s| !terminal.is_obstructed(satellite(s)));
            }
        }
    }
}

/// Links between satellites and gateways and between satellites that stand.
struct Links {
    /// By satellite: gateways, the time to each in space, s, and what one antenna carries, kbit/s.
    feeders: Vec<Vec<(u32, f64, u64)>>,
    lasers: Vec<(u32, u32)>,
}

impl Links {
    fn of(inputs: &Inputs) -> Self {
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
        let candidates = gateways_high_enough(inputs, satellites);
        let link = |satellite: &SatelliteState, g: usize| {
            let stands =
                inputs.gateways[g].antennas > 0 && judge(&limits[g], satellite) == Verdict::Allowed;
            stands.then_some(())?;
            let sights = [satellite.start, satellite.end].map(|p| limits[g].look(p));
            let kbps = feeder.least_kbps(sights, inputs.weather.feeder(g));
            let space_s = limits[g].range_m(satellite.start) / SPEED_OF_LIGHT_M_S;
            // Rain may leave nothing of a link.
            (kbps > 0).then_some((g as u32, space_s, kbps))
        };
        let feeders = satellites
            .par_iter()
            .enumerate()
            .map(|(s, satellite)| {
                let gateways = candidates.row(s).iter();
                gateways
                    .filter_map(|&g| link(satellite, g as usize))
                    .collect()
            })
            .collect();
        let positions = Positions::of(satellites.iter().map(|s| s.id));
        let lasers = inputs
            .lasers
            .par_iter()
            .filter_map(|&(a, b)| {
                let (i, j) = (positions.of_id(a)?, positions.of_id(b)?);
                let (a, b) = (&satellites[i], &satellites[j]);
                let stands = lasers::usable(&profile.laser, a.start, b.start)
                    && lasers::usable(&profile.laser, a.end, b.end);
                stands.then_some((i as u32, j as u32))
            })
            .collect();
        Self { feeders, lasers }
    }
}

fn network(inputs: &Inputs, views: &[View], links: Links) -> Network {
    let profile = &inputs.profile;
    let feeder = &profile.feeder;
    let pop_of = busiest_pop(inputs, views);
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
    let mut gateways_of = Csr::default();
    let mut feeder_kbps = Vec::new();
    for (mut row, pop) in links.feeders.into_iter().zip(pop_of) {
        // Shortest first: through space, and by fibre to where most of what the satellite sees meets the Internet.
        let delay_s = |&(g, space_s, _): &(u32, f64, u64)| {
            space_s + pop.map_or(0.0, |p| fibre_s[g as usize][p as usize])
        };
        row.sort_by(|a, b| delay_s(a).total_cmp(&delay_s(b)).then(a.0.cmp(&b.0)));
        gateways_of.push_row(row.iter().map(|&(g, ..)| g));
        // What an antenna carries follows the weather and the way to the satellite.
        if feeder.up.is_some() {
            feeder_kbps.extend(row.iter().map(|&(.., kbps)| kbps));
        }
    }
    Network {
        satellites: inputs.satellites.len(),
        gateways: inputs
            .gateways
            .iter()
            .map(|g| GatewayLimit {
                total_kbps: u64::from(g.antennas) * feeder.antenna_kbps,
                satellites: feeder.antennas_track_one_satellite.then_some(g.antennas),
            })
            .collect(),
        gateways_of,
        lasers: links.lasers,
        antenna_kbps: feeder.antenna_kbps,
        feeder_kbps,
        satellite_kbps: feeder.satellite_kbps,
        laser_kbps: profile.laser.kbps,
    }
}

/// For each satellite the gateways from which it may be high enough, ascending.
fn gateways_high_enough(inputs: &Inputs, satellites: &[SatelliteState]) -> Csr<u32> {
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
fn busiest_pop(inputs: &Inputs, views: &[View]) -> Vec<Option<u32>> {
    let pops = inputs.pops.len();
    let mut demand_kbps = vec![0; inputs.satellites.len() * pops];
    for (cell, view) in inputs.cells.iter().zip(views) {
        if let (Some(satellite), true) = (view.preferred, cell.pop.index() < pops) {
            demand_kbps[satellite as usize * pops + cell.pop.index()] += cell.demand_kbps;
        }
    }
    let busiest = |s: usize| {
        let row = &demand_kbps[s * pops..(s + 1) * pops];
        // Of equal ones the first.
        (0..pops)
            .rev()
            .max_by_key(|&p| row[p])
            .filter(|&p| row[p] > 0)
            .map(|p| p as u32)
    };
    (0..inputs.satellites.len()).map(busiest).collect()
}
