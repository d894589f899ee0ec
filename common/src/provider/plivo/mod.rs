//! Plivo's voice, hangup and message webhooks, answered in Plivo XML.
//!
//! Sources, read 2026-11: <https://www.plivo.com/docs/voice/xml/request/>, <https://www.plivo.com/docs/voice/xml/>,
//! <https://www.plivo.com/docs/voice/concepts/signature-validation>,
//! <https://www.plivo.com/docs/messaging/concepts/signature-validation>.

mod api;
mod credentials;
mod language;
mod numbers;
mod parse;
mod render;
mod report;
mod subaccounts;
mod verify;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::Event;
use super::reply::{Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{AFTER, Claim, Kind, Provider, Verifier};
use crate::call::InboundCall;
use crate::location::MessageAnswer;
use crate::rest::numbers::Numbers;
use crate::rest::subaccounts::Subaccounts;

/// The kind of webhook that messages come by.
const SMS: &str = "sms";

/// The kind of webhook that says what became of a call.
const STATUS: &str = "status";

/// The provider.
pub struct Plivo;

impl Provider for Plivo {
    fn name(&self) -> &'static str {
        "plivo"
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 4] =
            [Kind::form("voice"), Kind::form(AFTER), Kind::form(STATUS), Kind::form(SMS)];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"auth_id":"MAEXAMPLEEXAMPLE0000","auth_token":"the-auth-token"}"#
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

    fn render(&self, reply: &Reply<'_>) -> Rendered {
        render::reply(reply)
    }

    fn refuse(&self, _kind: &Kind, _call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
        render::refusal(refusal)
    }

    fn answer_message(&self, _: &Kind, message: &InboundCall<'_>, answer: &MessageAnswer<'_>) -> Rendered {
        render::messages(message, answer)
    }

    fn acknowledge(&self, kind: &Kind) -> Rendered {
        render::acknowledgement(kind.name)
    }

    fn numbers(&self) -> Option<&'static dyn Numbers> {
        Some(&numbers::PlivoNumbers)
    }

    fn subaccounts(&self) -> Option<&'static dyn Subaccounts> {
        Some(&subaccounts::PlivoSubaccounts)
    }
}

#[cfg(test)]
mod vectors;
