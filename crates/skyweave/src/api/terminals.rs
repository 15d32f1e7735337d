//! Terminals: who they are, the steps of their life, where they are, and why they have or have not service.

use super::caller::{Caller, Needs, Scope, guarded};
use super::problem::{Kind, Problem};
use super::wire::{
    Body, Conditions, Known, Page, PageQuery, Path, Position, Query, Why, cell, changed, created,
    utc,
};
use super::{Api, aside, needs};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use skyweave_base::{Geodetic, Time, Utc};
use skyweave_service::{
    AccountId, Action, AreaId, BatchId, Claim, Code, Considered, Decision, Explanation, KeyProof,
    Market, Permission, Place, PlanId, PublicKey, Rule, Service, State as Life, Step, Terminal,
    UtId, parse_new_terminals,
};
use std::ops::Bound;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bytes of a file of terminals: two million of them.
const IMPORT: usize = 256 << 20;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let read = needs(Permission::ReadTerminals);
    let change = needs(Permission::ChangeTerminals);
    let pause = needs(Permission::PauseTerminals);
    let block = needs(Permission::BlockTerminals);
    let import = Needs::Permission(Permission::AddTerminals);
    OpenApiRouter::new()
        .routes(read(routes!(list)))
        .routes(read(routes!(get)))
        .routes(read(routes!(explain)))
        .routes(needs(Permission::ReadLocations)(routes!(location)))
        .routes(needs(Permission::AddTerminals)(routes!(add)))
        .routes(guarded(import, IMPORT, routes!(import_csv)))
        .routes(change(routes!(sell)))
        .routes(change(routes!(register)))
        .routes(change(routes!(release)))
        .routes(change(routes!(activate)))
        .routes(change(routes!(deactivate)))
        .routes(pause(routes!(suspend)))
        .routes(pause(routes!(resume)))
        .routes(block(routes!(block_it)))
        .routes(block(routes!(restore)))
        .routes(block(routes!(retire)))
}

/// A terminal. Where it is stands here as a cell only.
#[derive(Serialize, ToSchema)]
struct TerminalView {
    #[schema(example = "ut01000000-00000000-0012ab34")]
    id: String,
    /// The public half of its Ed25519 key, hexadecimal.
    key: String,
    model: String,
    batch: u32,
    /// `manufactured`, `sold`, `registered`, `activated`, `suspended`, `blocked` or `retired`.
    state: &'static str,
    /// Of a blocked one: what it was before.
    before: Option<&'static str>,
    /// Where it was sold.
    market: Option<String>,
    account: Option<u64>,
    plan: Option<u32>,
    /// Where it is to be used.
    place: Option<PlaceView>,
}

/// Where a terminal is to be used.
#[derive(Serialize, ToSchema)]
struct PlaceView {
    /// The H3 cell of resolution 5 of its service address.
    cell: Option<String>,
    /// Anywhere in this area.
    area: Option<u32>,
}

impl From<&Terminal> for TerminalView {
    fn from(t: &Terminal) -> Self {
        let before = match &t.state {
            Life::Blocked(was) => Some(was.name()),
            _ => None,
        };
        let service = t.state.service();
        Self {
            id: t.id.to_string(),
            key: t.key.to_string(),
            model: t.model.clone(),
            batch: t.batch.0,
            state: t.state.name(),
            before,
            market: t.state.market().map(|m| m.to_string()),
            account: t.state.registration().map(|r| r.account.0),
            plan: service.map(|s| s.plan.0),
            place: service.map(|s| match s.place {
                Place::Address(at) => PlaceView {
                    cell: cell(at),
                    area: None,
                },
                Place::Area(area) => PlaceView {
                    cell: None,
                    area: Some(area.0),
                },
            }),
        }
    }
}

#[derive(Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of this account.
    account: Option<u64>,
    /// In this state.
    #[param(example = "activated")]
    state: Option<String>,
    /// Sold in this market.
    #[param(example = "UA")]
    market: Option<String>,
    /// Of this batch.
    batch: Option<u32>,
    /// On this plan.
    plan: Option<u32>,
}

