//! The records that routers need, as the admin plane compiled them.
//!
//! A record is whole: what a router does with it never depends on the record it replaces. References between
//! records are ids, looked up when a call comes, so that a change costs by its own size.

use serde::{Deserialize, Serialize};

use crate::e164::E164;
use crate::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use crate::route::{Hours, Rule};

/// One record with its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// What holds for all tenants; there is one.
    Platform(PlatformRecord),
    /// A business.
    Tenant(TenantId, TenantRecord),
    /// Credentials at one provider.
    Account(AccountId, AccountRecord),
    /// Whoever answers.
    Agent(AgentId, AgentRecord),
    /// A phone number, by its address.
    Number(E164, NumberRecord),
}

/// What holds for all tenants.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PlatformRecord {
    /// Opening hours behind every tenant's.
    pub hours: Option<Hours>,
    /// Rules for numbers whose tenant has none.
    pub rules: Option<Vec<Rule>>,
    /// Who takes calls for numbers that nobody has; absent: they are rejected.
    pub unknown_numbers: Option<TenantId>,
}

/// A business.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TenantRecord {
    /// Its name.
    pub name: String,
    /// Its calls are rejected while it is suspended.
    pub suspended: bool,
    /// IANA time zone of its locations that have none of their own.
    pub timezone: String,
    /// Opening hours behind its numbers'.
    pub hours: Option<Hours>,
    /// Rules for its numbers that have none.
    pub rules: Option<Vec<Rule>>,
}

/// Credentials at one provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountRecord {
    /// Whose account it is; absent: the platform's.
    pub tenant_id: Option<TenantId>,
    /// The provider's name, as in the webhook paths.
    pub provider: String,
    /// The provider's name of the account, which its webhooks claim (Twilio's AccountSid).
    pub external_id: String,
    /// Whether webhooks have to prove that they come from it.
    pub signature_policy: SignaturePolicy,
    /// A list of [`crate::provider::Credential`]s, encoded with postcard and sealed for the account's id.
    pub sealed_credentials: Vec<u8>,
}

/// Whether a webhook has to prove where it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum SignaturePolicy {
    /// What isn't signed right is refused.
    #[default]
    Enforce,
    /// It is answered, counted and logged.
    Observe,
    /// It is answered; nothing is checked.
    Off,
}

/// Whoever answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Whose agent it is.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// BCP 47 tag of the language it speaks.
    pub language: String,
    /// How a call reaches it.
    pub target: AgentTarget,
}

/// How a call reaches an agent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum AgentTarget {
    /// A WebSocket that takes the call's audio: an absolute `wss` URL.
    Stream {
        /// The URL.
        url: String,
    },
    /// A SIP endpoint.
    Sip {
        /// Its URI.
        uri: String,
    },
    /// A server that answers in the provider's own words: an absolute `https` URL.
    Redirect {
        /// The URL.
        url: String,
    },
}

/// A phone number, which is also one of its tenant's locations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NumberRecord {
    /// Its id.
    pub id: PhoneNumberId,
    /// Whose number it is.
    pub tenant_id: TenantId,
    /// Whether its calls are routed.
    pub active: bool,
    /// The location's name.
    pub display_name: String,
    /// The location's IANA time zone; absent: its tenant's.
    pub timezone: Option<String>,
    /// Whoever answers where a rule names nobody.
    pub agent_id: Option<AgentId>,
    /// The accounts whose webhooks may speak of it.
    pub accounts: Vec<AccountId>,
    /// Its own opening hours.
    pub hours: Option<Hours>,
    /// Its own rules; absent: its tenant's.
    pub rules: Option<Vec<Rule>>,
}
