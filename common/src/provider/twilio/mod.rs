//! Twilio's voice, status, recording and message webhooks, answered in TwiML.
//!
//! Sources, read 2026-11: <https://www.twilio.com/docs/voice/twiml>,
//! <https://www.twilio.com/docs/usage/security>, <https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>.

mod api;
mod credentials;
mod numbers;
mod parse;
mod porting;
mod render;
mod subaccounts;
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
use crate::rest::porting::Porting;
use crate::rest::subaccounts::Subaccounts;

/// The provider.
pub struct Twilio;

impl Provider for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 5] = [
            Kind::form("voice"),
            Kind::form("after"),
            Kind { body: Body::FormOrJson, ..Kind::form("status") },
            Kind::form("sms"),
            Kind::form("recording"),
        ];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"account_sid":"ACexample","auth_token":"the-auth-token"}"#
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
        twiml::refusal(refusal)
    }

    fn answer_message(&self, _: &Kind, message: &InboundCall<'_>, answer: &MessageAnswer<'_>) -> Rendered {
        twiml::messages(message, answer)
    }

    fn acknowledge(&self, kind: &Kind) -> Rendered {
        render::acknowledgement(kind.name)
    }

    fn numbers(&self) -> Option<&'static dyn Numbers> {
        Some(&numbers::NUMBERS)
    }

    fn porting(&self) -> Option<&'static dyn Porting> {
        Some(&porting::TwilioPorting)
    }

    fn subaccounts(&self) -> Option<&'static dyn Subaccounts> {
        Some(&subaccounts::TwilioSubaccounts)
    }
}

#[cfg(test)]
mod vectors;
