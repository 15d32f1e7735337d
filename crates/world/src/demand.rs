//! Where people are and what they ask: areas and populations become H3 cells with terminals.
//!
//! The world is one grid of resolution 5 cells with a country and a number of people each, made from the built-in resolution 4
//! grid, cities and the finer grid of Ukraine. Terminals are spread by cumulative rounding along the H3 order, which is a
//! space-filling curve: every region gets its share to within a terminal or two, however thin its people are spread. (Largest
//! remainders would leave every thinly settled country without any.)

use crate::area::Polygons;
use crate::fields::Located;
use crate::files::{Files, builtin};
use crate::places::cities;
use crate::problem::{Location, Problems};
use crate::scenario::{Area, DemandSpec, Spread};
use crate::table::{optional, read_csv, required};
use h3o::{CellIndex, LatLng, Resolution};
use rayon::prelude::*;
use std::sync::OnceLock;

/// What a cell's background terminals are and ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CellDemand {
    pub(crate) cell: CellIndex,
    pub(crate) terminals: u32,
    pub(crate) demand_kbps: u64,
}

/// One demand of a scenario: where its terminals may be, and how many they are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Demand {
    /// Its area as the scenario writes it.
    pub(crate) area: String,
    /// Its cells, ascending, each with its part in the spread.
    pub(crate) weights: Vec<(CellIndex, u64)>,
    /// True if the weights are people.
    pub(crate) weights_are_people: bool,
    pub(crate) terminals: u64,
    pub(crate) rate_kbps: u32,
}

impl Demand {
    /// So many terminals spread over the cells; those that get none are left out.
    fn spread(&self, terminals: u64) -> impl Iterator<Item = CellDemand> {
        let weights: Vec<u64> = self.weights.iter().map(|w| w.1).collect();
        let spread = cumulative_rounding(&weights, terminals);
        let with_terminals = self.weights.iter().zip(spread).filter(|(_, n)| *n > 0);
        with_terminals.map(|(&(cell, _), n)| CellDemand {
            cell,
            terminals: u32::try_from(n).unwrap_or(u32::MAX),
            demand_kbps: n.saturating_mul(u64::from(self.rate_kbps)),
        })
    }
}

/// The demands of a scenario, in its order.
pub(crate) fn load(
    specs: &[DemandSpec],
    files: &dyn Files,
    problems: &mut Problems,
) -> Vec<Demand> {
    let grid = PeopleGrid::default();
    let mut all = Vec::new();
    for spec in specs {
        let Some(demand) = read_demand(spec, &grid, files, problems) else {
            continue;
        };
        if demand.spread(demand.terminals).next().is_none() && !problems.has_errors() {
            problems.push(
                spec.at
                    .error("an empty demand: no cell of the area gets a terminal"),
            );
        }
        all.push(demand);
    }
    all
}

/// All demand by cell, ascending, without repetition. `terminals` says how many each demand has.
pub(crate) fn by_cell(demands: &[Demand], terminals: impl Fn(&Demand) -> u64) -> Vec<CellDemand> {
    let all = demands.iter().flat_map(|d| d.spread(terminals(d)));
    merged(all.collect())
}

/// Demand by cell, ascending, each cell once.
pub(crate) fn merged(mut all: Vec<CellDemand>) -> Vec<CellDemand> {
    if !all.is_sorted_by(|a, b| a.cell < b.cell) {
        all.sort_by_key(|d| d.cell);
        all.dedup_by(|later, kept| {
            let same = later.cell == kept.cell;
            if same {
                kept.terminals = kept.terminals.saturating_add(later.terminals);
                kept.demand_kbps += later.demand_kbps;
            }
            same
        });
    }
    all
}

