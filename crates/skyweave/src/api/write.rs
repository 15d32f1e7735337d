//! The one way to change something, and requests that come twice.
//!
//! A request with an Idempotency-Key leaves a record in the same transaction as its command, so that it is never done twice,
//! also over a crash; its answer is kept beside it as soon as it is known.

use super::caller::Caller;
use super::problem::{Kind, Problem};
use super::wire::Why;
use super::{Api, lock};
use crate::operator::{Draft, Record, Rejected};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use skyweave_base::{Span, Time};
use skyweave_service::{Action, Command, Outcome, Register, Stamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How long an answer is kept, and how many at most.
const KEPT: Span = Span::from_secs(24 * 3600);
const MOST_KEPT: usize = 10_000;
/// The longest answer that is kept; ours are a thing or a page.
const LARGEST_KEPT: usize = 1 << 20;
const LONGEST_KEY: usize = 100;
/// The kind of the records.
const RECORD: &str = "answer";
const KEPT_HEADERS: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::ETAG,
    header::LOCATION,
    header::CACHE_CONTROL,
];

/// An answer that holds a secret: it is given once and kept nowhere.
#[derive(Clone, Copy)]
pub(super) struct Once;

/// An answer that says that nothing was done, though the fault is the service's.
#[derive(Clone, Copy)]
pub(super) struct Undone;

/// A request that may come again.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey {
    /// The user and the key.
    id: String,
    /// Over the method, the address and the body.
    fingerprint: String,
}

/// What is known of a request with a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    fingerprint: String,
    at: Time,
    /// `None`: it is being done, or was done and its answer is not known.
    answer: Option<Answer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Requests with a key of the last day.
#[derive(Default)]
pub(super) struct Answers(Mutex<BTreeMap<String, Kept>>);

impl Answers {
    /// As they were kept by whoever ran before.
    pub(super) fn load(records: Vec<Record>) -> Self {
        let read = |r: Record| {
            let kept = serde_json::from_str(r.body.as_deref()?).ok()?;
            Some((r.id, kept))
        };
        Self(Mutex::new(records.into_iter().filter_map(read).collect()))
    }

    /// What to answer to a request that came before; `None` if it is new, and then it is taken for being done.
    fn begin(&self, key: &IdempotencyKey, now: Time) -> Option<Response> {
        let mut all = lock(&self.0);
        let Some(kept) = all.get(&key.id).filter(|k| now - k.at < KEPT) else {
            let kept = Kept {
                fingerprint: key.fingerprint.clone(),
                at: now,
                answer: None,
            };
            all.insert(key.id.clone(), kept);
            return None;
        };
        let problem = if kept.fingerprint != key.fingerprint {
            Problem::invalid("this Idempotency-Key was used for another request: choose a new one")
        } else if let Some(answer) = &kept.answer {
            return Some(answer.response());
        } else {
            Problem::new(
                Kind::Conflict,
                "this request is being done or was done, and its answer is not kept: look at the thing itself",
            )
        };
        Some(problem.into_response())
    }

    /// Records that are too old or too many, to be removed with the next write.
    fn prune(&self, now: Time) -> Vec<Record> {
        let mut all = lock(&self.0);
        let mut gone: Vec<String> = Vec::new();
        all.retain(|id, kept| {
            let keep = now - kept.at < KEPT;
            if !keep {
                gone.push(id.clone());
            }
            keep
        });
        while all.len() > MOST_KEPT {
            let oldest = all.iter().min_by_key(|(_, kept)| kept.at);
            let Some(id) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            all.remove(&id);
            gone.push(id);
        }
        gone.into_iter().map(|id| record(id, None)).collect()
    }
}

impl Answer {
    fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::try_from(name.as_str()),
                HeaderValue::from_str(value),
            ) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn record(id: String, kept: Option<&Kept>) -> Record {
    let json = |k| serde_json::to_string(k).expect("an answer is JSON");
    Record {
        kind: RECORD.to_owned(),
        id,
        body: kept.map(json),
    }
}

impl Api {
    /// Does what `build` makes of the register when the command's turn has come: the place for conditions and new numbers.
    /// It runs on the desk's thread and must be quick.
    pub(crate) async fn write(
        &self,
        caller: &Caller,
        why: Why,
        build: impl FnOnce(&Register) -> Result<Action, Problem> + Send + 'static,
    ) -> Result<Arc<Outcome>, Problem> {
        let stamp = Stamp {
            by: caller.stamp_name(),
            at: self.wall_now(),
            why: why.why,
        };
        self.execute(stamp, caller.key.clone(), build).await
    }

