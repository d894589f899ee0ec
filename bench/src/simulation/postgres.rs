//! The feed's tables in memory, with sessions, one lease and backups. What a statement does is as in `migrations/` and
//! `admin/src/store/feed.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dialplane_admin::store::StoreError;
use dialplane_admin::store::feed::{Entry, Published, State};
use dialplane_admin::store::instant::Instant as Committed;
use dialplane_common::feed::frame::{Frame, Payload, RawKey, RecordKey, StoredFrames};
use dialplane_common::feed::record::Record;
use dialplane_common::feed::{Digest, Epoch, FEED_VERSION, RecordHash, Revision};
use jiff::Timestamp;
use tokio::time::Instant;

/// As the publisher's own statement has it.
const ENTRIES_MAX: usize = 256;

/// What a transaction changes of one record.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is this now.
    Put(Box<Record>),
    /// It is gone.
    Remove(RecordKey),
}

/// Kind and key.
type RowKey = (u8, Vec<u8>);
/// Payload and hash.
type Stored = (Arc<[u8]>, RecordHash);

/// All that Postgres holds of the feed. Cloning it is a backup.
#[derive(Clone, Default, Debug)]
pub struct Tables {
    state: State,
    records: BTreeMap<RowKey, Stored>,
    entries: BTreeMap<Revision, Row>,
    /// Each with the database that began it.
    epochs: BTreeMap<uuid::Uuid, u64>,
    /// See `feed_database`.
    database: u64,
    new_epoch_wanted: bool,
}

#[derive(Clone, Debug)]
struct Row {
    digest: Digest,
    committed_us: i64,
    frames: Arc<[u8]>,
}

/// A Postgres.
#[derive(Clone, Debug)]
pub struct Postgres(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    tables: Tables,
    is_up: bool,
    sessions: BTreeSet<u64>,
    lease: Option<u64>,
    next: u64,
    restored: u64,
    began: Instant,
}

