//! The angle to the GSO arc: the circle of geostationary satellites as a ground point sees it.

use core::f64::consts::PI;
use fearless_simd::{Simd, f64x8, prelude::*};
use skyweave_base::{Ecef, Geodetic, Vec3};

/// Radius of the geostationary orbit, m (Recommendation ITU-R S.1503-3, table of constants: 42,164.2 km).
pub const GSO_RADIUS_M: f64 = 42_164_200.0;

/// The part of the geostationary arc above a point's horizon (the plane normal to the ellipsoid's normal), ready for many
/// questions. Angles are topocentric and geometric.
///
/// # Algorithm
/// Turn the frame so that the point P stands at longitude 0, at distance ρ from the axis and height z over the equator. The
/// arc is G(λ) = R (cos λ, sin λ, 0) for |λ| ≤ Λ, Λ where G meets the horizon; the angle sought is least where
/// f(λ) = u·(G(λ) − P) / |G(λ) − P| is greatest, u the unit vector toward the target.
/// 1. Seen from P all of the arc has nearly one declination: −z/|G − P| changes by a sixth at most. So the nearest point
///    stands near λ₀, where the arc has the target's own hour angle: the half-line from (ρ, 0) along (u_x, u_y) meets the
///    circle R. That takes one square root and no trigonometry.
/// 2. Newton's method on f'(λ) = 0 from there, at most `NEWTON_STEPS` steps, cut to the visible part.
/// 3. The greatest of f there and at both ends of the visible part.
#[derive(Clone, Copy, Debug)]
pub struct GsoArc {
    point: Vec3,
    /// Unit vector toward the point's meridian in the equatorial plane, and the one 90 degrees east of it.
    meridian: Vec3,
    east: Vec3,
    /// Distance of the point from the Earth's axis, and its square sum with R: |G − P|² = reach2 − 2 R ρ cos λ.
    rho_m: f64,
    reach2_m2: f64,
    /// cos Λ and sin Λ; cos Λ > 1: no part of the arc is above the horizon.
    cos_end: f64,
    sin_end: f64,
}

/// Newton's error after each step is about the square of the one before. The start is within 0.03 rad, so three steps leave
/// far less than the rounding of the angle itself (1e-8 rad, from `acos` near 1).
const NEWTON_STEPS: usize = 3;

impl GsoArc {
    /// The arc seen from a place.
    pub fn seen_from(place: Geodetic) -> Self {
        Self::above(place.to_ecef().0, place.up())
    }

    /// The arc seen from a point whose ellipsoid normal is `up`.
    fn above(point: Vec3, up: Vec3) -> Self {
        let cos_lat = up.x.hypot(up.y);
        // At the poles any meridian will do.
        let (cos_lon, sin_lon) = match cos_lat {
            0.0 => (1.0, 0.0),
            _ => (up.x / cos_lat, up.y / cos_lat),
        };
        let rho_m = point.x.hypot(point.y);
        // up·(G − P) ≥ 0 with up = (cos φ, 0, sin φ): cos λ ≥ (ρ + z tan φ)/R.
        let cos_end = (rho_m + point.z * up.z / cos_lat.max(1e-12)) / GSO_RADIUS_M;
        Self {
            point,
            meridian: Vec3::new(cos_lon, sin_lon, 0.0),
            east: Vec3::new(-sin_lon, cos_lon, 0.0),
            rho_m,
            reach2_m2: GSO_RADIUS_M * GSO_RADIUS_M + point.dot(point),
            cos_end,
            sin_end: (1.0 - cos_end * cos_end).max(0.0).sqrt(),
        }
    }

    /// Whether any part of the arc is above the horizon; beyond 81.3 degrees of latitude none is.
    pub fn is_visible(&self) -> bool {
        self.cos_end <= 1.0
    }

    /// Least angle, seen from the place, between the target and any visible point of the arc, rad; π if none is visible.
    pub fn separation_rad(&self, target: Ecef) -> f64 {
        if !self.is_visible() {
            return PI;
        }
        let direction = (target.0 - self.point).unit();
        self.cos_separation(direction).clamp(-1.0, 1.0).acos()
    }

