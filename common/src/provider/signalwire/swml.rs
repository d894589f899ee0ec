//! SWML: what SignalWire is answered where it asks in JSON.
//!
//! A document is a list of steps. One that somebody follows ends with a `transfer` to the `after` URL, which says in
//! its parameters what the step was; SignalWire adds the variables that the step set. `%{…}` and `${…}` are code
//! anywhere in a document: no text or URL of people's has braces.
//! Source: <https://signalwire.com/docs/swml/reference/calling>, pages on `connect`, `play`, `record`, `transfer`,
//! `hangup`; checked against the JSON schema in github.com/signalwire/docs at 668371b.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::provider::reply::{Action, Refusal, Rendered, Reply};
use crate::route::{Dialable, Prompt};

/// How long a SIP agent may take to answer, in seconds.
const AGENT_TIMEOUT_S: u16 = 20;

/// As in cXML: not said of SWML.
const ADDRESSES_MAX: usize = 10;

/// Not answered, so not billed.
pub fn refusal(refusal: Refusal) -> Rendered {
    document(vec![reject(refusal.is_busy())])
}

pub fn reply(reply: &Reply<'_>) -> Rendered {
    let mut steps = Vec::with_capacity(3);
    let step = match reply.action {
        Action::Stream(url) => {
            steps.push(json!({"connect": {
                "to": format!("stream:{}", without_code_in_url(url)),
                "realtime": true,
                "custom_parameters": facts(reply),
            }}));
            Some("stream")
        }
        Action::AgentSip(uri) => {
            let named = |(name, value): (String, Value)| json!({"name": name, "value": value});
            let headers = facts(reply)
                .into_iter()
                .map(|(name, value)| named((format!("X-{}", name.replace('_', "-")), value)));
            steps.push(json!({"connect": {
                "to": without_code_in_url(uri),
                "timeout": AGENT_TIMEOUT_S,
                "answer_on_bridge": true,
                "headers": headers.collect::<Vec<_>>(),
            }}));
            Some("dial")
        }
        Action::Dial { to, timeout_s } => {
            let to = to.iter().take(ADDRESSES_MAX).map(|address| json!({"to": dialled(address)}));
            steps.push(json!({"connect": {
                "parallel": to.collect::<Vec<_>>(),
                "timeout": timeout_s.max(1),
                "answer_on_bridge": true,
            }}));
            Some("dial")
        }
        Action::Voicemail { prompt, length_max_s } => {
            steps.push(play(prompt));
            let record = json!({"beep": true, "terminators": "#", "max_length": length_max_s});
            steps.push(json!({"record": record}));
            Some("record")
        }
        Action::Message(prompt) => {
            steps.push(play(prompt));
            None
        }
        Action::Redirect(url) => {
            steps.push(json!({"transfer": {"dest": without_code_in_url(url)}}));
            return document(steps);
        }
        Action::Reject { busy } => return document(vec![reject(busy)]),
        // SignalWire's own agents are reached by SIP or as a redirect.
        Action::Hosted { .. } | Action::Hangup => None,
    };
    steps.push(match (step, reply.after_url()) {
        (Some(step), Some(url)) => json!({"transfer": {"dest": url, "params": {"step": step}}}),
        _ => json!({"hangup": {}}),
    });
    document(steps)
}

/// What an agent is told of the call.
fn facts(reply: &Reply<'_>) -> serde_json::Map<String, Value> {
    let mut facts = serde_json::Map::new();
    let mut put = |name: &str, value: String| facts.insert(name.to_owned(), Value::String(value));
    put("tenant_id", reply.location.tenant_id.to_string());
    if let Some(id) = reply.location.phone_number_id {
        put("phone_number_id", id.to_string());
    }
    put("call_id", in_one_line(&reply.call.call_id));
    put("from", in_one_line(&reply.call.from));
    put("to", in_one_line(&reply.call.to));
    facts
}

fn play(prompt: &Prompt) -> Value {
    match prompt {
        Prompt::Say { text, language } => {
            let mut play = json!({"url": format!("say:{}", in_one_line(text))});
            if let Some(language) = language {
                play["say_language"] = Value::String(in_one_line(language));
            }
            json!({"play": play})
        }
        Prompt::Play { url } => json!({"play": {"url": without_code_in_url(url)}}),
    }
}

fn dialled(address: &Dialable) -> String {
    match address {
        Dialable::Number(number) => number.to_string(),
        Dialable::Sip(uri) => without_code_in_url(uri).into_owned(),
    }
}

fn reject(busy: bool) -> Value {
    json!({"hangup": {"reason": if busy { "busy" } else { "decline" }}})
}

fn document(steps: Vec<Value>) -> Rendered {
    Rendered::json(&json!({"version": "1.0.0", "sections": {"main": steps}}))
}

