//! From the outbox in Postgres to the stream in Redis: in order, without a hole, once.
//!
//! Any number of admin processes run this; the one that holds the lease publishes. Its one connection to Postgres
//! holds the lease and serves all that publishing reads and writes there, so whoever has lost the lease has lost the
//! means as well.
//!
//! What it does next is decided by what lies in Redis and in Postgres ([`decide`]), never by what it remembers having
//! done: a crash anywhere repeats safely. Refused: a `published` flag on each row, which lies after a failover of
//! Redis; publishing from the request, which a crash after the commit would lose.

pub mod checkpoint;
pub mod decide;
pub mod outbox;
pub mod stream;
mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::message::Delta;
use dialplane_common::feed::{Epoch, Revision};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::fleet::Fleet;
use crate::metrics::{Metrics, PublishFailure};
use crate::redis_link::RedisLink;
use crate::store::feed::{Entry, Published};
use crate::store::{Store, StoreError};
use checkpoint::Checkpoint;
use decide::{EpochReason, Next, Position};
use outbox::{Lease, Outbox};
use stream::{Appended, Stream};

/// How often a process without the lease tries for it, and the one with it looks whether all is as it left it.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A Postgres that doesn't answer for so long counts as gone.
const POSTGRES_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_DELAY_MIN: Duration = Duration::from_millis(50);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// What the publisher works with.
pub struct Publisher<S = Store> {
    /// Postgres.
    pub store: S,
    /// Redis.
    pub link: Arc<RedisLink>,
    /// Names in Redis.
    pub keys: Keys,
    /// The routers.
    pub fleet: Fleet,
    /// Rung after each commit of this process.
    pub wake: Arc<Notify>,
    /// Whether this process publishes.
    pub is_publishing: Arc<AtomicBool>,
    /// Entries after which a new checkpoint is written.
    pub checkpoint_entries: u64,
    /// The most bytes of frames in a checkpoint's chunk.
    pub chunk_bytes: usize,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Postgres is away or refuses: with it goes the lease.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was restored meanwhile, or a standby took over.
    #[error("Postgres isn't the database any more that began the epoch")]
    OtherDatabase,
    /// Postgres didn't answer.
    #[error("reach Postgres: no answer within {} s", POSTGRES_TIMEOUT.as_secs())]
    Silent,
    /// Redis is away or refuses.
    #[error("reach Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// It lost what had just been written to it.
    #[error("Redis lost chunks of a checkpoint while it was written")]
    ChunksGone,
}

impl PublishError {
    const fn at(&self) -> PublishFailure {
        match self {
            Self::Store(_) | Self::OtherDatabase | Self::Silent => PublishFailure::Postgres,
            Self::Redis(_) | Self::ChunksGone => PublishFailure::Redis,
        }
    }
}

/// What the holder of the lease knows.
struct Progress<L> {
    lease: L,
    /// Absent: what lies in Redis has to be looked at first.
    position: Option<Position>,
    checkpoint: Revision,
    /// Bytes appended since a checkpoint was last begun.
    appended_bytes: usize,
    /// A checkpoint in the making; publishing goes on meanwhile.
    checkpointing: Option<JoinHandle<Result<Revision, PublishError>>>,
    looked: Option<Instant>,
    tidied: Option<Instant>,
    /// When a router's report last made a new epoch, or a checkpoint, necessary: not more often than makes sense.
    report_epoch: Option<Instant>,
    report_checkpoint: Option<Instant>,
    report_checkpoint_pause: Duration,
}

impl<L> Drop for Progress<L> {
    fn drop(&mut self) {
        if let Some(task) = &self.checkpointing {
            task.abort();
        }
    }
}

