//! Routes between ground sites over the constellation, for `skyweave routes`: sites and pairs from CSV, shortest paths from
//! [`skyweave_plan::Router`].

use crate::problem::{Location, Problems};
use crate::table::{optional, read_csv, required};
use crate::world::World;
use core::fmt::Write as _;
use skyweave_base::{Ecef, Ellipsoid, Geodetic, Time};
use skyweave_orbit::Vectors;
use skyweave_plan::{Route, Router, laser_usable};

/// Ground sites and the pairs of them between which routes are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SitePairs {
    ids: Vec<String>,
    places: Vec<Geodetic>,
    pairs: Vec<(u32, u32)>,
}

impl SitePairs {
    /// Reads both files. Sites: CSV with `id` (or `gid`), `lat_deg`, `lon_deg` and optionally `height_m`, or Hypatia's
    /// `ground_stations.txt`, which has no header: id, name, latitude, longitude, elevation, ... Pairs: CSV with `src_id` and
    /// `dst_id`; other columns are ignored and a pair that comes again is dropped, so that a table of results serves as well.
    pub fn parse(
        (sites_file, sites): (&str, &[u8]),
        (pairs_file, pairs): (&str, &[u8]),
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut all = Self::default();
        let mut lines = Vec::new();
        let with_header;
        let first_line = sites.split(|b| *b == b'\n').next().unwrap_or_default();
        let has_header =
            first_line.iter().any(u8::is_ascii_alphabetic) && !begins_with_number(first_line);
        let (bytes, shift) = if has_header {
            (sites, 0)
        } else {
            with_header = [b"id,name,lat_deg,lon_deg,height_m\n", sites].concat();
            (with_header.as_slice(), 1)
        };
        let columns = [
            required(&["id", "gid", "site_id", "gateway"]),
            required(&["lat_deg", "latitude_deg", "latitude", "lat"]),
            required(&["lon_deg", "longitude_deg", "longitude", "lon"]),
            optional(&["height_m", "elevation_m", "altitude_m"]),
        ];
        read_csv(sites_file, bytes, &columns, &mut problems, |row| {
            let (id, place) = (row.required_text(0), row.place(1, 2));
            let height_m = row.number(3, -1_000.0..=50_000.0).unwrap_or(0.0);
            let (Some(id), Some(place)) = (id, place) else {
                return;
            };
            lines.push((id.clone(), all.ids.len() as u32, row.at()));
            all.ids.push(id);
            all.places.push(Geodetic { height_m, ..place });
        });
        for problem in &mut problems.0 {
            problem.at.line = problem
                .at
                .line
                .map(|line| line.saturating_sub(shift).max(1));
        }
        lines.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        for same in lines.windows(2).filter(|w| w[0].0 == w[1].0) {
            problems.push(
                same[1]
                    .2
                    .error(format!("there is a site `{}` already", same[0].0)),
            );
        }
        let columns = [
            required(&["src_id", "src", "from", "a"]),
            required(&["dst_id", "dst", "to", "b"]),
        ];
        read_csv(pairs_file, pairs, &columns, &mut problems, |row| {
            let mut ends = [None, None];
            for (column, end) in ends.iter_mut().enumerate() {
                let Some(id) = row.required_text(column) else {
                    continue;
                };
                match lines.binary_search_by(|(known, ..)| known.as_str().cmp(&id)) {
                    Ok(i) => *end = Some(lines[i].1),
                    Err(_) => row.error(column, &format!("no site has the id `{id}`")),
                }
            }
            if let [Some(src), Some(dst)] = ends {
                all.pairs.push((src, dst));
            }
        });
        if problems.0.is_empty() && all.pairs.is_empty() {
            problems.push(Location::file(pairs_file).error("holds no pair"));
        }
        let mut seen = std::collections::BTreeSet::new();
        all.pairs.retain(|pair| seen.insert(*pair));
        if problems.has_errors() {
            Err(problems)
        } else {
            Ok(all)
        }
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// True without pairs.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

fn begins_with_number(line: &[u8]) -> bool {
    line.split(|b| *b == b',')
        .next()
        .and_then(|first| core::str::from_utf8(first).ok())
        .is_some_and(|first| first.trim().parse::<f64>().is_ok())
}

/// The route of one pair at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteRoute<'a> {
    /// Where it begins.
    pub src_id: &'a str,
    /// Where it ends.
    pub dst_id: &'a str,
    /// The way, or `None` if there is none.
    pub route: Option<Route>,
}

impl SiteRoute<'_> {
    /// Round trip, ms: light time there and back, nothing else.
    pub fn rtt_ms(&self) -> Option<f64> {
        self.route.as_ref().map(|route| route.round_trip_s() * 1e3)
    }

    /// Site and satellite ids joined by `-`, or `unreachable`.
    pub fn path(&self) -> String {
        let Some(route) = &self.route else {
            return "unreachable".to_owned();
        };
        let mut path = self.src_id.to_owned();
        for satellite in &route.satellites {
            let _ = write!(path, "-{satellite}");
        }
        path + "-" + self.dst_id
    }
}

impl World {
    /// The routes of all pairs at an instant, with the scenario's link and laser limits, in the order of the pairs. Sites use any
    /// satellite in service that the user links' limit allows.
    pub fn routes<'a>(&self, sites: &'a SitePairs, t: Time) -> Vec<SiteRoute<'a>> {
        let mut positions_m = Vectors::default();
        self.ephemeris().positions_into(t, &mut positions_m);
        let mut satellites: Vec<Option<Ecef>> = positions_m.iter().map(|p| p.map(Ecef)).collect();
        for (position, left_out) in satellites.iter_mut().zip(&self.constellation.left_out) {
            if left_out.is_some() {
                *position = None;
            }
        }
        let limits = &self.profile().laser;
        let stands = |&(a, b): &(skyweave_base::SatId, skyweave_base::SatId)| {
            let ends = satellites[a.index()].zip(satellites[b.index()])?;
            laser_usable(limits, ends.0, ends.1).then_some((a, b))
        };
        let lasers: Vec<_> = self.lasers().iter().filter_map(stands).collect();
        let router = Router::new(
            satellites.len(),
            &lasers,
            &sites.places,
            self.profile().user.limit,
            Ellipsoid::WGS84,
        );
        let found = router.routes(&satellites, &sites.pairs).into_iter();
        let ids = |&(src, dst): &(u32, u32)| (&*sites.ids[src as usize], &*sites.ids[dst as usize]);
        found
            .zip(sites.pairs.iter().map(ids))
            .map(|(route, (src_id, dst_id))| SiteRoute {
                src_id,
                dst_id,
                route,
            })
            .collect()
    }
}
