//! What decides among satellites that would serve a cell equally well: a rank for each pair of a cell and a satellite.
//!
//! Ranks are weighed against how full satellites are and how far from a gateway ([`crate::Reach::preference_weight`]); no
//! rank ever costs a cell its service. Knows positions and elevations; nothing of channels or backhaul.

use crate::inputs::{Cell, Inputs, SatelliteState};
use core::f64::consts::PI;
use fearless_simd::{Simd, f64x8, prelude::*};
use skyweave_base::{CellId, EpochNumber, Geodetic, MEAN_EARTH_RADIUS_M, SatId, Seed, Vec3};
use skyweave_radio::{PointLimit, Standings, whole_parts};

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
    epoch: EpochNumber,
    /// The least sine of the elevation that the limit allows.
    least_sin: f64,
    ids: Vec<SatId>,
    arcs: Vec<Arc>,
}

/// What a satellite's path over the ground is made of, in one cache line: where it is at the start and at the end; the square of the
/// angle passed in an epoch, seen from the Earth's centre; and its geocentric distance in the direction of a place for which it
/// stands as low as it may, m.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Arc([f64; 8]);

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
        let step2 = moved.dot(moved) / start.dot(start);
        let least_m = radius_m * half.cos();
        Self([
            start.x, start.y, start.z, end.x, end.y, end.z, step2, least_m,
        ])
    }
}

/// Eight arcs, by their parts.
pub(crate) struct Arcs<S: Simd> {
    pub(crate) start: [f64x8<S>; 3],
    pub(crate) end: [f64x8<S>; 3],
    step2: f64x8<S>,
    least_m: f64x8<S>,
}

/// Columns of a square of numbers, given by its rows: three times the rows of one half are shuffled with those of the other.
#[inline(always)]
fn transposed<S: Simd>(rows: [f64x8<S>; 8]) -> [f64x8<S>; 8] {
    let shuffled = |rows: [f64x8<S>; 8]| {
        core::array::from_fn(|i| {
            let (one, other) = (rows[i / 2], rows[i / 2 + 4]);
            if i % 2 == 0 {
                one.zip_low(other)
            } else {
                one.zip_high(other)
            }
        })
    };
    shuffled(shuffled(shuffled(rows)))
}

/// For how many epochs, the present one included, a satellite stays high enough over a place. On a circle the product p of both
/// vectors follows p″ = −ω² p: to second order p(n) = p₀ + b n − ω² p₀ n²/2. A sphere and a parabola are good enough for a rank:
/// within an epoch for passes of 8 to 16. `first` and `second` are p at the ends of the epoch, `least` is p at the mask.
#[inline(always)]
fn stay_epochs<S: Simd>(simd: S, [first, second, step2, least]: [f64x8<S>; 4]) -> f64x8<S> {
    let curve = first * step2;
    let slope = second - first + curve * 0.5;
    let above = (first - least).max(f64x8::splat(simd, 0.0));
    (slope + (slope * slope + curve * 2.0 * above).sqrt()) / curve
}

/// For how many epochs, the present one included, a satellite stays out of the declinations where the GSO arc matters, as far as
/// it goes on as in this epoch; one that is among them now has a beam only at an end of the arc, and counts as staying.
#[inline(always)]
fn clear_epochs<S: Simd>(
    simd: S,
    (low, high): (f64, f64),
    start: f64x8<S>,
    end: f64x8<S>,
) -> f64x8<S> {
    let splat = |value| f64x8::splat(simd, value);
    let step = end - start;
    let left = step
        .simd_gt(splat(0.0))
        .select(splat(low) - end, end - splat(high));
    left.simd_ge(splat(0.0))
        .select(left / step.abs() + 1.0, splat(f64::INFINITY))
}

/// A cell's place, ready for questions of rank.
pub(crate) struct Vantage {
    cell: CellId,
    origin: Vec3,
    radius_m: f64,
    gso_band: Option<(f64, f64)>,
    /// Only where the preference asks for directions.
    north_east: Option<(Vec3, Vec3)>,
}

impl Vantage {
    /// Under the limit of its own place.
    #[inline(always)]
    pub(crate) fn of(cell: &Cell, limit: &PointLimit, preference: Preference) -> Self {
        let origin = limit.origin().0;
        Self {
            cell: cell.id,
            origin,
            radius_m: origin.norm(),
            gso_band: limit.gso_band(),
            north_east: match preference {
                Preference::Capacity => None,
                Preference::AsObserved => Some(north_east(cell.centre)),
            },
        }
    }
}

fn north_east(place: Geodetic) -> (Vec3, Vec3) {
    let (sin_lat, cos_lat) = place.lat_rad.sin_cos();
    let (sin_lon, cos_lon) = place.lon_rad.sin_cos();
    (
        Vec3::new(-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat),
        Vec3::new(-sin_lon, cos_lon, 0.0),
    )
}

