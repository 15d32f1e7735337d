//! One file for all that a scenario may name, shared by the targets of `world`.

use skyweave_world::{Files, FilesError, World};

struct Only<'a>(&'a [u8]);

impl Files for Only<'_> {
    fn read(&self, _: &str) -> Result<Vec<u8>, FilesError> {
        Ok(self.0.to_vec())
    }
}

/// Loads a small scenario that ends with `rest` and reads `file` whatever it names.
pub fn load(rest: &str, file: &[u8]) {
    let text = format!(
        "[sky]\nstart = 2026-05-21T00:00:12Z\n[[sky.shell]]\naltitude_km = 550.0\ninclination_deg = 53.0\n\
         planes = 2\nsatellites_per_plane = 3\n{rest}"
    );
    let _ = World::load("x.toml", &text, &Only(file), skyweave_base::Time::default());
}
