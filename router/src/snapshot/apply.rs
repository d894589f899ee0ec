//! Snapshot and delta to snapshot. Pure.

use std::sync::Arc;

use dialplane_common::e164::E164;
use dialplane_common::feed::frame::{Frame, FrameError, Frames, RawKey, RecordKey, StoredFrames, Unreadable};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::{Chunk, Delta, Manifest};
use dialplane_common::feed::record::Record;
use dialplane_common::feed::{Digest, RecordHash, Revision};
use dialplane_common::ids::AccountId;

use super::prepared::{external_key, number_id_key};
use super::table::{Table, TableKey};
use super::{Account, Number, Snapshot, Tenant, UnreadableRecord};

/// Why a delta or checkpoint can't be applied. The snapshot that it was meant for is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApplyError {
    /// It is of another epoch or doesn't follow.
    #[error("not the revision that follows")]
    OutOfOrder,
    /// Its bytes aren't frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The records don't add up to what the feed says.
    #[error("digest differs from the feed's")]
    Digest,
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

    /// The empty state that a checkpoint's chunks are then added to.
    #[must_use]
    pub fn begin(manifest: &Manifest) -> Self {
        Self { revision: manifest.revision, ..Self::empty(manifest.epoch) }
    }

    /// Adds the chunk that follows.
    ///
    /// # Errors
    /// See [`ApplyError`]; the snapshot is then of no use.
    pub fn add(&mut self, chunk: &Chunk<'_>, keys: &Keyring) -> Result<(), ApplyError> {
        if (chunk.epoch, chunk.revision) != (self.epoch, self.revision) {
            return Err(ApplyError::OutOfOrder);
        }
        for stored in StoredFrames::new(chunk.frames) {
            let (hash, frame) = stored?;
            self.put(Some(hash), &frame, keys);
        }
        Ok(())
    }

    /// Checks a state whose last chunk was added.
    ///
    /// # Errors
    /// [`ApplyError::Digest`] when its records don't add up to what the manifest says.
    pub fn complete(self, manifest: &Manifest) -> Result<Self, ApplyError> {
        if self.digest == manifest.digest { Ok(self) } else { Err(ApplyError::Digest) }
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
            RecordKey::Tenant(id) => copy_entry(&mut self.tenants, &from.tenants, id),
            RecordKey::Account(id) => {
                copy_entry(&mut self.accounts, &from.accounts, id);
                if let Some(account) = from.accounts.get(&id) {
                    self.link_account(id, account);
                }
            }
            RecordKey::Agent(id) => copy_entry(&mut self.agents, &from.agents, id),
            RecordKey::Number(number) => {
                copy_entry(&mut self.numbers, &from.numbers, number);
                if let Some(copied) = from.numbers.get(&number) {
                    self.link_number(number, copied);
                }
            }
            RecordKey::Range(prefix) => copy_entry(&mut self.ranges, &from.ranges, prefix),
            RecordKey::Token(hash) => copy_entry(&mut self.tokens, &from.tokens, hash),
        }
    }

    /// Sets or removes one record. One that can't be read is kept as it is, beside the last state that could.
    fn put(&mut self, hash: Option<RecordHash>, frame: &Frame<'_>, keys: &Keyring) {
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

    fn hash(&self, key: RecordKey) -> Option<RecordHash> {
        match key {
            RecordKey::Platform => self.platform.as_ref().map(|(hash, _)| *hash),
            RecordKey::Tenant(id) => self.tenants.entry(&id).map(|entry| entry.hash),
            RecordKey::Account(id) => self.accounts.entry(&id).map(|entry| entry.hash),
            RecordKey::Agent(id) => self.agents.entry(&id).map(|entry| entry.hash),
            RecordKey::Number(number) => self.numbers.entry(&number).map(|entry| entry.hash),
            RecordKey::Range(prefix) => self.ranges.entry(&prefix).map(|entry| entry.hash),
            RecordKey::Token(hash) => self.tokens.entry(&hash).map(|entry| entry.hash),
        }
    }

    fn remove(&mut self, key: RecordKey) {
        match key {
            RecordKey::Platform => self.platform = None,
            RecordKey::Tenant(id) => self.tenants.remove(&id),
            RecordKey::Account(id) => {
                self.unlink_account(id);
                self.accounts.remove(&id);
            }
            RecordKey::Agent(id) => self.agents.remove(&id),
            RecordKey::Number(number) => {
                self.unlink_number(number);
                self.numbers.remove(&number);
            }
            RecordKey::Range(prefix) => self.ranges.remove(&prefix),
            RecordKey::Token(hash) => self.tokens.remove(&hash),
        }
    }

    fn set(&mut self, record: Option<Record>, hash: RecordHash, keys: &Keyring) -> Result<(), Unreadable> {
        match record {
            None => {}
            Some(Record::Platform(record)) => self.platform = Some((hash, Arc::new(record))),
            Some(Record::Tenant(id, record)) => {
                self.tenants.insert(id, hash, Arc::new(Tenant::prepare(id, record, keys)?));
            }
            Some(Record::Account(id, record)) => {
                let account = Account::prepare(id, record, keys)?;
                self.unlink_account(id);
                self.link_account(id, &account);
                self.accounts.insert(id, hash, Arc::new(account));
            }
            Some(Record::Agent(id, record)) => self.agents.insert(id, hash, Arc::new(record)),
            Some(Record::Number(number, record)) => {
                let prepared = Number::prepare(record)?;
                self.unlink_number(number);
                self.link_number(number, &prepared);
                self.numbers.insert(number, hash, Arc::new(prepared));
            }
            Some(Record::Range(prefix, record)) => {
                self.ranges.insert(prefix, hash, Arc::new(Number::prepare(record)?));
            }
            Some(Record::Token(token, record)) => self.tokens.insert(token, hash, Arc::new(record)),
        }
        Ok(())
    }

    fn link_number(&mut self, number: E164, prepared: &Number) {
        for (account, id) in prepared.number_ids() {
            self.numbers_by_id.insert(number_id_key(account, id), RecordHash(0), Arc::new((account, number)));
        }
    }

    fn unlink_number(&mut self, number: E164) {
        let Some(entry) = self.numbers.entry(&number) else { return };
        let before = Arc::clone(&entry.value);
        for (account, id) in before.number_ids() {
            let key = number_id_key(account, id);
            // The name may have gone over to another number in the meantime.
            if self.numbers_by_id.get(&key).is_some_and(|(_, named)| *named == number) {
                self.numbers_by_id.remove(&key);
            }
        }
    }

    fn link_account(&mut self, id: AccountId, account: &Account) {
        if account.record.external_id.is_empty() {
            return;
        }
        let key = external_key(&account.record.provider, &account.record.external_id);
        let mut ids = self.accounts_by_external_id.get(&key).cloned().unwrap_or_default();
        ids.push(id);
        self.accounts_by_external_id.insert(key, RecordHash(0), Arc::new(ids));
    }

    fn unlink_account(&mut self, id: AccountId) {
        let Some(account) = self.accounts.get(&id).filter(|account| !account.record.external_id.is_empty())
        else {
            return;
        };
        let key = external_key(&account.record.provider, &account.record.external_id);
        let mut ids = self.accounts_by_external_id.get(&key).cloned().unwrap_or_default();
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            self.accounts_by_external_id.remove(&key);
        } else {
            self.accounts_by_external_id.insert(key, RecordHash(0), Arc::new(ids));
        }
    }

    /// The state's number.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }
}

fn copy_entry<K: TableKey, V>(to: &mut Table<K, V>, from: &Table<K, V>, key: K) {
    if let Some(entry) = from.entry(&key) {
        to.insert(key, entry.hash, Arc::clone(&entry.value));
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
        assert_eq!(second.number(number()).unwrap().zone, None);
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
