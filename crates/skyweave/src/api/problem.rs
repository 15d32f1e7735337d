//! Errors as RFC 9457 problems: the one way in which a request fails, and the one place that says which refusal is which
//! status.

use super::write::Undone;
use crate::operator::Rejected;
use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use skyweave_service::{AccessRefused, Refused, StepRefused};
use utoipa::ToSchema;

/// Why a request was not done (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What kind of problem: a name that stays.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "urn:skyweave:problem:not-found")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request, and what to do.
    pub(super) detail: String,
    /// Each thing that is wrong, if there are several: rows of a file, features of a map.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
    #[serde(skip)]
    retry_after_s: Option<u64>,
    #[serde(skip)]
    undone: bool,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    BadRequest,
    Unauthenticated,
    Forbidden,
    ChoosePassword,
    NotFound,
    NoSuchMethod,
    TooSlow,
    Conflict,
    Changed,
    TooLarge,
    WrongMediaType,
    Invalid,
    ConditionRequired,
    TooManyRequests,
    Away,
    InDoubt,
    ProviderAway,
    Broken,
}

impl Kind {
    const fn about(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "bad-request", "The request cannot be read"),
            Self::Unauthenticated => (401, "unauthenticated", "Who asks is not known"),
            Self::Forbidden => (403, "forbidden", "This is not allowed"),
            Self::ChoosePassword => (403, "choose-password", "Choose a password first"),
            Self::NotFound => (404, "not-found", "There is no such thing"),
            Self::NoSuchMethod => (405, "no-such-method", "This cannot be done with it"),
            Self::TooSlow => (408, "too-slow", "The request took too long"),
            Self::Conflict => (409, "conflict", "It does not go with how things stand"),
            Self::Changed => (412, "changed", "It was changed meanwhile"),
            Self::TooLarge => (413, "too-large", "The request is too large"),
            Self::WrongMediaType => (415, "wrong-media-type", "The body is of another type"),
            Self::Invalid => (422, "invalid", "The content makes no sense"),
            Self::ConditionRequired => (428, "condition-required", "Say which version is meant"),
            Self::TooManyRequests => (429, "too-many-requests", "Too many attempts"),
            Self::Away => (503, "database-away", "Nothing can be changed at the moment"),
            Self::InDoubt => (503, "in-doubt", "It is not known whether it was done"),
            Self::ProviderAway => (
                503,
                "provider-away",
                "The identity provider does not answer",
            ),
            Self::Broken => (500, "broken", "Something in the service is broken"),
        }
    }
}

impl Kind {
    pub(super) const fn status(self) -> u16 {
        self.about().0
    }

    /// As the OpenAPI document tells it.
    pub(super) fn description(self) -> String {
        let (_, name, title) = self.about();
        format!("`{name}`: {title}")
    }
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, name, title) = kind.about();
        Self {
            kind: format!("urn:skyweave:problem:{name}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_s: None,
            undone: kind == Kind::Away,
        }
    }

    /// There is none, or none that this caller may know of: both look the same.
    pub(crate) fn not_found(what: &str, id: impl ToString) -> Self {
        Self::new(
            Kind::NotFound,
            format!("there is no {what} {}", id.to_string()),
        )
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, detail)
    }

    pub(crate) fn with_errors(self, errors: Vec<String>) -> Self {
        Self { errors, ..self }
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after_s: Some(seconds),
            ..self
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry = self.retry_after_s;
        let undone = self.undone;
        let mut response = (status, Json(self)).into_response();
        if undone {
            response.extensions_mut().insert(Undone);
        }
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"skyweave\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        let detail = rejected.to_string();
        match rejected {
            Rejected::Refused(refused) => refused.into(),
            Rejected::Condition(_) => Self::new(Kind::Changed, detail),
            Rejected::Away(_) => Self::new(Kind::Away, detail).retry_after(2),
            Rejected::InDoubt(_) => Self::new(Kind::InDoubt, detail).retry_after(2),
            Rejected::Closed => Self::new(Kind::Away, detail),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(kind_of(&refused), refused.to_string())
    }
}

/// Whether what was asked makes no sense by itself, or does not go with how things stand. The thing that a path names is
/// looked for before: what is unknown here is named in the content.
fn kind_of(refused: &Refused) -> Kind {
    match refused {
        Refused::Unknown { .. }
        | Refused::NotNew { .. }
        | Refused::BadPlan { .. }
        | Refused::Step(StepRefused::NoReason | StepRefused::NotAPlace)
        | Refused::Access(
            AccessRefused::BadName | AccessRefused::NotOfRole { .. } | AccessRefused::Expired,
        ) => Kind::Invalid,
        _ => Kind::Conflict,
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(Kind::BadRequest, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Kind::BadRequest, rejection.body_text())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Kind::WrongMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Kind::Invalid,
            _ => Kind::BadRequest,
        };
        Self::new(kind, rejection.body_text())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
            _ => Kind::BadRequest,
        };
        Self::new(kind, rejection.body_text())
    }
}
