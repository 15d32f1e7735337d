//! Signing in at an identity provider: a small one on loopback, which signs real tokens and also bad ones.

use super::place::{OWN, Place, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use skyweave::api;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

const CLIENT: &str = "skyweave-test";
const SECRET: &str = "a client's secret / with & signs";
const CALLBACK: &str = "http://127.0.0.1:8080/api/v1/session/oidc/callback";

/// What is wrong with the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    /// Signs with a key that is not the published one.
    ForeignKey,
    /// Signs nothing, and says so (RFC 7519, section 6).
    Unsigned,
    /// Signs with the client's secret (HS256).
    SharedSecret,
    /// Changes a claim after signing.
    Altered,
    /// Gives no identity token.
    NoToken,
    /// Says in its description that it is another.
    AnotherIssuer,
    /// Refuses the code.
    NoCode,
    /// Answers each question with this status and no JSON.
    Status(u16),
    /// Sends more than anybody wants.
    Endless,
    /// Hangs up.
    Silent,
}

#[derive(Default)]
struct Script {
    /// Claims beside or in place of the usual ones.
    claims: BTreeMap<String, Value>,
    fault: Fault,
    /// Of the authorisation request.
    asked: BTreeMap<String, String>,
    /// Codes that were exchanged.
    exchanged: usize,
}

struct Idp {
    issuer: String,
    script: Arc<Mutex<Script>>,
    dir: tempfile::TempDir,
}

impl Idp {
    fn start() -> Self {
        Self::serve("http", |stream| Box::new(stream))
    }

    /// With the certificate of tests/data/tls.
    fn over_tls() -> Self {
        let certificate = CertificateDer::from_pem_file(tls("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        Self::serve("https", move |stream| {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            Box::new(rustls::StreamOwned::new(connection, stream))
        })
    }

    fn serve(
        scheme: &str,
        wrap: impl Fn(std::net::TcpStream) -> Box<dyn Duplex> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("{scheme}://{}", listener.local_addr().unwrap());
        let script = Arc::<Mutex<Script>>::default();
        let (told, own) = (Arc::clone(&script), issuer.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever hangs up, as a client that trusts nobody does, is no matter.
                let _ = converse(&own, &told, wrap(stream));
            }
        });
        let dir = tempfile::tempdir().unwrap();
        Self {
            issuer,
            script,
            dir,
        }
    }

    /// As `--oidc` reads it, with these lines too.
    fn read(&self, more: &str) -> anyhow::Result<api::Provider> {
        std::fs::write(self.dir.path().join("secret.txt"), format!("{SECRET}\n")).unwrap();
        let text = format!(
            "issuer = '{}'\nclient_id = '{CLIENT}'\nclient_secret_file = 'secret.txt'\nredirect = '{CALLBACK}'\n\
             scopes = ['profile']\n{more}\n[roles]\nnetwork = 'planner'\nduty = 'operator'\n",
            self.issuer
        );
        api::Provider::read(&self.file(&text), None)
    }

    fn file(&self, text: &str) -> PathBuf {
        let file = self.dir.path().join("oidc.toml");
        std::fs::write(&file, text).unwrap();
        file
    }

    fn place(&self) -> Place {
        Place::with_provider(self.read("claim = 'groups'").unwrap())
    }

    fn says(&self, claims: Value) {
        self.script.lock().unwrap().claims = serde_json::from_value(claims).unwrap();
    }

    fn has(&self, fault: Fault) {
        self.script.lock().unwrap().fault = fault;
    }

    /// A browser goes to the provider. Returns the way back and the cookie.
    fn begin(&self, place: &Place) -> (String, String) {
        let begun = place.http().get("/session/oidc");
        assert_eq!(begun.status, 303, "{begun:?}");
        let url = begun.header("location").unwrap();
        let query = url
            .strip_prefix(&format!("{}/authorize?", self.issuer))
            .unwrap();
        let asked: BTreeMap<String, String> = form(query);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["redirect_uri"], CALLBACK);
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["scope"], "openid profile");
        assert!(asked["state"].len() >= 20 && asked["nonce"].len() >= 20);
        // Providers add things of their own.
        let back = format!(
            "/session/oidc/callback?code=c-1&state={}&session_state=x",
            asked["state"]
        );
        self.script.lock().unwrap().asked = asked;
        let set = begun.header("set-cookie").unwrap();
        assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
        (back, set.split(';').next().unwrap().to_owned())
    }

    /// To the provider, where somebody says yes, and back.
    fn sign_in(&self, place: &Place) -> Reply {
        let (back, cookie) = self.begin(place);
        come_back(place, &back, &cookie)
    }
}

trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

fn tls(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/tls")
        .join(name)
}

fn come_back(place: &Place, back: &str, cookie: &str) -> Reply {
    let headers = [("cookie", cookie)];
    place.http().call("GET", back, &headers, &Value::Null)
}

fn converse(issuer: &str, script: &Mutex<Script>, stream: Box<dyn Duplex>) -> std::io::Result<()> {
    let mut read = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    read.read_line(&mut line)?;
    let (mut header, mut authorization) = (String::new(), String::new());
    while read.read_line(&mut header)? > 2 {
        let (name, value) = header.trim().split_once(": ").unwrap();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => authorization = value.to_owned(),
            "host" => assert!(issuer.ends_with(value)),
            _ => {}
        }
        header.clear();
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let mut stream = read.into_inner();
    let fault = script.lock().unwrap().fault;
    let (status, answer) = match fault {
        Fault::Silent => return Ok(()),
        Fault::Endless => {
            stream.write_all(b"HTTP/1.1 200 x\r\nContent-Type: application/json\r\n\r\n")?;
            loop {
                stream.write_all(&[b' '; 1 << 16])?;
            }
        }
        Fault::Status(status) => (status, "<html>away".to_owned()),
        _ => {
            let path = line.split(' ').nth(1).unwrap();
            let (status, answer) = answer(issuer, script, path, &authorization, &body);
            (status, answer.to_string())
        }
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nLocation: {issuer}/elsewhere\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all((head + &answer).as_bytes())?;
    stream.flush()
}

fn form(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let (mut out, mut bytes) = (Vec::new(), text.bytes());
        while let Some(b) = bytes.next() {
            out.push(match b {
                b'+' => b' ',
                b'%' => {
                    let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
                }
                b => b,
            });
        }
        String::from_utf8(out).unwrap()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// SHA-256 of other hands than those under test.
fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let rustls::SupportedCipherSuite::Tls13(suite) = suite else {
        panic!("a suite of TLS 1.3");
    };
    let mut hash = suite.common.hash_provider.start();
    parts.iter().for_each(|p| hash.update(p));
    hash.finish().as_ref().to_vec()
}

/// RFC 2104.
fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |with: u8| -> Vec<u8> {
        let key = key.iter().copied().chain(std::iter::repeat(0));
        key.take(64).map(|b| b ^ with).collect()
    };
    sha256(&[&pad(0x5c), &sha256(&[&pad(0x36), text])])
}

fn answer(
    issuer: &str,
    script: &Mutex<Script>,
    path: &str,
    authorization: &str,
    body: &str,
) -> (u16, Value) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut script = script.lock().unwrap();
    match path {
        "/.well-known/openid-configuration" => (
            200,
            json!({
                "issuer": if script.fault == Fault::AnotherIssuer { "https://evil.example" } else { issuer },
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/keys"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
            }),
        ),
        "/keys" => {
            let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
            let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k", "use": "sig", "alg": "EdDSA" });
            (200, json!({ "keys": [key] }))
        }
        "/token" => {
            script.exchanged += 1;
            let form = form(body);
            // RFC 6749, section 2.3.1: both are form-encoded before they are joined.
            let basic = authorization
                .strip_prefix("Basic ")
                .expect("the client names itself");
            let basic = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
            let (client, secret) = basic.split_once(':').unwrap();
            let secret = self::form(&format!("s={secret}"));
            let challenge = URL_SAFE_NO_PAD.encode(sha256(&[form["code_verifier"].as_bytes()]));
            let good = client == CLIENT
                && secret["s"] == SECRET
                && form["grant_type"] == "authorization_code"
                && form["code"] == "c-1"
                && form["redirect_uri"] == CALLBACK
                && challenge == script.asked["code_challenge"]
                && script.fault != Fault::NoCode;
            if !good {
                return (400, json!({ "error": "invalid_grant" }));
            }
            let mut given = json!({ "access_token": "a", "token_type": "Bearer" });
            if script.fault != Fault::NoToken {
                given["id_token"] = token(issuer, &script, &key).into();
            }
            (200, given)
        }
        _ => (404, json!({ "error": "no such address" })),
    }
}

