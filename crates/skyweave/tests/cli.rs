//! The program as a script sees it: outputs, exit codes, and what bad input is told.

use std::path::{Path, PathBuf};
use std::process::Output;

#[path = "common/program.rs"]
mod program;
use program::{refused, skyweave};

fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "exit {:?}\n{}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object per line"))
        .collect()
}

/// The reference data, or `None` with a visible line.
fn shared() -> Option<PathBuf> {
    let path = std::env::var_os("SKYWEAVE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    if !path.is_dir() {
        eprintln!(
            "SKIPPED: no reference data at {} (set SKYWEAVE_SHARED)",
            path.display()
        );
        return None;
    }
    Some(path)
}

#[test]
fn plan_prints_the_promised_fields_for_each_epoch() {
    let epochs = json_lines(&stdout(&skyweave(&[
        "plan",
        "walker-220",
        "--epochs",
        "3",
        "--json",
        "--check",
    ])));
    assert_eq!(epochs.len(), 3);
    for field in [
        "epoch",
        "start",
        "plan_hash",
        "planning_ms",
        "satellites_in_service",
        "cells_with_demand",
        "cells_served",
        "terminals",
        "terminals_served",
        "slots_assigned",
        "delivered_gbps",
        "demand_gbps",
        "unserved",
        "moved_terminals",
    ] {
        assert!(epochs.iter().all(|e| !e[field].is_null()), "{field}");
    }
    let numbers: Vec<i64> = epochs
        .iter()
        .map(|e| e["epoch"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [numbers[0], numbers[0] + 1, numbers[0] + 2]);
    assert_eq!(epochs[0]["satellites_in_service"], 220);
    assert!(epochs[0]["cells_served"].as_u64().unwrap() > 0);
}

/// Two processes, one with one thread and one with two: the same inputs, the same hash, on the real sky.
#[test]
fn plans_are_the_same_in_two_processes_on_one_and_on_two_threads() {
    for scenario in ["walker-220", "ukraine"] {
        let hashes = |threads: &str| -> Vec<String> {
            json_lines(&stdout(&skyweave(&[
                "plan",
                scenario,
                "--epochs",
                "2",
                "--json",
                "--threads",
                threads,
            ])))
            .iter()
            .map(|e| e["plan_hash"].as_str().unwrap().to_owned())
            .collect()
        };
        let one = hashes("1");
        assert_eq!(one, hashes("2"), "{scenario}");
        assert_ne!(one[0], one[1], "two epochs have two plans");
    }
}

#[test]
fn written_plans_pass_the_checker_and_damaged_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let told = json_lines(&stdout(&skyweave(&[
        "plan",
        "walker-220",
        "--epochs",
        "2",
        "--json",
        "--out",
        out,
    ])));
    for epoch in &told {
        let file = folder.path().join(format!("{}.plan", epoch["epoch"]));
        let checked = stdout(&skyweave(&[
            "check",
            file.to_str().unwrap(),
            "--scenario",
            "walker-220",
        ]));
        assert!(checked.contains("no rule is broken"), "{checked}");
        assert!(
            checked.contains(epoch["plan_hash"].as_str().unwrap()),
            "{checked}"
        );
    }
    let file = folder.path().join(format!("{}.plan", told[0]["epoch"]));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&file, &bytes).unwrap();
    refused(
        &["check", file.to_str().unwrap(), "--scenario", "walker-220"],
        &[file.to_str().unwrap()],
    );
    bytes.truncate(middle);
    std::fs::write(&file, &bytes).unwrap();
    refused(
        &["check", file.to_str().unwrap(), "--scenario", "walker-220"],
        &[file.to_str().unwrap()],
    );
}