    /// Greatest cosine of the angle between the unit vector `direction` and the visible arc.
    fn cos_separation(&self, direction: Vec3) -> f64 {
        let (r, rho) = (GSO_RADIUS_M, self.rho_m);
        let (a, b) = (direction.dot(self.meridian), direction.dot(self.east));
        let offset = direction.dot(self.point);
        let cosine = |cos: f64, sin: f64| {
            (r * (a * cos + b * sin) - offset) / (self.reach2_m2 - 2.0 * r * rho * cos).sqrt()
        };
        let ends = cosine(self.cos_end, self.sin_end).max(cosine(self.cos_end, -self.sin_end));
        // Toward the celestial pole every hour angle is as good; the ends stand for the arc there to first order and any
        // start will do for Newton.
        let horizontal2 = (a * a + b * b).max(1e-18);
        let along = (-rho * a + (rho * rho * a * a + horizontal2 * (r * r - rho * rho)).sqrt())
            / horizontal2;
        let (mut cos, mut sin) = unit(rho + along * a, along * b);
        if cos < self.cos_end {
            (cos, sin) = (self.cos_end, self.sin_end.copysign(sin));
        }
        for _ in 0..NEWTON_STEPS {
            // f = N/√D, D' = 2Rρ sin λ; the sign and zeros of f' are those of g = N' D − N D'/2,
            // and g' = N'' D + N' D'/2 − N D''/2.
            let n = r * (a * cos + b * sin) - offset;
            let n1 = r * (b * cos - a * sin);
            let n2 = -r * (a * cos + b * sin);
            let d = self.reach2_m2 - 2.0 * r * rho * cos;
            let half_d1 = r * rho * sin;
            let half_d2 = r * rho * cos;
            let slope = n2 * d + n1 * half_d1 - n * half_d2;
            if slope >= 0.0 {
                break; // Not near a maximum: it is at an end.
            }
            let step = (-(n1 * d - n * half_d1) / slope).clamp(-0.5, 0.5);
            // A rotation by the step, to second order; `unit` takes the rest.
            let half = step * step / 2.0;
            (cos, sin) = unit(cos - sin * step - cos * half, sin + cos * step - sin * half);
            if cos < self.cos_end {
                (cos, sin) = (self.cos_end, self.sin_end.copysign(sin));
            }
            if step.abs() < 1e-6 {
                break;
            }
        }
        ends.max(cosine(cos, sin))
    }
}

fn unit(x: f64, y: f64) -> (f64, f64) {
    let k = 1.0 / (x * x + y * y).sqrt();
    (x * k, y * k)
}

/// The forbidden band around the arc seen from one place: answers most questions with a few comparisons.
///
/// Seen from one place the visible arc has declinations from δ₁ to δ₂, less than 2 degrees apart. Two directions are at
/// least the difference of their declinations apart, and just that when they share their hour angle. So of a target at δ
/// nothing more needs to be known
/// - if δ < δ₁ − ε or δ > δ₂ + ε: it is farther than ε from all of the arc;
/// - if δ₂ − ε < δ < δ₁ + ε and some visible point of the arc has its hour angle: it is nearer than ε to that point.
///
/// Between those two, let D be the distance to the point of the arc at the target's own hour angle.
/// - If D < ε and that point is visible, it is nearer than ε.
/// - The arc is nearly a parallel: its declination changes by at most m = |z₀| ρ / (R − ρ)² for each radian of hour angle, seen from a
///   place ρ from the axis and z₀ from the equator's plane (with t the distance of a point from the place's parallel to the axis,
///   tan δ = −z₀ / t, |dt/dh| ≤ ρ and t ≥ R − ρ in front; behind both are greater, t by more). So a point x away in hour angle is at a distance s with
///   hav s ≥ hav(D − m x) + c² hav x, c² the least product of the cosines of both declinations. As hav is convex up to a right angle and
///   hav x ≥ (x/π)², that is at least hav D − (m/2) sin D x + (c x/π)², and the least of it hav D − (m π sin D / 4 c)². It is clear
///   of ε if cos D ≤ cos ε − κ with κ = (m π)² / 8 c².
#[derive(Clone, Copy, Debug)]
pub(crate) struct GsoZone {
    arc: GsoArc,
    cos_exclusion: f64,
    /// Sines of declination: outside these no target is within the exclusion.
    outer: (f64, f64),
    /// Between these every target with the hour angle of a visible point is within the exclusion.
    inner: (f64, f64),
    /// The square of the cotangent of the hour angle at which the visible arc ends.
    cot2_end: f64,
    /// The cosine of D beyond which a target is clear, whatever its hour angle.
    cos_clear: f64,
}

