//! Calls to numbers at Telnyx: TeXML applications are asked for a document, Call Control applications are told of the call
//! and command it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::applications::{CALL_CONTROL, TEXML};
use super::{NAME, commands, signature};
use crate::calls::documents::{Action, Speaker, Step, walk};
use crate::calls::{Answer, Call, Outgoing, Patience};
use crate::clock;
use crate::thing::Thing;
use crate::twilio::twiml;

/// How often commands are looked for, and how many times.
const LOOK: Duration = Duration::from_millis(25);
const LOOKS: usize = 80;

struct Texml {
    connection: String,
    method: &'static str,
}

/// What the number's connection does with the call.
pub async fn run(call: &mut Call<'_>) -> Value {
    call.id = format!("v3:{}", call.id.replace('-', ""));
    let Some(id) = call.number.text("connection_id").map(str::to_owned) else {
        return json!({"failed": "no connection_id"});
    };
    let application = |kind: &str| {
        let world = call.simulator.world();
        world.thing(NAME, kind, &call.account.id, &id).cloned()
    };
    match (application(TEXML), application(CALL_CONTROL)) {
        (Some(application), _) => texml(call, &application).await,
        (None, Some(application)) => control(call, &application).await,
        (None, None) => json!({"failed": format!("connection {id} is gone")}),
    }
}

