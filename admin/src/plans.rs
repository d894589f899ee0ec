//! What tenants pay for: a plan that changes reaches the routers for all its tenants, some at a time.

use std::sync::Arc;
use std::time::Duration;

use dialplane_common::ids::TenantId;
use tokio::sync::{Notify, watch};

use crate::store::{Origin, Scope, Store, StoreError, plans};

/// Any admin process does it; whoever changes a plan has its first tenants done by then.
const INTERVAL: Duration = Duration::from_secs(1);
/// Tenants of one transaction: other writers of the feed wait for its end.
pub const TENANTS: i64 = 100;
const ORIGIN: Origin = Origin::system("plans");

/// Goes on until it is told to stop.
pub async fn run(store: Store, wake: Arc<Notify>, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stops| *stops) => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        loop {
            match once(&store, &wake).await {
                Ok(false) => break,
                Ok(true) if *stopping.borrow() => return,
                Ok(true) => {}
                Err(error) => {
                    tracing::warn!(%error, "couldn't write tenants' records anew; trying again");
                    break;
                }
            }
        }
    }
}

/// Writes some records anew. Says whether there were any.
async fn once(store: &Store, wake: &Notify) -> Result<bool, StoreError> {
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    let tenants = plans::take_changed(tx.conn(), TENANTS).await?;
    for tenant in &tenants {
        tx.record_tenant(TenantId(*tenant)).await?;
    }
    tx.commit().await?;
    if !tenants.is_empty() {
        wake.notify_one();
    }
    Ok(!tenants.is_empty())
}
