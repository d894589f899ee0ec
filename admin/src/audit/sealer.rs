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
use crate::store::audit::{self, Entry, Head, Seal, Sealed};
use crate::store::{Store, StoreError};

/// Entries sealed at once: a few milliseconds' work.
const ROWS_MAX: i64 = 1_000;
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
        let mut head = within(audit::head(&mut lease)).await?;
        let mut counted: Option<Instant> = None;
        loop {
            let is_last = *stop.borrow();
            head = self.seal_all(&mut lease, head).await?;
            if counted.is_none_or(|at| at.elapsed() >= SLOW_INTERVAL) {
                counted = Some(Instant::now());
                self.metrics.unsealed(within(audit::backlog(&mut lease)).await?);
            }
            if is_last {
                return Ok(());
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = pause(LOOK_INTERVAL, stop) => {}
            }
        }
    }

    /// Seals until nothing is left, and gives where the chain ends then.
    async fn seal_all(&self, lease: &mut PgConnection, mut head: Head) -> Result<Head, SealError> {
        loop {
            let entries = within(audit::unsealed(lease, ROWS_MAX)).await?;
            if entries.is_empty() {
                return Ok(head);
            }
            let seals = seals(head, &entries);
            within(audit::seal(lease, &seals)).await?;
            head = seals.last().map_or(head, |seal| seal.head);
            within(audit::announce(lease, head.seq)).await?;
            self.metrics.sealed(seals.len() as u64);
            self.pass_on(seals, entries);
        }
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
