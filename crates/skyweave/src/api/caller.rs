//! Who asks, and whether that is allowed: the guard that stands before every route.
//!
//! # Algorithm
//! 1. A bearer token or a session's cookie names a user; the secret is compared by its hash.
//! 2. A user who was given a one-time secret must first choose a password.
//! 3. The route says which permission it needs; the user's role has it, and so does the token.
//! 4. A change that comes with a cookie must come from our own pages (Origin or Sec-Fetch-Site).
//!
//! The handler then gets a [`Caller`], which also knows whose things it may see.

use super::Api;
use super::problem::{Kind, Problem};
use super::secret::{self, Secret};
use super::write::IdempotencyKey;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use skyweave_base::Time;
use skyweave_service::{
    AccountId, Incident, Mandate, PasswordKind, Permission, Register, SignInId, Terminal, TokenId,
    User, UserId, UtId,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use utoipa_axum::router::UtoipaMethodRouter;

/// The cookie of a session.
pub(super) const COOKIE: &str = "skyweave_session";

/// What a route needs of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: anybody.
    Nothing,
    /// To be known, also with a one-time secret.
    Name,
    /// To be known.
    User,
    /// A permission.
    Permission(Permission),
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) mandate: Mandate,
    pub(crate) by: By,
    /// What the role and the token allow together.
    pub(crate) permissions: BTreeSet<Permission>,
    pub(crate) password: Option<PasswordKind>,
    pub(super) key: Option<IdempotencyKey>,
}

/// What the caller proved itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Token(TokenId),
    Session(SignInId),
}

/// Whose things somebody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    Account(AccountId),
    Terminal(UtId),
}

impl Caller {
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Whose things the caller may see.
    pub(crate) fn scope(&self) -> Scope {
        match self.mandate {
            Mandate::Customer(account) => Scope::Account(account),
            Mandate::Terminal(terminal) => Scope::Terminal(terminal),
            _ => Scope::All,
        }
    }

    /// As the audit log names the caller.
    pub(crate) fn stamp_name(&self) -> String {
        match self.by {
            By::Token(token) => format!("user:{} token:{token}", self.user),
            By::Session(_) => format!("user:{}", self.user),
        }
    }

    /// A terminal, if it is there and the caller may know of it.
    pub(crate) fn terminal<'a>(
        &self,
        register: &'a Register,
        id: UtId,
    ) -> Result<&'a Terminal, Problem> {
        let terminal = register.terminals().get(&id);
        terminal
            .filter(|t| self.sees_terminal(t))
            .ok_or_else(|| Problem::not_found("terminal", id))
    }

    /// Whether the caller may know of a terminal.
    pub(crate) fn sees_terminal(&self, terminal: &Terminal) -> bool {
        match self.scope() {
            Scope::All => true,
            Scope::Account(account) => {
                terminal.state.registration().map(|r| r.account) == Some(account)
            }
            Scope::Terminal(own) => terminal.id == own,
        }
    }

    /// Whether the caller may know of an account.
    pub(crate) fn sees_account(&self, account: AccountId) -> bool {
        match self.scope() {
            Scope::All => true,
            Scope::Account(own) => account == own,
            Scope::Terminal(_) => false,
        }
    }

    /// Whether the caller may know of an incident: all its terminals are the caller's.
    pub(crate) fn sees_incident(&self, register: &Register, incident: &Incident) -> bool {
        let mut terminals = incident.terminals.iter();
        self.scope() == Scope::All
            || terminals.all(|id| {
                let terminal = register.terminals().get(id);
                terminal.is_some_and(|t| self.sees_terminal(t))
            })
    }

    /// Who asks, by what the request carries.
    fn find(api: &Api, headers: &HeaderMap, now: Time) -> Result<Self, Problem> {
        let register = api.desk.register();
        let directory = register.directory();
        let unknown = |detail| Problem::new(Kind::Unauthenticated, detail);
        let (user, by, limit) = if let Some(given) = bearer(headers)? {
            let (id, secret) = secret::parse_token(given)
                .ok_or_else(|| unknown("the bearer token is not one of this service"))?;
            let (user, token) = directory
                .by_token(TokenId(id), secret.hash(), now)
                .ok_or_else(|| unknown("the token is wrong, has ended or was revoked"))?;
            (user, By::Token(token.id), Some(&token.permissions))
        } else if let Some((id, secret)) = cookie(headers) {
            let (user, sign_in) = directory
                .by_sign_in(SignInId(id), secret.hash(), now)
                .ok_or_else(|| unknown("the session has ended: sign in again"))?;
            (user, By::Session(sign_in.id), None)
        } else {
            return Err(unknown(
                "send `Authorization: Bearer TOKEN`, or sign in at /api/v1/session",
            ));
        };
        Ok(Self {
            permissions: permissions(user, limit),
            password: directory.passwords().get(&user.id).map(|p| p.kind),
            user: user.id,
            name: user.name.clone(),
            mandate: user.mandate,
            by,
            key: None,
        })
    }

    fn check(&self, needs: Needs, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let by_cookie = matches!(self.by, By::Session(_));
        if by_cookie && !method.is_safe() {
            check_origin(headers)?;
        }
        if by_cookie && needs != Needs::Name && self.password == Some(PasswordKind::Once) {
            return Err(Problem::new(
                Kind::ChoosePassword,
                "the secret was for once: choose a password at /api/v1/session/password",
            ));
        }
        match needs {
            Needs::Permission(permission) if !self.may(permission) => Err(Problem::new(
                Kind::Forbidden,
                format!("this needs the permission `{permission}`"),
            )),
            _ => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller
            .ok_or_else(|| Problem::new(Kind::Broken, "this route asks who calls and lets anybody"))
    }
}

