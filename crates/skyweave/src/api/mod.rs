//! The HTTP interface of the service: JSON under `/api/v1`, for people's tools, programs and the console.
//!
//! It decides nothing: what may be done, by whom, and what comes of it is asked in `service`. It asks the desk, which executes
//! commands, and [`LiveNetwork`], the network that runs. Slow or hostile clients cost a connection and no more.
//! `docs/api.md` describes it; the OpenAPI document is made from the handlers ([`openapi`]).

mod accounts;
mod areas;
mod caller;
mod document;
mod events;
mod health;
mod lists;
mod metrics;
mod network;
mod oidc;
mod policy;
mod problem;
mod records;
mod secret;
mod server;
mod session;
mod terminals;
mod users;
mod wire;
mod write;

pub use oidc::Provider;
pub use server::{Listen, Server, TlsFiles};

use crate::live::Clock;
use crate::metrics::Writer;
use crate::operator::{Desk, Rejected, StoreError};
use crate::random::random;
use axum::Router;
use axum::http::Uri;
use caller::{Needs, guarded};
use metrics::Requests;
use oidc::Oidc;
use policy::Policies;
use problem::{Kind, Problem};
use secret::Passwords;
use session::Limiter;
use skyweave_base::Time;
use skyweave_plan::Plan;
use skyweave_service::{
    Action, Claim, Command, Mandate, Password, PasswordKind, Permission, Register, Stamp, User,
    UserId, UserStanding, UtId,
};
use skyweave_world::Conditions;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, watch};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use wire::Tagger;
use write::Answers;

/// Bytes of a body, where nothing else is said.
const BODY: usize = 1 << 20;

/// What the interface asks of the network that runs.
pub trait LiveNetwork: Send + Sync + 'static {
    /// The network's time: a scenario may play on another day.
    fn now(&self) -> Time;

    /// What a terminal that is on the air says of itself.
    fn claim(&self, terminal: UtId) -> Option<Claim>;

    /// Writes its metrics.
    ///
    /// # Errors
    /// As the writer.
    fn measure(&self, writer: &mut Writer<'_, '_>) -> core::fmt::Result {
        let _ = writer;
        Ok(())
    }

    /// The last epochs, those that are planned already included, by number.
    fn epochs(&self) -> Vec<Epoch>;

    /// The plan of an epoch; only the last few are kept.
    fn plan(&self, epoch: i64) -> Option<Arc<Plan>>;

    /// The number of the last epoch that was planned, and who waits for the next.
    fn watch(&self) -> watch::Receiver<i64>;

    /// What is different from the scenario.
    fn conditions(&self) -> Conditions;

    /// Whether these could be set.
    ///
    /// # Errors
    /// What of them the scenario does not know.
    fn check_conditions(&self, conditions: &Conditions) -> Result<(), String>;

    /// Sets what is different from the scenario, for the next plan.
    ///
    /// # Errors
    /// What of it the scenario does not know; nothing was changed.
    fn set_conditions(&self, conditions: Conditions) -> Result<(), String>;
}

/// An epoch as it is told.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// Its number.
    pub number: i64,
    /// Its first instant.
    pub start: Time,
    /// The first instant after it.
    pub end: Time,
    /// What `skyweave up --json` prints of it.
    pub report: serde_json::Value,
}

/// What all requests share.
pub(crate) struct Api {
    desk: Arc<Desk>,
    network: Arc<dyn LiveNetwork>,
    policies: Policies,
    passwords: Passwords,
    limiter: Limiter,
    answers: Answers,
    streams: Arc<Semaphore>,
    /// Whoever sets faults has them alone, from reading what is set to setting what is asked.
    faults: tokio::sync::Mutex<()>,
    requests: Requests,
    /// `None`: people sign in with passwords only.
    oidc: Option<Oidc>,
    tagger: Tagger,
    steady: Clock,
    /// Whether clients come over TLS.
    secure: bool,
}

impl Api {
    pub(crate) fn open(
        desk: Arc<Desk>,
        network: Arc<dyn LiveNetwork>,
        secure: bool,
        oidc: Option<Oidc>,
    ) -> Result<Self, Arc<StoreError>> {
        let answers = desk.ask(|store| store.records("answer")).wait()?;
        Ok(Self {
            policies: Policies::new(&desk),
            passwords: Passwords::new(),
            limiter: Limiter::default(),
            answers: Answers::load(answers),
            streams: events::places(),
            faults: tokio::sync::Mutex::default(),
            requests: Requests::default(),
            oidc,
            tagger: Tagger::new(random()),
            steady: Clock::wall(),
            desk,
            network,
            secure,
        })
    }

