//! Allow lists, their entries and requests, and the deny list.

use super::caller::Caller;
use super::problem::{Kind, Problem};
use super::wire::{
    Body, Conditions, Known, Page, PageQuery, Path, Query, Why, changed, created, utc,
};
use super::{Api, aside, needs};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use skyweave_base::Utc;
use skyweave_service::{
    AccountId, Action, AllowList, Denied, ListEntry, ListId, ListRequest, OwnerLimits, Permission,
    Register, RequestId, RequestState, Seen, UtId,
};
use std::ops::Bound;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let read = needs(Permission::ReadLists);
    let decide = needs(Permission::DecideListing);
    let deny = needs(Permission::ChangeDenied);
    OpenApiRouter::new()
        .routes(read(routes!(list_all)))
        .routes(read(routes!(get_one)))
        .routes(needs(Permission::ChangeLists)(routes!(put_one)))
        .routes(read(routes!(entries)))
        .routes(decide(routes!(unlist)))
        .routes(read(routes!(requests)))
        .routes(read(routes!(get_request)))
        .routes(needs(Permission::RequestListing)(routes!(ask)))
        .routes(decide(routes!(approve)))
        .routes(decide(routes!(reject)))
        .routes(needs(Permission::ReadDenied)(routes!(denied)))
        .routes(deny(routes!(deny_one)))
        .routes(deny(routes!(undeny_terminal)))
        .routes(deny(routes!(undeny_account)))
}

/// An allow list without its entries.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ListBody {
    /// Its number, as the address names it; may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    limits: LimitsBody,
}

/// The most terminals of one holder; left out: no limit.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LimitsBody {
    /// Of a person, terminals not shown to anybody.
    person: Option<u32>,
    /// Of a person who shows the terminals.
    person_shown: Option<u32>,
    /// Of an organisation.
    company: Option<u32>,
    /// Of an organisation of critical infrastructure.
    critical: Option<u32>,
}

fn view(list: &AllowList) -> ListBody {
    ListBody {
        id: Some(list.id.0.into()),
        name: list.name.clone(),
        limits: LimitsBody {
            person: list.limits.person,
            person_shown: list.limits.person_shown,
            company: list.limits.company,
            critical: list.limits.critical,
        },
    }
}

fn find(register: &Register, id: u32) -> Result<&AllowList, Problem> {
    let list = register.lists().get(&ListId(id));
    list.ok_or_else(|| Problem::not_found("list", id))
}

/// Allow lists by id.
#[utoipa::path(get, path = "/api/v1/lists", tag = "lists", params(PageQuery),
    responses((status = 200, description = "A page of lists", body = Page<ListBody>)))]
async fn list_all(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ListBody>>, Problem> {
    let register = api.register();
    let begin = page.begin::<u32>()?.map(ListId);
    let lists = register.lists().range((begin, Bound::Unbounded));
    page.page(lists.map(|(id, list)| (id, view(list))))
        .map(Json)
}

/// An allow list.
#[utoipa::path(get, path = "/api/v1/lists/{id}", tag = "lists", params(("id" = u32, Path), Known),
    responses((status = 200, description = "The list", body = ListBody)))]
async fn get_one(
    State(api): State<Arc<Api>>,
    Path(id): Path<u32>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let register = api.register();
    let list = find(&register, id)?;
    Ok(conditions.answer(&tag(&api, list), Json(view(list))))
}

/// Of what a PUT changes: entries and requests have their own life.
fn tag(api: &Api, list: &AllowList) -> String {
    api.tagger.tag(&(&list.name, &list.limits))
}

/// Add an allow list under a number, or change its name and limits.
#[utoipa::path(put, path = "/api/v1/lists/{id}", tag = "lists", request_body = ListBody,
    params(("id" = u32, Path), Why, ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, description = "As it now stands", body = ListBody)))]
