//! A whole state in Redis, in chunks: for routers that start, and for those that fell behind.

use std::sync::Arc;

use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::message::{Chunk, Manifest};
use dialplane_common::feed::{Epoch, Revision};
use futures_util::StreamExt;

use super::outbox::{Outbox, Reading};
use super::stream::{MANIFEST, Stream};
use super::{PublishError, within};
use crate::redis_link::RedisLink;

/// A router that reads the old checkpoint has this long to finish.
const OLD_CHUNKS_S: u64 = 60;

/// A checkpoint that was begun and never finished is gone after this. Redis never evicts, so what nobody reads has to
/// end by itself.
const UNFINISHED_CHUNKS_S: u64 = 3600;

/// Writes checkpoints of one epoch.
pub struct Checkpoint<S> {
    /// Postgres.
    pub store: S,
    /// Redis.
    pub link: Arc<RedisLink>,
    /// Names in Redis.
    pub keys: Keys,
    /// Whose state.
    pub epoch: Epoch,
    /// The most bytes of frames in a chunk.
    pub chunk_bytes: usize,
}

impl<S: Outbox> Checkpoint<S> {
    /// Writes chunks of one state of Postgres, and its manifest once all are there.
    ///
    /// # Errors
    /// When Postgres or Redis is away, or Postgres isn't the database any more that began the epoch.
    pub async fn write(&self) -> Result<Manifest, PublishError> {
        let (link, keys, epoch) = (&self.link, &self.keys, self.epoch);
        let mut tx = within(self.store.read()).await?;
        let state = within(tx.state()).await?;
        if !within(tx.is_known(epoch)).await? {
            return Err(PublishError::OtherDatabase);
        }
        let mut chunks = Chunks { of: self, revision: state.revision, index: 0, frames: Vec::new() };
        let mut records = 0;
        {
            let mut stored = std::pin::pin!(tx.frames());
            while let Some(frame) = within(async { stored.next().await.transpose() }).await? {
                chunks.add(&frame).await?;
                records += 1;
            }
        }
        chunks.flush(true).await?;
        let manifest = Manifest { epoch, revision: state.revision, digest: state.digest, records };
        let bytes = manifest.sign(self.store.feed_keys());
        let mut call = MANIFEST.key(keys.checkpoint(epoch));
        for index in 0..chunks.index {
            call.key(keys.chunk(epoch, state.revision, index));
        }
        let is_whole: bool = link.script(call.arg(bytes)).await?;
        is_whole.then_some(manifest).ok_or(PublishError::ChunksGone)
    }

    /// Writes a newer checkpoint of an epoch that has one, then lets go of what it makes superfluous.
    ///
    /// # Errors
    /// When Postgres or Redis is away.
    pub async fn renew(&self) -> Result<Revision, PublishError> {
        let stream = Stream { link: &self.link, keys: &self.keys, epoch: self.epoch };
        let before = stream
            .look()
            .await?
            .and_then(|look| Some((look.manifest(self.epoch, self.store.feed_keys())?, look.last)));
        let manifest = self.write().await?;
        if let Some((before, last)) = before
            && before.revision != manifest.revision
        {
            self.expire_chunks(before.revision).await?;
            // Not up to the new one: a router that is a few entries behind goes on with them, and needs no checkpoint.
            // Never the last entry: without it nobody can tell what the stream ends with.
            stream.trim(before.revision.min(last)).await?;
        }
        tracing::info!(revision = manifest.revision.0, records = manifest.records, "wrote a checkpoint");
        Ok(manifest.revision)
    }

    async fn expire_chunks(&self, revision: Revision) -> Result<(), PublishError> {
        for index in 0.. {
            let mut command = redis::cmd("EXPIRE");
            command.arg(self.keys.chunk(self.epoch, revision, index)).arg(OLD_CHUNKS_S);
            let is_there: bool = self.link.query(&command).await?;
            if !is_there {
                break;
            }
        }
        Ok(())
    }
}

/// Frames gathered to chunks.
struct Chunks<'a, S> {
    of: &'a Checkpoint<S>,
    revision: Revision,
    index: u32,
    frames: Vec<u8>,
}

impl<S: Outbox> Chunks<'_, S> {
    async fn add(&mut self, frame: &[u8]) -> Result<(), PublishError> {
        if !self.frames.is_empty() && self.frames.len() + frame.len() > self.of.chunk_bytes {
            self.flush(false).await?;
        }
        self.frames.extend_from_slice(frame);
        Ok(())
    }

    /// Also writes an empty chunk, when it is the last: there always is one.
    async fn flush(&mut self, last: bool) -> Result<(), PublishError> {
        let Checkpoint { store, link, keys, epoch, .. } = self.of;
        let chunk =
            Chunk { epoch: *epoch, revision: self.revision, index: self.index, last, frames: &self.frames };
        let bytes = chunk.sign(store.feed_keys());
        let key = keys.chunk(*epoch, self.revision, self.index);
        link.query::<()>(redis::cmd("SET").arg(key).arg(bytes).arg("EX").arg(UNFINISHED_CHUNKS_S)).await?;
        self.index += 1;
        self.frames.clear();
        Ok(())
    }
}
