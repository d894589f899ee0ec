//! An assistant of Vapi's takes the call: which one, and what it is told of the location.
//!
//! Overrides replace whole fields of the assistant. The model's messages are one field with provider and model, so
//! prompt and rules can't be put in; they come as the variables `prompt` and `rules`, for assistants whose own prompt
//! says `{{prompt}}` and `{{rules}}`. No `server` is overridden: later messages go where the assistant, the number or
//! the organisation says.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::destination::Destination;
use super::literal::literal;
use super::voice::VoiceOverride;
use crate::feed::record::HostedAgent;
use crate::ids::{PhoneNumberId, TenantId};
use crate::location::Variables;
use crate::provider::reply::{Rendered, Reply};

/// Vapi's limits of a call's length, in seconds.
const DURATION_S: std::ops::RangeInclusive<u16> = 10..=43_200;

/// An end of the call that the assistant's own failure caused; Vapi takes this for every reason of the kind.
const FAILED: &str = "pipeline-error";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Assistant<'a> {
    assistant_id: &'a str,
    assistant_overrides: Overrides<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Overrides<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    first_message: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<VoiceOverride<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration_seconds: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hooks: Option<[Hook<'a>; 1]>,
    metadata: Metadata<'a>,
    variable_values: Values<'a>,
}

/// What comes back in every later message about the call.
#[derive(Serialize)]
struct Metadata<'a> {
    tenant_id: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<PhoneNumberId>,
    call_id: &'a str,
    from: &'a str,
    to: &'a str,
}

/// What is done when the assistant fails.
#[derive(Serialize)]
struct Hook<'a> {
    on: &'static str,
    filters: [Filter; 1],
    r#do: [ToolAction<'a>; 1],
}

#[derive(Serialize)]
struct Filter {
    r#type: &'static str,
    key: &'static str,
    #[serde(rename = "oneOf")]
    one_of: [&'static str; 1],
}

#[derive(Serialize)]
struct ToolAction<'a> {
    r#type: &'static str,
    tool: TransferCall<'a>,
}

#[derive(Serialize)]
struct TransferCall<'a> {
    r#type: &'static str,
    destinations: [Destination<'a>; 1],
}

impl<'a> Hook<'a> {
    fn transfer(destination: Destination<'a>) -> Self {
        let tool = TransferCall { r#type: "transferCall", destinations: [destination] };
        Self {
            on: "call.ending",
            filters: [Filter { r#type: "oneOf", key: "call.endedReason", one_of: [FAILED] }],
            r#do: [ToolAction { r#type: "tool", tool }],
        }
    }
}

/// The location's variables and its prompt. Values are text, and none of them is a template of its own.
struct Values<'a> {
    variables: &'a Variables<'a>,
    prompt: Option<&'a str>,
}

const PROMPT: &str = "prompt";

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut failed = None;
        let mut put = |name: &str, value: &str| {
            if failed.is_none() {
                failed = map.serialize_entry(name, &*literal(value)).err();
            }
        };
        if let Some(prompt) = self.prompt {
            put(PROMPT, prompt);
        }
        self.variables.each(|name, value| {
            // A variable of the same name that people set doesn't replace the prompt.
            if self.prompt.is_none() || name != PROMPT {
                put(name, value);
            }
        });
        failed.map_or_else(|| map.end(), Err)
    }
}

pub fn assistant(reply: &Reply<'_>, agent: &HostedAgent) -> Rendered {
    let (call, location) = (reply.call, reply.location);
    let variables = location.variables(call);
    let (voice, conversation) = (variables.voice(), variables.conversation());
    let greeting = voice.greeting.map(|text| variables.fill(text));
    let prompt = conversation.prompt.map(|text| variables.fill(text));
    let duration_s = conversation.duration_max_s.map(|s| s.clamp(*DURATION_S.start(), *DURATION_S.end()));
    Rendered::json(&Assistant {
        assistant_id: &agent.id,
        assistant_overrides: Overrides {
            first_message: greeting.as_deref().map(literal),
            voice: VoiceOverride::of(voice),
            max_duration_seconds: duration_s,
            hooks: reply.fallback.map(|address| [Hook::transfer(Destination::to(address))]),
            metadata: Metadata {
                tenant_id: location.tenant_id,
                phone_number_id: location.phone_number_id,
                call_id: &call.call_id,
                from: &call.from,
                to: &call.to,
            },
            variable_values: Values { variables: &variables, prompt: prompt.as_deref() },
        },
    })
}
