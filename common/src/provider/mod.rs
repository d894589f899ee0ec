//! The providers' webhook protocols: bytes in, bytes out.
//!
//! A provider is one folder below this one and its line in [`PROVIDERS`]; nobody outside its folder asks which
//! provider it is. It does no I/O, so the router calls it on its hot path and a test calls it without a server. The
//! folder's `README.md` says what to set at the provider and what is answered.

mod age;
mod agent_facts;
mod cost_stages;
pub mod credentials;
mod decimal;
pub mod documents;
pub mod event;
pub mod headers;
mod hmac_sha1;
mod hmac_sha256;
mod instant;
mod json_text;
mod jwt;
mod literal;
mod number;
pub mod public_url;
pub mod reply;
pub mod request;
pub mod samples;
pub mod xml;

mod bandwidth;
mod bland;
mod elevenlabs;
mod jambonz;
mod livekit;
mod plivo;
mod retell;
mod signalwire;
mod telnyx;
mod twilio;
mod twiml;
pub mod twiml_form;
mod twiml_report;
mod vapi;
mod vonage;

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod hostile;
#[cfg(test)]
mod rest_conformance;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod well_formed;

use std::borrow::Cow;

use credentials::{AccountCredentials, Credential, CredentialError};
use event::{Event, ToolResult};
use reply::{Action, Refusal, Rendered, Reply};
use request::{ParseError, VerifyError, WebhookRequest};
use serde_json::{Map, Value};

use crate::call::InboundCall;
pub use crate::form;
use crate::location::MessageAnswer;
use crate::rest::agents::Agents;
use crate::rest::numbers::Numbers;
use crate::rest::porting::Porting;
use crate::rest::subaccounts::Subaccounts;
use crate::time::UnixMillis;

/// All providers.
pub static PROVIDERS: &[&dyn Provider] = &[
    &bandwidth::Bandwidth,
    &bland::Bland,
    &elevenlabs::ElevenLabs,
    &jambonz::Jambonz,
    &livekit::LiveKit,
    &plivo::Plivo,
    &retell::Retell,
    &signalwire::SignalWire,
    &telnyx::Telnyx,
    &twilio::Twilio,
    &vapi::Vapi,
    &vonage::Vonage,
];

/// The provider of this name, as it stands in webhook paths and account records.
#[must_use]
pub fn provider(name: &str) -> Option<&'static dyn Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.name() == name)
}

/// The kind of webhook by which a provider asks what follows a step of a route, where it can.
pub const AFTER: &str = "after";

/// A kind of webhook that a provider sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// Its segment of the path.
    pub name: &'static str,
    /// How large its bodies may be.
    pub size: Size,
    /// What its bodies are.
    pub body: Body,
    /// Whether the provider may send it as a GET, with its parameters in the query.
    pub get: bool,
}

impl Kind {
    /// A kind whose bodies are forms that a decision is made from; GET as well.
    #[must_use]
    pub const fn form(name: &'static str) -> Self {
        Self { name, size: Size::Decision, body: Body::Form, get: true }
    }

    /// A kind whose bodies are JSON that a decision is made from; no GET.
    #[must_use]
    pub const fn json(name: &'static str) -> Self {
        Self { name, size: Size::Decision, body: Body::Json, get: false }
    }

    /// A kind whose bodies are JSON and may hold a whole conversation; no GET.
    #[must_use]
    pub const fn event(name: &'static str) -> Self {
        Self { name, size: Size::Event, body: Body::Json, get: false }
    }
}

/// How large a kind's bodies may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// A decision is made from them: small.
    Decision,
    /// They may hold whole conversations.
    Event,
}

/// What a kind's bodies are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// Forms.
    Form,
    /// JSON.
    Json,
    /// Either, as the request says.
    FormOrJson,
}

/// Which account a webhook claims to come from, before anything is proven.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claim<'a> {
    /// The provider's name of the account.
    pub external_id: Option<Cow<'a, str>>,
    /// The called address.
    pub to: Option<Cow<'a, str>>,
}

/// One provider's webhook protocol.
pub trait Provider: Sync {
    /// Its name in paths, records and metrics.
    fn name(&self) -> &'static str;

    /// The kinds of webhooks that it sends.
    fn kinds(&self) -> &'static [Kind];

    /// Reads the credentials of an account at this provider.
    ///
    /// # Errors
    /// The first field that isn't right, and what is wanted there.
    fn credentials(&self, document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError>;

    /// The smallest credentials of an account at this provider, as an example for people: a JSON object, its ids and
    /// secrets made up.
    fn credentials_example(&self) -> &'static str {
        "{}"
    }

