//! All that a router needs, at one revision. Immutable once it is served.

mod ahead;
mod apply;
pub mod file;
mod load;
mod map;
mod number;
mod numbers;
mod plan;
mod prefetch;
mod prepared;
mod slots;
mod store;
mod trie;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use ahead::NUMBERS_AT_A_TIME;
pub use apply::ApplyError;
use dialplane_common::e164::{E164, Prefix};
use dialplane_common::feed::record::{AgentRecord, PlatformRecord, TokenHash, TokenRecord};
use dialplane_common::feed::report::Serving;
use dialplane_common::feed::{Digest, Epoch, RecordHash, Revision};
use dialplane_common::ids::{AccountId, AgentId, TenantId};
use dialplane_common::location::{Location, StoredPlace};
use dialplane_common::route::Subject;
use dialplane_common::time::UnixSeconds;
use jiff::tz::TimeZone;
pub use load::{Loading, ReadChunk};
use map::Map;
pub use number::Number;
use numbers::Numbers;
use plan::Plans;
pub use prepared::{Account, Tenant, TenantAbout};
use slots::Slots;
pub use store::SnapshotStore;

/// The routing data at one revision. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct Snapshot {
    epoch: Epoch,
    revision: Revision,
    digest: Digest,
    platform: Option<(RecordHash, Arc<PlatformRecord>)>,
    tenants: Slots<TenantId, Tenant>,
    accounts: Slots<AccountId, Account>,
    /// Which accounts have this name at a provider; the key is its hash, so the accounts are to be asked again.
    accounts_by_external_id: Map<u128, Arc<[AccountId]>>,
    agents: Slots<AgentId, AgentRecord>,
    numbers: Numbers,
    /// Which number has this name at the provider of this account; the key is their hash.
    numbers_by_id: Map<u128, (AccountId, E164)>,
    ranges: Numbers,
    plans: Plans,
    tokens: Map<TokenHash, (RecordHash, Arc<TokenRecord>)>,
    unreadable: Arc<BTreeMap<(u8, Vec<u8>), UnreadableRecord>>,
}

/// A record as it came, kept for a program that can read it. What this one could read of the key's earlier records
/// stays in its table.
#[derive(Clone, Debug)]
struct UnreadableRecord {
    hash: RecordHash,
    version: u8,
    payload: Vec<u8>,
}

impl Snapshot {
    /// The state before the first change of an epoch.
    #[must_use]
    pub fn empty(epoch: Epoch) -> Self {
        Self {
            epoch,
            revision: Revision(0),
            digest: Digest::default(),
            platform: None,
            tenants: Slots::default(),
            accounts: Slots::default(),
            accounts_by_external_id: Map::default(),
            agents: Slots::default(),
            numbers: Numbers::default(),
            numbers_by_id: Map::default(),
            ranges: Numbers::default(),
            plans: Plans::default(),
            tokens: Map::default(),
            unreadable: Arc::default(),
        }
    }

    /// Which state it is.
    #[must_use]
    pub const fn serving(&self) -> Serving {
        Serving { epoch: self.epoch, revision: self.revision, digest: self.digest }
    }

    /// How many records it can't read.
    #[must_use]
    pub fn unreadable_records(&self) -> usize {
        self.unreadable.len()
    }

