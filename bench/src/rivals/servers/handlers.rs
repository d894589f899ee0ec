//! A router as one writes it with a framework: axum, a form by serde into strings, a keyed hash for each request, a map
//! of strings.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Form, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tokio::net::TcpListener;

use super::webhook::MEDIA_TYPE;
use crate::calls::{AUTH_TOKEN, PUBLIC_URL};

type Numbers = Arc<HashMap<String, String>>;

/// Reads lines of a number, a blank and a URL.
///
/// # Errors
/// When there is no such file.
pub fn read(path: &Path) -> Result<Numbers, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(Arc::new(pairs.map(|(number, url)| (number.to_owned(), url.to_owned())).collect()))
}

pub async fn serve(listener: TcpListener, numbers: Numbers) -> io::Result<()> {
    let router = Router::new().route("/webhooks/twilio/voice/{account}", post(answer)).with_state(numbers);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await
}

async fn answer(
    State(numbers): State<Numbers>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    if !signed(&uri, &headers, &form) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let parameter = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let to = parameter("To");
    let Some(url) = numbers.get(to) else { return StatusCode::NOT_FOUND.into_response() };
    let (call_sid, from) = (parameter("CallSid"), parameter("From"));
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect><Stream url=\"{url}\">\
         <Parameter name=\"call_id\" value=\"{call_sid}\"/><Parameter name=\"from\" value=\"{from}\"/>\
         <Parameter name=\"to\" value=\"{to}\"/></Stream></Connect></Response>"
    );
    ([(CONTENT_TYPE, MEDIA_TYPE)], document).into_response()
}

/// Source: <https://www.twilio.com/docs/usage/security>.
fn signed(uri: &Uri, headers: &HeaderMap, form: &BTreeMap<String, String>) -> bool {
    let text = form.iter().fold(format!("{PUBLIC_URL}{uri}"), |text, (name, value)| text + name + value);
    let sent = headers.get("x-twilio-signature").and_then(|signature| STANDARD.decode(signature).ok());
    let mac = Hmac::<Sha1>::new_from_slice(AUTH_TOKEN.as_bytes()).map(|mac| mac.chain_update(text));
    mac.is_ok_and(|mac| sent.is_some_and(|sent| mac.verify_slice(&sent).is_ok()))
}