/// Through the whole program: the route reference of one constellation, every row within 2 µs with the same path.
#[test]
fn routes_agree_with_the_reference_through_the_command_line() {
    let Some(shared) = shared() else { return };
    let hypatia = shared.join("reference/hypatia");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("routes.csv");
    stdout(&skyweave(&[
        "routes",
        "hypatia-telesat-1015",
        "--sites",
        hypatia
            .join("telesat_1015/ground_stations.txt")
            .to_str()
            .unwrap(),
        "--pairs",
        hypatia.join("routes.csv").to_str().unwrap(),
        "--start",
        "2000-01-01T00:00:00Z",
        "--step",
        "10",
        "--count",
        "20",
        "--out",
        out.to_str().unwrap(),
    ]));
    let satellites = 351;
    let mut expected = std::collections::BTreeMap::new();
    for line in std::fs::read_to_string(hypatia.join("routes.csv"))
        .unwrap()
        .lines()
        .skip(1)
    {
        let f: Vec<&str> = line.split(',').collect();
        if f[0] != "telesat_1015" {
            continue;
        }
        let key = (f[1].to_owned(), f[2].to_owned(), f[4].to_owned());
        // In the reference, node ids: a site is the number of satellites plus its own id.
        let nodes: Vec<u32> = f[7].split('-').map(|n| n.parse().unwrap()).collect();
        let path: Vec<String> = nodes
            .iter()
            .map(|&n| if n >= satellites { n - satellites } else { n }.to_string())
            .collect();
        expected.insert(key, (f[6].parse::<f64>().unwrap(), path.join("-")));
    }
    let text = std::fs::read_to_string(&out).unwrap();
    assert_eq!(text.lines().next(), Some("t_s,src_id,dst_id,rtt_ms,path"));
    let mut rows = 0;
    for line in text.lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        let key = (f[0].to_owned(), f[1].to_owned(), f[2].to_owned());
        let Some((rtt_ms, path)) = expected.get(&key) else {
            continue;
        };
        assert_eq!(f[4], path, "{line}");
        assert!(
            (f[3].parse::<f64>().unwrap() - rtt_ms).abs() < 0.002,
            "{line}: expected {rtt_ms}"
        );
        rows += 1;
    }
    assert_eq!(rows, expected.len());
    assert_eq!(rows, 800);
}

#[test]
fn orbit_tells_what_a_place_sees() {
    let seen = stdout(&skyweave(&["orbit", "visible", "--at", "Kyiv", "--json"]));
    let seen: Vec<serde_json::Value> = serde_json::from_str(&seen).unwrap();
    // A day's range above 25 degrees, operational altitudes only, is 42 to 78; raising and lowering satellites add some.
    assert!((42..140).contains(&seen.len()), "{}", seen.len());
    assert!(
        seen.iter()
            .all(|s| s["elevation_deg"].as_f64().unwrap() >= 25.0)
    );
    let name = seen[0]["name"].as_str().unwrap();
    let passes = stdout(&skyweave(&[
        "orbit",
        "passes",
        "--at",
        "50.45,30.52",
        "--satellite",
        name,
        "--hours",
        "1",
        "--json",
    ]));
    let passes: Vec<serde_json::Value> = serde_json::from_str(&passes).unwrap();
    assert!(passes[0]["rise"].is_null(), "it is up already");
    let positions = stdout(&skyweave(&[
        "orbit",
        "positions",
        "--satellite",
        name,
        "--step",
        "10",
        "--count",
        "3",
    ]));
    assert!(
        positions.starts_with("utc,name,norad_id,teme_x_km"),
        "{positions}"
    );
    assert!(positions.lines().count() >= 4);
}

