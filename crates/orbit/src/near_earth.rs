//! SGP4 for near-earth orbits (periods below 225 minutes), eight satellites at a time.
//!
//! The model is that of Vallado et al., "Revisiting Spacetrack Report #3", AIAA 2006-6753, with WGS72 and the improved mode;
//! its symbols are kept. Everything that does not depend on the time is worked out once, in [`Coefficients`]; [`states`] does
//! the rest. How it differs from the reference, by less than rounding shows:
//! - Angles that the reference finds with `atan2` and then turns a little are turned as sines and cosines ([`turn`]).
//! - Kepler's equation takes two steps from a start of third order where that is exact, the reference's own iteration where not.
//! - Secular angles are not reduced to one revolution first; [`sin_cos`] reduces them.
//! - A lane that is not [`regular`](States::regular) is left to scalar code: deep space, and whatever may end in an error.
//!
//! Only fused multiplications and operations that IEEE 754 rounds exactly are used, in one order: a state has the same bits on
//! every processor that has such instructions, whichever satellites share its block.

use crate::elements::Elements;
use crate::vectors::LANES;
use crate::wide::{Wide, WideMask};
use core::f64::consts::{FRAC_2_PI, PI};
use fearless_simd::{Select, Simd, f64x8, prelude::*, u64x8};
use skyweave_base::Time;

/// Equatorial radius of WGS72, km; positions inside the model are in these.
const RADIUS_KM: f64 = 6_378.135;
const RADIUS_M: f64 = RADIUS_KM * 1e3;
/// Square root of WGS72's gravitational parameter in Earth radii and minutes: 60 / √(r³/μ).
const KE: f64 = 0.074_366_916_133_173_41;
/// Metres per second in an Earth radius times [`KE`] per minute, the model's unit of velocity.
const VELOCITY_M_S: f64 = RADIUS_M * KE / 60.0;
/// Zonal harmonics of WGS72 (AIAA 2006-6753, appendix B).
const J2: f64 = 0.001_082_616;
const J3: f64 = -0.000_002_538_81;
const J4: f64 = -0.000_001_655_97;

/// Orbits that take this long or longer are deep space, minutes.
const DEEP_SPACE_MINUTES: f64 = 225.0;
/// The least semi-latus rectum that [`states`] takes, Earth radii: any orbit clear of the Earth has 1 or more, and the
/// short-period turns are then below 1e-3 rad.
const LEAST_SEMI_LATUS_RECTUM: f64 = 0.9;

/// An instant as whole minutes and the rest, each exact as f64: one number would be good to 0.2 µs only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant {
    minutes: f64,
    rest_ns: f64,
}

impl From<Time> for Instant {
    fn from(t: Time) -> Self {
        const MINUTE_NS: i64 = 60_000_000_000;
        Self {
            minutes: t.nanos().div_euclid(MINUTE_NS) as f64,
            rest_ns: t.nanos().rem_euclid(MINUTE_NS) as f64,
        }
    }
}

