//! Answers. Source: <https://docs.retellai.com/features/inbound-call-webhook>; the fields of an override are those of
//! `agent_override` in Retell's Python SDK 6.2.13.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::IgnoredAny;

use super::{FUNCTIONS, INBOUND, NAME, language, parse};
use crate::call::InboundCall;
use crate::feed::record::HostedAgent;
use crate::ids::{PhoneNumberId, TenantId};
use crate::location::{EffectiveConversation, EffectiveVoice};
use crate::provider::event::ToolResult;
use crate::provider::json_text::Texts;
use crate::provider::literal::literal;
use crate::provider::reply::{Action, JSON, Refusal, Rendered, Reply};
use crate::route::Dialable;

const REJECT: &str = r#"{"call_inbound":{"reject":true}}"#;
const REJECT_CHAT: &str = r#"{"chat_inbound":{"reject":true}}"#;
const CHAT_AS_IT_IS: &str = r#"{"chat_inbound":{}}"#;
const TEXT: &str = "text/plain; charset=utf-8";

/// As much of a function's answer as Retell gives its model.
const RESULT_CHARS_MAX: usize = 15_000;

/// Retell's limits of a call's length and of a voice's speed.
const DURATION_MS: RangeInclusive<u32> = 60_000..=7_200_000;
const SPEED: RangeInclusive<f32> = 0.5..=2.0;

/// What else than an agent of Retell's is decided is a rejection: an empty answer would give the call to the number's
/// own agent, which nobody decided.
pub fn reply(reply: &Reply<'_>) -> Rendered {
    match reply.action {
        Action::Hosted { agent, version } if agent.provider == NAME => hosted(reply, agent, version),
        _ => Rendered::document(JSON, REJECT),
    }
}

/// Retell knows one rejection, and makes no call of it. An agent that wants a tool is told why there is none.
pub fn refusal(kind: &str, call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
    match kind {
        INBOUND if parse::is_chat(call) => Rendered::document(JSON, REJECT_CHAT),
        INBOUND => Rendered::document(JSON, REJECT),
        FUNCTIONS => Rendered::document(TEXT, refusal.spoken()),
        _ => Rendered::empty(204),
    }
}

/// The text messages of `inbound` go to the number's own chat agent.
pub fn acknowledgement(kind: &str) -> Rendered {
    match kind {
        INBOUND => Rendered::document(JSON, CHAT_AS_IT_IS),
        _ => Rendered::empty(204),
    }
}

/// Retell asks for one thing at a time, and takes the whole body for its result.
pub fn tool_results(results: &[ToolResult]) -> Rendered {
    let mut text = String::new();
    for ToolResult { outcome: Ok(result) | Err(result), .. } in results {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(result);
    }
    if let Some((end, _)) = text.char_indices().nth(RESULT_CHARS_MAX) {
        text.truncate(end);
    }
    // Of JSON, a function's `response_variables` can name parts.
    let is_json = text.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(&text).is_ok();
    Rendered::document(if is_json { JSON } else { TEXT }, text)
}

#[derive(Serialize)]
struct Answer<'a, V> {
    call_inbound: Decided<'a, V>,
}

#[derive(Serialize)]
struct Decided<'a, V> {
    override_agent_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_agent_version: Option<Version<'a>>,
    dynamic_variables: V,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Override::is_empty")]
    agent_override: Override<'a>,
}

/// A version's number, or a name: a tag, `latest`, `latest_published`.
#[derive(Serialize)]
#[serde(untagged)]
enum Version<'a> {
    Number(u32),
    Name(&'a str),
}

/// What comes back in every later webhook of the call.
#[derive(Serialize)]
struct Metadata<'a> {
    tenant_id: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<PhoneNumberId>,
    call_id: &'a str,
}

#[derive(Serialize)]
struct Override<'a> {
    #[serde(skip_serializing_if = "AgentOverride::is_empty")]
    agent: AgentOverride<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retell_llm: Option<LlmOverride<'a>>,
}

