//! Twilio's voice, status and message webhooks, answered in TwiML.
//!
//! Sources, read 2026-11: <https://www.twilio.com/docs/voice/twiml>,
//! <https://www.twilio.com/docs/usage/security>, <https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>.

mod parse;
mod render;
mod verify;

use super::reply::{Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{Claim, Credential, Kind, Provider, Purpose, StepResult, Verifier};
use crate::call::InboundCall;

/// The provider.
pub struct Twilio;

impl Provider for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind { name: "voice", purpose: Purpose::Call },
            Kind { name: "after", purpose: Purpose::After },
            Kind { name: "status", purpose: Purpose::Status },
            Kind { name: "sms", purpose: Purpose::Message },
        ]
    }

    fn claim<'r>(&self, request: &'r WebhookRequest<'_>) -> Claim<'r> {
        parse::claim(request)
    }

    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier> {
        Box::new(verify::Keys::prepare(credentials))
    }

    fn call<'r>(
        &self,
        purpose: Purpose,
        request: &'r WebhookRequest<'_>,
    ) -> Result<InboundCall<'r>, ParseError> {
        parse::call(purpose, request)
    }

    fn step_result(&self, request: &WebhookRequest<'_>) -> StepResult {
        parse::step_result(request)
    }

    fn status(&self, request: &WebhookRequest<'_>) -> &'static str {
        parse::status(request)
    }

    fn render(&self, reply: &Reply<'_>) -> Rendered {
        render::reply(reply)
    }

    fn refuse(&self, refusal: Refusal) -> Rendered {
        render::refusal(refusal)
    }

    fn acknowledge(&self, purpose: Purpose) -> Rendered {
        render::acknowledgement(purpose)
    }
}

#[cfg(test)]
mod vectors;
