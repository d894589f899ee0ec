//! Answers. Source: schemas `ServerMessageResponse*` of <https://api.vapi.ai/api-json>.

use std::borrow::Cow;

use serde::Serialize;

use super::NAME;
use super::assistant::assistant;
use super::destination::{Destination, Routed};
use super::documents::fixed;
use crate::provider::event::ToolResult;
use crate::provider::literal::literal;
use crate::provider::reply::{Action, Refusal, Rendered, Reply};
use crate::route::Prompt;
use crate::tools::one_line;

pub fn reply(reply: &Reply<'_>) -> Rendered {
    match reply.action {
        Action::Hosted { agent, .. } if agent.provider == NAME => assistant(reply, agent),
        Action::Dial { to: [first, ..], .. } => {
            Rendered::json(&Routed { destination: Destination::to(first) })
        }
        Action::AgentSip(uri) => Rendered::json(&Routed { destination: Destination::agent(uri, reply) }),
        Action::Message(Prompt::Say { text, .. }) => spoken_error(text),
        Action::Reject { busy: false } => spoken_error(Refusal::UnknownNumber.spoken()),
        Action::Hangup => spoken_error("Goodbye."),
        // Busy; or what `can` says is passed over.
        _ => spoken_error(Refusal::NoRoute.spoken()),
    }
}

/// Vapi speaks the error and ends the call. Where an assistant asked for a transfer or a tool, it is why there is none.
pub fn spoken_error(text: &str) -> Rendered {
    #[derive(Serialize)]
    struct Spoken<'a> {
        error: &'a str,
    }
    Rendered::json(&Spoken { error: &literal(text) })
}

