//! What all resources share on the wire: extractors whose failures are problems, pages, entity tags, times, places.

use super::problem::{Kind, Problem};
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use h3o::{LatLng, Resolution};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use skyweave_base::{Geodetic, Time, Utc};
use std::ops::Bound;
use utoipa::{IntoParams, ToSchema};

/// The longest reason, characters.
const LONGEST_WHY: usize = 500;
/// Items of a page, if nothing is said, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// A part of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct Path<T>(pub(crate) T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

/// A body in JSON.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

/// The reason of a change, for the audit log.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// The reason in words, for the audit log.
    #[param(min_length = 1, max_length = 500, example = "asked for by the holder")]
    pub(crate) why: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Why {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let asked = axum::extract::Query::<Self>::try_from_uri(&parts.uri);
        let Ok(axum::extract::Query(why)) = asked else {
            return Err(Problem::new(
                Kind::BadRequest,
                "say why, for the audit log: add ?why=... to the address",
            ));
        };
        let length = why.why.chars().count();
        if why.why.trim().is_empty() || length > LONGEST_WHY {
            return Err(Problem::new(
                Kind::BadRequest,
                format!("a reason has 1 to {LONGEST_WHY} characters, not {length}"),
            ));
        }
        Ok(why)
    }
}

/// Which page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// `next` of the page before.
    pub(crate) after: Option<String>,
    /// Items at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(crate) limit: Option<usize>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items, by id.
    pub(crate) items: Vec<T>,
    /// Ask for the next page with `after` set to this; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl PageQuery {
    /// Items of this page at most.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(PAGE) {
            n @ 1..=LARGEST_PAGE => Ok(n),
            n => Err(Problem::new(
                Kind::BadRequest,
                format!("limit is {n}: expected 1 to {LARGEST_PAGE}"),
            )),
        }
    }

    /// Where this page begins.
    pub(crate) fn begin<K: std::str::FromStr>(&self) -> Result<Bound<K>, Problem> {
        let Some(after) = &self.after else {
            return Ok(Bound::Unbounded);
        };
        let id = after.parse().map_err(|_| {
            Problem::new(
                Kind::BadRequest,
                "after is not the `next` of a page of this list",
            )
        })?;
        Ok(Bound::Excluded(id))
    }

    /// The page out of all items behind its begin.
    pub(crate) fn page<K: ToString, T>(
        &self,
        items: impl IntoIterator<Item = (K, T)>,
    ) -> Result<Page<T>, Problem> {
        let limit = self.limit()?;
        let (mut page, mut last) = (Vec::new(), None);
        for (id, item) in items {
            if page.len() == limit {
                return Ok(Page {
                    items: page,
                    next: last.map(|id: K| id.to_string()),
                });
            }
            page.push(item);
            last = Some(id);
        }
        Ok(Page {
            items: page,
            next: None,
        })
    }
}

/// Makes entity tags: a keyed hash, so that nobody can find out by trying what of a thing is not shown.
#[derive(Clone, Copy)]
pub(crate) struct Tagger([u8; 32]);

impl Tagger {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The entity tag of a thing as it stands.
    pub(crate) fn tag(self, thing: &impl Serialize) -> String {
        let json =
            serde_json::to_vec(thing).expect("a thing's maps have texts as keys: it is JSON");
        let hash = blake3::keyed_hash(&self.0, &json).to_hex();
        format!("\"{}\"", &hash[..32])
    }
}

/// What a reading may name.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the document's: `Conditions` reads it")]
pub(crate) struct Known {
    /// The ETag of what you have: the answer is 304 and empty if it still is that.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// Conditions of a request (RFC 9110, section 13.1).
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    matches: Option<String>,
    none_matches: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = |name: HeaderName| {
            let all = parts.headers.get_all(name);
            let texts: Vec<&str> = all.iter().filter_map(|v| v.to_str().ok()).collect();
            (!texts.is_empty()).then(|| texts.join(","))
        };
        Ok(Self {
            matches: read(header::IF_MATCH),
            none_matches: read(header::IF_NONE_MATCH),
        })
    }
}

