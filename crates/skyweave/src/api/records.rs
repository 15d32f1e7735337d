//! What was measured, found and done: usage, incidents, the audit log; and the settings of the whole network.

use super::caller::{Caller, Scope};
use super::document::may_fail;
use super::problem::{Kind, Problem};
use super::wire::{
    Body, Conditions, Known, Page, PageQuery, Path, Query, Why, changed, utc, without_positions,
};
use super::{Api, aside, needs};
use crate::operator::StoreError;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skyweave_base::Utc;
use skyweave_service::{
    Action, AuditEntry, AuditHead, AuditRow, Defaults, Elsewhere, Incident, IncidentId,
    IncidentKind, IncidentState, Permission, Proposal, Register, UsageRecord, UtId,
};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let usage = needs(Permission::ReadUsage);
    let read = needs(Permission::ReadIncidents);
    let decide = needs(Permission::DecideIncidents);
    let audit = needs(Permission::ReadAudit);
    let settings = needs(Permission::ChangeSettings);
    // These read the database itself.
    let reads = |route| may_fail(&[Kind::Away], route);
    OpenApiRouter::new()
        .routes(usage(routes!(list_usage)))
        .routes(usage(reads(routes!(usage_of))))
        .routes(read(routes!(list_incidents)))
        .routes(read(routes!(get_incident)))
        .routes(decide(routes!(cut_off)))
        .routes(decide(routes!(dismiss)))
        .routes(decide(routes!(restore)))
        .routes(needs(Permission::AppealIncidents)(routes!(appeal)))
        .routes(audit(reads(routes!(list_rows))))
        .routes(audit(reads(routes!(verify))))
        .routes(needs(Permission::ReadSettings)(routes!(get_settings)))
        .routes(settings(routes!(put_defaults)))
        .routes(settings(routes!(put_automatic)))
}

/// Traffic of a terminal in a period.
#[derive(Serialize, ToSchema)]
struct UsageView {
    terminal: String,
    /// When the period began.
    #[schema(value_type = String, format = DateTime)]
    period_start: Utc,
    down_bytes: u64,
    up_bytes: u64,
}

impl From<&UsageRecord> for UsageView {
    fn from(r: &UsageRecord) -> Self {
        Self {
            terminal: r.terminal.to_string(),
            period_start: utc(r.period_start),
            down_bytes: r.down_bytes,
            up_bytes: r.up_bytes,
        }
    }
}

/// Traffic of the current period, by terminal.
#[utoipa::path(get, path = "/api/v1/usage", tag = "usage", params(PageQuery),
    responses((status = 200, description = "A page of counters", body = Page<UsageView>)))]
async fn list_usage(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<UsageView>>, Problem> {
    let begin = page.begin::<UtId>()?;
    aside(move || {
        let register = api.register();
        let all = register.usage().range((begin, Bound::Unbounded));
        let seen = all.filter(|(id, _)| {
            let terminal = register.terminals().get(id);
            terminal.is_some_and(|t| caller.sees_terminal(t))
        });
        page.page(seen.map(|(id, r)| (id, r.into())))
    })
    .await?
    .map(Json)
}

/// Traffic of a terminal.
#[derive(Serialize, ToSchema)]
struct TerminalUsage {
    /// All periods, the last one last.
    periods: Vec<UsageView>,
}

/// Traffic of a terminal, all periods.
#[utoipa::path(get, path = "/api/v1/terminals/{id}/usage", tag = "usage", params(("id" = String, Path)),
    responses((status = 200, description = "Its counters", body = TerminalUsage)))]
async fn usage_of(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<UtId>,
) -> Result<Json<TerminalUsage>, Problem> {
    caller.terminal(&api.register(), id)?;
    let stored = api.desk.ask(move |store| store.usage_of(id)).await;
    let mut periods = stored.map_err(away)?;
    // What is counted is in the register before it is on the disk.
    if let Some(now) = api.register().usage().get(&id) {
        periods.retain(|r| r.period_start != now.period_start);
        periods.push(*now);
    }
    Ok(Json(TerminalUsage {
        periods: periods.iter().map(UsageView::from).collect(),
    }))
}

