//! The OpenAPI document: gathered from the handlers, with what is the same for all of them added once.

mod examples;
mod operation;
mod refusals;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa::openapi::Components;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use self::operation::Operation;
use super::error::ProblemDocument;
use super::order::WaitFor;
use super::{BASE, routes};
use crate::credentials;
use crate::routing::{Action, AgentShareDocument, DialableDocument, RejectReason};

/// The head of the document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Dialplane",
        description = "The control plane: tenants, their accounts, agents and phone numbers, and what is done with a \
            call.\n\nUnknown fields are refused. Every refusal is a problem document (RFC 9457) with a stable `code`. \
            Lists come in pages: `next` of one is `cursor` of the next, with the same filter. Writes that routers see answer \
            with the header `Dialplane-Revision`; `?wait=applied` answers once every live router serves it.\n\nA POST that is \
            repeated with the same `Idempotency-Key` happens once. What GET shows has an `ETag`: `If-None-Match` leaves out \
            what is known, and `If-Match` changes nothing but what was seen.\n\n`x-required-role` of an operation is the least \
            role that it takes: `viewer`, `editor`, `admin`, `operator`. What is another tenant's is answered as what isn't \
            there. Answers carry `RateLimit-Policy` and `RateLimit`; who asks too often gets 429 `rate_limited` with \
            `Retry-After`."
    ),
    // The first for all operations; the others are named where nothing gathers them.
    components(schemas(ProblemDocument, WaitFor, Action, RejectReason, AgentShareDocument, DialableDocument)),
    tags(
        (name = "Tenants", description = "Businesses."),
        (name = "Accounts", description = "Credentials at providers, a tenant's or the platform's own."),
        (name = "Agents", description = "Whoever answers."),
        (name = "Phone numbers", description = "Numbers, which are also their tenant's locations."),
        (name = "Pool", description = "Numbers of the platform's that no tenant has."),
        (name = "Provisioning", description = "Jobs that get numbers and agents at providers, and what they cost."),
        (name = "Usage", description = "What came together of calls, and what it cost."),
        (name = "Rates", description = "What calls and numbers cost."),
        (name = "Plans", description = "What tenants may, by what they pay for."),
        (name = "Settings", description = "A number's opening hours, routing, text messages, and how agents speak there."),
        (name = "Defaults", description = "What holds where a number sets nothing."),
        (name = "Staff and services", description = "Who works at a location, and what it offers."),
        (name = "Intents", description = "What callers may want, and what is answered."),
        (name = "Tools", description = "A tenant's own server for what its agents want done."),
        (name = "Routing", description = "Why a call goes where it goes."),
        (name = "API keys", description = "Keys that open this API."),
        (name = "Bulk", description = "Files of numbers, tenants and settings, in and out."),
        (name = "Events", description = "Changes as they happen."),
        (name = "Audit", description = "Who changed what, in an order that can be proven."),
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
    let schemes = document.components.get_or_insert_with(Components::new);
    schemes.add_security_scheme(
        "key",
        bearer(None, "A key of this API: a tenant's, of a role, or an operator's."),
    );
    schemes.add_security_scheme("jwt", bearer(Some("JWT"), "A token of the OIDC issuer, where one is set."));
    let mut text = serde_json::to_value(&document)
        .map(complete)
        .and_then(|document| serde_json::to_string_pretty(&document))
        .unwrap_or_default();
    text.push('\n');
    text
}

fn bearer(format: Option<&str>, description: &str) -> SecurityScheme {
    let mut http = Http::new(HttpAuthScheme::Bearer);
    http.bearer_format = format.map(str::to_owned);
    http.description = Some(description.to_owned());
    SecurityScheme::Http(http)
}

/// The document with all that is told by rule.
fn complete(mut document: Value) -> Value {
    let (headers, parameters) = operation::components();
    document["components"]["headers"] = headers;
    document["components"]["parameters"] = parameters;
    for path in ["/accounts", "/tenants/{tenant_id}/accounts"] {
        add_account_examples(&mut document["paths"][format!("{BASE}{path}")]["post"]);
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.iter_mut().for_each(|(name, schema)| allow_unset(name, schema));
    }
    let mut shared = Map::new();
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    for (path, operations) in paths {
        let Some(operations) = operations.as_object_mut() else { continue };
        let below = path.strip_prefix(BASE).unwrap_or(path);
        let is_shown = operations.contains_key("get");
        for (method, described) in operations {
            *described = Operation::new(method, below, described, is_shown).completed(&mut shared);
        }
    }
    document["components"]["responses"] = shared.into();
    document
}

