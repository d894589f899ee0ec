//! Agents at a provider that hosts them: how they are made, and how numbers are led to them.

use serde_json::{Map, Value};

use super::numbers::{Held, Webhooks};
use super::{Account, Exchange, Fault};
use crate::e164::E164;
use crate::provider::Api;
use crate::secret::Secret;

/// An agent as it is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentSpec {
    /// What it is called at the provider: unique, so that it is found by it after a doubtful request. At most 40
    /// characters.
    pub name: String,
    /// BCP 47 tag of its language.
    pub language: Option<String>,
    /// Its first sentence.
    pub greeting: Option<String>,
    /// Its system prompt.
    pub prompt: Option<String>,
    /// The voice provider's name of its voice.
    pub voice_id: Option<String>,
    /// What the provider is told besides, in its own words: stands above what is made of the other fields.
    pub config: Map<String, Value>,
    /// Where it asks and reports.
    pub webhooks: Webhooks,
}

impl AgentSpec {
    /// `made`, the provider's document of this agent, with [`AgentSpec::config`] above it: objects are merged, all else
    /// is replaced.
    #[must_use]
    pub fn with_config(&self, made: Value) -> Value {
        let mut document = made;
        overlay(&mut document, &Value::Object(self.config.clone()));
        document
    }
}

/// Puts `above` over `below`.
fn overlay(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                overlay(below.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (below, above) => below.clone_from(above),
    }
}

/// An agent that an account has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostedAgent {
    /// The provider's id.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// The carrier that a number which is imported stays at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// Twilio: the account that has the number.
    Twilio {
        /// Its SID.
        account_sid: String,
        /// Its auth token.
        auth_token: Secret,
    },
    /// A SIP trunk, whose outbound calls go here.
    Trunk {
        /// Host, perhaps port.
        address: String,
        /// Its user, where it wants one.
        username: Option<String>,
        /// Its password.
        password: Option<Secret>,
    },
}

/// A number that a carrier has, made known to a provider of agents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// The number.
    pub number: E164,
    /// What it is called there.
    pub name: String,
    /// Where it stays.
    pub carrier: Carrier,
    /// Who answers.
    pub link: Link,
    /// Where the provider asks and reports.
    pub webhooks: Webhooks,
}

/// Who answers a number at its provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Link {
    /// The provider asks us for each call, where it can; else, and where we don't answer, this agent, if any.
    Ask {
        /// The provider's id of it.
        or: Option<String>,
    },
    /// This agent, by the provider's id.
    Agent(String),
    /// Nobody.
    None,
}

/// How agents are had at a provider that hosts them. All of it is values: see [`Exchange`].
pub trait Agents: Sync {
    /// The APIs that are asked.
    fn apis(&self) -> &'static [Api];

    /// Whether [`Link::Ask`] works there.
    fn asks(&self) -> bool;

    /// Makes an agent, and tells the provider's id of it.
    ///
    /// # Errors
    /// [`Fault::Stop`] when the account's credentials lack something.
    fn create(&self, account: &Account<'_>, agent: &AgentSpec) -> Result<Exchange<String>, Fault>;

    /// The agents of exactly this name.
    ///
    /// # Errors
    /// As [`Agents::create`].
    fn named(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Vec<HostedAgent>>, Fault>;

    /// Sets an agent anew.
    ///
    /// # Errors
    /// As [`Agents::create`].
    fn update(&self, account: &Account<'_>, id: &str, agent: &AgentSpec) -> Result<Exchange<()>, Fault>;

    /// Deletes an agent. One that isn't there any more is deleted.
    ///
    /// # Errors
    /// As [`Agents::create`].
    fn delete(&self, account: &Account<'_>, id: &str) -> Result<Exchange<()>, Fault>;

    /// Makes a carrier's number known here; one that is already is adopted, and linked as it says.
    ///
    /// # Errors
    /// As [`Agents::create`]; [`Fault::Elsewhere`] for a carrier that the provider takes no numbers of.
    fn import(&self, account: &Account<'_>, import: &Import) -> Result<Exchange<Held>, Fault>;

    /// Says who answers a number.
    ///
    /// # Errors
    /// As [`Agents::create`].
    fn link(
        &self,
        account: &Account<'_>,
        number_id: &str,
        link: &Link,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault>;

    /// Forgets a number that was imported; its carrier keeps it.
    ///
    /// # Errors
    /// As [`Agents::create`].
    fn forget(&self, account: &Account<'_>, number_id: &str) -> Result<Exchange<()>, Fault>;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_besides_stands_above_what_was_made() {
        let config =
            json!({"model": {"model": "m2", "tools": {"a": 1}}, "list": [3], "none": null, "more": 1});
        let Value::Object(config) = config else { unreachable!() };
        let webhooks = Webhooks { public_urls: Vec::new(), fallback: None };
        let agent = AgentSpec {
            name: "n".to_owned(),
            language: None,
            greeting: None,
            prompt: None,
            voice_id: None,
            config,
            webhooks,
        };
        let made =
            json!({"name": "n", "model": {"model": "m1", "messages": [1]}, "list": [1, 2], "none": {"x": 1}});
        let expected = json!({"name": "n", "model": {"model": "m2", "messages": [1], "tools": {"a": 1}},
            "list": [3], "none": null, "more": 1});
        assert_eq!(agent.with_config(made), expected);
    }
}
