//! Bandwidth's voice, status and message webhooks: JSON, answered in BXML.
//!
//! Sources, read 2026-11: <https://dev.bandwidth.com/docs/voice/webhooks/>,
//! <https://dev.bandwidth.com/docs/voice/programmable-voice/bxml/>,
//! <https://dev.bandwidth.com/docs/messaging/webhooks/>, <https://dev.bandwidth.com/docs/account/applications>.

mod api;
mod credentials;
mod locale;
mod numbers;
mod parse;
mod porting;
mod render;
mod report;
mod verify;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::Event;
use super::reply::{Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{AFTER, Claim, Kind, Provider, Verifier};
use crate::call::InboundCall;
use crate::rest::numbers::Numbers;
use crate::rest::porting::Porting;

/// The kind of webhook that messages come by.
const SMS: &str = "sms";

/// The kind of webhook that says what became of a call.
const STATUS: &str = "status";

/// The provider.
pub struct Bandwidth;

impl Provider for Bandwidth {
    fn name(&self) -> &'static str {
        "bandwidth"
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 4] =
            [Kind::json("voice"), Kind::json(AFTER), Kind::json(STATUS), Kind::json(SMS)];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"account_id":"5500000","callback_user_id":"dialplane","callback_password":"the-password"}"#
    }

    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier> {
        Box::new(verify::Passwords::prepare(credentials))
    }

    fn claim<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Claim<'r> {
        parse::claim(kind.name, request)
    }

    fn event<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
        parse::event(kind.name, request)
    }

    fn render(&self, reply: &Reply<'_>) -> Rendered {
        render::reply(reply)
    }

    fn refuse(&self, _kind: &Kind, _call: &InboundCall<'_>, _refusal: Refusal) -> Rendered {
        render::refusal()
    }

    fn acknowledge(&self, _kind: &Kind) -> Rendered {
        Rendered::empty(204)
    }

    fn numbers(&self) -> Option<&'static dyn Numbers> {
        Some(&numbers::BandwidthNumbers)
    }

    fn porting(&self) -> Option<&'static dyn Porting> {
        Some(&porting::BandwidthPorting)
    }
}

#[cfg(test)]
mod vectors;
