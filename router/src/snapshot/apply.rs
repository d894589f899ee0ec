//! Snapshot and delta to snapshot. Pure.

use std::sync::Arc;

use dialplane_common::e164::{E164, Prefix};
use dialplane_common::feed::frame::{Frame, FrameError, Frames, RawKey, RecordKey, Unreadable};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::Delta;
use dialplane_common::feed::record::{NumberRecord, Record};
use dialplane_common::feed::{Digest, RecordHash, Revision};
use dialplane_common::ids::AccountId;

use super::map::MapKey;
use super::number::{Number, NumberSlots, Parts, has_number_ids};
use super::numbers::{Fields, Numbers, Own};
use super::plan::Plan;
use super::prepared::{external_key, number_id_key};
use super::slots::Slots;
use super::{Account, Snapshot, Tenant, UnreadableRecord};

/// Why a delta or checkpoint can't be applied. The snapshot that it was meant for is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApplyError {
    /// It is of another epoch or doesn't follow.
    #[error("not the revision that follows")]
    OutOfOrder,
    /// Its bytes aren't frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A whole state has a record twice.
    #[error("a record is there twice")]
    Twice,
    /// There are more records than a state has places for.
    #[error("more records than a snapshot has places for")]
    Full,
    /// The records don't add up to what the feed says.
    #[error("digest differs from the feed's")]
    Digest,
}

/// A number, or a block of them: kept alike, in tables of their own. Only numbers are found by providers' names.
#[derive(Clone, Copy)]
enum Address {
    Number(E164),
    Range(Prefix),
}

impl Address {
    /// Its key in its table.
    const fn key(self) -> u64 {
        match self {
            Self::Number(number) => number.to_u64(),
            Self::Range(prefix) => prefix.to_u64(),
        }
    }
}

impl Snapshot {
    /// The state that follows, and whether its records add up to what the delta says.
    ///
    /// # Errors
    /// [`ApplyError::OutOfOrder`] and [`ApplyError::Frame`]; nothing is half applied.
    pub fn apply(&self, delta: &Delta<'_>, keys: &Keyring) -> Result<(Self, bool), ApplyError> {
        if delta.epoch != self.epoch || delta.revision != self.revision.next() {
            return Err(ApplyError::OutOfOrder);
        }
        let mut next = self.clone();
        next.revision = delta.revision;
        for frame in Frames::new(delta.frames) {
            let frame = frame?;
            next.put(frame.hash(), &frame, keys);
        }
        let agrees = next.digest == delta.digest;
        Ok((next, agrees))
    }

    /// Takes from `served` the last good state of each record that this state has and can't read: a whole state that
    /// is loaded anew holds only what can't be read.
    #[must_use]
    pub fn keeping_good_of(mut self, served: &Self) -> Self {
        for (kind, key) in Arc::clone(&self.unreadable).keys() {
            let Some(key) = RecordKey::from_raw(RawKey { kind: *kind, key }) else { continue };
            if self.hash(key).is_none() {
                self.copy(key, served);
            }
        }
        self
    }

    /// The digest stays: it counts the record as it came, not the good state in its place.
    fn copy(&mut self, key: RecordKey, from: &Self) {
        match key {
            RecordKey::Platform => self.platform.clone_from(&from.platform),
            RecordKey::Tenant(id) => copy_slot(&mut self.tenants, &from.tenants, id),
            RecordKey::Account(id) => {
                copy_slot(&mut self.accounts, &from.accounts, id);
                if let Some(account) = from.accounts.get(&id) {
                    self.link_account(id, account);
                }
            }
            RecordKey::Agent(id) => copy_slot(&mut self.agents, &from.agents, id),
            RecordKey::Number(number) => self.copy_number(Address::Number(number), from),
            RecordKey::Range(prefix) => self.copy_number(Address::Range(prefix), from),
            RecordKey::Token(hash) => {
                if let Some(token) = from.tokens.get(&hash) {
                    self.tokens.insert(hash, token.clone());
                }
            }
        }
    }

