//! What jambonz's webhooks say. No more is required than is needed.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::report;
use crate::call::InboundCall;
use crate::provider::event::{Event, StepEnd, StepResult};
use crate::provider::json_text::optional;
use crate::provider::number::with_plus;
use crate::provider::request::{ParseError, WebhookRequest};
use crate::provider::{AFTER, Claim};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    call_sid: Option<&'a RawValue>,
    #[serde(borrow)]
    account_sid: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    direction: Option<&'a RawValue>,
    #[serde(borrow)]
    call_status: Option<&'a RawValue>,
    #[serde(borrow)]
    dial_call_status: Option<&'a RawValue>,
    #[serde(borrow)]
    dial_call_duration: Option<&'a RawValue>,
}

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    match request.json::<Body<'r>>() {
        Ok(body) => Claim { external_id: optional(body.account_sid), to: optional(body.to).map(with_plus) },
        Err(_) => Claim::default(),
    }
}

pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let body: Body<'r> = request.json()?;
    let direction = optional(body.direction);
    let call = InboundCall {
        call_id: optional(body.call_sid).ok_or(ParseError::Missing("call_sid"))?,
        to: with_plus(optional(body.to).ok_or(ParseError::Missing("to"))?),
        from: with_plus(optional(body.from).unwrap_or_default()),
        number_id: None,
        carrier_call_id: None,
        context: "".into(),
    };
    // Twilio's events have a call's id by another name, and jambonz's always say to which account they belong.
    if body.account_sid.is_none() {
        return Err(ParseError::Missing("account_sid"));
    }
    let is_called_leg = direction.as_deref() == Some("outbound");
    match kind {
        AFTER => Ok(Event::After(StepEnd {
            call,
            result: step_result(body.dial_call_status, body.dial_call_duration),
            state: request.query_value("s").map(Cow::Owned),
            report: None,
        })),
        // Events come for each leg: those of called legs are about other numbers than the caller's call.
        "status" => {
            let status = status_label(optional(body.call_status).as_deref());
            let (call, report) = report::of_status(request, status, call, is_called_leg);
            Ok(Event::Status { call: Some(call), status, report })
        }
        _ if is_called_leg => Err(ParseError::Foreign("it is about a call that jambonz made")),
        _ => Ok(Event::Call(call)),
    }
}

/// A dial tells how it ended, unless nobody answered in time: then it tells nothing (0.9.8 keeps that to itself). A
/// socket that was open tells how long; one that couldn't be opened tells nothing either.
fn step_result(dial_status: Option<&RawValue>, duration: Option<&RawValue>) -> StepResult {
    match optional(dial_status).as_deref() {
        Some("completed") => StepResult::Done,
        Some(_) => StepResult::Failed,
        None if duration.is_some() => StepResult::Unknown,
        None => StepResult::Failed,
    }
}

fn status_label(status: Option<&str>) -> &'static str {
    const STATUSES: [&str; 9] = [
        "trying",
        "ringing",
        "early-media",
        "in-progress",
        "completed",
        "failed",
        "busy",
        "no-answer",
        "queued",
    ];
    STATUSES.into_iter().find(|known| Some(*known) == status).unwrap_or("other")
}
