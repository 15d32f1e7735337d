//! Users and their tokens.

use super::caller::{self, Caller, Needs, guarded};
use super::problem::{Kind, Problem};
use super::secret::{self, Secret};
use super::wire::{
    Body, Conditions, Known, Page, PageQuery, Path, Query, Why, changed, created, utc,
};
use super::write::Once;
use super::{Api, BODY, needs};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use skyweave_base::{Span, Time, Utc};
use skyweave_service::{
    AccountId, Action, Identity, Mandate, Password, PasswordKind, Permission, Role, Token, TokenId,
    Touched, User, UserId, UserStanding, UtId,
};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long a token lasts if nothing is said, and at most.
const TOKEN_LASTS: Span = Span::from_secs(90 * 86_400);
const TOKEN_LASTS_AT_MOST: Span = Span::from_secs(366 * 86_400);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let read = needs(Permission::ReadUsers);
    let change = needs(Permission::ChangeUsers);
    OpenApiRouter::new()
        .routes(read(routes!(list_users)))
        .routes(read(routes!(get_user)))
        .routes(change(routes!(add_user)))
        .routes(change(routes!(put_user)))
        .routes(change(routes!(revoke_user)))
        .routes(change(routes!(reset_user)))
        .routes(guarded(Needs::User, BODY, routes!(list_tokens)))
        .routes(guarded(Needs::User, BODY, routes!(add_token)))
        .routes(guarded(Needs::User, BODY, routes!(revoke_token)))
}

/// A user.
#[derive(Serialize, ToSchema)]
struct UserView {
    id: u64,
    name: String,
    #[schema(value_type = String)]
    role: Role,
    /// Of a customer.
    account: Option<u64>,
    /// Of a terminal.
    terminal: Option<String>,
    /// Who this is at the identity provider.
    identity: Option<IdentityView>,
    /// False of a user who was revoked.
    active: bool,
    /// `none`, `once` (a secret to choose one with), `own`.
    password: &'static str,
}

/// Who somebody is at an identity provider.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IdentityView {
    issuer: String,
    subject: String,
}

/// A user as it is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserBody {
    /// The name to sign in with.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// `owner`, `operator`, `planner`, `support`, `auditor`, `customer` or `terminal`.
    role: String,
    /// Of a customer: its account.
    account: Option<u64>,
    /// Of a terminal: which.
    terminal: Option<String>,
    /// Who this is at the identity provider.
    identity: Option<IdentityView>,
}

impl UserBody {
    fn user(self, id: UserId) -> Result<User, Problem> {
        let role: Role = self
            .role
            .parse()
            .map_err(|e: skyweave_service::NoSuchName| Problem::invalid(e.to_string()))?;
        let mandate = match (role, self.account, self.terminal) {
            (Role::Customer, Some(account), None) => Mandate::Customer(AccountId(account)),
            (Role::Customer, ..) => {
                return Err(Problem::invalid(
                    "a customer has an account and no terminal",
                ));
            }
            (Role::Terminal, None, Some(id)) => {
                let id = id.parse::<UtId>();
                Mandate::Terminal(id.map_err(|e| Problem::invalid(e.to_string()))?)
            }
            (Role::Terminal, ..) => {
                return Err(Problem::invalid(
                    "the role terminal has a terminal and no account",
                ));
            }
            (_, None, None) => match role {
                Role::Owner => Mandate::Owner,
                Role::Operator => Mandate::Operator,
                Role::Planner => Mandate::Planner,
                Role::Support => Mandate::Support,
                _ => Mandate::Auditor,
            },
            _ => {
                return Err(Problem::invalid(format!(
                    "the role {role} has neither account nor terminal"
                )));
            }
        };
        let identity = self.identity.map(|i| Identity {
            issuer: i.issuer,
            subject: i.subject,
        });
        Ok(User {
            id,
            name: self.name,
            mandate,
            identity,
            standing: UserStanding::Active,
        })
    }
}

