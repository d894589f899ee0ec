//! What the admin plane's publisher writes to Redis, for a generated population: a checkpoint and the deltas behind it.
//! So routers can be measured by the path that changes really take, without Postgres.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use dialplane_common::feed::frame::{Frame, Payload, RawKey, RecordKey, StoredFrames};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::message::{Chunk, Delta, Manifest};
use dialplane_common::feed::record::Record;
use dialplane_common::feed::report::Serving;
use dialplane_common::feed::{Digest, Epoch, FEED_VERSION, FRAMES_BYTES_MAX, RecordHash, Revision};
use redis::{Commands, RedisError};
use uuid::Uuid;

use crate::calls::{ACCOUNT_SID, AUTH_TOKEN};
use crate::population::Population;
use crate::system::Redis;
use crate::workload::{ACCOUNT, account_record};

/// Where routers look when nobody says otherwise.
const NAMESPACE: &str = "dialplane";
/// Where no router looks.
const ELSEWHERE: &str = "elsewhere";

/// As in the snapshots of [`crate::snapshot_file`].
const EPOCH: Epoch = Epoch(Uuid::from_u128(1));

/// The feed as far as it has been signed.
#[derive(Clone)]
pub struct Feed {
    keyring: Arc<Keyring>,
    population: Population,
    revision: Revision,
    digest: Digest,
    /// Of the records that have been changed.
    changed: HashMap<RecordKey, RecordHash>,
}

/// A delta ready to be appended.
pub struct SignedDelta {
    revision: Revision,
    digest: Digest,
    bytes: Vec<u8>,
}

impl SignedDelta {
    /// The message.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The bytes of a checkpoint in Redis.
pub struct Checkpoint {
    /// Keys of the chunks, in order.
    pub chunks: Vec<String>,
    /// Bytes of all chunks.
    pub bytes: u64,
    /// Records in them.
    pub records: u64,
}

impl Feed {
    /// Writes the population's checkpoint, then the stream's first entry and the pointer, as a publisher does that begins
    /// an epoch.
    ///
    /// # Errors
    /// When Redis refuses.
    pub fn begin(
        redis: &Redis,
        keyring: Arc<Keyring>,
        population: Population,
    ) -> Result<(Self, Checkpoint), String> {
        let (revision, digest) = (Revision(1), Digest::default());
        let mut feed = Self { keyring, population, revision, digest, changed: HashMap::new() };
        let mut connection = redis.connection();
        let checkpoint = feed.write_checkpoint(&mut connection)?;
        let keys = Keys::new(NAMESPACE);
        let mut begin = redis::pipe();
        begin.atomic().cmd("XADD").arg(keys.feed(EPOCH)).arg(format!("{revision}-0"));
        begin.arg("delta").arg("").arg("digest").arg(feed.digest.to_string());
        begin.set(keys.epoch(), EPOCH.to_string()).publish(keys.changes(), revision.0);
        begin.query::<()>(&mut connection).map_err(failed)?;
        Ok((feed, checkpoint))
    }

    fn write_checkpoint(&mut self, connection: &mut redis::Connection) -> Result<Checkpoint, String> {
        let mut checkpoint = Checkpoint { chunks: Vec::new(), bytes: 0, records: 0 };
        let account = account_record(ACCOUNT, ACCOUNT_SID, AUTH_TOKEN, &self.keyring);
        let population = self.population;
        let records =
            std::iter::once(Ok(account)).chain(population.owners()).chain(population.number_records());
        let (mut frames, mut frame) = (Vec::with_capacity(FRAMES_BYTES_MAX), Vec::new());
        for record in records {
            frame.clear();
            let hash = with_frame(&record?, |hash, of| StoredFrames::write(hash, of, &mut frame));
            if frames.len() + frame.len() > FRAMES_BYTES_MAX {
                self.write_chunk(connection, &mut frames, false, &mut checkpoint)?;
            }
            frames.extend_from_slice(&frame);
            self.digest = self.digest.with(hash);
            checkpoint.records += 1;
        }
        self.write_chunk(connection, &mut frames, true, &mut checkpoint)?;
        let records = checkpoint.records;
        let manifest = Manifest { epoch: EPOCH, revision: self.revision, digest: self.digest, records };
        let key = Keys::new(NAMESPACE).checkpoint(EPOCH);
        connection.set::<_, _, ()>(key, manifest.sign(&self.keyring)).map_err(failed)?;
        Ok(checkpoint)
    }

    fn write_chunk(
        &self,
        connection: &mut redis::Connection,
        frames: &mut Vec<u8>,
        last: bool,
        checkpoint: &mut Checkpoint,
    ) -> Result<(), String> {
        let index = u32::try_from(checkpoint.chunks.len()).map_err(|error| error.to_string())?;
        let chunk = Chunk { epoch: EPOCH, revision: self.revision, index, last, frames };
        let bytes = chunk.sign(&self.keyring);
        let key = Keys::new(NAMESPACE).chunk(EPOCH, self.revision, index);
        connection.set::<_, _, ()>(&key, &bytes).map_err(failed)?;
        checkpoint.bytes += bytes.len() as u64;
        checkpoint.chunks.push(key);
        frames.clear();
        Ok(())
    }