impl Filter {
    fn holds(&self, t: &Terminal, market: Option<Market>) -> bool {
        let account = || t.state.registration().map(|r| r.account.0);
        let plan = || t.state.service().map(|s| s.plan.0);
        self.account.is_none_or(|a| account() == Some(a))
            && self.state.as_ref().is_none_or(|s| t.state.name() == s)
            && market.is_none_or(|m| t.state.market() == Some(m))
            && self.batch.is_none_or(|b| t.batch.0 == b)
            && self.plan.is_none_or(|p| plan() == Some(p))
    }
}

const STATES: [&str; 7] = [
    "manufactured",
    "sold",
    "registered",
    "activated",
    "suspended",
    "blocked",
    "retired",
];

/// Terminals by id, as far as the caller may know of them.
#[utoipa::path(get, path = "/api/v1/terminals", tag = "terminals", params(Filter, PageQuery),
    responses((status = 200, description = "A page of terminals", body = Page<TerminalView>)))]
async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<TerminalView>>, Problem> {
    let bad = |detail: String| Problem::new(Kind::BadRequest, detail);
    let market = filter.market.as_deref().map(str::parse::<Market>);
    let market = market.transpose().map_err(|e| bad(e.to_string()))?;
    if let Some(state) = filter.state.as_deref().filter(|s| !STATES.contains(s)) {
        return Err(bad(format!(
            "there is no state `{state}`: {}",
            STATES.join(", ")
        )));
    }
    let begin = page.begin::<UtId>()?;
    // A filter that fits few terminals looks at all of them.
    aside(move || {
        let register = api.register();
        let holds = |t: &&Terminal| filter.holds(t, market) && caller.sees_terminal(t);
        let named = |t: &Terminal| (t.id, TerminalView::from(t));
        let account = match caller.scope() {
            Scope::Account(own) => Some(own),
            _ => filter.account.map(AccountId),
        };
        match account {
            Some(account) => {
                let after = |id: &UtId| match begin {
                    Bound::Excluded(begin) => *id > begin,
                    _ => true,
                };
                let held = register.held_by(account).filter(after);
                let held = held.filter_map(|id| register.terminals().get(&id));
                page.page(held.filter(holds).map(named))
            }
            None => {
                let all = register.terminals().range((begin, Bound::Unbounded));
                page.page(all.map(|(_, t)| t).filter(holds).map(named))
            }
        }
    })
    .await?
    .map(Json)
}

/// A terminal.
#[utoipa::path(get, path = "/api/v1/terminals/{id}", tag = "terminals", params(("id" = String, Path), Known),
    responses((status = 200, description = "The terminal", body = TerminalView)))]
async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<UtId>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let register = api.register();
    let terminal = caller.terminal(&register, id)?;
    let view = TerminalView::from(terminal);
    Ok(conditions.answer(&api.tagger.tag(terminal), Json(view)))
}

/// Where a terminal is.
#[derive(Serialize, ToSchema)]
struct LocationView {
    id: String,
    /// Where it is to be used, if that is an address.
    service_address: Option<Position>,
    /// Where it says it is, if it is on the air.
    claimed: Option<Position>,
    /// How fast it says it moves, m/s.
    claimed_speed_m_s: Option<f64>,
    /// The entry of the audit log that says who read this.
    audit_row: u64,
}

/// Read where a terminal is, precisely. Each reading is an entry of the audit log.
#[utoipa::path(get, path = "/api/v1/terminals/{id}/location", tag = "terminals",
    params(("id" = String, Path), Why),
    responses((status = 200, description = "Where it is", body = LocationView)))]
