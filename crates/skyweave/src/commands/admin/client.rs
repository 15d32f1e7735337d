//! The API from outside: one request after the other, problems in plain words, and where tokens are kept.

use super::super::wall_clock;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{self, HeaderMap, HeaderValue, Method, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How long a connection, and a whole request, may take: an import of a million terminals takes most of a minute.
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(300);
/// The largest answer: a page of areas with the outlines of countries.
const LARGEST_ANSWER: u64 = 1 << 30;
/// How often a request whose answer did not come is sent again. Those that change something carry a key, so that they are
/// never done twice.
const TRIES: u32 = 3;

/// The API and who asks.
pub(super) struct Client {
    agent: ureq::Agent,
    base: String,
    /// What the request carries to say who asks.
    identity: Option<(header::HeaderName, HeaderValue)>,
}

/// A request.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Below `/api/v1`.
    pub(super) path: String,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) content_type: &'static str,
    pub(super) headers: HeaderMap,
}

/// What came back.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    /// `null` if there was no body.
    pub(super) body: Value,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            content_type: "application/json",
            headers: HeaderMap::new(),
        }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(super) fn query(mut self, name: &'a str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|v| (name, v.to_string())));
        self
    }

    pub(super) fn why(self, why: &str) -> Self {
        self.query("why", Some(why))
    }

    pub(super) fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string().into_bytes());
        self
    }

    pub(super) fn if_match(mut self, tag: Option<HeaderValue>) -> Self {
        if let Some(tag) = tag {
            self.headers.insert(header::IF_MATCH, tag);
        }
        self
    }
}

impl Client {
    pub(super) fn new(base: &str) -> Result<Self> {
        let base = base.trim_end_matches('/');
        let base = base.strip_suffix("/api/v1").unwrap_or(base);
        if !base.starts_with("http://") && !base.starts_with("https://") {
            bail!("`{base}` is no address of an API: expected http://HOST:PORT or https://HOST");
        }
        let roots = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = roots
            .iter()
            .map(|der| Certificate::from_der(der).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Who asks is told to the server that was named and to no other.
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST))
            .user_agent(concat!("skyweave/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Ok(Self {
            agent: config.into(),
            base: base.to_owned(),
            identity: None,
        })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// From now on the requests carry this token.
    pub(super) fn set_token(&mut self, token: &str) -> Result<()> {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
        let mut value = value.context("the token has characters that no token has")?;
        value.set_sensitive(true);
        self.identity = Some((header::AUTHORIZATION, value));
        Ok(())
    }

    /// From now on the requests carry the cookie that this answer set.
    pub(super) fn set_session(&mut self, answer: &Answer) -> Result<()> {
        let cookie = answer.headers.get(header::SET_COOKIE);
        let cookie = cookie.and_then(|c| c.to_str().ok()?.split(';').next());
        let cookie = cookie.context("the server signed in without a cookie")?;
        self.identity = Some((header::COOKIE, HeaderValue::from_str(cookie)?));
        Ok(())
    }

    /// Sends a request; an answer that is no success is an error with the server's words.
    pub(super) fn send(&self, request: &Request<'_>) -> Result<Answer> {
        let url = self.url(request);
        let key = idempotency_key(&url, request);
        for again in 1.. {
            match self.send_once(&url, request, &key) {
                // Whoever hung up in the middle may have done it; the key keeps it from being done twice.
                Err(ureq::Error::Io(_)) if again < TRIES && request.method != Method::DELETE => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                Err(error) => {
                    return Err(anyhow::Error::new(error).context(format!(
                        "the API at {} does not answer (is `skyweave up --database ...` running? --api names another one)",
                        self.base
                    )));
                }
                Ok(answer) => return self.understood(answer),
            }
        }
        unreachable!("the last try returns")
    }