fn token(issuer: &str, script: &Script, key: &SigningKey) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.as_secs();
    let mut claims = json!({
        "iss": issuer, "sub": "person 17", "aud": CLIENT, "iat": now, "exp": now + 60,
        "nonce": script.asked["nonce"], "preferred_username": "anna",
    });
    for (name, value) in &script.claims {
        claims[name] = value.clone();
    }
    let algorithm = match script.fault {
        Fault::Unsigned => "none",
        Fault::SharedSecret => "HS256",
        _ => "EdDSA",
    };
    let header = json!({ "alg": algorithm, "kid": "k", "typ": "JWT" });
    let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
    let text = format!("{}.{}", part(&header), part(&claims));
    let signature = match script.fault {
        Fault::Unsigned => Vec::new(),
        Fault::SharedSecret => hmac_sha256(SECRET.as_bytes(), text.as_bytes()),
        Fault::ForeignKey => SigningKey::from_bytes(&[8; 32])
            .sign(text.as_bytes())
            .to_vec(),
        _ => key.sign(text.as_bytes()).to_vec(),
    };
    let text = if script.fault == Fault::Altered {
        claims["groups"] = json!("duty");
        format!("{}.{}", part(&header), part(&claims))
    } else {
        text
    };
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn users(place: &Place) -> usize {
    place.desk.register().directory().users().len()
}

/// Name and role of somebody who came in.
fn came_in(place: &Place, came: &Reply) -> (String, String) {
    assert_eq!(came.status, 200, "{came:?}");
    let me = place
        .http()
        .call("GET", "/me", &[("cookie", &came.cookie())], &Value::Null);
    let me = me.json();
    assert_eq!(me["name"], came.json()["name"]);
    let text = |name: &str| me[name].as_str().unwrap().to_owned();
    (text("name"), text("role"))
}

#[test]
fn somebody_signs_in_at_the_identity_provider_and_the_claim_says_the_role() {
    let idp = Idp::start();
    let mut place = idp.place();
    idp.says(json!({ "groups": ["everybody", "network"] }));
    let came = idp.sign_in(&place);
    assert_eq!(came_in(&place, &came), ("anna".into(), "planner".into()));
    // The session is as after a password: it does what the role may, from our own pages.
    let (http, cookie) = (place.http(), came.cookie());
    let origin = http.base.clone();
    let own = [("cookie", cookie.as_str()), ("origin", origin.as_str())];
    let get = |path| http.call("GET", path, &own, &Value::Null).status;
    assert_eq!((get("/epochs"), get("/audit")), (200, 403));
    let out = |headers: &[(&str, &str)]| {
        let out = http.call("DELETE", "/session", headers, &Value::Null);
        out.status
    };
    assert_eq!((out(&own[..1]), out(&own), get("/epochs")), (403, 204, 401));
    let before = users(&place);
    // Of two roles the greater; the same person is the same user.
    idp.says(json!({ "groups": ["network", "duty"] }));
    let role = |place: &Place| came_in(place, &idp.sign_in(place));
    assert_eq!(role(&place), ("anna".into(), "operator".into()));
    assert_eq!(role(&place), ("anna".into(), "operator".into()));
    assert_eq!(users(&place), before);
    // Somebody else of that name is somebody else.
    idp.says(json!({ "sub": "person 18", "groups": "network" }));
    assert_eq!(role(&place), ("anna 2".into(), "planner".into()));
    // Each step is in the audit log, and nothing secret.
    let rows = place.desk.ask(|store| store.audit(1, 1000)).wait().unwrap();
    let count = |what: &[&str]| {
        let has = |body: &str| what.iter().all(|w| body.contains(w));
        rows.iter().filter(|r| has(&r.body)).count()
    };
    assert_eq!(count(&["put_user", "rule:openid_connect", "person 17"]), 2);
    assert_eq!(count(&["put_user", "rule:openid_connect", "person 18"]), 1);
    assert_eq!(count(&["sign_in", "signed in at the identity provider"]), 4);
    assert_eq!(count(&[SECRET]), 0);
    // None of them is an owner: the first one can still be made, and only then not again.
    place.restart();
    assert!(place.owner_secret.is_some());
    place.claim();
    place.restart();
    assert!(place.owner_secret.is_none());
}

#[test]
fn users_made_by_hand_come_in_by_their_identity_until_they_are_revoked() {
    let idp = Idp::start();
    let mut place = idp.place();
    place.claim();
    place.fill();
    let owner = place.as_role("owner");
    let identity = json!({ "issuer": idp.issuer, "subject": "person 17" });
    let user =
        json!({ "name": "the dish", "role": "terminal", "terminal": OWN, "identity": identity });
    let made = owner.post("/users?why=test", &user);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json()["one_time_secret"], Value::Null);
    let user = made.json()["user"]["id"].clone();
    for claims in [json!({}), json!({ "groups": "duty" })] {
        idp.says(claims);
        let came = came_in(&place, &idp.sign_in(&place));
        assert_eq!(came, ("the dish".into(), "terminal".into()));
    }
    let gone = owner.call(
        "DELETE",
        &format!("/users/{user}?why=test"),
        &[],
        &Value::Null,
    );
    assert_eq!(gone.status, 204, "{gone:?}");
    let came = idp.sign_in(&place);
    assert_eq!((came.status, came.kind()), (403, "forbidden"));
}

