//! What Vonage's webhooks say. No more is required than is needed.

use std::borrow::Cow;

use serde::Deserialize;

use super::carried::{Carried, event_url};
use super::parameters::Parameters;
use super::verify::bearer;
use super::{render, report};
use crate::call::InboundCall;
use crate::calls::report::Report;
use crate::provider::event::{Event, StepEnd, StepResult};
use crate::provider::form::Form;
use crate::provider::json_text::Text;
use crate::provider::jwt::Token;
use crate::provider::number::with_plus;
use crate::provider::request::{self, ParseError, WebhookRequest};
use crate::provider::{AFTER, Claim};

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    #[derive(Deserialize)]
    struct Claims<'a> {
        #[serde(borrow)]
        api_key: Text<'a>,
    }
    let token = bearer(request).and_then(Token::parse);
    let claimed = token.as_ref().and_then(|token| token.claims::<Claims<'_>>());
    let claimed = claimed.map(|claims| Cow::Owned(claims.api_key.0.into_owned()));
    match Parameters::of(request) {
        Ok(parameters) => Claim {
            external_id: claimed.or(parameters.api_key),
            to: carried(request).to.map(Cow::Owned).or(parameters.to).map(with_plus),
        },
        Err(_) => Claim { external_id: claimed, to: None },
    }
}

pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let parameters = Parameters::of(request)?;
    match kind {
        AFTER => after(request, parameters),
        "status" => status(request, parameters),
        "sms" => message(parameters),
        _ if parameters.status.is_some() => Err(ParseError::Foreign("it tells a call's status")),
        _ => call(parameters).map(Event::Call),
    }
}

fn call(parameters: Parameters<'_>) -> Result<InboundCall<'_>, ParseError> {
    Ok(InboundCall {
        call_id: parameters.uuid.ok_or(ParseError::Missing("uuid"))?,
        to: with_plus(parameters.to.ok_or(ParseError::Missing("to"))?),
        from: with_plus(parameters.from.unwrap_or_default()),
        number_id: None,
        carrier_call_id: parameters.conversation_uuid,
        context: "".into(),
    })
}

fn message(parameters: Parameters<'_>) -> Result<Event<'_>, ParseError> {
    Ok(Event::Message(InboundCall {
        call_id: parameters.message_id.ok_or(ParseError::Missing("messageId"))?,
        to: with_plus(parameters.to.ok_or(ParseError::Missing("to"))?),
        from: with_plus(parameters.msisdn.or(parameters.from).unwrap_or_default()),
        number_id: None,
        carrier_call_id: None,
        context: "".into(),
    }))
}

/// Events come for each leg: those of called legs are about other numbers than the caller's call, of which they have
/// the conversation.
fn status<'r>(request: &'r WebhookRequest<'_>, parameters: Parameters<'r>) -> Result<Event<'r>, ParseError> {
    check_is_event(&parameters)?;
    let status = status_label(&parameters);
    let is_outbound = parameters.direction.as_deref() == Some("outbound");
    let report = Report { is_outbound, ..report::of(request, parameters.status.as_deref()) };
    let Parameters { uuid, conversation_uuid, to, from, .. } = parameters;
    let (to, from) = if is_outbound { (None, None) } else { (to, from) };
    let call = uuid.map(|uuid| InboundCall {
        to: with_plus(to.unwrap_or_default()),
        from: with_plus(from.unwrap_or_default()),
        carrier_call_id: conversation_uuid,
        ..InboundCall::unnumbered(uuid)
    });
    Ok(Event::Status { call, status, report })
}

fn check_is_event(parameters: &Parameters<'_>) -> Result<(), ParseError> {
    let is_event =
        parameters.uuid.is_some() || parameters.conversation_uuid.is_some() || parameters.is_notification;
    if is_event { Ok(()) } else { Err(ParseError::Missing("uuid")) }
}