    /// The wall clock: of tokens, sessions and the audit log.
    pub(crate) fn wall_now(&self) -> Time {
        crate::commands::wall_clock()
    }

    /// A clock that nobody sets: of waits that begin and end here.
    pub(crate) fn steady_now(&self) -> Time {
        self.steady.now()
    }

    /// The register as it stands; not to be kept.
    pub(crate) fn register(&self) -> Arc<Register> {
        self.desk.register()
    }

    /// Makes the first owner as long as nobody has ever signed in who could make another. Returns its one-time secret, which is kept nowhere
    /// else; a new start makes a new one until it was used.
    pub(crate) fn make_owner(&self) -> Result<Option<String>, Rejected> {
        let register = self.register();
        let directory = register.directory();
        // Who was let in by an identity provider, and is no owner, could make none.
        let counts = |u: &&User| u.identity.is_none() || u.mandate == Mandate::Owner;
        let own = |id| directory.passwords().get(&id).map(|p| p.kind) == Some(PasswordKind::Own);
        let token = |id| directory.tokens().values().any(|t| t.user == id);
        let in_use = |u: &User| u.identity.is_some() || own(u.id) || token(u.id);
        if directory.users().values().filter(counts).any(in_use) {
            return Ok(None);
        }
        let owner = User {
            id: UserId(1),
            name: "owner".into(),
            mandate: Mandate::Owner,
            identity: None,
            standing: UserStanding::Active,
        };
        let secret = secret::one_time();
        let password = Password {
            hash: self.passwords.hash_now(&secret),
            kind: PasswordKind::Once,
        };
        let user = (directory.users().is_empty()).then_some(Action::PutUser(owner));
        let actions = user
            .into_iter()
            .chain([Action::SetPassword(UserId(1), password)]);
        drop(register);
        for action in actions {
            let stamp = Stamp {
                by: "rule:first_start".into(),
                at: self.wall_now(),
                why: "nobody has ever signed in".into(),
            };
            self.desk.execute(Command { stamp, action })?;
        }
        Ok(Some(secret))
    }

    /// The routes with this behind them.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        let (router, _) = routes().split_for_parts();
        router
            .fallback(no_such_address)
            .method_not_allowed_fallback(no_such_method)
            .with_state(Arc::clone(self))
            .layer(axum::middleware::from_fn(metrics::count))
            .layer(axum::Extension(Arc::clone(self)))
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "skyweave",
        description = "The service of a skyweave network: who may connect, where, and what happened. docs/api.md says how to use it.",
    ),
    components(schemas(Problem))
)]
struct Document;

/// The OpenAPI document of the interface.
pub fn openapi() -> OpenApi {
    let (_, mut document) = routes().split_for_parts();
    let components = document.components.get_or_insert_default();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of POST /api/v1/tokens"))
        .build();
    let session = ApiKeyValue::with_description(
        caller::COOKIE,
        "The cookie of POST /api/v1/session, for browsers: a change also needs an Origin of this server",
    );
    components.add_security_scheme("token", SecurityScheme::Http(token));
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    document
}

fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(session::routes())
        .merge(oidc::routes())
        .merge(users::routes())
        .merge(terminals::routes())
        .merge(areas::routes())
        .merge(accounts::routes())
        .merge(lists::routes())
        .merge(records::routes())
        .merge(network::routes())
        .merge(events::routes())
}

/// Routes that need a permission, with bodies of the usual size.
fn needs(permission: Permission) -> impl Fn(Method) -> Method {
    move |route| guarded(Needs::Permission(permission), BODY, route)
}

type Method = utoipa_axum::router::UtoipaMethodRouter<Arc<Api>>;

async fn no_such_address(uri: Uri) -> Problem {
    Problem::new(
        Kind::NotFound,
        format!(
            "nothing is at {}: /api/v1/openapi.json says what there is",
            uri.path()
        ),
    )
}

async fn no_such_method(method: axum::http::Method, uri: Uri) -> Problem {
    Problem::new(
        Kind::NoSuchMethod,
        format!("{method} is not possible at {}", uri.path()),
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever holds one of these locks only moves values.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work that takes long, off the threads that serve.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Problem::new(Kind::Broken, "the work ended in the middle"))
}
