//! Signing in through the organisation's own identity provider: OpenID Connect Core 1.0, authorisation code flow (section
//! 3.1) with PKCE (RFC 7636).
//!
//! A claim of the identity token says the role, by a table of the operator's; whoever has none there does not come in. What
//! a token must be to be good is checked by the crate `openidconnect`; the provider's keys are fetched anew for each signing
//! in, so that a key that was withdrawn is good for nothing at once.

use super::caller::{self, Needs, guarded};
use super::document::may_fail;
use super::problem::{Kind, Problem};
use super::session;
use super::wire::Query;
use super::{Api, BODY, lock};
use anyhow::{Context as _, Result, bail, ensure};
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skyweave_base::{Span, Time};
use skyweave_service::{
    Action, Directory, Identity, Mandate, Role, Stamp, User, UserId, UserStanding,
};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long somebody may take at the provider, and how many may be there.
const PATIENCE: Span = Span::from_secs(600);
const MOST_AWAY: usize = 1000;
/// The provider's answers: bytes, how long one may take, and how many may be waited for.
const ANSWER_BYTES: usize = 1 << 20;
const ANSWER: Duration = Duration::from_secs(10);
const QUESTIONS: usize = 16;
/// Ties the way back to the browser that began.
const COOKIE: &str = "skyweave_oidc";
const CALLBACK: &str = "/api/v1/session/oidc/callback";
/// Signatures by the provider's own keys. Not `none`, and no HMAC: its key would be the client's secret, which we have too.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// An identity provider, and what its claims mean here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its address: what `/.well-known/openid-configuration` is appended to.
    issuer: IssuerUrl,
    /// As the provider knows this service.
    client_id: ClientId,
    /// The file with the secret that goes with it, relative to the file that names it.
    client_secret_file: Option<PathBuf>,
    /// Where the provider sends people back to: this server's [`CALLBACK`] as browsers see it.
    redirect: RedirectUrl,
    /// Scopes beside `openid`.
    #[serde(default)]
    scopes: Vec<String>,
    /// The claim of the identity token that says the role, a text or a list of texts: its name, or a JSON pointer (RFC 6901)
    /// if it begins with `/`.
    claim: String,
    /// Values of the claim and the roles that they give; of several the first in the order of [`Role`] counts.
    roles: BTreeMap<String, Role>,
    /// Certificates (PEM) to trust in place of the system's, relative too.
    ca_file: Option<PathBuf>,
    #[serde(skip)]
    secret: Option<ClientSecret>,
}

impl Provider {
    /// Reads a file (TOML) and the files that it names; `secret` is for one that names no file with the secret.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(file: &Path, secret: Option<String>) -> Result<Self> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let mut provider: Self =
            toml::from_str(&text).with_context(|| format!("{shown} is not usable"))?;
        let beside = |other: &Path| file.parent().unwrap_or(Path::new("")).join(other);
        let secret = match &provider.client_secret_file {
            Some(named) => {
                let named = beside(named);
                std::fs::read_to_string(&named)
                    .with_context(|| format!("{shown}: cannot read {}", named.display()))?
            }
            None => secret.with_context(|| {
                format!("{shown} names no client_secret_file, and SKYWEAVE_OIDC_SECRET is not set")
            })?,
        };
        let secret = secret.trim();
        ensure!(!secret.is_empty(), "{shown}: the client's secret is empty");
        provider.secret = Some(ClientSecret::new(secret.to_owned()));
        provider.ca_file = provider.ca_file.as_deref().map(beside);
        ensure!(
            !provider.roles.is_empty(),
            "{shown}: [roles] is empty, so that nobody could come in"
        );
        if let Some((value, role)) = provider
            .roles
            .iter()
            .find(|(_, role)| matches!(role, Role::Customer | Role::Terminal))
        {
            bail!(
                "{shown}: [roles] gives `{value}` the role {role}, which is for one account or terminal: make such users one by \
                 one, with their identity"
            );
        }
        for (name, url) in [
            ("issuer", provider.issuer.url()),
            ("redirect", provider.redirect.url()),
        ] {
            ensure!(
                url.scheme() == "https"
                    || (url.scheme() == "http" && url.host_str().is_some_and(is_loopback)),
                "{shown}: {name} = `{url}`: expected https://, or http:// on loopback"
            );
        }
        ensure!(
            provider.redirect.url().path() == CALLBACK,
            "{shown}: redirect = `{}`: expected https://HOST{CALLBACK}",
            provider.redirect.url()
        );
        Ok(provider)
    }

    /// The role that the claims of a token give.
    fn role(&self, claims: &Value) -> Option<Role> {
        let value = if self.claim.starts_with('/') {
            claims.pointer(&self.claim)?
        } else {
            claims.get(&self.claim)?
        };
        // Anybody may say any address of himself.
        if self.claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
            return None;
        }
        let given = match value {
            Value::String(one) => vec![one.as_str()],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        };
        let roles = given.into_iter().filter_map(|v| self.roles.get(v));
        roles.min().copied()
    }
}

