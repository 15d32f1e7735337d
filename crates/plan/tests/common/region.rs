//! Parts of the world with their share of its terminals.

use crate::world::World;
use std::collections::BTreeSet;
use std::path::Path;

/// Terminals over the whole world, by population; a region has those of its cells.
const TERMINALS: u64 = 10_000_000;

/// What each terminal asks: as in the scenario `ukraine`, and ten times that, which no plan can carry.
pub(crate) const ASKS_KBPS: [u64; 2] = [2_000, 20_000];

/// A few countries.
pub(crate) struct Region {
    pub(crate) name: &'static str,
    countries: &'static [&'static str],
}

pub(crate) const UKRAINE_AND_NEIGHBOURS: Region = Region {
    name: "Ukraine and neighbours",
    countries: &["UA", "PL", "SK", "HU", "RO", "MD", "BY"],
};

/// Different in size and latitude.
pub(crate) const REGIONS: [Region; 5] = [
    UKRAINE_AND_NEIGHBOURS,
    Region {
        name: "Estonia (59 N)",
        countries: &["EE"],
    },
    Region {
        name: "Japan (36 N)",
        countries: &["JP"],
    },
    Region {
        name: "Nigeria (9 N)",
        countries: &["NG"],
    },
    Region {
        name: "New Zealand (41 S)",
        countries: &["NZ"],
    },
];

impl Region {
    /// True if a country is part of it.
    #[allow(dead_code)]
    pub(crate) fn has(&self, country: &str) -> bool {
        self.countries.contains(&country)
    }

    /// The region under the built-in sky.
    pub(crate) fn world(&self, ask_kbps: u64) -> World {
        let data = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|f| f.join("data"))
            .find(|f| f.is_dir())
            .expect("the repository has a folder `data`");
        let mut cells = BTreeSet::new();
        let mut rows = csv::Reader::from_path(data.join("population/world_h3r4.csv")).unwrap();
        for row in rows.records().map(Result::unwrap) {
            if self.countries.contains(&&row[1]) {
                cells.insert(row[0].parse::<h3o::CellIndex>().unwrap());
            }
        }
        World::new(TERMINALS, ask_kbps, move |place| {
            let place = h3o::LatLng::from_radians(place.lat_rad, place.lon_rad).unwrap();
            let cell = place.to_cell(h3o::Resolution::Five);
            cells.contains(&cell.parent(h3o::Resolution::Four).unwrap())
        })
    }
}
