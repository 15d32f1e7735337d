//! Service areas as GeoJSON, and switching them on and off.

use super::caller::{Caller, Needs, guarded};
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
use serde_json::{Value, json};
use skyweave_base::{Time, Utc};
use skyweave_service::{
    Action, AreaId, AreaKind, Fix, Market, Permission, Register, ServiceArea, Validity, parse_areas,
};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bytes of a map: a country's outline of the most corners has about four million.
const MAP: usize = 16 << 20;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let read = needs(Permission::ReadAreas);
    let change = |route| guarded(Needs::Permission(Permission::ChangeAreas), MAP, route);
    OpenApiRouter::new()
        .routes(read(routes!(list)))
        .routes(read(routes!(get)))
        .routes(change(routes!(add)))
        .routes(change(routes!(put)))
        .routes(change(routes!(remove)))
        .routes(change(routes!(switch)))
}

/// A service area as a GeoJSON feature (RFC 7946).
#[derive(Serialize, ToSchema)]
struct AreaView {
    /// `Feature`.
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    kind: &'static str,
    id: u32,
    properties: AreaProperties,
    /// A MultiPolygon; null if the geometry was not asked for.
    #[schema(value_type = Option<Object>)]
    geometry: Option<Value>,
}

/// What holds in an area.
#[derive(Serialize, ToSchema)]
struct AreaProperties {
    id: u32,
    name: String,
    /// `allow`, `deny`, `allow_list`, `speed_limit` or `sea`.
    kind: &'static str,
    /// Among areas that contradict, the greatest decides.
    precedence: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    market: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_from: Option<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_until: Option<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exempt_list: Option<u32>,
    /// Of a closed area, which code a dish shows: `country`, `area` or `cell`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    shown: Option<skyweave_service::Blocked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_speed_km_h: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pop: Option<u32>,
}

/// The same properties as `parse_areas` reads: what is read can be sent back.
fn view(area: &ServiceArea, geometry: bool) -> AreaView {
    let mut p = AreaProperties {
        id: area.id.0,
        name: area.name.clone(),
        kind: kind_name(&area.kind),
        precedence: area.precedence,
        market: area.market.map(|m| m.to_string()),
        valid_from: area.validity.from.map(utc),
        valid_until: area.validity.until.map(utc),
        list: None,
        exempt_list: None,
        shown: None,
        max_speed_km_h: None,
        pop: None,
    };
    match area.kind {
        AreaKind::Allow { pop } => p.pop = pop.map(|p| p.0),
        AreaKind::Deny { shown } => p.shown = Some(shown),
        AreaKind::AllowListRequired { list, pop } => {
            (p.list, p.pop) = (Some(list.0), pop.map(|p| p.0));
        }
        AreaKind::SpeedLimit {
            max_speed_m_s,
            exempt,
        } => {
            p.max_speed_km_h = Some(max_speed_m_s * 3.6);
            p.exempt_list = exempt.map(|l| l.0);
        }
        AreaKind::Sea => {}
    }
    let shape =
        geometry.then(|| json!({ "type": "MultiPolygon", "coordinates": area.shape.to_degrees() }));
    AreaView {
        kind: "Feature",
        id: area.id.0,
        properties: p,
        geometry: shape,
    }
}

const fn kind_name(kind: &AreaKind) -> &'static str {
    match kind {
        AreaKind::Allow { .. } => "allow",
        AreaKind::Deny { .. } => "deny",
        AreaKind::AllowListRequired { .. } => "allow_list",
        AreaKind::SpeedLimit { .. } => "speed_limit",
        AreaKind::Sea => "sea",
    }
}

const KINDS: [&str; 5] = ["allow", "deny", "allow_list", "speed_limit", "sea"];

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of this country.
    #[param(example = "UA")]
    market: Option<String>,
    /// Of this kind.
    kind: Option<String>,
    /// Whether the geometry is wanted: it may be long.
    #[param(default = true)]
    geometry: Option<bool>,
}

/// Service areas by id.
#[utoipa::path(get, path = "/api/v1/areas", tag = "areas", params(Filter, PageQuery),
    responses((status = 200, description = "A page of areas", body = Page<AreaView>)))]
