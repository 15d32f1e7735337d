//! `/metrics`, for Prometheus (docs/metrics.md), and the counting of requests.

use super::problem::{Kind, Problem};
use super::{Api, aside, needs};
pub(super) use crate::metrics::Requests;
use crate::metrics::Writer;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;
use skyweave_service::Permission;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(needs(Permission::ReadNetwork)(routes!(metrics)))
}

/// The metrics of the network, its terminals and the service, in the text format of Prometheus, version 0.0.4.
#[utoipa::path(get, path = "/metrics", tag = "service",
    responses((status = 200, description = "docs/metrics.md lists them", body = String,
        content_type = "text/plain; version=0.0.4; charset=utf-8")))]
async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let page = aside(move || {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape(api)));
        let mut page = String::new();
        prometheus_text::encode(&mut page, &registry).map(|()| page)
    });
    let page = page.await?;
    let page = page.map_err(|_| Problem::new(Kind::Broken, "the metrics could not be written"))?;
    Ok((
        [(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)],
        page,
    )
        .into_response())
}

struct Scrape(Arc<Api>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(&mut encoder);
        writer.program()?;
        self.0.network.measure(&mut writer)?;
        writer.desk(&self.0.desk)?;
        writer.requests(&self.0.requests)
    }
}

/// Counts each answer under its route.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let api = request.extensions().get::<Arc<Api>>().cloned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (method, begun) = (request.method().clone(), Instant::now());
    let response = next.run(request).await;
    if let Some(api) = api {
        let route = route.as_ref().map_or("none", MatchedPath::as_str);
        // Whoever invents methods does not invent series.
        let method = match method.as_str() {
            known @ ("GET" | "POST" | "PUT" | "DELETE" | "HEAD") => known,
            _ => "other",
        };
        let took_s = begun.elapsed().as_secs_f64();
        api.requests
            .count(route, method, response.status().as_u16(), took_s);
    }
    response
}