macro_rules! coefficients {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What [`states`] needs to know of eight satellites. Lengths in Earth radii, times in minutes, angles in radians.
        #[derive(Clone, Debug)]
        #[repr(C, align(64))]
        pub(crate) struct Coefficients {
            $($(#[$doc])* $name: [f64; LANES],)*
        }

        impl Coefficients {
            /// No satellites: no lane is ever regular.
            pub(crate) const EMPTY: Self = Self { $($name: [f64::NAN; LANES],)* };

            fn set(&mut self, lane: usize, one: &Orbit) {
                $(self.$name[lane] = one.$name;)*
            }
        }

        /// The same of one satellite.
        struct Orbit {
            $($name: f64,)*
        }
    };
}

coefficients! {
    /// The epoch, as [`Instant`].
    epoch_minutes,
    epoch_rest_ns,
    /// Mean anomaly, argument of perigee and node at the epoch, and their secular rates.
    mo,
    mdot,
    argpo,
    argpdot,
    nodeo,
    nodedot,
    nodecf,
    /// Drag on perigee and anomaly: ω − δ with δ = omgcof t + xmcof ((1 + η cos M)³ − delmo).
    omgcof,
    eta,
    xmcof,
    minus_xmcof_delmo,
    /// √(a / ao) = 1 + a1 t + a2 t² + a3 t³ + a4 t⁴.
    a1,
    a2,
    a3,
    a4,
    /// e = e0 + e1 t + e5 sin M.
    e0,
    e1,
    e5,
    /// Drag on the mean longitude: l2 t² + l3 t³ + l4 t⁴ + l5 t⁵.
    l2,
    l3,
    l4,
    l5,
    /// Semi-major axis at the epoch, and 1 / √ao.
    ao,
    inverse_sqrt_ao,
    aycof,
    xlcof,
    sini,
    cosi,
    /// Short periods: 3/4 J2 con41, 1/4 J2 x1mth2, −1/8 J2 x7thm1, 3/4 J2 cos i, 3/4 J2 cos i sin i.
    r_mean,
    r_cos2u,
    u_sin2u,
    node_sin2u,
    i_cos2u,
}

impl Coefficients {
    /// Puts a satellite into `lane`, if it is one for the near-earth model; otherwise the lane is as in [`Coefficients::EMPTY`].
    pub(crate) fn put(&mut self, lane: usize, elements: &Elements) {
        if let Some(orbit) = Orbit::new(elements) {
            self.set(lane, &orbit);
        }
    }
}

impl Orbit {
    /// `initl` and `sgp4init` of the reference.
    fn new(elements: &Elements) -> Option<Self> {
        let kozai = elements.mean_motion_rev_day * (PI / 720.0);
        let (ecco, inclo, argpo) = (
            elements.eccentricity,
            elements.inclination_rad,
            elements.argument_of_perigee_rad,
        );
        let (mo, bstar) = (elements.mean_anomaly_rad, elements.bstar);
        let (sini, cosi) = inclo.sin_cos();
        let cosio2 = cosi * cosi;
        let cosio4 = cosio2 * cosio2;
        let omeosq = 1.0 - ecco * ecco;
        let rteosq = omeosq.sqrt();

        // From Kozai's mean motion to Brouwer's.
        let ak = (KE / kozai).powf(2.0 / 3.0);
        let d1 = 0.75 * J2 * (3.0 * cosio2 - 1.0) / (rteosq * omeosq);
        let del = d1 / (ak * ak);
        let adel = ak * (1.0 - del * del - del * (1.0 / 3.0 + 134.0 * del * del / 81.0));
        let no = kozai / (1.0 + d1 / (adel * adel));
        let ao = (KE / no).powf(2.0 / 3.0);
        let period_minutes = 2.0 * PI / no;
        // Not a number compares false, and is left to the scalar code like all else that is odd.
        if !(period_minutes > 0.0
            && period_minutes < DEEP_SPACE_MINUTES
            && (0.0..1.0).contains(&ecco))
        {
            return None;
        }

        let po = ao * omeosq;
        let con42 = 1.0 - 5.0 * cosio2;
        let con41 = 3.0 * cosio2 - 1.0;
        let x1mth2 = 1.0 - cosio2;
        let x7thm1 = 7.0 * cosio2 - 1.0;
        let perigee = ao * (1.0 - ecco);
        // The top of the atmosphere follows the perigee down, km.
        let altitude_km = (perigee - 1.0) * RADIUS_KM;
        let s_km = if altitude_km < 98.0 {
            20.0
        } else if altitude_km < 156.0 {
            altitude_km - 78.0
        } else {
            78.0
        };
        let sfour = s_km / RADIUS_KM + 1.0;
        let qzms24 = ((120.0 - s_km) / RADIUS_KM).powi(4);

        let tsi = 1.0 / (ao - sfour);
        let eta = ao * ecco * tsi;
        let etasq = eta * eta;
        let eeta = ecco * eta;
        let psisq = (1.0 - etasq).abs();
        let coef = qzms24 * tsi.powi(4);
        let coef1 = coef / psisq.powf(3.5);
        let cc2 = coef1
            * no
            * (ao * (1.0 + 1.5 * etasq + eeta * (4.0 + etasq))
                + 0.375 * J2 * tsi / psisq * con41 * (8.0 + 3.0 * etasq * (8.0 + etasq)));
        let cc1 = bstar * cc2;
        let is_round = ecco <= 1e-4;
        let cc3 = if is_round {
            0.0
        } else {
            -2.0 * coef * tsi * (J3 / J2) * no * sini / ecco
        };
        let cc4 = 2.0
            * no
            * coef1
            * ao
            * omeosq
            * (eta * (2.0 + 0.5 * etasq) + ecco * (0.5 + 2.0 * etasq)
                - J2 * tsi / (ao * psisq)
                    * (-3.0 * con41 * (1.0 - 2.0 * eeta + etasq * (1.5 - 0.5 * eeta))
                        + 0.75
                            * x1mth2
                            * (2.0 * etasq - eeta * (1.0 + etasq))
                            * (2.0 * argpo).cos()));
        let cc5 = 2.0 * coef1 * ao * omeosq * (1.0 + 2.75 * (etasq + eeta) + eeta * etasq);

        let pinvsq = 1.0 / (po * po);
        let temp1 = 1.5 * J2 * pinvsq * no;
        let temp2 = 0.5 * temp1 * J2 * pinvsq;
        let temp3 = -0.46875 * J4 * pinvsq * pinvsq * no;
        let xhdot1 = -temp1 * cosi;
        let xmcof = if is_round {
            0.0
        } else {
            -2.0 / 3.0 * coef * bstar / eeta
        };
        // A retrograde equatorial orbit would divide by 0.
        let one_plus_cosi = if (cosi + 1.0).abs() > 1.5e-12 {
            1.0 + cosi
        } else {
            1.5e-12
        };
        let delmo = (1.0 + eta * mo.cos()).powi(3);

        // Below 220 km the reference leaves out the drag terms of higher order.
        let full = if altitude_km < 220.0 { 0.0 } else { 1.0 };
        let cc1sq = cc1 * cc1;
        let d2 = 4.0 * ao * tsi * cc1sq;
        let d3 = (17.0 * ao + sfour) * d2 * tsi * cc1 / 3.0;
        let d4 = 0.5 * (d2 * tsi * cc1 / 3.0) * ao * tsi * (221.0 * ao + 31.0 * sfour) * cc1;
        let e5 = -bstar * cc5 * full;
        let epoch = Instant::from(Time::from(elements.epoch));
        Some(Self {
            epoch_minutes: epoch.minutes,
            epoch_rest_ns: epoch.rest_ns,
            mo,
            mdot: no
                + 0.5 * temp1 * rteosq * con41
                + 0.0625 * temp2 * rteosq * (13.0 - 78.0 * cosio2 + 137.0 * cosio4),
            argpo,
            argpdot: -0.5 * temp1 * con42
                + 0.0625 * temp2 * (7.0 - 114.0 * cosio2 + 395.0 * cosio4)
                + temp3 * (3.0 - 36.0 * cosio2 + 49.0 * cosio4),
            nodeo: elements.raan_rad,
            nodedot: xhdot1
                + (0.5 * temp2 * (4.0 - 19.0 * cosio2) + 2.0 * temp3 * (3.0 - 7.0 * cosio2)) * cosi,
            nodecf: 3.5 * omeosq * xhdot1 * cc1,
            omgcof: full * bstar * cc3 * argpo.cos(),
            eta,
            xmcof: full * xmcof,
            minus_xmcof_delmo: -full * xmcof * delmo,
            a1: -cc1,
            a2: -full * d2,
            a3: -full * d3,
            a4: -full * d4,
            e0: ecco - e5 * mo.sin(),
            e1: -bstar * cc4,
            e5,
            l2: no * 1.5 * cc1,
            l3: full * no * (d2 + 2.0 * cc1sq),
            l4: full * no * 0.25 * (3.0 * d3 + cc1 * (12.0 * d2 + 10.0 * cc1sq)),
            l5: full
                * no
                * 0.2
                * (3.0 * d4 + 12.0 * cc1 * d3 + 6.0 * d2 * d2 + 15.0 * cc1sq * (2.0 * d2 + cc1sq)),
            ao,
            inverse_sqrt_ao: 1.0 / ao.sqrt(),
            aycof: -0.5 * (J3 / J2) * sini,
            xlcof: -0.25 * (J3 / J2) * sini * (3.0 + 5.0 * cosi) / one_plus_cosi,
            sini,
            cosi,
            r_mean: 0.75 * J2 * con41,
            r_cos2u: 0.25 * J2 * x1mth2,
            u_sin2u: -0.125 * J2 * x7thm1,
            node_sin2u: 0.75 * J2 * cosi,
            i_cos2u: 0.75 * J2 * cosi * sini,
        })
    }
}

/// Two times eight states in TEME.
pub(crate) struct States<S: Simd> {
    /// Positions, m.
    pub(crate) position_m: [Wide<S>; 3],
    /// Velocities, m/s; 0 if not asked for.
    pub(crate) velocity_m_s: [Wide<S>; 3],
    /// Lanes whose state holds; the others are for the scalar code.
    pub(crate) regular: WideMask<S>,
}

/// `sgp4` of the reference, for the satellites of two blocks (or the same twice), each at its own instant.
#[inline(always)]
pub(crate) fn states<S: Simd, const VELOCITY: bool>(
    simd: S,
    blocks: [&Coefficients; 2],
    t: [Instant; 2],
) -> States<S> {
    /// A coefficient of both blocks.
    macro_rules! v {
        ($name:ident) => {
            Wide(
                f64x8::simd_from(simd, blocks[0].$name),
                f64x8::simd_from(simd, blocks[1].$name),
            )
        };
    }
    let k = |value: f64| Wide::splat(simd, value);
    let both = |a: f64, b: f64| Wide(f64x8::splat(simd, a), f64x8::splat(simd, b));
    let t = (both(t[0].rest_ns, t[1].rest_ns) - v!(epoch_rest_ns)).mul_add(
        1.0 / 6e10,
        both(t[0].minutes, t[1].minutes) - v!(epoch_minutes),
    );

    // Secular gravity and drag.
    let m = v!(mdot).mul_add(t, v!(mo));
    let argp = v!(argpdot).mul_add(t, v!(argpo));
    let node = (v!(nodecf).mul_add(t, v!(nodedot))).mul_add(t, v!(nodeo));
    let sin_m_cos_m = sin_cos(m);
    let x = v!(eta).mul_add(sin_m_cos_m.1, 1.0);
    let drag = v!(omgcof).mul_add(t, v!(xmcof).mul_add(x * x * x, v!(minus_xmcof_delmo)));
    let sin_mm = sin_of_turned(sin_m_cos_m, m, drag);
    let tempa = v!(a4)
        .mul_add(t, v!(a3))
        .mul_add(t, v!(a2))
        .mul_add(t, v!(a1))
        .mul_add(t, 1.0);
    let e = v!(e5).mul_add(sin_mm, v!(e1).mul_add(t, v!(e0)));
    let drag_longitude = v!(l5)
        .mul_add(t, v!(l4))
        .mul_add(t, v!(l3))
        .mul_add(t, v!(l2))
        * (t * t);
    let am = v!(ao) * tempa * tempa;
    let ep = e.max(1e-6);

    // Long periods.
    let (sin_argp, cos_argp) = sin_cos(argp - drag);
    let axnl = ep * cos_argp;
    let inverse_p = k(1.0) / (am * (k(1.0) - ep * ep));
    let aynl = inverse_p.mul_add(v!(aycof), ep * sin_argp);
    let u = (inverse_p * v!(xlcof)).mul_add(axnl, m + argp + drag_longitude);

    // Short periods.
    let Kepler {
        sin_e,
        cos_e,
        ecose,
        esine,
        inverse,
    } = kepler(simd, u, axnl, aynl);
    let betal2 = k(1.0) - axnl.mul_add(axnl, aynl * aynl);
    let betal = betal2.sqrt();
    let pl = am * betal2;
    let one_plus_betal = betal + 1.0;
    // One division for 1 / pl and 1 / (1 + betal).
    let inverse_both = k(1.0) / (pl * one_plus_betal);
    let inverse_pl = inverse_both * one_plus_betal;
    let temp = esine * (inverse_both * pl);
    let sinu = inverse * (sin_e - axnl.mul_add(temp, aynl));
    let cosu = inverse * (aynl.mul_add(temp, cos_e) - axnl);
    let sin2u = (cosu + cosu) * sinu;
    let cos2u = (sinu * sinu).mul_add(-2.0, 1.0);
    let q = inverse_pl * inverse_pl;
    let minus_mean = (q * betal).mul_sub(v!(r_mean), 1.0);
    let mrt = (am * (ecose - 1.0)).mul_add(minus_mean, v!(r_cos2u) * inverse_pl * cos2u);
    let q_sin2u = q * sin2u;
    let (sin_su, cos_su) = turn((sinu, cosu), v!(u_sin2u) * q_sin2u);
    let (sin_node, cos_node) = sin_cos(v!(node_sin2u).mul_add(q_sin2u, node));
    let (sin_i, cos_i) = turn((v!(sini), v!(cosi)), v!(i_cos2u) * (q * cos2u));

    // Orientation.
    let xmx = sin_node * cos_i;
    let xmy = cos_node * cos_i;
    let radial = [
        cos_node.mul_sub(cos_su, xmx * sin_su),
        sin_node.mul_add(cos_su, xmy * sin_su),
        sin_i * sin_su,
    ];
    let r_m = mrt * RADIUS_M;
    let regular = tempa.is_above(0.0)
        & e.is_below(1.0)
        & e.is_at_least(-0.001)
        & pl.is_at_least(LEAST_SEMI_LATUS_RECTUM)
        & mrt.is_at_least(1.0);
    let velocity_m_s = if VELOCITY {
        // 1 / √am, and nm / ke = am^(−3/2).
        let rate = v!(inverse_sqrt_ao) / tempa;
        let n_pl = rate * rate * rate * inverse_pl;
        let mvt = (rate * inverse).mul_sub(esine, n_pl * (v!(r_cos2u) * 2.0) * sin2u);
        let rvdot =
            (rate * inverse).mul_add(betal, n_pl * (v!(r_cos2u) * 2.0).mul_add(cos2u, v!(r_mean)));
        let (mvt, rvdot) = (mvt * VELOCITY_M_S, rvdot * VELOCITY_M_S);
        [
            mvt.mul_sub(radial[0], rvdot * xmx.mul_add(cos_su, cos_node * sin_su)),
            mvt.mul_add(radial[1], rvdot * xmy.mul_sub(cos_su, sin_node * sin_su)),
            mvt.mul_add(radial[2], rvdot * (sin_i * cos_su)),
        ]
    } else {
        [k(0.0); 3]
    };
    States {
        position_m: [radial[0] * r_m, radial[1] * r_m, radial[2] * r_m],
        velocity_m_s,
        regular,
    }
}

/// The eccentric longitude E that solves Kepler's equation u = E − axnl sin E + aynl cos E, and what follows from it.
struct Kepler<S: Simd> {
    sin_e: Wide<S>,
    cos_e: Wide<S>,
    ecose: Wide<S>,
    esine: Wide<S>,
    /// 1 / (1 − e cos E).
    inverse: Wide<S>,
}

/// # Algorithm
/// 1. With s = e sin E and c = e cos E at E = u, and d = s / (1 − c), the series for E − u is d − d³ (1/2 + c / (6 (1 − c))) and
///    terms of fifth order in e.
/// 2. A Newton step from there leaves half its square times e: below 1e-15 rad if the step is below [`SMALL_STEP_RAD`]. That
///    holds for eccentricities up to about 0.04; 1 / (1 − c) by three terms of its series is as good as the rest of step 1.
/// 3. Lanes for which it does not hold take the reference's iteration, each until it has converged.
#[inline(always)]
fn kepler<S: Simd>(simd: S, u: Wide<S>, axnl: Wide<S>, aynl: Wide<S>) -> Kepler<S> {
    const SMALL_STEP_RAD: f64 = 1e-7;
    const SMALL_TURN_RAD: f64 = 0.07;
    let one = Wide::splat(simd, 1.0);
    let e_sin_cos = |(sin, cos): (Wide<S>, Wide<S>)| {
        (axnl.mul_sub(sin, aynl * cos), axnl.mul_add(cos, aynl * sin))
    };
    let at_u = sin_cos(u);
    let (s, c) = e_sin_cos(at_u);
    let inverse = (c + 1.0) * c.mul_add(c, 1.0);
    let d = s * inverse;
    let first = (d * d * d).mul_add((c * inverse).mul_add(-1.0 / 6.0, -0.5), d);
    let z = first * first;
    let sin = (first * z).mul_add(
        z.mul_add(-1.0 / 5040.0, 1.0 / 120.0).mul_add(z, -1.0 / 6.0),
        first,
    );
    let cos = z
        .mul_add(-1.0 / 720.0, 1.0 / 24.0)
        .mul_add(z, -0.5)
        .mul_add(z, 1.0);
    let turned = rotate(at_u, (sin, cos));
    let (s, c) = e_sin_cos(turned);
    let inverse = one / (one - c);
    let step = (s - first) * inverse;
    let quick = Kepler {
        sin_e: turned.1.mul_add(step, turned.0),
        cos_e: turned.0.mul_add(-step, turned.1),
        ecose: s.mul_add(-step, c),
        esine: c.mul_add(step, s),
        inverse: inverse * (s * inverse).mul_add(-step, 1.0),
    };
    let slow = step.abs().is_above(SMALL_STEP_RAD) | first.abs().is_above(SMALL_TURN_RAD);
    if !slow.any_true() {
        return quick;
    }
    let iterated = iterate(simd, u, axnl, aynl);
    Kepler {
        sin_e: slow.select(iterated.sin_e, quick.sin_e),
        cos_e: slow.select(iterated.cos_e, quick.cos_e),
        ecose: slow.select(iterated.ecose, quick.ecose),
        esine: slow.select(iterated.esine, quick.esine),
        inverse: slow.select(iterated.inverse, quick.inverse),
    }
}

/// The reference's solution of Kepler's equation: Newton's steps from E = u, none longer than 0.95.
#[inline(always)]
fn iterate<S: Simd>(simd: S, u: Wide<S>, axnl: Wide<S>, aynl: Wide<S>) -> Kepler<S> {
    const CONVERGED_RAD: f64 = 1e-12;
    const MOST_STEPS: usize = 10;
    const LONGEST_STEP_RAD: f64 = 0.95;
    let splat = |value| Wide::splat(simd, value);
    let mut e = u;
    let mut is_moving = WideMask::splat(simd, true);
    for _ in 0..MOST_STEPS {
        let (sin, cos) = sin_cos(e);
        let slope = splat(1.0) - axnl.mul_add(cos, aynl * sin);
        let step = (u - e + axnl.mul_sub(sin, aynl * cos)) / slope;
        let step = step.min(LONGEST_STEP_RAD).max(-LONGEST_STEP_RAD);
        e = is_moving.select(e + step, e);
        is_moving &= step.abs().is_at_least(CONVERGED_RAD);
        if !is_moving.any_true() {
            break;
        }
    }
    let (sin_e, cos_e) = sin_cos(e);
    let ecose = axnl.mul_add(cos_e, aynl * sin_e);
    Kepler {
        sin_e,
        cos_e,
        ecose,
        esine: axnl.mul_sub(sin_e, aynl * cos_e),
        inverse: splat(1.0) / (splat(1.0) - ecose),
    }
}

/// Sine and cosine of the sum of two angles.
#[inline(always)]
fn rotate<S: Simd>(a: (Wide<S>, Wide<S>), b: (Wide<S>, Wide<S>)) -> (Wide<S>, Wide<S>) {
    (a.0.mul_add(b.1, a.1 * b.0), a.1.mul_sub(b.1, a.0 * b.0))
}

/// Sine and cosine of an angle turned by `by`, below 1e-3 rad: the terms left out are below 1e-13.
#[inline(always)]
fn turn<S: Simd>(sin_cos: (Wide<S>, Wide<S>), by: Wide<S>) -> (Wide<S>, Wide<S>) {
    let z = by * by;
    rotate(
        sin_cos,
        ((by * z).mul_add(-1.0 / 6.0, by), z.mul_add(-0.5, 1.0)),
    )
}

/// Sine of `angle + by`, of which `sin_cos` is known of `angle`. Drag turns nearly all anomalies by less than 0.1 rad, but
/// not all: a tiny eccentricity and a large drag make it any angle.
#[inline(always)]
fn sin_of_turned<S: Simd>(known: (Wide<S>, Wide<S>), angle: Wide<S>, by: Wide<S>) -> Wide<S> {
    const SMALL_TURN_RAD: f64 = 0.1;
    let z = by * by;
    let sin = (by * z).mul_add(z.mul_add(1.0 / 120.0, -1.0 / 6.0), by);
    let cos = z.mul_add(1.0 / 24.0, -0.5).mul_add(z, 1.0);
    let turned = known.0.mul_add(cos, known.1 * sin);
    let large = by.abs().is_above(SMALL_TURN_RAD);
    if large.any_true() {
        large.select(sin_cos(angle + by).0, turned)
    } else {
        turned
    }
}

/// Sine and cosine, to 2e-14 (1e-7 m of a low orbit) for angles up to 1e7 rad.
///
/// # Algorithm
/// 1. k = the nearest integer to 2x/π, by adding a number so large that only integers are left.
/// 2. r = x − k π/2 with π/2 in three parts. The first two have 30 bits, so that their products with k are exact with and without
///    fused multiplication.
/// 3. Polynomials in r² on [−π/4, π/4], of least error at Chebyshev's points: 1.3e-14 for the sine, 7.4e-16 for the cosine.
/// 4. Odd k swap the two; bit 1 of k and of k + 1 are their signs.
#[inline(always)]
fn sin_cos<S: Simd>(x: Wide<S>) -> (Wide<S>, Wide<S>) {
    /// 1.5 · 2⁵².
    const ROUNDER: f64 = 6_755_399_441_055_744.0;
    const MINUS_FRAC_PI_2: [f64; 3] = [
        -1.570796325802803,
        -9.920935791635221e-10,
        -5.170182981794105e-19,
    ];
    let rounded = x.mul_add(FRAC_2_PI, ROUNDER);
    let k = rounded - ROUNDER;
    let [high, middle, low] = MINUS_FRAC_PI_2;
    let r = k.mul_add(low, k.mul_add(middle, k.mul_add(high, x)));
    let z = r * r;
    let sin = z
        .mul_add(-2.480_558_717_998_064_6e-8, 2.755_599_039_983_990_5e-6)
        .mul_add(z, -0.000_198_412_669_152_350_4)
        .mul_add(z, 0.008_333_333_331_077_422)
        .mul_add(z, -0.166_666_666_666_638_82)
        .mul_add(r * z, r);
    let cos = z
        .mul_add(2.070_056_539_736_993e-9, -2.755_636_931_675_049e-7)
        .mul_add(z, 2.480_158_520_973_839_7e-5)
        .mul_add(z, -0.001_388_888_888_727_605_6)
        .mul_add(z, 0.041_666_666_666_664_68)
        .mul_add(z, -0.5)
        .mul_add(z, 1.0);
    let (sin_0, cos_0) = in_quadrant(rounded.0, sin.0, cos.0);
    let (sin_1, cos_1) = in_quadrant(rounded.1, sin.1, cos.1);
    (Wide(sin_0, sin_1), Wide(cos_0, cos_1))
}

/// Sine and cosine in the quadrant that the last bits of `rounded` name, from those in the first.
#[inline(always)]
fn in_quadrant<S: Simd>(rounded: f64x8<S>, sin: f64x8<S>, cos: f64x8<S>) -> (f64x8<S>, f64x8<S>) {
    let k: u64x8<S> = rounded.bitcast();
    let is_odd = (k & 1).simd_eq(1);
    let (minus_sin, minus_cos) = ((k & 2) << 62, ((k + 1) & 2) << 62);
    (
        f64x8::from_bits(is_odd.select(cos, sin).to_bits() ^ minus_sin),
        f64x8::from_bits(is_odd.select(sin, cos).to_bits() ^ minus_cos),
    )
}

/// One sine and cosine, for tests.
#[cfg(test)]
#[inline(always)]
pub(crate) fn sin_cos_of<S: Simd>(simd: S, x: f64) -> (f64, f64) {
    let (sin, cos) = sin_cos(Wide::splat(simd, x));
    (sin.0[0], cos.0[0])
}
