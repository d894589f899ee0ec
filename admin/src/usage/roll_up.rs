//! Works usage out ahead, in the background: hours that are over and whose records changed since. Any admin process does;
//! they share the work.

use std::time::Duration;

use tokio::sync::watch;

use crate::store::{Origin, Scope, Store, StoreError, usage};

/// Usage that isn't worked out yet is worked out by whoever asks, so that this is about speed alone.
const INTERVAL: Duration = Duration::from_secs(5);
/// Hours of tenants in one transaction: it holds nobody up but others of its kind.
const MARKS: i32 = 200;
const ORIGIN: Origin = Origin::system("usage");

/// Goes on until it is told to stop.
pub async fn run(store: Store, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stops| *stops) => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        loop {
            match once(&store).await {
                Ok(0) => break,
                Ok(_) if *stopping.borrow() => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "couldn't work usage out; trying again");
                    break;
                }
            }
        }
    }
}

async fn once(store: &Store) -> Result<i32, StoreError> {
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    let marks = usage::roll_up(tx.conn(), MARKS).await?;
    tx.commit().await?;
    Ok(marks)
}

/// Works out all that is marked and keeps the usage of the months (UTC) that are over for so many days as it is from then
/// on. For whoever drops those months' records, beforehand; what is told of their calls later comes too late. Says whether
/// it is done: while another process works an hour of them out it isn't, and is tried again later.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn freeze(store: &Store, days: i32) -> Result<bool, StoreError> {
    while once(store).await? > 0 {}
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    let is_done = usage::freeze(tx.conn(), days).await?;
    tx.commit().await?;
    Ok(is_done)
}
