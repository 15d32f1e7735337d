//! Signing in with a password, and who one is.

use super::caller::{self, By, COOKIE, Caller, Needs, guarded};
use super::document::may_fail;
use super::problem::{Kind, Problem};
use super::secret::Secret;
use super::wire::{Body, utc};
use super::write::Once;
use super::{Api, BODY, lock};
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use skyweave_base::{Span, Time, Utc};
use skyweave_service::{
    Action, Mandate, Password, PasswordKind, Permission, Role, SignIn, SignInId, Stamp, Touched,
    User, UserId, UserStanding,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long a session lasts.
const LASTS: Span = Span::from_secs(12 * 3600);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let tries = |route| may_fail(&[Kind::Unauthenticated, Kind::TooManyRequests], route);
    OpenApiRouter::new()
        .routes(guarded(Needs::Nothing, BODY, tries(routes!(sign_in))))
        .routes(guarded(Needs::Name, BODY, routes!(sign_out)))
        .routes(guarded(Needs::Name, BODY, tries(routes!(choose_password))))
        .routes(guarded(Needs::Name, BODY, routes!(me)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// The user's name.
    name: String,
    /// The password, or the one-time secret.
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The password as it is, or the one-time secret.
    old: String,
    /// What it is to be.
    #[schema(min_length = 15, max_length = 256)]
    new: String,
}

/// Who asks, and what that may do.
#[derive(Serialize, ToSchema)]
struct Me {
    user: u64,
    name: String,
    #[schema(value_type = String)]
    role: Role,
    /// Of a customer.
    account: Option<u64>,
    /// Of a terminal.
    terminal: Option<String>,
    #[schema(value_type = Vec<String>)]
    permissions: Vec<Permission>,
    /// True after signing in with a one-time secret: nothing else is possible before.
    must_choose_password: bool,
}

impl From<&Caller> for Me {
    fn from(caller: &Caller) -> Self {
        let (account, terminal) = match caller.mandate {
            Mandate::Customer(account) => (Some(account.0), None),
            Mandate::Terminal(id) => (None, Some(id.to_string())),
            _ => (None, None),
        };
        Self {
            user: caller.user.0,
            name: caller.name.clone(),
            role: caller.mandate.role(),
            account,
            terminal,
            permissions: caller.permissions.iter().copied().collect(),
            must_choose_password: matches!(caller.by, By::Session(_))
                && caller.password == Some(PasswordKind::Once),
        }
    }
}

/// A session that has begun.
#[derive(Serialize, ToSchema)]
pub(super) struct Opened {
    #[serde(flatten)]
    me: Me,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires: Utc,
}

/// Sign in with a name and a password. The answer sets the session's cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = Credentials,
    responses((status = 200, description = "Signed in", body = Opened)))]
async fn sign_in(
    State(api): State<Arc<Api>>,
    address: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    Body(given): Body<Credentials>,
) -> Result<Response, Problem> {
    let address = address.map(|axum::Extension(ConnectInfo(a))| a.ip());
    let user = checked(&api, address, &given.name, given.password).await?;
    open(&api, &user, "signed in with a password").await
}

/// Sign out: the session ends.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session",
    responses((status = 204, description = "Signed out")))]
async fn sign_out(State(api): State<Arc<Api>>, caller: Caller) -> Result<Response, Problem> {
    let By::Session(id) = caller.by else {
        return Err(Problem::new(
            Kind::Conflict,
            "this is a token and no session: DELETE /api/v1/tokens/{id} ends it",
        ));
    };
    let stamp = stamp(&api, caller.user, "signed out");
    api.execute(stamp, None, move |register| {
        let there = register.directory().sign_ins().contains_key(&id);
        there
            .then_some(Action::SignOut(id))
            .ok_or_else(|| Problem::new(Kind::Unauthenticated, "the session has ended"))
    })
    .await?;
    let gone = cookie(&api, "", 0);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

/// Choose a password. All sessions of the user end, and a new one begins.
#[utoipa::path(post, path = "/api/v1/session/password", tag = "session", request_body = NewPassword,
    responses((status = 200, description = "Chosen, and signed in anew", body = Opened)))]