    fn copy_number(&mut self, address: Address, from: &Self) {
        if let Some(found) = from.table(address).get(address.key()) {
            let (record, hash) = (Number::new(from, found).record(), found.0.hash());
            // It was prepared before, so it can be again.
            let _ = self.set_number(address, record, hash);
        }
    }

    /// Sets or removes one record. One that can't be read is kept as it is, beside the last state that could.
    pub(super) fn put(&mut self, hash: Option<RecordHash>, frame: &Frame<'_>, keys: &Keyring) {
        let raw = (frame.key.kind, frame.key.key.to_vec());
        let key = RecordKey::from_raw(frame.key);
        let known = self.unreadable.get(&raw).map(|record| record.hash);
        let old = known.or_else(|| key.and_then(|key| self.hash(key)));
        self.digest = replace(self.digest, old, hash);
        if known.is_some() {
            Arc::make_mut(&mut self.unreadable).remove(&raw);
        }
        let Some(hash) = hash else {
            if let Some(key) = key {
                self.remove(key);
            }
            return;
        };
        let read = frame.record().and_then(|record| self.set(record, hash, keys));
        if let (Err(_), Some(payload)) = (read, frame.payload) {
            let record = UnreadableRecord { hash, version: payload.version, payload: payload.bytes.to_vec() };
            Arc::make_mut(&mut self.unreadable).insert(raw, record);
        }
    }

    /// Sets one record, as a delta does.
    #[cfg(test)]
    pub(super) fn put_record(&mut self, record: &Record, keys: &Keyring) {
        use dialplane_common::feed::FEED_VERSION;
        use dialplane_common::feed::frame::Payload;
        let (key, bytes) = (record.key().to_bytes(), record.encode());
        let key = RawKey { kind: record.key().kind() as u8, key: &key };
        let frame = Frame { key, payload: Some(Payload { version: FEED_VERSION, bytes: &bytes }) };
        self.put(frame.hash(), &frame, keys);
    }

    fn hash(&self, key: RecordKey) -> Option<RecordHash> {
        let entry = |address: Address| self.table(address).get(address.key()).map(|(entry, _)| entry.hash());
        match key {
            RecordKey::Platform => self.platform.as_ref().map(|(hash, _)| *hash),
            RecordKey::Tenant(id) => self.tenants.hash(&id),
            RecordKey::Account(id) => self.accounts.hash(&id),
            RecordKey::Agent(id) => self.agents.hash(&id),
            RecordKey::Number(number) => entry(Address::Number(number)),
            RecordKey::Range(prefix) => entry(Address::Range(prefix)),
            RecordKey::Token(hash) => self.tokens.get(&hash).map(|(hash, _)| *hash),
        }
    }

    fn remove(&mut self, key: RecordKey) {
        match key {
            RecordKey::Platform => self.platform = None,
            RecordKey::Tenant(id) => self.tenants.clear(&id),
            RecordKey::Account(id) => {
                self.unlink_account(id);
                self.accounts.clear(&id);
            }
            RecordKey::Agent(id) => self.agents.clear(&id),
            RecordKey::Number(number) => self.remove_number(Address::Number(number)),
            RecordKey::Range(prefix) => self.remove_number(Address::Range(prefix)),
            RecordKey::Token(hash) => self.tokens.remove(&hash),
        }
    }

