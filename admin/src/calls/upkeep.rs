//! Partitions ahead of time, and what is kept for a time alone.

use crate::store::{Origin, Scope, Store, StoreError, calls};
use crate::usage::roll_up;

const ORIGIN: Origin = Origin::system("calls");
/// A process that nobody starts for a season finds its month all the same.
const MONTHS_AHEAD: i32 = 3;
const ROWS: i64 = 1_000;

/// Makes partitions ahead, and drops what is older than `keep_days`.
///
/// # Errors
/// When Postgres can't be asked. What was done until then stays so.
pub async fn once(store: &Store, keep_days: u32) -> Result<(), StoreError> {
    for month in 0..=MONTHS_AHEAD {
        let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
        calls::make_partition(tx.conn(), month).await?;
        tx.commit().await?;
    }
    let days = i32::try_from(keep_days).unwrap_or(i32::MAX);
    // Usage outlives the records that it comes from.
    if roll_up::freeze(store, days).await? {
        drop_old(store, days).await?;
    }
    loop {
        let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
        let has_more = calls::forget(tx.conn(), days, ROWS).await?;
        tx.commit().await?;
        if !has_more {
            return Ok(());
        }
    }
}

async fn drop_old(store: &Store, days: i32) -> Result<(), StoreError> {
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    let dropped = calls::drop_partitions(tx.conn(), days).await?;
    tx.commit().await?;
    if dropped > 0 {
        tracing::info!(dropped, "months of calls were dropped, as they are older than CALLS_RETENTION_DAYS");
    }
    Ok(())
}
