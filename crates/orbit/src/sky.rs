//! A constellation in motion: the positions of all its satellites at any instant.

use crate::earth_orientation::EarthOrientationTable;
use crate::elements::Elements;
use crate::frames::{EarthFixed, Rotation, Teme};
use crate::near_earth::{self, Coefficients, Instant};
use crate::propagation::{PropagationError, Propagator};
use crate::vectors::{Block, LANES, Vectors};
use core::slice;
use fearless_simd::{Level, Simd, dispatch, f64x8, prelude::*};
use rayon::prelude::*;
use skyweave_base::{Ecef, Geodetic, SatId, Time, Vec3};
use std::sync::Arc;

/// Satellites propagated together; a satellite's id is its position in the list of elements.
///
/// Near-earth orbits are propagated eight at a time with the widest vector instructions that the processor has; deep-space
/// orbits, decay and errors are left to [`Propagator`], in the same call. A state does not depend on the call that asks
/// for it: one satellite or all, on one thread or many, with AVX-512, AVX2 or NEON, its bits are the same. Without fused
/// multiplication (x86 before AVX2, WebAssembly) states differ by less than 1e-5 m. Without vector instructions
/// (WebAssembly without `simd128`) all is left to [`Propagator`].
#[derive(Clone, Debug)]
pub struct Sky {
    satellites: Vec<Propagator>,
    /// Satellite `i` is lane `i % LANES` of block `i / LANES`.
    blocks: Vec<Coefficients>,
    orientation: Arc<EarthOrientationTable>,
    level: Level,
}

/// Elements from which no orbit can be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("element set {index} ({name})")]
pub struct SkyError {
    /// Position in the list of elements.
    pub index: usize,
    /// The satellite's name.
    pub name: String,
    /// What SGP4 says.
    pub source: PropagationError,
}

/// A satellite at an instant, in the frames that people ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// The satellite.
    pub satellite: SatId,
    /// The instant.
    pub time: Time,
    /// In SGP4's frame.
    pub teme: Teme,
    /// Earth-fixed.
    pub earth_fixed: EarthFixed,
    /// Point below it and height, on WGS84.
    pub geodetic: Geodetic,
}

/// The states of a block of satellites over some of the times that were asked for.
#[derive(Clone, Copy, Debug)]
pub struct StatesOver<'a> {
    /// Which satellites: ids `block * LANES` to `block * LANES + LANES - 1`.
    pub block: usize,
    /// Which times: `first_time` and as many as there are positions.
    pub first_time: usize,
    /// TEME positions, m, one block for each time.
    pub positions_m: &'a [Block],
    /// TEME velocities, m/s, one block for each time; none if only positions were asked for.
    pub velocities_m_s: &'a [Block],
}

/// An instant in the forms that propagation needs, and the turn to the Earth-fixed frame, if that is wanted.
#[derive(Clone, Copy)]
struct Moment {
    time: Time,
    instant: Instant,
    turn: Option<[[f64; 3]; 3]>,
}

impl Moment {
    fn new(time: Time, turn: Option<Rotation>) -> Self {
        let columns = |rotation: Rotation| {
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|[x, y, z]| {
                let axis = Teme {
                    position_m: Vec3::new(x, y, z),
                    velocity_m_s: Vec3::default(),
                };
                rotation.ecef(&axis).0
            })
        };
        Self {
            time,
            instant: time.into(),
            turn: turn.map(|rotation| {
                let [x, y, z] = columns(rotation);
                [[x.x, y.x, z.x], [x.y, y.y, z.y], [x.z, y.z, z.z]]
            }),
        }
    }
}

/// Whether the target has vector instructions at all. Without, blocks of eight would gain nothing, and compilers take minutes
/// over so much code for them.
const HAS_VECTORS: bool = cfg!(any(
    all(
        any(target_arch = "x86", target_arch = "x86_64"),
        target_feature = "sse2"
    ),
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128"),
));
/// Times propagated for a block before the next block: their states stay in the first-level cache.
const TIMES_PER_CHUNK: usize = 64;
/// A task of some microseconds: long against rayon's own cost, short against an epoch.
const BLOCKS_PER_TASK: usize = 32;