async fn texml(call: &mut Call<'_>, application: &Thing) -> Value {
    let is_post = application.text("voice_method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
    let speaker = Texml { connection: application.id.clone(), method: if is_post { "POST" } else { "GET" } };
    let url = application.text("voice_url").unwrap_or_default();
    let fallback = application.text("voice_fallback_url").map(str::to_owned);
    let answered_by = walk(call, &speaker, url, fallback).await;
    if let Some(url) = application.text("status_callback") {
        let failed = answered_by.get("failed").is_some() || answered_by.get("rejected").is_some();
        let mut form = speaker.form(call, if failed { "failed" } else { "completed" });
        form.push(("CallDuration".to_owned(), "37".to_owned()));
        form.push(("CallbackSource".to_owned(), "call-progress-events".to_owned()));
        form.push(("HangupCause".to_owned(), "normal_clearing".to_owned()));
        form.push(("Timestamp".to_owned(), clock::millis(Timestamp::now())));
        let request = signed(call, "POST", url, &form);
        // It only tells: what is answered changes nothing.
        let _told = call.ask(&request, &Patience::new(5_000, 2)).await;
    }
    answered_by
}

impl Texml {
    fn form(&self, call: &Call<'_>, status: &str) -> Vec<(String, String)> {
        let pairs = [
            ("AccountSid", call.account.id.as_str()),
            ("CallSid", call.id.as_str()),
            ("CallSidLegacy", call.id.as_str()),
            ("CallStatus", status),
            ("CallerId", call.from.as_str()),
            ("CallingPartyType", "pstn"),
            ("ConnectionId", self.connection.as_str()),
            ("From", call.from.as_str()),
            ("To", call.to.as_str()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

impl Speaker for Texml {
    fn request(&self, call: &Call<'_>, url: &str, step: &Step) -> Outgoing {
        let ringing = matches!(step, Step::Ring | Step::Fallback { .. });
        let mut form = self.form(call, if ringing { "ringing" } else { "in-progress" });
        if let Step::After { what: "dial", outcome } = step {
            form.push(("DialCallStatus".to_owned(), outcome.clone()));
            form.push(("DialCallDuration".to_owned(), "30".to_owned()));
        }
        // Only the first request is as the application says; what documents lead to is posted.
        let method = if *step == Step::Ring { self.method } else { "POST" };
        signed(call, method, url, &form)
    }

    fn read(&self, answer: &Answer) -> Result<Vec<Action>, String> {
        twiml::read(answer)
    }

    fn patience(&self) -> Patience {
        Patience { retry_on: vec!["ct".into(), "rt".into(), "5xx".into()], ..Patience::new(5_000, 2) }
    }
}

fn signed(call: &Call<'_>, method: &'static str, url: &str, form: &[(String, String)]) -> Outgoing {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let (url, body) = match method {
        "GET" => (format!("{url}{}{form}", if url.contains('?') { '&' } else { '?' }), String::new()),
        _ => (url.to_owned(), form),
    };
    let mut headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    headers.extend(signature::headers(&call.account, Timestamp::now().as_second(), &body));
    Outgoing { method, url, headers, body }
}

/// Tells the application of the call, and does what it commands.
async fn control(call: &mut Call<'_>, application: &Thing) -> Value {
    let urls = ["webhook_event_url", "webhook_event_failover_url"];
    let urls: Vec<_> = urls.iter().filter_map(|field| application.text(field)).map(str::to_owned).collect();
    let mut told = false;
    for url in urls {
        let request = event(call, &url, "call.initiated", &application.id);
        let patience =
            Patience { retry_on: vec!["ct".into(), "rt".into(), "5xx".into()], ..Patience::new(2_000, 2) };
        told = call.ask(&request, &patience).await.is_ok_and(|answer| answer.is_success());
        if told {
            break;
        }
    }
    if !told {
        return json!({"failed": "nobody took the event"});
    }
    let answered_by = commanded(call).await;
    if let Some(url) = application.text("webhook_event_url") {
        let request = event(call, url, "call.hangup", &application.id);
        // It only tells: what is answered changes nothing.
        let _told = call.ask(&request, &Patience::new(2_000, 2)).await;
    }
    answered_by
}

async fn commanded(call: &mut Call<'_>) -> Value {
    let mut answered = false;
    for _ in 0..LOOKS {
        for command in commands(call) {
            let text = |field: &str| command[field].as_str().map(str::to_owned);
            match command["command"].as_str() {
                Some("reject") => return json!({"rejected": text("cause")}),
                Some("answer" | "streaming_start") if text("stream_url").is_some() => {
                    return json!({"stream": text("stream_url")});
                }
                Some("transfer") => {
                    let to = text("to").unwrap_or_default();
                    return if to.starts_with("sip:") { json!({"sip": to}) } else { json!({"number": to}) };
                }
                Some("speak") => return json!({"message": text("payload")}),
                Some("hangup") => return json!({"nobody": true}),
                _ => answered = true,
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    if answered { json!({"nobody": true}) } else { json!({"failed": "no command came"}) }
}

fn commands(call: &Call<'_>) -> Vec<Value> {
    let world = call.simulator.world();
    let of_call = world.things_of(NAME, commands::KIND, &call.account.id);
    of_call
        .filter(|thing| thing.text("call") == Some(&call.id))
        .map(|thing| thing.body.clone().into())
        .collect()
}

fn event(call: &Call<'_>, url: &str, kind: &str, connection: &str) -> Outgoing {
    let at = clock::millis(call.began);
    let leg = crate::draw::uuid_of(&call.id);
    let mut body = json!({
        "data": {"record_type": "event", "event_type": kind, "id": crate::draw::uuid_of(&format!("{kind} {}", call.id)),
            "occurred_at": at, "payload": {"call_control_id": call.id, "connection_id": connection, "call_leg_id": leg,
                "call_session_id": leg, "client_state": null, "from": call.from, "to": call.to,
                "direction": "incoming", "state": "parked", "start_time": at}},
        "meta": {"attempt": 1, "delivered_to": url},
    });
    if kind == "call.hangup" {
        let payload = &mut body["data"]["payload"];
        payload["hangup_cause"] = "normal_clearing".into();
        payload["hangup_source"] = "caller".into();
        payload["end_time"] = clock::millis(Timestamp::now()).into();
    }
    let mut request = Outgoing::json(url, &body).with("user-agent", "telnyx-webhooks");
    let signature = signature::headers(&call.account, Timestamp::now().as_second(), &request.body);
    request.headers.extend(signature);
    request
}
