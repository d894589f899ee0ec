//! Records with what can be prepared before a call comes.
//!
//! What every call reads lies together; what few need lies behind a pointer, so that an answer touches few lines of
//! memory that no cache holds.

use std::fmt;

use dialplane_common::feed::frame::Unreadable;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::{AccountRecord, Binding, NumberRecord, TenantRecord, ToolServer};
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use dialplane_common::location::{Business, Place};
use dialplane_common::provider::credentials::Credential;
use dialplane_common::provider::{Provider, Verifier, provider};
use dialplane_common::route::{Hours, Rule};
use dialplane_common::secret::Secret;
use jiff::tz::TimeZone;

use crate::key::key_of;

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
    /// How many calls it may have at a time.
    pub calls_max: Option<u16>,
    /// What its agents say of it and do for it.
    pub about: Box<TenantAbout>,
}

/// What the agents of a tenant say of it and do for it.
#[derive(Debug)]
pub struct TenantAbout {
    /// The business.
    pub business: Business,
    /// The IANA time zone.
    pub timezone: String,
    /// Who does what its agents' tools ask for, and what requests to it are signed with.
    pub tool_server: Option<(ToolServer, Secret)>,
}

impl Tenant {
    pub(super) fn prepare(id: TenantId, record: TenantRecord, keys: &Keyring) -> Result<Self, Unreadable> {
        let open = |server: ToolServer| {
            let opened =
                keys.open(id.as_bytes(), &server.sealed_secret).map_err(|_| Unreadable::Malformed)?;
            let secret = Secret::new(opened.expose());
            Ok((server, secret))
        };
        Ok(Self {
            suspended: record.suspended,
            zone: zone(&record.timezone)?,
            rules: record.rules.map(Vec::into_boxed_slice),
            hours: record.hours.map(Box::new),
            calls_max: record.calls_max,
            about: Box::new(TenantAbout {
                business: record.business,
                timezone: record.timezone,
                tool_server: record.tool_server.map(open).transpose()?,
            }),
        })
    }

    /// The record that it was prepared from.
    pub(super) fn record(&self) -> TenantRecord {
        TenantRecord {
            business: self.about.business.clone(),
            suspended: self.suspended,
            timezone: self.about.timezone.clone(),
            hours: self.hours.as_deref().cloned(),
            rules: self.rules.as_deref().map(<[Rule]>::to_vec),
            calls_max: self.calls_max,
            tool_server: self.about.tool_server.as_ref().map(|(server, _)| server.clone()),
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
    /// How many calls it may have at a time.
    pub calls_max: Option<u16>,
    accounts: Accounts,
    /// What few calls need.
    about: Option<Box<NumberAbout>>,
}

/// What few calls need of a number.
#[derive(PartialEq, Eq, Debug, Default)]
struct NumberAbout {
    place: Place,
    timezone: Option<String>,
    /// The provider's name of the number by account, in the order of the accounts; empty: it has none.
    number_ids: Box<[Option<String>]>,
}

/// The accounts whose webhooks may speak of a number: one, nearly always.
#[derive(Debug)]
enum Accounts {
    One(AccountId),
    Several(Box<[AccountId]>),
}

impl Number {
    pub(super) fn prepare(record: NumberRecord) -> Result<Self, Unreadable> {
        let accounts = match *record.bindings {
            [Binding { account, .. }] => Accounts::One(account),
            _ => Accounts::Several(record.bindings.iter().map(|binding| binding.account).collect()),
        };
        let named = record.bindings.iter().any(|binding| binding.number_id.is_some());
        let number_ids =
            record.bindings.into_iter().map(|binding| binding.number_id).filter(|_| named).collect();
        let zone = record.timezone.as_deref().map(zone).transpose()?;
        let about = NumberAbout { place: record.place, timezone: record.timezone, number_ids };
        Ok(Self {
            id: record.id,
            tenant_id: record.tenant_id,
            agent_id: record.agent_id,
            active: record.active,
            zone,
            rules: record.rules.map(Vec::into_boxed_slice),
            hours: record.hours.map(Box::new),
            calls_max: record.calls_max,
            accounts,
            about: (about != NumberAbout::default()).then(|| Box::new(about)),
        })
    }

    /// The record that it was prepared from.
    pub(super) fn record(&self) -> NumberRecord {
        let number_ids = self.about.as_ref().map_or(&[][..], |about| &about.number_ids);
        let bindings = self.accounts().iter().enumerate().map(|(index, account)| Binding {
            account: *account,
            number_id: number_ids.get(index).cloned().flatten(),
        });
        NumberRecord {
            id: self.id,
            tenant_id: self.tenant_id,
            active: self.active,
            place: self.place().cloned().unwrap_or_default(),
            timezone: self.timezone().map(str::to_owned),
            agent_id: self.agent_id,
            bindings: bindings.collect(),
            hours: self.hours.as_deref().cloned(),
            rules: self.rules.as_deref().map(<[Rule]>::to_vec),
            calls_max: self.calls_max,
        }
    }

    /// What agents say of the location; absent when nothing is set.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.about.as_ref().map(|about| &about.place)
    }

    /// Its own IANA time zone.
    #[must_use]
    pub fn timezone(&self) -> Option<&str> {
        self.about.as_ref().and_then(|about| about.timezone.as_deref())
    }

    /// The providers' names of it, with the accounts that use them.
    pub(super) fn number_ids(&self) -> impl Iterator<Item = (AccountId, &str)> {
        let number_ids = self.about.as_ref().map_or(&[][..], |about| &about.number_ids);
        self.accounts().iter().zip(number_ids).filter_map(|(account, id)| Some((*account, id.as_deref()?)))
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
    fn records_come_back_as_they_were() {
        let id = |number| Uuid::from_u128(number);
        let binding = |number, number_id: Option<&str>| Binding {
            account: AccountId(id(number)),
            number_id: number_id.map(str::to_owned),
        };
        let rules = Some(vec![Rule { when: Condition::default(), then: vec![Step::Reject { busy: true }] }]);
        let mut number = NumberRecord {
            id: PhoneNumberId(id(1)),
            tenant_id: TenantId(id(2)),
            active: true,
            place: Place::default(),
            timezone: None,
            agent_id: Some(AgentId(id(3))),
            bindings: vec![binding(4, None)],
            hours: None,
            rules: None,
            calls_max: Some(3),
        };
        let check =
            |number: &NumberRecord| assert_eq!(Number::prepare(number.clone()).unwrap().record(), *number);
        check(&number);
        assert!(Number::prepare(number.clone()).unwrap().about.is_none(), "nothing set costs nothing");
        number.bindings = vec![binding(4, Some("PN1"))];
        check(&number);
        number.bindings = vec![];
        check(&number);
        number.bindings = vec![binding(4, None), binding(5, Some("5a5a"))];
        number.timezone = Some("Europe/Berlin".into());
        number.place = Place { display_name: "Mitte".into(), ..Place::default() };
        (number.hours, number.rules) = (Some(Hours::default()), rules.clone());
        check(&number);
        let keys = Keyring::feed("a-feed-key-of-some-length").unwrap();
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
        };
        let prepared = Tenant::prepare(TenantId(id(2)), tenant.clone(), &keys).unwrap();
        assert_eq!(prepared.record(), tenant);
        assert_eq!(prepared.about.tool_server.unwrap().1, Secret::new("secret"));
        assert!(Tenant::prepare(TenantId(id(3)), tenant, &keys).is_err(), "sealed for another tenant");
    }
}