async fn list(
    State(api): State<Arc<Api>>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AreaView>>, Problem> {
    let bad = |detail: String| Problem::new(Kind::BadRequest, detail);
    let market = filter.market.as_deref().map(str::parse::<Market>);
    let market = market.transpose().map_err(|e| bad(e.to_string()))?;
    check_kinds(filter.kind.iter())?;
    let begin = page.begin::<u32>()?.map(AreaId);
    aside(move || {
        let register = api.register();
        let areas = register.areas().range((begin, Bound::Unbounded));
        let areas = areas.filter(|(_, a)| {
            let kind = filter.kind.as_deref();
            market.is_none_or(|m| a.market == Some(m))
                && kind.is_none_or(|k| kind_name(&a.kind) == k)
        });
        let geometry = filter.geometry.unwrap_or(true);
        page.page(areas.map(|(id, a)| (id, view(a, geometry))))
    })
    .await?
    .map(Json)
}

fn check_kinds<'a>(kinds: impl IntoIterator<Item = &'a String>) -> Result<(), Problem> {
    match kinds.into_iter().find(|k| !KINDS.contains(&k.as_str())) {
        Some(kind) => Err(Problem::new(
            Kind::BadRequest,
            format!("there is no kind of area `{kind}`: {}", KINDS.join(", ")),
        )),
        None => Ok(()),
    }
}

/// A service area.
#[utoipa::path(get, path = "/api/v1/areas/{id}", tag = "areas", params(("id" = u32, Path), Known),
    responses((status = 200, description = "The area", body = AreaView)))]
async fn get(
    State(api): State<Arc<Api>>,
    Path(id): Path<u32>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let register = api.register();
    let area = register.areas().get(&AreaId(id));
    let area = area.ok_or_else(|| Problem::not_found("area", id))?;
    Ok(conditions.answer(&api.tagger.tag(&**area), Json(view(area, true))))
}

/// Areas that were taken over, and what was put right in them.
#[derive(Serialize, ToSchema)]
struct Taken {
    areas: Vec<AreaView>,
    /// Rings that were turned round or closed.
    fixed: Vec<String>,
}

async fn read(text: Value) -> Result<Vec<(ServiceArea, Vec<Fix>)>, Problem> {
    let read = aside(move || parse_areas(&text.to_string())).await?;
    let areas = read.map_err(|bad| {
        let detail = format!("nothing was taken over: {} bad features", bad.len());
        Problem::invalid(detail).with_errors(bad.iter().map(ToString::to_string).collect())
    })?;
    if areas.is_empty() {
        return Err(Problem::invalid("the collection has no features"));
    }
    Ok(areas)
}

fn taken(read: &[(ServiceArea, Vec<Fix>)]) -> Taken {
    let fixed = read.iter().flat_map(|(area, fixes)| {
        fixes
            .iter()
            .map(move |fix| format!("area {}: {fix}", area.id))
    });
    Taken {
        areas: read.iter().map(|(area, _)| view(area, false)).collect(),
        fixed: fixed.collect(),
    }
}

/// Add areas from a GeoJSON FeatureCollection, all or none. Each feature's properties hold `id`, `name`, `kind` and what the
/// kind needs: docs/service.md.
#[utoipa::path(post, path = "/api/v1/areas", tag = "areas", params(Why), request_body = Object,
    responses((status = 201, description = "Added", body = Taken)))]
async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Body(body): Body<Value>,
) -> Result<Response, Problem> {
    let read = read(body).await?;
    let (areas, answer): (Vec<_>, _) =
        (read.iter().map(|(a, _)| a.clone()).collect(), taken(&read));
    let (tag, location) = match &read[..] {
        [(one, _)] => (api.tagger.tag(one), format!("/api/v1/areas/{}", one.id)),
        _ => (api.tagger.tag(&areas), "/api/v1/areas".to_owned()),
    };
    api.write(&caller, why, move |register| {
        let there = areas.iter().find(|a| register.areas().contains_key(&a.id));
        match there {
            Some(area) => Err(Problem::new(
                Kind::Conflict,
                format!("there is already an area {}: PUT changes it", area.id),
            )),
            None => Ok(Action::PutAreas(areas)),
        }
    })
    .await?;
    Ok(created(&location, &tag, answer))
}

/// Add an area under an id, or change it: a GeoJSON Feature. `properties.id` may be left out.
#[utoipa::path(put, path = "/api/v1/areas/{id}", tag = "areas", request_body = Object,
    params(("id" = u32, Path), Why, ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, description = "As it now stands", body = Taken)))]
async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u32>,
    why: Why,
    conditions: Conditions,
    Body(mut feature): Body<Value>,
) -> Result<Response, Problem> {
    let id = AreaId(id);
    if let Some(properties) = feature.get_mut("properties").and_then(Value::as_object_mut) {
        properties.entry("id").or_insert_with(|| json!(id));
    }
    let read = read(json!({ "type": "FeatureCollection", "features": [feature] })).await?;
    let area = read[0].0.clone();
    if area.id != id {
        return Err(Problem::invalid(format!(
            "properties.id is {} and the address names {id}",
            area.id
        )));
    }
    let (tagger, tag) = (api.tagger, api.tagger.tag(&area));
    api.write(&caller, why, move |register| {
        match register.areas().get(&id) {
            Some(before) => conditions.require(&tagger.tag(&**before))?,
            None => conditions.absent()?,
        }
        Ok(Action::PutArea(area))
    })
    .await?;
    Ok(changed(&tag, taken(&read)))
}