async fn put_one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u32>,
    why: Why,
    conditions: Conditions,
    Body(body): Body<ListBody>,
) -> Result<Response, Problem> {
    super::accounts::same_number(body.id, id.into())?;
    let name = super::accounts::name(body.name)?;
    let limits = OwnerLimits {
        person: body.limits.person,
        person_shown: body.limits.person_shown,
        company: body.limits.company,
        critical: body.limits.critical,
    };
    let tagger = api.tagger;
    api.write(&caller, why, move |register| {
        match register.lists().get(&ListId(id)) {
            Some(list) => conditions.require(&tagger.tag(&(&list.name, &list.limits)))?,
            None => conditions.absent()?,
        }
        Ok(Action::PutList(ListId(id), name, limits))
    })
    .await?;
    let register = api.register();
    let list = find(&register, id)?;
    Ok(changed(&tag(&api, list), view(list)))
}

/// A terminal on a list, for one account only.
#[derive(Serialize, ToSchema)]
struct EntryView {
    terminal: String,
    account: u64,
    request: u64,
}

impl EntryView {
    fn of(terminal: UtId, entry: &ListEntry) -> Self {
        Self {
            terminal: terminal.to_string(),
            account: entry.account.0,
            request: entry.request.0,
        }
    }
}

/// Who is on a list; a customer sees its own entries.
#[utoipa::path(get, path = "/api/v1/lists/{id}/entries", tag = "lists", params(("id" = u32, Path), PageQuery),
    responses((status = 200, description = "A page of entries", body = Page<EntryView>)))]
async fn entries(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u32>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<EntryView>>, Problem> {
    let begin = page.begin::<UtId>()?;
    aside(move || {
        let register = api.register();
        let all = find(&register, id)?
            .entries
            .range((begin, Bound::Unbounded));
        let seen = all.filter(|(_, e)| caller.sees_account(e.account));
        page.page(seen.map(|(id, e)| (id, EntryView::of(*id, e))))
    })
    .await?
    .map(Json)
}

/// Take a terminal off a list.
#[utoipa::path(delete, path = "/api/v1/lists/{id}/entries/{terminal}", tag = "lists",
    params(("id" = u32, Path), ("terminal" = String, Path), Why),
    responses((status = 204, description = "It is off")))]
