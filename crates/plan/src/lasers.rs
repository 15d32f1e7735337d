//! Which satellites are linked by lasers, and which of those links stand.
//!
//! The usual model is "+grid": two links within the plane and two across, kept for as long as the satellites stay where
//! they are (Bhattacherjee and Singla, CoNEXT 2019). [`walker_grid`] gives it for exact Walker sets, [`plus_grid`] for
//! real constellations, whose planes are uneven and have holes. Knows orbits; knows no traffic.

use core::f64::consts::{PI, TAU};
use serde::{Deserialize, Serialize};
use skyweave_base::{Ecef, Ellipsoid, SatId, Time, Vec3};
use skyweave_orbit::Elements;
use skyweave_radio::LaserLinks;
use std::ops::Range;

/// Whether the last plane of a Walker set is linked to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seam {
    /// The planes go all the way round (and the satellites at the seam move the same way).
    Closed,
    /// The planes are a part of a full set, or those at the seam move in opposite directions.
    Open,
}

/// The +grid of a Walker set in which satellite `plane * satellites_per_plane + k` is the k-th of its plane: each to the next
/// in its plane (a ring) and to the k-th of the next plane. Ids begin at `first`. Smaller id first, ascending.
pub fn walker_grid(
    first: SatId,
    planes: u32,
    satellites_per_plane: u32,
    seam: Seam,
) -> Vec<(SatId, SatId)> {
    let per = satellites_per_plane;
    let mut links = Vec::with_capacity(2 * planes as usize * per as usize);
    for plane in 0..planes {
        for k in 0..per {
            let this = plane * per + k;
            links.push((this, plane * per + (k + 1) % per));
            if plane + 1 < planes || seam == Seam::Closed {
                links.push((this, (plane + 1) % planes * per + k));
            }
        }
    }
    ordered(
        links
            .into_iter()
            .map(|(a, b)| (SatId(first.0 + a), SatId(first.0 + b))),
    )
}

/// Whether a laser link stands: not longer than the limit, and everywhere at least the grazing height above the ellipsoid.
pub fn usable(limits: &LaserLinks, a: Ecef, b: Ecef) -> bool {
    let along = b.0 - a.0;
    let length2 = along.dot(along);
    if length2 > limits.max_range_m * limits.max_range_m {
        return false;
    }
    // Nearest point to the Earth's centre: where it is outside the sphere around the raised ellipsoid nothing is left to ask.
    let part = (-a.0.dot(along) / length2).clamp(0.0, 1.0);
    let nearest = a.0 + along * part;
    let sphere = Ellipsoid::WGS84.semi_major_m + limits.min_grazing_height_m;
    nearest.dot(nearest) >= sphere * sphere || grazing_height_m(a, b) >= limits.min_grazing_height_m
}

/// Least height of the straight line between two points above the WGS84 ellipsoid, m.
///
/// The nearest point is sought on a sphere, after stretching the axis by 1/(1 − f). The foot so found is within f of the true
/// one, and height is flat around it: the error is of the order f² a, below 100 m.
pub fn grazing_height_m(a: Ecef, b: Ecef) -> f64 {
    let stretch = 1.0 / (1.0 - Ellipsoid::WGS84.flattening);
    let stretched = |p: Vec3| Vec3::new(p.x, p.y, p.z * stretch);
    let (from, along) = (stretched(a.0), stretched(b.0 - a.0));
    let part = (-from.dot(along) / along.dot(along)).clamp(0.0, 1.0);
    Ecef(a.0 + (b.0 - a.0) * part).to_geodetic().height_m
}

/// Satellites whose altitudes differ by at most twice this stay together for days: 4 km is 5 degrees of phase a day.
const SHELL_HALF_WIDTH_M: f64 = 4e3;
/// The inclination groups of any known constellation are several degrees apart; within one, altitude tells shells apart.
const INCLINATION_GAP_RAD: f64 = 1.0 * PI / 180.0;
/// Planes are at least 1 degree apart (the closest pairs of the 97-degree shells); satellites that share one stand within about
/// 0.2 degrees of the next by right ascension (2026-05-21 snapshot).
const PLANE_GAP_RAD: f64 = 0.4 * PI / 180.0;
/// A link must stay this high above a sphere of the equatorial radius, all along the mean orbit, to be chosen at all: 80 km of
/// atmosphere, and 20 km for what the mean orbit leaves out (eccentricities of 1e-3 and J2's short periods, ±10 km).
const CHOSEN_GRAZING_HEIGHT_M: f64 = 100e3;
/// Lasers of a satellite.
const LASERS: u8 = 4;

/// A satellite by its mean orbit at a common time.
#[derive(Clone, Copy, Debug)]
struct Member {
    id: SatId,
    inclination_rad: f64,
    altitude_m: f64,
    raan_rad: f64,
    /// Argument of latitude, from the mean anomaly (these orbits are nearly circular).
    latitude_argument_rad: f64,
}

