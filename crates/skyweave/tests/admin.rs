//! `skyweave admin` against a running `skyweave up`: a country switched on in an afternoon, as docs/service.md tells it, and
//! the metrics of the same run against what the dashboard asks for.

#[path = "common/lines.rs"]
mod lines;
#[path = "common/python.rs"]
mod python;

use lines::{find, lines};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PASSWORD: &str = "a few words of my own";

/// A network with its service, and a person's shell beside it.
struct Operator {
    up: Child,
    api: String,
    secret: String,
    dir: TempDir,
}

impl Operator {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut up = Command::new(env!("CARGO_BIN_EXE_skyweave"))
            .args([
                "up",
                "walker-220",
                "--no-packets",
                "--listen",
                "127.0.0.1:0",
            ])
            .arg("--database")
            .arg(dir.path().join("service.sqlite"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (
            lines(up.stdout.take().unwrap()),
            lines(up.stderr.take().unwrap()),
        );
        let secret = find(&err, "one-time secret ");
        let api = find(&out, "API: ");
        Self {
            up,
            api,
            secret: secret.split_whitespace().next().unwrap().to_owned(),
            dir,
        }
    }

    fn run(&self, args: &[&str], input: &str, token: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skyweave"));
        command
            .arg("admin")
            .args(args)
            .env("SKYWEAVE_API", &self.api)
            .env(
                "SKYWEAVE_CREDENTIALS",
                self.dir.path().join("own/credentials.json"),
            )
            .env_remove("SKYWEAVE_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(token) = token {
            command.env("SKYWEAVE_TOKEN", token);
        }
        let mut child = command.spawn().unwrap();
        // Whoever does not read it hangs up.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn told_with(&self, args: &[&str], input: &str) -> String {
        let output = self.run(args, input, None);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}\n{out}\n{err}");
        out
    }

    fn told(&self, args: &[&str]) -> String {
        self.told_with(args, "")
    }

    fn json(&self, args: &[&str]) -> Value {
        let out = self.told(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}\n{out}"))
    }

