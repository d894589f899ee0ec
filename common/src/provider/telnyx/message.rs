//! Text messages. Source: <https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks>.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::without_hyphens;
use crate::call::InboundCall;
use crate::calls::report::Report;
use crate::provider::event::Event;
use crate::provider::request::{ParseError, WebhookRequest};
use crate::provider::{Claim, twiml_form};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Party<'a>>,
    #[serde(borrow)]
    to: Vec<Party<'a>>,
}

#[derive(Deserialize)]
struct Party<'a> {
    #[serde(borrow)]
    phone_number: Option<Cow<'a, str>>,
}

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    match event(request) {
        Ok(Event::Message(message)) => Claim { external_id: None, to: Some(message.to) },
        _ => Claim::default(),
    }
}

/// A message to several recipients is taken as one to the first.
pub fn event<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let data = request.json::<Body<'_>>()?.data.ok_or(ParseError::Foreign("wanted an object data"))?;
    let event_type = data.event_type.unwrap_or_default();
    if event_type != "message.received" {
        return match event_type.starts_with("message.") {
            true => Ok(Event::Status { call: None, status: "message", report: Report::default() }),
            false => Err(ParseError::Foreign("wanted an event_type that begins with message.")),
        };
    }
    let payload = data.payload.ok_or(ParseError::Missing("data.payload"))?;
    let message: Message<'r> =
        serde_json::from_str(payload.get()).map_err(|error| ParseError::Json(error.to_string()))?;
    let number = |party: Option<Party<'r>>| party.and_then(|party| party.phone_number).map(without_hyphens);
    Ok(Event::Message(InboundCall {
        call_id: twiml_form::wanted(message.id, "data.payload.id")?,
        to: twiml_form::wanted(number(message.to.into_iter().next()), "data.payload.to")?,
        from: number(message.from).unwrap_or_default(),
        number_id: None,
        carrier_call_id: None,
        context: Cow::Borrowed(""),
    }))
}
