//! What happens in a room, as far as it is about a telephone call.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::report;
use crate::call::InboundCall;
use crate::calls::report::Report;
use crate::provider::Claim;
use crate::provider::event::Event;
use crate::provider::json_text::{Text, optional};
use crate::provider::jwt::Token;
use crate::provider::number::with_plus;
use crate::provider::request::{ParseError, WebhookRequest};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    participant: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Participant<'a> {
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    attributes: Option<Attributes<'a>>,
}

#[derive(Deserialize)]
struct Attributes<'a> {
    #[serde(borrow, rename = "sip.callID")]
    call_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "sip.phoneNumber")]
    phone_number: Option<&'a RawValue>,
    #[serde(borrow, rename = "sip.trunkPhoneNumber")]
    trunk_phone_number: Option<&'a RawValue>,
    /// The dispatch rule that took the call: calls that LiveKit made have none.
    #[serde(borrow, rename = "sip.ruleID")]
    rule_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "sip.twilio.callSid")]
    twilio_call_sid: Option<&'a RawValue>,
    #[serde(borrow, rename = "sip.callIDFull")]
    sip_call_id: Option<&'a RawValue>,
}

/// The key that a token says it is signed with is the account's name.
pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    #[derive(Deserialize)]
    struct Claims<'a> {
        #[serde(borrow)]
        iss: Text<'a>,
    }
    let token = request.header(&http::header::AUTHORIZATION).and_then(Token::parse);
    let issuer = token.as_ref().and_then(|token| token.claims::<Claims<'_>>());
    Claim { external_id: issuer.map(|claims| Cow::Owned(claims.iss.0.into_owned())), to: None }
}

pub fn event<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let body: Body<'r> = request.json()?;
    let name = optional(body.event).ok_or(ParseError::Missing("event"))?;
    let status = match EVENTS.into_iter().find(|known| *known == name) {
        Some(known) => known,
        // An event that LiveKit sends since this was written; other providers have events too, but no such ids.
        None if optional(body.id).is_some_and(|id| id.starts_with("EV_")) => "other",
        None => return Err(ParseError::Foreign("no event of LiveKit's")),
    };
    let told = if status.starts_with("participant_") { body.participant.and_then(call) } else { None };
    Ok(match told {
        Some((call, is_outbound)) => {
            let report = Report { is_outbound, ..report::of(request, status) };
            Event::Status { call: Some(call), status, report }
        }
        None => Event::Status { call: None, status, report: Report::default() },
    })
}

/// The call that a participant is, and whether LiveKit made it; `None` for other participants. The trunk's number is
/// ours either way; calls whose dispatch rule hides the numbers have none.
fn call(participant: &RawValue) -> Option<(InboundCall<'_>, bool)> {
    let participant: Participant<'_> = serde_json::from_str(participant.get()).ok()?;
    let attributes = participant.attributes?;
    if optional(participant.kind)? != "SIP" {
        return None;
    }
    let call = InboundCall {
        call_id: optional(attributes.call_id)?,
        to: with_plus(optional(attributes.trunk_phone_number).unwrap_or_default()),
        from: with_plus(optional(attributes.phone_number).unwrap_or_default()),
        number_id: None,
        carrier_call_id: optional(attributes.twilio_call_sid).or_else(|| optional(attributes.sip_call_id)),
        context: "".into(),
    };
    Some((call, attributes.rule_id.is_none()))
}

/// LiveKit's events. Source: `webhook/types.go` and `livekit_webhook.proto` in <https://github.com/livekit/protocol>.
const EVENTS: [&str; 14] = [
    "room_started",
    "room_finished",
    "participant_joined",
    "participant_left",
    "participant_connection_aborted",
    "track_published",
    "track_unpublished",
    "egress_started",
    "egress_updated",
    "egress_ended",
    "ingress_started",
    "ingress_ended",
    "agent_job_started",
    "agent_job_ended",
];