async fn location(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<UtId>,
    why: Why,
) -> Result<Json<LocationView>, Problem> {
    let reader = caller.clone();
    let outcome = api
        .write(&caller, why, move |register| {
            reader.terminal(register, id)?;
            Ok(Action::NoteLocationRead(id))
        })
        .await?;
    let register = api.register();
    let terminal = caller.terminal(&register, id)?;
    let network = Arc::clone(&api.network);
    let claim = aside(move || network.claim(id)).await?;
    let address = match terminal.state.service().map(|s| s.place) {
        Some(Place::Address(at)) => Some(at.into()),
        _ => None,
    };
    Ok(Json(LocationView {
        id: id.to_string(),
        service_address: address,
        claimed: claim.and_then(|c| c.position).map(Position::from),
        claimed_speed_m_s: claim.map(|c| c.speed_m_s),
        audit_row: outcome.row.number,
    }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ExplainQuery {
    /// As if it were here: latitude, degrees. With `lon_deg`; needs the permission `read_locations`.
    #[param(minimum = -90, maximum = 90)]
    lat_deg: Option<f64>,
    /// Longitude, degrees.
    #[param(minimum = -180, maximum = 180)]
    lon_deg: Option<f64>,
    /// As if it moved this fast over ground, m/s.
    #[param(minimum = 0)]
    speed_m_s: Option<f64>,
    /// At this time of the network; left out: now.
    at: Option<String>,
}

/// Why a terminal has or has not service.
#[derive(Serialize, ToSchema)]
struct ExplainView {
    id: String,
    /// Whether it has service.
    granted: bool,
    /// What the dish shows.
    #[schema(value_type = String, example = "OKAY")]
    code: Code,
    /// Why, in one paragraph.
    paragraph: String,
    /// The rate at most, bit/s, if it has service.
    down_bps: Option<u64>,
    /// As `down_bps`, from the terminal.
    up_bps: Option<u64>,
    /// The area that decided, if one did.
    area: Option<u32>,
    /// Every rule in its order, and what it says; the first that refuses decides.
    rules: Vec<RuleView>,
    /// The time that was asked about.
    #[schema(value_type = String, format = DateTime)]
    at: Utc,
    /// Where the position came from: `claimed` by the terminal on the air, `asked` here, its `service_address`, or `none`.
    position: &'static str,
    /// Whether it was taken as proven that the terminal holds its key: `claimed` says what the terminal on the air has
    /// shown, else it is `assumed`.
    key: &'static str,
}

/// What a rule says.
#[derive(Serialize, ToSchema)]
struct RuleView {
    #[schema(value_type = String, example = "too_fast")]
    rule: Rule,
    /// Whether it refuses service.
    refuses: bool,
    /// What the dish would show.
    #[schema(value_type = Option<String>)]
    code: Option<Code>,
    /// The area that it goes by.
    area: Option<u32>,
}

impl From<&Considered> for RuleView {
    fn from(c: &Considered) -> Self {
        Self {
            rule: c.rule,
            refuses: c.refusal.is_some(),
            code: c.refusal.map(|r| r.code),
            area: c.refusal.and_then(|r| r.area).map(|a| a.0),
        }
    }
}

/// Why a terminal has or has not service, now or at a time, where it is or as if it were elsewhere.
#[utoipa::path(get, path = "/api/v1/terminals/{id}/explain", tag = "terminals",
    params(("id" = String, Path), ExplainQuery),
    responses((status = 200, description = "Why", body = ExplainView)))]
async fn explain(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<UtId>,
    Query(asked): Query<ExplainQuery>,
) -> Result<Json<ExplainView>, Problem> {
    let at = match &asked.at {
        Some(text) => text
            .parse::<Utc>()
            .map(Time::from)
            .map_err(|e| Problem::new(Kind::BadRequest, format!("at: {e}")))?,
        None => api.network.now(),
    };
    let elsewhere = asked_position(&caller, &asked)?;
    let view = aside(move || {
        let (policy, register) = api.policies.of(&api.desk);
        let terminal = caller.terminal(&register, id)?;
        let on_air = api.network.claim(id);
        let (position, from) = position(terminal, on_air, elsewhere);
        let claim = Claim {
            position,
            speed_m_s: asked
                .speed_m_s
                .or(on_air.map(|c| c.speed_m_s))
                .unwrap_or(0.0),
            key: on_air.map_or(KeyProof::Proven, |c| c.key),
            software: on_air.map_or(u32::MAX, |c| c.software),
        };
        let Explanation {
            decision,
            considered,
            paragraph,
        } = policy.explain(&register, terminal, &claim, at);
        let (grant, refusal) = match decision {
            Decision::Granted(grant) => (Some(grant), None),
            Decision::Refused(refusal) => (None, Some(refusal)),
        };
        Ok(ExplainView {
            id: id.to_string(),
            granted: decision.is_granted(),
            code: decision.code(),
            paragraph,
            down_bps: grant.map(|g| g.rates.down_bps),
            up_bps: grant.map(|g| g.rates.up_bps),
            area: refusal.and_then(|r| r.area).map(|a| a.0),
            rules: considered.iter().map(RuleView::from).collect(),
            at: utc(at),
            position: from,
            key: if on_air.is_some() {
                "claimed"
            } else {
                "assumed"
            },
        })
    });
    view.await?.map(Json)
}

/// The position that the caller asks about. Whoever may not read locations could find one by asking where it is too far.
fn asked_position(caller: &Caller, asked: &ExplainQuery) -> Result<Option<Geodetic>, Problem> {
    let bad = |detail: &str| Problem::new(Kind::BadRequest, detail);
    if asked.speed_m_s.is_some_and(|s| !(0.0..=1e6).contains(&s)) {
        return Err(bad("speed_m_s is not a speed"));
    }
    let (lat_deg, lon_deg) = match (asked.lat_deg, asked.lon_deg) {
        (None, None) => return Ok(None),
        (Some(lat), Some(lon)) => (lat, lon),
        _ => return Err(bad("lat_deg and lon_deg go together")),
    };
    if !caller.may(Permission::ReadLocations) {
        return Err(Problem::new(
            Kind::Forbidden,
            "asking about another place needs the permission `read_locations`",
        ));
    }
    let at = Geodetic::from_degrees(lat_deg, lon_deg).map_err(|e| bad(&e.to_string()))?;
    Ok(Some(at))
}

fn position(
    terminal: &Terminal,
    on_air: Option<Claim>,
    asked: Option<Geodetic>,
) -> (Option<Geodetic>, &'static str) {
    if asked.is_some() {
        return (asked, "asked");
    }
    if let Some(claim) = on_air {
        return (claim.position, "claimed");
    }
    match terminal.state.service().map(|s| s.place) {
        Some(Place::Address(at)) => (Some(at), "service_address"),
        _ => (None, "none"),
    }
}

/// A terminal to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTerminal {
    #[schema(value_type = String, pattern = "^ut[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$")]
    id: UtId,
    /// The public half of its Ed25519 key, hexadecimal.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    key: PublicKey,
    #[schema(min_length = 1, max_length = 64, example = "rev4")]
    model: String,
    batch: u32,
    /// Where it was sold; left out: made and not yet sold.
    #[schema(value_type = Option<String>, pattern = "^[A-Z]{2}$")]
    market: Option<Market>,
}