fn view(directory: &skyweave_service::Directory, user: &User) -> UserView {
    let (account, terminal) = match user.mandate {
        Mandate::Customer(account) => (Some(account.0), None),
        Mandate::Terminal(id) => (None, Some(id.to_string())),
        _ => (None, None),
    };
    UserView {
        id: user.id.0,
        name: user.name.clone(),
        role: user.mandate.role(),
        account,
        terminal,
        identity: user.identity.as_ref().map(|i| IdentityView {
            issuer: i.issuer.clone(),
            subject: i.subject.clone(),
        }),
        active: user.standing == UserStanding::Active,
        password: match directory.passwords().get(&user.id).map(|p| p.kind) {
            None => "none",
            Some(PasswordKind::Once) => "once",
            Some(PasswordKind::Own) => "own",
        },
    }
}

/// A user and the secret for its first signing in.
#[derive(Serialize, ToSchema)]
struct WithSecret {
    user: UserView,
    /// To sign in with once and choose a password. It is shown here and never again. A new user with an identity has none:
    /// it signs in at the identity provider.
    one_time_secret: Option<String>,
}

/// All users, those revoked too.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(PageQuery),
    responses((status = 200, description = "A page of users", body = Page<UserView>)))]
async fn list_users(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<UserView>>, Problem> {
    let register = api.register();
    let directory = register.directory();
    let begin = page.begin::<u64>()?;
    let users = directory
        .users()
        .range((begin.map(UserId), Bound::Unbounded));
    page.page(users.map(|(id, user)| (id, view(directory, user))))
        .map(Json)
}

/// A user.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", params(("id" = u64, Path), Known),
    responses((status = 200, description = "The user", body = UserView)))]
async fn get_user(
    State(api): State<Arc<Api>>,
    Path(id): Path<u64>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let register = api.register();
    let directory = register.directory();
    let user = directory.users().get(&UserId(id));
    let user = user.ok_or_else(|| Problem::not_found("user", id))?;
    Ok(conditions.answer(&api.tagger.tag(user), Json(view(directory, user))))
}

/// Add a user. The answer holds a secret for signing in once, unless the user signs in at an identity provider.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", params(Why), request_body = UserBody,
    responses((status = 201, description = "Added", body = WithSecret)))]
async fn add_user(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Body(body): Body<UserBody>,
) -> Result<Response, Problem> {
    let user = body.user(UserId(0))?;
    let identified = user.identity.is_some();
    let outcome = api
        .write(&caller, why.clone(), move |register| {
            let last = register.directory().users().keys().next_back();
            let id = UserId(last.map_or(0, |id| id.0) + 1);
            Ok(Action::PutUser(User { id, ..user }))
        })
        .await?;
    let id = outcome.touched.iter().find_map(|t| match t {
        Touched::User(id) => Some(*id),
        _ => None,
    });
    let id = id.ok_or_else(|| Problem::new(Kind::Broken, "no user was made"))?;
    let mut response = if identified {
        with_secret(&api, id, None)?
    } else {
        give_secret(&api, &caller, why, id).await?
    };
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::try_from(format!("/api/v1/users/{id}"));
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Change a user's name, role or identity.
#[utoipa::path(put, path = "/api/v1/users/{id}", tag = "users", request_body = UserBody,
    params(("id" = u64, Path), Why, ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "Changed", body = UserView)))]
async fn put_user(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    why: Why,
    conditions: Conditions,
    Body(body): Body<UserBody>,
) -> Result<Response, Problem> {
    let (id, tagger) = (UserId(id), api.tagger);
    let user = body.user(id)?;
    api.write(&caller, why, move |register| {
        let before = register.directory().users().get(&id);
        let before = before.ok_or_else(|| Problem::not_found("user", id))?;
        conditions.require(&tagger.tag(before))?;
        Ok(Action::PutUser(user))
    })
    .await?;
    let register = api.register();
    let directory = register.directory();
    let user = directory.users().get(&id);
    let user = user.ok_or_else(|| Problem::not_found("user", id))?;
    Ok(changed(&api.tagger.tag(user), view(directory, user)))
}