/// Remove an area.
#[utoipa::path(delete, path = "/api/v1/areas/{id}", tag = "areas",
    params(("id" = u32, Path), Why, ("If-Match" = Option<String>, Header)),
    responses((status = 204, description = "Removed")))]
async fn remove(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u32>,
    why: Why,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    let (id, tagger) = (AreaId(id), api.tagger);
    api.write(&caller, why, move |register| {
        let area = register.areas().get(&id);
        let area = area.ok_or_else(|| Problem::not_found("area", id))?;
        conditions.require(&tagger.tag(&**area))?;
        Ok(Action::RemoveArea(id))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which areas to switch, and when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Switch {
    /// All areas of this country; or `areas`.
    #[schema(example = "UA")]
    market: Option<String>,
    /// These areas; or `market`.
    areas: Option<Vec<u32>>,
    /// With `market`: of these kinds only; left out: `allow` and `allow_list`.
    kinds: Option<Vec<String>>,
    /// `on`: in force from `at` on, without end. `off`: no longer in force from `at` on.
    switch: OnOff,
    /// When, in the network's time; left out: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Utc>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OnOff {
    On,
    Off,
}

/// What was switched.
#[derive(Serialize, ToSchema)]
struct Switched {
    /// The areas.
    areas: Vec<u32>,
    /// From when on.
    #[schema(value_type = String, format = DateTime)]
    at: Utc,
    /// The entry of the audit log.
    audit_row: u64,
}

/// Switch areas on or off at a time: a whole country in one call. It takes effect with the first plan that begins then.
#[utoipa::path(post, path = "/api/v1/areas/switch", tag = "areas", params(Why), request_body = Switch,
    responses((status = 200, description = "Switched", body = Switched)))]
async fn switch(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Body(body): Body<Switch>,
) -> Result<Json<Switched>, Problem> {
    let market = body.market.as_deref().map(str::parse::<Market>);
    let market = market
        .transpose()
        .map_err(|e| Problem::invalid(e.to_string()))?;
    check_kinds(body.kinds.iter().flatten())?;
    let at = body.at.map_or_else(|| api.network.now(), Time::from);
    let (ids, kinds, on) = (body.areas, body.kinds, body.switch);
    match (&ids, market) {
        (Some(ids), None) if !ids.is_empty() => {}
        (None, Some(_)) => {}
        _ => {
            return Err(Problem::invalid(
                "expected either `market` or a list of `areas`",
            ));
        }
    }
    let chosen = move |register: &Register| -> Result<Vec<AreaId>, Problem> {
        if let Some(ids) = ids {
            let ids: BTreeSet<AreaId> = ids.into_iter().map(AreaId).collect();
            let unknown = ids.iter().find(|id| !register.areas().contains_key(id));
            return match unknown {
                Some(id) => Err(Problem::invalid(format!("there is no area {id}"))),
                None => Ok(ids.into_iter().collect()),
            };
        }
        let wanted = |area: &&Arc<ServiceArea>| {
            let kind = kind_name(&area.kind);
            let of_kind = match &kinds {
                Some(kinds) => kinds.iter().any(|k| k == kind),
                None => matches!(kind, "allow" | "allow_list"),
            };
            of_kind && area.market == market
        };
        let areas: Vec<_> = register
            .areas()
            .values()
            .filter(wanted)
            .map(|a| a.id)
            .collect();
        if areas.is_empty() {
            return Err(Problem::invalid("that country has no such area"));
        }
        Ok(areas)
    };
    let outcome = api
        .write(&caller, why, move |register| {
            let ids = chosen(register)?;
            Ok(match on {
                OnOff::On => Action::SetValidity(
                    ids,
                    Validity {
                        from: Some(at),
                        until: None,
                    },
                ),
                OnOff::Off => Action::EndValidity(ids, at),
            })
        })
        .await?;
    let area = |t: &skyweave_service::Touched| match t {
        skyweave_service::Touched::Area(id) => Some(id.0),
        _ => None,
    };
    Ok(Json(Switched {
        areas: outcome.touched.iter().filter_map(area).collect(),
        at: utc(at),
        audit_row: outcome.row.number,
    }))
}