    fn send_once(
        &self,
        url: &str,
        request: &Request<'_>,
        key: &str,
    ) -> Result<(http::StatusCode, HeaderMap, Vec<u8>), ureq::Error> {
        let mut builder = http::Request::builder()
            .method(&request.method)
            .uri(url)
            .header(header::ACCEPT, "application/json");
        if let Some((name, value)) = &self.identity {
            builder = builder.header(name, value);
            if name == header::COOKIE {
                // What a browser says of its own pages.
                builder = builder.header(header::ORIGIN, &self.base);
            }
        }
        if request.method == Method::POST {
            builder = builder.header("idempotency-key", key);
        }
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let mut response = match (&request.body, &request.method) {
            (Some(body), _) => {
                let builder = builder.header(header::CONTENT_TYPE, request.content_type);
                self.agent.run(builder.body(&body[..])?)?
            }
            (None, &Method::POST) => self.agent.run(builder.body(&b""[..])?)?,
            (None, _) => self.agent.run(builder.body(())?)?,
        };
        let body = response
            .body_mut()
            .with_config()
            .limit(LARGEST_ANSWER)
            .read_to_vec()?;
        Ok((response.status(), response.headers().clone(), body))
    }

    fn understood(
        &self,
        (status, headers, body): (http::StatusCode, HeaderMap, Vec<u8>),
    ) -> Result<Answer> {
        if !status.is_success() {
            bail!(problem(status, &body));
        }
        let body = match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body)
                .with_context(|| format!("the answer of {} is not JSON", self.base))?,
        };
        Ok(Answer { headers, body })
    }

    fn url(&self, request: &Request<'_>) -> String {
        let mut url = format!("{}/api/v1{}", self.base, request.path);
        for (n, (name, value)) in request.query.iter().enumerate() {
            let join = if n == 0 { '?' } else { '&' };
            let _ = write!(url, "{join}{name}={}", escaped(value));
        }
        url
    }

    /// What a path holds.
    pub(super) fn get(&self, path: impl Into<String>) -> Result<Value> {
        Ok(self.send(&Request::get(path))?.body)
    }

    /// The entity tag of what a path holds; `None` if there is nothing.
    pub(super) fn tag(&self, path: &str) -> Result<Option<HeaderValue>> {
        let request = Request::get(path);
        let url = self.url(&request);
        let got = self.send_once(&url, &request, "");
        let (status, headers, body) =
            got.with_context(|| format!("the API at {} does not answer", self.base))?;
        if status == http::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = self.understood((status, headers, body))?;
        Ok(answer.headers.get(header::ETAG).cloned())
    }

    /// The items of a list, at most so many, over as many pages as that takes; and whether there are more.
    pub(super) fn list(&self, request: Request<'_>, at_most: usize) -> Result<(Vec<Value>, bool)> {
        let (mut items, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = Request {
                query: request.query.clone(),
                ..Request::get(request.path.clone())
            };
            let left = (at_most - items.len()).clamp(1, 1000);
            let page = page
                .query("after", after.as_ref())
                .query("limit", Some(left));
            let mut page = self.send(&page)?.body;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() || items.len() >= at_most {
                return Ok((items, after.is_some()));
            }
        }
    }
}

/// A problem (RFC 9457) in plain words.
fn problem(status: http::StatusCode, body: &[u8]) -> String {
    let Ok(problem) = serde_json::from_slice::<Value>(body) else {
        return format!("the server answered {status}, and not as an API of skyweave does");
    };
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    let (title, detail) = (text("title"), text("detail"));
    let mut told = match (title.is_empty(), detail.is_empty()) {
        (true, true) => format!("the server answered {status}"),
        (false, true) => title,
        (true, false) => detail,
        (false, false) => format!("{title}: {detail}"),
    };
    for error in problem["errors"].as_array().into_iter().flatten() {
        let _ = write!(told, "\n  {}", error.as_str().unwrap_or_default());
    }
    if status == http::StatusCode::UNAUTHORIZED {
        told += "\n(`skyweave admin login`, or a token in SKYWEAVE_TOKEN)";
    }
    told
}