impl Default for Sky {
    fn default() -> Self {
        Self {
            satellites: Vec::new(),
            blocks: Vec::new(),
            orientation: Arc::default(),
            level: Level::new(),
        }
    }
}

impl Sky {
    /// Prepares the propagation of all the elements.
    pub fn new(elements: &[Elements]) -> Result<Self, SkyError> {
        let satellites = elements
            .iter()
            .enumerate()
            .map(|(index, e)| {
                Propagator::new(e).map_err(|source| SkyError {
                    index,
                    name: e.name.clone(),
                    source,
                })
            })
            .collect::<Result<_, _>>()?;
        let blocks = elements
            .chunks(LANES)
            .map(|elements| {
                let mut block = Coefficients::EMPTY;
                for (lane, elements) in elements.iter().enumerate() {
                    block.put(lane, elements);
                }
                block
            })
            .collect();
        Ok(Self {
            satellites,
            blocks,
            ..Self::default()
        })
    }

    /// The same sky over an Earth that stands as the table says, at each instant that it covers; at all others, and without a
    /// table, as [`EarthOrientation::default`](crate::EarthOrientation) says.
    pub fn with_orientation(self, orientation: impl Into<Arc<EarthOrientationTable>>) -> Self {
        Self {
            orientation: orientation.into(),
            ..self
        }
    }

    /// Number of satellites.
    pub fn len(&self) -> usize {
        self.satellites.len()
    }

    /// True without satellites.
    pub fn is_empty(&self) -> bool {
        self.satellites.is_empty()
    }

    /// The propagator of a satellite.
    ///
    /// # Panics
    /// If there is no such satellite.
    pub fn propagator(&self, satellite: SatId) -> &Propagator {
        &self.satellites[satellite.index()]
    }

    /// The turn from TEME to the Earth-fixed frame at `t`.
    pub fn rotation(&self, t: Time) -> Rotation {
        Rotation::at(t, self.orientation.at(t).unwrap_or_default())
    }

    /// Position and velocity of a satellite in TEME.
    ///
    /// # Panics
    /// If there is no such satellite.
    pub fn teme(&self, satellite: SatId, t: Time) -> Result<Teme, PropagationError> {
        let (position_m, velocity_m_s) = self.one(satellite, Moment::new(t, None))?;
        Ok(Teme {
            position_m,
            velocity_m_s,
        })
    }

    /// Earth-fixed position of a satellite.
    ///
    /// # Panics
    /// If there is no such satellite.
    pub fn ecef(&self, satellite: SatId, t: Time) -> Result<Ecef, PropagationError> {
        let moment = Moment::new(t, Some(self.rotation(t)));
        Ok(Ecef(self.one(satellite, moment)?.0))
    }

    /// Earth-fixed position and velocity of a satellite.
    ///
    /// # Panics
    /// If there is no such satellite.
    pub fn earth_fixed(&self, satellite: SatId, t: Time) -> Result<EarthFixed, PropagationError> {
        Ok(self.rotation(t).earth_fixed(&self.teme(satellite, t)?))
    }

    /// Where a satellite is, in every frame.
    ///
    /// # Panics
    /// If there is no such satellite.
    pub fn position(&self, satellite: SatId, t: Time) -> Result<Position, PropagationError> {
        let teme = self.teme(satellite, t)?;
        let earth_fixed = self.rotation(t).earth_fixed(&teme);
        Ok(Position {
            satellite,
            time: t,
            teme,
            earth_fixed,
            geodetic: earth_fixed.position.to_geodetic(),
        })
    }

    /// TEME states of all satellites, by id; `None` where SGP4 fails. Parallel on rayon's ambient pool.
    pub fn teme_all(&self, t: Time) -> Vec<Option<Teme>> {
        let (mut positions_m, mut velocities_m_s) = Default::default();
        self.teme_into(t, &mut positions_m, &mut velocities_m_s);
        let states = positions_m.iter().zip(velocities_m_s.iter());
        states
            .map(|(position_m, velocity_m_s)| {
                Some(Teme {
                    position_m: position_m?,
                    velocity_m_s: velocity_m_s?,
                })
            })
            .collect()
    }

