//! Tool calls, asked of a tenant's own server. What it gets and how it can verify that stands in `README.md`.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use dialplane_common::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::ToolCalls;
use super::answer_text::{self, Said};
use super::client::{Client, Post};
use super::failure::Failure;
use super::target::Target;

static TENANT_ID: HeaderName = HeaderName::from_static("dialplane-tenant-id");
static PHONE_NUMBER_ID: HeaderName = HeaderName::from_static("dialplane-phone-number-id");
static CALL_ID: HeaderName = HeaderName::from_static("dialplane-call-id");
static SIGNATURE: HeaderName = HeaderName::from_static("dialplane-signature");
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest idempotency key that is made of the ids themselves: what servers commonly take.
const IDEMPOTENCY_KEY_LENGTH_MAX: usize = 255;

/// What the server is asked.
#[derive(Serialize)]
struct Question<'a> {
    tenant_id: String,
    phone_number_id: Option<String>,
    call_id: &'a str,
    provider: &'a str,
    from: &'a str,
    to: &'a str,
    tool_call_id: &'a str,
    name: &'a str,
    arguments: Box<RawValue>,
}

/// Asks the tenant's server for one of the calls: its result, or its own words for why there is none.
///
/// # Errors
/// Why it gave neither.
pub async fn forward(
    client: &Client,
    calls: &ToolCalls,
    index: usize,
    deadline: Instant,
) -> Result<Said, Failure> {
    let target = Target::parse(&calls.server.url).ok_or(Failure::Url)?;
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (headers, body) = question(calls, index, since_1970).ok_or(Failure::Unreadable)?;
    let post = Post { target, trusted: false, headers, body: body.into() };
    let answer = client.post(&post, deadline).await?;
    answer_text::line(&answer.headers, &answer.body)
}

/// Headers and body. `None` when there is no such call.
fn question(calls: &ToolCalls, index: usize, since_1970: Duration) -> Option<(HeaderMap, Vec<u8>)> {
    let (id, name, arguments) = calls.calls.get(index)?;
    let question = Question {
        tenant_id: calls.tenant_id.to_string(),
        phone_number_id: calls.phone_number_id.map(|id| id.to_string()),
        call_id: &calls.call_id,
        provider: calls.provider,
        from: &calls.from,
        to: &calls.to,
        tool_call_id: id,
        name,
        arguments: object(arguments)?,
    };
    let body = serde_json::to_vec(&question).ok()?;
    let mut headers = HeaderMap::new();
    let mut add = |name: &HeaderName, value: &str| {
        if let Some(value) = header_value(value) {
            headers.insert(name.clone(), value);
        }
    };
    add(&TENANT_ID, &question.tenant_id);
    add(&PHONE_NUMBER_ID, question.phone_number_id.as_deref().unwrap_or_default());
    add(&CALL_ID, &calls.call_id);
    add(&IDEMPOTENCY_KEY, &idempotency_key(&calls.call_id, index, (id, name, arguments)));
    add(&SIGNATURE, &signature(&calls.secret, since_1970.as_secs(), &body)?);
    Some((headers, body))
}

/// What providers send as ids ends up here: nothing but visible ASCII goes into a header.
fn header_value(text: &str) -> Option<HeaderValue> {
    if is_visible(text) { HeaderValue::from_str(text).ok() } else { None }
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// The arguments as JSON: what isn't is passed on as text, and nothing as an empty object.
fn object(arguments: &str) -> Option<Box<RawValue>> {
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    RawValue::from_string(arguments.to_owned()).or_else(|_| to_raw_value(arguments)).ok()
}

/// The same for the same call however often its provider repeats it, and another for every other: the ids where both
/// are there and fit into a header, else a hash of all that tells calls apart.
fn idempotency_key(call_id: &str, index: usize, (id, name, arguments): (&str, &str, &str)) -> String {
    let plain = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
    if plain(call_id) && plain(id) && call_id.len() + id.len() < IDEMPOTENCY_KEY_LENGTH_MAX {
        return format!("{call_id}:{id}");
    }
    let mut hash = Sha256::new();
    for part in [call_id, id, name, arguments] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update((index as u64).to_be_bytes());
    hex(&hash.finalize())
}

/// The `Dialplane-Signature` header's value. An HMAC takes keys of any length, so this is never `None`.
fn signature(secret: &Secret, unix_seconds: u64, body: &[u8]) -> Option<String> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose()).ok()?;
    mac.update(format!("{unix_seconds}.").as_bytes());
    mac.update(body);
    Some(format!("t={unix_seconds},v1={}", hex(&mac.finalize().into_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a string doesn't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
