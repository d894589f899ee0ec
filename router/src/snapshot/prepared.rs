//! Records with what can be prepared before a call comes.
//!
//! What every call reads lies together; what few need lies behind a pointer, so that an answer touches few lines of
//! memory that no cache holds.

use std::fmt;
use std::sync::Arc;

use dialplane_common::feed::RecordHash;
use dialplane_common::feed::frame::{Frame, StoredFrames, Unreadable};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::{AccountRecord, AgentRecord, Record, TenantRecord, ToolServer};
use dialplane_common::ids::{AccountId, AgentId, IntentId, TenantId};
use dialplane_common::location::{Business, Sms};
use dialplane_common::provider::credentials::Credential;
use dialplane_common::provider::{Provider, Verifier, provider};
use dialplane_common::route::{Hours, Rule, Step};
use dialplane_common::secret::Secret;
use jiff::tz::TimeZone;

use crate::key::key_of;

/// A tenant and its time zone. What most calls ask for is here, so that it is one place in memory; the rest is apart.
#[derive(Debug)]
pub struct Tenant {
    /// Its calls are rejected while it is suspended.
    pub suspended: bool,
    /// Its time zone.
    pub zone: TimeZone,
    /// Rules for its numbers that have none.
    pub rules: Option<Box<[Rule]>>,
    /// Opening hours behind its numbers'.
    pub hours: Option<Box<Hours>>,
    /// How many calls it may have at a time.
    pub calls_max: Option<u16>,
    /// What is done with a call that is one too many.
    pub over_limit: Option<Box<[Step]>>,
    /// The ids of the business's intents, in their order.
    pub intent_ids: Box<[IntentId]>,
    /// What its agents say of it and do for it.
    pub about: Box<TenantAbout>,
}

/// What the agents of a tenant say of it and do for it.
#[derive(Debug)]
pub struct TenantAbout {
    /// The business.
    pub business: Business,
    /// The IANA time zone.
    pub timezone: Box<str>,
    /// Who does what its agents' tools ask for, and what requests to it are signed with.
    pub tool_server: Option<Box<(ToolServer, Secret)>>,
    /// How text messages are answered.
    pub sms: Sms,
}

impl Tenant {
    pub(super) fn prepare(id: TenantId, record: TenantRecord, keys: &Keyring) -> Result<Self, Unreadable> {
        let open = |server: ToolServer| {
            let opened =
                keys.open(id.as_bytes(), &server.sealed_secret).map_err(|_| Unreadable::Malformed)?;
            let secret = Secret::new(opened.expose());
            Ok(Box::new((server, secret)))
        };
        Ok(Self {
            suspended: record.suspended,
            zone: zone(&record.timezone)?,
            rules: record.rules.map(Vec::into_boxed_slice),
            hours: record.hours.map(Box::new),
            calls_max: record.calls_max,
            over_limit: record.over_limit.map(Vec::into_boxed_slice),
            intent_ids: record.intent_ids.into(),
            about: Box::new(TenantAbout {
                business: record.business,
                timezone: record.timezone.into(),
                tool_server: record.tool_server.map(open).transpose()?,
                sms: record.sms,
            }),
        })
    }

    /// The record that it was prepared from.
    pub(super) fn record(&self) -> TenantRecord {
        TenantRecord {
            business: self.about.business.clone(),
            suspended: self.suspended,
            timezone: self.about.timezone.to_string(),
            hours: self.hours.as_deref().cloned(),
            rules: self.rules.as_deref().map(<[Rule]>::to_vec),
            calls_max: self.calls_max,
            tool_server: self.about.tool_server.as_ref().map(|known| known.0.clone()),
            sms: self.about.sms.clone(),
            intent_ids: self.intent_ids.to_vec(),
            over_limit: self.over_limit.as_deref().map(<[Step]>::to_vec),
        }
    }
}

/// An account with its keys ready for verifying.
pub struct Account {
    /// The record, secrets sealed.
    pub record: AccountRecord,
    /// The provider.
    pub provider: &'static dyn Provider,
    /// The keys.
    pub verifier: Box<dyn Verifier>,
}