/// What the short cuts leave to the full answer, in sines of declination, so that rounding never lets them differ from it.
const SHORT_CUT_MARGIN: f64 = 1e-9;

/// Wider exclusions reach the poles, near which hour angles say nothing, or distances of more than a right angle.
const WIDEST_EXCLUSION_RAD: f64 = 60.0 * PI / 180.0;

impl GsoZone {
    /// At a point whose ellipsoid normal is `up`; `None` if nothing is forbidden there.
    pub(crate) fn new(point: Vec3, up: Vec3, exclusion_rad: f64) -> Option<Self> {
        let arc = GsoArc::above(point, up);
        if exclusion_rad <= 0.0 || !arc.is_visible() {
            return None;
        }
        let distance = |cos: f64| (arc.reach2_m2 - 2.0 * GSO_RADIUS_M * arc.rho_m * cos).sqrt();
        let sines = [1.0, arc.cos_end].map(|cos| -arc.point.z / distance(cos));
        let (low, high) = (sines[0].min(sines[1]), sines[0].max(sines[1]));
        let (sin, cos) = exclusion_rad.min(PI).sin_cos();
        // sin(δ − ε) and sin(δ + ε); beyond a pole, where cos(δ ∓ ε) < 0, the pole.
        let cosine = |s: f64| (1.0 - s * s).max(0.0).sqrt();
        let less = |s: f64| match cosine(s) * cos + s * sin {
            c if c < 0.0 => -1.0,
            _ => s * cos - cosine(s) * sin,
        };
        let more = |s: f64| -less(-s);
        // The arc ends at hour angle h with tan h = R sin Λ / (R cos Λ − ρ).
        let (along, across) = (
            GSO_RADIUS_M * arc.cos_end - arc.rho_m,
            GSO_RADIUS_M * arc.sin_end,
        );
        let slope = arc.point.z.abs() * arc.rho_m / (GSO_RADIUS_M - arc.rho_m).powi(2);
        let outer = (less(low) - SHORT_CUT_MARGIN, more(high) + SHORT_CUT_MARGIN);
        // Targets in question are no nearer to a pole than the outer declinations, points of the arc no nearer than the inner ones.
        let cosines = cosine(outer.0.abs().max(outer.1.abs())) * cosine(low.abs().max(high.abs()));
        let kappa = (slope * PI).powi(2) / (8.0 * cosines);
        let is_narrow = exclusion_rad < WIDEST_EXCLUSION_RAD;
        Some(Self {
            cos_clear: match is_narrow {
                true => cos - kappa - SHORT_CUT_MARGIN,
                false => f64::NEG_INFINITY,
            },
            arc,
            cos_exclusion: exclusion_rad.cos(),
            outer,
            inner: (less(high) + SHORT_CUT_MARGIN, more(low) - SHORT_CUT_MARGIN),
            cot2_end: match across > 0.0 {
                // North or south of the equator the end stands before the meridian's right angle: along >= 0.
                true => (along.max(0.0) / across).powi(2) + SHORT_CUT_MARGIN,
                false => f64::INFINITY,
            },
        })
    }

    /// Sines of declination outside which no target is within the exclusion.
    pub(crate) fn band(&self) -> (f64, f64) {
        self.outer
    }

    /// Whether the unit vector `direction` from the place is nearer to the arc than the exclusion.
    pub(crate) fn holds(&self, direction: Vec3) -> bool {
        let sin_declination = direction.z;
        if sin_declination < self.outer.0 || sin_declination > self.outer.1 {
            return false;
        }
        if sin_declination > self.inner.0 && sin_declination < self.inner.1 {
            let along = direction.dot(self.arc.meridian);
            let across = direction.dot(self.arc.east);
            if along > 0.0 && along * along > self.cot2_end * across * across {
                return true;
            }
        }
        self.holds_by_search(direction)
    }

