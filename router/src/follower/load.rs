//! Loads a whole state from its checkpoint: several chunks are on their way at a time, several threads read them, and
//! they are put together in their order.

use std::sync::Arc;
use std::time::Duration;

use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::{Chunk, Manifest, MessageError};
use futures_util::{Stream, StreamExt, stream};
use redis::{RedisError, RedisResult};

use crate::snapshot::{ApplyError, Loading, ReadChunk, Snapshot};

/// So many chunks are on their way, or wait for being read. That bounds the memory, at 1 MB each, and is enough for
/// 100 MB a second over a way of 80 ms.
const CHUNKS_AHEAD: usize = 8;
/// Redis has this long for the next chunk, however many were asked for behind it.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(5);
/// What is smaller is read sooner than another thread has begun.
const ASIDE_BYTES: usize = 64 << 10;
/// The same for a state, in records.
const ASIDE_RECORDS: u64 = 10_000;

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Redis is away.
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    /// There is no manifest.
    #[error("no checkpoint")]
    NoCheckpoint,
    /// The manifest is of another epoch.
    #[error("the checkpoint is of another epoch")]
    OtherEpoch,
    /// A chunk isn't there.
    #[error("chunk {0} of the checkpoint is missing")]
    Missing(u32),
    /// In the place of a chunk there is another one.
    #[error("chunk {0} of the checkpoint is another chunk")]
    OtherChunk(u32),
    /// Something isn't signed, or no message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It doesn't add up.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The program ends.
    #[error("read the checkpoint: {0}")]
    Ended(#[from] tokio::task::JoinError),
}

/// A chunk that was read.
struct Read {
    chunk: ReadChunk,
    is_last: bool,
}

/// Loads the state that a manifest stands for, on so many threads. `fetch` gets a chunk's bytes, `None` if there are none:
/// behind the last chunk, too, for some that are asked for before it has come.
///
/// # Errors
/// See [`LoadError`].
pub async fn load<F: Future<Output = RedisResult<Option<Vec<u8>>>>>(
    manifest: Manifest,
    fetch: impl Fn(u32) -> F,
    keys: &Arc<Keyring>,
    threads: usize,
) -> Result<Snapshot, LoadError> {
    let fetched = stream::iter(0..).map(|index| {
        let bytes = fetch(index);
        async move { Ok((index, bytes.await?.ok_or(LoadError::Missing(index))?)) }
    });
    let read = fetched.buffered(CHUNKS_AHEAD).map(|fetched| read(fetched, manifest, Arc::clone(keys)));
    let read = read.buffered(threads);
    let mut read = std::pin::pin!(read);
    let mut loading = Loading::begin(&manifest);
    loop {
        let Read { chunk, is_last } = next(&mut read).await?;
        loading.add(chunk)?;
        if is_last {
            break;
        }
    }
    let keys = Arc::clone(keys);
    aside(manifest.records >= ASIDE_RECORDS, move || Ok(loading.complete(&manifest, &keys, threads)?)).await
}

async fn next(read: &mut (impl Stream<Item = Result<Read, LoadError>> + Unpin)) -> Result<Read, LoadError> {
    let timed_out = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    // There is always another index to ask for.
    let next = tokio::time::timeout(CHUNK_TIMEOUT, read.next()).await;
    next.ok().flatten().ok_or_else(timed_out)?
}

async fn read(
    fetched: Result<(u32, Vec<u8>), LoadError>,
    manifest: Manifest,
    keys: Arc<Keyring>,
) -> Result<Read, LoadError> {
    let (index, bytes) = fetched?;
    aside(bytes.len() >= ASIDE_BYTES, move || {
        let chunk = Chunk::verify(&bytes, &keys)?;
        let is_expected =
            (chunk.epoch, chunk.revision, chunk.index) == (manifest.epoch, manifest.revision, index);
        if !is_expected {
            return Err(LoadError::OtherChunk(index));
        }
        Ok(Read { chunk: ReadChunk::read(&chunk, &keys)?, is_last: chunk.last })
    })
    .await
}

