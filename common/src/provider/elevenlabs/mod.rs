//! ElevenLabs's conversation-initiation and post-call webhooks.
//!
//! Sources, read 2026-11: <https://elevenlabs.io/docs/eleven-agents/customization/personalization/twilio-personalization>,
//! <https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks>, and the types of ElevenLabs's Python SDK
//! 2.78.0; <https://api.elevenlabs.io/openapi.json> for the REST API.

mod agents;
mod api;
mod credentials;
mod listing;
mod numbers;
mod parse;
mod render;
mod report;
mod variables;
mod verify;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::Event;
use super::reply::{Action, Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{Claim, Kind, Provider, Verifier};
use crate::call::InboundCall;
use crate::rest::agents::Agents;
use crate::rest::numbers::Numbers;
use crate::route::Prompt;

/// The provider.
pub struct ElevenLabs;

const NAME: &str = "elevenlabs";
const INITIATION: &str = "initiation";

impl Provider for ElevenLabs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 2] = [Kind::json(INITIATION), Kind::event("post-call")];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"initiation_secret":"the-initiation-secret","webhook_secret":"wsec_the-webhook-secret"}"#
    }

    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier> {
        Box::new(verify::Secrets::prepare(credentials))
    }

    fn claim<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Claim<'r> {
        parse::claim(kind.name, request)
    }

    fn event<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
        parse::event(kind.name, request)
    }

    /// The number's agent has answered already: it can say a text, take a message, transfer and say goodbye when it is
    /// told to. It can't give the call to another agent, or play a recording.
    fn can(&self, action: &Action<'_>) -> bool {
        match action {
            Action::Hosted { agent, .. } => agent.provider == NAME,
            Action::Message(Prompt::Play { .. })
            | Action::Stream(_)
            | Action::AgentSip(_)
            | Action::Redirect(_) => false,
            Action::Message(Prompt::Say { .. })
            | Action::Dial { .. }
            | Action::Voicemail { .. }
            | Action::Reject { .. }
            | Action::Hangup => true,
        }
    }

    fn render(&self, reply: &Reply<'_>) -> Rendered {
        render::reply(reply)
    }

    fn refuse(&self, kind: &Kind, call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
        render::refusal(kind.name, call, refusal)
    }

    /// Nothing but status 200 is a success.
    fn acknowledge(&self, _kind: &Kind) -> Rendered {
        Rendered::empty(200)
    }

    /// The number has to be imported at ElevenLabs: its agent takes the call.
    fn entry(&self, carrier: &str) -> Option<&'static str> {
        (carrier == "twilio").then_some("https://api.elevenlabs.io/twilio/inbound_call")
    }

    fn numbers(&self) -> Option<&'static dyn Numbers> {
        Some(&numbers::ElevenLabsNumbers)
    }

    fn agents(&self) -> Option<&'static dyn Agents> {
        Some(&agents::ElevenLabsAgents)
    }
}

#[cfg(test)]
mod vectors;