    /// What the comparisons of [`holds`](Self::holds) say of eight directions: which are near, and of which it takes the search,
    /// as bits.
    #[inline(always)]
    pub(crate) fn short_cuts<S: Simd>(&self, simd: S, [x, y, z]: [f64x8<S>; 3]) -> (u8, u8) {
        let splat = |value| f64x8::splat(simd, value);
        let (meridian, east) = (self.arc.meridian, self.arc.east);
        let is_clear = z.simd_lt(splat(self.outer.0)) | z.simd_gt(splat(self.outer.1));
        let along = x * meridian.x + y * meridian.y;
        let across = x * east.x + y * east.y;
        let is_near = z.simd_gt(splat(self.inner.0))
            & z.simd_lt(splat(self.inner.1))
            & along.simd_gt(splat(0.0))
            & (along * along).simd_gt(splat(self.cot2_end) * across * across);
        let clear = is_clear.to_bitmask() as u8;
        let near = is_near.to_bitmask() as u8 & !clear;
        (near, !clear & !near)
    }

    /// The full answer, for a direction whose declination leaves it open.
    pub(crate) fn holds_by_search(&self, direction: Vec3) -> bool {
        self.at_own_hour(direction)
            .unwrap_or_else(|| self.arc.cos_separation(direction) > self.cos_exclusion)
    }

