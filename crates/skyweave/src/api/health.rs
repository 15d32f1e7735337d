//! How the service is, and the document of its interface.

use super::caller::{Needs, guarded};
use super::wire::utc;
use super::{Api, BODY};
use crate::operator::Database;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use skyweave_base::Utc;
use std::sync::{Arc, LazyLock};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(guarded(Needs::Nothing, BODY, routes!(health)))
        .routes(guarded(Needs::Nothing, BODY, routes!(document)))
}

/// How the service is.
#[derive(Serialize, ToSchema)]
struct HealthView {
    /// `working`, `away` (reads go on, changes are refused) or `stopped`.
    database: &'static str,
    /// This program's version.
    version: &'static str,
    /// The wall clock.
    #[schema(value_type = String, format = DateTime)]
    now: Utc,
    /// The time of the network that runs: a scenario may play on another day.
    #[schema(value_type = String, format = DateTime)]
    network_now: Utc,
}

/// Whether changes are possible. Why not is for those who run the machine: it is in the server's output.
#[utoipa::path(get, path = "/api/v1/health", tag = "service",
    responses((status = 200, description = "All is well", body = HealthView),
        (status = 503, description = "Nothing can be changed at the moment", body = HealthView)))]
async fn health(State(api): State<Arc<Api>>) -> Response {
    let (status, database) = match api.desk.health().database {
        Database::Working => (StatusCode::OK, "working"),
        Database::Away { .. } => (StatusCode::SERVICE_UNAVAILABLE, "away"),
        Database::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "stopped"),
    };
    let view = HealthView {
        database,
        version: env!("CARGO_PKG_VERSION"),
        now: utc(api.wall_now()),
        network_now: utc(api.network.now()),
    };
    (status, Json(view)).into_response()
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "service",
    responses((status = 200, description = "The OpenAPI document", body = serde_json::Value)))]
async fn document() -> Json<&'static utoipa::openapi::OpenApi> {
    static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(super::openapi);
    Json(&DOCUMENT)
}
