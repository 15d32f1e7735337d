//! What stands in the way of a place's view of the sky.

use crate::LookAngles;
use core::f64::consts::TAU;

/// A building, a hill or a tree as a place sees it: from one azimuth to another, everything below an elevation is hidden.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Obstruction {
    /// Where it begins, from north over east, rad.
    pub from_rad: f64,
    /// How far it goes clockwise from there, rad, in `(0, 2π]`.
    pub width_rad: f64,
    /// How high it stands, rad.
    pub below_rad: f64,
}

impl Obstruction {
    /// From one azimuth clockwise to another, degrees; 0 to 360 is all around.
    pub fn from_degrees(from_deg: f64, to_deg: f64, below_deg: f64) -> Self {
        let width_deg = match (to_deg - from_deg).rem_euclid(360.0) {
            0.0 => 360.0,
            width => width,
        };
        Self {
            from_rad: from_deg.to_radians(),
            width_rad: width_deg.to_radians(),
            below_rad: below_deg.to_radians(),
        }
    }

    /// Whether any of them stands before a direction.
    pub fn any_hides(all: &[Self], look: &LookAngles) -> bool {
        all.iter().any(|o| o.hides(look))
    }

    /// Whether it stands before a direction.
    pub fn hides(&self, look: &LookAngles) -> bool {
        look.elevation_rad < self.below_rad
            && (look.azimuth_rad - self.from_rad).rem_euclid(TAU) <= self.width_rad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hides(obstruction: Obstruction, azimuth_deg: f64, elevation_deg: f64) -> bool {
        obstruction.hides(&LookAngles {
            azimuth_rad: azimuth_deg.to_radians(),
            elevation_rad: elevation_deg.to_radians(),
            range_m: 600_000.0,
        })
    }

    #[test]
    fn it_hides_what_is_behind_it_and_nothing_beside_or_above() {
        let house = Obstruction::from_degrees(120.0, 200.0, 60.0);
        assert!(hides(house, 121.0, 30.0) && hides(house, 199.0, 59.0));
        assert!(!hides(house, 119.0, 30.0) && !hides(house, 201.0, 30.0));
        assert!(!hides(house, 160.0, 61.0));
    }

    #[test]
    fn it_goes_clockwise_over_north_and_all_around() {
        let north = Obstruction::from_degrees(350.0, 20.0, 40.0);
        assert!(hides(north, 355.0, 10.0) && hides(north, 0.0, 10.0) && hides(north, 19.0, 10.0));
        assert!(!hides(north, 180.0, 10.0) && !hides(north, 340.0, 10.0));
        let court = Obstruction::from_degrees(0.0, 360.0, 50.0);
        for azimuth_deg in [0.0, 90.0, 180.0, 270.0, 359.9] {
            assert!(hides(court, azimuth_deg, 49.0) && !hides(court, azimuth_deg, 51.0));
        }
    }
}
