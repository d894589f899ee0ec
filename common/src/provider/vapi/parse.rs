//! Server messages. Only what is needed is required, and only that is read: a message may hold a whole conversation.
//!
//! Where things are differs between messages and captures of them; the first of several places that has one counts.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{documents, report, tool_calls};
use crate::call::InboundCall;
use crate::calls::report::Report;
use crate::provider::Claim;
use crate::provider::event::{Event, ToolRequest};
use crate::provider::json_text::{Text, optional};
use crate::provider::request::{Content, ParseError, WebhookRequest};

/// The values of a `status-update` that have a label.
const STATUSES: [&str; 8] =
    ["scheduled", "queued", "ringing", "in-progress", "forwarding", "ended", "not-found", "deletion-failed"];

/// The messages that need no answer and have a label.
const INFORMATIONAL: [&str; 23] = [
    "assistant.speechStarted",
    "assistant.started",
    "call.artifact.upload",
    "call.delete.failed",
    "call.deleted",
    "campaign.predial",
    "chat.created",
    "chat.deleted",
    "conversation-update",
    "end-of-call-report",
    "hang",
    "language-change-detected",
    "language-changed",
    "model-output",
    "phone-call-control",
    "session.created",
    "session.deleted",
    "session.updated",
    "speech-update",
    "transcript",
    "transfer-update",
    "user-interrupted",
    "voice-input",
];

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    call: Option<Call<'a>>,
    #[serde(borrow)]
    phone_number: Option<PhoneNumber<'a>>,
    #[serde(borrow)]
    customer: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_call_list: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    org_id: Option<Text<'a>>,
    #[serde(borrow)]
    phone_number_id: Option<Text<'a>>,
    #[serde(borrow)]
    phone_call_provider_id: Option<&'a RawValue>,
    #[serde(borrow)]
    transport: Option<&'a RawValue>,
    #[serde(borrow)]
    phone_number: Option<PhoneNumber<'a>>,
    #[serde(borrow)]
    customer: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PhoneNumber<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    org_id: Option<Text<'a>>,
    #[serde(borrow)]
    number: Option<Text<'a>>,
    #[serde(borrow)]
    sip_uri: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Customer<'a> {
    #[serde(borrow)]
    number: Option<Text<'a>>,
    #[serde(borrow)]
    sip_uri: Option<Text<'a>>,
}

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    let Ok(mut message) = message(request) else { return Claim::default() };
    let external_id = message.call.as_mut().and_then(|call| call.org_id.take());
    let external_id =
        external_id.or_else(|| message.phone_number.as_mut().and_then(|number| number.org_id.take()));
    let to = called(&mut message);
    Claim { external_id: external_id.map(|id| id.0), to: (!to.is_empty()).then_some(to) }
}

/// A request for a token: RFC 6749, 4.4.2.
pub fn token<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    match request.form.get("grant_type") {
        Some("client_credentials") => Ok(Event::Token),
        Some(_) => Err(ParseError::Invalid("grant_type", "wanted client_credentials".into())),
        None => Err(ParseError::Missing("grant_type")),
    }
}

pub fn event<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let mut message = message(request)?;
    let kind = message.r#type.take().ok_or(ParseError::Missing("message.type"))?;
    Ok(match &*kind.0 {
        "assistant-request" => Event::Call(wanted(call(message))?),
        "transfer-destination-request" => Event::Transfer(call(message)),
        "tool-calls" => {
            let list = message.tool_call_list.or(message.tool_calls);
            let calls = tool_calls::list(list.ok_or(ParseError::Missing("message.toolCallList"))?)?;
            Event::Tools(ToolRequest { call: call(message), calls })
        }
        "function-call" => {
            let function = message.function_call.ok_or(ParseError::Missing("message.functionCall"))?;
            Event::Tools(ToolRequest { calls: vec![tool_calls::function(function)?], call: call(message) })
        }
        "handoff-destination-request" => continued(message, documents::no_handoff()),
        "knowledge-base-request" => continued(message, documents::no_knowledge()),
        "call.endpointing.request" => continued(message, documents::endpointing()),
        "voice-request" => continued(message, documents::no_voice()),
        "status-update" => {
            let status = label(optional(message.status).as_deref(), &STATUSES);
            status_of(message, status, report::of(request, status))
        }
        report::END_OF_CALL => {
            status_of(message, report::END_OF_CALL, report::of(request, report::END_OF_CALL))
        }
        // Vapi really writes the other one so.
        "transcript[transcriptType=\"final\"]" => status_of(message, "transcript", Report::default()),
        other => status_of(message, label(Some(other), &INFORMATIONAL), Report::default()),
    })
}

