//! A whole state in Redis, in chunks: for routers that start, and for those that fell behind.

use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::message::{Chunk, Manifest};
use dialplane_common::feed::{Epoch, FRAMES_BYTES_MAX, Revision};
use futures_util::StreamExt;

use super::PublishError;
use super::stream::Stream;
use crate::redis_link::RedisLink;
use crate::store::{Scope, Store, feed};

/// A router that reads the old checkpoint has this long to finish.
const OLD_CHUNKS_S: u64 = 60;

/// A checkpoint that was begun and never finished is gone after this. Redis never evicts, so what nobody reads has to
/// end by itself.
const UNFINISHED_CHUNKS_S: u64 = 3600;

/// Writes chunks of one state of Postgres, and its manifest once all are there.
///
/// # Errors
/// When Postgres or Redis is away.
pub async fn write(
    store: &Store,
    link: &RedisLink,
    keys: &Keys,
    epoch: Epoch,
) -> Result<Manifest, PublishError> {
    let mut tx = store.read(Scope::Operator).await?;
    let state = feed::state(tx.conn()).await?;
    let mut chunks =
        Chunks { store, link, keys, epoch, revision: state.revision, index: 0, frames: Vec::new() };
    let mut records = 0;
    {
        let mut stored = std::pin::pin!(feed::stored_frames(tx.conn()));
        while let Some(frame) = stored.next().await {
            chunks.add(&frame?).await?;
            records += 1;
        }
    }
    chunks.flush(true).await?;
    for index in 0..chunks.index {
        link.query::<()>(redis::cmd("PERSIST").arg(keys.chunk(epoch, state.revision, index))).await?;
    }
    let manifest = Manifest { epoch, revision: state.revision, digest: state.digest, records };
    let bytes = manifest.sign(&store.keys().feed);
    link.query::<()>(redis::cmd("SET").arg(keys.checkpoint(epoch)).arg(bytes)).await?;
    Ok(manifest)
}

/// Writes a newer checkpoint of an epoch that has one, then lets go of what it makes superfluous.
///
/// # Errors
/// When Postgres or Redis is away.
pub async fn renew(
    store: &Store,
    link: &RedisLink,
    keys: &Keys,
    epoch: Epoch,
) -> Result<Revision, PublishError> {
    let stream = Stream { link, keys, epoch };
    let before = stream.look().await?.and_then(|look| look.manifest(epoch, &store.keys().feed));
    let manifest = write(store, link, keys, epoch).await?;
    if let Some(before) = before
        && before.revision != manifest.revision
    {
        expire_chunks(link, keys, epoch, before.revision).await?;
        // Not up to the new one: a router that is a few entries behind goes on with them, and needs no checkpoint.
        stream.trim(before.revision).await?;
    }
    tracing::info!(revision = manifest.revision.0, records = manifest.records, "wrote a checkpoint");
    Ok(manifest.revision)
}

async fn expire_chunks(
    link: &RedisLink,
    keys: &Keys,
    epoch: Epoch,
    revision: Revision,
) -> Result<(), PublishError> {
    for index in 0.. {
        let mut command = redis::cmd("EXPIRE");
        command.arg(keys.chunk(epoch, revision, index)).arg(OLD_CHUNKS_S);
        let is_there: bool = link.query(&command).await?;
        if !is_there {
            break;
        }
    }
    Ok(())
}

/// Frames gathered to chunks.
struct Chunks<'a> {
    store: &'a Store,
    link: &'a RedisLink,
    keys: &'a Keys,
    epoch: Epoch,
    revision: Revision,
    index: u32,
    frames: Vec<u8>,
}

impl Chunks<'_> {
    async fn add(&mut self, frame: &[u8]) -> Result<(), PublishError> {
        if !self.frames.is_empty() && self.frames.len() + frame.len() > FRAMES_BYTES_MAX {
            self.flush(false).await?;
        }
        self.frames.extend_from_slice(frame);
        Ok(())
    }

    /// Also writes an empty chunk, when it is the last: there always is one.
    async fn flush(&mut self, last: bool) -> Result<(), PublishError> {
        let chunk = Chunk {
            epoch: self.epoch,
            revision: self.revision,
            index: self.index,
            last,
            frames: &self.frames,
        };
        let bytes = chunk.sign(&self.store.keys().feed);
        let key = self.keys.chunk(self.epoch, self.revision, self.index);
        self.link
            .query::<()>(redis::cmd("SET").arg(key).arg(bytes).arg("EX").arg(UNFINISHED_CHUNKS_S))
            .await?;
        self.index += 1;
        self.frames.clear();
        Ok(())
    }
}
