//! Files: the binary reads them, this crate only names them. What is built in needs none.

/// Reads the files that a scenario names. Relative paths are relative to the folder of the scenario file.
pub trait Files: Sync {
    /// The whole content of a file.
    fn read(&self, path: &str) -> Result<Vec<u8>, FilesError>;
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{path}`: {reason}")]
pub struct FilesError {
    /// The file.
    pub path: String,
    /// The system's words.
    pub reason: String,
}

/// Names of the built-in scenarios, the default first.
pub fn builtin_scenarios() -> impl Iterator<Item = &'static str> + Clone {
    builtin::SCENARIOS.iter().map(|(name, _)| *name)
}

/// The text of a built-in scenario.
pub fn builtin_scenario(name: &str) -> Option<&'static str> {
    builtin::SCENARIOS
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, text)| *text)
}

/// No files at all: enough for scenarios that name none.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FilesError> {
        Err(FilesError {
            path: path.to_owned(),
            reason: "no files can be read here".to_owned(),
        })
    }
}

/// The data that is built in; `docs/data.md` says where each file comes from and under which licence.
pub(crate) mod builtin {
    macro_rules! data {
        ($($name:ident = $path:literal;)+) => {$(
            pub(crate) const $name: &str = include_str!(concat!("../../../data/", $path));
        )+};
    }
    data! {
        STARLINK_2026_05_21 = "orbits/starlink-2026-05-21.tle";
        EARTH_ORIENTATION = "earth-orientation/finals2000A.2020-2027.txt";
        GATEWAYS = "ground/gateways.csv";
        POPS = "ground/pops.csv";
        CITIES = "population/cities15000.csv";
        UKRAINE_PLACES = "population/ukraine_places.csv";
        UKRAINE_CELLS = "population/ukraine_h3r5.csv";
        WORLD_CELLS = "population/world_h3r4.csv";
        COUNTRIES = "boundaries/countries.csv";
        CLIMATE = "propagation/climate_world_2p5deg.csv";
    }

    /// Name under which the snapshot is known to `sky.source`.
    pub(crate) const STARLINK_SNAPSHOT: &str = "starlink-2026-05-21";

    macro_rules! scenarios {
        ($($name:literal),+ $(,)?) => {
            /// (name, text) of every built-in scenario.
            pub(crate) const SCENARIOS: &[(&str, &str)] =
                &[$(($name, include_str!(concat!("../../../scenarios/", $name, ".toml")))),+];
        };
    }
    scenarios!(
        "ukraine",
        "walker-220",
        "walker-1584",
        "starlink-2024",
        "hypatia-kuiper-630",
        "hypatia-starlink-550",
        "hypatia-telesat-1015",
        "hypatia-telesat-1015-el10",
    );
}
