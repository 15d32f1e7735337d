//! `skyweave report` as a user has it: figures that add up, the same bytes on any number of threads and after a kill, a page that
//! loads nothing, and clear answers to impossible questions.

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[path = "common/program.rs"]
mod program;
use program::{refused, skyweave};

/// Three minutes of Moldova on the real sky with some load around it.
const SMALL: [&str; 13] = [
    "report",
    "MD",
    "--terminals",
    "600",
    "--neighbours",
    "30000",
    "--for",
    "3m",
    "--samples",
    "1",
    "--start",
    "2026-05-21T00:00:12Z",
    "--out",
];

fn small(out: &Path, more: &[&str]) -> Vec<String> {
    let out = out.to_str().expect("UTF-8").to_owned();
    let args = SMALL.iter().map(|a| (*a).to_owned()).chain([out]);
    args.chain(more.iter().map(|a| (*a).to_owned())).collect()
}

fn run(args: &[String]) -> String {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = skyweave(&args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}\n{errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// All files of a report, by name.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().into();
            all.insert(name, std::fs::read(&path).unwrap());
        }
    }
    all
}

fn names(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<String> {
    files.keys().map(|n| n.display().to_string()).collect()
}

/// Outcomes of finished tasks that a stopped run has left.
fn outcomes(out: &Path) -> Vec<PathBuf> {
    let Ok(keys) = std::fs::read_dir(out.join(".work")) else {
        return Vec::new();
    };
    let all = keys
        .flatten()
        .flat_map(|key| std::fs::read_dir(key.path()).unwrap());
    let all = all.flatten().map(|e| e.path());
    let mut all: Vec<PathBuf> = all.filter(|p| p.extension().is_none()).collect();
    all.sort();
    all
}

/// One report serves several tests: each is a minute of processor time.
#[test]
fn a_report_adds_up_repeats_itself_survives_a_kill_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, killed] = ["one", "two", "killed"].map(|n| folder.path().join(n));
    let printed = run(&small(&one, &["--threads", "1", "--json"]));
    let text = run(&small(&two, &["--threads", "2"]));
    assert!(text.contains("600 terminals are served"), "{text}");
    let (first, second) = (files(&one), files(&two));
    assert_eq!(names(&first), names(&second));
    assert_eq!(first.len(), 15, "{:?}", names(&first));
    for (name, bytes) in &first {
        assert!(
            bytes == &second[name],
            "{} differs between threads",
            name.display()
        );
    }
    assert!(!one.join(".work").exists(), "what is done with is removed");

    let report: Value = serde_json::from_slice(&first[Path::new("report.json")]).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), report);
    adds_up(&report["findings"]);
    parquet_holds_the_same(&one, &report["findings"]);
    loads_nothing(std::str::from_utf8(&first[Path::new("index.html")]).unwrap());

    // The scenario plans, and no rule is broken.
    let scenario = one.join("scenario.toml");
    run(&["plan", scenario.to_str().unwrap(), "--check"].map(str::to_owned));

    kill_and_go_on(&killed, &first);

    let both = folder.path().join("both");
    let [a, b, both_text] = [&one, &two, &both].map(|p| p.to_str().unwrap());
    let table = run(&["report", "--compare", a, b, "--out", both_text].map(str::to_owned));
    assert!(table.contains("most it can deliver"), "{table}");
    loads_nothing(&std::fs::read_to_string(both.join("index.html")).unwrap());
    let compared = std::fs::read(both.join("compare.json")).unwrap();
    let compared: Value = serde_json::from_slice(&compared).unwrap();
    assert_eq!(compared["a"]["totals"], report["findings"]["totals"]);
}

fn sum(list: &Value, key: &str) -> f64 {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|row| row[key].as_f64().unwrap_or(0.0))
        .sum()
}

