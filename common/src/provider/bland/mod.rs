//! Bland's post-call webhook. Bland asks nobody how to answer a call: it only tells what became of it.
//!
//! Sources, read 2026-11: <https://docs.bland.ai/tutorials/webhook-signing>,
//! <https://docs.bland.ai/api-v1/get/inbound-number>.

mod credentials;
mod parse;
mod report;
mod verify;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::Event;
use super::reply::{Action, JSON, Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{Claim, Kind, Provider, Verifier};
use crate::call::InboundCall;

/// The provider.
pub struct Bland;

impl Provider for Bland {
    fn name(&self) -> &'static str {
        "bland"
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 1] = [Kind::event("post-call")];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"webhook_secret":"the-webhook-secret"}"#
    }

    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier> {
        Box::new(verify::Account::prepare(credentials))
    }

    fn claim<'r>(&self, _kind: &Kind, request: &'r WebhookRequest<'_>) -> Claim<'r> {
        parse::claim(request)
    }

    fn event<'r>(&self, _kind: &Kind, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
        parse::event(request)
    }

    /// No call waits for an answer.
    fn can(&self, _action: &Action<'_>) -> bool {
        false
    }

    fn render(&self, _reply: &Reply<'_>) -> Rendered {
        nothing()
    }

    fn refuse(&self, _kind: &Kind, _call: &InboundCall<'_>, _refusal: Refusal) -> Rendered {
        nothing()
    }

    fn acknowledge(&self, _kind: &Kind) -> Rendered {
        nothing()
    }
}

fn nothing() -> Rendered {
    Rendered::document(JSON, "{}")
}

#[cfg(test)]
mod vectors;