#[derive(Default, PartialEq, Serialize)]
struct AgentOverride<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    voice_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice_model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice_speed: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_call_duration_ms: Option<u32>,
}

#[derive(Serialize)]
struct LlmOverride<'a> {
    begin_message: Cow<'a, str>,
}

impl Override<'_> {
    fn is_empty(&self) -> bool {
        self.agent.is_empty() && self.retell_llm.is_none()
    }
}

impl AgentOverride<'_> {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl<'a> Override<'a> {
    fn of(voice: &EffectiveVoice<'a>, conversation: &EffectiveConversation<'_>) -> Self {
        let voice_id = voice.voice_id.filter(|id| is_retells(voice, id));
        let duration_ms = conversation.duration_max_s.map(|s| u32::from(s) * 1000);
        Self {
            agent: AgentOverride {
                voice_id,
                voice_model: voice.model.filter(|_| voice_id.is_some()),
                voice_speed: voice.speed.map(|speed| speed.factor().clamp(*SPEED.start(), *SPEED.end())),
                language: voice.language.and_then(language::of_tag),
                max_call_duration_ms: duration_ms
                    .map(|ms| ms.clamp(*DURATION_MS.start(), *DURATION_MS.end())),
            },
            retell_llm: voice.greeting.map(|greeting| LlmOverride { begin_message: literal(greeting) }),
        }
    }
}

/// Whether a voice's id is Retell's name of it. Retell's own names begin with their maker's: `11labs-Adrian`. Others'
/// ids come from settings that are meant for another provider's agents.
fn is_retells(voice: &EffectiveVoice<'_>, id: &str) -> bool {
    match voice.provider {
        None | Some(NAME) => true,
        Some(maker) => id.strip_prefix(maker).is_some_and(|rest| rest.starts_with('-')),
    }
}

/// The variables that this provider adds: what an override can't set, and where a caller is handed over to.
const PROMPT: &str = "prompt";
const TRANSFER_TO: &str = "transfer_to";