fn away(error: Arc<StoreError>) -> Problem {
    Problem::new(Kind::Away, error.to_string()).retry_after(2)
}

/// A finding of misuse.
#[derive(Serialize, ToSchema)]
struct IncidentView {
    id: u64,
    #[schema(value_type = String, format = DateTime)]
    at: Utc,
    /// `position_against_radio`, `key_in_two_places`, `out_of_market`, `batch_cluster` or `impossible_travel`.
    #[schema(value_type = String)]
    kind: IncidentKind,
    terminals: Vec<String>,
    /// What speaks for it; empty for a customer, who must not learn how lies are found.
    #[schema(value_type = Vec<Object>)]
    evidence: Vec<Value>,
    /// `ask_holder` or `cut_off`.
    #[schema(value_type = String)]
    proposal: Proposal,
    /// `open`, `dismissed`, `cut_off`, `appealed` or `restored`.
    #[schema(value_type = String)]
    state: IncidentState,
}

impl IncidentView {
    fn of(caller: &Caller, incident: &Incident) -> Self {
        let evidence = incident.evidence.iter().filter_map(|e| {
            let value = serde_json::to_value(e).ok()?;
            Some(without_positions(value))
        });
        Self {
            id: incident.id.0,
            at: utc(incident.at),
            kind: incident.kind,
            terminals: incident.terminals.iter().map(ToString::to_string).collect(),
            evidence: match caller.scope() {
                Scope::All => evidence.collect(),
                _ => Vec::new(),
            },
            proposal: incident.proposal,
            state: incident.state,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct IncidentFilter {
    /// `open`, `dismissed`, `cut_off`, `appealed` or `restored`.
    #[param(value_type = Option<String>)]
    state: Option<IncidentState>,
    /// Of this kind.
    #[param(value_type = Option<String>)]
    kind: Option<IncidentKind>,
    /// About this terminal.
    #[param(value_type = Option<String>)]
    terminal: Option<UtId>,
}

/// Incidents by id; a customer's own.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", params(IncidentFilter, PageQuery),
    responses((status = 200, description = "A page of incidents", body = Page<IncidentView>)))]
async fn list_incidents(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(filter): Query<IncidentFilter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<IncidentView>>, Problem> {
    let begin = page.begin::<u64>()?.map(IncidentId);
    aside(move || {
        let register = api.register();
        let all = register.incidents().range((begin, Bound::Unbounded));
        let seen = all.filter(|(_, i)| {
            filter.state.is_none_or(|s| i.state == s)
                && filter.kind.is_none_or(|k| i.kind == k)
                && filter.terminal.is_none_or(|t| i.terminals.contains(&t))
                && caller.sees_incident(&register, i)
        });
        page.page(seen.map(|(id, i)| (id, IncidentView::of(&caller, i))))
    })
    .await?
    .map(Json)
}

fn incident<'a>(register: &'a Register, caller: &Caller, id: u64) -> Result<&'a Incident, Problem> {
    let incident = register.incidents().get(&IncidentId(id));
    incident
        .filter(|i| caller.sees_incident(register, i))
        .ok_or_else(|| Problem::not_found("incident", id))
}

/// An incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents", params(("id" = u64, Path), Known),
    responses((status = 200, description = "The incident", body = IncidentView)))]
async fn get_incident(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let register = api.register();
    let incident = incident(&register, &caller, id)?;
    let view = IncidentView::of(&caller, incident);
    Ok(conditions.answer(&api.tagger.tag(incident), Json(view)))
}

async fn act(
    api: &Api,
    caller: &Caller,
    id: u64,
    asked: (Why, Conditions),
    action: fn(IncidentId) -> Action,
) -> Result<Response, Problem> {
    let ((why, conditions), tagger, who) = (asked, api.tagger, caller.clone());
    api.write(caller, why, move |register| {
        let incident = incident(register, &who, id)?;
        conditions.allow(&tagger.tag(incident))?;
        Ok(action(IncidentId(id)))
    })
    .await?;
    let register = api.register();
    let incident = incident(&register, caller, id)?;
    let view = IncidentView::of(caller, incident);
    Ok(changed(&api.tagger.tag(incident), view))
}

