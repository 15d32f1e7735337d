//! The budget of a link: from power and geometry to bits.
//!
//! Toward the ground the flux is what is given, not the power: rules limit it (47 CFR 25.208; Radio Regulations, article 21), and
//! satellites keep it as the beam steers. Toward space it is the power of the earth station. Noise is that of the receiver and of
//! the sky, which shines the more the more it absorbs; interference is a ratio ([`crate::CoChannel`]).

use crate::antenna::{Antenna, Steering};
use crate::fade::{Fade, REFERENCE_CLIMATE};
use crate::itu::{SlantPath, free_space_loss_db};
use crate::modem::Modem;
use crate::rates::Sight;
use core::f64::consts::{FRAC_PI_4, LN_10, PI};
use skyweave_base::SPEED_OF_LIGHT_M_S;
use std::sync::Arc;

/// Boltzmann's constant, dB(W/(K Hz)): 1.380649e-23 J/K (exact, SI Brochure 9th edition).
const BOLTZMANN_DB: f64 = -228.599_167_173_2;
/// Effective temperature of the medium that absorbs, K. P.618-13, section 3: 275 K where it is not measured.
const MEDIUM_K: f64 = 275.0;
/// Temperature of the sky behind the atmosphere, K. P.618-13, section 3.
const COSMIC_K: f64 = 2.7;

/// The given numbers of a link in one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkParameters {
    /// Middle of the band.
    pub frequency_hz: f64,
    /// Width of what is sent in one polarisation.
    pub channel_hz: f64,
    /// Polarisations in use, 1 or 2.
    pub polarisations: u8,
    /// Part of such a channel that falls to this link.
    pub channel_share: f64,
    /// Part of bandwidth and time that carries data.
    pub data_share: f64,
    /// Part of the time in which one terminal may use the channel.
    pub duty: f64,
    /// Power.
    pub power: Power,
    /// The antenna on the ground.
    pub ground: Antenna,
    /// Noise.
    pub receiver: Receiver,
    /// Carrier over interference, dB.
    pub c_over_i_db: f64,
    /// The modem.
    pub modem: Modem,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Power {
    /// From the satellite: flux on the ground without atmosphere, all polarisations together, dB(W/(m² MHz)).
    Flux {
        /// The flux.
        dbw_m2_mhz: f64,
    },
    /// From the ground: radiated power along the axis, all polarisations and the whole channel, dBW.
    Eirp {
        /// With the antenna looking where its gain is greatest.
        dbw: f64,
        /// By how much power may rise to make good the loss of steering, dB.
        headroom_db: f64,
    },
}

/// What receives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Receiver {
    /// The antenna on the ground.
    Ground {
        /// Temperature of receiver, losses and ground together, without the sky, K.
        noise_k: f64,
    },
    /// The satellite.
    Satellite {
        /// Gain over noise temperature, dB/K.
        g_over_t_db_k: f64,
    },
}

/// A link in one direction, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkBudget {
    parameters: LinkParameters,
    /// Gases of the reference atmosphere.
    clear: Fade,
    steps: Steps,
    /// For links of given flux, which do not depend on range: kbit/s by attenuation, then by sine of elevation.
    table: Arc<[u32]>,
    /// sin^-slope, by slope, then by sine of elevation.
    stretch: Arc<[f32]>,
}

/// What of a budget no link changes, as ratios and not in decibels: the way to a rate without logarithms.
#[derive(Clone, Debug, Default, PartialEq)]
struct Steps {
    /// Carrier over noise in one polarisation without atmosphere and steering, at 1 m (given power) and 1 K (receiver on the
    /// ground).
    c_over_n: f64,
    /// By how much given power may rise.
    headroom: f64,
    /// What carrier over noise each modulation and code needs beside the interference, ascending.
    needs: Arc<[f64]>,
    /// What each brings, kbit/s.
    brings: Arc<[u32]>,
}

