//! Twilio's parameters. The set is open: unknown ones are passed over, and no more is required than is needed.

use std::borrow::Cow;

use serde::Deserialize;

use crate::call::InboundCall;
use crate::provider::Claim;
use crate::provider::event::{Event, StepEnd, StepResult};
use crate::provider::request::{Content, ParseError, WebhookRequest};

/// The parameters of a JSON body, for stream events and for accounts that allow unsigned requests.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    #[serde(borrow)]
    account_sid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    call_sid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
}

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    match parameters("CallSid", request) {
        Ok(parameters) => Claim { external_id: parameters.account_sid, to: parameters.to },
        Err(_) => Claim::default(),
    }
}

pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    Ok(match kind {
        "after" => Event::After(StepEnd {
            call: call("CallSid", request)?,
            result: step_result(request),
            state: request.query_value("s").map(Cow::Owned),
        }),
        "status" => Event::Status { call: Some(call("CallSid", request)?), status: status(request) },
        // The callback says which recording of which call, but not of which numbers.
        "recording" => Event::Status { call: None, status: "recording" },
        "sms" => Event::Message(call("MessageSid", request)?),
        _ => Event::Call(call("CallSid", request)?),
    })
}

fn call<'r>(id: &'static str, request: &'r WebhookRequest<'_>) -> Result<InboundCall<'r>, ParseError> {
    for name in [id, "To", "From"] {
        if request.form.is_ambiguous(name) {
            return Err(ParseError::Ambiguous(name));
        }
    }
    let parameters = parameters(id, request)?;
    let wanted = |value: Option<Cow<'r, str>>, name| match value {
        None => Err(ParseError::Missing(name)),
        Some(value) if value.is_empty() => Err(ParseError::Invalid(name, "it is empty".into())),
        Some(value) => Ok(value),
    };
    Ok(InboundCall {
        call_id: wanted(parameters.id, id)?,
        to: wanted(parameters.to, "To")?,
        from: parameters.from.unwrap_or_default(),
        number_id: None,
    })
}

struct Parameters<'r> {
    account_sid: Option<Cow<'r, str>>,
    id: Option<Cow<'r, str>>,
    to: Option<Cow<'r, str>>,
    from: Option<Cow<'r, str>>,
}

fn parameters<'r>(id: &str, request: &'r WebhookRequest<'_>) -> Result<Parameters<'r>, ParseError> {
    if request.method != http::Method::GET && request.content == Content::Json {
        let body: Body<'_> = request.json()?;
        return Ok(Parameters {
            account_sid: body.account_sid,
            id: body.call_sid,
            to: body.to,
            from: body.from,
        });
    }
    let value = |name| request.form.get(name).map(Cow::Borrowed);
    Ok(Parameters {
        account_sid: value("AccountSid"),
        id: value(id),
        to: value("To").or_else(|| value("Called")),
        from: value("From").or_else(|| value("Caller")),
    })
}

/// A dial tells how it ended. A recording was made, or wasn't: either way the caller was served. After a stream
/// nothing is said.
fn step_result(request: &WebhookRequest<'_>) -> StepResult {
    match request.form.get("DialCallStatus") {
        Some("completed" | "answered") => StepResult::Done,
        Some(_) => StepResult::Failed,
        None if request.form.get("RecordingUrl").is_some() => StepResult::Done,
        None => StepResult::Unknown,
    }
}

fn status(request: &WebhookRequest<'_>) -> &'static str {
    const STATUSES: [&str; 9] = [
        "queued",
        "initiated",
        "ringing",
        "in-progress",
        "completed",
        "busy",
        "failed",
        "no-answer",
        "canceled",
    ];
    let status = request.form.get("CallStatus").unwrap_or_default();
    STATUSES.into_iter().find(|known| *known == status).unwrap_or("other")
}
