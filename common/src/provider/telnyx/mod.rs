//! Telnyx's webhooks: TeXML, which is answered with a document, and Call Control, which is answered with commands.
//!
//! Sources, read 2026-11: <https://developers.telnyx.com/docs/voice/programmable-voice/texml-verbs>,
//! <https://developers.telnyx.com/docs/voice/programmable-voice/voice-api-webhooks>,
//! <https://developers.telnyx.com/api/call-control/>,
//! <https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks>.

mod api;
mod call_control;
mod credentials;
mod message;
mod numbers;
mod porting;
mod texml;
mod verify;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::Event;
use super::reply::{Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{Api, Claim, Kind, Provider, Verifier, twiml};
use crate::call::InboundCall;
use crate::rest::numbers::Numbers;
use crate::rest::porting::Porting;

/// The provider.
pub struct Telnyx;

impl Provider for Telnyx {
    fn name(&self) -> &'static str {
        "telnyx"
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 5] = [
            posted("texml"),
            Kind::json("call-control"),
            posted("status"),
            Kind::json("sms"),
            posted("after"),
        ];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"ed25519_public_key":"DQuuiA6LMZaO49XE0kogEUOIqF0RwKAUikbWE5edtTM=","api_key":"KEY_example"}"#
    }

    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier> {
        Box::new(verify::Keys::prepare(credentials))
    }

    fn claim<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Claim<'r> {
        match kind.name {
            "call-control" => call_control::claim(request),
            "sms" => message::claim(request),
            _ => texml::claim(request),
        }
    }

    fn event<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
        match kind.name {
            "call-control" => call_control::event(request),
            "sms" => message::event(request),
            kind => texml::event(kind, request),
        }
    }

    /// TeXML; Call Control before and after the call is answered.
    fn contexts(&self) -> &'static [&'static str] {
        &["", "e1", "e1+"]
    }

    /// Calls of Call Control have a context; those of TeXML have none.
    fn render(&self, reply: &Reply<'_>) -> Rendered {
        match &*reply.call.context {
            "" => texml::reply(reply),
            _ => call_control::reply(reply),
        }
    }

    fn refuse(&self, _kind: &Kind, call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
        match &*call.context {
            "" => twiml::refusal(refusal),
            _ => call_control::refusal(call, refusal),
        }
    }

    fn acknowledge(&self, _kind: &Kind) -> Rendered {
        Rendered::empty(200)
    }

    fn api(&self) -> Option<Api> {
        Some(api::API)
    }

    fn numbers(&self) -> Option<&'static dyn Numbers> {
        Some(&numbers::TelnyxNumbers)
    }

    fn porting(&self) -> Option<&'static dyn Porting> {
        Some(&porting::TelnyxPorting)
    }
}

/// A kind whose bodies are forms. No GET: Telnyx signs the body and not the URL, so that one signature of a GET, such as a
/// tenant's own server gets that a call is redirected to, would prove any parameters.
const fn posted(name: &'static str) -> Kind {
    Kind { get: false, ..Kind::form(name) }
}

/// A number without the hyphens that some events write it with; anything else as it is.
fn without_hyphens(address: Cow<'_, str>) -> Cow<'_, str> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match address.strip_prefix('+') {
        Some(rest) if rest.contains('-') && digits(rest) => Cow::Owned(address.replace('-', "")),
        _ => address,
    }
}

#[cfg(test)]
mod vectors;