/// Every line of a budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetLines {
    /// Radiated power, all polarisations and the whole channel, dBW. Toward the ground: what the flux asks.
    pub eirp_dbw: f64,
    /// Flux where it arrives, without atmosphere, dB(W/(m² MHz)).
    pub flux_dbw_m2_mhz: f64,
    /// Free-space loss, dB.
    pub free_space_db: f64,
    /// Atmosphere, dB.
    pub atmosphere_db: f64,
    /// Steering of the antenna on the ground, dB.
    pub scan_loss_db: f64,
    /// Gain of the antenna on the ground along its axis, dBi.
    pub ground_gain_dbi: f64,
    /// Noise temperature of the whole system, K; none for a satellite, whose G/T is given.
    pub noise_k: Option<f64>,
    /// Gain over noise temperature as steered, dB/K.
    pub g_over_t_db_k: f64,
    /// Carrier over noise in one polarisation, dB.
    pub c_over_n_db: f64,
    /// Carrier over interference, dB.
    pub c_over_i_db: f64,
    /// Carrier over both, dB.
    pub sinr_db: f64,
    /// Modulation and code; none if nothing gets through.
    pub modcod: Option<&'static str>,
    /// Information bits per symbol.
    pub bit_per_symbol: f64,
    /// Bits per second and Hz of channel, in one polarisation.
    pub bit_s_hz: f64,
    /// What one terminal can have: the whole channel in one polarisation while it may use it, kbit/s.
    pub terminal_kbps: u32,
    /// All polarisations, kbit/s.
    pub kbps: u32,
}

const SINE_BINS: usize = 256;
const FADE_STEP_DB: f64 = 0.125;
/// Up to 25 dB, where no link of given flux has anything left.
const FADE_STEPS: usize = 200;
const SLOPE_STEPS: usize = 64;

impl LinkBudget {
    /// From the given numbers.
    pub fn new(parameters: LinkParameters) -> Self {
        let mut budget = Self {
            parameters,
            clear: Fade::NONE,
            steps: Steps::new(&parameters),
            table: [].into(),
            stretch: [].into(),
        };
        budget.clear = Fade::of(budget.path(), |path| {
            path.attenuation_in_rain(&REFERENCE_CLIMATE, 0.0)
        });
        budget
    }

    /// With a table for [`crate::RateTable`], if it is a link of given flux.
    pub fn with_table(mut self) -> Self {
        if matches!(self.parameters.power, Power::Flux { .. }) {
            self.tabulate();
        }
        self
    }

    /// The given numbers.
    pub fn parameters(&self) -> &LinkParameters {
        &self.parameters
    }

    /// The fade of a clear sky over the reference atmosphere (P.835-6).
    pub fn clear(&self) -> Fade {
        self.clear
    }

    /// The path towards the zenith, for a fade. Polarisation is circular.
    pub fn path(&self) -> SlantPath {
        SlantPath {
            frequency_ghz: self.parameters.frequency_hz / 1e9,
            elevation_rad: PI / 2.0,
            tilt_rad: FRAC_PI_4,
            diameter_m: self.parameters.ground.diameter_m,
            efficiency: self.parameters.ground.efficiency,
        }
    }

    /// The budget at an elevation of that sine, over that range, through so much atmosphere.
    pub fn lines(&self, sin_elevation: f64, range_m: f64, atmosphere_db: f64) -> BudgetLines {
        let p = &self.parameters;
        let sphere_db = 10.0 * (4.0 * PI * range_m * range_m).log10();
        let channel_db_mhz = 10.0 * (p.channel_hz / 1e6).log10();
        let polarisations_db = 10.0 * f64::from(p.polarisations).log10();
        let scan_loss_db = p.ground.scan_loss_db(sin_elevation);
        let (eirp_dbw, flux_dbw_m2_mhz) = match p.power {
            Power::Flux { dbw_m2_mhz } => (dbw_m2_mhz + sphere_db + channel_db_mhz, dbw_m2_mhz),
            Power::Eirp { dbw, headroom_db } => {
                let dbw = dbw - (scan_loss_db - headroom_db).max(0.0);
                (dbw, dbw - sphere_db - channel_db_mhz)
            }
        };
        let ground_gain_dbi = p.ground.gain_dbi(p.frequency_hz);
        let (noise_k, g_over_t_db_k) = match p.receiver {
            Receiver::Satellite { g_over_t_db_k } => (None, g_over_t_db_k),
            Receiver::Ground { noise_k } => {
                let passes = 10_f64.powf(-atmosphere_db / 10.0);
                let noise_k = noise_k + MEDIUM_K * (1.0 - passes) + COSMIC_K * passes;
                let gain = ground_gain_dbi - scan_loss_db;
                (Some(noise_k), gain - 10.0 * noise_k.log10())
            }
        };
        let c_over_n_db = flux_dbw_m2_mhz - 60.0 - polarisations_db - atmosphere_db
            + isotropic_db(p.frequency_hz)
            + g_over_t_db_k
            - BOLTZMANN_DB;
        let sinr_db =
            -10.0 * (10_f64.powf(-c_over_n_db / 10.0) + 10_f64.powf(-p.c_over_i_db / 10.0)).log10();
        let modcod = p.modem.bit_per_symbol(sinr_db);
        let bit_per_symbol = modcod.map_or(0.0, |(bits, _)| bits);
        let kbps = p.carrier_kbps(bit_per_symbol);
        BudgetLines {
            eirp_dbw,
            flux_dbw_m2_mhz,
            free_space_db: free_space_loss_db(p.frequency_hz / 1e9, range_m),
            atmosphere_db,
            scan_loss_db,
            ground_gain_dbi,
            noise_k,
            g_over_t_db_k,
            c_over_n_db,
            c_over_i_db: p.c_over_i_db,
            sinr_db,
            modcod: modcod.map(|(_, name)| name),
            bit_per_symbol,
            bit_s_hz: bit_per_symbol * p.data_share,
            terminal_kbps: (kbps * p.duty) as u32,
            kbps: p.beam_kbps(bit_per_symbol),
        }
    }

