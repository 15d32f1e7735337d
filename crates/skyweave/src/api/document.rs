//! What the OpenAPI document says of each operation besides what its handler says: who may, and every way in which it may fail.
//!
//! How an operation may fail follows from what it takes and needs, by one table; what only some handlers do, they add where they are
//! routed ([`may_fail`]). So a status that an operation has and does not say is a mistake that a test finds.

use super::Api;
use super::caller::Needs;
use super::problem::Kind;
use std::collections::BTreeSet;
use std::sync::Arc;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    ContentBuilder, HttpMethod, ObjectBuilder, PathItem, Paths, Ref, RefOr, ResponseBuilder, Type,
};
use utoipa_axum::router::UtoipaMethodRouter;

/// Ways in which operations fail that do not follow from what they take.
pub(super) fn may_fail(
    kinds: &[Kind],
    (schemas, mut paths, router): UtoipaMethodRouter<Arc<Api>>,
) -> UtoipaMethodRouter<Arc<Api>> {
    for (_, operation) in operations(&mut paths) {
        fails(operation, kinds.iter().copied());
    }
    (schemas, paths, router)
}

/// Says of the operations at some paths what follows from their need.
pub(super) fn complete(paths: &mut Paths, needs: Needs) {
    for (method, operation) in operations(paths) {
        // The names of handlers repeat from module to module.
        if let (Some(id), Some(tag)) = (
            &operation.operation_id,
            operation.tags.iter().flatten().next(),
        ) {
            operation.operation_id = Some(format!("{tag}_{id}"));
        }
        if needs != Needs::Nothing {
            operation.security = Some(vec![
                SecurityRequirement::new("token", [] as [&str; 0]),
                SecurityRequirement::new("session", [] as [&str; 0]),
            ]);
            if method == HttpMethod::Post {
                take_key(operation);
            }
        }
        if let Needs::Permission(permission) = needs {
            let named = ExtensionsBuilder::new()
                .add("x-permission", permission.to_string())
                .build();
            operation.extensions = Some(named);
        }
        let kinds = kinds(operation, &method, needs);
        fails(operation, kinds);
        if method == HttpMethod::Get && takes(operation, ParameterIn::Header, "If-None-Match") {
            let unchanged =
                ResponseBuilder::new().description("It is still what If-None-Match names");
            let responses = &mut operation.responses.responses;
            responses.insert("304".into(), unchanged.build().into());
        }
    }
}

/// How an operation may fail, by what it takes and needs. Not: by a mistake of this program.
fn kinds(operation: &Operation, method: &HttpMethod, needs: Needs) -> BTreeSet<Kind> {
    use ParameterIn::{Header, Path, Query};
    let is_in = |place| parameters(operation).any(|p| p.parameter_in == place);
    let takes = |place, name| takes(operation, place, name);
    let body = operation.request_body.is_some();
    let key = takes(Header, "Idempotency-Key");
    let condition = takes(Header, "If-Match");
    let known = needs != Needs::Nothing;
    let changes = *method != HttpMethod::Get;
    // A reading that leaves an entry of the audit log says why.
    let writes = changes || takes(Query, "why");
    // A step of a terminal or an incident takes a condition and needs none.
    let replaces = matches!(method, HttpMethod::Put | HttpMethod::Delete);
    // What can be put there only if it is not there is made where it is not.
    let makes = replaces && takes(Header, "If-None-Match");
    let table = [
        (Kind::TooSlow, true),
        (Kind::BadRequest, is_in(Path) || is_in(Query) || body || key),
        (Kind::Unauthenticated, known),
        // A cookie must come from our own pages, and first a password is chosen.
        (Kind::Forbidden, known && (needs != Needs::Name || changes)),
        (Kind::ChoosePassword, known && needs != Needs::Name),
        (Kind::NotFound, is_in(Path) && !makes),
        (Kind::TooLarge, body || key),
        (Kind::WrongMediaType, body),
        (Kind::Invalid, writes),
        (Kind::Conflict, writes),
        (Kind::Changed, condition),
        (Kind::ConditionRequired, condition && replaces),
        (Kind::Away, writes),
        (Kind::InDoubt, writes),
    ];
    let so = table.into_iter().filter(|(_, so)| *so);
    so.map(|(kind, _)| kind).collect()
}

/// Adds answers to an operation that are problems: one for each status, which names the kinds that have it.
fn fails(operation: &mut Operation, kinds: impl IntoIterator<Item = Kind>) {
    for kind in kinds {
        let status = kind.status().to_string();
        let text = kind.description();
        let responses = &mut operation.responses.responses;
        if let Some(RefOr::T(response)) = responses.get_mut(&status) {
            if !response.description.contains(&text) {
                response.description = format!("{}; {text}", response.description);
            }
            continue;
        }
        let problem = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        let response = ResponseBuilder::new()
            .description(text)
            .content("application/problem+json", problem)
            .build();
        responses.insert(status, response.into());
    }
}

fn takes(operation: &Operation, place: ParameterIn, name: &str) -> bool {
    parameters(operation).any(|p| p.parameter_in == place && p.name == name)
}

/// All of ours are written where they are used.
fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    let all = operation.parameters.iter().flatten();
    all.filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}

fn operations(paths: &mut Paths) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    paths.paths.values_mut().flat_map(|item| {
        let PathItem {
            get,
            put,
            post,
            delete,
            ..
        } = item;
        let all = [
            (HttpMethod::Get, get),
            (HttpMethod::Put, put),
            (HttpMethod::Post, post),
            (HttpMethod::Delete, delete),
        ];
        all.into_iter()
            .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
    })
}

fn take_key(operation: &mut Operation) {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(100))
        .build();
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "A text of your choice: a request repeated with it within a day is not done again, and gets the same answer",
        ))
        .schema(Some(text))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(key.into());
}
