//! Requests made with the providers' own SDKs (`fixtures/signed.json` in each folder says how), for the providers' tests.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Deserializer};

use super::credentials::Credential;
use super::event::Event;
use super::headers::Headers;
use super::request::{ParseError, VerifyError, WebhookRequest};
use super::{Kind, Provider};
use crate::call::{self, InboundCall};
use crate::calls::report::Report;
use crate::time::UnixMillis;

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
    /// When the request comes, for schemes that sign a time.
    #[serde(default)]
    pub now_ms: i64,
    /// The same in seconds.
    #[serde(default)]
    pub now: i64,
    pub valid: bool,
    /// Empty where the body has none, as the two that follow.
    #[serde(deserialize_with = "or_empty")]
    pub to: String,
    #[serde(deserialize_with = "or_empty")]
    pub from: String,
    #[serde(deserialize_with = "or_empty")]
    pub call_id: String,
    pub to_e164: Option<String>,
}

fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A secret that the request may be signed with.
#[derive(Deserialize)]
pub struct SecretEntry {
    pub r#type: String,
    /// Its public name, where requests name their secret.
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub value: String,
    /// How it is used, in protocols with several ways.
    #[serde(default)]
    pub method: String,
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
    /// The kind of webhook that its URL names.
    pub fn kind_in_url(&self) -> &str {
        self.url.rsplit('/').next().unwrap()
    }

    /// Calls `check` with the request.
    pub fn with_request<T>(&self, check: impl FnOnce(&WebhookRequest<'_>) -> T) -> T {
        self.with_changes(&self.headers(), self.body.as_bytes(), check)
    }

    /// Calls `check` with the request, but for other headers and another body.
    pub fn with_changes<T>(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        check: impl FnOnce(&WebhookRequest<'_>) -> T,
    ) -> T {
        with_request(&self.method, &self.url, headers, body, check)
    }

    /// Calls `check` with the request, but these headers.
    pub fn with_headers<T>(&self, headers: &HeaderMap, check: impl FnOnce(&WebhookRequest<'_>) -> T) -> T {
        with_request(&self.method, &self.url, headers, self.body.as_bytes(), check)
    }

    /// The request's headers.
    pub fn headers(&self) -> HeaderMap {
        let header = |(name, value): (&String, &String)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        self.headers.iter().map(header).collect()
    }

    /// The account's secrets, where each is one text.
    pub fn credentials(&self) -> Vec<Credential> {
        self.secrets.iter().map(|secret| Credential::new(&secret.r#type, &secret.value)).collect()
    }

    /// What the provider says of the signature, with these secrets.
    pub fn verify(
        &self,
        provider: &dyn Provider,
        kind: &Kind,
        secrets: &[Credential],
    ) -> Result<(), VerifyError> {
        let (verifier, now) = (provider.verifier(secrets), UnixMillis(self.now * 1000));
        self.with_request(|request| verifier.verify(kind, request, now))
    }

    /// Checks that `call` is the one that the request is about.
    pub fn assert_call(&self, call: &InboundCall<'_>) {
        let found = [&*call.to, &*call.from, &*call.call_id];
        assert_eq!(found, [&*self.to, &*self.from, &*self.call_id], "{}", self.name);
        let number = call::address(&call.to).map(|number| number.to_string());
        assert_eq!(number, self.to_e164, "{}", self.name);
    }
}

/// The kind of this name.
pub fn kind(provider: &dyn Provider, name: &str) -> &'static Kind {
    provider.kinds().iter().find(|kind| kind.name == name).unwrap()
}

/// What a POST that nobody signed says, in `Debug`'s words. Its claim is read too: that comes first, and has to
/// survive the same bytes.
pub fn event_of(
    provider: &dyn Provider,
    kind: &Kind,
    content_type: &str,
    body: &[u8],
) -> Result<String, ParseError> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", content_type.parse().unwrap());
    let request = WebhookRequest::new(&Method::POST, "/", &headers, body, &[])?;
    let _ = provider.claim(kind, &request);
    provider.event(kind, &request).map(|event| format!("{event:?}"))
}

/// Calls `check` with what a POST that nobody signed tells of a call.
pub fn with_report(
    provider: &dyn Provider,
    kind: &Kind,
    content_type: &str,
    body: &str,
    check: impl FnOnce(Option<&InboundCall<'_>>, &Report<'_>),
) {
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type.parse().unwrap())]);
    with_post(&headers, body.as_bytes(), |request| match provider.event(kind, request).unwrap() {
        Event::Status { call, report, .. } => check(call.as_ref(), &report),
        other => panic!("{body}: {other:?}"),
    });
}

/// A copy of a request's headers, to change.
pub fn copied(headers: Headers<'_>) -> HeaderMap {
    let Headers::Map(map) = headers else { panic!("the vectors' headers are maps") };
    map.clone()
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

/// Calls `check` with a POST whose URL isn't signed.
pub fn with_post<T>(headers: &HeaderMap, body: &[u8], check: impl FnOnce(&WebhookRequest<'_>) -> T) -> T {
    with_request("POST", "https://dialplane.example/", headers, body, check)
}

/// Calls `check` with a POST of this JSON.
pub fn with_json<T>(body: &[u8], check: impl FnOnce(&WebhookRequest<'_>) -> T) -> T {
    let json = (http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with_post(&HeaderMap::from_iter([json]), body, check)
}