async fn choose_password(
    State(api): State<Arc<Api>>,
    address: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    caller: Caller,
    Body(given): Body<NewPassword>,
) -> Result<Response, Problem> {
    let address = address.map(|axum::Extension(ConnectInfo(a))| a.ip());
    if given.new == given.old {
        return Err(Problem::invalid("the new password is the old one"));
    }
    let user = checked(&api, address, &caller.name, given.old).await?;
    let hash = api.passwords.hash(given.new).await?;
    let id = user.id;
    let chosen = stamp(&api, id, "chose a password");
    api.execute(chosen, None, move |_| {
        let kind = PasswordKind::Own;
        Ok(Action::SetPassword(id, Password { hash, kind }))
    })
    .await?;
    open(&api, &user, "signed in after choosing a password").await
}

/// Who one is, and what one may do.
#[utoipa::path(get, path = "/api/v1/me", tag = "session",
    responses((status = 200, description = "The user", body = Me)))]
async fn me(caller: Caller) -> Json<Me> {
    Json(Me::from(&caller))
}

/// The user of a name and a password. Attempts are limited by name and by address.
async fn checked(
    api: &Api,
    address: Option<IpAddr>,
    name: &str,
    password: String,
) -> Result<User, Problem> {
    api.limiter.admit(address, Some(name), api.steady_now())?;
    let (user, expected) = {
        let register = api.register();
        let directory = register.directory();
        let user = directory.user_named(name);
        let user = user.filter(|u| u.standing == UserStanding::Active);
        let password = user.and_then(|u| directory.passwords().get(&u.id));
        (user.cloned(), password.map(|p| p.hash.clone()))
    };
    let right = api.passwords.verify(password, expected).await?;
    match user.filter(|_| right) {
        Some(user) => {
            api.limiter.forget(address, Some(name));
            Ok(user)
        }
        None => Err(Problem::new(
            Kind::Unauthenticated,
            "the name or the password is wrong",
        )),
    }
}

/// Opens a session and sets its cookie.
pub(super) async fn open(api: &Api, user: &User, why: &str) -> Result<Response, Problem> {
    let secret = Secret::random();
    let (id, hash) = (user.id, secret.hash());
    let stamp = stamp(api, id, why);
    let opened = stamp.at;
    let outcome = api
        .execute(stamp, None, move |register| {
            Ok(Action::SignIn(SignIn {
                // The number of the audit row: never used twice.
                id: SignInId(register.audit_head().rows + 1),
                user: id,
                hash,
                opened,
                expires: opened + LASTS,
            }))
        })
        .await?;
    let session = outcome.touched.iter().rev().find_map(|t| match t {
        Touched::SignIn(id) => Some(*id),
        _ => None,
    });
    let session = session.ok_or_else(|| Problem::new(Kind::Broken, "no session was made"))?;
    let password = api
        .register()
        .directory()
        .passwords()
        .get(&id)
        .map(|p| p.kind);
    let caller = Caller {
        user: id,
        name: user.name.clone(),
        mandate: user.mandate,
        by: By::Session(session),
        permissions: caller::permissions(user, None),
        password,
        key: None,
    };
    let body = Opened {
        me: Me::from(&caller),
        expires: utc(opened + LASTS),
    };
    let cookie = cookie(api, &secret.session(session), LASTS.nanos() / 1_000_000_000);
    let mut response = ([(header::SET_COOKIE, cookie)], Json(body)).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response.extensions_mut().insert(Once);
    Ok(response)
}

/// A session is the user's own act: its reason is said here.
fn stamp(api: &Api, user: UserId, why: &str) -> Stamp {
    Stamp {
        by: format!("user:{user}"),
        at: api.wall_now(),
        why: why.to_owned(),
    }
}

fn cookie(api: &Api, value: &str, max_age_s: i64) -> String {
    // Over plain HTTP, which is for loopback, a browser would not send a Secure cookie.
    let secure = if api.secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}")
}