    /// Prepares an account's secrets for verifying; credentials of kinds that it doesn't know are passed over.
    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier>;

    /// Which account the request claims to come from.
    fn claim<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Claim<'r>;

    /// What the request says.
    ///
    /// # Errors
    /// [`ParseError`], naming the parameter that is missing or wrong.
    fn event<'r>(&self, kind: &Kind, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError>;

    /// Whether it has a way to do this; a chain's steps that it can't do are passed over.
    fn can(&self, action: &Action<'_>) -> bool {
        !matches!(action, Action::Hosted { .. })
    }

    /// Whether the provider has to ask again while this is done, even when nothing follows.
    fn asks_within(&self, action: &Action<'_>) -> bool {
        matches!(action, Action::Voicemail { .. })
    }

    /// The [contexts](InboundCall::context) of calls that are answered in different languages, one for each.
    fn contexts(&self) -> &'static [&'static str] {
        &[""]
    }

    /// The answer to a call. What the provider can't do becomes the nearest that it can.
    fn render(&self, reply: &Reply<'_>) -> Rendered;

    /// The answer to a call, or another request for a decision, that isn't answered although it is well-formed and
    /// proven.
    fn refuse(&self, kind: &Kind, call: &InboundCall<'_>, refusal: Refusal) -> Rendered;

    /// The answer to a text message. A provider that takes none in its answers' words only acknowledges it.
    fn answer_message(&self, kind: &Kind, message: &InboundCall<'_>, answer: &MessageAnswer<'_>) -> Rendered {
        let _ = (message, answer);
        self.acknowledge(kind)
    }

    /// The answer to a request that needs none.
    fn acknowledge(&self, kind: &Kind) -> Rendered;

    /// The answer to [`Event::Tools`], one result for each call and in its order.
    fn tool_results(&self, results: &[ToolResult]) -> Rendered {
        let _ = results;
        Rendered::empty(204)
    }

    /// Where the provider takes over calls that come in at `carrier`, for agents that it hosts: an absolute URL for a
    /// redirect in the carrier's words.
    fn entry(&self, carrier: &str) -> Option<&'static str> {
        let _ = carrier;
        None
    }

    /// The API to which [`reply::Command`]s are sent, where there are any.
    fn api(&self) -> Option<Api> {
        None
    }

    /// How numbers are had there, where they are by REST.
    fn numbers(&self) -> Option<&'static dyn Numbers> {
        None
    }

    /// How accounts below an account are had there, where they are by REST.
    fn subaccounts(&self) -> Option<&'static dyn Subaccounts> {
        None
    }

    /// How numbers are brought there from other carriers, where it says whether they can be.
    fn porting(&self) -> Option<&'static dyn Porting> {
        None
    }

    /// How agents are had there, where it hosts them.
    fn agents(&self) -> Option<&'static dyn Agents> {
        None
    }
}

/// A provider's REST API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Api {
    /// The environment variable that names another base URL.
    pub base_setting: &'static str,
    /// Its base URL, without a slash at the end.
    pub base: &'static str,
}

/// An account's secrets, prepared.
pub trait Verifier: Send + Sync {
    /// Checks that the provider signed this request with one of the account's secrets.
    ///
    /// `now` is a parameter so that tests choose it.
    ///
    /// # Errors
    /// See [`VerifyError`]; never panics on any bytes.
    fn verify(&self, kind: &Kind, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError>;

    /// The answer to [`Event::Token`]; `None` when the account has no such tokens.
    fn token(&self, now: UnixMillis) -> Option<Rendered> {
        let _ = now;
        None
    }

    /// The `Authorization` header's value for the provider's API, where the account has one.
    fn authorization(&self) -> Option<&str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn each_folder_is_a_provider_with_a_page() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider");
        let folders: BTreeSet<String> = std::fs::read_dir(&here)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        let names: BTreeSet<String> = PROVIDERS.iter().map(|provider| provider.name().to_owned()).collect();
        assert_eq!(folders, names);
        for name in names {
            let page = std::fs::read_to_string(here.join(&name).join("README.md")).unwrap_or_default();
            for kind in provider(&name).unwrap().kinds() {
                assert!(page.contains(&format!("/webhooks/{name}/{}", kind.name)), "{name} {}", kind.name);
            }
        }
    }
}
