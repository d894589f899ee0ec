//! Rules over REST, and what calls come to by them at the router.

mod chains;
mod conditions;
mod inheritance;
mod limits;
mod ranges;
mod refusals;
mod shares;

use dialplane_bench::http::Response;
use dialplane_bench::operator::Salon;
use dialplane_bench::system::Router;
use serde_json::{Value, json};

use crate::call::{post, with};

/// A message that stands for the rule which says it.
fn say(text: &str) -> Value {
    json!({"action": "message", "say": text})
}

/// A call with some parameters of its own.
fn ring(salon: &Salon, router: &Router, changes: &[(&str, &str)]) -> Response {
    post(salon, router.address, &salon.webhook_path("voice"), &with(salon, changes))
}

/// What the caller hears; where nothing is said, the whole document.
fn heard(answer: &Response) -> &str {
    let said = answer.body.split_once("<Say>").and_then(|(_, rest)| rest.split_once("</Say>"));
    said.map_or(&*answer.body, |(text, _)| text)
}

/// A call's name at Twilio.
fn call_sid(number: u32) -> String {
    format!("CA{number:032x}")
}
