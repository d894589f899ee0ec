//! Records with what can be prepared before a call comes.

use std::fmt;

use dialplane_common::feed::frame::Unreadable;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::{AccountRecord, NumberRecord, TenantRecord};
use dialplane_common::ids::AccountId;
use dialplane_common::provider::{Credential, Provider, Verifier, provider};
use jiff::tz::TimeZone;

/// A tenant and its time zone.
#[derive(Debug)]
pub struct Tenant {
    /// The record.
    pub record: TenantRecord,
    /// Its time zone.
    pub zone: TimeZone,
}

impl Tenant {
    pub(super) fn prepare(record: TenantRecord) -> Result<Self, Unreadable> {
        let zone = zone(&record.timezone)?;
        Ok(Self { record, zone })
    }
}

/// A number and its time zone.
#[derive(Debug)]
pub struct Number {
    /// The record.
    pub record: NumberRecord,
    /// The location's own time zone; absent: its tenant's.
    pub zone: Option<TimeZone>,
}

impl Number {
    pub(super) fn prepare(record: NumberRecord) -> Result<Self, Unreadable> {
        let zone = record.timezone.as_deref().map(zone).transpose()?;
        Ok(Self { record, zone })
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
