//! Calls walked through from the first event to the last: what is commanded, and what the events after it lead to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::{Context, event, refusal, reply};
use crate::provider::event::{Event, StepResult};
use crate::provider::reply::{Action, Command, Refusal, Rendered};
use crate::provider::request::WebhookRequest;
use crate::provider::samples;
use crate::route::{Dialable, Prompt};

const AFTER: Option<&str> = Some("https://x.example/webhooks/telnyx/after/a1?s=c3RhdGU");

/// The calls of the samples are named so.
const CALLER: &str = "CA1";

/// What an event led to, as far as these tests look.
#[derive(PartialEq, Debug)]
enum Led {
    /// Commands.
    To(Vec<(String, Value)>),
    /// A step's end, with the call, the state and the context.
    After(StepResult, [String; 3], String, String),
    /// Nothing.
    Status(&'static str),
    /// A call.
    Call(String),
}

fn rendered(context: &str, action: Action<'_>, after: Option<&str>) -> Vec<(String, Value)> {
    commands(&samples::with_reply_in(context, action, after, reply))
}

/// Names and bodies; all of them go to the caller's leg, and the answer to the webhook is empty.
fn commands(rendered: &Rendered) -> Vec<(String, Value)> {
    assert_eq!((rendered.status, rendered.content_type, rendered.body.len()), (200, None, 0));
    let command = |Command { path, body }: &Command| {
        let name = path.strip_prefix(&format!("/calls/{CALLER}/actions/")).expect(path);
        (name.to_owned(), serde_json::from_slice(body).unwrap())
    };
    rendered.commands.iter().map(command).collect()
}

/// The only command, and the state that it sets, which stays base64 in it.
fn only(mut commands: Vec<(String, Value)>) -> (String, Value) {
    assert_eq!(commands.len(), 1, "{commands:?}");
    commands.remove(0)
}

fn led(id: &str, event_type: &str, payload: Value) -> Led {
    let body = json!({"data": {"id": id, "event_type": event_type, "payload": payload}}).to_string();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let request = WebhookRequest::new(&Method::POST, "/", &headers, body.as_bytes(), &[]).unwrap();
    match event(&request).unwrap() {
        Event::Continued { call, rendered, .. } => {
            assert_eq!([&*call.call_id, &*call.to, &*call.from], [CALLER, "+12125550001", "anonymous"]);
            Led::To(commands(&rendered))
        }
        Event::After(end) => {
            let call = end.call;
            let names = [call.call_id, call.to, call.from].map(std::borrow::Cow::into_owned);
            let state = end.state.unwrap_or_default().into_owned();
            Led::After(end.result, names, state, call.context.into_owned())
        }
        Event::Status { status, .. } => Led::Status(status),
        Event::Call(call) => Led::Call(call.context.into_owned()),
        other => panic!("{other:?}"),
    }
}

/// The event after a command: the leg brings the state back that the command set.
fn next(id: &str, event_type: &str, command: &Value, more: Value) -> Led {
    let mut payload = json!({"call_control_id": CALLER, "client_state": command["client_state"]});
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    led(id, event_type, payload)
}

/// The end of the leg that a transfer dialled.
fn leg_ended(id: &str, transfer: &Value, more: Value) -> Led {
    let mut payload = json!({
        "call_control_id": "v3:leg-b",
        "client_state": transfer["target_leg_client_state"],
        "from": "+12125550001",
        "to": "+12025550147",
    });
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    led(id, "call.hangup", payload)
}

fn commanded(led: Led) -> (String, Value) {
    let Led::To(commands) = led else { panic!("{led:?}") };
    only(commands)
}

fn after(result: StepResult, context: &str) -> Led {
    let call = [CALLER, "+12125550001", "anonymous"].map(str::to_owned);
    Led::After(result, call, "c3RhdGU".to_owned(), context.to_owned())
}

fn closed() -> Prompt {
    Prompt::Say { text: "Closed {{today}} <break/>".into(), language: Some("de".into()) }
}

#[test]
fn a_stream_begins_when_the_call_is_answered_and_its_end_is_told() {
    let (name, answer) = only(rendered("e1", Action::Stream("wss://voice.example/a?b=1"), AFTER));
    assert_eq!((name.as_str(), &answer["command_id"]), ("answer", &json!("e1-answer")));
    let (name, start) = commanded(next("e2", "call.answered", &answer, json!({})));
    assert_eq!(name, "streaming_start");
    let client_state = start["client_state"].clone();
    let expected = json!({
        "command_id": "e2-streaming_start",
        "stream_url": "wss://voice.example/a?b=1",
        "stream_track": "inbound_track",
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": "PCMU",
        "custom_parameters": [
            {"name": "tenant_id", "value": "00000000-0000-0000-0000-000000000001"},
            {"name": "phone_number_id", "value": "00000000-0000-0000-0000-000000000002"},
            {"name": "call_id", "value": "CA1"},
            {"name": "from", "value": "anonymous"},
            {"name": "to", "value": "+12125550001"},
        ],
        "client_state": client_state,
    });
    assert_eq!(start, expected);
    assert_eq!(next("e3", "streaming.started", &start, json!({})), Led::Status("other"));
    assert_eq!(next("e3", "streaming.failed", &start, json!({})), after(StepResult::Failed, "e3+"));
    assert_eq!(next("e3", "streaming.stopped", &start, json!({})), after(StepResult::Unknown, "e3+"));
}

#[test]
fn a_stream_that_nothing_follows_ends_the_call() {
    let (_, answer) = only(rendered("e1", Action::Stream("wss://voice.example/a"), None));
    let (_, start) = commanded(next("e2", "call.answered", &answer, json!({})));
    let (name, hangup) = commanded(next("e3", "streaming.stopped", &start, json!({})));
    assert_eq!((name.as_str(), hangup), ("hangup", json!({"command_id": "e3-hangup"})));
}

#[test]
fn a_message_is_spoken_or_played_and_the_call_ends() {
    let (name, answer) = only(rendered("e1", Action::Message(&closed()), None));
    assert_eq!(name, "answer");
    let (name, speak) = commanded(next("e2", "call.answered", &answer, json!({})));
    assert_eq!(name, "speak");
    let said = [&speak["payload"], &speak["payload_type"], &speak["language"], &speak["voice"]];
    assert_eq!(said, ["Closed {{today}} <break/>", "text", "de-DE", "female"]);
    assert_eq!(next("e3", "call.speak.started", &speak, json!({})), Led::Status("other"));
    let hung_up = next("e3", "call.speak.ended", &speak, json!({"status": "call_hangup"}));
    assert_eq!(hung_up, Led::Status("other"));
    let ended = next("e4", "call.speak.ended", &speak, json!({"status": "completed"}));
    assert_eq!(commanded(ended), ("hangup".to_owned(), json!({"command_id": "e4-hangup"})));

    let play = Prompt::Play { url: "https://cdn.example/a.mp3".into() };
    let (_, answer) = only(rendered("e1", Action::Message(&play), None));
    let (name, start) = commanded(next("e2", "call.answered", &answer, json!({})));
    assert_eq!((name.as_str(), &start["audio_url"]), ("playback_start", &json!("https://cdn.example/a.mp3")));
    let (name, _) = commanded(next("e3", "call.playback.ended", &start, json!({"status": "file_not_found"})));
    assert_eq!(name, "hangup");
}

#[test]
fn a_voicemail_is_recorded_after_its_prompt() {
    let action = Action::Voicemail { prompt: &closed(), length_max_s: 120 };
    let (_, answer) = only(rendered("e1", action, AFTER));
    let (_, speak) = commanded(next("e2", "call.answered", &answer, json!({})));
    let (name, record) = commanded(next("e3", "call.speak.ended", &speak, json!({})));
    assert_eq!(name, "record_start");
    let said = [&record["format"], &record["channels"], &record["play_beep"], &record["max_length"]];
    assert_eq!(said, [&json!("mp3"), &json!("single"), &json!(true), &json!(120)]);
    // Neither names the leg.
    for ended in ["call.recording.saved", "call.recording.error"] {
        let led = led("e4", ended, json!({"client_state": record["client_state"]}));
        assert_eq!(commanded(led).0, "hangup");
    }
}

#[test]
fn nobody_answering_brings_the_route_back_to_the_callers_leg() {
    let to = [Dialable::Number("+12025550147".parse().unwrap())];
    let (name, transfer) = only(rendered("e1", Action::Dial { to: &to, timeout_s: 25 }, AFTER));
    assert_eq!(name, "transfer");
    assert_eq!([&transfer["to"], &transfer["timeout_secs"]], [&json!("+12025550147"), &json!(25)]);
    assert!(transfer.get("custom_headers").is_none());
    for cause in ["timeout", "user_busy", "no_answer", "call_rejected", "not_found", "unspecified"] {
        let led = leg_ended("e2", &transfer, json!({"hangup_cause": cause}));
        assert_eq!(led, after(StepResult::Failed, "e2"), "{cause}");
    }
    let refused = json!({"hangup_cause": "normal_clearing", "sip_hangup_cause": "480"});
    assert_eq!(leg_ended("e2", &transfer, refused), after(StepResult::Failed, "e2"));
    for cause in ["normal_clearing", "originator_cancel", "time_limit"] {
        let led = leg_ended("e2", &transfer, json!({"hangup_cause": cause, "sip_hangup_cause": "200"}));
        assert_eq!(led, Led::Status("leg"), "{cause}");
    }
    // What the caller's own leg says meanwhile leads to nothing.
    for event_type in ["call.answered", "streaming.stopped", "call.speak.ended", "call.recording.saved"] {
        assert_eq!(next("e2", event_type, &transfer, json!({})), Led::Status("other"), "{event_type}");
    }
    for (cause, status) in
        [("normal_clearing", "completed"), ("originator_cancel", "canceled"), ("?", "failed")]
    {
        let led = next("e2", "call.hangup", &transfer, json!({"hangup_cause": cause}));
        assert_eq!(led, Led::Status(status));
    }
}

#[test]
fn several_ring_one_after_the_other() {
    let to = [
        Dialable::Number("+12025550147".parse().unwrap()),
        Dialable::Sip("sip:desk@h".into()),
        Dialable::Number("+12025550148".parse().unwrap()),
    ];
    let busy = json!({"hangup_cause": "user_busy"});
    let (_, first) = only(rendered("e1", Action::Dial { to: &to, timeout_s: 60 }, None));
    assert_eq!([&first["to"], &first["timeout_secs"]], [&json!("+12025550147"), &json!(20)]);
    let (name, second) = commanded(leg_ended("e2", &first, busy.clone()));
    assert_eq!(
        (name.as_str(), &second["to"], &second["timeout_secs"]),
        ("transfer", &json!("sip:desk@h"), &json!(20))
    );
    let (_, third) = commanded(leg_ended("e3", &second, busy.clone()));
    assert_eq!([&third["to"], &third["command_id"]], [&json!("+12025550148"), &json!("e3-transfer")]);
    assert_eq!(commanded(leg_ended("e4", &third, busy)).0, "hangup");

    let timeout = |count: usize, timeout_s| {
        let to = vec![to[0].clone(); count];
        only(rendered("e1", Action::Dial { to: &to, timeout_s }, None)).1["timeout_secs"].take()
    };
    assert_eq!([timeout(1, 1), timeout(1, 900), timeout(5, 20)], [json!(5), json!(600), json!(10)]);
}

#[test]
fn an_agent_by_sip_is_told_the_call() {
    let (name, transfer) = only(rendered("e1", Action::AgentSip("sip:a@voice.example"), AFTER));
    assert_eq!((name.as_str(), &transfer["to"]), ("transfer", &json!("sip:a@voice.example")));
    let headers = json!([
        {"name": "X-tenant-id", "value": "00000000-0000-0000-0000-000000000001"},
        {"name": "X-phone-number-id", "value": "00000000-0000-0000-0000-000000000002"},
        {"name": "X-call-id", "value": "CA1"},
        {"name": "X-from", "value": "anonymous"},
        {"name": "X-to", "value": "+12125550001"},
    ]);
    assert_eq!(transfer["custom_headers"], headers);
}

#[test]
fn a_call_that_was_answered_is_not_answered_or_rejected_again() {
    let name = |context, action| only(rendered(context, action, None)).0;
    let closed = closed();
    assert_eq!(name("e1", Action::Message(&closed)), "answer");
    assert_eq!(name("e1+", Action::Message(&closed)), "speak");
    assert_eq!(name("e1+", Action::Stream("wss://a")), "streaming_start");
    assert_eq!(name("e1+", Action::Reject { busy: true }), "hangup");
    assert_eq!(name("e1+", Action::Redirect("https://o.example/")), "hangup");
    assert_eq!(name("e1", Action::Hangup), "hangup");
    let (_, rejected) = only(rendered("e1", Action::Reject { busy: true }, None));
    assert_eq!(rejected, json!({"cause": "USER_BUSY", "command_id": "e1-reject"}));
    let (_, rejected) = only(rendered("e1", Action::Reject { busy: false }, None));
    assert_eq!(rejected["cause"], "NOT_FOUND");
    let (name, handed) = only(rendered("e1", Action::Redirect("https://o.example/"), None));
    assert_eq!((name.as_str(), &handed["webhook_url"]), ("answer", &json!("https://o.example/")));
}

#[test]
fn refusals_are_rejections() {
    let check = |context: &str, refused: Refusal, expected: &str| {
        let rendered =
            samples::with_reply_in(context, Action::Hangup, None, |reply| refusal(reply.call, refused));
        let (name, body) = only(commands(&rendered));
        let cause = body["cause"].as_str().unwrap_or_default();
        assert_eq!(format!("{name} {cause}").trim(), expected, "{context} {refused:?}");
    };
    check("e1", Refusal::UnknownNumber, "reject NOT_FOUND");
    check("e1", Refusal::SuspendedTenant, "reject USER_BUSY");
    check("e1+", Refusal::SuspendedTenant, "hangup");
}

#[test]
fn an_event_delivered_twice_commands_the_same_again() {
    let (_, answer) = only(rendered("e1", Action::Message(&closed()), None));
    let once = next("e2", "call.answered", &answer, json!({}));
    assert_eq!(once, next("e2", "call.answered", &answer, json!({})));
}

#[test]
fn legs_and_states_of_others_are_left_alone() {
    let call = |more: Value| {
        let mut payload = json!({"call_control_id": "v3:x", "from": "+1", "to": "+12125550001"});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        led("e1", "call.initiated", payload)
    };
    let context = Context { event_id: "e1", is_answered: false }.to_string();
    assert_eq!(call(json!({"direction": "incoming"})), Led::Call(context.clone()));
    assert_eq!(call(json!({})), Led::Call(context.clone()));
    for foreign in ["", "not base64!", "bm90IGpzb24=", &STANDARD.encode("{\"phase\":\"idle\"}")] {
        let incoming = json!({"direction": "incoming", "client_state": foreign});
        assert_eq!(call(incoming), Led::Call(context.clone()), "{foreign}");
        for event_type in ["call.answered", "streaming.stopped", "call.speak.ended", "call.recording.saved"] {
            let state = json!({"client_state": foreign});
            assert_eq!(led("e1", event_type, state), Led::Status("other"));
        }
    }
    assert_eq!(call(json!({"direction": "outgoing"})), Led::Status("leg"));
    let to = [Dialable::Number("+12025550147".parse().unwrap())];
    let (_, transfer) = only(rendered("e1", Action::Dial { to: &to, timeout_s: 25 }, AFTER));
    let ours = json!({"direction": "outgoing", "client_state": transfer["target_leg_client_state"]});
    assert_eq!(call(ours), Led::Status("leg"));
}