/// The provider, and who is there.
pub(crate) struct Oidc {
    provider: Provider,
    http: Http,
    questions: Semaphore,
    away: Mutex<BTreeMap<String, Away>>,
}

/// Somebody who was sent to the provider.
struct Away {
    since: Time,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// Who came back.
#[derive(Clone)]
struct Arrived {
    identity: Identity,
    name: String,
    role: Option<Role>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
struct OtherClaims(BTreeMap<String, Value>);

impl AdditionalClaims for OtherClaims {}

type Fields = IdTokenFields<
    OtherClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// The crate's `CoreClient`, but for the claims.
type Described = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl Oidc {
    pub(super) fn new(provider: Provider) -> Result<Self> {
        Ok(Self {
            http: Http::new(provider.ca_file.as_deref())?,
            provider,
            questions: Semaphore::new(QUESTIONS),
            away: Mutex::default(),
        })
    }

    /// What the provider says of itself now, and its keys.
    async fn described(&self) -> Result<Described, Problem> {
        let issuer = self.provider.issuer.clone();
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.http)
            .await
            .map_err(|e| does_not_answer(&e))?;
        let provider = &self.provider;
        let (id, secret) = (provider.client_id.clone(), provider.secret.clone());
        Ok(Client::from_provider_metadata(metadata, id, secret)
            .set_redirect_uri(provider.redirect.clone()))
    }

    /// The address to send somebody to, and the state by which they come back.
    async fn send(&self, now: Time) -> Result<(String, String), Problem> {
        let client = self.described().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        );
        let scopes = self.provider.scopes.iter().cloned().map(Scope::new);
        let (url, state, nonce) = request
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        let mut away = lock(&self.away);
        away.retain(|_, a| now - a.since < PATIENCE);
        if away.len() >= MOST_AWAY {
            let detail = "too many people are signing in: try again in a minute";
            return Err(Problem::new(Kind::TooManyRequests, detail).retry_after(60));
        }
        let state = state.into_secret();
        let gone = Away {
            since: now,
            nonce,
            verifier,
        };
        away.insert(state.clone(), gone);
        Ok((url.to_string(), state))
    }

    /// Somebody who comes back by a state: once, and not too late.
    fn take(&self, state: &str, now: Time) -> Option<Away> {
        let away = lock(&self.away).remove(state);
        away.filter(|a| now - a.since < PATIENCE)
    }

    /// Exchanges the code, checks the token, and says who it is.
    async fn receive(&self, code: String, away: Away) -> Result<Arrived, Problem> {
        let client = self.described().await?;
        let refused = |error: &dyn std::error::Error| {
            let detail = format!(
                "the identity provider's answer is not good: {}",
                causes(error)
            );
            Problem::new(Kind::Unauthenticated, detail)
        };
        let exchange = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|e| does_not_answer(&e))?
            .set_pkce_verifier(away.verifier);
        let response = exchange
            .request_async(&self.http)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(_) => refused(&error),
                _ => does_not_answer(&error),
            })?;
        let token = response.extra_fields().id_token();
        let token = token.ok_or_else(|| refused(&io::Error::other("it has no identity token")))?;
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNATURES);
        let claims = token
            .claims(&verifier, &away.nonce)
            .map_err(|e| refused(&e))?;
        let subject = claims.subject().to_string();
        let name = claims.preferred_username().map(|n| n.to_string());
        let all = serde_json::to_value(claims).map_err(|e| refused(&e))?;
        Ok(Arrived {
            role: self.provider.role(&all),
            name: name.unwrap_or_else(|| subject.clone()),
            identity: Identity {
                issuer: claims.issuer().to_string(),
                subject,
            },
        })
    }
}

fn does_not_answer(error: &dyn std::error::Error) -> Problem {
    let detail = format!(
        "the identity provider does not answer as one: {}",
        causes(error)
    );
    Problem::new(Kind::ProviderAway, detail).retry_after(10)
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}

