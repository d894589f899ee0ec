//! Answers to the initiation webhook. Source: `ConversationInitiationClientDataRequestInput` in ElevenLabs's Python SDK
//! 2.78.0, and <https://elevenlabs.io/docs/eleven-agents/customization/personalization/overrides>.

use std::borrow::Cow;

use serde::Serialize;

use super::variables::{self, Task, spoken};
use super::{INITIATION, NAME};
use crate::call::{Caller, InboundCall};
use crate::location::{EffectiveConversation, EffectiveVoice, Percent};
use crate::provider::json_text::Texts;
use crate::provider::literal::literal;
use crate::provider::reply::{Action, Refusal, Rendered, Reply};

/// ElevenLabs's limits of a voice's speed.
const SPEED: std::ops::RangeInclusive<f32> = 0.7..=1.2;

#[derive(Serialize)]
struct Answer<'a, V> {
    r#type: &'static str,
    dynamic_variables: V,
    #[serde(skip_serializing_if = "Override::is_empty")]
    conversation_config_override: Override<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

impl<'a, V> Answer<'a, V> {
    fn new(dynamic_variables: V, overrides: Override<'a>, user_id: Option<String>) -> Self {
        let r#type = "conversation_initiation_client_data";
        Self { r#type, dynamic_variables, conversation_config_override: overrides, user_id }
    }
}

/// What replaces the agent's own settings for this call.
#[derive(Default, PartialEq, Serialize)]
struct Override<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentOverride<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tts: Option<SpeechOverride<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<Length>,
}

#[derive(Default, PartialEq, Serialize)]
struct AgentOverride<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<PromptOverride<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_message: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
}

#[derive(PartialEq, Serialize)]
struct PromptOverride<'a> {
    prompt: Cow<'a, str>,
}

#[derive(Default, PartialEq, Serialize)]
struct SpeechOverride<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    voice_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stability: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity_boost: Option<f32>,
}

#[derive(PartialEq, Serialize)]
struct Length {
    max_duration_seconds: u16,
}