    fn set(&mut self, record: Option<Record>, hash: RecordHash, keys: &Keyring) -> Result<(), Unreadable> {
        match record {
            None => {}
            Some(Record::Platform(record)) => self.platform = Some((hash, Arc::new(record))),
            Some(Record::Tenant(id, record)) => {
                let tenant = Tenant::prepare(id, record, keys)?;
                self.tenants.set(id, hash, Arc::new(tenant)).ok_or(Unreadable::Malformed)?;
            }
            Some(Record::Account(id, record)) => {
                let account = Arc::new(Account::prepare(id, record, keys)?);
                self.unlink_account(id);
                self.link_account(id, &account);
                self.accounts.set(id, hash, account).ok_or(Unreadable::Malformed)?;
            }
            Some(Record::Agent(id, record)) => {
                self.agents.set(id, hash, Arc::new(record)).ok_or(Unreadable::Malformed)?;
            }
            Some(Record::Number(number, record)) => {
                self.set_number(Address::Number(number), record, hash)?;
            }
            Some(Record::Range(prefix, record)) => self.set_number(Address::Range(prefix), record, hash)?,
            Some(Record::Token(token, record)) => self.tokens.insert(token, (hash, Arc::new(record))),
        }
        Ok(())
    }

    fn set_number(
        &mut self,
        address: Address,
        record: NumberRecord,
        hash: RecordHash,
    ) -> Result<(), Unreadable> {
        let mut parts = Parts::of(record);
        let (fields, plan) = self.settle(address.key(), &mut parts, hash)?;
        self.let_go(address);
        self.table_mut(address).insert(fields, Own { plan: plan.as_ref(), place: &parts.text });
        if let Address::Number(number) = address {
            self.link_number(number);
        }
        Ok(())
    }

    fn remove_number(&mut self, address: Address) {
        self.let_go(address);
        self.table_mut(address).remove(address.key());
    }

    /// What is replaced or removed isn't known by its providers' names any more, and doesn't have its plan.
    fn let_go(&mut self, address: Address) {
        if let Address::Number(number) = address {
            self.unlink_number(number);
        }
        let plan = self.table(address).get(address.key()).and_then(|(_, own)| own.plan).cloned();
        if let Some(plan) = plan {
            self.plans.release(&plan);
        }
    }

    const fn table(&self, address: Address) -> &Numbers {
        match address {
            Address::Number(_) => &self.numbers,
            Address::Range(_) => &self.ranges,
        }
    }

    const fn table_mut(&mut self, address: Address) -> &mut Numbers {
        match address {
            Address::Number(_) => &mut self.numbers,
            Address::Range(_) => &mut self.ranges,
        }
    }

    /// Finds slots and plan for a number.
    pub(super) fn settle(
        &mut self,
        key: u64,
        parts: &mut Parts,
        hash: RecordHash,
    ) -> Result<(Fields, Option<Arc<Plan>>), Unreadable> {
        let slots = parts.slots(self)?;
        let plan = self.plans.get(std::mem::take(&mut parts.routing))?;
        let NumberSlots { tenant, agent, account } = slots;
        Ok((Fields { key, hash, id: parts.id, tenant, agent, account }, plan))
    }

    /// Makes a number known by its providers' names.
    pub(super) fn link_number(&mut self, number: E164) {
        for (account, id) in self.number_ids(number) {
            self.numbers_by_id.insert(number_id_key(account, &id), (account, number));
        }
    }

    fn unlink_number(&mut self, number: E164) {
        for (account, id) in self.number_ids(number) {
            let key = number_id_key(account, &id);
            // The name may have gone over to another number in the meantime.
            if self.numbers_by_id.get(&key).is_some_and(|(_, named)| *named == number) {
                self.numbers_by_id.remove(&key);
            }
        }
    }