fn adds_up(f: &Value) {
    let totals = &f["totals"];
    assert_eq!(totals["terminals"], 600);
    assert_eq!(sum(&f["cells"], "terminals"), 600.0);
    assert_eq!(sum(&f["pops"], "terminals"), 600.0);
    let epochs = f["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 12);
    let mut without = 0.0;
    for epoch in epochs {
        assert_eq!(epoch["terminals"], 600);
        assert_eq!(epoch["region_delivered_kbps"], epoch["gateways_kbps"]);
        assert!(epoch["delivered_kbps"].as_u64() <= epoch["region_delivered_kbps"].as_u64());
        without += 600.0 - epoch["terminals_served"].as_f64().unwrap();
    }
    // Moldova at 1:56 by the sun (28.6 degrees east): 37.8 % of the busiest hour's 5 Mbit/s, for each of 600 terminals. A degree of longitude
    // is 0.6 % of it.
    let asked = totals["asked_mbps"].as_f64().unwrap();
    assert!((asked - 5.0 * 0.378).abs() < 0.03, "{asked}");
    assert_eq!(totals["asked_most_mbps"], 5.0);
    assert!((sum(&f["epochs"], "demand_kbps") - 12.0 * 600.0 * 1e3 * asked).abs() < 1.0);
    assert!((sum(&f["hours"], "demand_gbps") - 0.6 * asked).abs() < 1e-9);
    // Conditions are compared in the busiest hour.
    let own = f["curve"].as_array().unwrap().iter();
    let own: Vec<&Value> = own.filter(|p| p["is_scenario"] == true).collect();
    assert_eq!(own[0]["demand_gbps"], 3.0);
    // Served and unserved are all terminals, whichever way they are counted.
    let cells = f["cells"].as_array().unwrap().iter();
    let by_cell: f64 = cells
        .map(|c| c["terminals"].as_f64().unwrap() * c["plans_unserved"].as_f64().unwrap())
        .sum();
    assert_eq!(by_cell, without);
    assert!((sum(&f["unserved"], "terminals") * 12.0 - without).abs() < 1e-6);
    let availability = totals["availability_percent"].as_f64().unwrap();
    assert!((availability - 100.0 * (1.0 - without / 7_200.0)).abs() < 1e-9);
    let shares = totals["rate_shares"].as_array().unwrap();
    let shares: f64 = shares.iter().map(|s| s.as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    assert!((sum(&f["gateways"], "area_share_percent") - 100.0).abs() < 1e-9);
    for placement in f["placements"].as_array().unwrap() {
        assert_eq!(sum(&placement["cells"], "terminals"), 10_000.0);
    }
    let curve = f["curve"].as_array().unwrap();
    let numbers: Vec<u64> = curve
        .iter()
        .map(|p| p["terminals"].as_u64().unwrap())
        .collect();
    assert!(numbers.is_sorted() && numbers.contains(&600) && numbers.contains(&1_000_000));
    for point in curve {
        assert!(point["delivered_gbps"].as_f64() <= point["demand_gbps"].as_f64());
    }
    let kinds = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|c| c["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    let (losses, remedies) = (kinds(&f["losses"]), kinds(&f["remedies"]));
    let front = f["losses"].as_array().unwrap().iter();
    let front: Vec<&Value> = front.filter(|l| l["kind"] == "rain").collect();
    assert_eq!(front[0]["samples"], 1);
    assert!(front[0]["capacity_lost_percent"].as_f64() > Some(1.0));
    for kind in ["gateway", "gateway_pair", "satellites", "pop", "neighbours"] {
        assert!(losses.iter().any(|k| k == kind), "{kind}: {losses:?}");
    }
    for kind in ["new_gateway", "new_channel", "more_satellites"] {
        assert!(remedies.iter().any(|k| k == kind), "{kind}: {remedies:?}");
    }
}

fn parquet_holds_the_same(folder: &Path, f: &Value) {
    let reader = |name: &str| {
        let file = std::fs::File::open(folder.join(name)).unwrap();
        SerializedFileReader::new(file).unwrap()
    };
    for table in [
        "cells",
        "epochs",
        "hours",
        "curve",
        "gateways",
        "pops",
        "losses",
        "remedies",
        "unserved",
        "infeasible",
    ] {
        let reader = reader(&format!("{table}.parquet"));
        let rows = reader.metadata().file_metadata().num_rows();
        assert_eq!(rows as usize, f[table].as_array().unwrap().len(), "{table}");
    }
    let cells = reader("cells.parquet");
    let schema = cells.metadata().file_metadata().schema_descr_ptr();
    let column = |name: &str| {
        let position = schema.columns().iter().position(|c| c.name() == name);
        position.unwrap_or_else(|| panic!("no column {name}"))
    };
    let (cell, terminals, rate) = (column("cell"), column("terminals"), column("rate_mbps"));
    for (row, json) in cells
        .get_row_iter(None)
        .unwrap()
        .zip(f["cells"].as_array().unwrap())
    {
        let row = row.unwrap();
        assert_eq!(
            row.get_string(cell).unwrap(),
            json["cell"].as_str().unwrap()
        );
        assert_eq!(
            row.get_long(terminals).unwrap(),
            json["terminals"].as_i64().unwrap()
        );
        assert_eq!(row.get_double(rate).ok(), json["rate_mbps"].as_f64());
    }
}

/// Opens offline: nothing in the page refers to what is not in it.
fn loads_nothing(page: &str) {
    for loader in [
        "src=", "href=", "url(", "@import", "<script", "<link", "<iframe", "<img",
    ] {
        assert!(!page.contains(loader), "{loader} in the page");
    }
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!elsewhere.contains("http"), "the page names an address");
    assert!(page.matches("<svg").count() >= 4);
}

/// Killed in the middle, with one outcome torn and one foreign file, the same command gives the same bytes, and does not do again
/// what was done.
fn kill_and_go_on(out: &Path, expected: &BTreeMap<PathBuf, Vec<u8>>) {
    let args = small(out, &[]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_skyweave"))
        .args(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while outcomes(out).len() < 3 {
        assert!(
            begun.elapsed() < Duration::from_secs(300),
            "no outcome appears"
        );
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "it ended before it was killed"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let left = outcomes(out);
    let torn = &left[0];
    let bytes = std::fs::read(torn).unwrap();
    std::fs::write(torn, &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(torn.with_file_name("curve-000"), b"not an outcome\n{}").unwrap();
    run(&args);
    let now = files(out);
    assert_eq!(names(&now), names(expected));
    for (name, bytes) in expected {
        assert!(
            bytes == &now[name],
            "{} differs after a kill",
            name.display()
        );
    }
}

#[test]
fn impossible_questions_get_clear_answers() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let out = at("out");
    let ask = |area: &str, more: &[&str], words: &[&str]| {
        let mut args = vec!["report", area, "--out", &out, "--samples", "1"];
        if !more.contains(&"--for") {
            args.extend(["--for", "15s"]);
        }
        args.extend(more);
        refused(&args, words);
    };
    ask("XX", &["--terminals", "10"], &["unknown country `XX`"]);
    // Bouvet Island: in the list of countries, without people.
    ask("BV", &["--terminals", "10"], &["BV"]);
    ask("world", &["--terminals", "10"], &["one country or area"]);
    ask("UA", &[], &["--terminals is missing"]);
    ask("UA", &["--terminals", "0"], &["at least one terminal"]);
    ask(
        "UA",
        &["--terminals", "10", "--step", "20"],
        &["--step 20", "multiple of 15"],
    );
    ask(
        "UA",
        &["--terminals", "10", "--for", "soon"],
        &["--for soon", "24h"],
    );
    ask(
        "nowhere.geojson",
        &["--terminals", "10"],
        &["nowhere.geojson"],
    );

    let far = at("far.csv");
    std::fs::write(&far, "name,lat_deg,lon_deg\nPunta Arenas,-53.2,-70.9\n").unwrap();
    let candidates = [
        "--terminals",
        "10",
        "--neighbours",
        "0",
        "--candidates",
        &far,
    ];
    ask(
        "UA",
        &candidates,
        &["none of the 1 candidate gateways", "Punta Arenas", "km"],
    );
    let bad = at("bad.csv");
    std::fs::write(&bad, "name,lat_deg,lon_deg\nA,95,0\n").unwrap();
    let candidates = ["--terminals", "10", "--candidates", &bad];
    ask("UA", &candidates, &["bad.csv:2", "lat_deg"]);
    let rain = |csv: &str, words: &[&str]| {
        let rain = at("rain.csv");
        std::fs::write(&rain, csv).unwrap();
        let more = ["--terminals", "10", "--neighbours", "0", "--rain", &rain];
        ask("MD", &more, words);
    };
    rain(
        "lat_deg,lon_deg,rain_mm_h\n47,28,900\n",
        &["rain.csv:2", "rain_mm_h"],
    );
    let south = "lat_deg,lon_deg,rain_mm_h\n-60,-120,9\n-60,-119,9\n-59,-120,9\n-59,-119,9\n";
    rain(south, &["latitude -60 to -59", "no cell and no gateway"]);
    let yesterday = "time,lat_deg,lon_deg,rain_mm_h\n2026-05-22T00:00:00Z,46,28,9\n2026-05-22T00:00:00Z,46,29,9\n\
        2026-05-22T00:00:00Z,48,28,9\n2026-05-22T00:00:00Z,48,29,9\n";
    rain(
        yesterday,
        &[
            "never rains at an instant",
            "2026-05-22T00:00:00Z",
            "the instants are 2026-05-21T00:00:12Z",
        ],
    );

    // A constellation that never comes near.
    let equator = at("equator.toml");
    let text = "[sky]\nstart = 2026-05-21T00:00:12Z\n[[sky.shell]]\naltitude_km = 550.0\ninclination_deg = 5.0\nplanes = 4\nsatellites_per_plane = 20\n";
    std::fs::write(&equator, text).unwrap();
    let low = [
        "--terminals",
        "10",
        "--neighbours",
        "0",
        "--scenario",
        &equator,
    ];
    ask(
        "UA",
        &low,
        &["no cell of `UA` can ever be served", "latitudes"],
    );

    let file = at("file");
    std::fs::write(&file, "in the way").unwrap();
    let inside = format!("{file}/out");
    refused(
        &["report", "UA", "--terminals", "10", "--out", &inside],
        &["--out", "cannot write"],
    );
    refused(
        &["report", "--compare", &at("a"), &at("b"), "--out", &out],
        &["is no report", "report.json"],
    );
}

/// All gateways beyond every laser: each cell has its reason, and the report is made all the same.
#[test]
fn an_area_without_a_way_to_the_ground_is_told_cell_by_cell() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (scenario, out) = (at("s.toml"), at("out"));
    std::fs::write(
        at("g.csv"),
        "name,lat_deg,lon_deg\nPunta Arenas,-53.2,-70.9\n",
    )
    .unwrap();
    let text = "[sky]\nstart = 2026-05-21T00:00:12Z\n[[sky.shell]]\naltitude_km = 550.0\ninclination_deg = 53.0\nplanes = 24\n\
                satellites_per_plane = 22\n[ground]\ngateways = \"g.csv\"\n[lasers]\nmode = \"none\"\n";
    std::fs::write(&scenario, text).unwrap();
    let printed = run(&[
        "report",
        "MD",
        "--terminals",
        "200",
        "--rate-mbps",
        "5000",
        "--neighbours",
        "0",
        "--by-hour",
        "flat",
        "--for",
        "30s",
        "--samples",
        "1",
        "--scenario",
        &scenario,
        "--out",
        &out,
        "--json",
    ]
    .map(str::to_owned));
    let report: Value = serde_json::from_str(&printed).unwrap();
    let cells = report["findings"]["cells"].as_array().unwrap().iter();
    let with = cells.filter(|c| c["terminals"].as_u64() > Some(0));
    let reasons: Vec<&Value> = with.map(|c| &c["reason"]).collect();
    assert!(reasons.len() > 20);
    assert!(
        reasons
            .iter()
            .all(|r| **r == "no_gateway_path" || **r == "no_satellite_in_reach"),
        "{reasons:?}"
    );
    assert_eq!(report["findings"]["totals"]["availability_percent"], 0.0);
    // No beam brings one terminal 5 Gbit/s, whatever is planned: each of these cells is listed with what it lacks.
    let infeasible = report["findings"]["infeasible"].as_array().unwrap();
    assert_eq!(infeasible.len(), reasons.len());
    let mut seen = 0;
    for cell in infeasible {
        let number = |key: &str| cell[key].as_f64().unwrap();
        assert_eq!(number("asked_mbps"), 5000.0 * number("terminals"));
        assert!(number("most_mbps") < number("asked_mbps"));
        assert!(5000.0 * number("terminals_satisfied") <= number("most_mbps"));
        let words = cell["words"].as_str().unwrap();
        let expected = match number("most_mbps") {
            0.0 => "no satellite".to_owned(),
            _ => format!("of the {:.0} Mbit/s asked", number("asked_mbps")),
        };
        assert!(words.contains(&expected), "{words}");
        seen += usize::from(number("most_mbps") > 0.0);
    }
    assert!(seen > 20, "most cells see a satellite");
    let gateways = std::path::Path::new(&out).join("inputs/g.csv");
    assert!(
        gateways.exists(),
        "the folder holds what the scenario names"
    );
}
