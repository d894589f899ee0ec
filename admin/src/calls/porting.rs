//! A number that is being ported is the tenant's own from its first call on: that shows that it has arrived.

use std::collections::HashSet;

use uuid::Uuid;

use crate::store::{Origin, Scope, Store, StoreError, numbers, tenants};

const ORIGIN: Origin = Origin::system("calls");

/// Makes those of the called numbers active that were being ported.
///
/// # Errors
/// When Postgres can't be asked; the next call tries again.
pub async fn arrived(store: &Store, called: &HashSet<Uuid>) -> Result<(), StoreError> {
    if called.is_empty() {
        return Ok(());
    }
    let called: Vec<_> = called.iter().copied().collect();
    let mut tx = store.read(Scope::Operator).await?;
    let porting = numbers::porting(tx.conn(), &called).await?;
    drop(tx);
    for (tenant, number) in porting {
        let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
        tenants::lock(tx.conn(), tenant).await?;
        numbers::lock(tx.conn(), tenant, number).await?;
        if numbers::find(tx.conn(), tenant, number).await?.lifecycle == "porting" {
            numbers::set_lifecycle(tx.conn(), number, "active").await?;
            tx.record_number(tenant, number).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}