    /// Earth-fixed positions of all satellites, by id; `None` where SGP4 fails. Parallel on rayon's ambient pool.
    pub fn ecef_all(&self, t: Time) -> Vec<Option<Ecef>> {
        let mut positions_m = Vectors::default();
        self.ecef_into(t, &mut positions_m);
        positions_m
            .iter()
            .map(|position_m| position_m.map(Ecef))
            .collect()
    }

    /// TEME positions, m, and velocities, m/s, of all satellites, by id, into vectors that are resized; those for which SGP4
    /// fails do not exist. Parallel on rayon's ambient pool.
    pub fn teme_into(&self, t: Time, positions_m: &mut Vectors, velocities_m_s: &mut Vectors) {
        positions_m.resize(self.len());
        velocities_m_s.resize(self.len());
        let moment = Moment::new(t, None);
        positions_m
            .blocks_mut()
            .par_chunks_mut(BLOCKS_PER_TASK)
            .zip(velocities_m_s.blocks_mut().par_chunks_mut(BLOCKS_PER_TASK))
            .enumerate()
            .for_each(|(task, (positions_m, velocities_m_s))| {
                let first = task * BLOCKS_PER_TASK;
                self.propagate::<true>(first, &[moment], positions_m, velocities_m_s);
            });
    }

    /// Earth-fixed positions of all satellites, m, by id, into vectors that are resized; those for which SGP4 fails do not
    /// exist. Parallel on rayon's ambient pool.
    pub fn ecef_into(&self, t: Time, positions_m: &mut Vectors) {
        positions_m.resize(self.len());
        let moment = Moment::new(t, Some(self.rotation(t)));
        positions_m
            .blocks_mut()
            .par_chunks_mut(BLOCKS_PER_TASK)
            .enumerate()
            .for_each(|(task, positions_m)| {
                let first = task * BLOCKS_PER_TASK;
                self.propagate::<false>(first, &[moment], positions_m, &mut []);
            });
    }

    /// What `consume` makes of the Earth-fixed positions, m, of each block of satellites at the times. Parallel on rayon's ambient pool.
    pub(crate) fn ecef_by_block<const N: usize, T: Send>(
        &self,
        times: [Time; N],
        consume: impl Fn(&[Block; N]) -> T + Sync,
    ) -> Vec<T> {
        let moments = times.map(|t| Moment::new(t, Some(self.rotation(t))));
        (0..self.blocks.len())
            .into_par_iter()
            .with_min_len(BLOCKS_PER_TASK)
            .map(|block| {
                let mut positions_m = [Block::NAN; N];
                self.propagate::<false>(block, &moments, &mut positions_m, &mut []);
                consume(&positions_m)
            })
            .collect()
    }

    /// TEME states of all satellites at many times: each block of satellites is taken through all times before the next, and
    /// `consume` gets the states a few times at once, while they are in the cache. Parallel on rayon's ambient pool, in no order.
    pub fn teme_over(&self, times: &[Time], consume: impl Fn(StatesOver) + Sync) {
        self.over::<true>(times, consume);
    }

    /// The same without velocities, which take a fifth of the time.
    pub fn positions_over(&self, times: &[Time], consume: impl Fn(StatesOver) + Sync) {
        self.over::<false>(times, consume);
    }

    fn over<const VELOCITY: bool>(&self, times: &[Time], consume: impl Fn(StatesOver) + Sync) {
        let moments: Vec<Moment> = times.iter().map(|&t| Moment::new(t, None)).collect();
        (0..self.blocks.len()).into_par_iter().for_each(|block| {
            let mut positions_m = [Block::NAN; TIMES_PER_CHUNK];
            let mut velocities_m_s = [Block::NAN; TIMES_PER_CHUNK];
            for (chunk, moments) in moments.chunks(TIMES_PER_CHUNK).enumerate() {
                let positions_m = &mut positions_m[..moments.len()];
                let velocities_m_s =
                    &mut velocities_m_s[..if VELOCITY { moments.len() } else { 0 }];
                self.propagate::<VELOCITY>(block, moments, positions_m, velocities_m_s);
                consume(StatesOver {
                    block,
                    first_time: chunk * TIMES_PER_CHUNK,
                    positions_m,
                    velocities_m_s,
                });
            }
        });
    }