impl Postgres {
    /// One with empty tables. Wants a runtime, whose time it takes.
    #[must_use]
    pub fn start() -> Self {
        let (tables, sessions, began) = (Tables::default(), BTreeSet::new(), Instant::now());
        let (next, restored) = (0, 0);
        Self(Arc::new(Mutex::new(Inner {
            tables,
            is_up: true,
            sessions,
            lease: None,
            next,
            restored,
            began,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all sessions; until it is up again, it takes no new ones.
    pub fn stop(&self) {
        self.inner().is_up = false;
        self.cut();
    }

    /// Takes sessions again.
    pub fn start_again(&self) {
        self.inner().is_up = true;
    }

    /// Ends all sessions.
    pub fn cut(&self) {
        let mut inner = self.inner();
        inner.sessions.clear();
        inner.lease = None;
    }

    /// What it holds.
    #[must_use]
    pub fn tables(&self) -> Tables {
        self.inner().tables.clone()
    }

    /// Loads a backup, or promotes a standby: what it held before, in another database.
    pub fn restore(&self, backup: Tables) {
        self.inner().restored += 1;
        let database = self.inner().restored;
        self.roll_back(Tables { database, ..backup });
    }

    /// Puts the machine's disk back to what it held before: nothing tells that it isn't the same database.
    pub fn roll_back(&self, disk: Tables) {
        self.cut();
        self.inner().tables = disk;
    }

    /// Asks the publisher for a new epoch.
    pub fn want_new_epoch(&self) {
        self.inner().tables.new_epoch_wanted = true;
    }

    /// Commits a transaction with one delta. `None`: it is away.
    #[must_use]
    pub fn commit(&self, changes: &[Change]) -> Option<State> {
        let mut inner = self.inner();
        if !inner.is_up {
            return None;
        }
        let committed_us = inner.began.elapsed().as_micros() as i64;
        inner.tables.append(changes, committed_us);
        Some(inner.tables.state)
    }

    /// Begins a session.
    ///
    /// # Errors
    /// When it is away.
    pub fn connect(&self) -> Result<u64, StoreError> {
        let mut inner = self.inner();
        if !inner.is_up {
            return Err(away());
        }
        inner.next += 1;
        let session = inner.next;
        inner.sessions.insert(session);
        Ok(session)
    }

    /// Does something in a session.
    ///
    /// # Errors
    /// When it was ended.
    pub fn within<T>(&self, session: u64, act: impl FnOnce(&mut Tables) -> T) -> Result<T, StoreError> {
        let mut inner = self.inner();
        if !inner.sessions.contains(&session) {
            return Err(away());
        }
        Ok(act(&mut inner.tables))
    }

    /// Takes the lease for a session, if nobody has it.
    ///
    /// # Errors
    /// When the session was ended.
    pub fn try_lock(&self, session: u64) -> Result<bool, StoreError> {
        self.within(session, |_| ())?;
        let mut inner = self.inner();
        if inner.lease.is_none() {
            inner.lease = Some(session);
        }
        Ok(inner.lease == Some(session))
    }

    /// Ends a session.
    pub fn end(&self, session: u64) {
        let mut inner = self.inner();
        inner.sessions.remove(&session);
        if inner.lease == Some(session) {
            inner.lease = None;
        }
    }

    /// Ends the session that has the lease, of which its holder learns when it asks next.
    pub fn end_lease(&self) {
        let lease = self.inner().lease;
        if let Some(session) = lease {
            self.end(session);
        }
    }
}

impl Tables {
    /// See `feed_append`.
    fn append(&mut self, changes: &[Change], committed_us: i64) {
        let mut frames = Vec::new();
        let mut digest = self.state.digest;
        for change in changes {
            let (key, payload) = match change {
                Change::Put(record) => (record.key(), Some(record.encode())),
                Change::Remove(key) => (*key, None),
            };
            let bytes = key.to_bytes();
            let key = RawKey { kind: key.kind() as u8, key: &bytes };
            let payload = payload.as_deref().map(|bytes| Payload { version: FEED_VERSION, bytes });
            let frame = Frame { key, payload };
            frame.write(&mut frames);
            let place = (key.kind, bytes.clone());
            let before = match payload.zip(frame.hash()) {
                Some((payload, hash)) => {
                    digest = digest.with(hash);
                    self.records.insert(place, (payload.bytes.into(), hash))
                }
                None => self.records.remove(&place),
            };
            digest = before.map_or(digest, |(_, hash)| digest.without(hash));
        }
        self.state = State { revision: self.state.revision.next(), digest };
        let row = Row { digest, committed_us, frames: frames.into() };
        self.entries.insert(self.state.revision, row);
    }

    /// See `feed::state`.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// See `feed::stored_frames`.
    #[must_use]
    pub fn stored_frames(&self) -> Vec<Vec<u8>> {
        let stored = |((kind, key), (payload, hash)): (&RowKey, &Stored)| {
            let payload = Payload { version: FEED_VERSION, bytes: payload };
            let frame = Frame { key: RawKey { kind: *kind, key }, payload: Some(payload) };
            let mut out = Vec::new();
            StoredFrames::write(*hash, &frame, &mut out);
            out
        };
        self.records.iter().map(stored).collect()
    }

    /// The records.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.records.iter().filter_map(|((kind, key), (payload, _))| {
            let payload = Payload { version: FEED_VERSION, bytes: payload };
            let frame = Frame { key: RawKey { kind: *kind, key }, payload: Some(payload) };
            frame.record().ok().flatten()
        })
    }

    /// See `feed::entries`.
    #[must_use]
    pub fn entries(&self, after: Revision) -> Vec<Entry> {
        let entry = |(revision, row): (&Revision, &Row)| Entry {
            revision: *revision,
            digest: row.digest,
            committed: Committed(Timestamp::from_microsecond(row.committed_us).unwrap_or_default()),
            frames: row.frames.to_vec(),
        };
        self.entries.range(after.next()..).take(ENTRIES_MAX).map(entry).collect()
    }

    /// See `feed::digest_at`.
    #[must_use]
    pub fn digest_at(&self, at: Revision) -> Option<Digest> {
        let pruned = || (self.state.revision == at).then_some(self.state.digest);
        self.entries.get(&at).map(|row| row.digest).or_else(pruned)
    }

    /// See `feed::is_known`.
    #[must_use]
    pub fn is_known(&self, epoch: Epoch) -> bool {
        self.epochs.get(&epoch.0) == Some(&self.database)
    }

    /// See `feed::add_epoch`.
    pub fn add_epoch(&mut self, epoch: Epoch) {
        self.epochs.insert(epoch.0, self.database);
    }

    /// See `feed::mark_published`. Nothing is ever decided by it.
    pub const fn mark_published(&mut self, _published: Published) {}

    /// See `feed::want_new_epoch`, `feed::is_new_epoch_wanted`.
    pub const fn new_epoch_wanted(&mut self) -> &mut bool {
        &mut self.new_epoch_wanted
    }

    /// See `feed::prune`.
    pub fn prune(&mut self, before: Revision, rows_max: i64) -> u64 {
        let gone: Vec<_> = self.entries.range(..before).take(rows_max as usize).map(|(at, _)| *at).collect();
        gone.iter().for_each(|at| drop(self.entries.remove(at)));
        gone.len() as u64
    }
}

fn away() -> StoreError {
    sqlx::Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset)).into()
}