fn read_demand(
    spec: &DemandSpec,
    grid: &PeopleGrid,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<Demand> {
    let excepted = |country: &[u8; 2]| spec.except.iter().any(|e| e.as_bytes() == country);
    let at = &spec.area.at;
    let mut weights: Vec<(CellIndex, u64)> = match &spec.area.value {
        Area::World => grid
            .get()
            .iter()
            .filter(|g| !excepted(&g.country))
            .map(|g| (g.cell, g.people))
            .collect(),
        Area::Country(code) => {
            let inside = grid
                .get()
                .iter()
                .filter(|g| g.country == code.as_bytes() && !excepted(&g.country));
            inside.map(|g| (g.cell, g.people)).collect()
        }
        Area::GeoJson(path) => {
            match read(path, at, files, problems).map(|bytes| Polygons::parse(path, &bytes)) {
                Some(Ok(polygons)) => {
                    // Who lives there matters only to some demands, and takes long to know.
                    let asks_people = spec.spread == Spread::Population || !spec.except.is_empty();
                    let grid = if asks_people { grid.get() } else { &[] };
                    let people = |cell| match grid.binary_search_by_key(&cell, |g| g.cell) {
                        Ok(i) if excepted(&grid[i].country) => None,
                        Ok(i) => Some((cell, grid[i].people)),
                        Err(_) => Some((cell, 0)),
                    };
                    polygons.cells().into_iter().filter_map(people).collect()
                }
                Some(Err(found)) => {
                    problems.0.extend(found.0);
                    return None;
                }
                None => return None,
            }
        }
        Area::Cells(path) => {
            let bytes = read(path, at, files, problems)?;
            let column = match spec.spread {
                Spread::Given => Some("terminals"),
                Spread::Population => Some("population"),
                Spread::Uniform => None,
            };
            read_cells(path, &bytes, column, problems)
        }
    };
    for file in &spec.except_files {
        let left_out = match &file.value {
            Area::GeoJson(path) => {
                let bytes = read(path, &file.at, files, problems)?;
                match Polygons::parse(path, &bytes) {
                    Ok(polygons) => polygons.cells(),
                    Err(found) => {
                        problems.0.extend(found.0);
                        return None;
                    }
                }
            }
            Area::Cells(path) => {
                let bytes = read(path, &file.at, files, problems)?;
                let cells = read_cells(path, &bytes, None, problems);
                cells.into_iter().map(|(cell, _)| cell).collect()
            }
            Area::World | Area::Country(_) => Vec::new(),
        };
        weights.retain(|(cell, _)| left_out.binary_search(cell).is_err());
    }
    let terminals = match spec.spread {
        Spread::Given => weights.iter().map(|w| w.1).sum(),
        Spread::Population => spec.terminals?,
        Spread::Uniform => {
            weights.iter_mut().for_each(|w| w.1 = 1);
            spec.terminals?
        }
    };
    Some(Demand {
        area: spec.area_text.clone(),
        weights,
        weights_are_people: spec.spread == Spread::Population,
        terminals,
        rate_kbps: spec.rate_kbps,
    })
}

/// Reads a file that a scenario names; a failure is a problem of the place where it is named.
pub(crate) fn read(
    path: &str,
    at: &Location,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<Vec<u8>> {
    match files.read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            problems.push(at.error(error.to_string()));
            None
        }
    }
}

/// As [`read`], for a value that is the path itself.
pub(crate) fn read_located(
    path: &Located<String>,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<Vec<u8>> {
    read(path, &path.at, files, problems)
}

/// Splits `total` in proportion to the weights so that every prefix of the list gets its exact share rounded down:
/// part i is ⌊T·W(i+1)/W⌋ − ⌊T·W(i)/W⌋ with W(i) the sum of the weights before i. Each part differs from its exact share by
/// less than one. All parts are zero if all weights are.
pub(crate) fn cumulative_rounding(weights: &[u64], total: u64) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|&w| u128::from(w)).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let mut before = 0_u128;
    let mut given = 0_u64;
    let part = |&weight: &u64| {
        before += u128::from(weight);
        // Both factors are below 2^64, so their product fits; the quotient is at most `total`.
        let due = (u128::from(total) * before / sum) as u64;
        let part = due - given;
        given = due;
        part
    };
    weights.iter().map(part).collect()
}

/// People by cell and country.
#[derive(Clone, Copy, Debug)]
struct GridCell {
    cell: CellIndex,
    country: [u8; 2],
    people: u64,
}

/// The world's people by resolution 5 cell, ascending; made when first asked for.
#[derive(Default)]
struct PeopleGrid(OnceLock<Vec<GridCell>>);

impl PeopleGrid {
    fn get(&self) -> &[GridCell] {
        self.0.get_or_init(world_grid)
    }
}

/// # Algorithm
/// 1. A resolution 4 cell's people go to its children: first the people of the cities that stand in them (reduced in proportion
///    if the cities together claim more than the cell holds), the rest in equal parts.
/// 2. Ukraine's cells come from its own resolution 5 grid; children of its neighbours' cells that are in that grid are left
///    to it, and their people stay in the other children.
fn world_grid() -> Vec<GridCell> {
    let (ukraine, (coarse, cities)) = rayon::join(ukraine_grid, || {
        rayon::join(coarse_grid, || cities_by_cell(Resolution::Five))
    });
    let fine = coarse
        .par_iter()
        .filter(|g| g.country != *b"UA")
        .flat_map_iter(|g| split(g, &cities, &ukraine));
    let mut grid: Vec<GridCell> = fine.collect();
    grid.extend_from_slice(&ukraine);
    grid.par_sort_unstable_by_key(|g| g.cell);
    grid
}