    /// The command is refused, and says all of these words.
    fn refused(&self, args: &[&str], words: &[&str]) {
        let output = self.run(args, "", None);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}\n{said}");
        for word in words {
            assert!(said.contains(word), "{args:?}: `{word}` is not in:\n{said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// What a terminal is told at a time: whether it has service, and the paragraph.
    fn explained(&self, id: &str, time: &str) -> (bool, String, String) {
        let why = self.json(&["terminal", "explain", id, "--time", time]);
        let word = |name: &str| why[name].as_str().unwrap().to_owned();
        (why["granted"] == true, word("code"), word("paragraph"))
    }

    /// The page that Prometheus reads.
    fn metrics(&self, token: &str) -> (u16, String) {
        let host = self.api.strip_prefix("http://").unwrap();
        let host = host.strip_suffix("/api/v1").unwrap();
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.up.kill();
        let _ = self.up.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn id(n: u32) -> String {
    format!("ut0f000000-00000000-{n:08x}")
}

fn row(n: u32) -> String {
    format!("{},{n:064x},rev4,17,UA\n", id(n))
}

fn square(west: f64, south: f64, size: f64) -> Value {
    let (east, north) = (west + size, south + size);
    json!({ "type": "Polygon", "coordinates": [[
        [west, south], [east, south], [east, north], [west, north], [west, south]
    ]] })
}

#[test]
fn a_country_is_switched_on_in_an_afternoon() {
    let operator = Operator::start();
    let o = &operator;
    o.refused(&["me"], &["not logged in", "skyweave admin login"]);
    let output = o.run(&["login"], "wrong\n", None);
    assert!(text(&output.stderr).contains("the name or the password is wrong"));
    let told = o.told_with(&["login"], &format!("{}\n{PASSWORD}\n", o.secret));
    assert!(told.contains("as owner (owner)"), "{told}");
    let kept = fs::metadata(o.dir.path().join("own/credentials.json")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&kept) & 0o777, 0o600);
    assert_eq!(o.json(&["me"])["role"], "owner");
    o.told(&[
        "settings",
        "--elsewhere",
        "closed",
        "--why",
        "open where an area says so",
    ]);

    // 13:00, the outline; the times are the network's.
    let known = o.json(&["terminal", "list"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let now = o.json(&["terminal", "explain", &known])["at"]
        .as_str()
        .unwrap()
        .to_owned();
    let day = now.split('T').next().unwrap();
    let at = |time: &str| format!("{day}T{time}Z");
    o.told(&[
        "allowlist",
        "put",
        "1",
        "Ukraine",
        "--person",
        "1",
        "--person-shown",
        "3",
        "--company",
        "10",
        "--why",
        "decree",
    ]);
    let outline = |shape: Value| {
        json!({ "type": "Feature", "geometry": shape, "properties": {
            "id": 1, "name": "Ukraine", "kind": "allow_list", "list": 1, "precedence": 10, "market": "UA",
            "valid_from": at("23:00:00"),
        } })
        .to_string()
    };
    let bow = json!({ "type": "Polygon", "coordinates": [[[30, 45], [35, 50], [35, 45], [30, 50], [30, 45]]] });
    let bow = o.file("bow.geojson", &outline(bow));
    o.refused(
        &["area", "put", &bow, "--why", "outline"],
        &["meets itself", "vertex 0"],
    );
    let good = o.file("ukraine.geojson", &outline(square(23.0, 45.0, 10.0)));
    let told = o.told(&["area", "put", &good, "--why", "outline"]);
    assert!(
        told.contains("allow_list") && told.contains("Ukraine"),
        "{told}"
    );

    // 13:30, what was shipped: a bad row in the middle, then all.
    let mut csv = "id,key,model,batch,market\n".to_owned();
    (1..=20).for_each(|n| csv += &row(n));
    let bad = csv
        .replacen(&row(9), "ut9,zz,rev4,x,UA\n", 1)
        .replacen(&row(15), &row(3), 1);
    let bad = o.file("bad.csv", &bad);
    o.refused(
        &["terminal", "import", &bad, "--why", "shipment 17"],
        &["nothing was imported: 2 bad rows", "line 10:", "line 16:"],
    );
    let shipped = o.file("shipped.csv", &csv);
    let told = o.told(&["terminal", "import", &shipped, "--why", "shipment 17"]);
    assert!(told.contains("20 terminals added"), "{told}");
    o.refused(
        &["terminal", "import", &shipped, "--why", "shipment 17 again"],
        &["nothing was imported: 20 bad rows", "line 21: terminal"],
    );

    // 14:00, a holder.
    let plan = json!({ "name": "home", "rates": { "down_bps": 200_000_000, "up_bps": 20_000_000 }, "priority": 1,
        "class": "consumer", "mobility": { "class": "stationary", "max_speed_m_s": 5.0, "home_radius_m": 30_000.0 },
        "areas": [], "at_sea": false });
    o.told_with(
        &["plan", "put", "70", "-", "--why", "price list"],
        &plan.to_string(),
    );
    let account = o.json(&[
        "account",
        "add",
        "--person",
        "check 4711",
        "--market",
        "UA",
        "--why",
        "signed",
    ]);
    let account = account["id"].to_string();
    let four: Vec<String> = (1..=4).map(id).collect();
    let four: Vec<&str> = four.iter().map(String::as_str).collect();
    let why = ["--why", "ordered"];
    o.told(
        &[
            &["terminal", "register", "--account", &account],
            &four[..],
            &why,
        ]
        .concat(),
    );
    o.told(
        &[
            &[
                "terminal",
                "activate",
                "--plan",
                "70",
                "--at",
                "50.45,30.52",
            ],
            &four[..],
            &why,
        ]
        .concat(),
    );
    let shown = o.json(&["account", "show", &account]);
    assert_eq!(shown["holder"]["person"], "check 4711");
    let listed = o.told(&[
        "terminal",
        "list",
        "--account",
        &account,
        "--state",
        "activated",
    ]);
    assert_eq!(listed.lines().count(), 5, "{listed}");

    // 15:00, the list: of a person who shows them three.
    o.told(&[&["allowlist", "add", "1", "--shown"], &four[..], &why].concat());
    let asked = o.json(&["allowlist", "requests", "1"]);
    let requests: Vec<String> = asked
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["id"].to_string())
        .collect();
    assert_eq!(requests.len(), 4);
    let approve = |n: usize| {
        [
            "allowlist",
            "approve",
            "1",
            &requests[n],
            "--why",
            "seen in Lviv",
        ]
        .map(str::to_owned)
    };
    for n in 0..3 {
        o.told(&approve(n).each_ref().map(String::as_str));
    }
    o.refused(
        &approve(3).each_ref().map(String::as_str),
        &[&format!("account {account} may have 3 terminals on list 1")],
    );

    // 15:30, a look ahead: closed now, open from the hour on, and not for the fourth.
    let (granted, code, _) = o.explained(four[0], &at("22:59:59"));
    assert_eq!((granted, code.as_str()), (false, "BLOCKED_COUNTRY"));
    let (granted, code, told) = o.explained(four[0], &at("23:00:00"));
    assert_eq!((granted, code.as_str()), (true, "OKAY"), "{told}");
    let (granted, code, told) = o.explained(four[3], &at("23:00:00"));
    assert_eq!((granted, code.as_str()), (false, "BLOCKED_AREA"), "{told}");
    assert!(told.contains("list"), "{told}");
    let told = o.told(&[
        "terminal",
        "explain",
        four[0],
        "--time",
        &at("23:00:00"),
        "--rules",
    ]);
    assert!(
        told.contains("its service address: it is not on the air") && told.contains("too_fast"),
        "{told}"
    );
    let told = o.told(&[
        "terminal",
        "explain",
        four[0],
        "--time",
        &at("23:00:00"),
        "--speed-km-h",
        "120",
    ]);
    assert!(told.contains("120"), "{told}");

    // Later: a part is closed, opened again, and the country switched off.
    let part = o.file("part.geojson", &square(30.0, 50.0, 1.0).to_string());
    let told = o.told(&[
        "area",
        "disable",
        "--polygon",
        &part,
        "--name",
        "front",
        "--from",
        &at("23:10:00"),
        "--why",
        "asked",
    ]);
    assert!(told.contains("area 2 (front) is closed from"), "{told}");
    assert!(o.explained(four[0], &at("23:09:59")).0);
    let (granted, code, told) = o.explained(four[0], &at("23:10:00"));
    assert_eq!((granted, code.as_str()), (false, "BLOCKED_AREA"));
    assert!(told.contains("front"), "{told}");
    o.told(&[
        "area",
        "disable",
        "--area",
        "2",
        "--from",
        &at("23:20:00"),
        "--why",
        "over",
    ]);
    assert!(o.explained(four[0], &at("23:20:00")).0);
    let told = o.told(&[
        "area",
        "disable",
        "UA",
        "--from",
        &at("23:30:00"),
        "--why",
        "the contract ends",
    ]);
    assert!(
        told.contains("off from") && told.contains("1 area (1)"),
        "{told}"
    );
    assert!(!o.explained(four[0], &at("23:30:00")).0);
    let told = o.told(&[
        "area",
        "enable",
        "UA",
        "--from",
        &at("23:00:00"),
        "--why",
        "it does not",
    ]);
    assert!(told.contains("on from"), "{told}");
    assert!(o.explained(four[0], &at("23:30:00")).0);

    // Everyday work.
    o.told(&[
        "terminal",
        "suspend",
        four[1],
        "--why",
        "asked for by the holder",
    ]);
    assert_eq!(o.json(&["terminal", "show", four[1]])["state"], "suspended");
    o.refused(
        &["terminal", "suspend", four[1], "--why", "again"],
        &["is suspended", "cannot be suspended"],
    );
    o.told(&[
        "terminal",
        "resume",
        four[1],
        "--why",
        "asked for by the holder",
    ]);
    let told = o.told(&["terminal", "location", four[1], "--why", "found in a field"]);
    assert!(
        told.contains("50.45") && told.contains("audit row"),
        "{told}"
    );
    o.told(&["allowlist", "remove", "1", four[2], "--why", "sold"]);
    assert_eq!(
        o.json(&["allowlist", "entries", "1"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    o.told(&["denylist", "add", "--terminal", four[2], "--why", "stolen"]);
    assert!(o.told(&["denylist", "list"]).contains(four[2]));
    o.told(&[
        "denylist",
        "remove",
        "--terminal",
        four[2],
        "--why",
        "found",
    ]);
    o.told(&["account", "set", &account, "disabled", "--why", "not paid"]);
    assert_eq!(o.explained(four[0], &at("23:30:00")).1, "ACCOUNT_DISABLED");
    assert_eq!(o.json(&["incident", "list"]), json!([]));
    o.refused(
        &["incident", "resolve", "7", "dismiss", "--why", "a convoy"],
        &["there is no incident 7"],
    );
    assert!(o.told(&["usage"]).contains("none"));
    let told = o.told(&["audit", "--limit", "3"]);
    assert!(
        told.contains("not paid") && told.lines().count() == 4,
        "{told}"
    );
    assert!(o.told(&["audit", "--verify"]).contains("each row follows"));

    // Least privilege: a token that may only scrape.
    o.told(&[
        "user", "add", "anna", "--role", "planner", "--why", "joined",
    ]);
    let made = o.json(&[
        "token",
        "add",
        "prometheus",
        "--permission",
        "read_network",
        "--lasts-days",
        "366",
        "--why",
        "monitoring",
    ]);
    let token = made["secret"].as_str().unwrap();
    let output = o.run(&["terminal", "list"], "", Some(token));
    assert!(text(&output.stderr).contains("needs the permission `read_terminals`"));
    the_dashboard_asks_for_metrics_that_there_are(o, token);

    o.told(&["logout"]);
    o.refused(&["me"], &["not logged in"]);
}

#[test]
fn epochs_show_what_was_decided_since_and_faults_are_set_and_cleared() {
    let operator = Operator::start();
    let o = &operator;
    o.told_with(&["login"], &format!("{}\n{PASSWORD}\n", o.secret));
    let list = o.told(&["epoch", "list"]);
    assert!(
        list.starts_with("EPOCH") && list.contains("  no "),
        "{list}"
    );
    let shown = o.json(&["epoch", "show"]);
    let number = shown["epoch"].to_string();
    let told = o.told(&["epoch", "show", &number]);
    for words in ["plan hash", "of them served", "TERMINAL", "MBIT/S DOWN"] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    o.refused(&["epoch", "show", "17"], &["there is no epoch", "17"]);
    o.refused(&["epoch", "plan", "17"], &["there is no plan", "17"]);
    // The plan that the API gives is the one that packets follow: a decision of now is in it before the next is made.
    let known = o.json(&["terminal", "list"])[0]["id"].clone();
    let known = known.as_str().unwrap();
    let plan: Value = serde_json::from_str(&o.told(&["epoch", "plan"])).unwrap();
    let service = |plan: &Value| plan["terminals"][0]["service"]["Ok"].clone();
    assert!(
        service(&plan)["down_kbps"].as_u64().unwrap() > 512,
        "{}",
        service(&plan)
    );
    o.told(&[
        "terminal",
        "suspend",
        known,
        "--why",
        "asked for by the holder",
    ]);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let plan: Value = serde_json::from_str(&o.told(&["epoch", "plan"])).unwrap();
        let service = service(&plan);
        if service["access"] == "account_page" {
            break;
        }
        assert!(Instant::now() < until, "{service}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let told = o.told(&["epoch", "show"]);
    let line = told.lines().find(|l| l.contains(known));
    assert!(line.is_some_and(|l| l.contains("account_page")), "{told}");

    let none = o.told(&["fault", "show"]);
    let unknown = ["fault", "set", "--gateway", "Atlantis", "--why", "drill"];
    o.refused(&unknown, &["Atlantis"]);
    assert_eq!(o.told(&["fault", "show"]), none);
    let nothing = o.run(&["fault", "set", "--why", "drill"], "", None);
    assert_eq!(nothing.status.code(), Some(2), "{}", text(&nothing.stderr));
    let told = o.told(&[
        "fault",
        "set",
        "--satellites-percent",
        "5",
        "--why",
        "drill",
    ]);
    assert_eq!(told, "lost from the next plan on: 5 % of the satellites\n");
    let set = o.told(&["fault", "show"]);
    assert_eq!(
        o.json(&["fault", "show"])["faults"]["satellites_percent"],
        5.0
    );
    let told = o.told(&["fault", "clear", "--why", "the drill is over"]);
    assert_eq!(told, "nothing is lost from the next plan on\n");
    assert_eq!(o.told(&["fault", "show"]), none);
    let file = o.file("faults.json", &set);
    o.told(&["fault", "set", &file, "--why", "again"]);
    assert_eq!(o.told(&["fault", "show"]), set);
    let log = o.json(&["audit", "--limit", "1"]);
    assert_eq!(
        log[0]["what"]["note_conditions"],
        o.json(&["fault", "show"])
    );

    // Somebody whom the organisation's identity provider knows.
    let identity = ["--issuer", "https://id.example", "--subject", "7f3a"];
    let boris = [
        "user", "add", "boris", "--role", "planner", "--why", "joined",
    ];
    let told = o.told(&[&boris[..], &identity].concat());
    assert!(told.contains("signs in at the identity provider"), "{told}");
    let users = o.told(&["user", "list"]);
    assert!(users.contains("https://id.example  7f3a"), "{users}");
    for (id, what, words) in [
        (
            "2",
            &["--none"][..],
            "user 2 is nobody at an identity provider",
        ),
        ("1", &identity[..], "user 1 is 7f3a at https://id.example"),
    ] {
        let identify = ["user", "identify", id, "--why", "a new login there"];
        assert_eq!(o.told(&[&identify[..], what].concat()).trim(), words);
    }
    assert_eq!(o.json(&["user", "list"])[1]["name"], "boris");
    assert_eq!(o.json(&["user", "list"])[1]["identity"], Value::Null);
}

/// Each metric that a panel asks for is one that the page has, and the page is read by Prometheus' own library.
fn the_dashboard_asks_for_metrics_that_there_are(o: &Operator, token: &str) {
    let (status, _) = o.metrics("skyweave_1_nonsense");
    assert_eq!(status, 401);
    let (status, page) = o.metrics(token);
    assert_eq!(status, 200, "{page}");
    let mut there = BTreeSet::new();
    for line in page.lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' '))
        else {
            continue;
        };
        let endings: &[&str] = match kind {
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        there.extend(endings.iter().map(|ending| format!("{name}{ending}")));
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let names = |text: &str| -> BTreeSet<String> {
        let starts = text.match_indices("skyweave_").map(|(at, _)| &text[at..]);
        let name = |s: &str| {
            s.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
                .unwrap()
                .to_owned()
        };
        starts.map(name).collect()
    };
    let dashboard = fs::read_to_string(root.join("grafana/skyweave.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            asked.extend(names(target["expr"].as_str().unwrap()));
        }
    }
    asked.extend(names(&dashboard["templating"].to_string()));
    assert!(asked.len() > 25, "{asked:?}");
    let missing: Vec<_> = asked.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?}\n{page}");
    // And each that there is stands in the document.
    let document = fs::read_to_string(root.join("metrics.md")).unwrap();
    for line in page.lines().filter_map(|l| l.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(
            document.contains(&format!("`{name}`")),
            "{name} is not in docs/metrics.md"
        );
    }
    for line in [
        "skyweave_database_up 1",
        "skyweave_epochs_planned_total ",
        "skyweave_terminal_service{terminal=\"ut",
        "skyweave_api_requests_total{route=\"/api/v1/terminals/import\",method=\"POST\",status=\"422\"} 2",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    for place in ["50.45", "30.52", "Lviv", "Madrid", "cell="] {
        assert!(!page.contains(place), "{place} is a place\n{page}");
    }
    let Some(python) = python::python("prometheus", "prometheus_client==0.23.1\n") else {
        return;
    };
    let file = o.file("metrics.txt", &page);
    let parse = "import sys; from prometheus_client.parser import text_string_to_metric_families as p; \
                 print(sum(len(f.samples) for f in p(open(sys.argv[1]).read())))";
    let output = Command::new(python)
        .args(["-c", parse, &file])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{page}", text(&output.stderr));
    let samples: usize = text(&output.stdout).trim().parse().unwrap();
    let written = page
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .count();
    assert_eq!(samples, written);
}