    /// One satellite by way of its block, so that its state is the one that a call for all gives.
    fn one(&self, satellite: SatId, moment: Moment) -> Result<(Vec3, Vec3), PropagationError> {
        let (block, lane) = (satellite.index() / LANES, satellite.index() % LANES);
        let (mut position_m, mut velocity_m_s) = (Block::NAN, Block::NAN);
        let velocity = slice::from_mut(&mut velocity_m_s);
        self.propagate::<true>(block, &[moment], slice::from_mut(&mut position_m), velocity);
        match position_m.get(lane).zip(velocity_m_s.get(lane)) {
            Some(state) => Ok(state),
            None => {
                let teme = self.propagator(satellite).teme(moment.time)?;
                Ok((teme.position_m, teme.velocity_m_s))
            }
        }
    }

    /// A bit for each lane of a block that holds a satellite.
    fn present(&self, block: usize) -> u64 {
        u64::MAX >> (64 - (self.len() - block * LANES).min(LANES))
    }

    /// The states of blocks from `first` on, each at all the moments before the next block, positions in the frame that the moment
    /// asks for. How many blocks follows from the room for positions; there is room for velocities if they are asked for.
    fn propagate<const VELOCITY: bool>(
        &self,
        first: usize,
        moments: &[Moment],
        positions_m: &mut [Block],
        velocities_m_s: &mut [Block],
    ) {
        if !HAS_VECTORS {
            for (i, position_m) in positions_m.iter_mut().enumerate() {
                let (block, moment) = (first + i / moments.len(), &moments[i % moments.len()]);
                *position_m = Block::NAN;
                let velocity_m_s = velocities_m_s.get_mut(i);
                self.propagate_others(block, self.present(block), moment, position_m, velocity_m_s);
            }
            return;
        }
        dispatch!(self.level, simd => self.propagate_with::<_, VELOCITY>(
            simd, first, moments, positions_m, velocities_m_s
        ));
    }

    #[inline(always)]
    fn propagate_with<S: Simd, const VELOCITY: bool>(
        &self,
        simd: S,
        first: usize,
        moments: &[Moment],
        positions_m: &mut [Block],
        velocities_m_s: &mut [Block],
    ) {
        let count = positions_m.len();
        let at = |i: usize| (first + i / moments.len(), &moments[i % moments.len()]);
        for i in (0..count).step_by(2) {
            // A last one without a partner is its own.
            let pair = [i, (i + 1).min(count - 1)];
            let (a, b) = (at(pair[0]), at(pair[1]));
            let states = near_earth::states::<S, VELOCITY>(
                simd,
                [&self.blocks[a.0], &self.blocks[b.0]],
                [a.1.instant, b.1.instant],
            );
            let [x, y, z] = states.position_m;
            let [vx, vy, vz] = states.velocity_m_s;
            let positions = [[x.0, y.0, z.0], [x.1, y.1, z.1]];
            let velocities = [[vx.0, vy.0, vz.0], [vx.1, vy.1, vz.1]];
            let regular = [states.regular.0, states.regular.1];
            for half in 0..2 {
                let i = pair[half];
                let (block, moment) = at(i);
                positions_m[i] = Block::from_lanes(match moment.turn {
                    Some(turn) => turned(turn, positions[half]),
                    None => positions[half],
                });
                if VELOCITY {
                    velocities_m_s[i] = Block::from_lanes(velocities[half]);
                }
                let others = self.present(block) & !regular[half].to_bitmask();
                if others != 0 {
                    let velocity_m_s = velocities_m_s.get_mut(i);
                    self.propagate_others(block, others, moment, &mut positions_m[i], velocity_m_s);
                }
            }
        }
    }

