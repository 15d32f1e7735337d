//! The sky as the terminal has come to know it: a polar map of where satellites were received.

use skyweave_base::{Span, Time};

/// Rows and columns.
pub(crate) const SIZE: usize = 123;
/// The middle row and column: the zenith.
const CENTRE: f64 = 61.0;
/// Angle from the zenith at the edge, degrees.
pub(crate) const MAX_THETA_DEG: f64 = 80.0;
/// The edge is this many cells from the centre.
const EDGE_CELLS: f64 = 62.0;
/// How long the alert stands that says that the map was emptied (own choice).
const RESET_ALERT: Span = Span::from_secs(60);

const UNSEEN: f32 = -1.0;
const OBSTRUCTED: f32 = 0.0;
const CLEAR: f32 = 1.0;

/// Fixed to the Earth: centre is the zenith, the top row is north, right is east.
#[derive(Clone, Debug)]
pub(crate) struct SkyMap {
    cells: Vec<f32>,
    /// Seconds that were painted since the map was empty.
    pub(crate) painted_s: u32,
    /// Of which the satellite was behind something.
    pub(crate) obstructed_s: u32,
    cleared: Option<Time>,
}

impl SkyMap {
    pub(crate) fn new() -> Self {
        Self {
            cells: vec![UNSEEN; SIZE * SIZE],
            painted_s: 0,
            obstructed_s: 0,
            cleared: None,
        }
    }

    pub(crate) fn clear(&mut self, now: Time) {
        *self = Self {
            cleared: Some(now),
            ..Self::new()
        };
    }

    pub(crate) fn reset_alert(&self, now: Time) -> bool {
        self.cleared.is_some_and(|at| now - at < RESET_ALERT)
    }

    /// Marks the cell in a direction, if the map reaches so low. Angles in radians.
    pub(crate) fn paint(&mut self, azimuth_rad: f64, elevation_rad: f64, clear: bool) {
        let Some(index) = cell(azimuth_rad, elevation_rad) else {
            return;
        };
        self.cells[index] = if clear { CLEAR } else { OBSTRUCTED };
        self.painted_s += 1;
        self.obstructed_s += u32::from(!clear);
    }

    /// Row-major; -1 where nothing was received yet, 0 obstructed, 1 clear.
    pub(crate) fn cells(&self) -> &[f32] {
        &self.cells
    }

    /// Cells with data, and the share of them that is obstructed.
    pub(crate) fn seen(&self) -> (u32, f32) {
        let of = |value: f32| self.cells.iter().filter(|cell| **cell == value).count();
        let (clear, obstructed) = (of(CLEAR), of(OBSTRUCTED));
        let seen = clear + obstructed;
        (
            seen as u32,
            if seen == 0 {
                0.0
            } else {
                obstructed as f32 / seen as f32
            },
        )
    }
}

/// The cell of a direction.
fn cell(azimuth_rad: f64, elevation_rad: f64) -> Option<usize> {
    let theta_deg = 90.0 - elevation_rad.to_degrees();
    let from_centre = theta_deg * EDGE_CELLS / MAX_THETA_DEG;
    let col = (CENTRE + from_centre * azimuth_rad.sin()).round();
    let row = (CENTRE - from_centre * azimuth_rad.cos()).round();
    let inside = 0.0..SIZE as f64;
    (inside.contains(&col) && inside.contains(&row)).then(|| row as usize * SIZE + col as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a cell's diagonal: 80/62 * sqrt(2)/2 degrees.
    const HALF_CELL_DEG: f64 = 0.92;

    #[test]
    fn the_documented_inverse_leads_back_to_the_direction() {
        for azimuth_deg in (0..360).step_by(7) {
            for elevation_deg in (15..=88).step_by(3) {
                let (azimuth, elevation) = (f64::from(azimuth_deg), f64::from(elevation_deg));
                let index = cell(azimuth.to_radians(), elevation.to_radians()).unwrap();
                let (row, col) = (index / SIZE, index % SIZE);
                let (dx, dy) = (col as f64 - 61.0, 61.0 - row as f64);
                let back_elevation = 90.0 - 80.0 / 62.0 * dx.hypot(dy);
                assert!((back_elevation - elevation).abs() < HALF_CELL_DEG);
                let turn = (dx.atan2(dy).to_degrees() - azimuth + 540.0).rem_euclid(360.0) - 180.0;
                assert!(
                    turn.abs() * elevation.to_radians().cos() < 2.0 * HALF_CELL_DEG,
                    "{azimuth} {elevation}: {turn}"
                );
            }
        }
        assert_eq!(
            cell(0.0, std::f64::consts::FRAC_PI_2),
            Some(61 * SIZE + 61),
            "the centre is the zenith"
        );
        assert_eq!(cell(0.0, -0.1), None, "below the map's edge");
        assert_eq!(cell(f64::NAN, 1.0), None);
    }
}
