//! Calls to numbers at Plivo.

use serde_json::{Value, json};

use super::{NAME, applications, signature, xml};
use crate::calls::documents::{Action, Speaker, Step, walk};
use crate::calls::{Answer, Call, Outgoing, Patience};
use crate::clock;

struct Xml;

/// Asks the application's answer URL, goes on from there, and tells the hang-up URL how it ended.
pub async fn run(call: &mut Call<'_>) -> Value {
    let application = call.number.text("app_id").and_then(|id| {
        let world = call.simulator.world();
        world.thing(NAME, applications::KIND, &call.account.id, id).cloned()
    });
    let Some(application) = application else { return json!({"failed": "no application"}) };
    let url = application.text("answer_url").unwrap_or_default();
    let fallback = application.text("fallback_answer_url").map(str::to_owned);
    let answered_by = walk(call, &Xml, url, fallback).await;
    // Without a URL for it, it goes where calls go.
    let told = application.text("hangup_url").unwrap_or(url);
    let refused = answered_by.get("rejected").is_some() || answered_by.get("failed").is_some();
    let mut form = form(call, if refused { "busy" } else { "completed" }, "Hangup");
    for (name, value) in [
        ("Duration", "37"),
        ("BillDuration", "60"),
        ("HangupCause", "NORMAL_CLEARING"),
        ("HangupSource", "Caller"),
    ] {
        form.push((name.to_owned(), value.to_owned()));
    }
    let request = signed(call, told, &form);
    // It only tells: what is answered changes nothing.
    let _told = call.ask(&request, &Patience::new(40_000, 1).of(told)).await;
    answered_by
}

impl Speaker for Xml {
    fn request(&self, call: &Call<'_>, url: &str, step: &Step) -> Outgoing {
        let begins = matches!(step, Step::Ring | Step::Fallback { .. });
        let (status, event) = if begins { ("ringing", "StartApp") } else { ("in-progress", "Redirect") };
        let mut form = form(call, status, event);
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.to_owned()));
        match step {
            Step::After { what: "dial", outcome } => {
                add("DialStatus", outcome);
                add("DialRingStatus", if outcome == "completed" { "true" } else { "false" });
                add("DialALegUUID", &call.id);
            }
            Step::After { what: "record", .. } => {
                add("RecordUrl", "https://media.plivo.com/recording.mp3");
                add("RecordingDuration", "12");
            }
            _ => {}
        }
        signed(call, url, &form)
    }

    fn read(&self, answer: &Answer) -> Result<Vec<Action>, String> {
        xml::read(answer)
    }

    fn patience(&self) -> Patience {
        Patience { retry_on: vec!["ct".into(), "rt".into()], ..Patience::new(40_000, 1) }
    }

    fn records_again(&self) -> bool {
        false
    }
}

fn form(call: &Call<'_>, status: &str, event: &str) -> Vec<(String, String)> {
    let parent = call.account.parent.as_deref().unwrap_or(&call.account.id);
    let began = clock::plain(call.began);
    let pairs = [
        ("CallUUID", call.id.as_str()),
        ("CallStatus", status),
        ("CallerName", call.from.trim_start_matches('+')),
        ("Direction", "inbound"),
        ("Event", event),
        ("From", call.from.trim_start_matches('+')),
        ("ParentAuthID", parent),
        ("SessionStart", &format!("{began}.521992")),
        ("To", call.to.trim_start_matches('+')),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn signed(call: &Call<'_>, url: &str, form: &[(String, String)]) -> Outgoing {
    let (token, main) = tokens(call);
    let nonce: String = call.simulator.world().draw.digits(20);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let headers = vec![
        ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ("x-plivo-signature-v3".to_owned(), signature::sign(&token, url, form, &nonce)),
        ("x-plivo-signature-ma-v3".to_owned(), signature::sign(&main, url, form, &nonce)),
        ("x-plivo-signature-v3-nonce".to_owned(), nonce),
    ];
    Outgoing { method: "POST", url: url.to_owned(), headers, body }
}

/// The token of the account that the call is of (the subaccount's, where the number is lent to one), and the main
/// account's.
fn tokens(call: &Call<'_>) -> (String, String) {
    let main = call.account.secret.clone().unwrap_or_default();
    let sub = call.number.text("sub_account").and_then(|id| {
        let world = call.simulator.world();
        world.account(NAME, id).and_then(|account| account.secret.clone())
    });
    (sub.unwrap_or_else(|| main.clone()), main)
}