/// Asks the provider: a connection for each question, over TLS but on loopback. Redirections are not followed (OpenID Connect
/// Discovery 1.0 has none): they could lead into our own network.
struct Http {
    tls: TlsConnector,
}

impl Http {
    fn new(ca_file: Option<&Path>) -> Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        if let Some(file) = ca_file {
            let shown = file.display();
            let read = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(|| format!("cannot read certificates from {shown}"))?;
            let (taken, _) = roots.add_parsable_certificates(read);
            ensure!(taken > 0, "{shown} holds no certificate (PEM)");
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    async fn ask(&self, request: HttpRequest) -> io::Result<HttpResponse> {
        let uri = request.uri();
        let host = uri.host().unwrap_or_default();
        let secure = uri.scheme_str() == Some("https");
        if !secure && !is_loopback(host) {
            let detail = format!("{uri} is neither https:// nor on loopback");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, detail));
        }
        // An IPv6 address stands in brackets in a URL, and only there.
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if !secure {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        exchange(self.tls.connect(name, stream).await?, request).await
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<HttpResponse>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let asked = request.uri().clone();
            let answer = tokio::time::timeout(ANSWER, self.ask(request)).await;
            let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            answer.map_err(|e| io::Error::new(e.kind(), format!("{asked}: {}", causes(&e))))
        })
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: HttpRequest,
) -> io::Result<HttpResponse> {
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(io::Error::other)?;
    // Ends with this function, whatever the provider does.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().map_or("", |a| a.as_str());
    let host = HeaderValue::from_str(authority).map_err(io::Error::other)?;
    head.headers.insert(header::HOST, host);
    let path = head.uri.path_and_query().cloned();
    head.uri = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    let request = Request::from_parts(head, Body::from(body));
    let answer = sender.send_request(request).await;
    let (head, body) = answer.map_err(io::Error::other)?.into_parts();
    let body = axum::body::to_bytes(Body::new(body), ANSWER_BYTES).await;
    let body = body.map_err(io::Error::other)?;
    Ok(HttpResponse::from_parts(head, body.to_vec()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|a| a.is_loopback())
}

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let away = [Kind::NotFound, Kind::TooManyRequests, Kind::ProviderAway];
    // Who comes back may become a user, or be refused.
    let back = [
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::Conflict,
        Kind::Invalid,
        Kind::Away,
        Kind::InDoubt,
    ];
    let begin = may_fail(&away, routes!(begin_oidc));
    let finish = may_fail(&away, may_fail(&back, routes!(finish_oidc)));
    OpenApiRouter::new()
        .routes(guarded(Needs::Nothing, BODY, begin))
        .routes(guarded(Needs::Nothing, BODY, finish))
}

fn oidc(api: &Api) -> Result<&Oidc, Problem> {
    let none = || Problem::new(Kind::NotFound, "no identity provider is set up here");
    api.oidc.as_ref().ok_or_else(none)
}

fn cookie(api: &Api, state: &str, max_age_s: i64) -> String {
    let secure = if api.secure { "; Secure" } else { "" };
    // Lax: the way back begins at the provider's page.
    format!(
        "{COOKIE}={state}; Path=/api/v1/session/oidc; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}"
    )
}

/// Sign in at the organisation's identity provider: sends the browser there.
#[utoipa::path(get, path = "/api/v1/session/oidc", tag = "session",
    responses((status = 303, description = "To the provider")))]
async fn begin_oidc(
    State(api): State<Arc<Api>>,
    address: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
) -> Result<Response, Problem> {
    let (oidc, now) = (oidc(&api)?, api.steady_now());
    let address = address.map(|axum::Extension(ConnectInfo(a))| a.ip());
    api.limiter.admit(address, None, now)?;
    let _asking = oidc.questions.acquire().await;
    let (url, state) = oidc.send(now).await?;
    let url = HeaderValue::try_from(url).map_err(|e| does_not_answer(&e))?;
    let cookie = cookie(&api, &state, PATIENCE.nanos() / 1_000_000_000);
    let mut response = (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie)]).into_response();
    response.headers_mut().insert(header::LOCATION, url);
    Ok(response)
}

/// How a browser comes back (RFC 6749, section 4.1.2).
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Back {
    /// For which the provider gives the token.
    code: Option<String>,
    /// Which signing in this is.
    state: Option<String>,
    /// Why not.
    error: Option<String>,
}

