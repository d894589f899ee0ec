//! Vapi's server messages: which assistant takes a call, what its tools are told, where a call is handed over to.
//!
//! Sources, read 2026-11: <https://docs.vapi.ai/server-url/events>,
//! <https://docs.vapi.ai/server-url/server-authentication>, <https://docs.vapi.ai/tools/custom-tools-troubleshooting>
//! and the schemas `ServerMessage*` of <https://api.vapi.ai/api-json>, which also describes the REST API.

mod access_token;
mod agents;
mod api;
mod assistant;
mod credentials;
mod destination;
mod documents;
mod hmac;
mod listing;
mod numbers;
mod parse;
mod plan;
mod render;
mod report;
mod server;
mod tool_calls;
mod verify;
mod voice;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::{Event, ToolResult};
use super::reply::{Action, Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{Body, Claim, Kind, Provider, Size, Verifier};
use crate::call::InboundCall;
use crate::rest::agents::Agents;
use crate::rest::numbers::Numbers;
use crate::route::Prompt;

/// Its name.
const NAME: &str = "vapi";

/// The kind of webhook that is a number's, an assistant's or a tool's server URL.
const SERVER: &str = "server";

/// The kind of webhook by which Vapi fetches the token that it is to show.
const TOKEN: &str = "token";

/// Where Vapi takes over calls of numbers that are imported from Twilio: what an import writes into the number there.
const TWILIO_ENTRY: &str = "https://api.vapi.ai/twilio/inbound_call";

/// The provider.
pub struct Vapi;

impl Provider for Vapi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 2] =
            [Kind::event(SERVER), Kind { name: TOKEN, size: Size::Decision, body: Body::Form, get: false }];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"org_id":"6bfbbe86-0000-4000-8000-000000000000","auth":{"type":"bearer","token":"the-token"}}"#
    }

    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier> {
        Box::new(verify::Plans::prepare(credentials))
    }

    fn claim<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Claim<'r> {
        if kind.name == TOKEN { Claim::default() } else { parse::claim(request) }
    }

    fn event<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
        if kind.name == TOKEN { parse::token(request) } else { parse::event(request) }
    }

    /// Vapi has no media stream, no redirect and no mailbox, and plays no recording without a model behind it.
    fn can(&self, action: &Action<'_>) -> bool {
        match action {
            Action::Stream(_) | Action::Redirect(_) | Action::Voicemail { .. } => false,
            Action::Message(prompt) => matches!(prompt, Prompt::Say { .. }),
            Action::Hosted { agent, .. } => agent.provider == NAME,
            Action::AgentSip(_) | Action::Dial { .. } | Action::Reject { .. } | Action::Hangup => true,
        }
    }

    fn render(&self, reply: &Reply<'_>) -> Rendered {
        render::reply(reply)
    }

    fn refuse(&self, _kind: &Kind, _call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
        render::spoken_error(refusal.spoken())
    }

    fn acknowledge(&self, _kind: &Kind) -> Rendered {
        render::acknowledgement()
    }

    fn tool_results(&self, results: &[ToolResult]) -> Rendered {
        render::tool_results(results)
    }

    fn entry(&self, carrier: &str) -> Option<&'static str> {
        (carrier == "twilio").then_some(TWILIO_ENTRY)
    }

    fn numbers(&self) -> Option<&'static dyn Numbers> {
        Some(&numbers::VapiNumbers)
    }

    fn agents(&self) -> Option<&'static dyn Agents> {
        Some(&agents::VapiAgents)
    }
}

#[cfg(test)]
mod vectors;