/// Attempts in this time count, and so many are too many: for one name, and for one address.
const WINDOW: Span = Span::from_secs(15 * 60);
const ATTEMPTS_OF_NAME: usize = 10;
const ATTEMPTS_OF_ADDRESS: usize = 30;
/// Names and addresses that are remembered: beyond, all wait.
const MOST_REMEMBERED: usize = 100_000;

/// Counts attempts to sign in.
#[derive(Default)]
pub(super) struct Limiter(Mutex<BTreeMap<String, VecDeque<Time>>>);

impl Limiter {
    /// A name is not known before somebody comes back from an identity provider.
    fn keys(address: Option<IpAddr>, name: Option<&str>) -> (String, Option<String>) {
        // An IPv6 subscriber has a /64 (RFC 6177): its addresses are one.
        let address = match address {
            Some(IpAddr::V6(a)) => format!("address {:x?}", &a.segments()[..4]),
            Some(IpAddr::V4(a)) => format!("address {a}"),
            None => "address unknown".to_owned(),
        };
        let name = name.map(|n| n.chars().take(100).collect::<String>());
        (address, name.map(|name| format!("name {name}")))
    }

    /// Counts an attempt, or refuses it.
    pub(super) fn admit(
        &self,
        address: Option<IpAddr>,
        name: Option<&str>,
        now: Time,
    ) -> Result<(), Problem> {
        let mut all = lock(&self.0);
        if all.len() >= MOST_REMEMBERED {
            all.retain(|_, times| times.back().is_some_and(|t| now - *t < WINDOW));
        }
        let wait = |until: Time| {
            let seconds = ((until - now).nanos() / 1_000_000_000).max(0) + 1;
            let detail = format!("too many attempts to sign in: try again in {seconds} s");
            Problem::new(Kind::TooManyRequests, detail).retry_after(seconds.cast_unsigned())
        };
        if all.len() >= MOST_REMEMBERED {
            return Err(wait(now + WINDOW));
        }
        let (address, name) = Self::keys(address, name);
        let name = name.map(|key| (key, ATTEMPTS_OF_NAME));
        let keys = name.into_iter().chain([(address, ATTEMPTS_OF_ADDRESS)]);
        let keys: Vec<_> = keys.collect();
        for (key, most) in &keys {
            if let Some(times) = all.get_mut(key) {
                times.retain(|t| now - *t < WINDOW);
                if let Some(first) = times.front().filter(|_| times.len() >= *most) {
                    return Err(wait(*first + WINDOW));
                }
            }
        }
        for (key, _) in keys {
            all.entry(key).or_default().push_back(now);
        }
        Ok(())
    }

    /// Somebody was right: what was tried before counts no more.
    pub(super) fn forget(&self, address: Option<IpAddr>, name: Option<&str>) {
        let mut all = lock(&self.0);
        let (address, name) = Self::keys(address, name);
        if let Some(name) = name {
            all.remove(&name);
        }
        // The address may try other names still.
        if let Some(times) = all.get_mut(&address) {
            times.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_name_and_by_address_and_forgotten_in_time() {
        let limiter = Limiter::default();
        let at = |s: i64| Time::from_nanos(s * 1_000_000_000);
        let from = |n: u8| Some(IpAddr::from([192, 0, 2, n]));
        for n in 0..ATTEMPTS_OF_NAME {
            limiter
                .admit(from(n as u8), Some("anna"), at(n as i64))
                .unwrap();
        }
        let refused = limiter.admit(from(99), Some("anna"), at(20)).unwrap_err();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        limiter.admit(from(99), Some("boris"), at(20)).unwrap();
        // The first attempt is forgotten after the window.
        limiter.admit(from(99), Some("anna"), at(15 * 60)).unwrap();
        for n in 0..ATTEMPTS_OF_ADDRESS {
            limiter
                .admit(from(200), Some(&format!("user {n}")), at(n as i64))
                .unwrap();
        }
        assert!(limiter.admit(from(200), Some("another"), at(40)).is_err());
        // Being right frees the name, not the address.
        limiter.forget(from(1), Some("anna"));
        limiter.admit(from(1), Some("anna"), at(15 * 60)).unwrap();
    }
}
