//! A server on a database of its own, a sky that stands still, and a client that says exactly what it is told to.

use serde_json::{Value, json};
use skyweave::api::{Epoch, Listen, LiveNetwork, Provider, Server, TlsFiles};
use skyweave::operator::Desk;
use skyweave_base::{Geodetic, Time, Utc};
use skyweave_plan::Plan;
use skyweave_service::{
    Account, AccountId, Action, AreaId, AreaKind, BatchId, Claim, Command, Evidence, Finding,
    Holder, IncidentId, IncidentKind, ListId, Market, Mobility, MobilityClass, Organisation,
    OrganisationId, OwnerLimits, Place as Home, PlanId, Proposal, PublicKey, Rates, RequestId,
    Role, Seen, Service, ServiceArea, ServiceClass, Shape, Stamp, Standing, State, Step, Terminal,
    UtId, Validity,
};
use skyweave_world::Conditions;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// A terminal of account 1, the customer's, and one of account 2.
pub(crate) const OWN: &str = "ut01000000-00000000-000000a1";
pub(crate) const OTHER: &str = "ut01000000-00000000-000000b2";
const PASSWORD: &str = "a few words of my own";

/// A network that does what it is told.
pub(crate) struct Sky {
    last: watch::Sender<i64>,
    conditions: Mutex<Conditions>,
}

impl Sky {
    pub(crate) fn plan_next(&self) {
        self.last.send_modify(|n| *n += 1);
    }
}

impl LiveNetwork for Sky {
    fn now(&self) -> Time {
        "2026-05-21T06:00:00Z".parse::<Utc>().unwrap().into()
    }

    fn claim(&self, _: UtId) -> Option<Claim> {
        None
    }

    fn epochs(&self) -> Vec<Epoch> {
        let last = *self.last.borrow();
        let epoch = |number: i64| Epoch {
            number,
            start: self.now(),
            end: self.now() + skyweave_base::Span::from_secs(15),
            report: json!({ "live": [{ "name": "Kyiv" }] }),
        };
        (100..=last).map(epoch).collect()
    }

    fn plan(&self, _: i64) -> Option<Arc<Plan>> {
        None
    }

    fn watch(&self) -> watch::Receiver<i64> {
        self.last.subscribe()
    }

    fn conditions(&self) -> Conditions {
        self.conditions.lock().unwrap().clone()
    }

    fn check_conditions(&self, conditions: &Conditions) -> Result<(), String> {
        if conditions.faults.gateways.iter().any(|g| g != "Turku") {
            return Err("there is no such gateway".into());
        }
        Ok(())
    }

    fn set_conditions(&self, conditions: Conditions) -> Result<(), String> {
        self.check_conditions(&conditions)?;
        *self.conditions.lock().unwrap() = conditions;
        Ok(())
    }
}

pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) desk: Arc<Desk>,
    server: Option<Server>,
    pub(crate) sky: Arc<Sky>,
    tls: Option<TlsFiles>,
    provider: Option<Provider>,
    pub(crate) owner_secret: Option<String>,
    pub(crate) tokens: BTreeMap<String, String>,
}

impl Place {
    /// As it is after the first start.
    pub(crate) fn empty() -> Self {
        Self::start(None)
    }

    /// Where people may sign in at an identity provider.
    pub(crate) fn with_provider(provider: Provider) -> Self {
        Self::start(Some(provider))
    }

    /// Serves over TLS, with the certificate of tests/data/tls.
    pub(crate) fn over_tls() -> Self {
        let mut place = Self::start(None);
        let file = |name| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/").to_owned() + name;
        place.tls = Some(TlsFiles {
            certificates: file("server.pem").into(),
            key: file("server.key").into(),
        });
        place.server = None;
        place.serve();
        place
    }