impl Conditions {
    /// For a change of something that is there: its tag must be named.
    pub(crate) fn require(&self, tag: &str) -> Result<(), Problem> {
        if self.matches.is_none() {
            return Err(Problem::new(
                Kind::ConditionRequired,
                "read it first and send its ETag as If-Match, or If-Match: * for whatever it is now",
            ));
        }
        self.allow(tag)
    }

    /// For a change where a condition may be given.
    pub(crate) fn allow(&self, tag: &str) -> Result<(), Problem> {
        let changed = |detail| Err(Problem::new(Kind::Changed, detail));
        if self.matches.as_deref().is_some_and(|m| !names(m, tag)) {
            return changed("it is not what If-Match names any more: read it again");
        }
        if self.none_matches.as_deref().is_some_and(|m| names(m, tag)) {
            return changed("it is there already");
        }
        Ok(())
    }

    /// For something that is not there: only a condition that it is there fails.
    pub(crate) fn absent(&self) -> Result<(), Problem> {
        match self.matches {
            None => Ok(()),
            Some(_) => Err(Problem::new(
                Kind::Changed,
                "it is not there, and If-Match says that it is",
            )),
        }
    }

    /// The answer to a reading: the thing, or that the reader has it.
    pub(crate) fn answer(&self, tag: &str, body: impl IntoResponse) -> Response {
        let mut response = match &self.none_matches {
            Some(m) if names(m, tag) => StatusCode::NOT_MODIFIED.into_response(),
            _ => body.into_response(),
        };
        set_tag(response.headers_mut(), tag);
        response
    }
}

/// Whether a list of entity tags names this one. Weak tags are compared as strong ones: ours never are weak.
fn names(list: &str, tag: &str) -> bool {
    list.split(',').any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    })
}

pub(crate) fn set_tag(headers: &mut HeaderMap, tag: &str) {
    if let Ok(value) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, value);
    }
    let fresh = HeaderValue::from_static("private, no-cache");
    headers.insert(header::CACHE_CONTROL, fresh);
}

/// A thing that was changed, as it now stands.
pub(crate) fn changed(tag: &str, body: impl Serialize) -> Response {
    let mut response = axum::Json(body).into_response();
    set_tag(response.headers_mut(), tag);
    response
}

/// A thing that was made, and where it is.
pub(crate) fn created(location: &str, tag: &str, body: impl Serialize) -> Response {
    let mut response = changed(tag, body);
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A time as people write it.
pub(crate) fn utc(t: Time) -> Utc {
    t.into()
}

/// A place as the H3 cell of resolution 5 (about 250 km²) that it lies in.
pub(crate) fn cell(at: Geodetic) -> Option<String> {
    let place = LatLng::new(at.lat_deg(), at.lon_deg()).ok()?;
    Some(place.to_cell(Resolution::Five).to_string())
}

/// A value in which each place stands as its cell: what may be shown to those who may not read places.
pub(crate) fn without_positions(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let number = |name| fields.get(name).and_then(Value::as_f64);
            if let (Some(lat_rad), Some(lon_rad)) = (number("lat_rad"), number("lon_rad")) {
                let at = Geodetic {
                    lat_rad,
                    lon_rad,
                    height_m: 0.0,
                };
                return json!({ "cell": cell(at) });
            }
            let shown = fields.into_iter().map(|(k, v)| (k, without_positions(v)));
            Value::Object(shown.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_positions).collect()),
        other => other,
    }
}

/// A place on Earth.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// Latitude on WGS84, degrees, north positive.
    #[schema(minimum = -90, maximum = 90)]
    pub(crate) lat_deg: f64,
    /// Longitude, degrees, east positive.
    #[schema(minimum = -180, maximum = 180)]
    pub(crate) lon_deg: f64,
}

impl Position {
    pub(crate) fn geodetic(self) -> Result<Geodetic, Problem> {
        Geodetic::from_degrees(self.lat_deg, self.lon_deg)
            .map_err(|e| Problem::invalid(e.to_string()))
    }
}

impl From<Geodetic> for Position {
    fn from(at: Geodetic) -> Self {
        Self {
            lat_deg: at.lat_deg(),
            lon_deg: at.lon_deg(),
        }
    }
}