fn message<'r>(request: &'r WebhookRequest<'_>) -> Result<Message<'r>, ParseError> {
    if request.content != Content::Json {
        return Err(ParseError::ContentType("application/json"));
    }
    // A list with one message in it would be read as the object whose only field the message is.
    if !request.body.trim_ascii_start().starts_with(b"{") {
        return Err(ParseError::Foreign("wanted an object"));
    }
    let body: Body<'r> = request.json()?;
    body.message.ok_or(ParseError::Missing("message"))
}

/// A call that is to be routed has an id and says which number was called, by its id or itself.
fn wanted(call: InboundCall<'_>) -> Result<InboundCall<'_>, ParseError> {
    if call.call_id.is_empty() {
        return Err(ParseError::Missing("message.call.id"));
    }
    if !call.names_number() {
        return Err(ParseError::Missing("message.call.phoneNumberId"));
    }
    Ok(call)
}

fn label(status: Option<&str>, labels: &[&'static str]) -> &'static str {
    labels.iter().find(|label| Some(**label) == status).unwrap_or(&"other")
}

/// A call in a browser has an id too, but is none of a telephone's.
fn status_of<'r>(message: Message<'r>, status: &'static str, report: Report<'r>) -> Event<'r> {
    let call_type = message.call.as_ref().and_then(|call| optional(call.r#type));
    let is_outbound = call_type.as_deref() == Some("outboundPhoneCall");
    let is_by_telephone = call_type.as_deref() != Some("webCall");
    let call = call(message);
    let about_one = !call.call_id.is_empty() && is_by_telephone;
    Event::Status { call: about_one.then_some(call), status, report: Report { is_outbound, ..report } }
}

fn continued<'r>(message: Message<'r>, rendered: crate::provider::reply::Rendered) -> Event<'r> {
    Event::Continued { call: call(message), rendered, report: None }
}

/// The call that a message is about; what it doesn't say is empty (a chat has no call, a web call no number).
fn call(mut message: Message<'_>) -> InboundCall<'_> {
    let to = called(&mut message);
    let mut call = message.call.unwrap_or_default();
    let of_message = message.phone_number.and_then(|number| number.id);
    let of_call = call.phone_number.take().and_then(|number| number.id);
    let number_id = call.phone_number_id.take().or(of_message).or(of_call);
    let from = caller(call.customer).or_else(|| caller(message.customer));
    let carrier_call_id = optional(call.phone_call_provider_id).or_else(|| call_sid(call.transport));
    InboundCall {
        context: "".into(),
        call_id: call.id.map(|id| id.0).unwrap_or_default(),
        to,
        from: from.unwrap_or_default(),
        number_id: number_id.map(|id| id.0).filter(|id| !id.is_empty()),
        carrier_call_id,
    }
}

/// The called number, or the SIP URI of a number that has none; empty where neither is said.
fn called<'r>(message: &mut Message<'r>) -> Cow<'r, str> {
    let of_message = message.phone_number.as_mut();
    let of_call = message.call.as_mut().and_then(|call| call.phone_number.as_mut());
    let mut numbers = [of_message, of_call];
    let mut number = numbers.iter_mut().flatten().find_map(|number| number.number.take());
    if number.is_none() {
        number = numbers.iter_mut().flatten().find_map(|number| number.sip_uri.take());
    }
    number.map(|text| text.0).unwrap_or_default()
}

/// The carrier's name of the call, in what Vapi says of the way that it came.
fn call_sid(transport: Option<&RawValue>) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Transport<'a> {
        #[serde(borrow)]
        call_sid: Option<&'a RawValue>,
    }
    let transport: Transport<'_> = serde_json::from_str(transport?.get()).ok()?;
    optional(transport.call_sid)
}

/// Who calls. A customer of an odd shape is one who says nothing.
fn caller(customer: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let customer: Customer<'_> = serde_json::from_str(customer?.get()).ok()?;
    let address = customer.number.or(customer.sip_uri)?;
    (!address.0.is_empty()).then_some(address.0)
}