    /// The feed behind a snapshot of the population.
    #[must_use]
    pub fn behind(serving: Serving, keyring: Arc<Keyring>, population: Population) -> Self {
        let Serving { revision, digest, .. } = serving;
        Self { keyring, population, revision, digest, changed: HashMap::new() }
    }

    /// A delta that gives the number at a place a name that it never had. It follows the one that was signed last.
    ///
    /// # Errors
    /// Beyond the population.
    pub fn rename(&mut self, index: u64) -> Result<SignedDelta, String> {
        let before = self.population.number_record(index)?;
        let mut after = before.clone();
        if let Record::Number(_, number) = &mut after {
            number.place.display_name = format!("Renamed behind {}", self.revision);
        }
        Ok(self.sign(&before, &after))
    }

    /// The same for the tenant of the number at a place.
    ///
    /// # Errors
    /// Beyond the population.
    pub fn rename_tenant(&mut self, index: u64) -> Result<SignedDelta, String> {
        let before = self.population.location(index)?.tenant_record();
        let mut after = before.clone();
        if let Record::Tenant(_, tenant) = &mut after {
            tenant.business.name = format!("Renamed behind {}", self.revision);
        }
        Ok(self.sign(&before, &after))
    }

    /// Signs a delta that makes `after` of a record which was `before` in the population.
    fn sign(&mut self, before: &Record, after: &Record) -> SignedDelta {
        let mut frames = Vec::new();
        let hash = with_frame(after, |_, frame| frame.write(&mut frames));
        let old = self.changed.insert(after.key(), hash).unwrap_or_else(|| with_frame(before, |_, _| {}));
        self.revision = self.revision.next();
        self.digest = self.digest.without(old).with(hash);
        let (revision, digest) = (self.revision, self.digest);
        let delta = Delta { epoch: EPOCH, revision, digest, committed_us: now_us(), frames: &frames };
        SignedDelta { revision, digest, bytes: delta.sign(&self.keyring) }
    }

    /// The revision that was signed last.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }
}

/// Appends deltas and rings, each time as the publisher does.
pub struct Appender {
    connection: redis::Connection,
    keys: Keys,
    followed: bool,
}

impl Appender {
    /// To the stream that routers follow; or, for comparison, to one that nobody follows.
    #[must_use]
    pub fn new(redis: &Redis, followed: bool) -> Self {
        let keys = Keys::new(if followed { NAMESPACE } else { ELSEWHERE });
        Self { connection: redis.connection(), keys, followed }
    }

    /// Appends one.
    ///
    /// # Errors
    /// When Redis refuses.
    pub fn append(&mut self, delta: &SignedDelta) -> Result<(), String> {
        let id = if self.followed { format!("{}-0", delta.revision) } else { "*".to_owned() };
        let mut append = redis::pipe();
        append.atomic().cmd("XADD").arg(self.keys.feed(EPOCH)).arg(id);
        append.arg("delta").arg(&delta.bytes).arg("digest").arg(delta.digest.to_string());
        append.publish(self.keys.changes(), delta.revision.0);
        append.query::<()>(&mut self.connection).map_err(failed)
    }
}

/// Encodes a record as a frame and hands it over with its hash, which is returned.
fn with_frame(record: &Record, take: impl FnOnce(RecordHash, &Frame<'_>)) -> RecordHash {
    let (key, bytes) = (record.key().to_bytes(), record.encode());
    let key = RawKey { kind: record.key().kind() as u8, key: &key };
    let payload = Payload { version: FEED_VERSION, bytes: &bytes };
    let hash = payload.hash(key);
    take(hash, &Frame { key, payload: Some(payload) });
    hash
}

#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
fn failed(error: RedisError) -> String {
    format!("write to Redis: {error}")
}

fn now_us() -> i64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use dialplane_router::snapshot::Snapshot;

    use super::*;

    #[test]
    fn each_delta_leads_from_the_state_before_to_the_digest_that_it_names() {
        let population = Population { own_settings: 0.5, ..Population::of(40) };
        let keys = Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap());
        let snapshot = population.snapshot(&keys, true).unwrap();
        let mut feed = Feed::behind(snapshot.serving(), Arc::clone(&keys), population);
        let places = [0, 7, 7, 39, 0];
        let mut deltas: Vec<_> = places.iter().map(|place| feed.rename(*place).unwrap()).collect();
        deltas.extend([feed.rename_tenant(0).unwrap(), feed.rename_tenant(5).unwrap()]);
        let next = |snapshot: Snapshot, delta: &SignedDelta| {
            let delta = Delta::verify(delta.bytes(), &keys).unwrap();
            let (next, agrees) = snapshot.apply(&delta, &keys).unwrap();
            assert!(agrees, "{}", next.revision());
            next
        };
        assert_eq!(deltas.iter().fold(snapshot, next).revision(), feed.revision());
    }
}