fn split(coarse: &GridCell, cities: &[(CellIndex, u64)], ukraine: &[GridCell]) -> Vec<GridCell> {
    let children: Vec<CellIndex> = coarse
        .cell
        .children(Resolution::Five)
        .filter(|child| ukraine.binary_search_by_key(child, |g| g.cell).is_err())
        .collect();
    let claimed: Vec<u64> = children
        .iter()
        .map(|child| {
            let from = cities.partition_point(|(cell, _)| cell < child);
            cities[from..]
                .iter()
                .take_while(|(cell, _)| cell == child)
                .map(|(_, people)| people)
                .sum()
        })
        .collect();
    let in_cities = claimed.iter().sum::<u64>().min(coarse.people);
    let urban = cumulative_rounding(&claimed, in_cities);
    let rural = cumulative_rounding(&vec![1; children.len()], coarse.people - in_cities);
    children
        .into_iter()
        .zip(urban.into_iter().zip(rural))
        .map(|(cell, (urban, rural))| GridCell {
            cell,
            country: coarse.country,
            people: urban + rural,
        })
        .collect()
}

/// (cell, people) of every city, ascending.
fn cities_by_cell(resolution: Resolution) -> Vec<(CellIndex, u64)> {
    let mut all: Vec<_> = cities()
        .par_iter()
        .filter_map(|c| {
            Some((
                cell_at(c.position.lat_rad, c.position.lon_rad, resolution)?,
                c.population,
            ))
        })
        .collect();
    all.par_sort_unstable();
    all
}

fn coarse_grid() -> Vec<GridCell> {
    let columns = [
        required(&["h3_r4"]),
        required(&["country"]),
        required(&["population"]),
    ];
    let mut all = Vec::with_capacity(80_000);
    let mut problems = Problems::default();
    read_csv(
        "world_h3r4.csv",
        builtin::WORLD_CELLS.as_bytes(),
        &columns,
        &mut problems,
        |row| {
            let cell = row.text(0).and_then(|t| t.parse().ok());
            let country = row.text(1).and_then(|t| t.as_bytes().try_into().ok());
            if let (Some(cell), Some(country), Some(people)) =
                (cell, country, row.required_number(2, 0..=u64::MAX))
            {
                all.push(GridCell {
                    cell,
                    country,
                    people,
                });
            }
        },
    );
    debug_assert!(problems.0.is_empty(), "built-in data: {problems}");
    all
}

fn ukraine_grid() -> Vec<GridCell> {
    let mut problems = Problems::default();
    let cells = read_cells(
        "ukraine_h3r5.csv",
        builtin::UKRAINE_CELLS.as_bytes(),
        Some("population"),
        &mut problems,
    );
    debug_assert!(problems.0.is_empty(), "built-in data: {problems}");
    cells
        .into_iter()
        .map(|(cell, people)| GridCell {
            cell,
            country: *b"UA",
            people,
        })
        .collect()
}

/// The cell that holds a place.
pub(crate) fn cell_at(lat_rad: f64, lon_rad: f64, resolution: Resolution) -> Option<CellIndex> {
    LatLng::from_radians(lat_rad, lon_rad)
        .ok()
        .map(|place| place.to_cell(resolution))
}

/// Reads a CSV of H3 resolution 5 cells, ascending by cell, with the whole number in column `weight` (1 if none is asked for).
pub(crate) fn read_cells(
    file: &str,
    bytes: &[u8],
    weight: Option<&'static str>,
    problems: &mut Problems,
) -> Vec<(CellIndex, u64)> {
    const CELL: crate::table::Column = required(&["h3_r5", "h3", "cell", "h3_index"]);
    let columns = match weight {
        Some("terminals") => [CELL, required(&["terminals"])],
        Some(_) => [CELL, required(&["population"])],
        None => [CELL, optional(&["terminals"])],
    };
    let mut all: Vec<(CellIndex, u64, Location)> = Vec::new();
    read_csv(file, bytes, &columns, problems, |row| {
        let amount = if weight.is_some() {
            row.required_number(1, 0..=u64::from(u32::MAX))
        } else {
            Some(1)
        };
        let Some(text) = row.required_text(0) else {
            return;
        };
        match text.parse::<CellIndex>() {
            Ok(cell) if cell.resolution() == Resolution::Five => {
                if let Some(amount) = amount {
                    all.push((cell, amount, row.at()));
                }
            }
            Ok(cell) => row.error(0, &format!("{text} is an H3 cell of resolution {}: expected resolution 5", cell.resolution())),
            Err(_) => row.error(0, &format!("`{text}` is not an H3 cell: expected 15 hexadecimal digits such as 851e6387fffffff")),
        }
    });
    all.sort_by_key(|(cell, ..)| *cell);
    for pair in all.windows(2).filter(|pair| pair[0].0 == pair[1].0).take(5) {
        let first = pair[0].2.line.unwrap_or_default();
        problems.push(pair[1].2.error(format!(
            "the cell {} is listed already in line {first}",
            pair[1].0
        )));
    }
    all.dedup_by_key(|(cell, ..)| *cell);
    all.into_iter()
        .map(|(cell, amount, _)| (cell, amount))
        .collect()
}
