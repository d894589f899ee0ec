//! Seals entries of the audit log: one process at a time, as whoever publishes the feed is one.
//!
//! The connection that holds the lease also seals, so that whoever has lost the one has lost the other; and no two entries
//! can have one place, by an index. A crash anywhere leaves entries that aren't sealed yet, and the next holder goes on
//! behind the last that is.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::chain;
use crate::metrics::Metrics;
use crate::store::audit::{self, Entry, Head, Moment, Seal, Sealed};
use crate::store::{Store, StoreError};

/// Entries sealed at once: a few milliseconds' work.
const ROWS_MAX: usize = 1_000;
/// Ids looked up at once: each look passes over the index's entries of what was sealed lately.
const IDS_MAX: usize = 50_000;
/// Entries gather for so long between one sealing and the next: sealing one costs hardly less than sealing many. The first
/// after a silence doesn't wait.
const GATHER_INTERVAL: Duration = Duration::from_millis(10);
/// How often the holder looks without being woken: other processes' commits don't wake it.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How often a process without the lease tries for it, and the one with it counts what it hasn't sealed.
const SLOW_INTERVAL: Duration = Duration::from_secs(1);
/// A Postgres that doesn't answer for so long counts as gone.
const POSTGRES_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_DELAY_MIN: Duration = Duration::from_millis(50);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// What the sealer works with.
pub struct Sealer {
    /// Postgres.
    pub store: Store,
    /// Rung after each commit of this process.
    pub wake: Arc<Notify>,
    /// Takes what was sealed, each entry once; what it has no room for is counted and left out.
    pub sealed: mpsc::Sender<Vec<Sealed>>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

/// What the holder of the lease knows.
struct Progress {
    lease: PgConnection,
    head: Head,
    /// No entry up to this id is unsealed, or will be: there is no need to look there.
    floor: i64,
    /// Where the chain ended when the floor was last raised.
    raised: u64,
    /// Where the floor may come to be.
    moment: Option<Moment>,
}

/// Why sealing ended early.
#[derive(Debug, thiserror::Error)]
enum SealError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("reach Postgres: no answer within {} s", POSTGRES_TIMEOUT.as_secs())]
    Silent,
}

impl Sealer {
    /// Seals whenever it gets the lease, until told to stop; then once more, so that what this process wrote is sealed.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut delay = RETRY_DELAY_MIN;
        while !*stop.borrow() {
            let began = Instant::now();
            let outcome = self.hold_and_seal(&mut stop).await;
            self.metrics.sealing(false);
            if began.elapsed() > RETRY_DELAY_MAX {
                delay = RETRY_DELAY_MIN;
            }
            let Err(error) = outcome else { return };
            // Once an outage, not once a try.
            if delay == RETRY_DELAY_MIN {
                tracing::warn!(%error, "the audit log can't be sealed; trying again until it can");
            }
            pause(delay, &mut stop).await;
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        }
    }

    /// Waits for the lease, then seals until Postgres fails or until told to stop. Its end closes the connection, which
    /// gives the lease back.
    async fn hold_and_seal(&self, stop: &mut watch::Receiver<bool>) -> Result<(), SealError> {
        let mut lease = within(audit::connect_sealer(self.store.pool())).await?;
        while !within(audit::try_lock(&mut lease)).await? {
            pause(SLOW_INTERVAL, stop).await;
            if *stop.borrow() {
                return Ok(());
            }
        }
        tracing::info!("this process seals the audit log");
        self.metrics.sealing(true);
        let head = within(audit::head(&mut lease)).await?;
        let mut progress = Progress { lease, head, floor: 0, raised: 0, moment: None };
        let mut looked: Option<Instant> = None;
        loop {
            let is_last = *stop.borrow();
            let began = Instant::now();
            self.seal_all(&mut progress).await?;
            if looked.is_none_or(|at| at.elapsed() >= SLOW_INTERVAL) {
                looked = Some(Instant::now());
                self.raise_floor(&mut progress).await?;
                self.metrics.unsealed(within(audit::backlog(&mut progress.lease, progress.floor)).await?);
            }
            if is_last {
                return Ok(());
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = pause(LOOK_INTERVAL, stop) => {}
            }
            pause(GATHER_INTERVAL.saturating_sub(began.elapsed()), stop).await;
        }
    }

    /// Seals all that there is to be seen when it begins. What comes meanwhile gathers: sealed at once, a few entries at a
    /// time, it would take as much of Postgres as what wrote it.
    async fn seal_all(&self, progress: &mut Progress) -> Result<(), SealError> {
        loop {
            let ids = within(audit::unsealed(&mut progress.lease, progress.floor, IDS_MAX)).await?;
            let mut left = ids.as_slice();
            while !left.is_empty() {
                let batch = &left[..left.len().min(ROWS_MAX)];
                let entries = within(audit::entries(&mut progress.lease, batch)).await?;
                if entries.is_empty() {
                    // Nothing takes entries away but hands at the database.
                    break;
                }
                left = &left[entries.len()..];
                self.seal(progress, entries).await?;
            }
            if ids.len() < IDS_MAX {
                return Ok(());
            }
        }
    }

    async fn seal(&self, progress: &mut Progress, entries: Vec<Entry>) -> Result<(), SealError> {
        let seals = seals(progress.head, &entries);
        within(audit::seal(&mut progress.lease, &seals)).await?;
        progress.head = seals.last().map_or(progress.head, |seal| seal.head);
        within(audit::announce(&mut progress.lease, progress.head.seq)).await?;
        self.metrics.sealed(seals.len() as u64);
        self.pass_on(seals, entries);
        Ok(())
    }

    /// Raises the floor to where ids were at a moment before, once all who were writing then are done and what they wrote
    /// is sealed.
    async fn raise_floor(&self, progress: &mut Progress) -> Result<(), SealError> {
        match progress.moment {
            None if progress.head.seq == progress.raised => {}
            None => progress.moment = Some(within(audit::moment(&mut progress.lease)).await?),
            Some(moment) if within(audit::is_past(&mut progress.lease, moment)).await? => {
                self.seal_all(progress).await?;
                (progress.floor, progress.raised) = (moment.id, progress.head.seq);
                progress.moment = None;
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn pass_on(&self, seals: Vec<Seal>, entries: Vec<Entry>) {
        let sealed = |(seal, entry): (Seal, Entry)| Sealed {
            seq: seal.head.seq,
            hash: seal.head.hash.to_vec(),
            entry,
        };
        let rows = seals.len() as u64;
        let sealed = seals.into_iter().zip(entries).map(sealed).collect();
        if self.sealed.try_send(sealed).is_err() {
            self.metrics.events_unsent(rows);
        }
    }
}

/// Each entry's place and hash, one behind the other.
fn seals(head: Head, entries: &[Entry]) -> Vec<Seal> {
    let stand_behind = |head: &mut Head, entry: &Entry| {
        *head = chain::next(*head, entry);
        Some(Seal { id: entry.id, head: *head })
    };
    entries.iter().scan(head, stand_behind).collect()
}

/// Waits so long, or until told to stop. A sender that is gone stops as well.
async fn pause(length: Duration, stop: &mut watch::Receiver<bool>) {
    let _ = tokio::time::timeout(length, stop.wait_for(|stop| *stop)).await;
}

/// A Postgres that hangs counts as gone.
async fn within<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, SealError> {
    match tokio::time::timeout(POSTGRES_TIMEOUT, work).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(SealError::Silent),
    }
}