macro_rules! decisions {
    ($($(#[$doc:meta])* $name:ident $path:literal => $action:path;)+) => {$(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "incidents",
            params(("id" = u64, Path), Why, ("If-Match" = Option<String>, Header)),
            responses((status = 200, description = "As it now stands", body = IncidentView)))]
        async fn $name(
            State(api): State<Arc<Api>>,
            caller: Caller,
            Path(id): Path<u64>,
            why: Why,
            conditions: Conditions,
        ) -> Result<Response, Problem> {
            act(&api, &caller, id, (why, conditions), $action).await
        }
    )+};
}

decisions! {
    /// Cut the terminals off.
    cut_off "/api/v1/incidents/{id}/cut-off" => Action::CutOff;
    /// Nothing follows.
    dismiss "/api/v1/incidents/{id}/dismiss" => Action::Dismiss;
    /// The objection was right: service comes back.
    restore "/api/v1/incidents/{id}/restore" => Action::Restore;
    /// The holder objects.
    appeal "/api/v1/incidents/{id}/appeal" => Action::Appeal;
}

/// An entry of the audit log. Positions in it stand as cells: who wants to read one asks for it, and that is an entry.
#[derive(Serialize, ToSchema)]
struct RowView {
    number: u64,
    /// Who: `user:17`, `user:17 token:3`, `rule:...`.
    by: String,
    #[schema(value_type = String, format = DateTime)]
    at: Utc,
    why: String,
    /// What was done, with its facts.
    #[schema(value_type = Object)]
    what: Value,
    /// Over the entry before, the number and the entry as it is stored.
    hash: String,
}

/// Entries of the audit log from the first on.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(PageQuery),
    responses((status = 200, description = "A page of the log", body = Page<RowView>)))]
async fn list_rows(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<RowView>>, Problem> {
    let limit = page.limit()?;
    let from = match page.begin::<u64>()? {
        Bound::Excluded(last) => last.saturating_add(1),
        _ => 1,
    };
    let Ok(_) = i64::try_from(from) else {
        return Ok(Json(page.page(std::iter::empty::<(u64, RowView)>())?));
    };
    let rows = api
        .desk
        .ask(move |store| store.audit(from, limit + 1))
        .await;
    let rows = rows.map_err(away)?;
    let rows: Result<Vec<_>, Problem> = rows.iter().map(row_view).collect();
    page.page(rows?).map(Json)
}

fn row_view(row: &AuditRow) -> Result<(u64, RowView), Problem> {
    let entry: AuditEntry = serde_json::from_str(&row.body).map_err(|_| {
        let detail = format!(
            "entry {} of the audit log cannot be read: verify it",
            row.number
        );
        Problem::new(Kind::Broken, detail)
    })?;
    let view = RowView {
        number: row.number,
        by: entry.stamp.by,
        at: utc(entry.stamp.at),
        why: entry.stamp.why,
        what: without_positions(entry.what),
        hash: blake3::Hash::from_bytes(row.hash.0).to_hex().to_string(),
    };
    Ok((row.number, view))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ExpectedEnd {
    /// The end of the log as `verify` said it before, `NUMBER:HASH`: the log must begin with those rows.
    #[param(example = "17:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")]
    end: Option<String>,
}

/// What a check of the audit log found.
#[derive(Serialize, ToSchema)]
struct Verified {
    /// Whether every entry is as it was written, and the expected end is among them.
    whole: bool,
    /// What is wrong.
    broken: Option<String>,
    /// Its end now, `NUMBER:HASH`: keep it elsewhere.
    end: String,
}

/// Check the whole audit log.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit", params(ExpectedEnd),
    responses((status = 200, description = "What was found", body = Verified)))]
