//! Clears away, little by little, what is kept for a time alone. Done by the process that publishes, so that one of them
//! does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::calls::upkeep;
use crate::store::{Origin, Scope, Store, StoreError, idempotency};

const INTERVAL: Duration = Duration::from_secs(60);
/// Each batch is a transaction: it holds its rows for a moment alone.
const ROWS: i64 = 1_000;
const ORIGIN: Origin = Origin::system("sweep");

/// What clears away.
pub struct Sweep {
    /// Postgres.
    pub store: Store,
    /// Whether this process publishes.
    pub is_publishing: Arc<AtomicBool>,
    /// How long answers to requests with an `Idempotency-Key` are kept.
    pub keep_answers: Duration,
    /// For how many days records of calls are kept.
    pub keep_calls_days: u32,
}

impl Sweep {
    /// Goes on for ever.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if self.is_publishing.load(Ordering::Relaxed)
                && let Err(error) = self.once().await
            {
                tracing::warn!(%error, "couldn't clear away what is old; trying again later");
            }
        }
    }

    /// Clears away all that is there.
    ///
    /// # Errors
    /// When Postgres can't be asked. What was cleared away until then stays so.
    pub async fn once(&self) -> Result<(), StoreError> {
        loop {
            let mut tx = self.store.write(Scope::Operator, &ORIGIN).await?;
            let rows = idempotency::forget(tx.conn(), self.keep_answers, ROWS).await?;
            tx.commit().await?;
            if rows < ROWS.unsigned_abs() {
                break;
            }
        }
        upkeep::once(&self.store, self.keep_calls_days).await
    }
}
