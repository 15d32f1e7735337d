//! The authorization matrix: each route, and who may. It is written down here a second time, on purpose: what the server
//! does is held against it.

use super::place::{OWN, Place};
use skyweave_service::Role;
use std::collections::BTreeSet;

const ALL: &str = "owner operator planner support auditor customer terminal";
const STAFF: &str = "owner operator planner support auditor";
const BUSINESS: &str = "owner operator";

/// Method, path, who may; `anybody` needs no name.
const MATRIX: &[(&str, &str, &str)] = &[
    ("GET", "/health", "anybody"),
    ("GET", "/openapi.json", "anybody"),
    ("GET", "/metrics", STAFF),
    ("POST", "/session", "anybody"),
    ("GET", "/session/oidc", "anybody"),
    ("GET", "/session/oidc/callback", "anybody"),
    ("DELETE", "/session", ALL),
    ("POST", "/session/password", ALL),
    ("GET", "/me", ALL),
    ("GET", "/users", "owner operator auditor"),
    ("POST", "/users", "owner"),
    ("GET", "/users/{id}", "owner operator auditor"),
    ("PUT", "/users/{id}", "owner"),
    ("DELETE", "/users/{id}", "owner"),
    ("POST", "/users/{id}/secret", "owner"),
    ("GET", "/tokens", ALL),
    ("POST", "/tokens", ALL),
    ("DELETE", "/tokens/{id}", ALL),
    ("GET", "/terminals", ALL),
    ("POST", "/terminals", BUSINESS),
    ("POST", "/terminals/import", BUSINESS),
    ("GET", "/terminals/{id}", ALL),
    ("GET", "/terminals/{id}/explain", ALL),
    (
        "GET",
        "/terminals/{id}/location",
        "owner operator support customer",
    ),
    ("GET", "/terminals/{id}/usage", ALL),
    ("POST", "/terminals/{id}/sell", "owner operator support"),
    ("POST", "/terminals/{id}/register", "owner operator support"),
    ("POST", "/terminals/{id}/release", "owner operator support"),
    ("POST", "/terminals/{id}/activate", "owner operator support"),
    (
        "POST",
        "/terminals/{id}/deactivate",
        "owner operator support",
    ),
    (
        "POST",
        "/terminals/{id}/suspend",
        "owner operator support customer",
    ),
    (
        "POST",
        "/terminals/{id}/resume",
        "owner operator support customer",
    ),
    ("POST", "/terminals/{id}/block", BUSINESS),
    ("POST", "/terminals/{id}/restore", BUSINESS),
    ("POST", "/terminals/{id}/retire", BUSINESS),
    ("GET", "/areas", STAFF),
    ("POST", "/areas", BUSINESS),
    ("POST", "/areas/switch", BUSINESS),
    ("GET", "/areas/{id}", STAFF),
    ("PUT", "/areas/{id}", BUSINESS),
    ("DELETE", "/areas/{id}", BUSINESS),
    (
        "GET",
        "/accounts",
        "owner operator support auditor customer",
    ),
    ("POST", "/accounts", "owner operator support"),
    (
        "GET",
        "/accounts/{id}",
        "owner operator support auditor customer",
    ),
    ("PUT", "/accounts/{id}", "owner operator support"),
    (
        "GET",
        "/organisations",
        "owner operator support auditor customer",
    ),
    ("POST", "/organisations", "owner operator support"),
    (
        "GET",
        "/organisations/{id}",
        "owner operator support auditor customer",
    ),
    ("PUT", "/organisations/{id}", "owner operator support"),
    (
        "GET",
        "/plans",
        "owner operator planner support auditor customer",
    ),
    ("POST", "/plans", BUSINESS),
    (
        "GET",
        "/plans/{id}",
        "owner operator planner support auditor customer",
    ),
    ("PUT", "/plans/{id}", BUSINESS),
    ("GET", "/lists", "owner operator support auditor customer"),
    (
        "GET",
        "/lists/{id}",
        "owner operator support auditor customer",
    ),
    ("PUT", "/lists/{id}", BUSINESS),
    (
        "GET",
        "/lists/{id}/entries",
        "owner operator support auditor customer",
    ),
    ("DELETE", "/lists/{id}/entries/{terminal}", BUSINESS),
    (
        "GET",
        "/lists/{id}/requests",
        "owner operator support auditor customer",
    ),
    (
        "POST",
        "/lists/{id}/requests",
        "owner operator support customer",
    ),
    (
        "GET",
        "/lists/{id}/requests/{request}",
        "owner operator support auditor customer",
    ),
    ("POST", "/lists/{id}/requests/{request}/approve", BUSINESS),
    ("POST", "/lists/{id}/requests/{request}/reject", BUSINESS),
    ("GET", "/denied", "owner operator support auditor"),
    ("POST", "/denied", BUSINESS),
    ("DELETE", "/denied/terminals/{id}", BUSINESS),
    ("DELETE", "/denied/accounts/{id}", BUSINESS),
    ("GET", "/usage", ALL),
    (
        "GET",
        "/incidents",
        "owner operator support auditor customer",
    ),
    (
        "GET",
        "/incidents/{id}",
        "owner operator support auditor customer",
    ),
    ("POST", "/incidents/{id}/cut-off", BUSINESS),
    ("POST", "/incidents/{id}/dismiss", BUSINESS),
    ("POST", "/incidents/{id}/restore", BUSINESS),
    (
        "POST",
        "/incidents/{id}/appeal",
        "owner operator support customer",
    ),
    ("GET", "/audit", "owner auditor"),
    ("GET", "/audit/verify", "owner auditor"),
    ("GET", "/settings", "owner operator planner auditor"),
    ("PUT", "/settings/defaults", "owner"),
    ("PUT", "/settings/automatic", "owner"),
    ("GET", "/epochs", STAFF),
    ("GET", "/epochs/{epoch}", STAFF),
    ("GET", "/epochs/{epoch}/plan", STAFF),
    ("GET", "/live-terminals", STAFF),
    ("GET", "/events", STAFF),
    ("GET", "/faults", STAFF),
    ("PUT", "/faults", "owner operator planner"),
];

