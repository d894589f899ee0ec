//! Plivo's parameters. The set is open: unknown ones are passed over, and no more is required than is needed.
//!
//! Sources: <https://www.plivo.com/docs/voice/xml/request/>, <https://www.plivo.com/docs/voice/xml/dial>,
//! <https://www.plivo.com/docs/voice/xml/record>.

use std::borrow::Cow;

use super::{SMS, STATUS, report};
use crate::call::InboundCall;
use crate::calls::report::Report;
use crate::e164::E164;
use crate::provider::event::{Event, StepEnd, StepResult};
use crate::provider::request::{ParseError, WebhookRequest};
use crate::provider::{AFTER, Claim};

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    let value = |name| request.form.get(name);
    Claim { external_id: value("ParentAuthID").map(Cow::Borrowed), to: value("To").map(address) }
}

pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    if kind == SMS {
        return message(request);
    }
    let call = call("CallUUID", request)?;
    // Without a hangup URL the end of a call is told to the URL that was asked last.
    let over = value("Event", request)? == Some("Hangup");
    Ok(match kind {
        _ if over || kind == STATUS => {
            let status = status(request);
            let report = report::of_status(&request.form, status, over);
            Event::Status { call: Some(report::leg(call, &request.form)), status, report }
        }
        AFTER => Event::After(StepEnd {
            call,
            result: step_result(request)?,
            state: request.query_value("s").map(Cow::Owned),
            report: report::of_step(&request.form),
        }),
        _ => Event::Call(call),
    })
}

/// A message, or what became of one that was sent: that has the numbers the other way round.
fn message<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    const STATUSES: [&str; 6] = ["queued", "sent", "failed", "delivered", "undelivered", "rejected"];
    let message = call("MessageUUID", request)?;
    Ok(match value("Status", request)? {
        // Its answer may have to repeat the text.
        None => {
            let text = value("Text", request)?.unwrap_or_default();
            Event::Message(InboundCall { context: text.into(), ..message })
        }
        Some(status) => {
            Event::Status { call: None, status: known(&STATUSES, status), report: Report::default() }
        }
    })
}

fn call<'r>(id: &'static str, request: &'r WebhookRequest<'_>) -> Result<InboundCall<'r>, ParseError> {
    let wanted = |name| match value(name, request)? {
        None => Err(ParseError::Missing(name)),
        Some("") => Err(ParseError::Invalid(name, "it is empty".into())),
        Some(value) => Ok(value),
    };
    Ok(InboundCall {
        call_id: Cow::Borrowed(wanted(id)?),
        to: address(wanted("To")?),
        from: address(value("From", request)?.unwrap_or_default()),
        number_id: None,
        carrier_call_id: None,
        context: "".into(),
    })
}

fn value<'r>(name: &'static str, request: &'r WebhookRequest<'_>) -> Result<Option<&'r str>, ParseError> {
    if request.form.is_ambiguous(name) {
        return Err(ParseError::Ambiguous(name));
    }
    Ok(request.form.get(name))
}

/// Plivo writes numbers without the plus. What is no number with a country code stays as it came: a SIP URI, a short
/// code, a word for a withheld number.
fn address(text: &str) -> Cow<'_, str> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let number = format!("+{text}");
        if E164::parse(number.as_bytes()).is_ok() {
            return Cow::Owned(number);
        }
    }
    Cow::Borrowed(text)
}

/// A dial tells how it ended. A recording was made, or wasn't: either way the caller was served. After a stream
/// nothing is said.
fn step_result(request: &WebhookRequest<'_>) -> Result<StepResult, ParseError> {
    Ok(match value("DialStatus", request)? {
        Some("completed") => StepResult::Done,
        Some(_) => StepResult::Failed,
        None if request.form.get("RecordUrl").is_some() => StepResult::Done,
        None => StepResult::Unknown,
    })
}

fn status(request: &WebhookRequest<'_>) -> &'static str {
    const STATUSES: [&str; 8] =
        ["ringing", "in-progress", "completed", "busy", "failed", "timeout", "no-answer", "cancel"];
    known(&STATUSES, request.form.get("CallStatus").unwrap_or_default())
}

fn known(statuses: &[&'static str], status: &str) -> &'static str {
    statuses.iter().find(|known| **known == status).unwrap_or(&"other")
}
