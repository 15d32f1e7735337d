//! Carrier over co-channel interference, from the fleet's other beams on the same channel.
//!
//! Which beams shine where changes every epoch, and the planner would have to know all of them before it knows the rate of one. So
//! the budget takes one number, the expectation over beams that stand anywhere in their satellite's coverage; the tests compare it
//! with the worst that the rules allow and with beams drawn at random. Three parts add up:
//!
//! 1. the other polarisation of the same beam (cross-polar isolation);
//! 2. the other beams of the same satellite on the channel, through the side lobes of its antenna: the terminal looks straight
//!    at them, and only the satellite's pattern tells them apart;
//! 3. beams of the other satellites in view, through both the satellite's pattern and the terminal's side lobes.
//!
//! Toward the satellite the same holds with the two ends exchanged.

use crate::antenna::{Antenna, beam_peak_dbi, satellite_pattern_db};
use skyweave_base::MEAN_EARTH_RADIUS_M;

/// What co-channel interference depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoChannel {
    /// Half width of a satellite's beam at −3 dB.
    pub half_width_rad: f64,
    /// Beams of a satellite on one channel at the same time.
    pub beams_per_channel: u8,
    /// Height of the satellites, m.
    pub altitude_m: f64,
    /// How near to each other two places may be that are lit on one channel, m.
    pub separation_m: f64,
    /// Least elevation of a link.
    pub min_elevation_rad: f64,
    /// Satellites in view above that elevation.
    pub satellites_in_view: f64,
    /// Isolation between the two polarisations of a beam, dB; infinite if only one is used.
    pub cross_polar_db: f64,
}

impl CoChannel {
    /// What is expected, dB, with all beams of the fleet on.
    pub fn typical_db(&self, terminal: &Antenna, frequency_hz: f64) -> f64 {
        let pattern = self.mean_pattern();
        let same = (f64::from(self.beams_per_channel) - 1.0) * pattern;
        let other = (self.satellites_in_view - 1.0).max(0.0)
            * f64::from(self.beams_per_channel)
            * pattern
            * self.mean_discrimination(terminal, frequency_hz);
        db(1.0 / (self.cross_polar() + same + other))
    }

    /// The worst that the rules allow, dB: all other beams of the satellite as near as they may be, seen from straight below.
    pub fn worst_db(&self, terminal: &Antenna, frequency_hz: f64) -> f64 {
        let same = (f64::from(self.beams_per_channel) - 1.0) * self.pattern_at(self.separation_m);
        let other = (self.satellites_in_view - 1.0).max(0.0)
            * f64::from(self.beams_per_channel)
            * self.mean_pattern()
            * self.mean_discrimination(terminal, frequency_hz);
        db(1.0 / (self.cross_polar() + same + other))
    }

    fn cross_polar(&self) -> f64 {
        linear(-self.cross_polar_db)
    }

    /// How a beam so far away on the ground is heard below the satellite, against one's own (a ratio).
    pub fn pattern_at(&self, ground_m: f64) -> f64 {
        let central = ground_m / MEAN_EARTH_RADIUS_M;
        let nadir = (MEAN_EARTH_RADIUS_M * central.sin())
            .atan2(self.altitude_m + MEAN_EARTH_RADIUS_M * (1.0 - central.cos()));
        linear(satellite_pattern_db(
            nadir,
            self.half_width_rad,
            beam_peak_dbi(self.half_width_rad),
        ))
    }

    /// [`pattern_at`](Self::pattern_at), on average over the coverage beyond the separation.
    fn mean_pattern(&self) -> f64 {
        let e = self.min_elevation_rad;
        let orbit_m = MEAN_EARTH_RADIUS_M + self.altitude_m;
        let central = (MEAN_EARTH_RADIUS_M / orbit_m * e.cos()).acos() - e;
        let reach_m = (MEAN_EARTH_RADIUS_M * central).max(self.separation_m * 1.001);
        // Rings of equal width, weighted by their area.
        const RINGS: u32 = 2_000;
        let width_m = (reach_m - self.separation_m) / f64::from(RINGS);
        let (mut sum, mut area) = (0.0, 0.0);
        for i in 0..RINGS {
            let ring_m = self.separation_m + (f64::from(i) + 0.5) * width_m;
            let weight = (ring_m / MEAN_EARTH_RADIUS_M).sin();
            sum += weight * self.pattern_at(ring_m);
            area += weight;
        }
        sum / area
    }

    /// What a terminal that looks at the zenith hears of satellites anywhere above the least elevation, against its own (a ratio),
    /// on average over the sky by solid angle, but for the width of its own main lobe.
    fn mean_discrimination(&self, terminal: &Antenna, frequency_hz: f64) -> f64 {
        const RINGS: u32 = 2_000;
        let widest = core::f64::consts::FRAC_PI_2 - self.min_elevation_rad;
        let peak_dbi = terminal.gain_dbi(frequency_hz);
        let (mut sum, mut solid) = (0.0, 0.0);
        for i in 0..RINGS {
            let off_axis = widest * (f64::from(i) + 0.5) / f64::from(RINGS);
            let weight = off_axis.sin();
            sum += weight * linear(terminal.gain_beside_dbi(frequency_hz, off_axis) - peak_dbi);
            solid += weight;
        }
        if solid > 0.0 { sum / solid } else { 0.0 }
    }
}

fn linear(db: f64) -> f64 {
    10_f64.powf(db / 10.0)
}

fn db(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}
