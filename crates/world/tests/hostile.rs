//! Whatever the bytes, a parser gives a value or problems and never panics: spoilt copies of good files, and noise.

use proptest::prelude::*;
use proptest::sample::Index;
use skyweave_base::Time;
use skyweave_world::{
    Between, Files, FilesError, RainField, SitePairs, Track, World, builtin_scenario, description,
};

/// The same bytes for every file.
struct Only(Vec<u8>);

impl Files for Only {
    fn read(&self, _: &str) -> Result<Vec<u8>, FilesError> {
        Ok(self.0.clone())
    }
}

fn load(rest: &str, file: Vec<u8>) {
    let text = format!(
        "[sky]\nstart = 2026-05-21T00:00:12Z\n[[sky.shell]]\naltitude_km = 550.0\ninclination_deg = 53.0\n\
         planes = 2\nsatellites_per_plane = 3\n{rest}"
    );
    if let Ok(world) = World::load("x.toml", &text, &Only(file), Time::default()) {
        world.inputs(world.first_epoch());
    }
}

const CELLS: &str =
    "h3_r5,terminals,population\n851e6387fffffff,10,833697\n85119643fffffff,5,818344\n";
const SITES: &str = "id,name,lat_deg,lon_deg\n0,Kyiv,50.45,30.52\n1,Lviv,49.84,24.02\n";
const PAIRS: &str = "src_id,dst_id\n0,1\n1,0\n";
const TRACK: &str = "t_s,lat_deg,lon_deg,height_m\n0,50,30,0\n60,50,31,100\n";
const AREA: &str =
    r#"{"type":"Polygon","coordinates":[[[30,50],[31,50],[31,51],[30,51],[30,50]]]}"#;
const GATEWAYS: &str =
    "name,lat_deg,lon_deg,status,ka_antennas,ka_min_elev_deg\nA,50,20,live,8,25\n";
const RAIN: &str =
    "time,lat_deg,lon_deg,rain_mm_h\n2026-05-21T00:00:00Z,50,30,4\n2026-05-21T00:00:00Z,51,30,5\n";
const RAIN_AREA: &str = r#"{"type":"Feature","properties":{"rain_mm_h":5,"time":"2026-05-21T00:00:00Z"},"geometry":{"type":"Polygon","coordinates":[[[30,50],[31,50],[31,51],[30,51],[30,50]]]}}"#;
const CLIMATE: &str = "lat_deg,lon_deg,rain_rate_001_mm_h,rain_height_km,mean_temp_k,water_vapour_g_m3_p50\n-90,-180,50,5,300,20\n90,-180,50,5,300,nan\n-90,0,50,5,300,20\n90,0,50,5,300,20\n";
const PAIRS_OF_LASERS: &str = "0 1\n1 2\n3,4\n";

/// A good text in which some bytes were changed, put in or lost; or noise.
fn spoilt(good: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<Index>(), any::<u8>(), 0..3_u8), 0..8);
    let from_good = edits.prop_map(move |edits| {
        let mut bytes = good.as_bytes().to_vec();
        for (place, byte, what) in edits {
            let i = place.index(bytes.len().max(1));
            match what {
                0 if i < bytes.len() => bytes[i] = byte,
                1 if i < bytes.len() => drop(bytes.remove(i)),
                _ => bytes.insert(i.min(bytes.len()), byte),
            }
        }
        bytes
    });
    prop_oneof![4 => from_good, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

fn ukraine() -> &'static str {
    builtin_scenario("ukraine").unwrap_or_default()
}

proptest! {
    #[test]
    fn scenarios(bytes in spoilt(ukraine())) {
        description(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn cells(bytes in spoilt(CELLS)) {
        load("[[demand]]\narea = \"x.csv\"\nspread = \"given\"\nrate_mbps = 1.0\n", bytes);
    }

    #[test]
    fn polygons(bytes in spoilt(AREA)) {
        load("[[demand]]\narea = \"x.geojson\"\nspread = \"uniform\"\nterminals = 9\nrate_mbps = 1.0\n", bytes);
    }

    #[test]
    fn rain_fields(csv in spoilt(RAIN), geojson in spoilt(RAIN_AREA)) {
        let here = skyweave_base::Geodetic::from_degrees(50.5, 30.5).unwrap();
        for (name, bytes) in [("x.csv", csv), ("x.geojson", geojson)] {
            if let Ok(field) = RainField::parse(name, &bytes, Between::Bilinear) {
                let t = field.times().map_or(Time::default(), |(from, _)| from);
                prop_assert!((0.0..=500.0).contains(&field.rain_mm_h(here, t)));
            }
        }
    }

    #[test]
    fn climates(bytes in spoilt(CLIMATE)) {
        load("[radio]\nprofile = \"starlink-v1.5\"\n[weather]\nexceedance_percent = 0.1\nclimate = \"x.csv\"\n[[terminal]]\nname = \"a\"\nplace = \"10,20\"\nrate_mbps = 1.0\n", bytes);
    }

    #[test]
    fn tracks(bytes in spoilt(TRACK)) {
        if let Ok(track) = Track::parse("x.csv", &bytes) {
            let place = track.at(30.0);
            prop_assert!(place.lat_deg().abs() <= 90.0 && place.lon_deg().abs() <= 360.0);
        }
    }

    #[test]
    fn sites_and_pairs(sites in spoilt(SITES), pairs in spoilt(PAIRS)) {
        let _ = SitePairs::parse(("sites.csv", &sites), ("pairs.csv", &pairs));
    }

    #[test]
    fn gateways(bytes in spoilt(GATEWAYS)) {
        load("[ground]\ngateways = \"x.csv\"\n", bytes);
    }

    #[test]
    fn lasers(bytes in spoilt(PAIRS_OF_LASERS)) {
        load("[lasers]\npairs = \"x.txt\"\n", bytes);
    }

    #[test]
    fn elements(bytes in spoilt("STARLINK-1008\n1 44714U 19074B   26140.68420351  .00010339  00000+0  21079-3 0  9990\n2 44714  53.1522 200.0563 0002533  31.1948 328.9209 15.46851868359951\n")) {
        let text = "[sky]\nsource = \"x.tle\"\nstart = 2026-05-21T00:00:12Z\n";
        let _ = World::load("x.toml", text, &Only(bytes), Time::default());
    }
}