/// An event of a step. Only those that end it ask what follows; the others, of which `completed` is the last, are
/// told and no more: an NCCO in answer to them might take the place of one that is running already.
fn after<'r>(request: &'r WebhookRequest<'_>, parameters: Parameters<'r>) -> Result<Event<'r>, ParseError> {
    check_is_event(&parameters)?;
    let carried = carried(request);
    let Some(result) = step_result(&parameters) else {
        return Ok(step_status(request, parameters, carried));
    };
    let is_recorded = parameters.recording_url.is_some();
    let report = is_recorded.then(|| report::of_recording(request));
    let wanted = |carried: Option<String>, sent: Option<Cow<'r, str>>, name| {
        let text = carried.filter(|text| !text.is_empty()).map(Cow::Owned).or(sent);
        text.ok_or(ParseError::Missing(name))
    };
    let call = InboundCall {
        call_id: wanted(carried.call_id, parameters.uuid, "call")?,
        to: with_plus(wanted(carried.to, parameters.to, "called")?),
        from: with_plus(carried.from.map(Cow::Owned).or(parameters.from).unwrap_or_default()),
        number_id: None,
        carrier_call_id: None,
        context: "".into(),
    };
    if let (StepResult::Failed, Some((first, rest))) = (result, carried.next.to.split_first()) {
        let timeout_s = carried.next.timeout_s;
        let url = own_url(request, carried.state.as_deref());
        let url = url.map(|url| event_url(&url, &call, rest, timeout_s));
        let rendered = render::ring(&call, first, timeout_s, url.as_deref());
        return Ok(Event::Continued { call, rendered, report: None });
    }
    Ok(Event::After(StepEnd { call, result, state: carried.state.map(Cow::Owned), report }))
}

/// What becomes of a leg that a step dialled: a call of its own, whose carrier's is the caller's.
fn step_status<'r>(
    request: &'r WebhookRequest<'_>,
    parameters: Parameters<'r>,
    carried: Carried,
) -> Event<'r> {
    let status = status_label(&parameters);
    let is_outbound = parameters.uuid.as_deref() != carried.call_id.as_deref();
    let report = Report { is_outbound, ..report::of(request, parameters.status.as_deref()) };
    let caller = carried.call_id.filter(|id| is_outbound && !id.is_empty()).map(Cow::Owned);
    let call = parameters.uuid.map(|uuid| InboundCall {
        to: with_plus(carried.to.unwrap_or_default().into()),
        from: with_plus(carried.from.unwrap_or_default().into()),
        carrier_call_id: caller.or(parameters.conversation_uuid),
        ..InboundCall::unnumbered(uuid)
    });
    Event::Status { call, status, report }
}

/// How a step ended; `None` when it hasn't.
fn step_result(parameters: &Parameters<'_>) -> Option<StepResult> {
    match parameters.status.as_deref() {
        Some("timeout" | "failed" | "rejected" | "unanswered" | "busy") => Some(StepResult::Failed),
        // The agent's socket is closed: after a conversation, or because the agent gave up.
        Some("disconnected") => Some(StepResult::Unknown),
        Some(_) => None,
        None if parameters.recording_url.is_some() => Some(StepResult::Done),
        // What we ask to be notified of is that somebody else's server didn't take the call over.
        None if parameters.is_notification => Some(StepResult::Failed),
        None => None,
    }
}

fn status_label(parameters: &Parameters<'_>) -> &'static str {
    const STATUSES: [&str; 13] = [
        "started",
        "ringing",
        "answered",
        "busy",
        "cancelled",
        "unanswered",
        "disconnected",
        "rejected",
        "failed",
        "timeout",
        "human",
        "machine",
        "completed",
    ];
    match parameters.status.as_deref() {
        Some(status) => STATUSES.into_iter().find(|known| *known == status).unwrap_or("other"),
        None if parameters.recording_url.is_some() => "recording",
        None if parameters.has_reason => "error",
        None => "other",
    }
}

fn carried(request: &WebhookRequest<'_>) -> Carried {
    let query = Form::parse(request::query(request.target).as_bytes());
    Carried::read(&query.unwrap_or_default())
}

/// The URL that this request came to, with nothing but the route's state.
fn own_url(request: &WebhookRequest<'_>, state: Option<&str>) -> Option<String> {
    let origin = request.public_urls.first()?;
    let path = request.target.split('?').next()?;
    let is_sealed = |state: &&str| state.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'&');
    Some(format!("{origin}{path}?s={}", state.filter(is_sealed).unwrap_or_default()))
}
