//! Vonage's voice and message webhooks, answered in call control objects (NCCO).
//!
//! Sources, read 2026-11: <https://developer.vonage.com/en/voice/voice-api/webhook-reference>,
//! <https://developer.vonage.com/en/voice/voice-api/ncco-reference>,
//! <https://developer.vonage.com/en/getting-started/concepts/webhooks>,
//! <https://developer.vonage.com/en/getting-started/concepts/signing-messages>.

mod api;
mod carried;
mod credentials;
mod ncco;
mod numbers;
mod parameters;
mod parse;
mod render;
mod report;
mod sms_signature;
mod verify;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::Event;
use super::reply::{Action, Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{AFTER, Body, Claim, Kind, Provider, Verifier};
use crate::call::InboundCall;
use crate::rest::numbers::Numbers;

/// The provider.
pub struct Vonage;

impl Provider for Vonage {
    fn name(&self) -> &'static str {
        "vonage"
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 4] = [
            Kind { get: true, ..Kind::json("voice") },
            Kind::json(AFTER),
            Kind { get: true, ..Kind::json("status") },
            Kind { body: Body::FormOrJson, ..Kind::form("sms") },
        ];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"api_key":"abcd1234","signature_secret":"the-signature-secret"}"#
    }

    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier> {
        Box::new(verify::Account::prepare(credentials))
    }

    fn claim<'r>(&self, _kind: &Kind, request: &'r WebhookRequest<'_>) -> Claim<'r> {
        parse::claim(request)
    }

    fn event<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
        parse::event(kind.name, request)
    }

    /// An NCCO rings one address: the next one needs a look at how the one before ended.
    fn asks_within(&self, action: &Action<'_>) -> bool {
        matches!(action, Action::Dial { to: [_, _, ..], .. } | Action::Voicemail { .. })
    }

    fn render(&self, reply: &Reply<'_>) -> Rendered {
        render::reply(reply)
    }

    fn refuse(&self, _kind: &Kind, _call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
        render::refusal(refusal)
    }

    fn acknowledge(&self, _kind: &Kind) -> Rendered {
        Rendered::empty(204)
    }

    fn numbers(&self) -> Option<&'static dyn Numbers> {
        Some(&numbers::VonageNumbers)
    }
}

#[cfg(test)]
mod vectors;