    fn start(provider: Option<Provider>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let desk = Self::desk(&dir);
        let sky = Arc::new(Sky {
            last: watch::channel(100).0,
            conditions: Mutex::default(),
        });
        let mut place = Self {
            dir,
            desk,
            server: None,
            sky,
            tls: None,
            provider,
            owner_secret: None,
            tokens: BTreeMap::new(),
        };
        place.serve();
        place
    }

    fn desk(dir: &tempfile::TempDir) -> Arc<Desk> {
        let url = dir.path().join("service.sqlite").display().to_string();
        Arc::new(Desk::open(&url.parse().unwrap()).unwrap())
    }

    fn serve(&mut self) {
        let listen = Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            tls: self.tls.clone(),
            provider: self.provider.clone(),
        };
        let sky = Arc::clone(&self.sky);
        let mut server = Server::start(&listen, Arc::clone(&self.desk), sky).unwrap();
        self.owner_secret = server.take_owner_secret();
        self.server = Some(server);
    }

    /// With things of every kind, and a user with a token for each role.
    pub(crate) fn full() -> Self {
        let mut place = Self::empty();
        place.claim();
        place.fill();
        for role in Role::ALL.into_iter().skip(1) {
            let mut body = json!({ "name": format!("{role}"), "role": role });
            match role {
                Role::Customer => body["account"] = json!(1),
                Role::Terminal => body["terminal"] = json!(OWN),
                _ => {}
            }
            let owner = place.as_role("owner");
            let user = owner.post("/users?why=test", &body);
            assert_eq!(user.status, 201, "{user:?}");
            let token = json!({ "name": "test", "user": user.json()["user"]["id"] });
            let token = owner.post("/tokens?why=test", &token).json();
            let secret = token["secret"].as_str().unwrap().to_owned();
            place.tokens.insert(role.to_string(), secret);
        }
        place
    }

    /// Puts things of every kind there.
    pub(crate) fn fill(&self) {
        for action in things() {
            let stamp = Stamp {
                by: "test".into(),
                at: self.sky.now(),
                why: "test".into(),
            };
            self.desk.execute(Command { stamp, action }).unwrap();
        }
    }

    /// The owner chooses a password and makes a token.
    pub(crate) fn claim(&mut self) {
        let http = self.http();
        let secret = self.owner_secret.clone().unwrap();
        let given = json!({ "name": "owner", "password": secret });
        let signed = http.call("POST", "/session", &[], &given);
        let change = json!({ "old": secret, "new": PASSWORD });
        let cookie = signed.cookie();
        let own = [("cookie", cookie.as_str()), ("origin", http.base.as_str())];
        let signed = http.call("POST", "/session/password", &own, &change);
        let cookie = signed.cookie();
        let own = [("cookie", cookie.as_str()), ("origin", http.base.as_str())];
        let made = http.call("POST", "/tokens?why=test", &own, &json!({ "name": "test" }));
        assert_eq!(made.status, 201, "{made:?}");
        let secret = made.json()["secret"].as_str().unwrap().to_owned();
        self.tokens.insert("owner".into(), secret);
    }

    pub(crate) fn restart(&mut self) {
        self.server = None;
        // The database is free again once its desk is gone: another takes its place meanwhile.
        let elsewhere = tempfile::tempdir().unwrap();
        self.desk = Self::desk(&elsewhere);
        self.desk = Self::desk(&self.dir);
        self.serve();
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// A client that says nothing of itself.
    pub(crate) fn http(&self) -> As<'_> {
        As {
            place: self,
            token: None,
            base: self.server().url(),
        }
    }

    pub(crate) fn with_token(&self, token: &str) -> As<'_> {
        As {
            token: Some(token.to_owned()),
            ..self.http()
        }
    }

    pub(crate) fn as_role(&self, role: &str) -> As<'_> {
        self.with_token(&self.tokens[role])
    }
}

