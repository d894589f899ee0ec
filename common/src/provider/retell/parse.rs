//! Retell's bodies. The set of fields is open: unknown ones are passed over, and no more is required than is needed.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{FUNCTIONS, INBOUND, report, verify};
use crate::call::InboundCall;
use crate::calls::report::Report;
use crate::provider::Claim;
use crate::provider::event::{Event, ToolCall, ToolRequest};
use crate::provider::json_text::{Text, optional};
use crate::provider::request::{ParseError, WebhookRequest};

const CALL_INBOUND: &str = "call_inbound";
const CHAT_INBOUND: &str = "chat_inbound";

/// What the ids of chats begin with, Retell's own and those made here.
const CHAT: &str = "chat";

/// Whether a call's id is a chat's: Retell wants the answer in another wrapper.
pub fn is_chat(call: &InboundCall<'_>) -> bool {
    call.call_id.starts_with(CHAT)
}

pub fn claim<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Claim<'r> {
    let to = match event(kind, request) {
        Ok(Event::Call(call) | Event::Message(call) | Event::Status { call: Some(call), .. }) => {
            Some(call.to)
        }
        Ok(Event::Tools(tools)) => Some(tools.call.to),
        _ => None,
    };
    Claim { external_id: None, to }
}

pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    match kind {
        INBOUND => inbound(request),
        FUNCTIONS => function(request),
        _ => call_event(request),
    }
}

#[derive(Deserialize)]
struct Inbound<'a> {
    #[serde(borrow)]
    event: Option<Text<'a>>,
    #[serde(borrow)]
    event_timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    call_inbound: Option<Arrival<'a>>,
    #[serde(borrow)]
    chat_inbound: Option<Arrival<'a>>,
}

/// A call or a chat that comes in.
#[derive(Deserialize)]
struct Arrival<'a> {
    #[serde(borrow)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    chat_id: Option<&'a RawValue>,
    #[serde(borrow)]
    from_number: Option<&'a RawValue>,
    #[serde(borrow)]
    to_number: Option<Text<'a>>,
}

fn inbound<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let body: Inbound<'_> = request.json()?;
    let Text(event) = body.event.ok_or(ParseError::Missing("event"))?;
    let (arrival, name, to_name) = match &*event {
        CALL_INBOUND => (body.call_inbound, CALL_INBOUND, "call_inbound.to_number"),
        CHAT_INBOUND => (body.chat_inbound, CHAT_INBOUND, "chat_inbound.to_number"),
        _ => {
            let reason =
                "wanted event call_inbound or chat_inbound; call events go to /webhooks/retell/events";
            return Err(ParseError::Foreign(reason));
        }
    };
    let arrival = arrival.ok_or(ParseError::Missing(name))?;
    let Text(to) = arrival.to_number.ok_or(ParseError::Missing(to_name))?;
    if to.is_empty() {
        return Err(ParseError::Invalid(to_name, "it is empty".into()));
    }
    let from = optional(arrival.from_number).unwrap_or_default();
    let is_chat = name == CHAT_INBOUND;
    let id = optional(if is_chat { arrival.chat_id } else { arrival.call_id });
    let call_id = match id {
        None => derived_id(name, &from, &to, body.event_timestamp, request),
        Some(id) if is_chat && !id.starts_with(CHAT) => format!("{CHAT}_{id}").into(),
        Some(id) => id,
    };
    let call = InboundCall { call_id, to, from, number_id: None, carrier_call_id: None, context: "".into() };
    Ok(if is_chat { Event::Message(call) } else { Event::Call(call) })
}

