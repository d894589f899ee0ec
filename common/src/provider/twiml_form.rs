//! The parameters that providers send whose answers are TwiML or nearly so. The set is open: unknown ones are passed
//! over, and no more is required than is needed.

use std::borrow::Cow;

use super::event::StepResult;
use super::form::Form;
use super::request::ParseError;
use crate::call::InboundCall;

/// The statuses that a call may have.
const STATUSES: [&str; 10] = [
    "queued",
    "initiated",
    "ringing",
    "in-progress",
    "answered",
    "completed",
    "busy",
    "failed",
    "no-answer",
    "canceled",
];

/// The call, or the message, whose id is the parameter `id`.
///
/// # Errors
/// When the id or the called address is missing or empty, or one of them or the caller is there with different values.
pub fn call<'r>(id: &'static str, form: &'r Form) -> Result<InboundCall<'r>, ParseError> {
    for name in [id, "To", "From"] {
        if form.is_ambiguous(name) {
            return Err(ParseError::Ambiguous(name));
        }
    }
    Ok(InboundCall {
        call_id: wanted(form.get(id).map(Cow::Borrowed), id)?,
        to: wanted(to(form).map(Cow::Borrowed), "To")?,
        from: form.get("From").or_else(|| form.get("Caller")).unwrap_or_default().into(),
        number_id: None,
        carrier_call_id: None,
        context: Cow::Borrowed(""),
    })
}

/// A text message with its text, which its answer may have to repeat.
#[must_use]
pub fn message<'r>(message: InboundCall<'r>, form: &'r Form) -> InboundCall<'r> {
    InboundCall { context: form.get("Body").unwrap_or_default().into(), ..message }
}

/// The called address.
#[must_use]
pub fn to(form: &Form) -> Option<&str> {
    form.get("To").or_else(|| form.get("Called"))
}

/// A parameter's value, which has to be there.
///
/// # Errors
/// When it is missing or empty.
pub fn wanted<'r>(value: Option<Cow<'r, str>>, name: &'static str) -> Result<Cow<'r, str>, ParseError> {
    match value {
        None => Err(ParseError::Missing(name)),
        Some(value) if value.is_empty() => Err(ParseError::Invalid(name, "it is empty".into())),
        Some(value) => Ok(value),
    }
}

/// A dial tells how it ended. A recording was made, or wasn't: either way the caller was served. After a stream
/// nothing is said.
#[must_use]
pub fn step_result(form: &Form) -> StepResult {
    match form.get("DialCallStatus") {
        Some("completed" | "answered") => StepResult::Done,
        Some(_) => StepResult::Failed,
        None if form.get("RecordingUrl").is_some() => StepResult::Done,
        None => StepResult::Unknown,
    }
}

/// The call's status.
#[must_use]
pub fn status(form: &Form) -> &'static str {
    let status = form.get("CallStatus").unwrap_or_default();
    STATUSES.into_iter().find(|known| *known == status).unwrap_or("other")
}