#[test]
fn whatever_is_wrong_with_the_providers_token_nobody_comes_in() {
    let idp = Idp::start();
    let place = idp.place();
    let before = users(&place);
    let with = |more: Value| {
        let mut claims = json!({ "groups": "network" });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let none = || with(json!({}));
    for (claims, fault, status) in [
        (
            with(json!({ "iss": "http://evil.example" })),
            Fault::None,
            401,
        ),
        (with(json!({ "aud": "another" })), Fault::None, 401),
        (
            with(json!({ "aud": [CLIENT, "another"] })),
            Fault::None,
            401,
        ),
        (with(json!({ "nonce": "old" })), Fault::None, 401),
        (with(json!({ "nonce": null })), Fault::None, 401),
        (with(json!({ "exp": 1_000_000_000 })), Fault::None, 401),
        (none(), Fault::ForeignKey, 401),
        (none(), Fault::Unsigned, 401),
        (none(), Fault::SharedSecret, 401),
        (none(), Fault::Altered, 401),
        (none(), Fault::NoToken, 401),
        (none(), Fault::NoCode, 401),
        (json!({ "groups": ["everybody"] }), Fault::None, 403),
        (json!({ "groups": { "network": true } }), Fault::None, 403),
        (json!({}), Fault::None, 403),
    ] {
        let what = format!("{claims} {fault:?}");
        idp.says(claims);
        idp.has(fault);
        let came = idp.sign_in(&place);
        assert_eq!(
            (came.status, users(&place)),
            (status, before),
            "{what}: {came:?}"
        );
        assert!(came.header("set-cookie").is_none(), "{what}");
    }
    // With nothing wrong it is the same way that leads in.
    idp.says(none());
    idp.has(Fault::None);
    assert_eq!(idp.sign_in(&place).status, 200);
}

#[test]
fn a_way_back_is_good_once_and_in_the_browser_that_began() {
    let idp = Idp::start();
    let place = idp.place();
    idp.says(json!({ "groups": "network" }));
    let refused = |back: &str, cookie: &str| {
        let came = come_back(&place, back, cookie);
        assert_eq!(
            (came.status, came.kind()),
            (401, "unauthenticated"),
            "{came:?}"
        );
        assert!(came.header("set-cookie").is_none());
    };
    let (first, first_cookie) = idp.begin(&place);
    let (second, second_cookie) = idp.begin(&place);
    // Sent to somebody else's browser, which began nothing, or something else.
    refused(&second, "");
    refused(&second, &first_cookie);
    refused(&first, &second_cookie);
    refused(
        "/session/oidc/callback?code=c-1&state=made-up",
        "skyweave_oidc=made-up",
    );
    refused("/session/oidc/callback?code=c-1", &second_cookie);
    assert_eq!(idp.script.lock().unwrap().exchanged, 0);
    let came = come_back(&place, &second, &second_cookie);
    assert_eq!(came.status, 200, "{came:?}");
    // Nobody comes back twice.
    refused(&second, &second_cookie);
    assert_eq!(idp.script.lock().unwrap().exchanged, 1);
    // A code of another signing in: the verifier is not the one that belongs to it.
    refused(&first, &first_cookie);
    // The provider, or the person there, says no.
    let (back, cookie) = idp.begin(&place);
    let no = back.replace("code=c-1", "error=access_denied");
    let came = come_back(&place, &no, &cookie);
    assert_eq!(came.status, 401);
    assert!(
        came.json()["detail"]
            .as_str()
            .unwrap()
            .contains("access_denied")
    );
    refused(&back, &cookie);
    // Whoever begins without end is told to wait.
    let mut begun = (0..40).map(|_| place.http().get("/session/oidc"));
    let refused = begun.find(|r| r.status != 303).unwrap();
    assert_eq!((refused.status, refused.kind()), (429, "too-many-requests"));
}

#[test]
fn a_provider_that_is_away_or_talks_nonsense_is_a_problem_that_says_so() {
    let idp = Idp::start();
    let place = idp.place();
    idp.says(json!({ "groups": "network" }));
    for fault in [
        Fault::Silent,
        Fault::Status(500),
        Fault::Status(302),
        Fault::Status(200),
        Fault::AnotherIssuer,
        Fault::Endless,
    ] {
        idp.has(fault);
        let begun = place.http().get("/session/oidc");
        let what = (begun.status, begun.kind());
        assert_eq!(what, (503, "provider-away"), "{fault:?}: {begun:?}");
        assert!(begun.header("location").is_none());
        // Or meanwhile.
        idp.has(Fault::None);
        let (back, cookie) = idp.begin(&place);
        idp.has(fault);
        let came = come_back(&place, &back, &cookie);
        assert_eq!(
            (came.status, came.kind()),
            (503, "provider-away"),
            "{fault:?}: {came:?}"
        );
    }
    // Nobody is there at all.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = Idp {
        issuer: format!("http://{}", free.local_addr().unwrap()),
        ..Idp::start()
    };
    drop(free);
    let away = gone.place().http().get("/session/oidc");
    assert_eq!(
        (away.status, away.kind()),
        (503, "provider-away"),
        "{away:?}"
    );
    assert!(
        away.json()["detail"].as_str().unwrap().contains("refused"),
        "{away:?}"
    );
    // And where none is set up there is no such thing.
    let none = Place::empty();
    for path in ["/session/oidc", "/session/oidc/callback?code=c&state=s"] {
        assert_eq!(none.http().get(path).status, 404);
    }
}

