//! SignalWire's parameters: forms as Twilio's, and the JSON with which it asks for SWML.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::SWML;
use crate::call::InboundCall;
use crate::calls::report::{Progress, Report};
use crate::provider::event::{Event, StepEnd, StepResult};
use crate::provider::json_text::optional;
use crate::provider::request::{Content, ParseError, WebhookRequest};
use crate::provider::{Claim, twiml_form, twiml_report};

/// What is read of a request for SWML.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    call: Option<Call<'a>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    call_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to_number: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from_number: Option<Cow<'a, str>>,
    #[serde(borrow)]
    project_id: Option<Cow<'a, str>>,
}

/// What is read besides when a step has ended: what the step set, and what our `transfer` said of it.
#[derive(Deserialize)]
struct End<'a> {
    #[serde(borrow)]
    vars: Option<Vars<'a>>,
    #[serde(borrow)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Vars<'a> {
    #[serde(borrow)]
    connect_result: Option<Cow<'a, str>>,
    #[serde(borrow)]
    record_url: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    step: Option<Cow<'a, str>>,
}

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    if !is_json(request) {
        return Claim {
            external_id: request.form.get("AccountSid").map(Cow::Borrowed),
            to: twiml_form::to(&request.form).map(Cow::Borrowed),
        };
    }
    match json_call(request) {
        Ok(call) => Claim { to: call.to.or(call.to_number), external_id: call.project_id },
        Err(_) => Claim::default(),
    }
}

pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let form = &request.form;
    Ok(match kind {
        "after" => {
            let (call, (result, report)) = (call(request)?, step_end(request)?);
            Event::After(StepEnd { call, result, state: request.query_value("s").map(Cow::Owned), report })
        }
        "status" => Event::Status {
            call: Some(twiml_report::leg(twiml_form::call("CallSid", form)?, form)),
            status: twiml_form::status(form),
            report: twiml_report::of_status(form),
        },
        "sms" => Event::Message(twiml_form::message(twiml_form::call("MessageSid", form)?, form)),
        _ => Event::Call(call(request)?),
    })
}

fn call<'r>(request: &'r WebhookRequest<'_>) -> Result<InboundCall<'r>, ParseError> {
    if !is_json(request) {
        return twiml_form::call("CallSid", &request.form);
    }
    let call = json_call(request)?;
    Ok(InboundCall {
        call_id: twiml_form::wanted(call.call_id, "call.call_id")?,
        to: twiml_form::wanted(call.to.or(call.to_number), "call.to")?,
        from: call.from.or(call.from_number).unwrap_or_default(),
        number_id: None,
        carrier_call_id: None,
        context: Cow::Borrowed(SWML),
    })
}

/// Other providers have a `call` too, but none with a project.
fn json_call<'r>(request: &'r WebhookRequest<'_>) -> Result<Call<'r>, ParseError> {
    let call = request.json::<Body<'_>>()?.call;
    call.filter(|call| call.project_id.is_some())
        .ok_or(ParseError::Foreign("wanted a call with a project_id, as SignalWire asks for SWML"))
}

/// Every step of ours goes on with a `transfer` that says which it was. A stream that was connected may have ended at
/// once all the same.
fn step_end<'r>(request: &'r WebhookRequest<'_>) -> Result<(StepResult, Option<Report<'r>>), ParseError> {
    if !is_json(request) {
        return Ok((twiml_form::step_result(&request.form), twiml_report::of_step(&request.form)));
    }
    let end: End<'_> = request.json()?;
    let step = end.params.and_then(|params| params.step);
    let (result, recorded) = end.vars.map_or((None, None), |vars| (vars.connect_result, vars.record_url));
    let result = match (step.as_deref(), result.as_deref()) {
        (Some("record"), _) => StepResult::Done,
        (_, Some("failed")) => StepResult::Failed,
        (Some("dial"), Some("connected")) => StepResult::Done,
        _ => StepResult::Unknown,
    };
    let left_a_message = step.as_deref() == Some("record") && optional(recorded).is_some();
    Ok((result, left_a_message.then(|| Report::of(Progress::Voicemail))))
}

fn is_json(request: &WebhookRequest<'_>) -> bool {
    request.method != http::Method::GET && request.content == Content::Json
}
