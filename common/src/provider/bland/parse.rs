//! What a call was. Transcripts and whatever else a body holds are passed over.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::report;
use crate::call::InboundCall;
use crate::provider::Claim;
use crate::provider::event::Event;
use crate::provider::json_text::optional;
use crate::provider::number::with_plus;
use crate::provider::request::{ParseError, WebhookRequest};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    inbound: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    completed: Option<&'a RawValue>,
    #[serde(borrow)]
    call_length: Option<&'a RawValue>,
}

/// Nothing in a body names the account: the called number has to.
pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    let body = request.json::<Body<'r>>().ok();
    Claim { external_id: None, to: body.and_then(|body| optional(body.to)).map(with_plus) }
}

pub fn event<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let body: Body<'r> = request.json()?;
    let call_id = optional(body.call_id).ok_or(ParseError::Missing("call_id"))?;
    // Other providers' bodies have a `call_id` too.
    if body.completed.or(body.call_length).is_none() {
        return Err(ParseError::Missing("completed"));
    }
    let to = optional(body.to).ok_or(ParseError::Missing("to"))?;
    // Of what an agent called itself, the calling number is ours.
    let is_outbound = body.inbound.is_some_and(|inbound| inbound.get() == "false");
    let from = optional(body.from).unwrap_or_default();
    let (ours, theirs) = if is_outbound { (from, to) } else { (to, from) };
    let call =
        InboundCall { to: with_plus(ours), from: with_plus(theirs), ..InboundCall::unnumbered(call_id) };
    let completed = body.completed.is_some_and(|completed| completed.get() == "true");
    let status = status_label(optional(body.status).as_deref(), completed);
    Ok(Event::Status { call: Some(call), status, report: report::of_call(request, status, is_outbound) })
}

fn status_label(status: Option<&str>, completed: bool) -> &'static str {
    const STATUSES: [&str; 6] = ["completed", "failed", "busy", "no-answer", "canceled", "unknown"];
    match status {
        Some(status) => STATUSES.into_iter().find(|known| *known == status).unwrap_or("other"),
        None if completed => "completed",
        None => "other",
    }
}