async fn unlist(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((id, terminal)): Path<(u32, UtId)>,
    why: Why,
) -> Result<StatusCode, Problem> {
    api.write(&caller, why, move |register| {
        let there = find(register, id)?.entries.contains_key(&terminal);
        there
            .then_some(Action::Unlist(ListId(id), terminal))
            .ok_or_else(|| Problem::not_found("entry of terminal", terminal))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A request to be put on a list.
#[derive(Serialize, ToSchema)]
struct RequestView {
    id: u64,
    terminal: String,
    account: u64,
    /// Whether the terminal was shown in person.
    shown: bool,
    #[schema(value_type = String, format = DateTime)]
    at: Utc,
    /// `pending`, `approved` or `rejected`.
    #[schema(value_type = String)]
    state: RequestState,
}

impl RequestView {
    fn of(id: RequestId, r: &ListRequest) -> Self {
        Self {
            id: id.0,
            terminal: r.terminal.to_string(),
            account: r.account.0,
            shown: r.seen == Seen::Shown,
            at: utc(r.at),
            state: r.state,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RequestFilter {
    /// `pending`, `approved` or `rejected`.
    #[param(value_type = Option<String>)]
    state: Option<RequestState>,
}

/// Requests of a list; a customer sees its own.
#[utoipa::path(get, path = "/api/v1/lists/{id}/requests", tag = "lists",
    params(("id" = u32, Path), RequestFilter, PageQuery),
    responses((status = 200, description = "A page of requests", body = Page<RequestView>)))]
async fn requests(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u32>,
    Query(filter): Query<RequestFilter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<RequestView>>, Problem> {
    let begin = page.begin::<u64>()?.map(RequestId);
    aside(move || {
        let register = api.register();
        let all = find(&register, id)?
            .requests
            .range((begin, Bound::Unbounded));
        let seen = all.filter(|(_, r)| {
            caller.sees_account(r.account) && filter.state.is_none_or(|s| r.state == s)
        });
        page.page(seen.map(|(id, r)| (id, RequestView::of(*id, r))))
    })
    .await?
    .map(Json)
}

fn request<'a>(
    register: &'a Register,
    caller: &Caller,
    list: u32,
    id: u64,
) -> Result<&'a ListRequest, Problem> {
    let asked = find(register, list)?.requests.get(&RequestId(id));
    asked
        .filter(|r| caller.sees_account(r.account))
        .ok_or_else(|| Problem::not_found("request", id))
}

/// A request.
#[utoipa::path(get, path = "/api/v1/lists/{id}/requests/{request}", tag = "lists",
    params(("id" = u32, Path), ("request" = u64, Path), Known),
    responses((status = 200, description = "The request", body = RequestView)))]
async fn get_request(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((list, id)): Path<(u32, u64)>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let register = api.register();
    let asked = request(&register, &caller, list, id)?;
    let view = RequestView::of(RequestId(id), asked);
    Ok(conditions.answer(&api.tagger.tag(asked), Json(view)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Asking {
    #[schema(value_type = String, pattern = "^ut[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$")]
    terminal: UtId,
    /// Whether the terminal was shown in person, at a service centre for example: not a customer's to say.
    #[serde(default)]
    shown: bool,
}

/// Ask for a terminal to be put on a list.
#[utoipa::path(post, path = "/api/v1/lists/{id}/requests", tag = "lists", request_body = Asking,
    params(("id" = u32, Path), Why),
    responses((status = 201, description = "Asked", body = RequestView)))]
async fn ask(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(list): Path<u32>,
    why: Why,
    Body(body): Body<Asking>,
) -> Result<Response, Problem> {
    if body.shown && caller.scope() != super::caller::Scope::All {
        return Err(Problem::new(
            Kind::Forbidden,
            "that a terminal was shown is said by whoever saw it",
        ));
    }
    let (who, seen) = (
        caller.clone(),
        if body.shown {
            Seen::Shown
        } else {
            Seen::Unseen
        },
    );
    let made = Arc::new(std::sync::Mutex::new(None));
    let out = Arc::clone(&made);
    api.write(&caller, why, move |register| {
        // In a customer's eyes a terminal of somebody else does not exist.
        who.terminal(register, body.terminal)
            .map_err(|p| Problem::invalid(p.detail))?;
        let last = find(register, list)?.requests.keys().next_back();
        let id = RequestId(super::accounts::next(last.map(|id| id.0))?);
        *super::lock(&out) = Some(id);
        Ok(Action::Request(ListId(list), id, body.terminal, seen))
    })
    .await?;
    let id = *super::lock(&made);
    let id = id.ok_or_else(|| Problem::new(Kind::Broken, "no request was made"))?;
    let register = api.register();
    let asked = request(&register, &caller, list, id.0)?;
    let location = format!("/api/v1/lists/{list}/requests/{id}");
    Ok(created(
        &location,
        &api.tagger.tag(asked),
        RequestView::of(id, asked),
    ))
}

async fn decide(
    api: &Api,
    caller: &Caller,
    (list, id): (u32, u64),
    why: Why,
    action: fn(ListId, RequestId) -> Action,
) -> Result<Response, Problem> {
    let who = caller.clone();
    api.write(caller, why, move |register| {
        request(register, &who, list, id)?;
        Ok(action(ListId(list), RequestId(id)))
    })
    .await?;
    let register = api.register();
    let asked = request(&register, caller, list, id)?;
    let view = RequestView::of(RequestId(id), asked);
    Ok(changed(&api.tagger.tag(asked), view))
}

/// Approve a request: the terminal is on the list, within the holder's limit.
#[utoipa::path(post, path = "/api/v1/lists/{id}/requests/{request}/approve", tag = "lists",
    params(("id" = u32, Path), ("request" = u64, Path), Why),
    responses((status = 200, description = "Approved", body = RequestView)))]
async fn approve(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(at): Path<(u32, u64)>,
    why: Why,
) -> Result<Response, Problem> {
    decide(&api, &caller, at, why, Action::Approve).await
}

/// Reject a request.
#[utoipa::path(post, path = "/api/v1/lists/{id}/requests/{request}/reject", tag = "lists",
    params(("id" = u32, Path), ("request" = u64, Path), Why),
    responses((status = 200, description = "Rejected", body = RequestView)))]
async fn reject(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(at): Path<(u32, u64)>,
    why: Why,
) -> Result<Response, Problem> {
    decide(&api, &caller, at, why, Action::Reject).await
}

