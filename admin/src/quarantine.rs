//! Releases the phone numbers that have rested long enough. Every process does, now and then: one that finds nothing to
//! do costs a look at an index.

use std::time::Duration;

use crate::store::{Origin, Scope, Store, StoreError, pool};

const ORIGIN: Origin = Origin::system("quarantine");
const INTERVAL: Duration = Duration::from_secs(60);

/// Goes on for ever; for a task of its own.
pub async fn run(store: Store) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match release(&store).await {
            Ok(0) => {}
            Ok(released) => tracing::info!(released, "released numbers that had rested"),
            Err(error) => {
                tracing::warn!(%error, "couldn't release numbers that had rested; trying again later")
            }
        }
    }
}

async fn release(store: &Store) -> Result<usize, StoreError> {
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    let released = pool::release_rested(tx.conn()).await?;
    tx.commit().await?;
    Ok(released)
}
