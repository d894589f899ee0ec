//! An assistant of Vapi's takes the call: which one, and what it is told of the location.
//!
//! Overrides replace whole fields of the assistant. The model's messages are one field with provider and model, so
//! prompt and rules can't be put in; they come as the variables `prompt` and `rules`, for assistants whose own prompt
//! says `{{prompt}}` and `{{rules}}`. No `server` is overridden: later messages go where the assistant, the number or
//! the organisation says.

use std::borrow::Cow;

use serde::Serialize;

use super::destination::Destination;
use super::voice::VoiceOverride;
use crate::feed::record::HostedAgent;
use crate::ids::{PhoneNumberId, TenantId};
use crate::provider::json_text::Texts;
use crate::provider::literal::literal;
use crate::provider::reply::{Rendered, Reply};

/// Vapi's limits of a call's length, in seconds.
const DURATION_S: std::ops::RangeInclusive<u16> = 10..=43_200;

/// An end of the call that the assistant's own failure caused; Vapi takes this for every reason of the kind.
const FAILED: &str = "pipeline-error";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Assistant<'a, V> {
    assistant_id: &'a str,
    assistant_overrides: Overrides<'a, V>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Overrides<'a, V> {
    #[serde(skip_serializing_if = "Option::is_none")]
    first_message: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<VoiceOverride<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration_seconds: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hooks: Option<[Hook<'a>; 1]>,
    metadata: Metadata<'a>,
    variable_values: V,
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

const PROMPT: &str = "prompt";

pub fn assistant(reply: &Reply<'_>, agent: &HostedAgent) -> Rendered {
    let (call, location) = (reply.call, reply.location);
    let variables = location.variables(call);
    let (voice, conversation) = (variables.voice(), variables.conversation());
    let greeting = voice.greeting.map(|text| variables.fill(text));
    let prompt = conversation.prompt.map(|text| variables.fill(text));
    let duration_s = conversation.duration_max_s.map(|s| s.clamp(*DURATION_S.start(), *DURATION_S.end()));
    // The location's variables and its prompt, which a variable of that name that people set doesn't replace.
    let variable_values = Texts(|put: &mut dyn FnMut(&str, &str)| {
        if let Some(prompt) = &prompt {
            put(PROMPT, &literal(prompt));
        }
        variables.each(|name, value| {
            if prompt.is_none() || name != PROMPT {
                put(name, &literal(value));
            }
        });
    });
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
            variable_values,
        },
    })
}
