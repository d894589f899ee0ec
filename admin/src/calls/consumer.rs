//! Reads the stream of events and stores it.
//!
//! Any number of processes do, each entry going to one of them; what one of them had when it died is claimed by another.
//! An entry is deleted once it is committed. What comes twice all the same is known by its writer and sequence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dialplane_common::calls::batch::Batch;
use redis::RedisResult;
use tokio::sync::watch;

use super::live::Announcer;
use super::porting;
use super::storing::{self, Delivered, Stored};
use super::stream::{Events, StreamEntry};
use crate::metrics::Metrics;
use crate::store::{Scope, Store, StoreError, call_events};

/// What comes within this is stored at once, rather than by one transaction each.
const GATHER: Duration = Duration::from_millis(20);
/// Bytes of events that a transaction takes, or one entry more: some five thousand events.
const BYTES_MAX: usize = 512 << 10;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// So often Postgres refuses batches before it is found out which one it is: what it refuses while a partition is made,
/// it takes a moment later.
const REFUSALS_MAX: u32 = 4;
/// How often entries of dead processes are looked for.
const CLAIM_INTERVAL: Duration = Duration::from_secs(5);
/// How often writers are told anew, as Redis may have been emptied.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// Stores what routers tell of calls.
pub struct Consumer {
    /// Postgres, and the keys of what is signed.
    pub store: Store,
    /// The stream.
    pub events: Events,
    /// Tells those who watch.
    pub announcer: Announcer,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

/// Why a round didn't end well.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("Postgres: {0}")]
    Store(#[from] StoreError),
}

/// When what was done last.
struct Clock {
    claimed: Instant,
    told: Instant,
}

impl Consumer {
    /// Goes on until it is told to stop.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut backoff = BACKOFF_MIN;
        let mut clock = Clock { claimed: Instant::now(), told: Instant::now() };
        let mut has_joined = false;
        while !*stopping.borrow() {
            match self.round(&mut has_joined, &mut clock, &stopping).await {
                Ok(()) => backoff = BACKOFF_MIN,
                Err(error) => {
                    has_joined = false;
                    if backoff == BACKOFF_MIN {
                        // Once an outage, not once a try.
                        tracing::warn!(%error, "events of calls can't be stored; trying again until they can");
                    }
                    let _ = tokio::time::timeout(backoff, stopping.changed()).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
        self.events.leave().await;
    }

    async fn round(
        &self,
        has_joined: &mut bool,
        clock: &mut Clock,
        stopping: &watch::Receiver<bool>,
    ) -> Result<(), RoundError> {
        if !*has_joined {
            self.events.join().await?;
            *has_joined = true;
        }
        if clock.told.elapsed() >= TELL_INTERVAL {
            let mut tx = self.store.read(Scope::Operator).await?;
            let through = call_events::stored_through(tx.conn()).await?;
            self.events.tell(&through).await?;
            clock.told = Instant::now();
        }
        let mut entries = Vec::new();
        if clock.claimed.elapsed() >= CLAIM_INTERVAL {
            entries = self.events.claim().await?;
            if entries.is_empty() {
                clock.claimed = Instant::now();
            }
        }
        if entries.is_empty() {
            entries = self.gather().await?;
        }
        if !entries.is_empty() {
            self.take(entries, stopping).await?;
        }
        Ok(())
    }

    /// What is there, and what comes shortly behind.
    async fn gather(&self) -> RedisResult<Vec<StreamEntry>> {
        let mut entries = self.events.read(true).await?;
        let first = Instant::now();
        while !entries.is_empty() && bytes(&entries) < BYTES_MAX {
            let more = self.events.read(false).await;
            match more {
                Ok(more) if !more.is_empty() => entries.extend(more),
                // What was read is stored, whatever became of Redis meanwhile.
                Err(_) => break,
                Ok(_) if first.elapsed() >= GATHER => break,
                Ok(_) => tokio::time::sleep(GATHER.saturating_sub(first.elapsed())).await,
            }
        }
        Ok(entries)
    }

    /// Stores entries, however long Postgres is away: nobody else has them.
    async fn take(
        &self,
        entries: Vec<StreamEntry>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<(), RoundError> {
        let mut ids: Vec<_> = entries.iter().map(|entry| entry.id.clone()).collect();
        let (mut batches, mut dead) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            match self.verify(&entry) {
                Some(batch) => batches.push(batch),
                None => dead.push(entry),
            }
        }
        if !dead.is_empty() {
            tracing::warn!(
                entries = dead.len(),
                "entries of the stream of events aren't signed or can't be read"
            );
            self.metrics.events_dead(dead.len() as u64);
            self.events.bury(&dead).await?;
        }
        let mut told = Ok(());
        for stored in self.store_until_done(&batches, stopping).await? {
            self.metrics.events_stored(&stored);
            // All entries at once: one that is deleted twice is deleted once.
            told = self.events.done(&std::mem::take(&mut ids), &stored.through).await.and(told);
            self.announcer.announce(&stored).await;
            if let Err(error) = porting::arrived(&self.store, &stored.called).await {
                tracing::warn!(%error, "a ported number can't be made active yet; its next call tries again");
            }
        }
        Ok(told?)
    }

    /// `None` of one that can't be read.
    fn verify(&self, entry: &StreamEntry) -> Option<Delivered> {
        let batch = Batch::verify(entry.batch.as_deref()?, &self.store.keys().feed).ok()?;
        let sequence = i64::try_from(batch.sequence).ok().filter(|sequence| *sequence > 0)?;
        Some(Delivered { writer: batch.writer, sequence, events: batch.events.to_vec() })
    }

    /// Stores batches together. Where Postgres refuses them, one by one: which it refuses then are put aside, so that
    /// the others aren't held up.
    async fn store_until_done(
        &self,
        batches: &[Delivered],
        stopping: &watch::Receiver<bool>,
    ) -> Result<Vec<Stored>, RoundError> {
        if let Ok(stored) = self.try_until_answered(batches, REFUSALS_MAX, stopping).await? {
            return Ok(vec![stored]);
        }
        let mut all = Vec::with_capacity(batches.len());
        for batch in batches {
            let stored = match self.try_until_answered(std::slice::from_ref(batch), 1, stopping).await? {
                Ok(stored) => stored,
                Err(refusal) => self.put_aside(batch, &refusal, stopping).await?,
            };
            all.push(stored);
        }
        Ok(all)
    }

    /// Tries until batches are stored or refused so often; whatever Postgres can't do now is no refusal.
    async fn try_until_answered(
        &self,
        batches: &[Delivered],
        refusals_max: u32,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Result<Stored, StoreError>, RoundError> {
        let (mut backoff, mut refusals) = (BACKOFF_MIN, 0);
        loop {
            let began = Instant::now();
            let error = match storing::store(&self.store, batches).await {
                Ok(stored) => {
                    self.metrics.events_transaction(began.elapsed());
                    return Ok(Ok(stored));
                }
                Err(error) => error,
            };
            refusals += u32::from(error.is_refusal());
            if refusals >= refusals_max {
                return Ok(Err(error));
            }
            // Then they are somebody else's.
            if *stopping.borrow() {
                return Err(error.into());
            }
            if backoff == BACKOFF_MIN {
                tracing::warn!(%error, "events of calls can't be stored; trying again until they can");
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Keeps a batch for people, and has it count as stored: its writer would send it for ever.
    async fn put_aside(
        &self,
        batch: &Delivered,
        refusal: &StoreError,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Stored, RoundError> {
        tracing::error!(error = %refusal, writer = %batch.writer.0, sequence = batch.sequence,
            "a batch of events of calls can't be stored: it is put aside");
        let id = format!("{}/{}", batch.writer.0, batch.sequence);
        self.events.bury(&[StreamEntry { id, batch: Some(batch.events.clone()) }]).await?;
        self.metrics.events_dead(1);
        let empty = Delivered { events: Vec::new(), ..batch.clone() };
        Ok(self.try_until_answered(&[empty], REFUSALS_MAX, stopping).await??)
    }
}

fn bytes(entries: &[StreamEntry]) -> usize {
    entries.iter().filter_map(|entry| entry.batch.as_ref()).map(Vec::len).sum()
}