    /// What the link carries, kbit/s, under a fade.
    pub fn kbps(&self, sin_elevation: f64, range_m: f64, fade: Fade) -> u32 {
        if sin_elevation <= 0.0 {
            return 0;
        }
        self.kbps_through(sin_elevation, range_m, fade.db(sin_elevation))
    }

    /// The lesser of the rates at both ends of an epoch, kbit/s.
    pub fn least_kbps(&self, [start, end]: [Sight; 2], fade: Fade) -> u32 {
        let kbps = |sight: Sight| self.kbps(sight.sin_elevation, sight.range_m, fade);
        // Who stands no higher and no nearer has no more.
        let is_worse =
            |a: Sight, b: Sight| a.sin_elevation <= b.sin_elevation && a.range_m >= b.range_m;
        if is_worse(start, end) {
            kbps(start)
        } else if is_worse(end, start) {
            kbps(end)
        } else {
            kbps(start).min(kbps(end))
        }
    }

    /// The rate of [`lines`](Self::lines): a threshold that rounding moves is all in which they differ.
    fn kbps_through(&self, sin_elevation: f64, range_m: f64, atmosphere_db: f64) -> u32 {
        let p = &self.parameters;
        let steering = match p.ground.steering {
            Steering::Dish => 1.0,
            Steering::FlatArray { scan_exponent } => {
                // A power: an exponential and a logarithm take less time.
                (sin_elevation.clamp(1e-6, 1.0).ln() * scan_exponent).exp()
            }
        };
        let passes = ratio(-atmosphere_db);
        let sent = match p.power {
            Power::Flux { .. } => 1.0,
            Power::Eirp { .. } => (steering * self.steps.headroom).min(1.0) / (range_m * range_m),
        };
        let received = match p.receiver {
            Receiver::Satellite { .. } => 1.0,
            Receiver::Ground { noise_k } => {
                steering / (noise_k + MEDIUM_K * (1.0 - passes) + COSMIC_K * passes)
            }
        };
        let c_over_n = self.steps.c_over_n * sent * passes * received;
        // A few dozen: to count takes less time than to guess which way a search will go.
        let usable = (self.steps.needs.iter())
            .filter(|&&needs| needs <= c_over_n)
            .count();
        usable.checked_sub(1).map_or(0, |i| self.steps.brings[i])
    }

    /// [`kbps`](Self::kbps) of a link of given flux, by table: never more, and less by at most what one step of modulation or an
    /// eighth of a decibel make. For hundreds of thousands of cells with tens of satellites each.
    pub(crate) fn tabulated_kbps(&self, sin_elevation: f64, fade: Fade) -> u32 {
        let bin = ((sin_elevation.max(0.0) * SINE_BINS as f64) as usize).min(SINE_BINS - 1);
        self.tabulated_in(bin, fade)
    }

    /// [`tabulated_kbps`](Self::tabulated_kbps) by bin of the sine.
    pub(crate) fn tabulated_row(&self, fade: Fade) -> Vec<u32> {
        (0..SINE_BINS)
            .map(|bin| self.tabulated_in(bin, fade))
            .collect()
    }