    /// What the point of the arc at the direction's own hour angle says, if it says anything.
    fn at_own_hour(&self, direction: Vec3) -> Option<bool> {
        let along = direction.dot(self.arc.meridian);
        let across = direction.dot(self.arc.east);
        // With w the cosine of the direction's declination, and t and q the distances of the arc's point from the place's parallel to the
        // axis and from the place: cos D = (w t − z z₀) / q.
        let (r, rho, z0) = (GSO_RADIUS_M, self.arc.rho_m, self.arc.point.z);
        let (along2, across2) = (along * along, across * across);
        let w2 = along2 + across2;
        let wt = (w2 * r * r - across2 * rho * rho).sqrt() - along * rho;
        let cos_wq = (wt - direction.z * z0) * w2.sqrt();
        let wq = (wt * wt + w2 * z0 * z0).sqrt();
        if cos_wq < wq * self.cos_clear {
            return Some(false);
        }
        let is_visible = along > 0.0 && along2 > self.cot2_end * across2;
        (is_visible && cos_wq > wq * (self.cos_exclusion + SHORT_CUT_MARGIN)).then_some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use skyweave_base::Enu;

    /// By sampling the arc at 1,024 points and then the best two of its steps at 1,024 again: within
    /// (2π/1024²)² of the cosine.
    fn sampled(place: Geodetic, target: Ecef) -> f64 {
        let here = Enu::at(place);
        let u = (target.0 - here.origin.0).unit();
        let cosine = |lon: f64| {
            let g = Vec3::new(lon.cos(), lon.sin(), 0.0) * GSO_RADIUS_M - here.origin.0;
            if g.dot(here.up) < 0.0 {
                -2.0
            } else {
                g.unit().dot(u)
            }
        };
        let best = |from: f64, step: f64, n: i32| {
            (0..=n)
                .map(|i| from + step * f64::from(i))
                .max_by(|a, b| cosine(*a).total_cmp(&cosine(*b)))
                .unwrap()
        };
        let step = 2.0 * PI / 1024.0;
        // Seen along the meridian both ends of the arc are as near; which is nearer the coarse steps cannot tell.
        let middle = place.lon_rad;
        let cos = [best(middle - PI, step, 512), best(middle, step, 512)]
            .map(|coarse| cosine(best(coarse - step, 2.0 * step / 1024.0, 1024)))
            .into_iter()
            .fold(f64::NEG_INFINITY, f64::max);
        if cos < -1.0 { PI } else { cos.min(1.0).acos() }
    }

    fn target(place: Geodetic, azimuth_rad: f64, elevation_rad: f64) -> Ecef {
        let here = Enu::at(place);
        let (sa, ca) = azimuth_rad.sin_cos();
        let (se, ce) = elevation_rad.sin_cos();
        Ecef(
            here.origin.0 + (here.east * (sa * ce) + here.north * (ca * ce) + here.up * se) * 800e3,
        )
    }

    /// Near an end of the visible arc the sampling misses the end itself by up to one fine step, 1.2e-5 rad of longitude.
    const TOLERANCE_RAD: f64 = 2e-5;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn agrees_with_sampling_the_arc(
            lat in -90.0..=90.0_f64, lon in -180.0..180.0_f64, az in 0.0..360.0_f64, el in 0.0..=90.0_f64,
        ) {
            let place = Geodetic::from_degrees(lat, lon).unwrap();
            let target = target(place, az.to_radians(), el.to_radians());
            let exact = GsoArc::seen_from(place).separation_rad(target);
            let brute = sampled(place, target);
            prop_assert!((exact - brute).abs() < TOLERANCE_RAD, "{exact} {brute}");
        }

        #[test]
        fn the_zone_is_the_set_of_small_separations(
            lat in -82.0..=82.0_f64, lon in -180.0..180.0_f64, az in 0.0..360.0_f64, el in 0.0..=90.0_f64,
            exclusion in 1.0..40.0_f64,
        ) {
            let place = Geodetic::from_degrees(lat, lon).unwrap();
            let target = target(place, az.to_radians(), el.to_radians());
            let separation = GsoArc::seen_from(place).separation_rad(target);
            prop_assume!((separation - exclusion.to_radians()).abs() > 1e-7);
            let direction = (target.0 - place.to_ecef().0).unit();
            let held = GsoZone::new(place.to_ecef().0, place.up(), exclusion.to_radians()).is_some_and(|zone| zone.holds(direction));
            prop_assert_eq!(held, separation < exclusion.to_radians());
        }

        /// Targets about an exclusion away from the arc, nearer and nearer to just that.
        #[test]
        fn short_cuts_are_right_near_the_limit(
            lat in -81.0..=81.0_f64, hour in -PI..PI, exclusion in 1.0..89.0_f64, off in -0.1..0.1_f64, nearer in 0..7, north: bool,
        ) {
            let place = Geodetic::from_degrees(lat, 0.0).unwrap();
            let exclusion = exclusion.to_radians();
            let (point, up) = (place.to_ecef().0, place.up());
            let Some(zone) = GsoZone::new(point, up, exclusion) else { return Ok(()) };
            let (rho, z0) = (point.x, point.z);
            let t = (GSO_RADIUS_M.powi(2) - (rho * hour.sin()).powi(2)).sqrt() - rho * hour.cos();
            let side = if north { exclusion } else { -exclusion };
            let beyond = off * 0.1_f64.powi(nearer);
            let declination = (-z0 / t).atan() + side + beyond * side.signum();
            let (sin, cos) = declination.sin_cos();
            let direction = Vec3::new(cos * hour.cos(), cos * hour.sin(), sin);
            let separation = GsoArc::above(point, up).cos_separation(direction).clamp(-1.0, 1.0).acos();
            // The search is exact to 1e-8 rad near 1 and far better elsewhere.
            match zone.at_own_hour(direction) {
                Some(true) => prop_assert!(separation < exclusion + 1e-7, "{separation}"),
                Some(false) => prop_assert!(separation > exclusion - 1e-7, "{separation}"),
                // κ is at most 9e-4 at 60 degrees, 4e-4 at 10: what is 0.2 degrees beyond such an exclusion is told.
                None => prop_assert!(
                    !(10.0..60.0).contains(&exclusion.to_degrees()) || beyond < 0.2_f64.to_radians(),
                    "{separation} is not told"
                ),
            }
        }
    }

    #[test]
    fn known_directions() {
        let equator = Geodetic::from_degrees(0.0, 30.0).unwrap();
        let arc = GsoArc::seen_from(equator);
        // From the equator the arc is a half circle through the zenith: the angle is 90 degrees less that from the east point.
        assert!(arc.separation_rad(target(equator, 0.0, PI / 2.0)) < 1e-7);
        assert!((arc.separation_rad(target(equator, 0.0, PI / 6.0)) - PI / 3.0).abs() < 1e-9);
        // At 50 N the arc culminates at atan((R cos φ − a') / ...) = 32.6 degrees in the south (any dish-pointing table).
        let place = Geodetic::from_degrees(50.0, 30.0).unwrap();
        let south =
            GsoArc::seen_from(place).separation_rad(target(place, PI, 60.0_f64.to_radians()));
        assert!(
            (south.to_degrees() - 27.4).abs() < 0.15,
            "{}",
            south.to_degrees()
        );
        assert_eq!(
            GsoArc::seen_from(Geodetic::from_degrees(85.0, 0.0).unwrap())
                .separation_rad(Ecef::default()),
            PI
        );
    }
}
