//! What Vonage's webhooks carry, of a query, a form or a JSON body. Anything else is passed over.

use std::borrow::Cow;

use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::provider::json_text::optional;
use crate::provider::request::{Content, ParseError, WebhookRequest};

/// A webhook's parameters; absent where they are empty or no text.
#[derive(Debug)]
pub struct Parameters<'r> {
    pub uuid: Option<Cow<'r, str>>,
    pub conversation_uuid: Option<Cow<'r, str>>,
    pub to: Option<Cow<'r, str>>,
    pub from: Option<Cow<'r, str>>,
    pub status: Option<Cow<'r, str>>,
    pub direction: Option<Cow<'r, str>>,
    pub recording_url: Option<Cow<'r, str>>,
    /// A text message's id.
    pub message_id: Option<Cow<'r, str>>,
    /// A text message's sender.
    pub msisdn: Option<Cow<'r, str>>,
    pub api_key: Option<Cow<'r, str>>,
    /// Whether it is a notification that an NCCO asked for.
    pub is_notification: bool,
    /// Whether it says that something went wrong.
    pub has_reason: bool,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    conversation_uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    conversation_uuid_from: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    direction: Option<&'a RawValue>,
    #[serde(borrow)]
    recording_url: Option<&'a RawValue>,
    #[serde(borrow, rename = "messageId")]
    message_id: Option<&'a RawValue>,
    #[serde(borrow)]
    message_uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    msisdn: Option<&'a RawValue>,
    #[serde(borrow, rename = "api-key")]
    api_key: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
}

impl<'r> Parameters<'r> {
    pub fn of(request: &'r WebhookRequest<'_>) -> Result<Self, ParseError> {
        if request.method == Method::GET || request.content == Content::Form {
            return Self::of_form(request);
        }
        let body: Body<'r> = request.json()?;
        Ok(Self {
            uuid: optional(body.uuid),
            conversation_uuid: optional(body.conversation_uuid)
                .or_else(|| optional(body.conversation_uuid_from)),
            to: optional(body.to),
            from: optional(body.from),
            status: optional(body.status),
            direction: optional(body.direction),
            recording_url: optional(body.recording_url),
            message_id: optional(body.message_id).or_else(|| optional(body.message_uuid)),
            msisdn: optional(body.msisdn),
            api_key: optional(body.api_key),
            is_notification: body.payload.is_some(),
            has_reason: body.reason.is_some(),
        })
    }

    fn of_form(request: &'r WebhookRequest<'_>) -> Result<Self, ParseError> {
        for name in ["uuid", "to", "from", "status", "messageId", "msisdn"] {
            if request.form.is_ambiguous(name) {
                return Err(ParseError::Ambiguous(name));
            }
        }
        let value = |name| request.form.said(name).map(Cow::Borrowed);
        Ok(Self {
            uuid: value("uuid"),
            conversation_uuid: value("conversation_uuid").or_else(|| value("conversation_uuid_from")),
            to: value("to"),
            from: value("from"),
            status: value("status"),
            direction: value("direction"),
            recording_url: value("recording_url"),
            message_id: value("messageId").or_else(|| value("message_uuid")),
            msisdn: value("msisdn"),
            api_key: value("api-key"),
            is_notification: value("payload").is_some(),
            has_reason: value("reason").is_some(),
        })
    }
}