    fn tabulated_in(&self, bin: usize, fade: Fade) -> u32 {
        let slope = (fade.slope * (SLOPE_STEPS as f32 / Fade::MAX_SLOPE)).ceil() as usize;
        let db = fade.zenith_db * self.stretch[slope.min(SLOPE_STEPS) * SINE_BINS + bin];
        let step = (db * (1.0 / FADE_STEP_DB) as f32).ceil() as usize;
        self.table.get(step * SINE_BINS + bin).copied().unwrap_or(0)
    }

    /// Whether what the link carries is a matter of elevation and fade alone, so that the table answers.
    pub(crate) fn is_tabulated(&self) -> bool {
        !self.table.is_empty()
    }

    fn tabulate(&mut self) {
        // Range plays no part for a given flux.
        const ANY_RANGE_M: f64 = 1e6;
        // Rates rise with elevation: the lower edge of a bin is the least in it. The first begins at the horizon, with nothing.
        let sine = |bin: usize| (bin as f64 / SINE_BINS as f64).max(1e-3);
        self.table = (0..=FADE_STEPS)
            .flat_map(|step| (0..SINE_BINS).map(move |bin| (step as f64 * FADE_STEP_DB, bin)))
            .map(|(db, bin)| match bin {
                0 => 0,
                _ => self.kbps_through(sine(bin), ANY_RANGE_M, db),
            })
            .collect();
        self.stretch = (0..=SLOPE_STEPS)
            .flat_map(|slope| (0..SINE_BINS).map(move |bin| (slope, bin)))
            .map(|(slope, bin)| {
                let slope = f64::from(Fade::MAX_SLOPE) * slope as f64 / SLOPE_STEPS as f64;
                sine(bin).powf(-slope) as f32
            })
            .collect();
    }
}

impl LinkParameters {
    /// What the whole channel carries in one polarisation.
    fn carrier_kbps(&self, bit_per_symbol: f64) -> f64 {
        bit_per_symbol * self.data_share * self.channel_hz / 1e3
    }

    /// What the link carries in all polarisations.
    fn beam_kbps(&self, bit_per_symbol: f64) -> u32 {
        let shares = self.channel_share * f64::from(self.polarisations);
        (self.carrier_kbps(bit_per_symbol) * shares) as u32
    }
}

impl Steps {
    fn new(p: &LinkParameters) -> Self {
        let polarisations_db = 10.0 * f64::from(p.polarisations).log10();
        let (flux_dbw_m2_mhz, headroom_db) = match p.power {
            Power::Flux { dbw_m2_mhz } => (dbw_m2_mhz, 0.0),
            Power::Eirp { dbw, headroom_db } => {
                let spread_db = 10.0 * (4.0 * PI * p.channel_hz / 1e6).log10();
                (dbw - spread_db, headroom_db)
            }
        };
        let receiver_db = match p.receiver {
            Receiver::Satellite { g_over_t_db_k } => g_over_t_db_k,
            Receiver::Ground { .. } => p.ground.gain_dbi(p.frequency_hz),
        };
        let c_over_n_db =
            flux_dbw_m2_mhz - 60.0 - polarisations_db + isotropic_db(p.frequency_hz) + receiver_db
                - BOLTZMANN_DB;
        // 1/SINR = 1/(C/N) + 1/(C/I).
        let beside_interference = |sinr_db: f64| {
            let noise_share = ratio(-sinr_db) - ratio(-p.c_over_i_db);
            (noise_share > 0.0).then_some(1.0 / noise_share)
        };
        let (needs, brings): (Vec<f64>, Vec<u32>) = p
            .modem
            .modcods()
            .map_while(|(needs_db, bits)| Some((beside_interference(needs_db)?, p.beam_kbps(bits))))
            .unzip();
        Self {
            c_over_n: ratio(c_over_n_db),
            headroom: ratio(headroom_db),
            needs: needs.into(),
            brings: brings.into(),
        }
    }
}

/// What an aperture of 0 dBi takes of the flux, λ²/4π, dB(m²).
fn isotropic_db(frequency_hz: f64) -> f64 {
    let wavelength_m = SPEED_OF_LIGHT_M_S / frequency_hz;
    10.0 * (wavelength_m * wavelength_m / (4.0 * PI)).log10()
}

/// Decibels as a ratio.
fn ratio(db: f64) -> f64 {
    (db * (LN_10 / 10.0)).exp()
}