    /// How many records of each kind it can read, by the kind's label.
    #[must_use]
    pub fn record_counts(&self) -> [(&'static str, usize); 7] {
        use dialplane_common::feed::frame::Kind;
        [
            (Kind::Platform.label(), usize::from(self.platform.is_some())),
            (Kind::Tenant.label(), self.tenants.present()),
            (Kind::Account.label(), self.accounts.present()),
            (Kind::Agent.label(), self.agents.present()),
            (Kind::Number.label(), self.numbers.len()),
            (Kind::Range.label(), self.ranges.len()),
            (Kind::Token.label(), self.tokens.len()),
        ]
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The accounts that have this name at this provider. Several tenants may claim one name; each has its own
    /// secret.
    pub fn accounts_named<'s, 'n>(
        &'s self,
        provider: &'n str,
        external_id: &'n str,
    ) -> impl Iterator<Item = (AccountId, &'s Account)> + use<'s, 'n> {
        let ids = self.accounts_by_external_id.get(&prepared::external_key(provider, external_id));
        let ids = ids.map_or(&[][..], |ids| ids);
        ids.iter().filter_map(move |id| Some((*id, self.account(*id)?))).filter(move |(_, account)| {
            account.record.provider == provider && account.record.external_id == external_id
        })
    }

    /// A number; else the longest block that it lies in.
    #[must_use]
    pub fn number(&self, number: E164) -> Option<Number<'_>> {
        let range = || Prefix::of(number).find_map(|prefix| self.ranges.get(prefix.to_u64()));
        let found = self.numbers.get(number.to_u64());
        let found = found.or_else(|| if self.ranges.is_empty() { None } else { range() })?;
        Some(Number::new(self, found))
    }

    /// The number that the provider of this account calls so.
    #[must_use]
    pub fn number_named(&self, account: AccountId, number_id: &str) -> Option<E164> {
        let (owner, number) = self.numbers_by_id.get(&prepared::number_id_key(account, number_id))?;
        (*owner == account).then_some(*number)
    }

    /// Who may ask with this token.
    #[must_use]
    pub fn token(&self, hash: TokenHash) -> Option<&TokenRecord> {
        self.tokens.get(&hash).map(|(_, token)| &**token)
    }

    /// What holds for all tenants.
    #[must_use]
    pub fn platform(&self) -> Option<&PlatformRecord> {
        self.platform.as_ref().map(|(_, platform)| &**platform)
    }

    /// A tenant.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id)
    }

    /// An agent, if this tenant's calls may go to it.
    #[must_use]
    pub fn agent(&self, tenant: TenantId, id: AgentId) -> Option<&AgentRecord> {
        self.agents.get(&id).filter(|agent| agent.serves(tenant))
    }

    /// Who takes calls for numbers that nobody has.
    #[must_use]
    pub fn unknown_numbers(&self) -> Option<TenantId> {
        self.platform.as_ref().and_then(|(_, platform)| platform.unknown_numbers)
    }

    /// A location as it stands now: this number of this tenant, or no number that anybody has.
    #[must_use]
    pub fn location<'s>(
        &'s self,
        called: Option<E164>,
        (number, place): (Option<Number<'s>>, Option<&'s StoredPlace<'s>>),
        (tenant_id, tenant): (TenantId, &'s Tenant),
        agent: Option<&'s AgentRecord>,
        now: UnixSeconds,
    ) -> Location<'s> {
        let subject = self.subject(number, tenant);
        Location {
            tenant_id,
            phone_number_id: number.map(Number::id),
            number: called,
            business: &tenant.about.business,
            place,
            agent: agent.map(|agent| &*agent.profile),
            agent_intents: agent.map_or(&[], |agent| &agent.intent_ids),
            intent_ids: &tenant.intent_ids,
            platform: self.platform().map(|platform| &platform.profile),
            hours: subject.hours,
            zone: subject.zone,
            now,
        }
    }

    /// What decides about a call for this number of this tenant, or for no number that anybody has.
    #[must_use]
    pub fn subject<'s>(&'s self, number: Option<Number<'s>>, tenant: &'s Tenant) -> Subject<'s> {
        let platform = self.platform.as_ref().map(|(_, platform)| &**platform);
        let zone: &TimeZone = number.and_then(Number::zone).unwrap_or(&tenant.zone);
        Subject {
            rules: [
                number.and_then(Number::rules),
                tenant.rules.as_deref(),
                platform.and_then(|platform| platform.rules.as_deref()),
            ],
            over_limit: [
                number.and_then(Number::over_limit),
                tenant.over_limit.as_deref(),
                platform.and_then(|platform| platform.over_limit.as_deref()),
            ],
            hours: [
                number.and_then(Number::hours),
                tenant.hours.as_deref(),
                platform.and_then(|platform| platform.hours.as_ref()),
            ],
            zone,
        }
    }
}