fn hosted(reply: &Reply<'_>, agent: &HostedAgent, version: Option<&str>) -> Rendered {
    let (call, location) = (reply.call, reply.location);
    let (voice, conversation) = (location.voice(), location.conversation());
    // The provider's own placeholders are broken up, so ours are filled in here.
    let own = location.variables(call);
    let greeting = voice.greeting.map(|text| own.fill(text));
    let prompt = conversation.prompt.map(|text| own.fill(text));
    let voice = EffectiveVoice { greeting: greeting.as_deref(), ..voice };
    let conversation = EffectiveConversation { prompt: prompt.as_deref(), ..conversation };
    let version = version.or(agent.version.as_deref());
    let transfer_to = match location.transfer_to().or(reply.fallback) {
        Some(Dialable::Number(number)) => number.to_string(),
        Some(Dialable::Sip(uri)) => uri.clone(),
        None => String::new(),
    };
    let dynamic_variables = Texts(|put: &mut dyn FnMut(&str, &str)| {
        location.variables(call).each(|name, value| {
            if !matches!(name, PROMPT | TRANSFER_TO) {
                put(name, &literal(value));
            }
        });
        put(PROMPT, &literal(conversation.prompt.unwrap_or_default()));
        put(TRANSFER_TO, &literal(&transfer_to));
    });
    Rendered::json(&Answer {
        call_inbound: Decided {
            override_agent_id: &agent.id,
            override_agent_version: version
                .map(|version| version.parse().map_or(Version::Name(version), Version::Number)),
            dynamic_variables,
            metadata: Metadata {
                tenant_id: location.tenant_id,
                phone_number_id: location.phone_number_id,
                call_id: &call.call_id,
            },
            agent_override: Override::of(&voice, &conversation),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::Percent;
    use crate::provider::{Provider, samples};
    use crate::route::Prompt;
    use serde_json::{Value, json};

    fn agent(provider: &str, version: Option<&str>) -> HostedAgent {
        HostedAgent {
            provider: provider.into(),
            id: "agent_1".into(),
            version: version.map(str::to_owned),
            sip_uri: None,
        }
    }

    fn json(rendered: &Rendered) -> Value {
        assert_eq!((rendered.status, rendered.content_type), (200, Some(JSON)));
        serde_json::from_slice(&rendered.body).unwrap()
    }

    #[test]
    fn an_agent_gets_what_is_known_of_the_location() {
        let agent = agent(NAME, Some("3"));
        let action = Action::Hosted { agent: &agent, version: None };
        let answer = json(&samples::with_reply(action, None, reply));
        let decided = &answer["call_inbound"];
        assert_eq!(decided["override_agent_id"], "agent_1");
        assert_eq!(decided["override_agent_version"], 3);
        let ids = json!({
            "tenant_id": "00000000-0000-0000-0000-000000000001",
            "phone_number_id": "00000000-0000-0000-0000-000000000002",
            "call_id": "CA1",
        });
        assert_eq!(decided["metadata"], ids);
        // The sample's voice is one of another maker's.
        let overrides = json!({
            "agent": {"voice_speed": 1.1, "language": "en-US", "max_call_duration_ms": 600_000},
            "retell_llm": {"begin_message": "Sparkle Nails, \"Broadway\"!"},
        });
        assert_eq!(without_rounding(&decided["agent_override"]), overrides);
        let variables = decided["dynamic_variables"].as_object().unwrap();
        assert!(variables.values().all(Value::is_string), "Retell takes no other values");
        for (name, value) in [
            ("tenant_name", "Sparkle Nails"),
            ("location_name", "Broadway \"21\" <East> & Co"),
            ("caller", "anonymous"),
            ("open_now", "true"),
            ("parking", "in the yard"),
            ("prompt", "You answer the phone of Sparkle Nails."),
            ("transfer_to", "+12025550147"),
        ] {
            assert_eq!(variables[name], value, "{name}");
        }
    }

    /// A factor in single precision reads as a double that isn't quite the same.
    fn without_rounding(value: &Value) -> Value {
        let mut value = value.clone();
        let speed = &mut value["agent"]["voice_speed"];
        *speed = json!((speed.as_f64().unwrap() * 100.0).round() / 100.0);
        value
    }

    #[test]
    fn a_version_is_a_number_or_a_name() {
        let check = |own: Option<&str>, wanted: Option<&str>, expected: Value| {
            let agent = agent(NAME, own);
            let action = Action::Hosted { agent: &agent, version: wanted };
            let answer = json(&samples::with_reply(action, None, reply));
            assert_eq!(answer["call_inbound"]["override_agent_version"], expected);
        };
        check(None, None, Value::Null);
        check(Some("3"), Some("prod"), json!("prod"));
        check(Some("latest_published"), None, json!("latest_published"));
        check(None, Some("12"), json!(12));
        check(None, Some("99999999999999999999"), json!("99999999999999999999"));
    }

    #[test]
    fn only_what_is_set_and_retells_is_overridden() {
        let check = |voice: &EffectiveVoice<'_>, duration_max_s: Option<u16>, expected: &str| {
            let conversation = EffectiveConversation { duration_max_s, ..EffectiveConversation::default() };
            let overrides = Override::of(voice, &conversation);
            assert_eq!(overrides.is_empty(), expected == "{}");
            assert_eq!(serde_json::to_string(&overrides).unwrap(), expected);
        };
        let voice = |provider, id| EffectiveVoice {
            provider,
            voice_id: Some(id),
            model: Some("sonic-3"),
            ..EffectiveVoice::default()
        };
        let cimo = r#"{"agent":{"voice_id":"retell-Cimo","voice_model":"sonic-3"}}"#;
        check(&voice(None, "retell-Cimo"), None, cimo);
        check(&voice(Some(NAME), "retell-Cimo"), None, cimo);
        let adrian = r#"{"agent":{"voice_id":"11labs-Adrian","voice_model":"sonic-3"}}"#;
        check(&voice(Some("11labs"), "11labs-Adrian"), None, adrian);
        check(&voice(Some("11labs"), "21m00Tcm4TlvDq8ikWAM"), None, "{}");
        check(&EffectiveVoice::default(), None, "{}");
        check(&EffectiveVoice { language: Some("xx"), ..EffectiveVoice::default() }, None, "{}");
        let fast = EffectiveVoice { speed: Some(Percent(900)), ..EffectiveVoice::default() };
        check(&fast, Some(5), r#"{"agent":{"voice_speed":2.0,"max_call_duration_ms":60000}}"#);
        let greeting = EffectiveVoice { greeting: Some("Hi {{x}}"), ..EffectiveVoice::default() };
        check(&greeting, None, r#"{"retell_llm":{"begin_message":"Hi { {x}}"}}"#);
    }

    #[test]
    fn what_retell_cannot_do_is_passed_over_and_would_be_rejected() {
        let prompt = Prompt::Say { text: "Closed".into(), language: None };
        let (foreign, own) = (agent("vapi", None), agent(NAME, None));
        let actions = [
            (Action::Reject { busy: false }, true),
            (Action::Reject { busy: true }, true),
            (Action::Hangup, true),
            (Action::Message(&prompt), false),
            (Action::Voicemail { prompt: &prompt, length_max_s: 60 }, false),
            (Action::Dial { to: &[], timeout_s: 20 }, false),
            (Action::Stream("wss://a.example/"), false),
            (Action::AgentSip("sip:a@b.example"), false),
            (Action::Redirect("https://a.example/"), false),
            (Action::Hosted { agent: &foreign, version: None }, false),
        ];
        for (action, can) in actions {
            assert_eq!(super::super::Retell.can(&action), can, "{action:?}");
            let rendered = samples::with_reply(action, None, reply);
            assert_eq!(rendered.body, REJECT.as_bytes());
        }
        assert!(super::super::Retell.can(&Action::Hosted { agent: &own, version: None }));
    }

    #[test]
    fn refusals_and_acknowledgements_are_in_the_requests_wrapper() {
        let call = |id: &'static str| InboundCall {
            call_id: id.into(),
            to: "+1".into(),
            from: "".into(),
            number_id: None,
            carrier_call_id: None,
            context: "".into(),
        };
        for refused in
            [Refusal::UnknownNumber, Refusal::InactiveNumber, Refusal::SuspendedTenant, Refusal::NoRoute]
        {
            assert_eq!(
                json(&refusal(INBOUND, &call("call_1"), refused)),
                json!({"call_inbound":{"reject":true}})
            );
            assert_eq!(
                json(&refusal(INBOUND, &call("chat_1"), refused)),
                json!({"chat_inbound":{"reject":true}})
            );
            assert_eq!(refusal(FUNCTIONS, &call("call_1"), refused).body, refused.spoken().as_bytes());
            assert_eq!(refusal("events", &call("call_1"), refused).status, 204);
        }
        assert_eq!(json(&acknowledgement(INBOUND)), json!({"chat_inbound":{}}));
        assert_eq!(acknowledgement("events").status, 204);
    }

    #[test]
    fn a_result_is_the_body() {
        let check = |outcome: Result<&str, &str>, content_type: &str, expected: &str| {
            let outcome = outcome.map(str::to_owned).map_err(str::to_owned);
            let rendered = tool_results(&[ToolResult { id: "".into(), name: "n".into(), outcome }]);
            assert_eq!((rendered.status, rendered.content_type), (200, Some(content_type)));
            assert_eq!(rendered.body, expected.as_bytes());
        };
        check(Ok("We open at nine."), TEXT, "We open at nine.");
        check(Ok(r#"{"open":true}"#), JSON, r#"{"open":true}"#);
        check(Ok("[sic] yes"), TEXT, "[sic] yes");
        check(Err("I can't reach the calendar."), TEXT, "I can't reach the calendar.");
        check(Ok(&"é".repeat(20_000)), TEXT, &"é".repeat(15_000));
        assert_eq!(tool_results(&[]).status, 200);
    }
}