    pub(super) async fn execute(
        &self,
        stamp: Stamp,
        key: Option<IdempotencyKey>,
        build: impl FnOnce(&Register) -> Result<Action, Problem> + Send + 'static,
    ) -> Result<Arc<Outcome>, Problem> {
        let mut records = self.answers.prune(stamp.at);
        if let Some(key) = key {
            let kept = Kept {
                fingerprint: key.fingerprint,
                at: stamp.at,
                answer: None,
            };
            records.push(record(key.id, Some(&kept)));
        }
        // The desk knows no HTTP: what the caller is to be told of a condition goes past it.
        let told = Arc::new(Mutex::new(None));
        let tell = Arc::clone(&told);
        let done = self.desk.submit(move |register| match build(register) {
            Ok(action) => Ok(Draft {
                commands: vec![Command { stamp, action }],
                records,
            }),
            Err(problem) => {
                let detail = problem.detail.clone();
                *lock(&tell) = Some(problem);
                Err(Rejected::Condition(detail))
            }
        });
        match done.await {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => Err(Problem::new(Kind::Broken, "a command had no outcome")),
            Err(rejected) => Err(lock(&told).take().unwrap_or_else(|| rejected.into())),
        }
    }
}

/// Runs a POST: one with an Idempotency-Key at most once.
pub(super) async fn once(
    api: &Arc<Api>,
    mut caller: Caller,
    largest_body: usize,
    request: Request,
    next: Next,
) -> Response {
    let (key, mut request) = match keyed(&caller, largest_body, request).await {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    let Some(key) = key else {
        request.extensions_mut().insert(caller);
        return next.run(request).await;
    };
    if let Some(answer) = api.answers.begin(&key, api.wall_now()) {
        return answer;
    }
    caller.key = Some(key.clone());
    request.extensions_mut().insert(caller);
    // Whoever asked may hang up: what was begun is brought to its end and remembered.
    let api = Arc::clone(api);
    let done = tokio::spawn(async move {
        let response = next.run(request).await;
        remember(&api, key, response).await
    });
    done.await.unwrap_or_else(|_| {
        Problem::new(Kind::Broken, "the request ended in the middle").into_response()
    })
}

/// Reads the key of a request, and its body for the fingerprint.
async fn keyed(
    caller: &Caller,
    largest_body: usize,
    request: Request,
) -> Result<(Option<IdempotencyKey>, Request), Problem> {
    let Some(key) = request.headers().get("idempotency-key") else {
        return Ok((None, request));
    };
    let key = key
        .to_str()
        .ok()
        .filter(|k| (1..=LONGEST_KEY).contains(&k.len()));
    let key = key.ok_or_else(|| {
        let detail = format!("Idempotency-Key has 1 to {LONGEST_KEY} visible ASCII characters");
        Problem::new(Kind::BadRequest, detail)
    })?;
    let id = format!("{}/{key}", caller.user);
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, largest_body).await.map_err(|_| {
        Problem::new(
            Kind::TooLarge,
            format!("the body did not come whole, or has more than {largest_body} bytes"),
        )
    })?;
    let mut hasher = blake3::Hasher::new();
    for part in [
        parts.method.as_str().as_bytes(),
        parts.uri.to_string().as_bytes(),
        &body,
    ] {
        hasher.update(&part.len().to_le_bytes()).update(part);
    }
    let fingerprint = hasher.finalize().to_hex().to_string();
    let request = Request::from_parts(parts, Body::from(body));
    Ok((Some(IdempotencyKey { id, fingerprint }), request))
}

/// Keeps the answer to a request that was done; one that changed nothing may be tried again.
async fn remember(api: &Api, key: IdempotencyKey, response: Response) -> Response {
    let status = response.status();
    if !status.is_success() {
        // After a failure of the service itself it is not known what was done, unless it says that nothing was.
        let undone = response.extensions().get::<Undone>().is_some();
        if undone || !status.is_server_error() {
            lock(&api.answers.0).remove(&key.id);
        }
        return response;
    }
    if response.extensions().get::<Once>().is_some() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_KEPT).await else {
        return Problem::new(Kind::Broken, "the answer could not be kept").into_response();
    };
    let header = |name: &HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    let kept = Kept {
        fingerprint: key.fingerprint,
        at: api.wall_now(),
        answer: Some(Answer {
            status: status.as_u16(),
            headers: KEPT_HEADERS.iter().filter_map(header).collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
        }),
    };
    let records = vec![record(key.id.clone(), Some(&kept))];
    // Nobody waits for this: if it is lost, a repetition learns that the request was done.
    drop(api.desk.submit(move |_| {
        Ok(Draft {
            commands: Vec::new(),
            records,
        })
    }));
    lock(&api.answers.0).insert(key.id, kept);
    Response::from_parts(parts, Body::from(body))
}
