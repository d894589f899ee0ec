//! Requests made with the providers' own SDKs (`fixtures/signed.json` in each folder says how), for the providers' tests.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;

use super::request::WebhookRequest;

/// One request, what the SDK says of it, and what it means.
#[derive(Deserialize)]
pub struct Vector {
    pub name: String,
    pub kind: String,
    pub method: String,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub secrets: Vec<SecretEntry>,
    pub valid: bool,
    pub to: String,
    pub from: String,
    pub call_id: String,
    pub to_e164: Option<String>,
}

/// A secret that the request may be signed with.
#[derive(Deserialize)]
pub struct SecretEntry {
    pub r#type: String,
    #[serde(default)]
    pub value: String,
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub password: String,
}

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

/// The requests in a folder's file.
pub fn read(json: &str) -> Vec<Vector> {
    serde_json::from_str::<File>(json).unwrap().vectors
}

impl Vector {
    /// Calls `check` with the request.
    pub fn with_request<T>(&self, check: impl FnOnce(&WebhookRequest<'_>) -> T) -> T {
        let headers: HeaderMap = self
            .headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect();
        with_request(&self.method, &self.url, &headers, self.body.as_bytes(), check)
    }
}

/// Calls `check` with a request to `url`.
pub fn with_request<T>(
    method: &str,
    url: &str,
    headers: &HeaderMap,
    body: &[u8],
    check: impl FnOnce(&WebhookRequest<'_>) -> T,
) -> T {
    let origin_end = url.find("//").unwrap() + 2;
    let path = origin_end + url[origin_end..].find('/').unwrap();
    let public_urls = [url[..path].parse().unwrap()];
    let method: Method = method.parse().unwrap();
    check(&WebhookRequest::new(&method, &url[path..], headers, body, &public_urls).unwrap())
}
