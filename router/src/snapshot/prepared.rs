//! Records with what can be prepared before a call comes.
//!
//! What every call reads lies together; what few need lies behind a pointer, so that an answer touches few lines of
//! memory that no cache holds.

use std::fmt;

use dialplane_common::feed::frame::Unreadable;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::{AccountRecord, NumberRecord, TenantRecord};
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use dialplane_common::provider::{Credential, Provider, Verifier, provider};
use dialplane_common::route::{Hours, Rule};
use jiff::tz::TimeZone;

/// A tenant and its time zone.
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
    /// Its name and its zone's.
    pub names: Box<TenantNames>,
}

/// What people call a tenant and its time zone.
#[derive(Debug)]
pub struct TenantNames {
    /// The tenant.
    pub name: String,
    /// The IANA time zone.
    pub timezone: String,
}

impl Tenant {
    pub(super) fn prepare(record: TenantRecord) -> Result<Self, Unreadable> {
        Ok(Self {
            suspended: record.suspended,
            zone: zone(&record.timezone)?,
            rules: record.rules.map(Vec::into_boxed_slice),
            hours: record.hours.map(Box::new),
            names: Box::new(TenantNames { name: record.name, timezone: record.timezone }),
        })
    }

    /// The record that it was prepared from.
    pub(super) fn record(&self) -> TenantRecord {
        TenantRecord {
            name: self.names.name.clone(),
            suspended: self.suspended,
            timezone: self.names.timezone.clone(),
            hours: self.hours.as_deref().cloned(),
            rules: self.rules.as_deref().map(<[Rule]>::to_vec),
        }
    }
}

/// A number and its time zone.
#[derive(Debug)]
pub struct Number {
    /// Its id.
    pub id: PhoneNumberId,
    /// Whose number it is.
    pub tenant_id: TenantId,
    /// Whoever answers where a rule names nobody.
    pub agent_id: Option<AgentId>,
    /// Whether its calls are routed.
    pub active: bool,
    /// The location's own time zone; absent: its tenant's.
    pub zone: Option<TimeZone>,
    /// Its own rules; absent: its tenant's.
    pub rules: Option<Box<[Rule]>>,
    /// Its own opening hours.
    pub hours: Option<Box<Hours>>,
    accounts: Accounts,
    /// Its location's name, and its zone's.
    pub names: Option<Box<NumberNames>>,
}

/// What people call a location and its time zone.
#[derive(Debug)]
pub struct NumberNames {
    /// The location.
    pub display_name: String,
    /// The IANA time zone; absent: its tenant's.
    pub timezone: Option<String>,
}

/// The accounts whose webhooks may speak of a number: one, nearly always.
#[derive(Debug)]
enum Accounts {
    One(AccountId),
    Several(Box<[AccountId]>),
}

impl Number {
    pub(super) fn prepare(record: NumberRecord) -> Result<Self, Unreadable> {
        let names = NumberNames { display_name: record.display_name, timezone: record.timezone };
        let named = !names.display_name.is_empty() || names.timezone.is_some();
        Ok(Self {
            id: record.id,
            tenant_id: record.tenant_id,
            agent_id: record.agent_id,
            active: record.active,
            zone: names.timezone.as_deref().map(zone).transpose()?,
            rules: record.rules.map(Vec::into_boxed_slice),
            hours: record.hours.map(Box::new),
            accounts: match *record.accounts {
                [account] => Accounts::One(account),
                _ => Accounts::Several(record.accounts.into()),
            },
            names: named.then(|| Box::new(names)),
        })
    }

    /// The record that it was prepared from.
    pub(super) fn record(&self) -> NumberRecord {
        NumberRecord {
            id: self.id,
            tenant_id: self.tenant_id,
            active: self.active,
            display_name: self.names.as_ref().map(|names| names.display_name.clone()).unwrap_or_default(),
            timezone: self.names.as_ref().and_then(|names| names.timezone.clone()),
            agent_id: self.agent_id,
            accounts: self.accounts().to_vec(),
            hours: self.hours.as_deref().cloned(),
            rules: self.rules.as_deref().map(<[Rule]>::to_vec),
        }
    }

    /// The accounts whose webhooks may speak of it.
    #[must_use]
    pub const fn accounts(&self) -> &[AccountId] {
        match &self.accounts {
            Accounts::One(account) => std::slice::from_ref(account),
            Accounts::Several(accounts) => accounts,
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

/// A zone that this program doesn't know makes its record unreadable: guessing another would open and close at the
/// wrong hours.
fn zone(name: &str) -> Result<TimeZone, Unreadable> {
    TimeZone::get(name).map_err(|_| Unreadable::Malformed)
}

/// The key of a provider's name for an account.
pub(super) fn external_key(provider: &str, external_id: &str) -> u128 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, provider, external_id).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialplane_common::route::{Condition, Step};
    use uuid::Uuid;

    #[test]
    fn records_come_back_as_they_were() {
        let id = |number| Uuid::from_u128(number);
        let rules = Some(vec![Rule { when: Condition::default(), then: vec![Step::Reject { busy: true }] }]);
        let mut number = NumberRecord {
            id: PhoneNumberId(id(1)),
            tenant_id: TenantId(id(2)),
            active: true,
            display_name: String::new(),
            timezone: None,
            agent_id: Some(AgentId(id(3))),
            accounts: vec![AccountId(id(4))],
            hours: None,
            rules: None,
        };
        assert_eq!(Number::prepare(number.clone()).unwrap().record(), number);
        number.accounts = vec![];
        assert_eq!(Number::prepare(number.clone()).unwrap().record(), number);
        number.accounts = vec![AccountId(id(4)), AccountId(id(5))];
        (number.timezone, number.display_name) = (Some("Europe/Berlin".into()), "Mitte".into());
        (number.hours, number.rules) = (Some(Hours::default()), rules.clone());
        assert_eq!(Number::prepare(number.clone()).unwrap().record(), number);
        let tenant = TenantRecord {
            name: "Sparkle".into(),
            suspended: true,
            timezone: "UTC".into(),
            hours: Some(Hours::default()),
            rules,
        };
        assert_eq!(Tenant::prepare(tenant.clone()).unwrap().record(), tenant);
    }
}