/// What there is besides users.
fn things() -> Vec<Action> {
    let ua: Market = "UA".parse().unwrap();
    let account = |n: u64| {
        Action::PutAccount(Account {
            id: AccountId(n),
            holder: Holder::Person(format!("passport {n}")),
            market: ua,
            standing: Standing::Active,
            terminal_limit: None,
        })
    };
    let terminal = |id: &str, key: u8| Terminal {
        id: id.parse().unwrap(),
        key: PublicKey([key; 32]),
        model: "rev4".into(),
        batch: BatchId(1),
        state: State::Sold { market: ua },
    };
    let ring = vec![
        [22.1, 44.3],
        [40.2, 44.3],
        [40.2, 52.4],
        [22.1, 52.4],
        [22.1, 44.3],
    ];
    let area = ServiceArea {
        id: AreaId(1),
        name: "Ukraine".into(),
        market: Some(ua),
        kind: AreaKind::Allow { pop: None },
        precedence: 10,
        validity: Validity::ALWAYS,
        shape: Shape::new(&[vec![ring]]).unwrap().0,
    };
    let plan = skyweave_service::Plan {
        id: PlanId(1),
        name: "household".into(),
        rates: Rates {
            down_bps: 200_000_000,
            up_bps: 20_000_000,
        },
        cap: None,
        priority: 1,
        class: ServiceClass::Consumer,
        mobility: Mobility {
            class: MobilityClass::Stationary,
            max_speed_m_s: 10.0,
            home_radius_m: Some(5_000.0),
            min_height_m: None,
        },
        areas: BTreeSet::new(),
        at_sea: false,
    };
    let (own, other): (UtId, UtId) = (OWN.parse().unwrap(), OTHER.parse().unwrap());
    let home = |lat| Home::Address(Geodetic::from_degrees(lat, 30.52).unwrap());
    let activate = |id, lat| {
        let service = Service {
            plan: PlanId(1),
            place: home(lat),
        };
        Action::Step(id, Step::Activate(service))
    };
    let incident = |n: u64, terminal: UtId| {
        let finding = Finding {
            kind: IncidentKind::KeyInTwoPlaces,
            terminals: BTreeSet::from([terminal]),
            evidence: vec![Evidence::TwoSessions {
                at: Time::from_nanos(5),
                apart_m: 123_456.0,
            }],
            proposal: Proposal::CutOff,
        };
        Action::OpenIncident(finding.open(IncidentId(n), Time::from_nanos(6)))
    };
    let step = |id, account| {
        Action::Step(
            id,
            Step::Register {
                account: AccountId(account),
            },
        )
    };
    let list = ListId(1);
    vec![
        Action::PutOrganisation(Organisation {
            id: OrganisationId(1),
            name: "hospital".into(),
            market: ua,
            critical: true,
        }),
        account(1),
        account(2),
        Action::PutArea(area),
        Action::PutPlan(plan),
        Action::AddTerminals(vec![
            terminal(OWN, 1),
            terminal(OTHER, 2),
            terminal("ut01000000-00000000-000000c3", 3),
            terminal("ut01000000-00000000-000000d4", 4),
        ]),
        step(own, 1),
        step(other, 2),
        activate(own, 50.45),
        activate(other, 49.84),
        Action::PutList(list, "Ukraine".into(), OwnerLimits::UKRAINE_2026),
        Action::Request(list, RequestId(1), own, Seen::Unseen),
        Action::Request(list, RequestId(2), other, Seen::Unseen),
        incident(1, own),
        incident(2, other),
    ]
}

/// A client that is somebody.
pub(crate) struct As<'a> {
    place: &'a Place,
    token: Option<String>,
    pub(crate) base: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.clone())
    }

    /// The last part of a problem's type.
    pub(crate) fn kind(&self) -> &'static str {
        assert_eq!(
            self.header("content-type").as_deref(),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let kind = problem["type"].as_str().unwrap();
        kind.strip_prefix("urn:skyweave:problem:")
            .unwrap()
            .to_owned()
            .leak()
    }

    /// The session that it sets.
    pub(crate) fn cookie(&self) -> String {
        let set = self
            .header("set-cookie")
            .unwrap_or_else(|| panic!("{self:?}"));
        assert!(set.starts_with("skyweave_session="), "{set}");
        assert!(set.contains("; HttpOnly; SameSite=Strict"), "{set}");
        set.split(';').next().unwrap().to_owned()
    }
}