/// What a user may do, if its token limits it to these.
pub(super) fn permissions(
    user: &User,
    limit: Option<&BTreeSet<Permission>>,
) -> BTreeSet<Permission> {
    let role = user.mandate.role();
    Permission::all()
        .filter(|p| role.may(*p) && limit.is_none_or(|limit| limit.contains(p)))
        .collect()
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let unknown = || {
        Problem::new(
            Kind::Unauthenticated,
            "expected `Authorization: Bearer TOKEN`",
        )
    };
    token.ok_or_else(unknown).map(Some)
}

fn cookie(headers: &HeaderMap) -> Option<(u64, Secret)> {
    secret::parse_session(cookie_named(headers, COOKIE)?)
}

/// The value of a cookie.
pub(super) fn cookie_named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter();
    let mut pairs = all
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'));
    pairs.find_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    })
}

/// A browser sends a cookie whoever made the page; it says truly where the page is from. SameSite=Strict is one barrier
/// against pages of others, this is the second (OWASP, "Cross-Site Request Forgery Prevention", verifying the origin).
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let same = match (text("origin"), text("sec-fetch-site")) {
        (Some(origin), _) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, Some(site)) => site == "same-origin",
        (None, None) => false,
    };
    if same {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        "a change with a session's cookie must come from this server's own pages: Origin does not name it; programs use tokens",
    ))
}

/// Puts the guard before a route, and what follows from it into the document.
pub(crate) fn guarded(
    needs: Needs,
    largest_body: usize,
    (schemas, mut paths, router): UtoipaMethodRouter<Arc<Api>>,
) -> UtoipaMethodRouter<Arc<Api>> {
    super::document::complete(&mut paths, needs);
    let guard = move |request: Request, next: Next| guard(needs, largest_body, request, next);
    let router = router
        .route_layer(axum::middleware::from_fn(guard))
        .layer(axum::extract::DefaultBodyLimit::max(largest_body));
    (schemas, paths, router)
}

async fn guard(needs: Needs, largest_body: usize, mut request: Request, next: Next) -> Response {
    if needs == Needs::Nothing {
        return next.run(request).await;
    }
    let Some(api) = request.extensions().get::<Arc<Api>>().cloned() else {
        return Problem::new(Kind::Broken, "the router has no service behind it").into_response();
    };
    let found = Caller::find(&api, request.headers(), api.wall_now()).and_then(|caller| {
        caller.check(needs, request.method(), request.headers())?;
        Ok(caller)
    });
    match found {
        Err(problem) => problem.into_response(),
        Ok(caller) if request.method() == Method::POST => {
            super::write::once(&api, caller, largest_body, request, next).await
        }
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    }
}