#[test]
fn the_provider_is_known_by_its_certificate() {
    let idp = Idp::over_tls();
    idp.says(json!({ "groups": "network" }));
    let ca = format!("ca_file = '{}'\nclaim = 'groups'", tls("ca.pem").display());
    let place = Place::with_provider(idp.read(&ca).unwrap());
    let came = came_in(&place, &idp.sign_in(&place));
    assert_eq!(came, ("anna".into(), "planner".into()));
    // The system knows no such authority.
    let stranger = idp.place().http().get("/session/oidc");
    assert_eq!((stranger.status, stranger.kind()), (503, "provider-away"));
    assert!(
        stranger.json()["detail"]
            .as_str()
            .unwrap()
            .contains("certificate"),
        "{stranger:?}"
    );
}

#[test]
fn the_claim_may_be_nested_or_an_address_that_the_provider_has_verified() {
    let idp = Idp::start();
    let place = Place::with_provider(idp.read("claim = '/realm_access/roles'").unwrap());
    idp.says(json!({ "realm_access": { "roles": ["duty"] } }));
    let came = came_in(&place, &idp.sign_in(&place));
    assert_eq!(came.1, "operator");
    let place = Place::with_provider(idp.read("claim = 'email'").unwrap());
    idp.says(json!({ "email": "network", "email_verified": true }));
    assert_eq!(came_in(&place, &idp.sign_in(&place)).1, "planner");
    for verified in [json!(false), Value::Null] {
        idp.says(json!({ "sub": "another", "email": "network", "email_verified": verified }));
        assert_eq!(idp.sign_in(&place).status, 403);
    }
}

#[test]
fn a_file_that_names_no_usable_provider_is_refused_with_the_reason() {
    let idp = Idp::start();
    let good = "issuer = 'https://id.example.org'\nclient_id = 'c'\nredirect = 'https://sky.example.org/api/v1/session/oidc/callback'\n\
         claim = 'groups'\n[roles]\nnetwork = 'planner'\n";
    let read = |text: &str| api::Provider::read(&idp.file(text), Some("secret".into()));
    let provider = read(good).unwrap();
    assert!(
        !format!("{provider:?}").contains("\"secret\""),
        "{provider:?}"
    );
    for (from, to, says) in [
        ("https://id.", "http://id.", "expected https://"),
        ("https://sky.", "ftp://sky.", "expected https://"),
        (
            "/oidc/callback",
            "/callback",
            "/api/v1/session/oidc/callback",
        ),
        ("'planner'", "'customer'", "for one account or terminal"),
        ("'planner'", "'emperor'", "emperor"),
        ("network = 'planner'", "", "nobody could come in"),
        ("claim", "clam", "clam"),
        ("claim", "client_secret_file = 'absent'\nclaim", "absent"),
    ] {
        let text = good.replacen(from, to, 1);
        let error = format!("{:#}", read(&text).expect_err(&text));
        assert!(
            error.contains(says) && error.contains("oidc.toml"),
            "{error}"
        );
    }
    let error = api::Provider::read(&idp.file(good), None).unwrap_err();
    assert!(
        format!("{error:#}").contains("SKYWEAVE_OIDC_SECRET"),
        "{error:#}"
    );
    let error = api::Provider::read(Path::new("absent.toml"), None).unwrap_err();
    assert!(format!("{error:#}").contains("absent.toml"));
}
