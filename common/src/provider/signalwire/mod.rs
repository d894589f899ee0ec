//! SignalWire's webhooks: forms answered in cXML, and JSON answered in SWML.
//!
//! Sources, read 2026-11: <https://signalwire.com/docs/compatibility-api/cxml>,
//! <https://signalwire.com/docs/compatibility-api/guides> (webhook security),
//! <https://signalwire.com/docs/swml/reference/calling>,
//! <https://signalwire.com/docs/apis/rest/swml-webhook/webhooks/inbound-call-webhook>.

mod api;
mod credentials;
mod cxml;
mod numbers;
mod parse;
mod subaccounts;
mod swml;
mod verify;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::Event;
use super::reply::{Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{Body, Claim, Kind, Provider, Verifier, twiml};
use crate::call::InboundCall;
use crate::location::MessageAnswer;
use crate::rest::numbers::Numbers;
use crate::rest::subaccounts::Subaccounts;

/// The provider.
pub struct SignalWire;

/// The context of calls that are answered in SWML; others are answered in cXML.
const SWML: &str = "swml";

impl Provider for SignalWire {
    fn name(&self) -> &'static str {
        "signalwire"
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 4] = [
            Kind { body: Body::FormOrJson, ..Kind::form("voice") },
            Kind { body: Body::FormOrJson, ..Kind::form("after") },
            Kind::form("status"),
            Kind::form("sms"),
        ];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"project_id":"6bfbbe86-0000-4000-8000-000000000000","signing_key":"PSK_example"}"#
    }

    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier> {
        Box::new(verify::Keys::prepare(credentials))
    }

    fn claim<'r>(&self, _kind: &Kind, request: &'r WebhookRequest<'_>) -> Claim<'r> {
        parse::claim(request)
    }

    fn event<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
        parse::event(kind.name, request)
    }

    fn contexts(&self) -> &'static [&'static str] {
        &["", SWML]
    }

    fn render(&self, reply: &Reply<'_>) -> Rendered {
        match &*reply.call.context {
            SWML => swml::reply(reply),
            _ => cxml::reply(reply),
        }
    }

    fn refuse(&self, _kind: &Kind, call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
        match &*call.context {
            SWML => swml::refusal(refusal),
            _ => twiml::refusal(refusal),
        }
    }

    fn answer_message(&self, _: &Kind, message: &InboundCall<'_>, answer: &MessageAnswer<'_>) -> Rendered {
        twiml::messages(message, answer)
    }

    fn acknowledge(&self, kind: &Kind) -> Rendered {
        cxml::acknowledgement(kind.name)
    }

    fn numbers(&self) -> Option<&'static dyn Numbers> {
        Some(&numbers::NUMBERS)
    }

    fn subaccounts(&self) -> Option<&'static dyn Subaccounts> {
        Some(&subaccounts::SignalWireSubaccounts)
    }
}

#[cfg(test)]
mod vectors;