/// Add a terminal that was made or sold.
#[utoipa::path(post, path = "/api/v1/terminals", tag = "terminals", params(Why), request_body = NewTerminal,
    responses((status = 201, description = "Added", body = TerminalView)))]
async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Body(new): Body<NewTerminal>,
) -> Result<Response, Problem> {
    if !(1..=64).contains(&new.model.chars().count()) {
        return Err(Problem::invalid("model has 1 to 64 characters"));
    }
    let terminal = Terminal {
        id: new.id,
        key: new.key,
        model: new.model,
        batch: BatchId(new.batch),
        state: match new.market {
            Some(market) => Life::Sold { market },
            None => Life::Manufactured,
        },
    };
    let view = TerminalView::from(&terminal);
    let (tag, location) = (
        api.tagger.tag(&terminal),
        format!("/api/v1/terminals/{}", terminal.id),
    );
    api.write(&caller, why, move |_| {
        Ok(Action::AddTerminals(vec![terminal]))
    })
    .await?;
    Ok(created(&location, &tag, view))
}

/// What an import did.
#[derive(Serialize, ToSchema)]
struct Imported {
    /// How many terminals were added.
    added: usize,
    /// The entry of the audit log.
    audit_row: u64,
}

/// A file of terminals, as it comes.
struct Csv(Bytes);

impl FromRequest<Arc<Api>> for Csv {
    type Rejection = Problem;

    async fn from_request(
        request: axum::extract::Request,
        api: &Arc<Api>,
    ) -> Result<Self, Problem> {
        let kind = request.headers().get(axum::http::header::CONTENT_TYPE);
        let kind = kind.and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !kind
            .split(';')
            .next()
            .is_some_and(|k| k.trim().eq_ignore_ascii_case("text/csv"))
        {
            return Err(Problem::new(
                Kind::WrongMediaType,
                "send the file with Content-Type: text/csv",
            ));
        }
        Ok(Self(Bytes::from_request(request, api).await?))
    }
}

