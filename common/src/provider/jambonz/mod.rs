//! jambonz's call and status webhooks, answered in its verbs.
//!
//! Sources, read 2026-11: <https://docs.jambonz.org/verbs/verbs/overview>,
//! <https://docs.jambonz.org/guides/features/call-recording>, and the program that calls us:
//! <https://github.com/jambonz/jambonz-feature-server> 0.9.8.

mod credentials;
mod parse;
mod render;
mod report;
mod verbs;
mod verify;

use serde_json::{Map, Value};

use super::credentials::{AccountCredentials, Credential, CredentialError};
use super::event::Event;
use super::reply::{Action, Refusal, Rendered, Reply};
use super::request::{ParseError, WebhookRequest};
use super::{AFTER, Claim, Kind, Provider, Verifier};
use crate::call::InboundCall;

/// The provider.
pub struct Jambonz;

impl Provider for Jambonz {
    fn name(&self) -> &'static str {
        "jambonz"
    }

    fn kinds(&self) -> &'static [Kind] {
        const KINDS: [Kind; 3] = [Kind::json("call"), Kind::json(AFTER), Kind::json("status")];
        &KINDS
    }

    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
        credentials::read(document)
    }

    fn credentials_example(&self) -> &'static str {
        r#"{"account_sid":"6bfbbe86-0000-4000-8000-000000000000","webhook_secret":"wh_secret_example"}"#
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

    /// A message is recorded without us: nothing asks.
    fn asks_within(&self, _action: &Action<'_>) -> bool {
        false
    }

    fn render(&self, reply: &Reply<'_>) -> Rendered {
        render::reply(reply)
    }

    fn refuse(&self, kind: &Kind, _call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
        render::refusal(kind.name, refusal)
    }

    fn acknowledge(&self, _kind: &Kind) -> Rendered {
        Rendered::empty(204)
    }
}

#[cfg(test)]
mod vectors;
