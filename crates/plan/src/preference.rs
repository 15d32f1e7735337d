//! What decides among satellites that would serve a cell equally well: a rank for each pair of a cell and a satellite.
//!
//! Ranks are weighed against how full satellites are and how far from a gateway ([`crate::Reach::preference_weight`]); no
//! rank ever costs a cell its service. Knows positions and elevations; nothing of channels or backhaul.

use crate::inputs::{Cell, Inputs, SatelliteState};
use core::f64::consts::PI;
use skyweave_base::{CellId, Ecef, EpochNumber, Geodetic, MEAN_EARTH_RADIUS_M, SatId, Seed, Vec3};
use skyweave_radio::{PointLimit, Standing};

/// What the planner prefers among satellites that would serve a cell equally well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Preference {
    /// Satellites that stand high and will stay long; and the one that a cell has, for as long as nothing is lost by it.
    #[default]
    Capacity,
    /// What the real scheduler was seen to choose ([`observed`]): high and north, and anew at most boundaries.
    AsObserved,
}

impl Preference {
    /// How much fuller (share of a satellite) the most preferred satellite may be than the least preferred one and still be
    /// taken.
    pub(crate) fn weight(self) -> f32 {
        match self {
            // High satellites are preferred, but not at the price of a full one where another is empty.
            Self::Capacity => 0.25,
            // More than fullness and lasers weigh together: only a full satellite is passed over.
            Self::AsObserved => 16.0,
        }
    }

    /// Whether a cell may keep in this epoch what it had in the one before.
    pub(crate) fn keeps(self, cell: CellId, epoch: EpochNumber) -> bool {
        match self {
            Self::Capacity => true,
            Self::AsObserved => {
                let draw = seed(cell, epoch).child("stay", 0).rng().next_f64();
                draw < observed::STAY
            }
        }
    }
}

/// The choices of the real scheduler as a few numbers: a satellite is taken with a probability that is proportional to
/// `w = ((elevation − LEAST_RAD) / (FULL_RAD − LEAST_RAD))^POWER` (between 0 and 1) times `exp(NORTH cos(azimuth))`, and kept at
/// a boundary with the probability `STAY` before anything is drawn.
///
/// One set of numbers for every place, fitted to the satellites chosen in 988 slots at Kanazawa (36.6 N) and Louvain (50.9 N) on
/// 17 July 2024 out of 31,974 candidates, by bins of elevation and azimuth (counts from the artefacts of "SatInView", LEO-NET
/// 2024): first by greatest likelihood over both sites together (28 degrees, 61 degrees, 1.8, 0.42), then, as the planner keeps
/// satellites near the GSO arc out by itself, with less weight on the north and more on height, until both sites were alike
/// near. That the choice is high and north is also what H. B. Tanveer et al., "Making Sense of Constellations" (CoNEXT 2023
/// companion), saw at four others. docs/planner.md has what comes out beside what was measured.
pub mod observed {
    /// Elevation at and below which nothing is taken.
    pub const LEAST_RAD: f64 = 29.3 * core::f64::consts::PI / 180.0;
    /// Elevation from which on higher is no better.
    pub const FULL_RAD: f64 = 64.5 * core::f64::consts::PI / 180.0;
    /// How steeply the preference grows between them.
    pub const POWER: f64 = 1.6;
    /// Half the logarithm of how much more willingly a satellite in the north is taken than one in the south.
    pub const NORTH: f64 = 0.25;
    /// How often a terminal's satellite is not asked to compete. Together with those that win again about 30 % stay; 31 % did:
    /// 681 slots of 988 were the first on their satellite.
    pub const STAY: f64 = 0.27;
    /// What is left to satellites below the least elevation where there is no other.
    pub(super) const FLOOR: f64 = 1e-3;
}

/// How far the rank goes by how long a satellite will stay rather than by how high it stands.
const STAY_SHARE: f64 = 0.5;
/// Epochs beyond which staying longer is worth no more: a satellite at 550 km crosses the view above 25 degrees in 16.
const LONGEST_STAY: f64 = 16.0;

/// Ranks of the pairs of an epoch.
pub(crate) struct Ranking {
    preference: Preference,
    epoch: EpochNumber,
    /// The least sine of the elevation that the limit allows.
    least_sin: f64,
    arcs: Vec<Arc>,
}

/// What a satellite's path over the ground is made of.
#[derive(Clone, Copy)]
struct Arc {
    start: Vec3,
    end: Vec3,
    /// The square of the angle passed in an epoch, seen from the Earth's centre.
    step2: f64,
    /// The satellite's geocentric distance in the direction of a place for which it stands as low as it may, m.
    least_m: f64,
}