/// A setting shows documents that may be unset; gathered from generic types, its schema doesn't say so.
fn allow_unset(name: &str, schema: &mut Value) {
    let Some((_, document)) = name.split_once("Setting_") else { return };
    let document = json!({"$ref": format!("#/components/schemas/{document}")});
    let documents = schema["properties"].as_object_mut().into_iter().flatten();
    for (name, property) in documents.filter(|(name, _)| *name != "inherited_from") {
        let description = match name.as_str() {
            "own" => "As set here; null: not set.",
            "inherited" => "What stands behind it; null: nothing.",
            _ => "What holds; null: nothing is set anywhere.",
        };
        *property = json!({"description": description, "oneOf": [document.clone(), {"type": "null"}]});
    }
}

/// One example of each provider, from the provider's own folder.
fn add_account_examples(post: &mut Value) {
    let examples = credentials::examples().map(|(provider, credentials)| {
        let account = json!({"provider": provider, "label": "main", "credentials": credentials});
        (provider.to_owned(), json!({"value": account}))
    });
    post["requestBody"]["content"]["application/json"]["examples"] = examples.collect();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::role::Role;

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
        let document = document();
        for path in ["/api/v2/accounts", "/api/v2/tenants/{tenant_id}/accounts"] {
            let body = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
            for (provider, credentials) in credentials::examples() {
                let shown = &body["examples"][provider]["value"];
                assert_eq!(shown["credentials"], credentials, "{path} {provider}");
            }
        }
    }

    fn document() -> Value {
        serde_json::from_str(document_text()).unwrap()
    }

    /// A field that is inlined, required and described would be both what it is and an object.
    #[test]
    fn nothing_is_of_two_types() {
        let mut document = vec![document()];
        while let Some(value) = document.pop() {
            let is_nothing = |part: &Value| part["type"] == "object" && part.get("properties").is_none();
            let parts = value.get("allOf").and_then(Value::as_array);
            assert!(
                !parts.is_some_and(|parts| parts.iter().any(is_nothing)),
                "no value is all of this: {value}"
            );
            match value {
                Value::Object(fields) => document.extend(fields.into_iter().map(|(_, value)| value)),
                Value::Array(values) => document.extend(values),
                _ => {}
            }
        }
    }

    /// All operations, each as method, path and description.
    fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
        let paths = document["paths"].as_object().unwrap();
        paths
            .iter()
            .flat_map(|(path, operations)| {
                let operations = operations.as_object().unwrap();
                operations.iter().map(move |(method, described)| (method.as_str(), path.as_str(), described))
            })
            .collect()
    }

    #[test]
    fn every_operation_is_told_whole() {
        let document = document();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut ids = BTreeSet::new();
        let operations = operations(&document);
        assert!(operations.len() > 90, "{}", operations.len());
        for (method, path, described) in operations {
            let place = format!("{method} {path}");
            assert!(path.starts_with(BASE) && described["summary"].is_string(), "{place}");
            assert!(ids.insert(described["operationId"].as_str().unwrap()), "{place}: its id isn't its own");
            assert_eq!(described["security"], json!([{"key": []}, {"jwt": []}]), "{place}");
            let role = described["x-required-role"].as_str().and_then(Role::from_name);
            assert!(role.is_some(), "{place}");
            for content in described["requestBody"]["content"].as_object().into_iter().flat_map(Map::values) {
                check_example(&document, content, &place);
            }
            let parameters: Vec<_> = described["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .map(|parameter| {
                    let found = target(&document, parameter);
                    assert!(found["description"].is_string() || found["in"] == "path", "{place} {found}");
                    found["name"].as_str().unwrap()
                })
                .collect();
            for name in path.split(['{', '}']).skip(1).step_by(2) {
                assert!(parameters.contains(&name), "{place}: no {name}");
            }
            assert_eq!(parameters.contains(&"Idempotency-Key"), method == "post", "{place}");
            // Files go on when their request is answered.
            let is_awaited = method != "get" && !path.contains("/grants/") && described["tags"][0] != "Bulk";
            assert_eq!(parameters.contains(&"wait"), is_awaited, "{place}");
            let responses = described["responses"].as_object().unwrap();
            // Only what is asked for beforehand, or by a job, is answered in several ways.
            let good = responses.keys().filter(|status| status.starts_with('2')).count();
            let is_preview = parameters.contains(&"dry_run") && described["tags"][0] != "Bulk";
            let is_job = responses.contains_key("201") && responses.contains_key("202");
            assert_eq!(good, 1 + usize::from(is_preview) + usize::from(is_job), "{place}");
            for status in ["400", "401", "429", "500", "503"] {
                assert!(responses.contains_key(status), "{place} {status}");
            }
            for (status, response) in responses {
                let (place, response) = (format!("{place} {status}"), target(&document, response));
                assert!(!response["description"].as_str().unwrap().is_empty(), "{place}");
                for (name, header) in response["headers"].as_object().unwrap() {
                    assert!(target(&document, header)["example"].is_string(), "{place} {name}");
                }
                assert!(response["headers"]["X-Request-Id"].is_object(), "{place}");
                match response["content"].as_object() {
                    None => {
                        assert!(["204", "304"].contains(&status.as_str()), "{place}");
                        assert_eq!(response.get("content"), None, "{place}");
                    }
                    Some(content) => {
                        content.values().for_each(|content| check_example(&document, content, &place))
                    }
                }
            }
        }
    }

    /// Every reference leads somewhere.
    #[test]
    fn nothing_is_missing() {
        fn walk(document: &Value, part: &Value) {
            match part {
                Value::Object(fields) => {
                    if part["$ref"].is_string() {
                        assert!(!target(document, part).is_null(), "{part}");
                    }
                    fields.values().for_each(|field| walk(document, field));
                }
                Value::Array(items) => items.iter().for_each(|item| walk(document, item)),
                _ => {}
            }
        }
        let document = document();
        walk(&document, &document);
    }

    /// What a reference leads to; anything else is itself.
    fn target<'a>(document: &'a Value, part: &'a Value) -> &'a Value {
        part["$ref"].as_str().map_or(part, |path| document.pointer(&path[1..]).unwrap_or(&Value::Null))
    }

    /// Checks that a body has examples, and that they are of its schema.
    fn check_example(document: &Value, content: &Value, place: &str) {
        let several = content["examples"].as_object().into_iter().flat_map(|examples| examples.values());
        let all: Vec<_> =
            content.get("example").into_iter().chain(several.map(|one| &one["value"])).collect();
        assert!(!all.is_empty(), "{place}: no example");
        all.into_iter().for_each(|example| check(document, &content["schema"], example, place));
    }

    /// As far as types, required fields and unknown ones go.
    fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
        let schema = target(document, schema);
        if let Some(several) = schema["oneOf"].as_array() {
            let fits = |one: &&Value| {
                let one = target(document, one);
                one["type"].as_str().is_none_or(|kind| is_a(value, kind))
            };
            let one = several
                .iter()
                .find(fits)
                .unwrap_or_else(|| panic!("{place}: {value} is none of {several:?}"));
            return check(document, one, value, place);
        }
        let parts: Vec<_> = match schema["allOf"].as_array() {
            Some(parts) => parts.iter().map(|part| target(document, part)).collect(),
            None => vec![schema],
        };
        let kinds: Vec<_> = match &parts[0]["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        };
        assert!(
            kinds.is_empty() || kinds.iter().any(|kind| is_a(value, kind)),
            "{place}: {value} isn't {kinds:?}"
        );
        for item in value.as_array().into_iter().flatten() {
            check(document, &schema["items"], item, place);
        }
        let Some(fields) = value.as_object() else { return };
        let known = |name: &String| parts.iter().find_map(|part| part["properties"].get(name));
        for (name, field) in fields {
            match known(name) {
                Some(schema) => check(document, schema, field, &format!("{place} {name}")),
                None => {
                    let is_closed = parts.iter().all(|part| part["properties"].is_object())
                        && parts.iter().all(|part| !part["additionalProperties"].is_object());
                    assert!(!is_closed, "{place}: {name} isn't known");
                }
            }
        }
        for name in parts.iter().flat_map(|part| part["required"].as_array().into_iter().flatten()) {
            assert!(fields.contains_key(name.as_str().unwrap()), "{place}: {name} is missing in {value}");
        }
    }

    fn is_a(value: &Value, kind: &str) -> bool {
        match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            _ => false,
        }
    }
}
