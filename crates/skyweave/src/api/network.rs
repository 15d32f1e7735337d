//! The network that runs: its epochs and their plans, the terminals on the air, and faults that the next plan takes.

use super::caller::Caller;
use super::problem::{Kind, Problem};
use super::wire::{Body, Conditions, Known, Page, PageQuery, Path, Query, Why, changed, utc};
use super::{Api, Epoch, aside, needs};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use skyweave_base::Utc;
use skyweave_service::{Action, Permission};
use std::ops::Bound;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let read = needs(Permission::ReadNetwork);
    OpenApiRouter::new()
        .routes(read(routes!(list)))
        .routes(read(routes!(get)))
        .routes(read(routes!(plan)))
        .routes(read(routes!(live)))
        .routes(read(routes!(get_faults)))
        .routes(needs(Permission::ChangeFaults)(routes!(put_faults)))
}

/// An epoch: 15 s with one plan.
#[derive(Serialize, ToSchema)]
struct EpochView {
    epoch: i64,
    #[schema(value_type = String, format = DateTime)]
    start: Utc,
    #[schema(value_type = String, format = DateTime)]
    end: Utc,
    /// What `skyweave up --json` prints: the plan in figures and the terminals on the air.
    #[schema(value_type = Object)]
    report: Value,
}

impl From<Epoch> for EpochView {
    fn from(e: Epoch) -> Self {
        Self {
            epoch: e.number,
            start: utc(e.start),
            end: utc(e.end),
            report: e.report,
        }
    }
}

/// The last epochs, those already planned included; about an hour is kept at most.
#[utoipa::path(get, path = "/api/v1/epochs", tag = "network", params(PageQuery),
    responses((status = 200, description = "A page of epochs", body = Page<EpochView>)))]
async fn list(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<EpochView>>, Problem> {
    let after = match page.begin::<i64>()? {
        Bound::Excluded(after) => after,
        _ => i64::MIN,
    };
    let epochs = api.network.epochs().into_iter();
    let behind = epochs.filter(|e| e.number > after);
    page.page(behind.map(|e| (e.number, e.into()))).map(Json)
}

fn find(api: &Api, number: i64) -> Result<Epoch, Problem> {
    let mut epochs = api.network.epochs().into_iter();
    let found = epochs.find(|e| e.number == number);
    found.ok_or_else(|| Problem::not_found("epoch that is kept, number", number))
}

/// An epoch.
#[utoipa::path(get, path = "/api/v1/epochs/{epoch}", tag = "network", params(("epoch" = i64, Path)),
    responses((status = 200, description = "The epoch", body = EpochView)))]
async fn get(
    State(api): State<Arc<Api>>,
    Path(number): Path<i64>,
) -> Result<Json<EpochView>, Problem> {
    find(&api, number).map(|e| Json(e.into()))
}

/// An epoch's whole plan: every beam, link and route. The last few are kept.
#[utoipa::path(get, path = "/api/v1/epochs/{epoch}/plan", tag = "network", params(("epoch" = i64, Path), Known),
    responses((status = 200, description = "The plan: the fields of docs/plan-format.md as JSON", body = Object)))]
async fn plan(
    State(api): State<Arc<Api>>,
    Path(number): Path<i64>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let plan = api.network.plan(number);
    let plan = plan.ok_or_else(|| Problem::not_found("plan that is kept of epoch", number))?;
    let (tag, json) = aside(move || {
        let tag = format!("\"{}\"", plan.hash());
        (tag, serde_json::to_vec(&*plan))
    })
    .await?;
    let json = json.map_err(|e| Problem::new(Kind::Broken, e.to_string()))?;
    let body = ([(header::CONTENT_TYPE, "application/json")], json).into_response();
    Ok(conditions.answer(&tag, body))
}

/// The terminals on the air in the epoch that is on.
#[derive(Serialize, ToSchema)]
struct Live {
    /// The epoch; null before the first.
    epoch: Option<i64>,
    /// Name, satellite, gateway, rates, delay, or why there is no service.
    #[schema(value_type = Vec<Object>)]
    terminals: Vec<Value>,
}

/// The terminals on the air now, and by what they are served.
#[utoipa::path(get, path = "/api/v1/live-terminals", tag = "network",
    responses((status = 200, description = "Terminals on the air", body = Live)))]
async fn live(State(api): State<Arc<Api>>) -> Json<Live> {
    let now = api.network.now();
    let mut epochs = api.network.epochs().into_iter();
    let current = epochs.find(|e| e.start <= now && now < e.end);
    let terminals = current.as_ref().and_then(|e| e.report["live"].as_array());
    Json(Live {
        terminals: terminals.cloned().unwrap_or_default(),
        epoch: current.map(|e| e.number),
    })
}

/// What is different from the scenario: lost satellites, gateways, points of presence; changed demand; additions.
#[utoipa::path(get, path = "/api/v1/faults", tag = "network",
    params(Known), responses((status = 200, description = "The conditions as they are set", body = Object)))]
async fn get_faults(State(api): State<Arc<Api>>, conditions: Conditions) -> Response {
    let set = api.network.conditions();
    conditions.answer(&api.tagger.tag(&set), Json(set))
}

/// Set what is different from the scenario, all of it; `{}` is the scenario. The next plan takes it. The fields are those of
/// the scenario's `[faults]`, `[[demand_change]]` and `[additions]`: `faults` (`satellites`, `satellites_percent`, `gateways`,
/// `pops`), `demand`, `additions`.
#[utoipa::path(put, path = "/api/v1/faults", tag = "network", request_body = Object,
    params(Why, ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "As they are set now", body = Object)))]
async fn put_faults(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    conditions: Conditions,
    Body(asked): Body<skyweave_world::Conditions>,
) -> Result<Response, Problem> {
    // Whoever asked may hang up: what the log says was set is set.
    let done = tokio::spawn(set_faults(api, caller, why, conditions, asked));
    done.await.unwrap_or_else(|_| {
        Err(Problem::new(
            Kind::Broken,
            "the request ended in the middle",
        ))
    })
}

/// Checks, writes the entry of the log, and sets, one request after the other: what is refused leaves no entry, and nothing is
/// set that has none.
async fn set_faults(
    api: Arc<Api>,
    caller: Caller,
    why: Why,
    conditions: Conditions,
    asked: skyweave_world::Conditions,
) -> Result<Response, Problem> {
    let _turn = api.faults.lock().await;
    conditions.require(&api.tagger.tag(&api.network.conditions()))?;
    let value = serde_json::to_value(&asked).map_err(|e| Problem::invalid(e.to_string()))?;
    let (network, checked) = (Arc::clone(&api.network), asked.clone());
    let fits = aside(move || network.check_conditions(&checked)).await?;
    fits.map_err(Problem::invalid)?;
    api.write(&caller, why, move |_| Ok(Action::NoteConditions(value)))
        .await?;
    let network = Arc::clone(&api.network);
    let set = aside(move || network.set_conditions(asked)).await?;
    set.map_err(|e| Problem::new(Kind::Broken, format!("they fitted a moment ago: {e}")))?;
    let set = api.network.conditions();
    Ok(changed(&api.tagger.tag(&set), set))
}
