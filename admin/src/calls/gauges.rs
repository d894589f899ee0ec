//! How it stands with calls as a whole, every few seconds: for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::stream::Events;
use crate::metrics::Metrics;
use crate::store::{Scope, Store, StoreError, calls};

/// As often as metrics are usually fetched.
const INTERVAL: Duration = Duration::from_secs(5);
/// So many tenants have a series of their own.
const TENANTS_MAX: i64 = 10;
/// Consumers that are gone are looked for once in so many rounds.
const TIDY_ROUNDS: u32 = 120;

/// What looks. Done by the process that publishes, so that one of them does it.
pub struct Gauges {
    /// Postgres.
    pub store: Store,
    /// The stream.
    pub events: Events,
    /// Where it is told.
    pub metrics: Arc<Metrics>,
    /// Whether this process publishes.
    pub is_publishing: Arc<AtomicBool>,
}

impl Gauges {
    /// Goes on for ever.
    pub async fn run(self) {
        for round in 0_u32.. {
            tokio::time::sleep(INTERVAL).await;
            if !self.is_publishing.load(Ordering::Relaxed) {
                self.metrics.events_lag(None);
                self.metrics.calls_under_way(None);
                continue;
            }
            match self.events.lag().await {
                Ok(lag) => self.metrics.events_lag(Some(lag)),
                Err(error) => tracing::debug!(%error, "couldn't ask how far behind storing events is"),
            }
            if let Err(error) = self.count().await {
                tracing::warn!(%error, "couldn't count calls under way; trying again");
            }
            if round % TIDY_ROUNDS == 0 {
                // What is left is tried again.
                let _ = self.events.tidy().await;
            }
        }
    }

    async fn count(&self) -> Result<(), StoreError> {
        let mut tx = self.store.read(Scope::Operator).await?;
        let (all, most) = calls::busiest(tx.conn(), TENANTS_MAX).await?;
        self.metrics.calls_under_way(Some((all, &most)));
        Ok(())
    }
}
