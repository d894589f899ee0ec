//! The keys that were good lately, so that a request with one of them asks Postgres nothing.
//!
//! A key that is deleted stops at once in the process that deletes it, and within a network's delay in the others:
//! Postgres tells them. Where that message is lost, [`TRUST`] is the longest that a key outlives its deletion.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dialplane_common::ids::TenantId;
use jiff::Timestamp;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Principal, Role};
use crate::store::api_keys::{self, ApiKey};
use crate::store::{Actor, Origin, Scope, Store, StoreError};

/// Noting that keys were used.
const ORIGIN: Origin = Origin::system("authentication");

/// SHA-256 of a key.
pub type KeyHash = [u8; 32];

/// How long Postgres isn't asked again.
pub const TRUST: Duration = Duration::from_secs(5);
/// How long a key is remembered to have been good, which lets it be asked for whatever others do from its address.
const REMEMBER: Duration = Duration::from_secs(3_600);
/// Some 3 MB.
const KEYS_MAX: usize = 16_384;
/// How often a key's last use is written.
const NOTE_INTERVAL: Duration = Duration::from_secs(60);
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The keys that were good lately.
#[derive(Debug, Default)]
pub struct Keys {
    known: Mutex<Known>,
    used: Mutex<HashSet<Uuid>>,
    /// Rung when there is a use to write.
    use_noted: Notify,
}

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<KeyHash, Entry>,
    /// Counts what was forgotten: an answer of Postgres from before isn't kept.
    forgotten: u64,
}

#[derive(Debug)]
struct Entry {
    principal: Principal,
    expires_at: Option<Timestamp>,
    asked_at: Instant,
    noted_at: Option<Instant>,
}

/// What is known of a key.
#[derive(Debug)]
pub enum Knowledge {
    /// It is good, and this is whose it is.
    Good(Principal),
    /// It was good lately.
    WasGood,
    /// Nothing.
    Nothing,
}

impl Keys {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a key. A good one counts as used.
    pub fn look_up(&self, hash: &KeyHash, now: Instant) -> Knowledge {
        let mut known = self.known();
        let Some(entry) = known.keys.get_mut(hash) else { return Knowledge::Nothing };
        let age = now.saturating_duration_since(entry.asked_at);
        if age >= REMEMBER {
            return Knowledge::Nothing;
        }
        if age >= TRUST || entry.expires_at.is_some_and(|at| at <= Timestamp::now()) {
            return Knowledge::WasGood;
        }
        self.note_use(entry, now);
        Knowledge::Good(entry.principal.clone())
    }

    /// Asks Postgres for a key, and remembers the answer.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn ask(&self, store: &Store, hash: &KeyHash) -> Result<Option<Principal>, StoreError> {
        let forgotten = self.known().forgotten;
        let mut tx = store.read(Scope::Operator).await?;
        let found = api_keys::find_good(tx.conn(), *hash).await?;
        drop(tx);
        let now = Instant::now();
        let entry = found.map(|key| Entry::of(&key, now)).transpose()?;
        let principal = entry.as_ref().map(|entry| entry.principal.clone());
        let mut known = self.known();
        match entry {
            Some(entry) if known.forgotten == forgotten => self.remember(&mut known, *hash, entry, now),
            Some(_) => {}
            None => drop(known.keys.remove(hash)),
        }
        Ok(principal)
    }

    fn remember(&self, known: &mut Known, hash: KeyHash, mut entry: Entry, now: Instant) {
        if let Some(before) = known.keys.get(&hash) {
            entry.noted_at = entry.noted_at.max(before.noted_at);
        } else if known.keys.len() >= KEYS_MAX {
            known.keys.retain(|_, entry| now.saturating_duration_since(entry.asked_at) < TRUST);
            if known.keys.len() >= KEYS_MAX {
                known.keys.clear();
            }
        }
        self.note_use(&mut entry, now);
        known.keys.insert(hash, entry);
    }

    /// Has a use written, once in [`NOTE_INTERVAL`].
    fn note_use(&self, entry: &mut Entry, now: Instant) {
        let (Actor::Key(id) | Actor::Operator(id)) = &entry.principal.actor else { return };
        if entry.noted_at.is_none_or(|at| now.saturating_duration_since(at) >= NOTE_INTERVAL) {
            entry.noted_at = Some(now);
            self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(*id);
            self.use_noted.notify_one();
        }
    }

    /// Forgets a key: it was deleted.
    pub fn forget(&self, hash: &KeyHash) {
        let mut known = self.known();
        known.forgotten += 1;
        known.keys.remove(hash);
    }

    /// Asks for each key again before it is taken, as nobody knows what was deleted meanwhile.
    pub fn doubt_all(&self) {
        let mut known = self.known();
        known.forgotten += 1;
        let now = Instant::now();
        known.keys.retain(|_, entry| now.saturating_duration_since(entry.asked_at) < REMEMBER);
        for entry in known.keys.values_mut() {
            entry.asked_at = now.checked_sub(TRUST).unwrap_or(entry.asked_at);
        }
    }

    /// Forgets keys as Postgres tells that they are deleted, for ever.
    pub async fn listen(&self, store: &Store) {
        loop {
            if let Ok(mut listener) = PgListener::connect_with(store.pool()).await
                && listener.listen(api_keys::CHANNEL).await.is_ok()
            {
                self.doubt_all();
                // `None`: the connection was lost and is there again, and messages may be lost.
                while let Ok(message) = listener.try_recv().await {
                    match message.and_then(|message| api_keys::deleted(message.payload())) {
                        Some(hash) => self.forget(&hash),
                        None => self.doubt_all(),
                    }
                }
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// Writes when keys were last used, for ever.
    pub async fn write_uses(&self, store: &Store) {
        loop {
            self.use_noted.notified().await;
            let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
            let ids: Vec<Uuid> = used.into_iter().collect();
            if let Err(error) = write_uses(store, &ids).await {
                tracing::warn!(%error, "couldn't write when keys were used; trying again");
                self.used.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
                self.use_noted.notify_one();
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

async fn write_uses(store: &Store, ids: &[Uuid]) -> Result<(), StoreError> {
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    api_keys::note_used(tx.conn(), ids).await?;
    tx.commit().await?;
    Ok(())
}

impl Entry {
    fn of(key: &ApiKey, now: Instant) -> Result<Self, StoreError> {
        let role = Role::from_name(&key.role).ok_or(StoreError::Malformed("role"))?;
        let actor = if key.tenant_id.is_some() { Actor::Key(key.id) } else { Actor::Operator(key.id) };
        let principal = Principal { actor, role, tenant: key.tenant_id.map(TenantId) };
        let expires_at = key.expires_at.map(|at| at.0);
        // Another process may have written it a moment ago.
        let used_ago =
            key.last_used_at.and_then(|at| (Timestamp::now() - at.0).total(jiff::Unit::Second).ok());
        let noted_at = used_ago.and_then(|ago| now.checked_sub(Duration::try_from_secs_f64(ago).ok()?));
        Ok(Self { principal, expires_at, asked_at: now, noted_at })
    }
}