/// A part of a URL: everything but the unreserved characters is escaped (RFC 3986, sections 2.1 and 2.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// A key that no other request of this or another process has.
fn idempotency_key(url: &str, request: &Request<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&wall_clock().nanos().to_le_bytes())
        .update(&std::process::id().to_le_bytes())
        .update(url.as_bytes())
        .update(request.body.as_deref().unwrap_or_default());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Where tokens are kept: a file that only its owner may read.
pub(super) struct Credentials {
    path: PathBuf,
    kept: Kept,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// The API that was signed in to last.
    api: Option<String>,
    /// Tokens by API.
    tokens: BTreeMap<String, Token>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Token {
    id: u64,
    secret: String,
}

impl Credentials {
    pub(super) fn read() -> Result<Self> {
        let path = match std::env::var_os("SKYWEAVE_CREDENTIALS") {
            Some(path) => PathBuf::from(path),
            None => folder()?.join("skyweave/credentials.json"),
        };
        let kept = match fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
            Ok(about) => {
                if about.mode() & 0o077 != 0 {
                    bail!(
                        "{} holds tokens and others may read it: chmod 600 {0}",
                        path.display()
                    );
                }
                let text =
                    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_slice(&text).with_context(|| {
                    format!("{} is damaged: remove it and log in anew", path.display())
                })?
            }
        };
        Ok(Self { path, kept })
    }

    pub(super) fn api(&self) -> Option<&str> {
        self.kept.api.as_deref()
    }

    pub(super) fn token(&self, api: &str) -> Option<&str> {
        Some(&self.kept.tokens.get(api)?.secret)
    }

    pub(super) fn keep(&mut self, api: &str, id: u64, secret: &str) -> Result<&Path> {
        let secret = secret.to_owned();
        self.kept.api = Some(api.to_owned());
        self.kept
            .tokens
            .insert(api.to_owned(), Token { id, secret });
        self.write()
    }

    /// Forgets the token of an API; its number.
    pub(super) fn forget(&mut self, api: &str) -> Result<Option<u64>> {
        let token = self.kept.tokens.remove(api);
        self.write()?;
        Ok(token.map(|t| t.id))
    }

    /// Under another name until it is whole.
    fn write(&self) -> Result<&Path> {
        let cannot = || format!("cannot write {}", self.path.display());
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).with_context(cannot)?;
        }
        let partial = self.path.with_extension("partial");
        let _ = fs::remove_file(&partial);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .with_context(cannot)?;
        file.write_all(&serde_json::to_vec_pretty(&self.kept)?)
            .with_context(cannot)?;
        fs::rename(&partial, &self.path).with_context(cannot)?;
        Ok(&self.path)
    }
}

/// The user's folder of settings (XDG Base Directory Specification 0.8).
fn folder() -> Result<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_CONFIG_HOME")
        .or_else(|| Some(set("HOME")?.join(".config")))
        .context(
            "neither SKYWEAVE_CREDENTIALS, XDG_CONFIG_HOME nor HOME says where tokens are kept",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_in_words_with_every_error() {
        let body = br#"{"type":"urn:x","title":"The content makes no sense","status":422,
            "detail":"nothing was imported: 2 bad rows","errors":["line 3: a","line 9: b"]}"#;
        let told = problem(http::StatusCode::UNPROCESSABLE_ENTITY, body);
        assert_eq!(
            told,
            "The content makes no sense: nothing was imported: 2 bad rows\n  line 3: a\n  line 9: b"
        );
        let page = problem(http::StatusCode::BAD_GATEWAY, b"<html>nginx</html>");
        assert!(page.contains("502") && !page.contains("html"), "{page}");
    }

    #[test]
    fn an_address_is_one_with_or_without_its_end() {
        for base in ["http://a:1", "http://a:1/", "http://a:1/api/v1/"] {
            let client = Client::new(base).unwrap();
            let request = Request::get("/terminals").query("why", Some("a&b ж"));
            assert_eq!(
                client.url(&request),
                "http://a:1/api/v1/terminals?why=a%26b%20%D0%B6"
            );
        }
        assert!(Client::new("a:1").is_err());
    }
}