/// Somebody without service: one of the two.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeniedBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^ut[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$")]
    terminal: Option<UtId>,
    /// An account with all its terminals.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<u64>,
}

impl From<Denied> for DeniedBody {
    fn from(whom: Denied) -> Self {
        match whom {
            Denied::Terminal(id) => Self {
                terminal: Some(id),
                account: None,
            },
            Denied::Account(id) => Self {
                terminal: None,
                account: Some(id.0),
            },
        }
    }
}

/// A place in the deny list: `terminal/...` or `account/...`.
struct At(Denied);

impl core::str::FromStr for At {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let denied = match text.split_once('/').ok_or(())? {
            ("terminal", id) => Denied::Terminal(id.parse().map_err(drop)?),
            ("account", id) => Denied::Account(AccountId(id.parse().map_err(drop)?)),
            _ => return Err(()),
        };
        Ok(Self(denied))
    }
}

fn at(whom: Denied) -> String {
    match whom {
        Denied::Terminal(id) => format!("terminal/{id}"),
        Denied::Account(id) => format!("account/{id}"),
    }
}

/// The deny list: terminals, then accounts.
#[utoipa::path(get, path = "/api/v1/denied", tag = "denied", params(PageQuery),
    responses((status = 200, description = "A page of the deny list", body = Page<DeniedBody>)))]
async fn denied(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<DeniedBody>>, Problem> {
    let register = api.register();
    let begin = page.begin::<At>()?.map(|at| at.0);
    let all = register.denied().range((begin, Bound::Unbounded));
    page.page(all.map(|whom| (at(*whom), DeniedBody::from(*whom))))
        .map(Json)
}

/// Put a terminal or an account on the deny list.
#[utoipa::path(post, path = "/api/v1/denied", tag = "denied", params(Why), request_body = DeniedBody,
    responses((status = 201, description = "It is on the list", body = DeniedBody)))]
async fn deny_one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Body(body): Body<DeniedBody>,
) -> Result<Response, Problem> {
    let whom = match (body.terminal, body.account) {
        (Some(id), None) => Denied::Terminal(id),
        (None, Some(id)) => Denied::Account(AccountId(id)),
        _ => return Err(Problem::invalid("expected either a terminal or an account")),
    };
    api.write(&caller, why, move |register| {
        let there = match whom {
            Denied::Terminal(id) => register.terminals().contains_key(&id),
            Denied::Account(id) => register.accounts().contains_key(&id),
        };
        there
            .then_some(Action::Deny(whom))
            .ok_or_else(|| Problem::invalid(format!("there is no {}", at(whom).replace('/', " "))))
    })
    .await?;
    let location = match whom {
        Denied::Terminal(id) => format!("/api/v1/denied/terminals/{id}"),
        Denied::Account(id) => format!("/api/v1/denied/accounts/{id}"),
    };
    Ok(created(
        &location,
        &api.tagger.tag(&whom),
        DeniedBody::from(whom),
    ))
}

async fn undeny(api: &Api, caller: &Caller, why: Why, whom: Denied) -> Result<StatusCode, Problem> {
    api.write(caller, why, move |register| {
        let there = register.denied().contains(&whom);
        there
            .then_some(Action::Undeny(whom))
            .ok_or_else(|| Problem::not_found("entry of the deny list", at(whom)))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a terminal off the deny list.
#[utoipa::path(delete, path = "/api/v1/denied/terminals/{id}", tag = "denied", params(("id" = String, Path), Why),
    responses((status = 204, description = "It is off")))]
async fn undeny_terminal(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<UtId>,
    why: Why,
) -> Result<StatusCode, Problem> {
    undeny(&api, &caller, why, Denied::Terminal(id)).await
}

/// Take an account off the deny list.
#[utoipa::path(delete, path = "/api/v1/denied/accounts/{id}", tag = "denied", params(("id" = u64, Path), Why),
    responses((status = 204, description = "It is off")))]
async fn undeny_account(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    why: Why,
) -> Result<StatusCode, Problem> {
    undeny(&api, &caller, why, Denied::Account(AccountId(id))).await
}