async fn verify(
    State(api): State<Arc<Api>>,
    Query(expected): Query<ExpectedEnd>,
) -> Result<Json<Verified>, Problem> {
    let expected = expected.end.as_deref().map(str::parse::<AuditHead>);
    let expected = expected
        .transpose()
        .map_err(|e| Problem::new(Kind::BadRequest, format!("end: {e}")))?;
    let checked = api
        .desk
        .ask(move |store| {
            let head = store.verify_audit(None)?;
            let begins = expected.map(|e| store.begins_with(e)).transpose()?;
            Ok((head, begins != Some(false)))
        })
        .await;
    let (head, begins) = match checked {
        Ok(found) => found,
        Err(error) => match &*error {
            StoreError::Audit(broken) => {
                return Ok(Json(Verified {
                    whole: false,
                    broken: Some(broken.to_string()),
                    end: api.register().audit_head().to_string(),
                }));
            }
            _ => return Err(away(error)),
        },
    };
    Ok(Json(Verified {
        whole: begins,
        broken: (!begins).then(|| "the log does not have the expected end".to_owned()),
        end: head.to_string(),
    }))
}

/// What holds for the whole network.
#[derive(Serialize, ToSchema)]
struct Settings {
    defaults: DefaultsBody,
    /// Kinds of incident that cut off without a person's decision.
    #[schema(value_type = Vec<String>)]
    automatic: BTreeSet<IncidentKind>,
}

/// What holds where nothing else is said.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DefaultsBody {
    /// What holds where no area says anything: `closed` or `open`.
    #[schema(value_type = String)]
    elsewhere: Elsewhere,
    /// The oldest software build with service.
    oldest_software: u32,
}

fn settings(register: &Register) -> Settings {
    let defaults = register.defaults();
    Settings {
        defaults: DefaultsBody {
            elsewhere: defaults.elsewhere,
            oldest_software: defaults.oldest_software,
        },
        automatic: register.automatic().clone(),
    }
}

/// What holds for the whole network.
#[utoipa::path(get, path = "/api/v1/settings", tag = "settings",
    params(Known), responses((status = 200, description = "The settings", body = Settings)))]
async fn get_settings(State(api): State<Arc<Api>>, conditions: Conditions) -> Response {
    let view = settings(&api.register());
    conditions.answer(&api.tagger.tag(&view), Json(view))
}

async fn set(
    api: &Api,
    caller: &Caller,
    asked: (Why, Conditions),
    action: Action,
) -> Result<Response, Problem> {
    let ((why, conditions), tagger) = (asked, api.tagger);
    api.write(caller, why, move |register| {
        conditions.require(&tagger.tag(&settings(register)))?;
        Ok(action)
    })
    .await?;
    let view = settings(&api.register());
    Ok(changed(&api.tagger.tag(&view), view))
}

/// Set what holds where nothing else is said.
#[utoipa::path(put, path = "/api/v1/settings/defaults", tag = "settings", request_body = DefaultsBody,
    params(Why, ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "As it now stands", body = Settings)))]
async fn put_defaults(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    conditions: Conditions,
    Body(body): Body<DefaultsBody>,
) -> Result<Response, Problem> {
    let defaults = Defaults {
        elsewhere: body.elsewhere,
        oldest_software: body.oldest_software,
    };
    let action = Action::SetDefaults(defaults);
    set(&api, &caller, (why, conditions), action).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AutomaticBody {
    /// Kinds of incident.
    #[schema(value_type = Vec<String>)]
    kinds: BTreeSet<IncidentKind>,
}

/// Set which kinds of incident cut off without a person's decision.
#[utoipa::path(put, path = "/api/v1/settings/automatic", tag = "settings", request_body = AutomaticBody,
    params(Why, ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "As it now stands", body = Settings)))]
async fn put_automatic(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    conditions: Conditions,
    Body(body): Body<AutomaticBody>,
) -> Result<Response, Problem> {
    let action = Action::SetAutomatic(body.kinds);
    set(&api, &caller, (why, conditions), action).await
}