/// The +grid of a real constellation at a time: at most four links per satellite, smaller id first, ascending. Satellites not in
/// service get none.
///
/// # Algorithm
/// 1. Bring right ascension and argument of latitude of all satellites to time `t` (secular J2).
/// 2. Split into shells: by gaps in inclination, then by altitude, the most crowded band of ±4 km first.
/// 3. Split each shell into planes by gaps in right ascension.
/// 4. In each plane link neighbours by argument of latitude, in a ring.
/// 5. Across planes: each satellite has one link eastward and one westward. For plane distance 1, then 2, 3, ...: match the
///    satellites of plane p whose eastward link is free with those of plane p + d whose westward link is free, one to one, the
///    nearest along the track first. Distances over 1 let the satellites of a full plane reach over a thin one.
/// 6. Link what still has free lasers within the shell, whatever the side, the nearest first.
///
/// A link is made only if it stays clear of the Earth all along the orbit.
pub fn plus_grid(elements: &[Elements], in_service: &[bool], t: Time) -> Vec<(SatId, SatId)> {
    let mut members: Vec<Member> = elements
        .iter()
        .enumerate()
        .filter(|&(i, _)| in_service.get(i) == Some(&true))
        .map(|(i, e)| Member::at(SatId(i as u32), e, t))
        .collect();
    members.sort_by(|a, b| {
        a.inclination_rad
            .total_cmp(&b.inclination_rad)
            .then(a.id.cmp(&b.id))
    });
    let mut links = Vec::with_capacity(2 * members.len());
    for group in
        members.chunk_by(|a, b| b.inclination_rad - a.inclination_rad <= INCLINATION_GAP_RAD)
    {
        for shell in shells(group.to_vec()) {
            link_shell(shell, &mut links);
        }
    }
    ordered(links.into_iter())
}

impl Member {
    /// Secular J2 rates of the node and of the argument of perigee (Vallado, "Fundamentals of Astrodynamics and Applications",
    /// 4th ed., equations 9-37 and 9-39); a TLE's mean motion already holds the rate of the mean anomaly.
    fn at(id: SatId, e: &Elements, t: Time) -> Self {
        /// WGS72, as in SGP4 (AIAA 2006-6753).
        const J2: f64 = 1.082_616e-3;
        const EARTH_RADIUS_M: f64 = 6_378_135.0;
        let seconds = (t - Time::from(e.epoch)).as_secs_f64();
        let n_rad_s = e.mean_motion_rev_day * TAU / 86_400.0;
        let a_m = e.altitude_m() + Ellipsoid::WGS84.semi_major_m;
        let p_m = a_m * (1.0 - e.eccentricity * e.eccentricity);
        let k = 1.5 * J2 * (EARTH_RADIUS_M / p_m).powi(2) * n_rad_s;
        let cos_i = e.inclination_rad.cos();
        let raan_rate = -k * cos_i;
        let perigee_rate = k * (2.5 * cos_i * cos_i - 0.5);
        let u = e.argument_of_perigee_rad + e.mean_anomaly_rad + (n_rad_s + perigee_rate) * seconds;
        Self {
            id,
            inclination_rad: e.inclination_rad,
            altitude_m: e.altitude_m(),
            raan_rad: (e.raan_rad + raan_rate * seconds).rem_euclid(TAU),
            latitude_argument_rad: u.rem_euclid(TAU),
        }
    }
}

/// Splits by altitude: again and again the band of ±[`SHELL_HALF_WIDTH_M`] with most satellites. So a few satellites on their way
/// between two shells do not join them, as they would if the shells were split at gaps.
fn shells(mut rest: Vec<Member>) -> Vec<Vec<Member>> {
    rest.sort_by(|a, b| a.altitude_m.total_cmp(&b.altitude_m).then(a.id.cmp(&b.id)));
    let mut shells = Vec::new();
    while !rest.is_empty() {
        let mut best = 0..0;
        let mut end = 0;
        for start in 0..rest.len() {
            while end < rest.len()
                && rest[end].altitude_m - rest[start].altitude_m <= 2.0 * SHELL_HALF_WIDTH_M
            {
                end += 1;
            }
            if end - start > best.len() {
                best = start..end;
            }
        }
        shells.push(rest.drain(best).collect());
    }
    shells
}