/// Text that is one line, as a URL and a header have to be, without code: braces become parentheses, which sound the
/// same.
fn in_one_line(text: &str) -> String {
    let in_line = |character: char| match character {
        '{' => '(',
        '}' => ')',
        other if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}') => ' ',
        other => other,
    };
    text.chars().map(in_line).collect()
}

/// A URL without code: braces are escaped, as the rules for URLs want them anyway.
fn without_code_in_url(url: &str) -> Cow<'_, str> {
    if url.contains(['{', '}']) {
        Cow::Owned(url.replace('{', "%7B").replace('}', "%7D"))
    } else {
        Cow::Borrowed(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::reply::JSON;
    use crate::provider::samples;

    const AFTER: &str = "https://x.example/webhooks/signalwire/after/a1?s=1";

    fn check(action: Action<'_>, after_url: Option<&str>, expected: Value) {
        let rendered = samples::with_reply(action, after_url, reply);
        assert_eq!((rendered.status, rendered.content_type), (200, Some(JSON)));
        let mut body: Value = serde_json::from_slice(&rendered.body).unwrap();
        assert_eq!(body["version"], "1.0.0");
        assert_eq!(body["sections"]["main"].take(), expected);
    }

    #[test]
    fn agents_are_reached_by_stream_sip_and_transfer() {
        let facts = json!({
            "tenant_id": "00000000-0000-0000-0000-000000000001",
            "phone_number_id": "00000000-0000-0000-0000-000000000002",
            "call_id": "CA1",
            "from": "anonymous",
            "to": "+12125550001",
        });
        let stream =
            json!({"to": "stream:wss://voice.example/a?b=1", "realtime": true, "custom_parameters": facts});
        let asks = json!({"transfer": {"dest": AFTER, "params": {"step": "stream"}}});
        check(Action::Stream("wss://voice.example/a?b=1"), Some(AFTER), json!([{"connect": stream}, asks]));
        check(
            Action::Stream("wss://voice.example/a?b=1"),
            None,
            json!([{"connect": stream}, {"hangup": {}}]),
        );
        let headers = json!([
            {"name": "X-call-id", "value": "CA1"},
            {"name": "X-from", "value": "anonymous"},
            {"name": "X-phone-number-id", "value": "00000000-0000-0000-0000-000000000002"},
            {"name": "X-tenant-id", "value": "00000000-0000-0000-0000-000000000001"},
            {"name": "X-to", "value": "+12125550001"},
        ]);
        let dial =
            json!({"to": "sip:a@voice.example", "timeout": 20, "answer_on_bridge": true, "headers": headers});
        check(Action::AgentSip("sip:a@voice.example"), None, json!([{"connect": dial}, {"hangup": {}}]));
        check(
            Action::Redirect("https://o.example/"),
            Some(AFTER),
            json!([{"transfer": {"dest": "https://o.example/"}}]),
        );
    }

    #[test]
    fn one_or_several_ring_and_what_follows_is_asked() {
        let to =
            [Dialable::Number("+12025550147".parse().unwrap()), Dialable::Sip("sip:desk@h;x={y}".into())];
        let parallel = json!([{"to": "+12025550147"}, {"to": "sip:desk@h;x=%7By%7D"}]);
        check(
            Action::Dial { to: &to, timeout_s: 15 },
            Some(AFTER),
            json!([
                {"connect": {"parallel": parallel, "timeout": 15, "answer_on_bridge": true}},
                {"transfer": {"dest": AFTER, "params": {"step": "dial"}}},
            ]),
        );
    }

    #[test]
    fn prompts_are_one_line_without_code() {
        let say =
            Prompt::Say { text: "Hi %{call.from},\nwe are ${closed}".into(), language: Some("de-DE".into()) };
        let said = json!({"play": {"url": "say:Hi %(call.from), we are $(closed)", "say_language": "de-DE"}});
        check(Action::Message(&say), Some(AFTER), json!([said, {"hangup": {}}]));
        let play = Prompt::Play { url: "https://cdn.example/%{a}.mp3".into() };
        check(
            Action::Voicemail { prompt: &play, length_max_s: 120 },
            Some(AFTER),
            json!([
                {"play": {"url": "https://cdn.example/%%7Ba%7D.mp3"}},
                {"record": {"beep": true, "terminators": "#", "max_length": 120}},
                {"transfer": {"dest": AFTER, "params": {"step": "record"}}},
            ]),
        );
    }

    #[test]
    fn calls_end_with_what_the_caller_is_to_hear() {
        check(Action::Reject { busy: true }, None, json!([{"hangup": {"reason": "busy"}}]));
        check(Action::Reject { busy: false }, None, json!([{"hangup": {"reason": "decline"}}]));
        check(Action::Hangup, None, json!([{"hangup": {}}]));
        let refused = |refused| String::from_utf8(refusal(refused).body.into_owned()).unwrap();
        assert!(refused(Refusal::SuspendedTenant).contains("busy"));
        assert!(refused(Refusal::UnknownNumber).contains("decline"));
    }
}