    /// The lanes of which the bit is set in `lanes`, by scalar code.
    #[cold]
    #[inline(never)]
    fn propagate_others(
        &self,
        block: usize,
        lanes: u64,
        moment: &Moment,
        position_m: &mut Block,
        mut velocity_m_s: Option<&mut Block>,
    ) {
        for lane in (0..LANES).filter(|lane| lanes >> lane & 1 == 1) {
            let teme = self.satellites[block * LANES + lane].teme(moment.time).ok();
            position_m.set(
                lane,
                teme.map(|teme| match moment.turn {
                    Some(turn) => {
                        let [x, y, z] =
                            turn.map(|[a, b, c]| Vec3::new(a, b, c).dot(teme.position_m));
                        Vec3::new(x, y, z)
                    }
                    None => teme.position_m,
                }),
            );
            if let Some(velocity_m_s) = &mut velocity_m_s {
                velocity_m_s.set(lane, teme.map(|teme| teme.velocity_m_s));
            }
        }
    }
}

/// Eight vectors times a matrix given by rows.
#[inline(always)]
fn turned<S: Simd>([p, q, r]: [[f64; 3]; 3], v: [f64x8<S>; 3]) -> [f64x8<S>; 3] {
    // Not by `map`, which is not inlined here and costs more than the arithmetic.
    [dot(p, v), dot(q, v), dot(r, v)]
}

#[inline(always)]
fn dot<S: Simd>(row: [f64; 3], [x, y, z]: [f64x8<S>; 3]) -> f64x8<S> {
    x.mul_add(row[0], y.mul_add(row[1], z * row[2]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elements::{Format, parse};
    use crate::levels::levels;
    use skyweave_base::Span;

    /// Low orbits of all kinds, some of them too eccentric for the short way through Kepler's equation.
    fn sky() -> Sky {
        let text = include_str!("../../../data/orbits/starlink-2026-05-21.tle");
        let mut elements = parse(text, Format::Tle).expect("the built-in snapshot");
        elements.truncate(1000);
        for (i, e) in elements.iter_mut().enumerate() {
            match i % 50 {
                7 => e.eccentricity = 0.04 + 0.5 * i as f64 / 1000.0,
                8 => e.bstar *= 100.0,
                9 => e.mean_motion_rev_day = 5.0 + i as f64 / 100.0,
                _ => {}
            }
        }
        Sky::new(&elements).expect("orbits")
    }

    /// An angle of 660 rad, as after a week, has 1.1e-13 rad in its last place, 0.8e-6 m of a low orbit. Unfused, it is rounded twice.
    const UNFUSED_M: f64 = 2e-6;

    #[test]
    fn states_have_the_same_bits_with_all_instructions_that_fuse() {
        let t = Time::from(
            "2026-05-22T00:00:00Z"
                .parse::<skyweave_base::Utc>()
                .expect("a time"),
        );
        let mut sky = sky();
        for minutes in [0, 100, 10_000] {
            let t = t + Span::from_secs(60 * minutes);
            let mut first: Option<Vec<Option<Teme>>> = None;
            for (level, fuses) in levels() {
                sky.level = level;
                let states = sky.teme_all(t);
                let expected = first.get_or_insert_with(|| states.clone());
                if fuses {
                    assert_eq!(&states, expected, "{level:?}");
                }
                for (ours, expected) in states.iter().zip(&*expected) {
                    let (Some(ours), Some(expected)) = (ours, expected) else {
                        assert_eq!(ours.is_some(), expected.is_some());
                        continue;
                    };
                    let apart_m = (ours.position_m - expected.position_m).norm();
                    assert!(apart_m < UNFUSED_M, "{level:?}: {apart_m} m apart");
                }
            }
        }
    }

    #[test]
    fn sines_and_cosines_are_good_to_2e_14() {
        for (level, _) in levels() {
            let mut worst = 0.0_f64;
            for i in -40_000..40_000 {
                // Small angles densely, and up to 1e7 rad.
                let x = f64::from(i) * if i % 2 == 0 { 1e-4 } else { 250.1 };
                let (sin, cos) = dispatch!(level, simd => near_earth::sin_cos_of(simd, x));
                worst = worst.max((sin - x.sin()).abs()).max((cos - x.cos()).abs());
            }
            assert!(worst < 2e-14, "{level:?}: {worst:e}");
        }
    }
}