/// An id for what has none: Retell repeats an unanswered request, and the same call has to get the same answer. A body
/// without the event's time is told apart from the same caller's next one by the minute of its signature.
fn derived_id<'r>(
    event: &str,
    from: &str,
    to: &str,
    event_timestamp: Option<&RawValue>,
    request: &WebhookRequest<'_>,
) -> Cow<'r, str> {
    let minute = || verify::signed_at(request).map(|at| (at.0 / 60_000).to_string());
    let time = event_timestamp.map(|raw| raw.get().to_owned()).or_else(minute).unwrap_or_default();
    let mut hasher = blake3::Hasher::new();
    for part in [from, to, &time] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let hash = hasher.finalize().to_hex();
    format!("{event}_{}", &hash[..32]).into()
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    call: Option<Call<'a>>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// A call under way or over. Calls in a browser have no numbers.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    call_type: Option<&'a RawValue>,
    #[serde(borrow)]
    telephony_identifier: Option<&'a RawValue>,
    #[serde(borrow)]
    direction: Option<&'a RawValue>,
    #[serde(borrow)]
    from_number: Option<&'a RawValue>,
    #[serde(borrow)]
    to_number: Option<&'a RawValue>,
}

impl<'a> Call<'a> {
    /// The call as our number sees it: of an outbound one it is the calling number. `None` without an id, and for calls
    /// in a browser, which are none of a telephone's.
    fn by_telephone(self) -> Option<InboundCall<'a>> {
        if optional(self.call_type).as_deref() == Some("web_call") {
            return None;
        }
        let (ours, theirs) = if self.is_outbound() {
            (self.from_number, self.to_number)
        } else {
            (self.to_number, self.from_number)
        };
        Some(InboundCall {
            call_id: optional(self.call_id)?,
            to: optional(ours).unwrap_or_default(),
            from: optional(theirs).unwrap_or_default(),
            number_id: None,
            carrier_call_id: self.telephony_identifier.and_then(carrier_call_id),
            context: "".into(),
        })
    }

    fn is_outbound(&self) -> bool {
        optional(self.direction).as_deref() == Some("outbound")
    }
}

fn carrier_call_id(identifier: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Identifier<'a> {
        #[serde(borrow)]
        twilio_call_sid: Option<&'a RawValue>,
    }
    let identifier: Identifier<'_> = serde_json::from_str(identifier.get()).ok()?;
    optional(identifier.twilio_call_sid)
}

fn function<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let body: Function<'_> = request.json()?;
    let call = body.call.ok_or(ParseError::Foreign(
        "no call in it: switch \"Payload: args only\" (args_at_root) off in the function's settings",
    ))?;
    let name = optional(body.name).ok_or(ParseError::Missing("name"))?;
    let call = call
        .by_telephone()
        .filter(InboundCall::names_number)
        .ok_or(ParseError::Foreign("the call has no id or no number, as calls in a browser"))?;
    let arguments = body.args.map_or("{}", RawValue::get);
    if !arguments.starts_with('{') {
        return Err(ParseError::Invalid("args", "wanted an object".into()));
    }
    Ok(Event::Tools(ToolRequest {
        call,
        calls: vec![ToolCall { id: Cow::Borrowed(""), name, arguments: arguments.into() }],
    }))
}

#[derive(Deserialize)]
struct CallEvent<'a> {
    #[serde(borrow)]
    event: Option<Text<'a>>,
    #[serde(borrow)]
    call: Option<Call<'a>>,
    chat: Option<IgnoredAny>,
}

fn call_event<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    const STATUSES: [&str; 11] = [
        "call_started",
        "call_ended",
        "call_analyzed",
        "transcript_updated",
        "transfer_started",
        "transfer_bridged",
        "transfer_cancelled",
        "transfer_ended",
        "chat_started",
        "chat_ended",
        "chat_analyzed",
    ];
    let body: CallEvent<'_> = request.json()?;
    let Text(event) = body.event.ok_or(ParseError::Missing("event"))?;
    if matches!(&*event, CALL_INBOUND | CHAT_INBOUND) {
        return Err(ParseError::Foreign(
            "a call that comes in: the number's webhook is /webhooks/retell/inbound",
        ));
    }
    if body.call.is_none() && body.chat.is_none() {
        return Err(ParseError::Missing("call"));
    }
    let status = STATUSES.into_iter().find(|known| *known == event).unwrap_or("other");
    let is_outbound = body.call.as_ref().is_some_and(Call::is_outbound);
    let report = Report { is_outbound, ..report::of(request, status) };
    Ok(Event::Status { call: body.call.and_then(Call::by_telephone), status, report })
}
