//! ElevenLabs's bodies. The set of fields is open: unknown ones are passed over, and no more is required than is needed.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{INITIATION, report};
use crate::call::InboundCall;
use crate::calls::report::Report;
use crate::provider::Claim;
use crate::provider::event::Event;
use crate::provider::instant;
use crate::provider::json_text::{Text, optional};
use crate::provider::request::{ParseError, WebhookRequest};

pub fn claim<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Claim<'r> {
    let to = match event(kind, request) {
        Ok(Event::Call(call) | Event::Status { call: Some(call), .. }) => Some(call.to),
        _ => None,
    };
    Claim { external_id: None, to }
}

pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    match kind {
        INITIATION => initiation(request).map(Event::Call),
        _ => post_call(request),
    }
}

#[derive(Deserialize)]
struct Initiation<'a> {
    #[serde(borrow)]
    caller_id: Option<&'a RawValue>,
    #[serde(borrow)]
    called_number: Option<Text<'a>>,
    #[serde(borrow)]
    call_sid: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
}

fn initiation<'r>(request: &'r WebhookRequest<'_>) -> Result<InboundCall<'r>, ParseError> {
    let body: Initiation<'_> = request.json()?;
    let Text(to) = body.called_number.ok_or(match body.r#type {
        Some(_) => ParseError::Foreign("an event: the post-call webhook is /webhooks/elevenlabs/post-call"),
        None => ParseError::Missing("called_number"),
    })?;
    if to.is_empty() {
        return Err(ParseError::Invalid("called_number", "it is empty".into()));
    }
    let from = optional(body.caller_id).unwrap_or_default();
    let carrier_call_id = optional(body.call_sid);
    let call_id = carrier_call_id.clone().unwrap_or_else(|| derived_id(&from, &to));
    Ok(InboundCall {
        call_id,
        to: with_plus(to),
        from: with_plus(from),
        number_id: None,
        carrier_call_id,
        context: "".into(),
    })
}

/// An id for a call of a trunk that sends none. There is no time in the body, so that it is the same for all calls of this
/// caller to this number.
fn derived_id<'r>(from: &str, to: &str) -> Cow<'r, str> {
    let mut hasher = blake3::Hasher::new();
    for part in [from, to] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    format!("initiation_{}", &hasher.finalize().to_hex()[..32]).into()
}

/// A number as E.164, where a trunk leaves out the plus. Shorter ones may as well be national: they stay as they are, for
/// the account's calling code.
fn with_plus(number: Cow<'_, str>) -> Cow<'_, str> {
    let international = (11..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    if international && !number.starts_with('0') { format!("+{number}").into() } else { number }
}

/// The type of the event by which a call's end is told.
pub const TRANSCRIPTION: &str = "post_call_transcription";

/// The type of the event that tells of a call that never came about.
const FAILURE: &str = "call_initiation_failure";

#[derive(Deserialize)]
struct Envelope<'a, D> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    event_timestamp: Option<&'a RawValue>,
    data: Option<D>,
}

#[derive(Deserialize)]
struct Conversation<'a> {
    #[serde(borrow)]
    conversation_id: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    phone_call: Option<PhoneCall<'a>>,
}

/// The telephone call of a conversation; conversations in a browser have none.
#[derive(Deserialize)]
struct PhoneCall<'a> {
    #[serde(borrow)]
    agent_number: Option<&'a RawValue>,
    #[serde(borrow)]
    external_number: Option<&'a RawValue>,
    #[serde(borrow)]
    call_sid: Option<&'a RawValue>,
}

fn post_call<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    const STATUSES: [&str; 6] = [
        TRANSCRIPTION,
        "post_call_audio",
        FAILURE,
        "answering_machine_detection",
        "unredacted_transcript",
        "unredacted_audio",
    ];
    let envelope: Envelope<'_, &RawValue> = request.json()?;
    let Text(kind) = envelope.r#type.ok_or(ParseError::Missing("type"))?;
    let data = envelope.data.ok_or(ParseError::Missing("data"))?;
    if !data.get().starts_with('{') {
        return Err(ParseError::Invalid("data", "wanted an object".into()));
    }
    let status = STATUSES.into_iter().find(|known| *known == kind).unwrap_or("other");
    let told_at = instant::of_seconds(envelope.event_timestamp);
    // The others name a conversation, but not the call by its id.
    let (call, report) = match status {
        TRANSCRIPTION => (transcribed(data)?, report::of_conversation(data, told_at)),
        FAILURE => report::of_failure(data, told_at),
        _ => (None, Report::default()),
    };
    Ok(Event::Status { call, status, report })
}

/// The call has the carrier's id, by which the initiation webhook named it too; the conversation's, where there is none.
fn transcribed(data: &RawValue) -> Result<Option<InboundCall<'_>>, ParseError> {
    let conversation: Conversation<'_> =
        serde_json::from_str(data.get()).map_err(|error| ParseError::Json(format!("data: {error}")))?;
    let Some(phone_call) = conversation.metadata.and_then(|metadata| metadata.phone_call) else {
        return Ok(None);
    };
    let carrier_call_id = optional(phone_call.call_sid);
    let id = carrier_call_id.clone().or_else(|| optional(conversation.conversation_id));
    Ok(id.map(|call_id| InboundCall {
        call_id,
        to: with_plus(optional(phone_call.agent_number).unwrap_or_default()),
        from: with_plus(optional(phone_call.external_number).unwrap_or_default()),
        number_id: None,
        carrier_call_id,
        context: "".into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_added_where_the_number_is_international_for_certain() {
        for (number, expected) in [
            ("14155550120", "+14155550120"),
            ("+14155550120", "+14155550120"),
            ("4930123456789", "+4930123456789"),
            ("4155550120", "4155550120"),
            ("04155550120", "04155550120"),
            ("1234567890123456", "1234567890123456"),
            ("sip:14155550120@trunk.example", "sip:14155550120@trunk.example"),
            ("anonymous", "anonymous"),
            ("", ""),
        ] {
            assert_eq!(with_plus(number.into()), expected);
        }
    }
}