/// Splits a shell, given in any order, into planes in the order of right ascension; each in the order of argument of latitude.
fn planes(mut shell: Vec<Member>) -> Vec<Vec<Member>> {
    shell.sort_by(|a, b| a.raan_rad.total_cmp(&b.raan_rad).then(a.id.cmp(&b.id)));
    // Begin after a gap, so that a plane around 0 degrees is not cut in two.
    let gap_before = |i: usize| {
        let before = shell[(i + shell.len() - 1) % shell.len()].raan_rad;
        (shell[i].raan_rad - before).rem_euclid(TAU)
    };
    if let Some(first) = (0..shell.len()).find(|&i| gap_before(i) > PLANE_GAP_RAD) {
        shell.rotate_left(first);
    }
    shell
        .chunk_by(|a, b| (b.raan_rad - a.raan_rad).rem_euclid(TAU) <= PLANE_GAP_RAD)
        .map(|plane| {
            let mut plane = plane.to_vec();
            plane.sort_by(|a, b| {
                a.latitude_argument_rad
                    .total_cmp(&b.latitude_argument_rad)
                    .then(a.id.cmp(&b.id))
            });
            plane
        })
        .collect()
}

fn link_shell(shell: Vec<Member>, links: &mut Vec<(SatId, SatId)>) {
    let altitude_m = shell.iter().map(|m| m.altitude_m).sum::<f64>() / shell.len() as f64;
    let radius_m = Ellipsoid::WGS84.semi_major_m;
    // The longest chord that stays clear: cos(arc/2) = (R + grazing height)/(R + altitude).
    let longest_rad = 2.0
        * ((radius_m + CHOSEN_GRAZING_HEIGHT_M) / (radius_m + altitude_m))
            .min(1.0)
            .acos();
    let planes = planes(shell);
    let members: Vec<Member> = planes.iter().flatten().copied().collect();
    let mut starts = vec![0];
    starts.extend(planes.iter().scan(0, |end, plane| {
        *end += plane.len();
        Some(*end)
    }));
    let plane = |p: usize| starts[p]..starts[p + 1];
    let mut grid = ShellGrid {
        free: vec![Lasers::default(); members.len()],
        members,
        longest_rad,
        links,
    };
    for p in 0..planes.len() {
        grid.ring(plane(p));
    }
    for distance in 1..planes.len() {
        for p in 0..planes.len() {
            grid.across(plane(p), plane((p + distance) % planes.len()));
        }
    }
    grid.fill();
}

/// A shell while it is being linked; satellites are indices into `members`.
struct ShellGrid<'a> {
    members: Vec<Member>,
    free: Vec<Lasers>,
    longest_rad: f64,
    links: &'a mut Vec<(SatId, SatId)>,
}

/// What a satellite has free: lasers, and the two sides of its plane.
#[derive(Clone, Copy)]
struct Lasers {
    count: u8,
    east: bool,
    west: bool,
}

impl Default for Lasers {
    fn default() -> Self {
        Self {
            count: LASERS,
            east: true,
            west: true,
        }
    }
}

impl ShellGrid<'_> {
    fn link(&mut self, a: usize, b: usize) {
        self.free[a].count -= 1;
        self.free[b].count -= 1;
        self.links.push((self.members[a].id, self.members[b].id));
    }

    fn ring(&mut self, plane: Range<usize>) {
        let satellites = plane.len();
        // Two satellites are one link, and not a ring.
        for i in 0..if satellites > 2 {
            satellites
        } else {
            satellites.saturating_sub(1)
        } {
            let (a, b) = (plane.start + i, plane.start + (i + 1) % satellites);
            let arc = self.members[b].latitude_argument_rad - self.members[a].latitude_argument_rad;
            if circle_distance(arc) <= self.longest_rad {
                self.link(a, b);
            }
        }
    }

    fn across(&mut self, west: Range<usize>, east: Range<usize>) {
        let mut pairs = Vec::new();
        for a in west.filter(|&a| self.free[a].east) {
            for b in east.clone().filter(|&b| self.free[b].west) {
                let Some((along_rad, east_rad)) = self.offset(a, b) else {
                    break;
                };
                let across_rad = east_rad * self.members[a].inclination_rad.sin();
                if east_rad > 0.0 && along_rad.hypot(across_rad) <= self.longest_rad {
                    pairs.push((along_rad, a, b));
                }
            }
        }
        self.link_nearest(pairs, |free, a, b| {
            let fits = free[a].east && free[b].west;
            if fits {
                free[a].east = false;
                free[b].west = false;
            }
            fits
        });
    }

    fn fill(&mut self) {
        let open: Vec<usize> = (0..self.members.len())
            .filter(|&s| self.free[s].count > 0)
            .collect();
        let mut linked: Vec<_> = ordered(self.links.iter().copied());
        linked.dedup();
        let mut pairs = Vec::new();
        for (i, &a) in open.iter().enumerate() {
            for &b in &open[i + 1..] {
                let Some((along_rad, east_rad)) = self.offset(a, b) else {
                    continue;
                };
                let length_rad = along_rad.hypot(east_rad * self.members[a].inclination_rad.sin());
                let (ida, idb) = (self.members[a].id, self.members[b].id);
                if length_rad <= self.longest_rad
                    && linked.binary_search(&(ida.min(idb), ida.max(idb))).is_err()
                {
                    pairs.push((length_rad, a, b));
                }
            }
        }
        self.link_nearest(pairs, |free, a, b| free[a].count > 0 && free[b].count > 0);
    }

    /// Distance along the track, Δu + ΔΩ cos i at every point of the orbit, and how far `b`'s plane is east of `a`'s. `None` if the
    /// planes are more than a quarter turn apart: neighbours across the seam of a half-circle of planes move in opposite directions.
    fn offset(&self, a: usize, b: usize) -> Option<(f64, f64)> {
        let (a, b) = (&self.members[a], &self.members[b]);
        let east_rad = signed(b.raan_rad - a.raan_rad);
        let along_rad =
            b.latitude_argument_rad - a.latitude_argument_rad + east_rad * a.inclination_rad.cos();
        (east_rad.abs() <= PI / 2.0).then(|| (circle_distance(along_rad), east_rad))
    }

    /// Links the pairs that still fit, the nearest first.
    fn link_nearest(
        &mut self,
        mut pairs: Vec<(f64, usize, usize)>,
        mut take: impl FnMut(&mut [Lasers], usize, usize) -> bool,
    ) {
        pairs.sort_by(|x, y| x.0.total_cmp(&y.0).then((x.1, x.2).cmp(&(y.1, y.2))));
        for (_, a, b) in pairs {
            if take(&mut self.free, a, b) {
                self.link(a, b);
            }
        }
    }
}