/// Where the provider sends the browser back to. The answer is that of a signing in with a password.
#[utoipa::path(get, path = "/api/v1/session/oidc/callback", tag = "session", params(Back),
    responses((status = 200, description = "Signed in", body = session::Opened)))]
async fn finish_oidc(
    State(api): State<Arc<Api>>,
    address: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Result<Response, Problem> {
    let oidc = oidc(&api)?;
    let unknown = |detail: &str| Problem::new(Kind::Unauthenticated, detail);
    let began = caller::cookie_named(&headers, COOKIE);
    let state = back
        .state
        .filter(|state| began == Some(state.as_str()))
        .ok_or_else(|| unknown("this browser did not begin to sign in here: begin again"))?;
    let away = oidc
        .take(&state, api.steady_now())
        .ok_or_else(|| unknown("it took too long, or was done before: begin again"))?;
    if let Some(error) = back.error {
        let shown: String = error.chars().take(100).collect();
        return Err(unknown(&format!("the identity provider said no: {shown}")));
    }
    let code = back.code.filter(|code| !code.is_empty());
    let code = code.ok_or_else(|| unknown("the identity provider sent no code"))?;
    let arrived = {
        let _asking = oidc.questions.acquire().await;
        oidc.receive(code, away).await?
    };
    let user = admit(&api, arrived).await?;
    let address = address.map(|axum::Extension(ConnectInfo(a))| a.ip());
    api.limiter.forget(address, None);
    let mut response = session::open(&api, &user, "signed in at the identity provider").await?;
    let gone = HeaderValue::try_from(cookie(&api, "", 0));
    if let Ok(gone) = gone {
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    Ok(response)
}

/// The user of an identity, with the role that the provider gives now.
async fn admit(api: &Api, arrived: Arrived) -> Result<User, Problem> {
    let register = api.register();
    let user = due(register.directory(), &arrived)?;
    if register.directory().users().get(&user.id) == Some(&user) {
        return Ok(user);
    }
    drop(register);
    let stamp = Stamp {
        by: "rule:openid_connect".into(),
        at: api.wall_now(),
        why: "the identity provider gives this role".into(),
    };
    let (identity, again) = (arrived.identity.clone(), arrived);
    api.execute(stamp, None, move |register| {
        due(register.directory(), &again).map(Action::PutUser)
    })
    .await?;
    let register = api.register();
    let user = register.directory().user_identified(&identity).cloned();
    user.ok_or_else(|| Problem::new(Kind::Broken, "no user was made"))
}

/// The user as it is to be while this person is signed in.
fn due(directory: &Directory, arrived: &Arrived) -> Result<User, Problem> {
    let refused = |detail: &str| Problem::new(Kind::Forbidden, detail);
    let known = directory.user_identified(&arrived.identity);
    if let Some(user) = known {
        if user.standing == UserStanding::Revoked {
            return Err(refused("this user was revoked"));
        }
        // Made by hand, for an account or a terminal that no claim names.
        if matches!(user.mandate, Mandate::Customer(_) | Mandate::Terminal(_)) {
            return Ok(user.clone());
        }
    }
    let mandate = match arrived.role {
        Some(Role::Owner) => Mandate::Owner,
        Some(Role::Operator) => Mandate::Operator,
        Some(Role::Planner) => Mandate::Planner,
        Some(Role::Support) => Mandate::Support,
        Some(Role::Auditor) => Mandate::Auditor,
        None | Some(Role::Customer | Role::Terminal) => {
            return Err(refused(
                "the identity provider gives you no role here: ask whoever runs this service",
            ));
        }
    };
    Ok(match known {
        Some(user) => User {
            mandate,
            ..user.clone()
        },
        None => User {
            id: UserId(directory.users().keys().next_back().map_or(0, |id| id.0) + 1),
            name: free_name(directory, &arrived.name),
            mandate,
            identity: Some(arrived.identity.clone()),
            standing: UserStanding::Active,
        },
    })
}

/// A name that nobody has: somebody of the same name may have been here before.
fn free_name(directory: &Directory, name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(56).collect();
    let name = match name.trim() {
        "" => "user".to_owned(),
        trimmed => trimmed.to_owned(),
    };
    let numbered = (2..=u32::MAX).map(|n| format!("{name} {n}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names
        .find(|n| directory.user_named(n).is_none())
        .unwrap_or(name)
}
