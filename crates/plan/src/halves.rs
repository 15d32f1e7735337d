//! The world in two halves, whose beams can be given out at the same time.
//!
//! What is decided in America is of no matter in Asia. Two meridians cut the satellites into those of the near side and those of the
//! far one; a cell belongs to a side if all satellites in its reach do, and the cells between wait for both. Where the meridians lie
//! changes what each board decides, so they follow from where the cells are, never from the machine.

use crate::inputs::Cell;
use crate::instance::Instance;
use rayon::prelude::*;
use skyweave_base::Ecef;
use std::sync::Arc;

/// Fewer cells than these are not worth a second board.
const LEAST_CELLS: usize = 50_000;
/// Where the longer half and what lies between are more than this part of the work, two boards save little.
const MOST_PART: f64 = 0.8;
/// How far to both sides of a meridian cells are expected to see satellites of both, in degrees: what a footprint of 940 km (25 degrees
/// of elevation at 550 km) spans at 45 degrees of latitude. Only the choice of the meridians goes by it.
const BETWEEN_DEG: usize = 12;
const TURN_DEG: usize = 360;

/// The far half of the world: from one meridian eastward to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FarHalf {
    from_deg: usize,
    width_deg: usize,
}

impl FarHalf {
    /// The cut that leaves least to be done one after the other; none where that is nearly everything.
    pub(crate) fn of(cells: &[Cell]) -> Option<Self> {
        if cells.len() < LEAST_CELLS {
            return None;
        }
        // A cell is work, and so is what it asks: where much is asked searches are long.
        let demand_kbps: u64 = cells.iter().map(|cell| cell.demand_kbps).sum();
        let work = |cell: &Cell| {
            1.0 / cells.len() as f64 + 3.0 * cell.demand_kbps as f64 / demand_kbps.max(1) as f64
        };
        let mut by_degree = [0.0; TURN_DEG];
        for cell in cells {
            by_degree[degree(cell.centre.lon_rad)] += work(cell);
        }
        // Sums from degree 0 on, through two turns.
        let mut sums = vec![0.0];
        for deg in 0..2 * TURN_DEG {
            sums.push(sums[deg] + by_degree[deg % TURN_DEG]);
        }
        let sum = |from: usize, width: usize| {
            let from = from % TURN_DEG;
            sums[from + width] - sums[from]
        };
        let halves = (0..TURN_DEG).flat_map(|from_deg| {
            (2 * BETWEEN_DEG..=TURN_DEG - 2 * BETWEEN_DEG).map(move |width_deg| Self {
                from_deg,
                width_deg,
            })
        });
        let in_turn = |half: &Self| {
            let rest = TURN_DEG - half.width_deg;
            let far = sum(
                half.from_deg + BETWEEN_DEG,
                half.width_deg - 2 * BETWEEN_DEG,
            );
            let near = sum(
                half.from_deg + half.width_deg + BETWEEN_DEG,
                rest - 2 * BETWEEN_DEG,
            );
            far.max(near) + (sums[TURN_DEG] - far - near)
        };
        let best = halves.min_by(|a, b| in_turn(a).total_cmp(&in_turn(b)))?;
        (in_turn(&best) <= MOST_PART * sums[TURN_DEG]).then_some(best)
    }

    /// Whether a satellite stands over it.
    pub(crate) fn holds(self, satellite: Ecef) -> bool {
        let deg = degree(satellite.0.y.atan2(satellite.0.x));
        (deg + TURN_DEG - self.from_deg) % TURN_DEG < self.width_deg
    }
}

fn degree(lon_rad: f64) -> usize {
    (lon_rad.to_degrees().floor() as i64).rem_euclid(TURN_DEG as i64) as usize
}

/// To which half a cell belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Near,
    Far,
    /// It sees satellites of both.
    Between,
}

/// The side of each cell; none if all satellites are on the same.
pub(crate) fn sides(instance: &Instance) -> Option<Arc<[Side]>> {
    let (satellites, far) = (&instance.reach.satellites, &instance.reach.far);
    if far.is_empty() {
        return None;
    }
    let side = |c: usize| {
        let row = satellites.row(c);
        match row.iter().filter(|&&s| far[s as usize]).count() {
            0 => Side::Near,
            n if n == row.len() => Side::Far,
            _ => Side::Between,
        }
    };
    let cells = 0..instance.cells.len();
    Some(cells.into_par_iter().map(side).collect::<Vec<_>>().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use skyweave_base::{CellId, Geodetic, PopId};

    fn cells(places: impl Iterator<Item = (f64, f64)>) -> Vec<Cell> {
        let cell = |(i, (lat, lon))| Cell {
            id: CellId(i as u64),
            centre: Geodetic::from_degrees(lat, lon).unwrap(),
            terminals: 1,
            demand_kbps: 1,
            pop: PopId(0),
        };
        places.enumerate().map(cell).collect()
    }

    #[test]
    fn two_crowds_are_told_apart_and_one_is_left_whole() {
        let crowd =
            |lon: f64| (0..LEAST_CELLS).map(move |i| (i as f64 * 1e-4, lon + i as f64 * 1e-4));
        let half = FarHalf::of(&cells(crowd(-100.0).chain(crowd(175.5)))).unwrap();
        let over = |lon: f64| half.holds(Geodetic::from_degrees(0.0, lon).unwrap().to_ecef());
        // The second crowd lies to both sides of the antimeridian.
        assert!(over(-98.0) != over(178.0) && over(178.0) == over(-179.0));
        assert_eq!(FarHalf::of(&cells(crowd(10.0))), None);
    }
}