/// The angle in (−π, π].
fn signed(angle_rad: f64) -> f64 {
    let positive = angle_rad.rem_euclid(TAU);
    if positive > PI {
        positive - TAU
    } else {
        positive
    }
}

fn circle_distance(angle_rad: f64) -> f64 {
    signed(angle_rad).abs()
}

/// Smaller id first, ascending, each once; a link of a satellite with itself is dropped.
fn ordered(links: impl Iterator<Item = (SatId, SatId)>) -> Vec<(SatId, SatId)> {
    let mut links: Vec<_> = links
        .filter(|(a, b)| a != b)
        .map(|(a, b)| (a.min(b), a.max(b)))
        .collect();
    links.sort_unstable();
    links.dedup();
    links
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use skyweave_base::Geodetic;

    /// As documented at [`grazing_height_m`].
    const TOLERANCE_M: f64 = 100.0;

    proptest! {
        #[test]
        fn grazing_height_is_the_least_height_along_the_line(
            lat in -90.0..90.0_f64, dlat in -50.0..50.0_f64, dlon in -60.0..60.0_f64, km in 300.0..1200.0_f64,
        ) {
            let a = Geodetic { height_m: km * 1e3, ..Geodetic::from_degrees(lat, 10.0).unwrap() }.to_ecef();
            let there = Geodetic::from_degrees((lat + dlat).clamp(-90.0, 90.0), 10.0 + dlon).unwrap();
            let b = Geodetic { height_m: 550e3, ..there }.to_ecef();
            let sampled = (0..=2000)
                .map(|i| Ecef(a.0 + (b.0 - a.0) * (f64::from(i) / 2000.0)).to_geodetic().height_m)
                .fold(f64::INFINITY, f64::min);
            prop_assert!((grazing_height_m(a, b) - sampled).abs() < TOLERANCE_M);
            for min_grazing_height_m in [80e3, sampled - TOLERANCE_M, sampled + TOLERANCE_M] {
                let limits = LaserLinks { kbps: 1, max_range_m: 1e8, min_grazing_height_m };
                prop_assume!((sampled - min_grazing_height_m).abs() >= TOLERANCE_M * 0.999);
                prop_assert_eq!(usable(&limits, a, b), sampled > min_grazing_height_m);
            }
            let short = LaserLinks { kbps: 1, max_range_m: a.distance_m(b) - 1.0, min_grazing_height_m: -1e7 };
            prop_assert!(!usable(&short, a, b));
        }
    }

    #[test]
    fn small_walker_grids_have_no_doubled_links() {
        let of = |planes, per, seam| walker_grid(SatId(5), planes, per, seam).len();
        assert_eq!(of(1, 1, Seam::Closed), 0);
        assert_eq!(of(1, 2, Seam::Closed), 1);
        assert_eq!(of(2, 2, Seam::Closed), 4);
        assert_eq!(of(3, 3, Seam::Closed), 18);
        assert_eq!(of(3, 3, Seam::Open), 15);
        assert_eq!(
            walker_grid(SatId(5), 1, 2, Seam::Open),
            [(SatId(5), SatId(6))]
        );
    }
}
