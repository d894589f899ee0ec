//! The OpenAPI document: gathered from the handlers, with what is the same for all of them added once.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::json;
use utoipa::OpenApi;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;

use super::{BASE, error::ProblemDocument, routes};
use crate::credentials;

/// The head of the document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Dialplane",
        description = "The control plane: tenants, their accounts, agents and phone numbers, and what is done with a \
            call.\n\nUnknown fields are refused. Every refusal is a problem document (RFC 9457) with a stable `code`. \
            Lists come in pages: `next` of one is `cursor` of the next. Writes that routers see answer with the header \
            `Dialplane-Revision`; `?wait=applied` answers once every live router serves it."
    ),
    components(schemas(ProblemDocument)),
    tags(
        (name = "Tenants", description = "Businesses."),
        (name = "Accounts", description = "Credentials at providers, a tenant's or the platform's own."),
        (name = "Agents", description = "Whoever answers."),
        (name = "Phone numbers", description = "Numbers, which are also their tenant's locations."),
        (name = "Settings", description = "A number's opening hours, routing, and how agents speak there."),
        (name = "Defaults", description = "What holds where a number sets nothing."),
        (name = "Staff and services", description = "Who works at a location, and what it offers."),
        (name = "Intents", description = "What callers may want, and what is answered."),
        (name = "Tools", description = "A tenant's own server for what its agents want done."),
        (name = "Routing", description = "Why a call goes where it goes."),
        (name = "API keys", description = "Keys that open this API."),
        (name = "Bulk", description = "Files of numbers, tenants and settings, in and out."),
        (name = "Fleet", description = "The feed of changes and the routers that follow it."),
    )
)]
struct Head;

static TEXT: LazyLock<String> = LazyLock::new(write);

/// The document, as indented JSON with a line break at its end.
#[must_use]
pub fn document_text() -> &'static str {
    &TEXT
}

/// Serves the document. No key is needed: it says nothing of anybody's data.
pub async fn serve() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document_text())
}

fn write() -> String {
    let (_, mut document) =
        OpenApiRouter::with_openapi(Head::openapi()).nest(BASE, routes()).split_for_parts();
    let key = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_with(Components::new).add_security_scheme("key", key);
    document.security = Some(vec![SecurityRequirement::new::<_, _, String>("key", [])]);
    for path in document.paths.paths.values_mut() {
        let operations =
            [&mut path.get, &mut path.head, &mut path.post, &mut path.put, &mut path.patch, &mut path.delete];
        operations.into_iter().flatten().for_each(add_refusal);
    }
    for path in ["/accounts", "/tenants/{tenant_id}/accounts"] {
        if let Some(path) = document.paths.paths.get_mut(&format!("{BASE}{path}")) {
            path.post.iter_mut().for_each(add_account_examples);
        }
    }
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// One example of each provider, from the provider's own folder.
fn add_account_examples(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        content.examples.extend(credentials::examples().map(|(provider, credentials)| {
            let account = json!({"provider": provider, "label": "main", "credentials": credentials});
            (provider.to_owned(), RefOr::T(ExampleBuilder::new().value(Some(account)).build()))
        }));
    }
}

fn add_refusal(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let refusal = ResponseBuilder::new()
        .description("Refused: `code` says why.")
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.insert("default".into(), RefOr::T(refusal));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_document_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == document_text(),
            "run: cargo run -p dialplane-admin -- openapi > admin/openapi.json"
        );
    }

    #[test]
    fn accounts_are_shown_for_each_provider() {
        let document: serde_json::Value = serde_json::from_str(document_text()).unwrap();
        for path in ["/api/v2/accounts", "/api/v2/tenants/{tenant_id}/accounts"] {
            let body = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
            for (provider, credentials) in credentials::examples() {
                let shown = &body["examples"][provider]["value"];
                assert_eq!(shown["credentials"], credentials, "{path} {provider}");
            }
        }
    }

    #[test]
    fn every_operation_says_what_it_does() {
        let document: serde_json::Value = serde_json::from_str(document_text()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        assert!(paths.len() > 20 && paths.keys().all(|path| path.starts_with(BASE)));
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path}");
                assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            }
        }
    }
}
