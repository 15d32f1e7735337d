//! What happens, as it happens: server-sent events (WHATWG HTML, section 9.2).
//!
//! Nobody is waited for: a client that reads too slowly loses events and is told so. So is one that comes back with
//! Last-Event-ID, if anything was done meanwhile: the log and the things themselves say what.

use super::caller::{By, Caller};
use super::{Api, needs};
use crate::operator::{Event as Done, Events};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};
use skyweave_service::{Permission, Touched};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::document::may_fail;
use super::problem::{Kind, Problem};

/// Streams at the same time: each holds a connection.
const STREAMS: usize = 128;
/// How often a silent stream says that it is there, and asks whether its reader may still read.
const PULSE: Duration = Duration::from_secs(15);
/// Things that an event names at most.
const MOST_NAMED: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let crowded = may_fail(&[Kind::TooManyRequests], routes!(events));
    OpenApiRouter::new().routes(needs(Permission::ReadNetwork)(crowded))
}

/// Places for streams.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(STREAMS))
}

/// Where a stream stands.
struct Stand {
    api: Arc<Api>,
    caller: Caller,
    events: Events,
    epochs: watch::Receiver<i64>,
    /// The last entry of the audit log and the last epoch that were told: the event's id.
    row: u64,
    epoch: i64,
    first: Option<Event>,
    _place: OwnedSemaphorePermit,
}

/// Events as they happen: `done` (an entry of the audit log and the things that it touched), `epoch` (a plan was made),
/// `missed` (some were lost: read anew what you need).
#[utoipa::path(get, path = "/api/v1/events", tag = "network",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was read")),
    responses((status = 200, description = "Events, until one side ends it", body = String, content_type = "text/event-stream")))]
async fn events(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let place = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| {
        let detail = format!("there are {STREAMS} streams already");
        Problem::new(Kind::TooManyRequests, detail).retry_after(30)
    })?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let last: Option<u64> = last.and_then(|id| id.split('.').next()?.parse().ok());
    let events = api.desk.subscribe();
    let mut epochs = api.network.watch();
    let epoch = *epochs.borrow_and_update();
    let row = api.register().audit_head().rows;
    let mut stand = Stand {
        caller,
        events,
        epochs,
        row,
        epoch,
        first: None,
        _place: place,
        api,
    };
    stand.first = Some(match last {
        Some(last) if last < row => stand.event(
            "missed",
            &json!({ "rows": [last + 1, row], "detail": "these entries of the audit log were written meanwhile" }),
        ),
        Some(last) if last > row => stand.event(
            "missed",
            &json!({ "detail": "this server does not know that event: read anew what you need" }),
        ),
        _ => stand.event("hello", &json!({ "row": row, "epoch": epoch })),
    });
    let told = stream::unfold(stand, |mut stand| async {
        let event = stand.next().await?;
        Some((Ok(event), stand))
    });
    Ok(Sse::new(told).keep_alive(KeepAlive::new().interval(PULSE)))
}

impl Stand {
    async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let told = tokio::select! {
                event = self.events.next() => self.done(event?),
                changed = self.epochs.changed() => {
                    changed.ok()?;
                    Some(self.planned())
                }
                () = tokio::time::sleep(PULSE) => None,
            };
            if !self.may_read() {
                return None;
            }
            if told.is_some() {
                return told;
            }
        }
    }

    fn done(&mut self, event: Done) -> Option<Event> {
        match event {
            Done::Done(outcome) => {
                self.row = outcome.row.number;
                let named: Vec<Value> = outcome
                    .touched
                    .iter()
                    // Who signs in is the audit log's matter.
                    .filter(|t| !matches!(t, Touched::SignIn(_)))
                    .take(MOST_NAMED)
                    .filter_map(|t| serde_json::to_value(t).ok())
                    .collect();
                let body = json!({
                    "row": self.row,
                    "touched": named,
                    "more": outcome.touched.len().saturating_sub(MOST_NAMED),
                });
                (!named.is_empty() || outcome.touched.is_empty()).then(|| self.event("done", &body))
            }
            // Counters change all the time.
            Done::Used(_) => None,
            Done::Everything => {
                self.row = self.api.register().audit_head().rows;
                let detail =
                    "events came faster than they were read, or the database was read anew";
                Some(self.event("missed", &json!({ "detail": detail })))
            }
        }
    }

    fn planned(&mut self) -> Event {
        self.epoch = *self.epochs.borrow_and_update();
        let epochs = self.api.network.epochs();
        let report = epochs.into_iter().find(|e| e.number == self.epoch);
        let report = report.map(|e| e.report);
        self.event("epoch", &json!({ "epoch": self.epoch, "report": report }))
    }

    fn event(&self, kind: &str, body: &Value) -> Event {
        let id = format!("{}.{}", self.row, self.epoch);
        Event::default().event(kind).id(id).data(body.to_string())
    }

    /// A stream ends with what it was opened by.
    fn may_read(&self) -> bool {
        let (register, now) = (self.api.register(), self.api.wall_now());
        let directory = register.directory();
        let ends = match self.caller.by {
            By::Token(id) => directory.tokens().get(&id).map(|t| t.expires),
            By::Session(id) => directory.sign_ins().get(&id).map(|s| s.expires),
        };
        let user = directory.users().get(&self.caller.user);
        let may = user.is_some_and(|u| u.mandate.role().may(Permission::ReadNetwork));
        may && ends.is_some_and(|ends| now < ends)
    }
}