impl<S: Outbox> Publisher<S> {
    /// Publishes whenever it gets the lease, until told to stop.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut delay = RETRY_DELAY_MIN;
        while !*stop.borrow() {
            let began = Instant::now();
            let published = self.hold_and_publish(&mut stop).await;
            self.released();
            if began.elapsed() > RETRY_DELAY_MAX {
                delay = RETRY_DELAY_MIN;
            }
            let Err(error) = published else { return };
            // Once an outage, not once a try.
            if delay == RETRY_DELAY_MIN {
                tracing::warn!(%error, "publisher lost Postgres; trying again until it is back");
            }
            self.metrics.publish_failed(error.at());
            pause(delay, &mut stop).await;
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        }
    }

    fn released(&self) {
        self.is_publishing.store(false, Ordering::Relaxed);
        self.metrics.publishing(false);
    }

    /// Waits for the lease, then publishes until Postgres fails or, after a last round, until told to stop. Its end
    /// closes the connection, which gives the lease back.
    async fn hold_and_publish(&self, stop: &mut watch::Receiver<bool>) -> Result<(), PublishError> {
        let mut lease = within(self.store.connect()).await?;
        while !within(lease.try_lock()).await? {
            pause(LOOK_INTERVAL, stop).await;
            if *stop.borrow() {
                return Ok(());
            }
        }
        tracing::info!("this process publishes the feed");
        self.is_publishing.store(true, Ordering::Relaxed);
        self.metrics.publishing(true);
        self.write_first_record(&mut lease).await?;
        let mut progress = Progress {
            lease,
            position: None,
            checkpoint: Revision(0),
            appended_bytes: 0,
            checkpointing: None,
            looked: None,
            tidied: None,
            report_epoch: None,
            report_checkpoint: None,
            report_checkpoint_pause: upkeep::REPORT_CHECKPOINT_PAUSE_MIN,
        };
        let mut delay = RETRY_DELAY_MIN;
        loop {
            let is_last = *stop.borrow();
            match self.round(&mut progress).await {
                Ok(()) => {
                    if delay != RETRY_DELAY_MIN {
                        tracing::info!("publisher reaches Redis again");
                    }
                    delay = RETRY_DELAY_MIN;
                    if is_last {
                        return Ok(());
                    }
                    tokio::select! {
                        biased;
                        () = self.wake.notified() => {}
                        () = pause(LOOK_INTERVAL, stop) => {}
                    }
                }
                Err(PublishError::Redis(error)) => {
                    // Once an outage, not once a try.
                    if delay == RETRY_DELAY_MIN {
                        tracing::warn!(%error, "publisher can't reach Redis; trying again until it is back");
                    }
                    self.metrics.publish_failed(PublishFailure::Redis);
                    progress.position = None;
                    if is_last {
                        return Ok(());
                    }
                    pause(delay, stop).await;
                    delay = (delay * 2).min(RETRY_DELAY_MAX);
                    // Whether the lease is still ours is seen by asking over its connection.
                    within(progress.lease.ping()).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A feed always has at least one revision: a stream in Redis has no entry 0.
    async fn write_first_record(&self, lease: &mut S::Lease) -> Result<(), PublishError> {
        if within(lease.state()).await?.revision == Revision(0) {
            within(self.store.write_first_record()).await?;
        }
        Ok(())
    }

    /// Brings Redis up to Postgres, and once a second looks whether all is as it should be.
    async fn round(&self, progress: &mut Progress<S::Lease>) -> Result<(), PublishError> {
        loop {
            let position = match progress.position {
                Some(position) => position,
                None => self.find_position(progress).await?,
            };
            progress.position = self.publish(progress, position).await?;
            if progress.position.is_some() && progress.looked.is_none_or(|at| at.elapsed() >= LOOK_INTERVAL) {
                progress.looked = Some(Instant::now());
                self.look(progress).await?;
            }
            if progress.position.is_some() {
                return Ok(());
            }
        }
    }

    /// Looks at what lies in Redis, and goes on there or begins a new epoch.
    async fn find_position(&self, progress: &mut Progress<S::Lease>) -> Result<Position, PublishError> {
        let pointer = stream::pointer(&self.link, &self.keys).await?;
        let found = match pointer {
            Some(epoch) if within(progress.lease.is_known(epoch)).await? => {
                let stream = Stream { link: &self.link, keys: &self.keys, epoch };
                Some((epoch, stream.look().await?))
            }
            _ => None,
        };
        let found_stream = match &found {
            None if pointer.is_some() => return self.new_epoch(progress, EpochReason::UnknownEpoch).await,
            None => return self.new_epoch(progress, EpochReason::NoPointer).await,
            Some((epoch, look)) => look.as_ref().map(|look| (*epoch, look)),
        };
        let Some((epoch, look)) = found_stream else {
            return self.new_epoch(progress, EpochReason::NoStream).await;
        };
        let recorded = within(progress.lease.digest_at(look.last)).await?;
        let state = within(progress.lease.state()).await?;
        match decide::resume(epoch, look.last, look.digest, recorded, state.revision) {
            Next::GoOn(position) => {
                progress.checkpoint = look
                    .manifest(epoch, self.store.feed_keys())
                    .map_or(Revision(0), |manifest| manifest.revision);
                Ok(position)
            }
            Next::NewEpoch(reason) => self.new_epoch(progress, reason).await,
        }
    }

    /// Appends all that Postgres has behind `position`. `None`: Redis isn't as it was left.
    async fn publish(
        &self,
        progress: &mut Progress<S::Lease>,
        mut position: Position,
    ) -> Result<Option<Position>, PublishError> {
        let stream = Stream { link: &self.link, keys: &self.keys, epoch: position.epoch };
        loop {
            let entries = within(progress.lease.entries(position.revision)).await?;
            let Some(last) = entries.last() else { return Ok(Some(position)) };
            if entries[0].revision != position.revision.next() {
                // Pruned: Redis is further behind than Postgres remembers.
                return self.new_epoch(progress, EpochReason::Hole).await.map(Some);
            }
            let deltas: Vec<_> = entries.iter().map(|entry| self.sign(position.epoch, entry)).collect();
            match stream.append(position, &deltas).await? {
                Appended::Yes => {}
                Appended::FoundOther => return Ok(None),
            }
            position = Position { revision: last.revision, digest: last.digest, ..position };
            progress.appended_bytes += deltas.iter().map(|delta| delta.bytes.len()).sum::<usize>();
            self.metrics.appended(deltas.len() as u64);
            self.mark(progress, position).await?;
        }
    }

    fn sign(&self, epoch: Epoch, entry: &Entry) -> stream::SignedDelta {
        let delta = Delta {
            epoch,
            revision: entry.revision,
            digest: entry.digest,
            committed_us: entry.committed.0.as_microsecond(),
            frames: &entry.frames,
        };
        stream::SignedDelta {
            revision: entry.revision,
            digest: entry.digest,
            bytes: delta.sign(self.store.feed_keys()),
        }
    }

    async fn mark(&self, progress: &mut Progress<S::Lease>, position: Position) -> Result<(), PublishError> {
        let published = Published {
            epoch: Some(position.epoch),
            revision: position.revision,
            checkpoint: progress.checkpoint,
        };
        self.metrics.published(position.revision.0, progress.checkpoint.0, 0);
        within(progress.lease.mark_published(published)).await
    }

    fn checkpoint(&self, epoch: Epoch) -> Checkpoint<S> {
        let (store, link, keys) = (self.store.clone(), Arc::clone(&self.link), self.keys.clone());
        Checkpoint { store, link, keys, epoch, chunk_bytes: self.chunk_bytes }
    }

    /// Begins a new life of the feed. The order matters: Postgres knows the epoch before Redis does, and the pointer
    /// is set once everything it points to is there.
    async fn new_epoch(
        &self,
        progress: &mut Progress<S::Lease>,
        reason: EpochReason,
    ) -> Result<Position, PublishError> {
        if let Some(task) = progress.checkpointing.take() {
            task.abort();
        }
        let epoch = Epoch(uuid::Uuid::now_v7());
        tracing::warn!(%epoch, reason = reason.label(), "the feed begins a new epoch");
        self.metrics.epoch_drawn(reason);
        within(progress.lease.add_epoch(epoch)).await?;
        let manifest = self.checkpoint(epoch).write().await?;
        let position = Position { epoch, revision: manifest.revision, digest: manifest.digest };
        // The lease may be gone by now, with another process at work: only its holder moves the pointer.
        within(progress.lease.ping()).await?;
        Stream { link: &self.link, keys: &self.keys, epoch }.begin(position).await?;
        if reason == EpochReason::Asked {
            within(progress.lease.want_new_epoch(false)).await?;
        }
        progress.checkpoint = manifest.revision;
        progress.appended_bytes = 0;
        progress.tidied = None;
        self.mark(progress, position).await?;
        Ok(position)
    }
}

/// Waits so long, or until told to stop. A sender that is gone stops as well.
async fn pause(length: Duration, stop: &mut watch::Receiver<bool>) {
    let _ = tokio::time::timeout(length, stop.wait_for(|stop| *stop)).await;
}

/// A Postgres that hangs counts as gone.
async fn within<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, PublishError> {
    match tokio::time::timeout(POSTGRES_TIMEOUT, work).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(PublishError::Silent),
    }
}