/// Where what is asked for lies.
fn root(path: &str) -> &'static str {
    match path.starts_with("/metrics") {
        true => "",
        false => "/api/v1",
    }
}

/// Every answer that a test sees has a status that the document gives for the operation. An address or method that is none has
/// nothing there.
fn is_in_the_document(method: &str, path: &str, reply: &Reply) {
    static DOCUMENT: LazyLock<Value> =
        LazyLock::new(|| serde_json::to_value(skyweave::api::openapi()).unwrap());
    let asked: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        let same = |(part, asked): (&&str, &&str)| part.starts_with('{') || part == asked;
        parts.len() == asked.len() && parts.iter().zip(&asked).all(same)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fitting = paths.iter().filter(|(template, _)| fits(template));
    // `/areas/switch` is not an area.
    let Some((_, item)) = fitting.min_by_key(|(template, _)| template.matches('{').count()) else {
        return;
    };
    let operation = &item[method.to_lowercase()];
    let answers = &operation["responses"];
    assert!(
        operation.is_null() || answers.get(reply.status.to_string()).is_some(),
        "{method} {path}: a status that the document does not give: {reply:?}"
    );
}

impl As<'_> {
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], &Value::Null)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, &[], body)
    }

    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let mut headers = headers.to_vec();
        let text = match body {
            Value::Null => String::new(),
            body => {
                headers.push(("content-type", "application/json"));
                body.to_string()
            }
        };
        self.send(method, path, &headers, text.as_bytes())
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut stream = self.open(method, path, headers, body);
        // A server that has seen enough may close before it has read all.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{method} {path}: no answer: {answer}"));
        let reply = parse(head, body);
        is_in_the_document(method, &format!("{}{path}", root(path)), &reply);
        reply
    }

    fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let address: SocketAddr = self.place.server().address();
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let root = root(path);
        let mut head = format!(
            "{method} {root}{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        if let Some(token) = &self.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(body);
        stream
    }

    /// The status alone, whatever the answer goes on with.
    pub(crate) fn status(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> u16 {
        let stream = self.open(method, path, headers, body);
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

fn parse(head: &str, body: &str) -> Reply {
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    Reply {
        status: status.parse().unwrap(),
        headers: lines.map(header).collect(),
        body: body.to_owned(),
    }
}

/// Server-sent events.
pub(crate) struct Stream(BufReader<TcpStream>);

impl Stream {
    pub(crate) fn open(place: &Place, role: &str, last: Option<&str>) -> Self {
        let last = last.map(|id| ("last-event-id", id));
        let headers: Vec<_> = last.into_iter().collect();
        let mut read = BufReader::new(place.as_role(role).open("GET", "/events", &headers, b""));
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            read.read_line(&mut line).unwrap();
        }
        Self(read)
    }

    /// The next event: its kind, its body, its id.
    pub(crate) fn next(&mut self) -> (String, Value, String) {
        let (mut kind, mut body, mut id) = (String::new(), String::new(), String::new());
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
            let line = line.trim_end();
            if let Some((name, value)) = line.split_once(": ") {
                match name {
                    "event" => kind = value.to_owned(),
                    "data" => body = value.to_owned(),
                    "id" => id = value.to_owned(),
                    _ => {}
                }
            }
            // The pieces of the transfer's coding stand between, and an empty line ends an event.
            if line.is_empty() && !body.is_empty() {
                return (kind, serde_json::from_str(&body).unwrap(), id);
            }
        }
    }
}
