//! LiveKit's webhooks. LiveKit answers calls by stored dispatch rules and asks nobody: it only tells what happens in
//! its rooms.
//!
//! Sources, read 2026-11: <https://docs.livekit.io/home/server/webhooks/>, <https://docs.livekit.io/sip/>, and
//! `livekit_webhook.proto`, `livekit_models.proto`, `livekit_sip.proto` and `livekit/attrs.go` in
//! <https://github.com/livekit/protocol>.

mod agents;
mod api;
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
use crate::rest::agents::Agents;

/// The provider.
pub struct LiveKit;

impl Provider for LiveKit {
    fn name(&self) -> &'static str {
        "livekit"
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 1] = [Kind::event("events")];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"api_key":"APIexample","api_secret":"the-api-secret"}"#
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

    fn agents(&self) -> Option<&'static dyn Agents> {
        Some(&agents::LiveKitAgents)
    }
}

fn nothing() -> Rendered {
    Rendered::document(JSON, "{}")
}

#[cfg(test)]
mod vectors;
