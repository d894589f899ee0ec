//! What the API does is what its OpenAPI document tells: every answer that a test gets is looked up there.

use std::sync::LazyLock;

use dialplane_admin::api::openapi;
use reqwest::Method;
use serde_json::Value;

use crate::harness::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(openapi::document_text()).unwrap());

/// Checks that the document tells of this answer: its status, a refusal's code, and the headers that it has of those
/// that are told anywhere.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = operation(method, path) else { return };
    let place = format!("{method} {path} {answer:?}");
    let told = &operation["responses"][answer.status.as_str()];
    let shared = told["$ref"].as_str().and_then(|path| DOCUMENT.pointer(&path[1..]));
    let told = shared.unwrap_or(told);
    assert!(told.is_object(), "a status that isn't told: {place}");
    if let Some(code) = answer.body["code"].as_str().filter(|_| answer.status.as_u16() >= 400) {
        let examples = &told["content"]["application/problem+json"]["examples"];
        assert!(examples[code].is_object(), "a code that isn't told: {place}");
    }
    for name in DOCUMENT["components"]["headers"].as_object().unwrap().keys() {
        assert!(
            answer.header(name).is_none() || told["headers"][name].is_object(),
            "{name} isn't told: {place}"
        );
    }
}

/// The operation, of the path with the fewest parameters.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        template.split('/').count() == path.split('/').count()
            && template
                .split('/')
                .zip(path.split('/'))
                .all(|(told, given)| told.starts_with('{') || told == given)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let found = paths.iter().filter(|(template, _)| fits(template));
    let (_, operations) = found.min_by_key(|(template, _)| template.matches('{').count())?;
    operations.get(method.as_str().to_lowercase())
}