/// Revoke a user for ever: its password, sessions and tokens end, its name stays.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "users", params(("id" = u64, Path), Why),
    responses((status = 204, description = "Revoked")))]
async fn revoke_user(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    why: Why,
) -> Result<StatusCode, Problem> {
    let id = UserId(id);
    api.write(&caller, why, move |register| {
        let there = register.directory().users().contains_key(&id);
        there
            .then_some(Action::RevokeUser(id))
            .ok_or_else(|| Problem::not_found("user", id))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a user a new secret for signing in once; its password and sessions end.
#[utoipa::path(post, path = "/api/v1/users/{id}/secret", tag = "users", params(("id" = u64, Path), Why),
    responses((status = 200, description = "The secret", body = WithSecret)))]
async fn reset_user(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    why: Why,
) -> Result<Response, Problem> {
    give_secret(&api, &caller, why, UserId(id)).await
}

async fn give_secret(
    api: &Api,
    caller: &Caller,
    why: Why,
    id: UserId,
) -> Result<Response, Problem> {
    let secret = secret::one_time();
    let password = Password {
        hash: api.passwords.hash(secret.clone()).await?,
        kind: PasswordKind::Once,
    };
    api.write(caller, why, move |register| {
        let there = register.directory().users().contains_key(&id);
        there
            .then_some(Action::SetPassword(id, password))
            .ok_or_else(|| Problem::not_found("user", id))
    })
    .await?;
    let mut response = with_secret(api, id, Some(secret))?;
    show_once(&mut response);
    Ok(response)
}

fn with_secret(
    api: &Api,
    id: UserId,
    one_time_secret: Option<String>,
) -> Result<Response, Problem> {
    let register = api.register();
    let directory = register.directory();
    let user = directory.users().get(&id);
    let user = user.ok_or_else(|| Problem::not_found("user", id))?;
    Ok(changed(
        &api.tagger.tag(user),
        WithSecret {
            user: view(directory, user),
            one_time_secret,
        },
    ))
}

/// An answer with a secret: kept neither by caches nor by us.
fn show_once(response: &mut Response) {
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response.extensions_mut().insert(Once);
}

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
struct TokenView {
    id: u64,
    /// Who acts by it.
    user: u64,
    name: String,
    /// What it allows, as far as the user's role does.
    #[schema(value_type = Vec<String>)]
    permissions: BTreeSet<Permission>,
    #[schema(value_type = String, format = DateTime)]
    created: Utc,
    #[schema(value_type = String, format = DateTime)]
    expires: Utc,
    /// Whether it has ended.
    expired: bool,
}

/// A token and its secret.
#[derive(Serialize, ToSchema)]
struct NewToken {
    #[serde(flatten)]
    token: TokenView,
    /// What to send as `Authorization: Bearer`. It is shown here and never again.
    secret: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    /// What it is for, in words.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// What it is to allow; left out: all that the user may do now.
    permissions: Option<Vec<String>>,
    /// How long it lasts, seconds: 90 days if left out, 366 days at most.
    #[schema(minimum = 1, maximum = 31_622_400)]
    lasts_s: Option<u64>,
    /// For whom, if not for oneself: that needs `change_users`.
    user: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TokenQuery {
    /// Of this user, if not one's own: that needs `read_users`.
    user: Option<u64>,
}

fn token_view(token: &Token, now: Time) -> TokenView {
    TokenView {
        id: token.id.0,
        user: token.user.0,
        name: token.name.clone(),
        permissions: token.permissions.clone(),
        created: utc(token.created),
        expires: utc(token.expires),
        expired: token.expires <= now,
    }
}

/// One's own tokens, or those of a user.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(TokenQuery, PageQuery),
    responses((status = 200, description = "A page of tokens", body = Page<TokenView>)))]
