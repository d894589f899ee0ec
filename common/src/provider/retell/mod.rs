//! Retell's inbound, custom function and event webhooks, answered in JSON.
//!
//! Sources, read 2026-11: <https://docs.retellai.com/features/inbound-call-webhook>,
//! <https://docs.retellai.com/features/webhook-overview>, <https://docs.retellai.com/features/secure-webhook>,
//! <https://docs.retellai.com/build/conversation-flow/custom-function>, and the types of Retell's Python SDK 6.2.13,
//! which also has the REST API.

mod agents;
mod api;
mod credentials;
mod language;
mod listing;
mod numbers;
mod parse;
mod render;
mod report;
mod verify;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::{Event, ToolResult};
use super::reply::{Action, Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{Claim, Kind, Provider, Verifier};
use crate::call::InboundCall;
use crate::rest::agents::Agents;
use crate::rest::numbers::Numbers;

/// The provider.
pub struct Retell;

const NAME: &str = "retell";
const INBOUND: &str = "inbound";
const FUNCTIONS: &str = "functions";
const EVENTS: &str = "events";

impl Provider for Retell {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [Kind] {
        // A function's body holds the conversation so far.
        const KINDS: [Kind; 3] = [Kind::json(INBOUND), Kind::event(FUNCTIONS), Kind::event(EVENTS)];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"api_key":"key_example"}"#
    }

    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier> {
        Box::new(verify::ApiKeys::prepare(credentials))
    }

    fn claim<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Claim<'r> {
        parse::claim(kind.name, request)
    }

    fn event<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
        parse::event(kind.name, request)
    }

    /// Retell's answer names an agent of Retell's or rejects; it can't send a call elsewhere or say anything itself.
    fn can(&self, action: &Action<'_>) -> bool {
        match action {
            Action::Hosted { agent, .. } => agent.provider == NAME,
            action => matches!(action, Action::Reject { .. } | Action::Hangup),
        }
    }

    fn render(&self, reply: &Reply<'_>) -> Rendered {
        render::reply(reply)
    }

    fn refuse(&self, kind: &Kind, call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
        render::refusal(kind.name, call, refusal)
    }

    fn acknowledge(&self, kind: &Kind) -> Rendered {
        render::acknowledgement(kind.name)
    }

    fn tool_results(&self, results: &[ToolResult]) -> Rendered {
        render::tool_results(results)
    }

    fn numbers(&self) -> Option<&'static dyn Numbers> {
        Some(&numbers::RetellNumbers)
    }

    fn agents(&self) -> Option<&'static dyn Agents> {
        Some(&agents::RetellAgents)
    }
}

#[cfg(test)]
mod vectors;