    fn number_ids(&self, number: E164) -> Vec<(AccountId, String)> {
        match self.numbers.get(number.to_u64()) {
            Some(found) if has_number_ids(found.1.place) => Number::new(self, found).number_ids().collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn link_account(&mut self, id: AccountId, account: &Account) {
        if account.record.external_id.is_empty() {
            return;
        }
        let key = external_key(&account.record.provider, &account.record.external_id);
        let known = self.accounts_by_external_id.get(&key).map_or(&[][..], |ids| ids);
        let ids = known.iter().copied().chain([id]).collect();
        self.accounts_by_external_id.insert(key, ids);
    }

    fn unlink_account(&mut self, id: AccountId) {
        let Some(account) = self.accounts.get(&id).filter(|account| !account.record.external_id.is_empty())
        else {
            return;
        };
        let key = external_key(&account.record.provider, &account.record.external_id);
        let known = self.accounts_by_external_id.get(&key).map_or(&[][..], |ids| ids);
        let ids: Arc<[AccountId]> = known.iter().copied().filter(|other| *other != id).collect();
        if ids.is_empty() {
            self.accounts_by_external_id.remove(&key);
        } else {
            self.accounts_by_external_id.insert(key, ids);
        }
    }

    /// The state's number.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }
}

fn copy_slot<K: MapKey, V>(to: &mut Slots<K, V>, from: &Slots<K, V>, key: K) {
    let slot = from.find(&key).and_then(|index| from.slot(index));
    if let Some((hash, value)) = slot.and_then(|slot| Some((slot.hash()?, slot.value.clone()?))) {
        to.set(key, hash, value);
    }
}

fn replace(digest: Digest, old: Option<RecordHash>, new: Option<RecordHash>) -> Digest {
    let digest = old.map_or(digest, |old| digest.without(old));
    new.map_or(digest, |new| digest.with(new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialplane_common::e164::E164;
    use dialplane_common::feed::frame::Payload;
    use dialplane_common::feed::record::{NumberRecord, TenantRecord};
    use dialplane_common::feed::{Epoch, FEED_VERSION};
    use dialplane_common::ids::{PhoneNumberId, TenantId};
    use uuid::Uuid;

    const EPOCH: Epoch = Epoch(Uuid::from_u128(5));
    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    fn keys() -> Keyring {
        Keyring::feed("a-feed-key-of-some-length").unwrap()
    }

    fn number() -> E164 {
        "+12125550001".parse().unwrap()
    }

    fn tenant_named(name: &str) -> Record {
        let (name, timezone) = (name.to_owned(), "UTC".to_owned());
        Record::Tenant(TENANT, TenantRecord::new(name, timezone))
    }

    fn number_in(timezone: Option<&str>) -> Record {
        let record = NumberRecord {
            timezone: timezone.map(str::to_owned),
            ..NumberRecord::new(PhoneNumberId(Uuid::from_u128(2)), TENANT)
        };
        Record::Number(number(), record)
    }

    /// Frames of records with the digest they lead to from the empty state.
    fn frames(records: &[(Record, u8)]) -> (Vec<u8>, Digest) {
        let (mut out, mut digest) = (Vec::new(), Digest::default());
        for (record, version) in records {
            let (key, bytes) = (record.key().to_bytes(), record.encode());
            let key = RawKey { kind: record.key().kind() as u8, key: &key };
            let frame = Frame { key, payload: Some(Payload { version: *version, bytes: &bytes }) };
            digest = digest.with(frame.hash().unwrap());
            frame.write(&mut out);
        }
        (out, digest)
    }

    fn apply(snapshot: &Snapshot, frames: &[u8], digest: Digest) -> (Snapshot, bool) {
        let revision = snapshot.revision.next();
        let delta = Delta { epoch: EPOCH, revision, digest, committed_us: 0, frames };
        snapshot.apply(&delta, &keys()).unwrap()
    }

    #[test]
    fn the_digest_follows_upserts_replacements_and_removals() {
        let (both, digest) = frames(&[(tenant_named("a"), FEED_VERSION), (number_in(None), FEED_VERSION)]);
        let (first, agrees) = apply(&Snapshot::empty(EPOCH), &both, digest);
        assert!(agrees && first.number(number()).is_some());
        let (renamed, tenant_only) = frames(&[(tenant_named("b"), FEED_VERSION)]);
        let mut removal = renamed.clone();
        Frame { key: RawKey { kind: 4, key: &number().to_u64().to_be_bytes() }, payload: None }
            .write(&mut removal);
        let (second, agrees) = apply(&first, &removal, tenant_only);
        assert!(agrees && second.number(number()).is_none());
        assert_eq!(second.tenant(TENANT).unwrap().about.business.name, "b");
        assert_eq!(first.tenant(TENANT).unwrap().about.business.name, "a", "the state before is as it was");
        let (_, agrees) = apply(&first, &renamed, tenant_only);
        assert!(!agrees, "a forgotten removal is noticed");
    }

    #[test]
    fn an_unreadable_record_keeps_its_last_good_state_and_its_digest() {
        let (good, digest) = frames(&[(tenant_named("a"), FEED_VERSION), (number_in(None), FEED_VERSION)]);
        let (first, _) = apply(&Snapshot::empty(EPOCH), &good, digest);
        let unreadable =
            [(tenant_named("b"), FEED_VERSION + 1), (number_in(Some("Mars/Olympus_Mons")), FEED_VERSION)];
        let (newer, digest) = frames(&unreadable);
        let (second, agrees) = apply(&first, &newer, digest);
        assert!(agrees);
        assert_eq!(second.unreadable_records(), 2);
        assert_eq!(second.tenant(TENANT).unwrap().about.business.name, "a");
        assert_eq!(second.number(number()).unwrap().zone(), None);
        let (readable, digest) =
            frames(&[(tenant_named("c"), FEED_VERSION), (number_in(None), FEED_VERSION)]);
        let (third, agrees) = apply(&second, &readable, digest);
        assert!(agrees);
        assert_eq!(
            (third.unreadable_records(), &*third.tenant(TENANT).unwrap().about.business.name),
            (0, "c")
        );
    }

    #[test]
    fn a_whole_state_loaded_anew_keeps_the_last_good_state_of_what_it_cannot_read() {
        let (good, digest) = frames(&[(tenant_named("a"), FEED_VERSION), (number_in(None), FEED_VERSION)]);
        let (served, _) = apply(&Snapshot::empty(EPOCH), &good, digest);
        let newer =
            [(tenant_named("b"), FEED_VERSION + 1), (number_in(Some("Mars/Olympus_Mons")), FEED_VERSION)];
        let (bytes, digest) = frames(&newer);
        let (loaded, _) = apply(&Snapshot::empty(EPOCH), &bytes, digest);
        assert!(loaded.tenant(TENANT).is_none() && loaded.number(number()).is_none());
        let kept = loaded.keeping_good_of(&served);
        assert_eq!((kept.unreadable_records(), kept.digest), (2, digest));
        assert_eq!(kept.tenant(TENANT).unwrap().about.business.name, "a");
        assert!(kept.number(number()).is_some());
        let (readable, digest) =
            frames(&[(tenant_named("c"), FEED_VERSION), (number_in(None), FEED_VERSION)]);
        let (third, agrees) = apply(&kept, &readable, digest);
        assert!(agrees, "the good state in its place never counted");
        assert_eq!(
            (third.unreadable_records(), &*third.tenant(TENANT).unwrap().about.business.name),
            (0, "c")
        );
    }

    #[test]
    fn only_the_revision_that_follows_is_applied() {
        let (bytes, digest) = frames(&[(tenant_named("a"), FEED_VERSION)]);
        let empty = Snapshot::empty(EPOCH);
        let delta = |epoch, revision| Delta { epoch, revision, digest, committed_us: 0, frames: &bytes };
        for wrong in
            [delta(EPOCH, Revision(0)), delta(EPOCH, Revision(2)), delta(Epoch(Uuid::nil()), Revision(1))]
        {
            assert_eq!(empty.apply(&wrong, &keys()).unwrap_err(), ApplyError::OutOfOrder);
        }
        let cut = Delta { frames: &bytes[..bytes.len() - 1], ..delta(EPOCH, Revision(1)) };
        assert_eq!(empty.apply(&cut, &keys()).unwrap_err(), ApplyError::Frame(FrameError));
    }
}