async fn list_tokens(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(of): Query<TokenQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<TokenView>>, Problem> {
    let user = of.user.map_or(caller.user, UserId);
    if user != caller.user && !caller.may(Permission::ReadUsers) {
        return Err(Problem::new(
            Kind::Forbidden,
            "tokens of others need the permission `read_users`",
        ));
    }
    let (register, now) = (api.register(), api.wall_now());
    let tokens = register.directory().tokens();
    let begin = page.begin::<u64>()?.map(TokenId);
    let tokens = tokens.range((begin, Bound::Unbounded));
    let of_user = tokens.filter(|(_, t)| t.user == user);
    page.page(of_user.map(|(id, t)| (id, token_view(t, now))))
        .map(Json)
}

/// Make a token. It can allow no more than what it is made with.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", params(Why), request_body = TokenBody,
    responses((status = 201, description = "Made", body = NewToken)))]
async fn add_token(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Body(body): Body<TokenBody>,
) -> Result<Response, Problem> {
    let user = body.user.map_or(caller.user, UserId);
    if user != caller.user && !caller.may(Permission::ChangeUsers) {
        return Err(Problem::new(
            Kind::Forbidden,
            "a token for somebody else needs the permission `change_users`",
        ));
    }
    let allowed = match user == caller.user {
        true => caller.permissions.clone(),
        false => {
            let register = api.register();
            let other = register.directory().users().get(&user);
            let other =
                other.ok_or_else(|| Problem::invalid(format!("there is no user {user}")))?;
            caller::permissions(other, None)
        }
    };
    let permissions = match body.permissions {
        None => allowed,
        Some(names) => {
            let mut asked = BTreeSet::new();
            for name in names {
                let permission: Permission = name
                    .parse()
                    .map_err(|e: skyweave_service::NoSuchName| Problem::invalid(e.to_string()))?;
                if !allowed.contains(&permission) {
                    return Err(Problem::new(
                        Kind::Forbidden,
                        format!("a token cannot allow `{permission}`, which its maker may not"),
                    ));
                }
                asked.insert(permission);
            }
            asked
        }
    };
    let lasts_at_most = TOKEN_LASTS_AT_MOST.nanos() / 1_000_000_000;
    let lasts = match body.lasts_s {
        None => TOKEN_LASTS,
        Some(s @ 1..) if i64::try_from(s).is_ok_and(|s| s <= lasts_at_most) => {
            Span::from_secs(s.cast_signed())
        }
        Some(s) => {
            return Err(Problem::invalid(format!(
                "lasts_s is {s}: expected 1 to {lasts_at_most}"
            )));
        }
    };
    let (secret, now) = (Secret::random(), api.wall_now());
    let hash = secret.hash();
    let outcome = api
        .write(&caller, why, move |register| {
            Ok(Action::AddToken(Token {
                // The number of the audit row: never used twice.
                id: TokenId(register.audit_head().rows + 1),
                user,
                name: body.name,
                hash,
                permissions,
                created: now,
                expires: now + lasts,
            }))
        })
        .await?;
    let id = outcome.touched.iter().find_map(|t| match t {
        Touched::Token(id) => Some(*id),
        _ => None,
    });
    let register = api.register();
    let token = id.and_then(|id| register.directory().tokens().get(&id));
    let token = token.ok_or_else(|| Problem::new(Kind::Broken, "no token was made"))?;
    let body = NewToken {
        token: token_view(token, now),
        secret: secret.token(token.id),
    };
    let location = format!("/api/v1/tokens/{}", token.id);
    let mut response = created(&location, &api.tagger.tag(token), body);
    show_once(&mut response);
    Ok(response)
}

/// Revoke a token of one's own, or of anybody with the permission `change_users`.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = u64, Path), Why),
    responses((status = 204, description = "Revoked")))]
async fn revoke_token(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    why: Why,
) -> Result<StatusCode, Problem> {
    let id = TokenId(id);
    let (own, all) = (caller.user, caller.may(Permission::ChangeUsers));
    api.write(&caller, why, move |register| {
        let token = register.directory().tokens().get(&id);
        // That others have tokens is nobody's business.
        token
            .filter(|t| t.user == own || all)
            .map(|_| Action::RevokeToken(id))
            .ok_or_else(|| Problem::not_found("token", id))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