/// Add terminals from a CSV file with the columns id, key, model, batch, market: all, or none and every bad row by its line.
#[utoipa::path(post, path = "/api/v1/terminals/import", tag = "terminals", params(Why),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, description = "All were added", body = Imported)))]
async fn import_csv(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Csv(file): Csv,
) -> Result<Json<Imported>, Problem> {
    let desk = Arc::clone(&api.desk);
    let read = aside(move || parse_new_terminals(&file, || desk.register())).await?;
    let terminals = read.map_err(|bad| {
        let row =
            |r: &skyweave_service::BadRow| format!("line {}: {}", r.line, r.reasons.join("; "));
        let detail = format!("nothing was imported: {} bad rows", bad.0.len());
        Problem::invalid(detail).with_errors(bad.0.iter().map(row).collect())
    })?;
    let added = terminals.len();
    let outcome = api
        .write(&caller, why, move |_| Ok(Action::AddTerminals(terminals)))
        .await?;
    Ok(Json(Imported {
        added,
        audit_row: outcome.row.number,
    }))
}

/// Takes a step in a terminal's life.
async fn step(
    api: &Api,
    caller: &Caller,
    id: UtId,
    asked: (Why, Conditions),
    step: Step,
) -> Result<Response, Problem> {
    let ((why, conditions), tagger, who) = (asked, api.tagger, caller.clone());
    api.write(caller, why, move |register| {
        let terminal = who.terminal(register, id)?;
        conditions.allow(&tagger.tag(terminal))?;
        Ok(Action::Step(id, step))
    })
    .await?;
    let register = api.register();
    let terminal = register.terminals().get(&id);
    let terminal = terminal.ok_or_else(|| Problem::not_found("terminal", id))?;
    Ok(changed(
        &api.tagger.tag(terminal),
        TerminalView::from(terminal),
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Sale {
    #[schema(value_type = String, pattern = "^[A-Z]{2}$")]
    market: Market,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Claiming {
    account: u64,
}

/// What a terminal is activated for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Activation {
    plan: u32,
    /// The service address; or `area`.
    address: Option<Position>,
    /// Anywhere in this area; or `address`.
    area: Option<u32>,
}

impl Activation {
    fn service(&self) -> Result<Service, Problem> {
        let place = match (self.address, self.area) {
            (Some(at), None) => Place::Address(at.geodetic()?),
            (None, Some(area)) => Place::Area(AreaId(area)),
            _ => return Err(Problem::invalid("expected either an address or an area")),
        };
        Ok(Service {
            plan: PlanId(self.plan),
            place,
        })
    }
}

macro_rules! step_routes {
    ($($(#[$doc:meta])* $name:ident $path:literal $(($body:ident: $type:ident))? => $step:expr;)+) => {$(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "terminals", $(request_body = $type,)?
            params(("id" = String, Path), Why, ("If-Match" = Option<String>, Header)),
            responses((status = 200, description = "As it now stands", body = TerminalView)))]
        async fn $name(
            State(api): State<Arc<Api>>,
            caller: Caller,
            Path(id): Path<UtId>,
            why: Why,
            conditions: Conditions,
            $(Body($body): Body<$type>,)?
        ) -> Result<Response, Problem> {
            step(&api, &caller, id, (why, conditions), $step).await
        }
    )+};
}

step_routes! {
    /// It was sold.
    sell "/api/v1/terminals/{id}/sell" (body: Sale) => Step::Sell { market: body.market };
    /// An account claims it.
    register "/api/v1/terminals/{id}/register" (body: Claiming) => Step::Register { account: AccountId(body.account) };
    /// Its account gives it up.
    release "/api/v1/terminals/{id}/release" => Step::Release;
    /// Service begins, or goes on with another plan or at another place.
    activate "/api/v1/terminals/{id}/activate" (body: Activation) => Step::Activate(body.service()?);
    /// Service ends; the account keeps the terminal.
    deactivate "/api/v1/terminals/{id}/deactivate" => Step::Deactivate;
    /// Service is paused.
    suspend "/api/v1/terminals/{id}/suspend" => Step::Suspend;
    /// And goes on.
    resume "/api/v1/terminals/{id}/resume" => Step::Resume;
    /// Cut off.
    block_it "/api/v1/terminals/{id}/block" => Step::Block;
    /// Back to what was before the block.
    restore "/api/v1/terminals/{id}/restore" => Step::Restore;
    /// Out of use for ever.
    retire "/api/v1/terminals/{id}/retire" => Step::Retire;
}