/// Does what takes long on a thread of its own, so that nobody waits behind it.
async fn aside<T: Send + 'static>(
    is_long: bool,
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    if is_long { tokio::task::spawn_blocking(work).await? } else { work() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use dialplane_common::e164::E164;
    use dialplane_common::feed::frame::{Frame, Payload, RawKey, StoredFrames};
    use dialplane_common::feed::record::{
        AgentRecord, AgentTarget, Binding, NumberRecord, PlatformRecord, Record, TenantRecord,
    };
    use dialplane_common::feed::{Digest, Epoch, FEED_VERSION, Revision};
    use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
    use uuid::Uuid;

    const EPOCH: Epoch = Epoch(Uuid::from_u128(5));
    const NUMBERS: u64 = 9_000;

    fn keys() -> Arc<Keyring> {
        Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap())
    }

    fn called(number: u64) -> E164 {
        E164::from_u64(12_000_000_000 + number).unwrap()
    }

    fn id(number: u64) -> Uuid {
        Uuid::from_u128(u128::from(number) << 60 | 9)
    }

    /// A platform, a tenant and an agent for each ten numbers, and numbers of all kinds.
    fn records() -> Vec<Record> {
        let tenant = |at| Record::Tenant(TenantId(id(at)), TenantRecord::new(format!("t {at}"), "UTC"));
        let agent = |at| {
            let target = AgentTarget::Sip { uri: format!("sip:{at}@a.example") };
            Record::Agent(AgentId(id(at)), AgentRecord::new(TenantId(id(at)), "Front desk", target))
        };
        let number = |at: u64| {
            let number_id = at.is_multiple_of(7).then(|| format!("PN{at}"));
            let record = NumberRecord {
                agent_id: Some(AgentId(id(at / 10))),
                bindings: vec![Binding { account: AccountId(id(1)), number_id }],
                calls_max: at.is_multiple_of(11).then_some(3),
                ..NumberRecord::new(PhoneNumberId(id(at)), TenantId(id(at / 10)))
            };
            Record::Number(called(at), record)
        };
        let owners = 0..NUMBERS / 10;
        std::iter::once(Record::Platform(PlatformRecord::default()))
            .chain(owners.clone().map(tenant))
            .chain(owners.map(agent))
            .chain((0..NUMBERS).map(number))
            .collect()
    }

    /// A checkpoint's manifest and the frames of its chunks.
    fn checkpoint(records: &[Record], chunk_bytes: usize) -> (Manifest, Vec<Vec<u8>>) {
        let (mut digest, mut chunks) = (Digest::default(), vec![Vec::new()]);
        for record in records {
            let (key, bytes) = (record.key().to_bytes(), record.encode());
            let key = RawKey { kind: record.key().kind() as u8, key: &key };
            let frame = Frame { key, payload: Some(Payload { version: FEED_VERSION, bytes: &bytes }) };
            if chunks.last().is_some_and(|chunk| chunk.len() > chunk_bytes) {
                chunks.push(Vec::new());
            }
            let hash = frame.hash().unwrap();
            digest = digest.with(hash);
            StoredFrames::write(hash, &frame, chunks.last_mut().unwrap());
        }
        (Manifest { epoch: EPOCH, revision: Revision(7), digest, records: records.len() as u64 }, chunks)
    }

    fn signed(epoch: Epoch, index: usize, of: &[Vec<u8>]) -> Vec<u8> {
        let (last, frames) = (index + 1 == of.len(), &of[index]);
        Chunk { epoch, revision: Revision(7), index: index as u32, last, frames }.sign(&keys())
    }

    fn stored(chunks: &[Vec<u8>]) -> BTreeMap<u32, Vec<u8>> {
        (0..chunks.len()).map(|index| (index as u32, signed(EPOCH, index, chunks))).collect()
    }

    async fn loaded(manifest: Manifest, stored: &BTreeMap<u32, Vec<u8>>) -> Result<Snapshot, LoadError> {
        let fetch = |index| std::future::ready(Ok(stored.get(&index).cloned()));
        load(manifest, fetch, &keys(), 3).await
    }

    #[tokio::test]
    async fn a_state_comes_whole_whatever_the_size_of_its_chunks() {
        let records = records();
        for (count, chunk_bytes) in [(records.len(), 3_000), (records.len(), ASIDE_BYTES), (400, 100), (0, 1)]
        {
            let (manifest, chunks) = checkpoint(&records[..count], chunk_bytes);
            let snapshot = loaded(manifest, &stored(&chunks)).await.unwrap();
            assert_eq!((snapshot.serving().digest, snapshot.revision()), (manifest.digest, Revision(7)));
            assert_eq!(snapshot.unreadable_records(), 0);
            let number_of = |record: &Record| matches!(record, Record::Number(..));
            for (at, record) in records[..count].iter().filter(|record| number_of(record)).enumerate() {
                let Record::Number(address, record) = record else { continue };
                let number = snapshot.number(*address).unwrap();
                assert_eq!((number.id(), number.calls_max()), (record.id, record.calls_max));
                assert_eq!(snapshot.tenant(TenantId(id(at as u64 / 10))).unwrap().about.business.name, {
                    format!("t {}", at / 10)
                });
                let named = snapshot.number_named(AccountId(id(1)), &format!("PN{at}"));
                assert_eq!(named, at.is_multiple_of(7).then_some(*address));
            }
            assert!(snapshot.number(called(NUMBERS)).is_none());
        }
    }

    #[tokio::test]
    async fn what_is_damaged_missing_or_of_another_state_is_refused() {
        let records = records();
        let (manifest, chunks) = checkpoint(&records, 50_000);
        let good = stored(&chunks);
        let with = |index: u32, bytes: Option<Vec<u8>>| {
            let mut stored = good.clone();
            match bytes {
                Some(bytes) => drop(stored.insert(index, bytes)),
                None => drop(stored.remove(&index)),
            }
            stored
        };
        let mut damaged = good[&3].clone();
        damaged[60] ^= 1;
        let other_epoch = signed(Epoch(Uuid::from_u128(6)), 3, &chunks);
        let last = chunks.len() as u32 - 1;
        assert!(matches!(loaded(manifest, &with(3, None)).await, Err(LoadError::Missing(3))));
        assert!(
            matches!(loaded(manifest, &with(last, None)).await, Err(LoadError::Missing(at)) if at == last)
        );
        assert!(matches!(loaded(manifest, &with(3, Some(damaged))).await, Err(LoadError::Message(_))));
        assert!(matches!(loaded(manifest, &with(3, Some(other_epoch))).await, Err(LoadError::OtherChunk(3))));
        let fourth = Some(good[&4].clone());
        assert!(matches!(loaded(manifest, &with(3, fourth)).await, Err(LoadError::OtherChunk(3))));
        let of_other_digest = Manifest { digest: Digest(7), ..manifest };
        let differs = loaded(of_other_digest, &good).await;
        assert!(matches!(differs, Err(LoadError::Apply(ApplyError::Digest))));
        for twice in [&records[5], records.last().unwrap()] {
            let mut twice_there = records.clone();
            twice_there.push(twice.clone());
            let (manifest, chunks) = checkpoint(&twice_there, 50_000);
            let twice = loaded(manifest, &stored(&chunks)).await;
            assert!(matches!(twice, Err(LoadError::Apply(ApplyError::Twice))), "{twice:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_chunks_are_on_their_way_and_none_for_ever() {
        let (manifest, chunks) = checkpoint(&records(), 3_000);
        let (stored, keys) = (stored(&chunks), keys());
        let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let fetch = |index: u32| {
            let bytes = stored.get(&index).cloned();
            let (under_way, most) = (&under_way, &most);
            async move {
                most.fetch_max(under_way.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(u64::from(1 + index % 5) * 10)).await;
                under_way.fetch_sub(1, Ordering::Relaxed);
                Ok(bytes)
            }
        };
        assert!(load(manifest, fetch, &keys, 2).await.is_ok());
        assert_eq!(most.load(Ordering::Relaxed), CHUNKS_AHEAD);
        let hangs = |index: u32| {
            let bytes = stored.get(&index).cloned();
            async move { if index < 9 { Ok(bytes) } else { std::future::pending().await } }
        };
        assert!(matches!(load(manifest, hangs, &keys, 2).await, Err(LoadError::Redis(_))));
    }
}
