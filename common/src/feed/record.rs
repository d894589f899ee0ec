//! The records that routers need, as the admin plane compiled them.
//!
//! A record is whole: what a router does with it never depends on the record it replaces. References between
//! records are ids, looked up when a call comes, so that a change costs by its own size.

use serde::{Deserialize, Serialize};

use crate::e164::{E164, Prefix};
use crate::ids::{AccountId, AgentId, IntentId, PhoneNumberId, TenantId};
use crate::location::{Business, Place, Profile, Sms, SparseProfile};
use crate::route::{Hours, Rule, Step};
use crate::time::UnixSeconds;

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
    /// A block of numbers that are one location, by what they begin with.
    Range(Prefix, NumberRecord),
    /// A bearer token, by its hash.
    Token(TokenHash, TokenRecord),
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
    /// How agents speak where nobody else says.
    pub profile: Profile,
    /// How text messages are answered where nobody else says.
    pub sms: Sms,
    /// What is done with a call that is one too many, where nobody else says.
    pub over_limit: Option<Vec<Step>>,
}

/// A business.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TenantRecord {
    /// What its agents say of it.
    pub business: Business,
    /// Its calls are rejected while it is suspended.
    pub suspended: bool,
    /// IANA time zone of its locations that have none of their own.
    pub timezone: String,
    /// Opening hours behind its numbers'.
    pub hours: Option<Hours>,
    /// Rules for its numbers that have none.
    pub rules: Option<Vec<Rule>>,
    /// How many calls it may have at a time; absent: any number.
    pub calls_max: Option<u16>,
    /// Who does what its agents' tools ask for, beyond the built-in ones.
    pub tool_server: Option<ToolServer>,
    /// How text messages to its numbers are answered.
    pub sms: Sms,
    /// The ids of the business's intents, in their order.
    pub intent_ids: Vec<IntentId>,
    /// What is done with a call that is one too many: a step and what follows when it fails. Absent: the platform's.
    pub over_limit: Option<Vec<Step>>,
}

impl TenantRecord {
    /// A tenant that sets nothing but its name and time zone.
    #[must_use]
    pub fn new(name: impl Into<String>, timezone: impl Into<String>) -> Self {
        Self {
            business: Business { name: name.into(), ..Business::default() },
            suspended: false,
            timezone: timezone.into(),
            hours: None,
            rules: None,
            calls_max: None,
            tool_server: None,
            sms: Sms::default(),
            intent_ids: Vec::new(),
            over_limit: None,
        }
    }
}

/// A tenant's server that its agents' tool calls are forwarded to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToolServer {
    /// An absolute `https` URL; or `http`, which routers call only where their own settings allow it.
    pub url: String,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms: u16,
    /// How many requests it takes at a time.
    pub concurrency_max: u16,
    /// What requests to it are signed with, sealed for the tenant's id.
    pub sealed_secret: Vec<u8>,
}

/// Credentials at one provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountRecord {
    /// Whose account it is; absent: the platform's.
    pub tenant_id: Option<TenantId>,
    /// The provider's name, as in the webhook paths.
    pub provider: String,
    /// The provider's name of the account, which its webhooks claim (Twilio's AccountSid); may be empty.
    pub external_id: String,
    /// The calling code of numbers that the provider writes in their national form; absent: it writes none so.
    pub calling_code: Option<u16>,
    /// Whether webhooks have to prove that they come from it.
    pub signature_policy: SignaturePolicy,
    /// A list of [`crate::provider::credentials::Credential`]s, encoded with postcard and sealed for the account's id.
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
    /// Whose agent it is; [`PLATFORM`]: the platform's, which tenants share.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// How it speaks where its location doesn't say.
    pub profile: SparseProfile,
    /// How a call reaches it.
    pub target: AgentTarget,
    /// Counted up by each change of it.
    pub version: u32,
    /// Which of the business's intents it knows; empty: all.
    pub intent_ids: Vec<IntentId>,
}

/// Stands for the owner of what tenants share, where a record names an owner.
pub const PLATFORM: TenantId = TenantId(uuid::Uuid::nil());

impl AgentRecord {
    /// An agent of which nothing is set beyond how it is reached.
    #[must_use]
    pub fn new(tenant_id: TenantId, name: impl Into<String>, target: AgentTarget) -> Self {
        Self {
            tenant_id,
            name: name.into(),
            profile: SparseProfile::default(),
            target,
            version: 0,
            intent_ids: Vec::new(),
        }
    }

    /// Whether it may answer this tenant's calls. Who may use a shared one was checked when it was named.
    #[must_use]
    pub fn serves(&self, tenant: TenantId) -> bool {
        self.tenant_id == tenant || self.tenant_id == PLATFORM
    }
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
    /// An agent at a provider of voice agents.
    Hosted(Box<HostedAgent>),
}

/// An agent at a provider of voice agents.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostedAgent {
    /// The provider's name, as in the webhook paths.
    pub provider: String,
    /// The provider's name of the agent (Vapi's assistant id).
    pub id: String,
    /// Which version of it; absent: the one that the provider chooses.
    pub version: Option<String>,
    /// A SIP URI at which the provider takes calls for it, from carriers that can't hand calls over otherwise.
    pub sip_uri: Option<String>,
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
    /// What agents say of the location.
    pub place: Place,
    /// The location's IANA time zone; absent: its tenant's.
    pub timezone: Option<String>,
    /// Whoever answers where a rule names nobody.
    pub agent_id: Option<AgentId>,
    /// The accounts whose webhooks may speak of it.
    pub bindings: Vec<Binding>,
    /// Its own opening hours.
    pub hours: Option<Hours>,
    /// Its own rules; absent: its tenant's.
    pub rules: Option<Vec<Rule>>,
    /// How many calls it may have at a time; absent: any number.
    pub calls_max: Option<u16>,
    /// How text messages to it are answered.
    pub sms: Sms,
    /// What is done with a call that is one too many; absent: as its tenant says.
    pub over_limit: Option<Vec<Step>>,
}

impl NumberRecord {
    /// An active number that sets nothing itself and that no account may speak of yet.
    #[must_use]
    pub fn new(id: PhoneNumberId, tenant_id: TenantId) -> Self {
        Self {
            id,
            tenant_id,
            active: true,
            place: Place::default(),
            timezone: None,
            agent_id: None,
            bindings: Vec::new(),
            hours: None,
            rules: None,
            calls_max: None,
            sms: Sms::default(),
            over_limit: None,
        }
    }
}

/// What ties a number to an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Binding {
    /// The account.
    pub account: AccountId,
    /// The provider's own name of the number, where its webhooks use one (Vapi's `phoneNumberId`).
    pub number_id: Option<String>,
}

impl From<AccountId> for Binding {
    fn from(account: AccountId) -> Self {
        Self { account, number_id: None }
    }
}

/// A bearer token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Whose it is.
    pub holder: TokenHolder,
    /// When it ceases to be good; absent: when it is taken back.
    pub expires_at: Option<UnixSeconds>,
}

/// Whoever may ask the router with a bearer token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TokenHolder {
    /// A tenant's developer: routes of the tenant's numbers.
    Tenant(TenantId),
    /// An agent: the settings of the numbers that it answers. One of the [`PLATFORM`] answers several tenants'.
    Agent(TenantId, AgentId),
    /// An operator: everything.
    Operator,
}

/// SHA-256 of a token. Tokens are random and long, so their hash is as good as they are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The hash of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(token.as_bytes()).into())
    }
}