impl Account {
    pub(super) fn prepare(id: AccountId, record: AccountRecord, keys: &Keyring) -> Result<Self, Unreadable> {
        let provider = provider(&record.provider).ok_or(Unreadable::Malformed)?;
        let opened =
            keys.open(id.as_bytes(), &record.sealed_credentials).map_err(|_| Unreadable::Malformed)?;
        let credentials: Vec<Credential> =
            postcard::from_bytes(opened.expose()).map_err(|_| Unreadable::Malformed)?;
        Ok(Self { provider, verifier: provider.verifier(&credentials), record })
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("record", &self.record).finish_non_exhaustive()
    }
}

/// A record of a whole state, ready for its slot.
#[derive(Debug)]
pub(super) enum Prepared {
    Tenant(TenantId, Arc<Tenant>),
    Agent(AgentId, Arc<AgentRecord>),
    Account(AccountId, Arc<Account>),
    /// Any other, one that can't be read included: as a stored frame.
    Other(Vec<u8>),
}

impl Prepared {
    pub fn of(hash: RecordHash, frame: &Frame<'_>, keys: &Keyring) -> Self {
        let prepared = frame.record().and_then(|record| {
            Ok(match record {
                Some(Record::Tenant(id, record)) => {
                    Self::Tenant(id, Arc::new(Tenant::prepare(id, record, keys)?))
                }
                Some(Record::Agent(id, record)) => Self::Agent(id, Arc::new(record)),
                Some(Record::Account(id, record)) => {
                    Self::Account(id, Arc::new(Account::prepare(id, record, keys)?))
                }
                _ => return Err(Unreadable::Key),
            })
        });
        prepared.unwrap_or_else(|_| {
            let mut bytes = Vec::new();
            StoredFrames::write(hash, frame, &mut bytes);
            Self::Other(bytes)
        })
    }
}

/// A zone that this program doesn't know makes its record unreadable: guessing another would open and close at the
/// wrong hours.
pub(super) fn zone(name: &str) -> Result<TimeZone, Unreadable> {
    TimeZone::get(name).map_err(|_| Unreadable::Malformed)
}

/// The key of a provider's name for an account.
pub(super) fn external_key(provider: &str, external_id: &str) -> u128 {
    key_of(&(provider, external_id))
}

/// The key of a provider's name for a number of an account.
pub(super) fn number_id_key(account: AccountId, number_id: &str) -> u128 {
    key_of(&(account, number_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialplane_common::route::{Condition, Step};
    use uuid::Uuid;

    #[test]
    fn a_tenants_record_comes_back_as_it_was() {
        let id = |number| TenantId(Uuid::from_u128(number));
        let keys = Keyring::feed("a-feed-key-of-some-length").unwrap();
        let rules = Some(vec![Rule { when: Condition::default(), then: vec![Step::Reject { busy: true }] }]);
        let tenant = TenantRecord {
            business: Business { name: "Sparkle".into(), ..Business::default() },
            suspended: true,
            timezone: "UTC".into(),
            hours: Some(Hours::default()),
            rules,
            calls_max: None,
            tool_server: Some(ToolServer {
                url: "https://tools.example/".into(),
                timeout_ms: 5_000,
                concurrency_max: 20,
                sealed_secret: keys.seal([7; 24], id(2).as_bytes(), b"secret"),
            }),
            sms: Sms { reply_open: Some("Hello".into()), ..Sms::default() },
            intent_ids: vec![IntentId(Uuid::from_u128(4))],
            over_limit: Some(vec![Step::Reject { busy: true }]),
        };
        let prepared = Tenant::prepare(id(2), tenant.clone(), &keys).unwrap();
        assert_eq!(prepared.record(), tenant);
        assert_eq!(prepared.about.tool_server.unwrap().1, Secret::new("secret"));
        assert!(Tenant::prepare(id(3), tenant, &keys).is_err(), "sealed for another tenant");
    }
}
