//! Calls to numbers at Twilio, and at SignalWire, whose webhooks have its shape.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{NAME, signature, twiml};
use crate::calls::documents::{Action, Speaker, Step, walk};
use crate::calls::{Answer, Call, Outgoing, Patience};
use crate::clock;

/// How long an answer may take, and how often it is tried again.
struct Twiml(Patience);

/// Asks the number's voice URL, goes on from there, and tells the status callback how it ended.
pub async fn run(call: &mut Call<'_>) -> Value {
    if call.number.provider == NAME {
        call.id = format!("CA{}", call.id.replace('-', ""));
    }
    let field = |call: &Call<'_>, name: &str| call.number.text(name).map(str::to_owned);
    for trunk in ["trunk_sid", "voice_application_sid"] {
        if let Some(sid) = field(call, trunk) {
            return json!({"failed": format!("{trunk} {sid} is set: no webhook is called")});
        }
    }
    let Some(url) = field(call, "voice_url") else { return json!({"failed": "no voice_url"}) };
    let fallback = field(call, "voice_fallback_url");
    let speaker =
        Twiml(if call.number.provider == NAME { Patience::new(15_000, 1) } else { Patience::new(5_000, 0) });
    let answered_by = walk(call, &speaker, &url, fallback).await;
    if let Some(url) = field(call, "status_callback") {
        let status = status(&answered_by);
        let mut form = form(call, status);
        let more = [
            ("CallDuration", if status == "completed" { "37" } else { "0" }.to_owned()),
            ("Duration", "1".to_owned()),
            ("CallbackSource", "call-progress-events".to_owned()),
            ("SequenceNumber", "0".to_owned()),
            ("Timestamp", clock::rfc2822(Timestamp::now())),
        ];
        form.extend(more.map(|(name, value)| (name.to_owned(), value)));
        let request = signed(call, &url, form);
        // It only tells: what is answered changes nothing.
        let _told = call.ask(&request, &Patience::new(15_000, 1).of(&url)).await;
    }
    answered_by
}

impl Speaker for Twiml {
    fn request(&self, call: &Call<'_>, url: &str, step: &Step) -> Outgoing {
        let ringing = matches!(step, Step::Ring | Step::Fallback { .. });
        let mut form = form(call, if ringing { "ringing" } else { "in-progress" });
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.to_owned()));
        match step {
            Step::Ring | Step::Redirect => {}
            Step::Fallback { url, .. } => {
                add("ErrorCode", "11200");
                add("ErrorUrl", url);
            }
            Step::After { what: "record", .. } => {
                add("RecordingUrl", "https://api.twilio.com/2010-04-01/Accounts/AC/Recordings/RE");
                add("RecordingDuration", "12");
                add("Digits", "hangup");
            }
            Step::After { what: "dial", outcome } => {
                add("DialCallStatus", outcome);
                add("DialCallSid", &call.id.replacen("CA", "CB", 1));
                add("DialCallDuration", if outcome == "completed" { "30" } else { "0" });
            }
            Step::After { outcome, .. } => add("StreamEvent", outcome),
        }
        signed(call, url, form)
    }

    fn read(&self, answer: &Answer) -> Result<Vec<Action>, String> {
        twiml::read(answer)
    }

    fn patience(&self) -> Patience {
        self.0.clone()
    }
}

/// What every request tells.
fn form(call: &Call<'_>, status: &str) -> Vec<(String, String)> {
    let mut pairs = vec![
        ("AccountSid", call.account.id.as_str()),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", call.id.as_str()),
        ("CallStatus", status),
        ("Direction", "inbound"),
        ("From", call.from.as_str()),
        ("To", call.to.as_str()),
    ];
    if call.number.provider == NAME {
        let country = call.number.country.as_str();
        let more = [
            ("Called", call.to.as_str()),
            ("Caller", call.from.as_str()),
            ("FromCity", ""),
            ("ToCountry", country),
        ];
        pairs.extend(more);
    }
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The form, posted to the URL as the account signs it; unsigned when nobody has seen what it signs with.
fn signed(call: &Call<'_>, url: &str, form: Vec<(String, String)>) -> Outgoing {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(&form);
    let content_type = "application/x-www-form-urlencoded; charset=UTF-8".to_owned();
    let headers = vec![("content-type".to_owned(), content_type)];
    let request = Outgoing { method: "POST", url: url.to_owned(), headers, body: body.finish() };
    if call.number.provider != NAME {
        let key = crate::signalwire::signing_key(&call.account);
        return request.with("x-signalwire-signature", signature::sign(&key, url, &form));
    }
    match call.account.secret.as_deref() {
        Some(secret) => request.with("x-twilio-signature", signature::sign(secret, url, &form)),
        None => request,
    }
}

/// How the call ended, in the provider's word.
fn status(answered_by: &Value) -> &'static str {
    match answered_by["rejected"].as_str() {
        Some("busy") => "busy",
        Some(_) => "no-answer",
        None if answered_by.get("failed").is_some() => "failed",
        None => "completed",
    }
}
