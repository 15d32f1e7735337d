//! How long the HTTP API takes to answer about one terminal while `skyweave up` runs: a million terminals in the database, the
//! planner at work, packets carried where this machine can.
//!
//! Starts the program, signs in, imports the terminals from CSV as an operator would, and asks over connections that stay
//! open. Requests are due at fixed times whatever the answers do, and a time counts from when its request was due: an answer that is
//! late makes those behind it late, too. `API_BENCH_SCENARIO`, `API_BENCH_TERMINALS`, `API_BENCH_CONNECTIONS`, `API_BENCH_RATE`
//! (requests per second of all connections) and `API_BENCH_SECONDS` change the load.

#[path = "../tests/common/lines.rs"]
mod lines;

use lines::{find, lines};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest import.
const IMPORT: Duration = Duration::from_secs(600);

fn main() {
    let asked = |name: &str| std::env::var(name).ok();
    let number =
        |name: &str, default| asked(name).map_or(default, |n| n.parse().expect("a number"));
    let scenario = asked("API_BENCH_SCENARIO").unwrap_or_else(|| "ukraine".to_owned());
    let terminals = number("API_BENCH_TERMINALS", 1_000_000);
    let load = Load {
        terminals,
        connections: number("API_BENCH_CONNECTIONS", 16),
        rate: number("API_BENCH_RATE", 400),
        seconds: number("API_BENCH_SECONDS", 120),
    };
    let network = Network::start(&scenario);
    let csv = csv(terminals);
    let begin = Instant::now();
    let added = network.import(csv);
    println!(
        "{scenario}: {added} terminals imported over HTTP in {:.1?}",
        begin.elapsed()
    );
    let (took, epochs) = (load.run(&network), network.epochs());
    let fraction = |share: f64, of: &[Duration]| of[((of.len() - 1) as f64 * share) as usize];
    println!(
        "{} connections, {} requests/s for {} s; {} epochs were planned",
        load.connections, load.rate, load.seconds, epochs
    );
    for (what, pick) in [("since it was due", 0), ("since it was sent", 1)] {
        let mut times: Vec<Duration> = took
            .iter()
            .map(|t| [t.since_due, t.since_sent][pick])
            .collect();
        times.sort_unstable();
        println!(
            "  {what}: {} answers; p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, longest {:.2?}",
            times.len(),
            fraction(0.5, &times),
            fraction(0.99, &times),
            fraction(0.999, &times),
            fraction(1.0, &times)
        );
    }
}

struct Load {
    terminals: u32,
    connections: u32,
    rate: u32,
    seconds: u32,
}

/// How long one answer took.
struct Took {
    since_due: Duration,
    since_sent: Duration,
}

impl Load {
    /// Each connection has its own thread, and asks about a terminal that nobody has asked about lately.
    fn run(&self, network: &Network) -> Vec<Took> {
        let begin = Instant::now();
        let one = |connection: u32| {
            let agent = agent();
            let each = self.rate * self.seconds / self.connections;
            let mut times = Vec::with_capacity(each as usize);
            for n in 0..each {
                let turn = u64::from(n * self.connections + connection);
                let due = begin + Duration::from_secs_f64(turn as f64 / f64::from(self.rate));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let id = id((turn * 104_729 % u64::from(self.terminals)) as u32);
                let sent = Instant::now();
                let terminal = network.get(&agent, &format!("/terminals/{id}"));
                times.push(Took {
                    since_due: due.elapsed(),
                    since_sent: sent.elapsed(),
                });
                assert_eq!(terminal["id"], id);
            }
            times
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|connection| scope.spawn(move || one(connection)))
                .collect();
            let times = threads
                .into_iter()
                .map(|t| t.join().expect("a connection's answers"));
            times.flatten().collect()
        })
    }
}

/// The program, and whoever owns it.
struct Network {
    up: Child,
    api: String,
    token: String,
    _directory: tempfile::TempDir,
}

impl Network {
    fn start(scenario: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut up = Command::new(env!("CARGO_BIN_EXE_skyweave"))
            .args(["up", scenario, "--listen", "127.0.0.1:0", "--database"])
            .arg(directory.path().join("service.sqlite"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let told = lines(up.stderr.take().expect("piped"));
        let shown = lines(up.stdout.take().expect("piped"));
        let secret = find(&told, "one-time secret ");
        let api = find(&shown, "API: ");
        let token = token(&api, secret.trim());
        Self {
            up,
            api,
            token,
            _directory: directory,
        }
    }

    fn get(&self, agent: &ureq::Agent, path: &str) -> Value {
        let request = agent.get(format!("{}{path}", self.api));
        answer(
            request
                .header("Authorization", format!("Bearer {}", self.token))
                .call(),
        )
    }

    fn import(&self, csv: String) -> u64 {
        let request = agent()
            .post(format!("{}/terminals/import?why=bench", self.api))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", "text/csv");
        let done = answer(request.send(csv));
        done["added"].as_u64().expect("how many were added")
    }

    fn epochs(&self) -> usize {
        let epochs = self.get(&agent(), "/epochs");
        epochs["items"].as_array().map_or(0, Vec::len)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Asked to end, it removes what it made on the host.
        let id = rustix::process::Pid::from_child(&self.up);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let _ = self.up.wait();
    }
}

/// The owner's first steps: the secret becomes a password, and the password a token.
fn token(api: &str, secret: &str) -> String {
    const PASSWORD: &str = "a few words of my own";
    let agent = agent();
    let origin = api.strip_suffix("/api/v1").expect("the API's root");
    let post = |path: &str, cookie: &str, body: Value| {
        let request = agent.post(format!("{api}{path}"));
        let request = request.header("Origin", origin).header("Cookie", cookie);
        let request = request.header("Content-Type", "application/json");
        request.send(body.to_string())
    };
    let cookie = |answer: Result<Answer, ureq::Error>| {
        let answer = answer.expect("signed in");
        let set = answer.headers().get("set-cookie").expect("a session");
        set.to_str()
            .expect("text")
            .split(';')
            .next()
            .expect("a cookie")
            .to_owned()
    };
    let once = cookie(post(
        "/session",
        "",
        json!({ "name": "owner", "password": secret }),
    ));
    let change = json!({ "old": secret, "new": PASSWORD });
    let own = cookie(post("/session/password", &once, change));
    let made = answer(post("/tokens?why=bench", &own, json!({ "name": "bench" })));
    made["secret"].as_str().expect("a token").to_owned()
}

type Answer = ureq::http::Response<ureq::Body>;

/// One connection that stays open.
fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(IMPORT));
    config.build().into()
}

fn answer(answer: Result<Answer, ureq::Error>) -> Value {
    let text = answer.expect("an answer").body_mut().read_to_string();
    serde_json::from_str(&text.expect("a text")).expect("JSON")
}

fn csv(terminals: u32) -> String {
    let mut csv = "id,key,model,batch,market\n".to_owned();
    for n in 0..terminals {
        // Keys of real terminals have no order.
        let key = blake3::hash(&n.to_le_bytes()).to_hex();
        csv += &format!("{},{key},rev4,{},UA\n", id(n), n / 1000);
    }
    csv
}

fn id(n: u32) -> String {
    format!("ut0f000000-00000000-{n:08x}")
}
