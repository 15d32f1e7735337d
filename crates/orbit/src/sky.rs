//! A constellation in motion: the positions of all its satellites at any instant.

use crate::earth_orientation::EarthOrientationTable;
use crate::elements::Elements;
use crate::frames::{EarthFixed, Rotation, Teme};
use crate::propagation::{PropagationError, Propagator};
use crate::vectors::{LANES, Vectors};
use rayon::prelude::*;
use skyweave_base::{Ecef, Geodetic, SatId, Time, Vec3};
use std::sync::Arc;

/// Satellites propagated together; a satellite's id is its position in the list of elements.
#[derive(Clone, Debug, Default)]
pub struct Sky {
    satellites: Vec<Propagator>,
    orientation: Arc<EarthOrientationTable>,
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
        Ok(Self {
            satellites,
            orientation: Arc::default(),
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
        self.propagator(satellite).teme(t)
    }

    /// Earth-fixed position of a satellite.
    ///
    /// # Panics
    /// If there is no such satellite.
    pub fn ecef(&self, satellite: SatId, t: Time) -> Result<Ecef, PropagationError> {
        Ok(self.rotation(t).ecef(&self.teme(satellite, t)?))
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
        self.all(|satellite| satellite.teme(t).ok())
    }

    /// Earth-fixed positions of all satellites, by id; `None` where SGP4 fails. Parallel on rayon's ambient pool.
    pub fn ecef_all(&self, t: Time) -> Vec<Option<Ecef>> {
        let rotation = self.rotation(t);
        self.all(|satellite| Some(rotation.ecef(&satellite.teme(t).ok()?)))
    }

    /// Earth-fixed positions of all satellites, m, by id, into `positions_m`, which is resized; those for which SGP4 fails do
    /// not exist. Parallel on rayon's ambient pool.
    pub fn ecef_into(&self, t: Time, positions_m: &mut Vectors) {
        positions_m.resize(self.len());
        let positions = self.ecef_all(t);
        for (block, positions) in positions_m
            .blocks_mut()
            .iter_mut()
            .zip(positions.chunks(LANES))
        {
            for (lane, position) in positions.iter().enumerate() {
                let Vec3 { x, y, z } =
                    position.map_or(Vec3::new(f64::NAN, f64::NAN, f64::NAN), |p| p.0);
                (block.x[lane], block.y[lane], block.z[lane]) = (x, y, z);
            }
        }
    }

    fn all<T: Send>(&self, state: impl Fn(&Propagator) -> T + Sync + Send) -> Vec<T> {
        /// A task of some tens of microseconds: long against rayon's own cost, short against an epoch.
        const SATELLITES_PER_TASK: usize = 128;
        self.satellites
            .par_iter()
            .with_min_len(SATELLITES_PER_TASK)
            .map(state)
            .collect()
    }
}
