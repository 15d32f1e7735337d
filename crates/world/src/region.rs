//! The part of the world that matters to an area.
//!
//! With λ the radius of a footprint, a satellite that serves the area stands within λ of it and may serve cells within 2λ; satellites that
//! serve those stand within 3λ. The load goes by the median satellite's λ, since at 2λ both ends see the satellite at the mask; the
//! satellites by the greatest λ. Where few gateways are near, satellites count as far as traffic must go to find some. What is left out:
//! what the load beyond 2λ takes of satellites at the rim and of distant gateways.

use crate::conditions::ConditionError;
use crate::problem::did_you_mean;
use crate::world::{World, footprint_rad};
use h3o::{CellIndex, LatLng, Resolution};
use rayon::prelude::*;
use skyweave_base::{Ecef, Geodetic, Vec3};

/// The area as points, and what near them matters.
#[derive(Debug)]
pub(crate) struct Region {
    /// Directions of the area's cells of resolution 3.
    core: Vec<Vec3>,
    satellites_cos: f64,
    gateways_rad: f64,
    /// Cells that a satellite may serve which serves the area too, ascending.
    load: Vec<CellIndex>,
}

/// A cell of resolution 3 reaches at most this far from its centre: edges of 69 km in the mean (h3geo.org, table of cell
/// statistics), 80 km with the distortion of the icosahedron.
const CELL_REACH_RAD: f64 = 80e3 / skyweave_base::MEAN_EARTH_RADIUS_M;
/// How many gateways the region must hold. A site of eight antennas carries over 100 Gbit/s.
const GATEWAYS: usize = 12;

impl Region {
    pub(crate) fn around(world: &World, area: &str) -> Result<Self, ConditionError> {
        let Some(demand) = world.demand.iter().find(|d| d.area == area) else {
            return Err(ConditionError::Area {
                area: area.to_owned(),
                hint: did_you_mean(area, world.demand.iter().map(|d| d.area.as_str())),
            });
        };
        let parents = demand.weights.iter().filter(|(_, weight)| *weight > 0);
        let mut parents: Vec<CellIndex> = parents
            .filter_map(|(cell, _)| cell.parent(Resolution::Three))
            .collect();
        parents.dedup();
        let core: Vec<Vec3> = parents.into_iter().map(direction).collect();
        let limit = world.scenario_profile.user.limit;
        let serving = world.constellation.serving();
        let mut footprints: Vec<f64> = serving.map(|e| footprint_rad(e, limit)).collect();
        footprints.sort_by(f64::total_cmp);
        let median_rad = footprints.get(footprints.len() / 2).copied();
        let footprint_rad = footprints.last().copied().unwrap_or(0.0);
        let mut gateways_rad: Vec<f64> = world
            .ground
            .gateways
            .iter()
            .map(|g| greatest_cosine(&core, g.place.up()).clamp(-1.0, 1.0).acos())
            .collect();
        gateways_rad.sort_by(f64::total_cmp);
        let far = gateways_rad.get(GATEWAYS - 1).or(gateways_rad.last());
        let gateways_rad = far.copied().unwrap_or(0.0);
        let cosine = |angle_rad: f64| {
            (angle_rad + CELL_REACH_RAD)
                .min(core::f64::consts::PI)
                .cos()
        };
        let load_cos = cosine(2.0 * median_rad.unwrap_or(0.0));
        let cells = world.demand.par_iter().flat_map_iter(|d| &d.weights);
        let near = cells.filter(|(cell, _)| greatest_cosine(&core, direction(*cell)) >= load_cos);
        let mut load: Vec<CellIndex> = near.map(|(cell, _)| *cell).collect();
        load.par_sort_unstable();
        load.dedup();
        let satellites_rad = (3.0 * footprint_rad).max(gateways_rad + footprint_rad);
        Ok(Self {
            core,
            load,
            satellites_cos: cosine(satellites_rad),
            gateways_rad: satellites_rad + footprint_rad,
        })
    }

    /// True if a satellite that serves the area may serve this cell too.
    pub(crate) fn has_load(&self, cell: CellIndex) -> bool {
        self.load.binary_search(&cell).is_ok()
    }

    /// How far from the area a gateway there stands, rad, and whether any satellite that matters may reach it.
    pub(crate) fn gateway(&self, place: Geodetic) -> (f64, bool) {
        let distance_rad = greatest_cosine(&self.core, place.up())
            .clamp(-1.0, 1.0)
            .acos();
        (distance_rad, distance_rad <= self.gateways_rad)
    }

    /// True if a satellite there matters.
    pub(crate) fn has_satellite(&self, at: Ecef) -> bool {
        greatest_cosine(&self.core, at.0) >= self.satellites_cos * at.0.norm()
    }
}

fn greatest_cosine(core: &[Vec3], at: Vec3) -> f64 {
    core.iter().map(|c| c.dot(at)).fold(-f64::MAX, f64::max)
}

fn direction(cell: CellIndex) -> Vec3 {
    let centre = LatLng::from(cell);
    Geodetic {
        lat_rad: centre.lat_radians(),
        lon_rad: centre.lng_radians(),
        height_m: 0.0,
    }
    .up()
}
