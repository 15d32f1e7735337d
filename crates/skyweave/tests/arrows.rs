//! The arrows of docs/architecture.md, asserted on what cargo sees.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What each crate may import of the workspace.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("skyweave-base", &[]),
    ("skyweave-orbit", &["skyweave-base"]),
    ("skyweave-radio", &["skyweave-base", "skyweave-orbit"]),
    (
        "skyweave-plan",
        &["skyweave-base", "skyweave-orbit", "skyweave-radio"],
    ),
    ("skyweave-dataplane", &["skyweave-base"]),
    ("skyweave-dish", &["skyweave-base"]),
    ("skyweave-service", &["skyweave-base"]),
    (
        "skyweave-world",
        &[
            "skyweave-base",
            "skyweave-orbit",
            "skyweave-radio",
            "skyweave-plan",
            "skyweave-dataplane",
            "skyweave-service",
        ],
    ),
    (
        "skyweave",
        &[
            "skyweave-base",
            "skyweave-orbit",
            "skyweave-radio",
            "skyweave-plan",
            "skyweave-dataplane",
            "skyweave-service",
            "skyweave-dish",
            "skyweave-world",
        ],
    ),
];

/// Crates that only the binary may use: they do I/O, read clocks or start threads.
const ONLY_IN_THE_BINARY: &[&str] = &[
    "anyhow",
    "clap",
    "crossterm",
    "indicatif",
    "libc",
    "rusqlite",
    "postgres",
    "tokio",
    "tun-rs",
];

#[test]
fn crates_import_only_what_the_design_allows() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let members: BTreeSet<&str> = packages
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    assert_eq!(
        members,
        allowed.keys().copied().collect(),
        "a crate was added or lost: say here what it may import"
    );
    for package in packages {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency_name = dependency["name"].as_str().unwrap();
            let normal = dependency["kind"].is_null();
            if members.contains(dependency_name) {
                assert!(
                    allowed[name].contains(&dependency_name),
                    "{name} must not import {dependency_name}"
                );
            } else if normal && name != "skyweave" {
                assert!(
                    !ONLY_IN_THE_BINARY.contains(&dependency_name),
                    "{name} must not use {dependency_name}"
                );
            }
        }
    }
}