/// What is said of the Earth's orientation, and that a table moves Earth-fixed positions but not TEME: by 36 m at most in 2026.
#[test]
fn orbit_says_which_earth_orientation_it_uses() {
    let positions = |more: &[&str]| {
        let args = ["orbit", "positions", "--satellite", "45567", "--json"];
        let output = skyweave(&[&args[..], more].concat());
        let row = json_lines(&stdout(&output)).remove(0);
        (row, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (built_in, told) = positions(&["--time", "2026-05-21T00:00:00Z"]);
    assert!(
        told.contains("Earth orientation: IERS, the built-in table (2020-01-01 to 2027-"),
        "{told}"
    );
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.c04");
    let row = |day: u32| {
        format!(
            "2016 12 {day} 0 {}.00 0.1 0.3 -0.4{} \n",
            57_723 + day - 1,
            " 0".repeat(13)
        )
    };
    std::fs::write(&old, format!("# C04\n{}{}", row(1), row(2))).unwrap();
    let old = old.to_str().unwrap();
    let (zero, told) = positions(&["--time", "2026-05-21T00:00:00Z", "--earth-orientation", old]);
    assert!(
        told.contains("warning")
            && told.contains("2016-12-01 to 2016-12-02")
            && told.contains("460 m"),
        "{told}"
    );
    let moved_m = ["ecef_x_km", "ecef_y_km", "ecef_z_km"]
        .map(|axis| 1e3 * (zero[axis].as_f64().unwrap() - built_in[axis].as_f64().unwrap()));
    let moved_m = moved_m.iter().map(|d| d * d).sum::<f64>().sqrt();
    assert!((0.03..36.0).contains(&moved_m), "{moved_m}");
    assert_eq!(zero["teme_x_km"], built_in["teme_x_km"]);
    std::fs::write(old, "# C04\n2016 12 1 0 57723.00 0.1 0.3\n").unwrap();
    refused(
        &[
            "orbit",
            "visible",
            "--at",
            "Kyiv",
            "--earth-orientation",
            old,
        ],
        &["line 2", "21 columns"],
    );
}

#[test]
fn bad_input_is_told_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> String {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    refused(&["plan", "ukrain"], &["ukrain", "ukraine"]);
    refused(&["check", "no/such/file.toml"], &["no/such/file.toml"]);
    refused(
        &["plan", "walker-220", "--start", "yesterday"],
        &["yesterday", "YYYY-MM-DD"],
    );
    refused(&["plan", "walker-220", "--threads", "0"], &["--threads"]);
    refused(
        &["plan", "ukraine", "--start", "2026-07-30T00:00:00Z"],
        &["days"],
    );
    refused(&["orbit", "visible", "--at", "95,30"], &["95", "latitude"]);
    refused(&["orbit", "visible", "--at", "Kyivv"], &["Kyivv", "Kyiv"]);
    let tle = include_str!("../../../data/orbits/starlink-2026-05-21.tle");
    let three: Vec<&str> = tle.lines().take(3).collect();
    let bad = write(
        "bad.tle",
        &format!(
            "{}\n{}\n{}\n",
            three[0],
            three[1].replace("9990", "9991"),
            three[2]
        ),
    );
    refused(
        &["orbit", "positions", "--elements", &bad],
        &["bad.tle", "line 2", "checksum"],
    );
    let empty = write("empty.tle", "");
    refused(
        &["orbit", "positions", "--elements", &empty],
        &["empty.tle"],
    );
    let scenario = write(
        "bad.toml",
        "[sky]\nsource = \"starlink-2026-05-21\"\nstrat = \"now\"\n",
    );
    refused(&["check", &scenario], &["bad.toml:3", "strat", "start"]);
    let country = write(
        "country.toml",
        "[sky]\nsource = \"starlink-2026-05-21\"\n[[demand]]\narea = \"UKR1\"\nterminals = 10\nrate_mbps = 1.0\n",
    );
    refused(&["check", &country], &["country.toml:4", "UKR1"]);
}

#[test]
fn a_wrong_command_line_exits_with_2_and_help_teaches_with_examples() {
    let output = skyweave(&["pln"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("plan"));
    for command in ["up", "run", "plan", "routes", "check"] {
        let help = stdout(&skyweave(&[command, "--help"]));
        assert!(
            help.contains("Example") && help.contains("skyweave "),
            "{command}\n{help}"
        );
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&skyweave(&["completions", shell])).contains("skyweave"));
    }
}

#[test]
fn radio_prints_budgets_line_by_line_and_over_elevation() {
    let budget = |more: &[&str]| {
        let args = [&["radio", "--at", "Kyiv", "--json"], more].concat();
        json_lines(&stdout(&skyweave(&args)))
    };
    let links = ["feeder_up", "user_down", "user_up", "feeder_down"];
    let rate =
        |line: &serde_json::Value, link: &str| line["links"][link]["mbit_s"].as_f64().unwrap();
    let clear = &budget(&[])[0];
    let rain = &budget(&["--rain", "100"])[0];
    for link in links {
        assert!(
            rate(clear, link) > 0.0 && rate(rain, link) < rate(clear, link),
            "{link}"
        );
    }
    // Rain of P.618-13 at Kyiv, 25 degrees, 0.01 %: 5.43 dB at 11.7 GHz, for a station 128 m above the sea; here it stands at sea level.
    let rare = &budget(&["--exceedance", "0.01", "--elevation", "25"])[0];
    let rain_db = rare["links"]["user_down"]["rain_db"].as_f64().unwrap();
    assert!((rain_db - 5.43).abs() < 0.2, "{rain_db}");
    let sweep = budget(&["--sweep", "--profile", "starlink-v1.5"]);
    let elevations: Vec<f64> = sweep
        .iter()
        .map(|l| l["elevation_deg"].as_f64().unwrap())
        .collect();
    assert_eq!(
        (elevations[0], elevations[13], elevations.len()),
        (25.0, 90.0, 14)
    );
    assert!(
        sweep
            .windows(2)
            .all(|w| rate(&w[0], "user_down") <= rate(&w[1], "user_down"))
    );
    // For people: a line for each item, a column for each link; a row for each elevation.
    let text = stdout(&skyweave(&["radio"]));
    for words in [
        "carrier over noise, dB",
        "user down",
        "modulation and code",
        "clear sky",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    assert_eq!(
        stdout(&skyweave(&["radio", "--sweep", "10"]))
            .lines()
            .count(),
        4 + 8
    );
    refused(
        &["radio", "--profile", "national"],
        &["national", "no link budget", "starlink-v2mini"],
    );
    refused(&["radio", "--at", "Kyivv"], &["Kyivv", "Kyiv"]);
    refused(
        &["radio", "--profile", "starlnk"],
        &["did you mean `starlink`"],
    );
    assert_eq!(skyweave(&["radio", "--rain", "-3"]).status.code(), Some(2));
}
