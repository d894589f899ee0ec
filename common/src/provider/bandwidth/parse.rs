//! Bandwidth's events. Unknown fields are passed over, and no more is required than is needed.
//!
//! Sources: <https://dev.bandwidth.com/docs/voice/webhooks/> and its pages on each event,
//! <https://dev.bandwidth.com/docs/messaging/webhooks/>.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{SMS, STATUS, report};
use crate::call::InboundCall;
use crate::calls::report::Report;
use crate::provider::event::{Event, StepEnd, StepResult};
use crate::provider::request::{ParseError, WebhookRequest};
use crate::provider::{AFTER, Claim};

/// An event of a call.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallEvent<'a> {
    #[serde(borrow)]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    account_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    call_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    cause: Option<Cow<'a, str>>,
}

/// An event of a message.
#[derive(Deserialize)]
struct MessageEvent<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

/// A message. `owner` is the number of ours; a message to a group has several numbers in `to`.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    owner: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
}

/// The one event of a list: Bandwidth sends lists of one. Of several it is the first message that came in, else the
/// first.
struct First<'a>(Option<MessageEvent<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for First<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Events;
        impl<'de> Visitor<'de> for Events {
            type Value = First<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of message events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut events: A) -> Result<Self::Value, A::Error> {
                let mut first: Option<MessageEvent<'de>> = None;
                while let Some(event) = events.next_element::<MessageEvent<'de>>()? {
                    let received = event.r#type.as_deref() == Some(RECEIVED);
                    if received || first.is_none() {
                        first = Some(event);
                    }
                    if received {
                        while events.next_element::<IgnoredAny>()?.is_some() {}
                    }
                }
                Ok(First(first))
            }
        }
        deserializer.deserialize_seq(Events)
    }
}

const RECEIVED: &str = "message-received";

pub fn claim<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Claim<'r> {
    if kind == SMS {
        let to = request.json::<First<'_>>().ok().and_then(|First(event)| called(event?));
        return Claim { external_id: None, to };
    }
    match request.json::<CallEvent<'_>>() {
        Ok(event) => Claim { external_id: event.account_id, to: event.to },
        Err(_) => Claim::default(),
    }
}

/// Of the kind [`AFTER`] only [`Event::After`] comes, and only with a state: the state is all that proves it.
pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    if kind == SMS {
        return message(request);
    }
    let event: CallEvent<'r> = request.json()?;
    let event_type = event.event_type.as_deref().ok_or(ParseError::Missing("eventType"))?;
    match (kind, event_type) {
        (AFTER, _) => {
            let result = step_result(event_type, event.cause.as_deref())?;
            let state = state(request).ok_or(ParseError::Missing("s"))?;
            let is_recorded = matches!(event_type, "recordComplete" | "recordingComplete");
            let report = is_recorded.then(|| report::of_recording(request));
            Ok(Event::After(StepEnd { call: call(event)?, result, state: Some(Cow::Owned(state)), report }))
        }
        // The end of a call may be told to the URL that it was asked of.
        (_, "disconnect") => {
            let status = known(&CAUSES, event.cause.as_deref().unwrap_or_default());
            let (call, report) = report::of_disconnect(request, call(event)?);
            Ok(Event::Status { call: Some(call), status, report })
        }
        (STATUS, _) => Err(ParseError::Foreign("wanted eventType disconnect")),
        (_, "initiate" | "redirect") => Ok(Event::Call(call(event)?)),
        _ => Err(ParseError::Foreign("wanted eventType initiate")),
    }
}

/// What our document gave the URL by which Bandwidth asks what follows.
pub fn state(request: &WebhookRequest<'_>) -> Option<String> {
    request.query_value("s").filter(|state| !state.is_empty())
}

fn call(event: CallEvent<'_>) -> Result<InboundCall<'_>, ParseError> {
    Ok(InboundCall {
        call_id: wanted(event.call_id, "callId")?,
        to: wanted(event.to, "to")?,
        from: event.from.unwrap_or_default(),
        number_id: None,
        carrier_call_id: None,
        context: "".into(),
    })
}

fn wanted<'r>(value: Option<Cow<'r, str>>, name: &'static str) -> Result<Cow<'r, str>, ParseError> {
    match value {
        None => Err(ParseError::Missing(name)),
        Some(value) if value.is_empty() => Err(ParseError::Invalid(name, "it is empty".into())),
        Some(value) => Ok(value),
    }
}

/// Why calls end. Source: <https://dev.bandwidth.com/docs/voice/webhooks/disconnect>.
const CAUSES: [&str; 12] = [
    "hangup",
    "busy",
    "timeout",
    "cancel",
    "rejected",
    "callback-error",
    "invalid-bxml",
    "application-error",
    "account-limit",
    "node-capacity-exceeded",
    "error",
    "unknown",
];

/// A transfer that somebody answered ends with `hangup`; the list of other causes is open. A recording was made, or
/// wasn't: either way the caller was served. After a stream comes a redirect, which says nothing.
fn step_result(event_type: &str, cause: Option<&str>) -> Result<StepResult, ParseError> {
    Ok(match (event_type, cause) {
        ("transferComplete", Some("hangup")) => StepResult::Done,
        ("transferComplete", Some(_)) => StepResult::Failed,
        ("recordComplete" | "recordingComplete", _) => StepResult::Done,
        ("transferComplete" | "redirect", _) => StepResult::Unknown,
        _ => {
            return Err(ParseError::Foreign("wanted eventType transferComplete, recordComplete or redirect"));
        }
    })
}

/// A message, or what became of one that was sent: that has the numbers the other way round.
fn message<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    const STATUSES: [&str; 3] = ["message-sending", "message-delivered", "message-failed"];
    let First(event) = request.json()?;
    let mut event: MessageEvent<'r> = event.ok_or(ParseError::Missing("type"))?;
    let r#type = event.r#type.as_deref().ok_or(ParseError::Missing("type"))?;
    if STATUSES.contains(&r#type) {
        return Ok(Event::Status { call: None, status: known(&STATUSES, r#type), report: Report::default() });
    }
    if r#type != RECEIVED {
        return Err(ParseError::Foreign("wanted type message-received"));
    }
    let message = event.message.as_mut().ok_or(ParseError::Missing("message"))?;
    let (id, from) = (message.id.take(), message.from.take());
    Ok(Event::Message(InboundCall {
        call_id: wanted(id, "message.id")?,
        to: wanted(called(event), "message.owner")?,
        from: from.unwrap_or_default(),
        number_id: None,
        carrier_call_id: None,
        context: "".into(),
    }))
}

fn called(event: MessageEvent<'_>) -> Option<Cow<'_, str>> {
    event.message.and_then(|message| message.owner).or(event.to)
}

fn known(words: &[&'static str], word: &str) -> &'static str {
    words.iter().find(|known| **known == word).unwrap_or(&"other")
}