impl Arc {
    fn new(satellite: &SatelliteState, min_elevation_rad: f64) -> Self {
        let (start, end) = (satellite.start.0, satellite.end.0);
        let moved = end - start;
        let radius_m = start.norm();
        // From the centre, the horizon circle of elevation ε has the half angle acos(R cos ε / r) − ε.
        let half = (MEAN_EARTH_RADIUS_M * min_elevation_rad.cos() / radius_m)
            .min(1.0)
            .acos()
            - min_elevation_rad;
        Self {
            start,
            end,
            step2: moved.dot(moved) / start.dot(start),
            least_m: radius_m * half.cos(),
        }
    }

    /// For how many epochs, the present one included, the satellite stays high enough over a place. On a circle the product
    /// p of both vectors follows p″ = −ω² p: to second order p(n) = p₀ + b n − ω² p₀ n²/2. A sphere and a parabola are good
    /// enough for a rank: within an epoch for passes of 8 to 16.
    fn stay_epochs(&self, place: Vec3, place_radius_m: f64) -> f64 {
        let first = place.dot(self.start);
        let curve = first * self.step2;
        let slope = place.dot(self.end) - first + curve / 2.0;
        let above = (first - self.least_m * place_radius_m).max(0.0);
        (slope + (slope * slope + 2.0 * curve * above).sqrt()) / curve
    }
}

/// A cell's place, ready for questions of rank.
pub(crate) struct Vantage {
    cell: CellId,
    origin: Ecef,
    radius_m: f64,
    north: Vec3,
    east: Vec3,
    gso_band: Option<(f64, f64)>,
}

impl Vantage {
    /// Under the limit of its own place.
    pub(crate) fn of(cell: &Cell, limit: &PointLimit) -> Self {
        let Geodetic {
            lat_rad, lon_rad, ..
        } = cell.centre;
        let (sin_lat, cos_lat) = lat_rad.sin_cos();
        let (sin_lon, cos_lon) = lon_rad.sin_cos();
        let origin = cell.centre.to_ecef();
        Self {
            cell: cell.id,
            origin,
            radius_m: origin.0.norm(),
            north: Vec3::new(-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat),
            east: Vec3::new(-sin_lon, cos_lon, 0.0),
            gso_band: limit.gso_band(),
        }
    }

    /// For how many epochs, the present one included, a satellite stays out of the declinations where the GSO arc matters, as
    /// far as it goes on as in this epoch; one that is among them now has a beam only at an end of the arc, and counts as staying.
    fn clear_epochs(&self, start: Standing, end: Standing) -> f64 {
        let Some((low, high)) = self.gso_band else {
            return f64::INFINITY;
        };
        let step = end.sin_declination - start.sin_declination;
        let left = match step > 0.0 {
            true => low - end.sin_declination,
            false => end.sin_declination - high,
        };
        match left >= 0.0 {
            true => 1.0 + left / step.abs(),
            false => f64::INFINITY,
        }
    }
}

impl Ranking {
    pub(crate) fn new(inputs: &Inputs) -> Self {
        let min_elevation_rad = inputs.profile.user.limit.min_elevation_rad().max(0.0);
        Self {
            preference: inputs.preference,
            epoch: inputs.epoch,
            least_sin: min_elevation_rad.sin(),
            arcs: inputs
                .satellites
                .iter()
                .map(|s| Arc::new(s, min_elevation_rad))
                .collect(),
        }
    }

    /// How willingly a cell is served by a satellite that stands so at both ends of the epoch.
    pub(crate) fn rank(
        &self,
        from: &Vantage,
        satellite: (usize, SatId),
        stands: (Standing, Standing),
    ) -> u8 {
        let (start, end) = stands;
        let sin_elevation = (start.sin_elevation + end.sin_elevation) / 2.0;
        let arc = &self.arcs[satellite.0];
        let merit = match self.preference {
            Preference::Capacity => {
                let height = (sin_elevation - self.least_sin) / (1.0 - self.least_sin);
                let in_view = arc.stay_epochs(from.origin.0, from.radius_m);
                let stay = in_view.min(from.clear_epochs(start, end)) / LONGEST_STAY;
                (1.0 - STAY_SHARE) * height + STAY_SHARE * stay.min(1.0)
            }
            Preference::AsObserved => {
                let line = arc.start - from.origin.0;
                let (north, east) = (line.dot(from.north), line.dot(from.east));
                let weight = observed_weight(sin_elevation.asin(), north / north.hypot(east));
                // The largest u^(1/w) is each with a probability proportional to its w: P. S. Efraimidis and P. G. Spirakis,
                // "Weighted random sampling with a reservoir", Information Processing Letters 97 (2006).
                let draw = seed(from.cell, self.epoch).child("satellite", satellite.1.0.into());
                draw.rng().next_f64().powf(1.0 / weight)
            }
        };
        (255.0 * merit.clamp(0.0, 1.0)) as u8
    }
}