impl<'a> Override<'a> {
    /// Only what is set: an agent refuses overrides that its own settings don't allow.
    fn of(voice: &EffectiveVoice<'a>, conversation: &EffectiveConversation<'a>, action: Action<'a>) -> Self {
        let agent = AgentOverride {
            prompt: conversation.prompt.map(|text| PromptOverride { prompt: literal(text) }),
            first_message: first_message(voice, action).map(literal),
            language: voice.language.map(language),
        };
        let share = |percent: Option<Percent>| percent.map(|percent| percent.factor().clamp(0.0, 1.0));
        let is_own = matches!(voice.provider, None | Some(NAME | "11labs"));
        let voice_id = voice.voice_id.filter(|_| is_own);
        let tts = SpeechOverride {
            voice_id,
            model_id: voice.model.filter(|_| voice_id.is_some()),
            speed: voice.speed.map(|speed| speed.factor().clamp(*SPEED.start(), *SPEED.end())),
            stability: share(voice.stability),
            similarity_boost: share(voice.similarity),
        };
        let length = |max_duration_seconds| Length { max_duration_seconds };
        Self {
            agent: (agent != AgentOverride::default()).then_some(agent),
            tts: (tts != SpeechOverride::default()).then_some(tts),
            conversation: conversation.duration_max_s.map(length),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a location sets a greeting, callers hear what was decided instead of it.
fn first_message<'a>(voice: &EffectiveVoice<'a>, action: Action<'a>) -> Option<&'a str> {
    let greeting = voice.greeting?;
    match action {
        Action::Message(prompt) | Action::Voicemail { prompt, .. } => {
            Some(spoken(prompt)).filter(|text| !text.is_empty()).or(Some(greeting))
        }
        _ => Some(greeting),
    }
}

/// ElevenLabs names languages without a region, but for Brazilian Portuguese.
pub fn language(tag: &str) -> String {
    let tag = tag.to_ascii_lowercase();
    match tag.split('-').next() {
        _ if tag == "pt-br" => tag,
        Some("nb" | "nn") => "no".to_owned(),
        Some(primary) => primary.to_owned(),
        None => tag,
    }
}

/// The agent that is linked to the number has the call whatever is decided, so every answer is what it is told.
pub fn reply(reply: &Reply<'_>) -> Rendered {
    let location = reply.location;
    let (voice, conversation) = (location.voice(), location.conversation());
    // The provider's own placeholders are broken up, so ours are filled in here.
    let own = location.variables(reply.call);
    let greeting = voice.greeting.map(|text| own.fill(text));
    let prompt = conversation.prompt.map(|text| own.fill(text));
    let voice = EffectiveVoice { greeting: greeting.as_deref(), ..voice };
    let conversation = EffectiveConversation { prompt: prompt.as_deref(), ..conversation };
    let task = Task::of(reply, conversation.prompt);
    let variables = Texts(|put: &mut dyn FnMut(&str, &str)| variables::each(reply, &task, put));
    let overrides = Override::of(&voice, &conversation, reply.action);
    // The same caller of another tenant is another user, as tenants may share an agent.
    let user_id = match reply.call.caller() {
        Caller::Number(number) => Some(format!("{}:{number}", location.tenant_id)),
        Caller::Withheld | Caller::Other => None,
    };
    Rendered::json(&Answer::new(variables, overrides, user_id))
}

pub fn refusal(kind: &str, call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
    if kind != INITIATION {
        return Rendered::empty(200);
    }
    let variables = Texts(|put: &mut dyn FnMut(&str, &str)| variables::each_neutral(call, refusal, put));
    Rendered::json(&Answer::new(variables, Override::default(), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::record::HostedAgent;
    use crate::provider::elevenlabs::ElevenLabs;
    use crate::provider::reply::JSON;
    use crate::provider::{Provider, samples};
    use crate::route::{Dialable, Prompt};
    use serde_json::{Value, json};

    fn json(rendered: &Rendered) -> Value {
        assert_eq!((rendered.status, rendered.content_type), (200, Some(JSON)));
        serde_json::from_slice(&rendered.body).unwrap()
    }

    fn say(text: &str) -> Prompt {
        Prompt::Say { text: text.into(), language: None }
    }

    fn agent(provider: &str) -> HostedAgent {
        HostedAgent { provider: provider.into(), id: "agent_1".into(), version: None, sip_uri: None }
    }

    #[test]
    fn an_agent_gets_what_is_known_of_the_location() {
        let agent = agent(NAME);
        let action = Action::Hosted { agent: &agent, version: None };
        let rendered = samples::with_reply(action, None, reply);
        let answer = json(&rendered);
        assert_eq!(answer["type"], "conversation_initiation_client_data");
        assert_eq!(answer["user_id"], Value::Null, "the caller withholds the number");
        let variables = answer["dynamic_variables"].as_object().unwrap();
        assert!(variables.values().all(Value::is_string));
        for (name, value) in [
            ("tenant_id", "00000000-0000-0000-0000-000000000001"),
            ("tenant_name", "Sparkle Nails"),
            ("location_name", "Broadway \"21\" <East> & Co"),
            ("caller", "anonymous"),
            ("open_now", "true"),
            ("parking", "in the yard"),
            ("prompt", "You answer the phone of Sparkle Nails."),
            ("call_id", "CA1"),
            ("transfer_to", "+12025550147"),
            ("route_action", "agent"),
            ("route_text", ""),
            ("route_to", ""),
            ("call_refused", "false"),
            ("refusal_reason", ""),
        ] {
            assert_eq!(variables[name], value, "{name}");
        }
        let body = std::str::from_utf8(&rendered.body).unwrap();
        let (_, overrides) = body.split_once(r#""conversation_config_override":"#).unwrap();
        let expected = r#"{"agent":{"prompt":{"prompt":"You answer the phone of Sparkle Nails."},"first_message":"Sparkle Nails, \"Broadway\"!","language":"en"},"tts":{"voice_id":"voice-1","speed":1.1,"stability":0.5},"conversation":{"max_duration_seconds":600}}}"#;
        assert_eq!(overrides, expected);
    }

    #[test]
    fn a_caller_is_one_user_of_each_tenant() {
        let agent = agent(NAME);
        let action = Action::Hosted { agent: &agent, version: None };
        samples::with_reply(action, None, |sample| {
            let call = InboundCall { from: "+12125550187".into(), ..sample.call.clone() };
            let rendered = reply(&Reply { call: &call, after: None, ..*sample });
            let user = "00000000-0000-0000-0000-000000000001:+12125550187";
            assert_eq!(json(&rendered)["user_id"], user);
            rendered
        });
    }

    #[test]
    fn the_agent_is_told_what_else_was_decided() {
        let check = |action: Action<'_>, can: bool, told: [&str; 3], first_message: &str| {
            assert_eq!(ElevenLabs.can(&action), can, "{action:?}");
            let answer = json(&samples::with_reply(action, None, reply));
            let variables = &answer["dynamic_variables"];
            let found =
                ["route_action", "route_text", "route_to"].map(|name| variables[name].as_str().unwrap());
            assert_eq!(found, told, "{action:?}");
            assert_eq!(variables["call_refused"], "false");
            let overridden = &answer["conversation_config_override"]["agent"]["first_message"];
            assert_eq!(overridden, first_message, "{action:?}");
        };
        let greeting = "Sparkle Nails, \"Broadway\"!";
        let (closed, recording) =
            (say("We are {{closed}}."), Prompt::Play { url: "https://a.example/b".into() });
        let to = [Dialable::Number("+12025550147".parse().unwrap()), Dialable::Sip("sip:a@b.example".into())];
        let text = "We are { {closed}}.";
        check(Action::Message(&closed), true, ["message", text, ""], text);
        check(Action::Message(&recording), false, ["message", "", ""], greeting);
        let voicemail = |prompt| Action::Voicemail { prompt, length_max_s: 60 };
        check(voicemail(&closed), true, ["voicemail", text, ""], text);
        check(voicemail(&recording), true, ["voicemail", "", ""], greeting);
        let dial = |to| Action::Dial { to, timeout_s: 20 };
        check(dial(&to), true, ["forward", "", "+12025550147"], greeting);
        check(dial(&to[1..]), true, ["forward", "", "sip:a@b.example"], greeting);
        check(dial(&[]), true, ["forward", "", ""], greeting);
        let refused = "This number is not in service.";
        check(Action::Reject { busy: false }, true, ["reject", refused, ""], greeting);
        let refused = "Nobody can take your call at the moment.";
        check(Action::Reject { busy: true }, true, ["reject", refused, ""], greeting);
        check(Action::Hangup, true, ["hangup", "", ""], greeting);
        let (own, foreign) = (agent(NAME), agent("vapi"));
        for (action, can) in [
            (Action::Hosted { agent: &own, version: None }, true),
            (Action::Hosted { agent: &foreign, version: None }, false),
            (Action::Stream("wss://a.example/"), false),
            (Action::AgentSip("sip:a@b.example"), false),
            (Action::Redirect("https://a.example/"), false),
        ] {
            check(action, can, ["agent", "", ""], greeting);
        }
    }

    #[test]
    fn only_what_is_set_is_overridden() {
        let check = |voice: &EffectiveVoice<'_>, conversation: &EffectiveConversation<'_>, expected: &str| {
            let overrides = Override::of(voice, conversation, Action::Hangup);
            assert_eq!(overrides.is_empty(), expected == "{}");
            assert_eq!(serde_json::to_string(&overrides).unwrap(), expected);
        };
        let nothing = EffectiveConversation::default();
        check(&EffectiveVoice::default(), &nothing, "{}");
        let of = |provider| EffectiveVoice {
            provider,
            voice_id: Some("v"),
            model: Some("m"),
            ..EffectiveVoice::default()
        };
        for provider in [None, Some("11labs"), Some(NAME)] {
            check(&of(provider), &nothing, r#"{"tts":{"voice_id":"v","model_id":"m"}}"#);
        }
        check(&of(Some("openai")), &nothing, "{}");
        let extreme = EffectiveVoice {
            speed: Some(Percent(300)),
            stability: Some(Percent(120)),
            similarity: Some(Percent(0)),
            ..EffectiveVoice::default()
        };
        check(&extreme, &nothing, r#"{"tts":{"speed":1.2,"stability":1.0,"similarity_boost":0.0}}"#);
        for (tag, expected) in
            [("de-AT", "de"), ("pt-BR", "pt-br"), ("pt-PT", "pt"), ("nb-NO", "no"), ("EN", "en")]
        {
            let voice = EffectiveVoice { language: Some(tag), ..EffectiveVoice::default() };
            check(&voice, &nothing, &format!(r#"{{"agent":{{"language":"{expected}"}}}}"#));
        }
    }

    #[test]
    fn a_refusal_has_every_variable_and_says_nothing_of_anybody() {
        let call = InboundCall {
            call_id: "CA1".into(),
            to: "+12125550001".into(),
            from: "{{tenant_id}}".into(),
            number_id: None,
            carrier_call_id: None,
            context: "".into(),
        };
        let answered = json(&samples::with_reply(Action::Hangup, None, reply));
        let mut names: Vec<_> = answered["dynamic_variables"].as_object().unwrap().keys().collect();
        names.retain(|name| *name != "parking");
        for (refused, reason, text) in [
            (Refusal::UnknownNumber, "unknown_number", "This number is not in service."),
            (Refusal::InactiveNumber, "inactive_number", "This number is not in service."),
            (Refusal::SuspendedTenant, "suspended_tenant", "Nobody can take your call at the moment."),
            (Refusal::NoRoute, "no_route", "Nobody can take your call at the moment."),
        ] {
            let answer = json(&refusal(INITIATION, &call, refused));
            assert_eq!(answer.as_object().unwrap().len(), 2, "no override, no user");
            let variables = answer["dynamic_variables"].as_object().unwrap();
            assert_eq!(variables.keys().collect::<Vec<_>>(), names);
            let expected = json!({
                "call_refused": "true", "refusal_reason": reason, "route_action": "reject", "route_text": text,
                "open_now": "false", "caller": "{ {tenant_id}}", "phone_number": "+12125550001", "call_id": "CA1",
                "timezone": "UTC",
            });
            for (name, value) in variables {
                assert_eq!(value, expected.get(name).unwrap_or(&json!("")), "{name}");
            }
            let acknowledged = refusal("post-call", &call, refused);
            assert_eq!((acknowledged.status, acknowledged.body.len()), (200, 0));
        }
    }

    #[test]
    fn a_carrier_hands_over_by_redirect() {
        assert_eq!(ElevenLabs.entry("twilio"), Some("https://api.elevenlabs.io/twilio/inbound_call"));
        assert_eq!(ElevenLabs.entry("telnyx"), None);
    }
}
