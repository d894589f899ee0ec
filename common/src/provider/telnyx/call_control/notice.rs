//! An event as Telnyx posts it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::without_hyphens;
use super::state::State;
use crate::calls::report::End;
use crate::provider::request::{ParseError, WebhookRequest};
use crate::provider::twiml_form;

/// The events whose payload is read.
const READ: [&str; 10] = [
    "call.initiated",
    "call.answered",
    "call.cost",
    "call.hangup",
    "call.speak.ended",
    "call.playback.ended",
    "call.recording.saved",
    "call.recording.error",
    "streaming.stopped",
    "streaming.failed",
];

/// What the names of a call's events begin with.
const OURS: [&str; 3] = ["call.", "streaming.", "conference."];

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// An event.
pub struct Notice<'a> {
    /// Its id, the same however often it is delivered.
    pub id: Cow<'a, str>,
    /// What has happened.
    pub event_type: Cow<'a, str>,
    /// To which leg; empty where nothing is done about the event.
    pub payload: Payload<'a>,
    /// What we said last on this leg.
    pub state: Option<State>,
}

/// The leg and what is said of it.
#[derive(Deserialize, Default)]
pub struct Payload<'a> {
    /// The leg's id.
    #[serde(borrow)]
    pub call_control_id: Option<Cow<'a, str>>,
    /// The application's id.
    #[serde(borrow)]
    pub connection_id: Option<Cow<'a, str>>,
    /// The calling address.
    #[serde(borrow)]
    pub from: Option<Cow<'a, str>>,
    /// The called address.
    #[serde(borrow)]
    pub to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    direction: Option<Cow<'a, str>>,
    #[serde(borrow)]
    hangup_cause: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sip_hangup_cause: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
}

impl<'a> Notice<'a> {
    /// Reads an event. The payload of one that nothing is done about is passed over.
    pub fn read(request: &'a WebhookRequest<'_>) -> Result<Self, ParseError> {
        let data = request.json::<Body<'_>>()?.data.ok_or(ParseError::Foreign("wanted an object data"))?;
        let event_type = twiml_form::wanted(data.event_type, "data.event_type")?;
        if !OURS.iter().any(|beginning| event_type.starts_with(beginning)) {
            return Err(ParseError::Foreign("wanted an event_type that begins with call. or streaming."));
        }
        let id = twiml_form::wanted(data.id, "data.id")?;
        if !READ.contains(&&*event_type) {
            return Ok(Self { id, event_type, payload: Payload::default(), state: None });
        }
        let payload = data.payload.ok_or(ParseError::Missing("data.payload"))?;
        let payload: Payload<'a> =
            serde_json::from_str(payload.get()).map_err(|error| ParseError::Json(error.to_string()))?;
        let payload = Payload {
            to: payload.to.map(without_hyphens),
            from: payload.from.map(without_hyphens),
            ..payload
        };
        let state = payload.client_state.as_deref().and_then(State::read);
        Ok(Self { id, event_type, payload, state })
    }
}

impl Payload<'_> {
    /// Whether the leg is a caller's. Events that don't say are of one.
    pub fn is_incoming(&self) -> bool {
        self.direction.as_deref().is_none_or(|direction| direction == "incoming")
    }

    /// Whether what was played ended because the caller hung up.
    pub fn is_hung_up(&self) -> bool {
        self.status.as_deref() == Some("call_hangup")
    }

    /// Whether a leg that we dialled has ended because there was no more to do: somebody had answered, or the caller
    /// gave up.
    pub fn was_served(&self) -> bool {
        match self.hangup_cause.as_deref() {
            Some("originator_cancel" | "time_limit") => true,
            // Said too of a leg that the network refused: then its SIP response is an error.
            Some("normal_clearing") => {
                let code = self.sip_hangup_cause.as_deref().and_then(|code| code.parse::<u16>().ok());
                code.is_none_or(|code| code < 400)
            }
            _ => false,
        }
    }

    /// How a leg ended, and the same in the words of other providers.
    pub fn end(&self) -> (End, &'static str) {
        match self.hangup_cause.as_deref() {
            Some("normal_clearing" | "time_limit") => (End::Completed, "completed"),
            Some("originator_cancel") => (End::Canceled, "canceled"),
            Some("user_busy") => (End::Busy, "busy"),
            Some("timeout" | "no_answer") => (End::NoAnswer, "no-answer"),
            _ => (End::Failed, "failed"),
        }
    }
}