pub fn acknowledgement() -> Rendered {
    fixed("{}")
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    name: &'a str,
    tool_call_id: &'a str,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<'a> {
    Result(Cow<'a, str>),
    Error(Cow<'a, str>),
}

pub fn tool_results(results: &[ToolResult]) -> Rendered {
    if let [ToolResult { id, outcome: Ok(text) | Err(text), .. }] = results
        && id.is_empty()
    {
        // A `function-call`: its call has no id, and its answer no other field.
        return Rendered::json(&Outcome::Result(one_line(text)));
    }
    Rendered::json(&Results { results: results.iter().map(Entry::of).collect() })
}

impl<'a> Entry<'a> {
    fn of(result: &'a ToolResult) -> Self {
        let outcome = match &result.outcome {
            Ok(text) => Outcome::Result(one_line(text)),
            Err(text) => Outcome::Error(one_line(text)),
        };
        Self { name: &result.name, tool_call_id: &result.id, outcome }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::feed::record::HostedAgent;
    use crate::provider::vapi::Vapi;
    use crate::provider::{Provider, samples};
    use crate::route::Dialable;

    fn rendered(action: Action<'_>) -> Value {
        let rendered = samples::with_reply(action, None, reply);
        assert_eq!((rendered.status, rendered.content_type), (200, Some("application/json")));
        assert!(rendered.commands.is_empty());
        serde_json::from_slice(&rendered.body).unwrap()
    }

    fn check(action: Action<'_>, can: bool, expected: &Value) {
        assert_eq!(Vapi.can(&action), can, "{action:?}");
        assert_eq!(&rendered(action), expected, "{action:?}");
    }

    fn agent(provider: &str) -> HostedAgent {
        HostedAgent { provider: provider.into(), id: "d4fa3a0e".into(), version: None, sip_uri: None }
    }

    const NOBODY: &str = "Nobody can take your call at the moment.";

    #[test]
    fn its_own_agents_are_told_of_the_location() {
        let agent = agent("vapi");
        let action = Action::Hosted { agent: &agent, version: Some("v2") };
        assert!(Vapi.can(&action));
        let document = rendered(action);
        assert_eq!(document["assistantId"], "d4fa3a0e");
        let overrides = document["assistantOverrides"].as_object().unwrap();
        let keys: Vec<&str> = overrides.keys().map(String::as_str).collect();
        let expected = ["firstMessage", "hooks", "maxDurationSeconds", "metadata", "variableValues", "voice"];
        assert_eq!(keys, expected);
        assert_eq!(overrides["firstMessage"], "Sparkle Nails, \"Broadway\"!");
        assert_eq!(overrides["maxDurationSeconds"], 600);
        let voice = json!({"provider": "11labs", "voiceId": "voice-1", "speed": 1.1, "stability": 0.5});
        assert_eq!(overrides["voice"], voice);
        let metadata = json!({
            "tenant_id": "00000000-0000-0000-0000-000000000001",
            "phone_number_id": "00000000-0000-0000-0000-000000000002",
            "call_id": "CA1", "from": "anonymous", "to": "+12125550001",
        });
        assert_eq!(overrides["metadata"], metadata);
        let destination = json!({"type": "number", "number": "+12025550199", "message": ""});
        let hook = json!([{
            "on": "call.ending",
            "filters": [{"type": "oneOf", "key": "call.endedReason", "oneOf": ["pipeline-error"]}],
            "do": [{"type": "tool", "tool": {"type": "transferCall", "destinations": [destination]}}],
        }]);
        assert_eq!(overrides["hooks"], hook);
        let values = overrides["variableValues"].as_object().unwrap();
        assert_eq!(values["prompt"], "You answer the phone of Sparkle Nails.");
        assert_eq!(values["rules"], "Never quote prices.\nBe brief.");
        assert_eq!(values["tenant_name"], "Sparkle Nails");
        assert_eq!(values["caller"], "anonymous");
        assert_eq!(values["parking"], "in the yard");
        assert!(values.values().all(Value::is_string));
    }

    #[test]
    fn another_providers_agents_are_reached_by_sip() {
        let agent = agent("retell");
        check(Action::Hosted { agent: &agent, version: None }, false, &json!({"error": NOBODY}));
        let headers = json!({
            "x-tenant-id": "00000000-0000-0000-0000-000000000001",
            "x-phone-number-id": "00000000-0000-0000-0000-000000000002",
            "x-call-id": "CA1", "x-from": "anonymous", "x-to": "+12125550001",
        });
        let sip = |uri: &str| json!({"destination": {"type": "sip", "sipUri": uri, "sipHeaders": headers, "message": ""}});
        check(Action::AgentSip("sip:a@h;x=1"), true, &sip("sip:a@h;x=1"));
        check(Action::AgentSip("sip:{{a}}@h"), true, &sip("sip:%7B%7Ba%7D%7D@h"));
    }

    #[test]
    fn the_first_of_several_addresses_rings() {
        let to = [Dialable::Number("+12025550147".parse().unwrap()), Dialable::Sip("sip:desk@h".into())];
        let number = json!({"destination": {"type": "number", "number": "+12025550147", "message": ""}});
        check(Action::Dial { to: &to, timeout_s: 15 }, true, &number);
        let sip = json!({"destination": {"type": "sip", "sipUri": "sip:desk@h", "message": ""}});
        check(Action::Dial { to: &to[1..], timeout_s: 15 }, true, &sip);
        check(Action::Dial { to: &[], timeout_s: 15 }, true, &json!({"error": NOBODY}));
    }

    #[test]
    fn messages_are_spoken_as_they_are() {
        let say = Prompt::Say { text: "Closed \"today\" {{ now }}\n{% if %}é".into(), language: None };
        let expected = json!({"error": "Closed \"today\" { { now }}\n{ % if %}é"});
        check(Action::Message(&say), true, &expected);
        let play = Prompt::Play { url: "https://cdn.example/a.mp3".into() };
        check(Action::Message(&play), false, &json!({"error": NOBODY}));
        check(Action::Voicemail { prompt: &say, length_max_s: 60 }, false, &json!({"error": NOBODY}));
        check(Action::Stream("wss://v.example"), false, &json!({"error": NOBODY}));
        check(Action::Redirect("https://o.example"), false, &json!({"error": NOBODY}));
        check(Action::Reject { busy: true }, true, &json!({"error": NOBODY}));
        check(Action::Reject { busy: false }, true, &json!({"error": "This number is not in service."}));
        check(Action::Hangup, true, &json!({"error": "Goodbye."}));
    }

    #[test]
    fn a_tools_result_is_one_line() {
        let result = |id: &str, outcome: Result<&str, &str>| ToolResult {
            id: id.into(),
            name: "get_hours".into(),
            outcome: outcome.map(str::to_owned).map_err(str::to_owned),
        };
        let check = |results: &[ToolResult], expected: &Value| {
            let rendered = tool_results(results);
            assert_eq!((rendered.status, rendered.content_type), (200, Some("application/json")));
            assert_eq!(&serde_json::from_slice::<Value>(&rendered.body).unwrap(), expected);
        };
        check(
            &[result("call_1", Ok("Open\r\n today.")), result("call_2", Err("Not\nnow."))],
            &json!({"results": [
                {"name": "get_hours", "toolCallId": "call_1", "result": "Open today."},
                {"name": "get_hours", "toolCallId": "call_2", "error": "Not now."},
            ]}),
        );
        check(&[], &json!({"results": []}));
        check(&[result("", Ok("Open."))], &json!({"result": "Open."}));
        check(&[result("", Err("Shut."))], &json!({"result": "Shut."}));
    }

    #[test]
    fn refusals_are_spoken_and_events_acknowledged() {
        for kind in Vapi.kinds() {
            let call = crate::call::InboundCall {
                call_id: "c".into(),
                to: "".into(),
                from: "".into(),
                number_id: None,
                carrier_call_id: None,
                context: "".into(),
            };
            for refusal in
                [Refusal::UnknownNumber, Refusal::InactiveNumber, Refusal::SuspendedTenant, Refusal::NoRoute]
            {
                let rendered = Vapi.refuse(kind, &call, refusal);
                let body: Value = serde_json::from_slice(&rendered.body).unwrap();
                assert_eq!((rendered.status, body), (200, json!({"error": refusal.spoken()})));
            }
            assert_eq!(&*Vapi.acknowledge(kind).body, b"{}");
        }
        assert_eq!(Vapi.entry("twilio"), Some("https://api.vapi.ai/twilio/inbound_call"));
        assert_eq!(Vapi.entry("telnyx"), None);
    }
}