/// w of [`observed`], scaled to 1 at most.
fn observed_weight(elevation_rad: f64, cos_azimuth: f64) -> f64 {
    use observed::{FLOOR, FULL_RAD, LEAST_RAD, NORTH, POWER};
    debug_assert!(elevation_rad <= PI / 2.0);
    let height = ((elevation_rad - LEAST_RAD) / (FULL_RAD - LEAST_RAD)).clamp(0.0, 1.0);
    (height.powf(POWER) + FLOOR) / (1.0 + FLOOR) * (NORTH * (cos_azimuth - 1.0)).exp()
}

fn seed(cell: CellId, epoch: EpochNumber) -> Seed {
    Seed::root(epoch.0 as u64).child("cell", cell.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use skyweave_base::Enu;

    /// On a circle at 550 km, `n` epochs of 15 s from now; the Earth stands still, as it does in a rank.
    fn on_circle(inclination_rad: f64, phase_rad: f64, n: f64) -> Ecef {
        let (radius_m, step_rad) = (6_921e3, 0.016_45);
        let (s, c) = (phase_rad + step_rad * n).sin_cos();
        let (si, ci) = inclination_rad.sin_cos();
        Ecef(Vec3::new(c, s * ci, s * si) * radius_m)
    }

    proptest! {
        /// The sphere and the parabola are off by half an epoch where the pass is high, by up to 1 where it is low, by more
        /// where it only touches the mask: those, of less than 8 epochs, are left out.
        #[test]
        fn a_stay_is_as_long_as_the_satellite_is_high_enough(
            inclination in 0.0..1.7_f64, phase in 0.0..core::f64::consts::TAU, dlat in -0.12..0.12_f64, dlon in -0.12..0.12_f64,
        ) {
            const LEAST_RAD: f64 = 0.436;
            let at = |n: f64| on_circle(inclination, phase, n);
            let under = at(0.0).to_geodetic();
            let place = Geodetic {
                lat_rad: (under.lat_rad + dlat).clamp(-1.5, 1.5),
                lon_rad: under.lon_rad + dlon,
                height_m: 0.0,
            };
            let here = Enu::at(place);
            let is_up = |n: f64| here.look(at(n)).elevation_rad >= LEAST_RAD;
            prop_assume!(is_up(0.0) && is_up(1.0));
            let last = (0..200).map(|i| f64::from(i) / 10.0).find(|&n| !is_up(n)).unwrap_or(20.0);
            let first = (0..200).map(|i| f64::from(-i) / 10.0).find(|&n| !is_up(n)).unwrap_or(-20.0);
            prop_assume!(last - first > 8.0);
            let satellite = SatelliteState { id: SatId(0), start: at(0.0), end: at(1.0) };
            let stay = Arc::new(&satellite, LEAST_RAD).stay_epochs(place.to_ecef().0, place.to_ecef().0.norm());
            prop_assert!((stay - last).abs() < 1.0, "{stay} {last}");
        }
    }

    #[test]
    fn high_and_north_weigh_as_they_were_seen_to() {
        let degrees = |e: f64, north: f64| observed_weight(e.to_radians(), north);
        assert!(degrees(64.6, 1.0) == 1.0 && degrees(80.0, 1.0) == 1.0);
        assert!(degrees(27.0, 1.0) < 0.01 && degrees(27.0, -1.0) > 0.0);
        let ratio = degrees(50.0, 1.0) / degrees(50.0, -1.0);
        assert!((ratio.ln() - 2.0 * observed::NORTH).abs() < 1e-12);
        // Of cells that could stay, so many do.
        let epoch = EpochNumber(118_621_440);
        let kept = (0..10_000)
            .filter(|&c| Preference::AsObserved.keeps(CellId(c), epoch))
            .count();
        // Six standard deviations of a binomial draw.
        assert!(
            (kept as f64 - 10_000.0 * observed::STAY).abs() < 6.0 * 42.1,
            "{kept}"
        );
    }
}
