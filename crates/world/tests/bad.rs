//! Bad scenarios: each file of `tests/bad` states in its first lines every problem that must be found in it, with its place.

#![expect(clippy::disallowed_methods, reason = "tests read their data")]

use skyweave_world::{Files, FilesError, Severity, World};
use std::path::PathBuf;

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, FilesError> {
        std::fs::read(self.0.join(path)).map_err(|e| FilesError {
            path: path.to_owned(),
            reason: e.to_string(),
        })
    }
}

#[test]
fn every_problem_is_found_named_and_placed() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml") && name != "profile.toml")
        .collect();
    names.sort();
    assert!(names.len() >= 30, "the table of bad scenarios is there");
    let mut failures = Vec::new();
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name)).unwrap();
        let expected: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# expect: "))
            .collect();
        assert!(!expected.is_empty(), "{name} states what is wrong with it");
        match World::load(
            &name,
            &text,
            &Folder(folder.clone()),
            skyweave_base::Time::default(),
        ) {
            Ok(_) => failures.push(format!("{name}: loads")),
            Err(problems) => {
                let found = problems.to_string();
                let errors = problems
                    .0
                    .iter()
                    .filter(|p| p.severity == Severity::Error)
                    .count();
                let missing: Vec<_> = expected.iter().filter(|e| !found.contains(**e)).collect();
                if !missing.is_empty() || errors != expected.len() {
                    failures.push(format!("{name}: expected {expected:#?}\nfound\n{found}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