impl Ranking {
    pub(crate) fn new(inputs: &Inputs) -> Self {
        let min_elevation_rad = inputs.profile.user.limit.min_elevation_rad().max(0.0);
        Self {
            epoch: inputs.epoch,
            least_sin: min_elevation_rad.sin(),
            ids: inputs.satellites.iter().map(|s| s.id).collect(),
            arcs: inputs
                .satellites
                .iter()
                .map(|s| Arc::new(s, min_elevation_rad))
                .collect(),
        }
    }

    /// The arcs of eight satellites.
    #[inline(always)]
    pub(crate) fn arcs<S: Simd>(&self, simd: S, satellites: &[u32; 8]) -> Arcs<S> {
        let rows = satellites.map(|s| f64x8::from_slice(simd, &self.arcs[s as usize].0));
        let [x0, y0, z0, x1, y1, z1, step2, least_m] = transposed(rows);
        Arcs {
            start: [x0, y0, z0],
            end: [x1, y1, z1],
            step2,
            least_m,
        }
    }

    /// How willingly a cell is served by satellites that stand so at both ends of the epoch, 0 to 255; `asked` has a bit for each
    /// that matters.
    #[inline(always)]
    pub(crate) fn ranks<S: Simd>(
        &self,
        simd: S,
        from: &Vantage,
        satellites: &[u32],
        arcs: &Arcs<S>,
        (start, end): (&Standings<S>, &Standings<S>),
        asked: u8,
    ) -> [u32; 8] {
        let sin_elevation = (start.sin_elevation + end.sin_elevation) * 0.5;
        let merits = match from.north_east {
            None => self.capacity(simd, from, arcs, start, end, sin_elevation),
            Some(axes) => {
                let [x, y, z]: [[f64; 8]; 3] = arcs.start.map(Into::into);
                let sin_elevation: [f64; 8] = sin_elevation.into();
                let mut merits = [0.0; 8];
                for (i, &satellite) in satellites.iter().enumerate() {
                    if asked >> i & 1 == 1 {
                        let position = Vec3::new(x[i], y[i], z[i]);
                        merits[i] =
                            self.observed(from, axes, satellite, position, sin_elevation[i]);
                    }
                }
                f64x8::from_slice(simd, &merits)
            }
        };
        let (least, most) = (f64x8::splat(simd, 0.0), f64x8::splat(simd, 1.0));
        whole_parts(simd, merits.max(least).min(most) * 255.0)
    }

    #[inline(always)]
    fn capacity<S: Simd>(
        &self,
        simd: S,
        from: &Vantage,
        arcs: &Arcs<S>,
        start: &Standings<S>,
        end: &Standings<S>,
        sin_elevation: f64x8<S>,
    ) -> f64x8<S> {
        let p = from.origin;
        let product = |[x, y, z]: [f64x8<S>; 3]| x * p.x + y * p.y + z * p.z;
        let height = (sin_elevation - self.least_sin) / (1.0 - self.least_sin);
        let products = [
            product(arcs.start),
            product(arcs.end),
            arcs.step2,
            arcs.least_m * from.radius_m,
        ];
        let mut stay = stay_epochs(simd, products);
        if let Some(band) = from.gso_band {
            let clear = clear_epochs(simd, band, start.sin_declination, end.sin_declination);
            stay = stay.min(clear);
        }
        let stay = (stay * (1.0 / LONGEST_STAY)).min(f64x8::splat(simd, 1.0));
        height * (1.0 - STAY_SHARE) + stay * STAY_SHARE
    }

    fn observed(
        &self,
        from: &Vantage,
        (north, east): (Vec3, Vec3),
        satellite: u32,
        position: Vec3,
        sin_elevation: f64,
    ) -> f64 {
        let line = position - from.origin;
        let (north, east) = (line.dot(north), line.dot(east));
        let weight = observed_weight(sin_elevation.asin(), north / north.hypot(east));
        // The largest u^(1/w) is each with a probability proportional to its w: P. S. Efraimidis and P. G. Spirakis,
        // "Weighted random sampling with a reservoir", Information Processing Letters 97 (2006).
        let id = self.ids[satellite as usize];
        let draw = seed(from.cell, self.epoch).child("satellite", id.0.into());
        draw.rng().next_f64().powf(1.0 / weight)
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
    use fearless_simd::{Level, dispatch};
    use proptest::prelude::*;
    use skyweave_base::{Ecef, Enu};

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
            let (arc, here) = (Arc::new(&satellite, LEAST_RAD), place.to_ecef().0);
            let [x0, y0, z0, x1, y1, z1, step2, least_m] = arc.0;
            let given = [here.dot(Vec3::new(x0, y0, z0)), here.dot(Vec3::new(x1, y1, z1)), step2, least_m * here.norm()];
            let stay: [f64; 8] = dispatch!(Level::new(), simd => {
                stay_epochs(simd, given.map(|value| f64x8::splat(simd, value))).into()
            });
            let stay = stay[0];
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