/// The document has the routes of the matrix and no others, and says of each what it needs.
pub(crate) fn covers_the_document() {
    let document = serde_json::to_value(skyweave::api::openapi()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let (mut found, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !["get", "put", "post", "delete", "patch", "head", "options"]
                .contains(&method.as_str())
            {
                continue;
            }
            // Where Prometheus looks for it.
            let outside = (path == "/metrics").then_some(path.as_str());
            let path = path.strip_prefix("/api/v1").or(outside);
            let path = path.expect("a path under /api/v1");
            found.insert((method.to_uppercase(), path.to_owned()));
            let name = operation["operationId"].as_str().unwrap().to_owned();
            assert!(
                names.insert(name.clone()),
                "two operations are called {name}"
            );
        }
    }
    let matrix: BTreeSet<_> = MATRIX
        .iter()
        .map(|(m, p, _)| ((*m).to_owned(), (*p).to_owned()))
        .collect();
    assert_eq!(
        matrix.len(),
        MATRIX.len(),
        "a route stands twice in the matrix"
    );
    let missing: Vec<_> = found.difference(&matrix).collect();
    assert!(missing.is_empty(), "say in the matrix who may: {missing:?}");
    let gone: Vec<_> = matrix.difference(&found).collect();
    assert!(
        gone.is_empty(),
        "the matrix has routes that are not there: {gone:?}"
    );
}

/// Each route as each role, and as nobody.
pub(crate) fn holds(place: &Place) {
    let mut wrong = Vec::new();
    for (method, path, who) in MATRIX {
        let (asked, body) = (example(method, path), "{}");
        let json = [("content-type", "application/json")];
        let nobody = place.http().status(method, &asked, &json, body.as_bytes());
        if *who == "anybody" {
            if matches!(nobody, 403 | 500..) || nobody == 401 {
                wrong.push(format!("{method} {path} as nobody: {nobody}"));
            }
            continue;
        }
        if nobody != 401 {
            wrong.push(format!("{method} {path} as nobody: {nobody}"));
        }
        for role in Role::ALL {
            let role = role.to_string();
            let may = who.split(' ').any(|r| r == role);
            let status = place
                .as_role(&role)
                .status(method, &asked, &json, body.as_bytes());
            let did = !matches!(status, 401 | 403 | 500..);
            if may != did || (!may && status != 403) {
                wrong.push(format!("{method} {path} as {role}: {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The route with something in its path; a DELETE with what does not exist, so that what there is stays.
fn example(method: &str, path: &str) -> String {
    let absent = method == "DELETE";
    let terminal = if absent {
        "ut01000000-00000000-0000ffff"
    } else {
        OWN
    };
    let id = match path {
        p if p.starts_with("/terminals") || p.starts_with("/denied/terminals") => terminal,
        _ if absent => "999",
        _ => "1",
    };
    let path = path
        .replace("{id}", id)
        .replace("{terminal}", terminal)
        .replace("{request}", "1")
        .replace("{epoch}", "100");
    format!("{path}?why=matrix")
}
