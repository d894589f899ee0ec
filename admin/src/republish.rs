//! `republish`: every record encoded and sealed anew with the first keys, and a new epoch of the feed.
//!
//! For a new first key in `FEED_KEY` or `ADMIN_ENCRYPTION_KEY`, so that the old one can go; and after a repair by hand.

use std::sync::Arc;

use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use uuid::Uuid;

use crate::Failure;
use crate::commands;
use crate::config::StoreSettings;
use crate::store::accounts::{self, AccountFields};
use crate::store::agents::AgentFilter;
use crate::store::numbers::NumberFilter;
use crate::store::tenants::TenantFilter;
use crate::store::{
    Origin, Scope, Store, StoreError, agents, api_keys, feed, numbers, settings, tenants, tool_servers,
};

/// Rows a transaction: each holds the feed for a moment, and other writers wait no longer than that.
const ROWS: i64 = 200;
const ORIGIN: Origin = Origin::system("republish");

/// Runs the command.
///
/// # Errors
/// When Postgres can't be reached, or stored credentials don't open. What was written until then is complete.
pub async fn run(settings: StoreSettings) -> Result<(), Failure> {
    let store = commands::open(settings)?;
    let records = all(&store).await.map_err(|error| Failure::new("republish", &error))?;
    #[expect(clippy::print_stdout, reason = "the one who ran the command reads it")]
    {
        println!("dialplane-admin: {records} records written anew; the publisher begins a new epoch");
    }
    Ok(())
}

async fn all(store: &Store) -> Result<u64, StoreError> {
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    settings::lock_platform(tx.conn()).await?;
    tx.record_platform().await?;
    tx.commit().await?;
    let mut records = 1 + accounts_of(store, None).await? + keys_of(store, None).await?;
    records += agents_of(store, None).await?;
    let mut after = None;
    loop {
        let mut tx = store.read(Scope::Operator).await?;
        let page = tenants::list(tx.conn(), &TenantFilter::default(), after, ROWS).await?;
        drop(tx);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for tenant in &page {
            records += tenant_with_all(store, TenantId(tenant.id)).await?;
        }
    }
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    feed::want_new_epoch(tx.conn(), true).await?;
    tx.commit().await?;
    Ok(records)
}

/// A tenant that was deleted meanwhile needs nothing.
async fn tenant_with_all(store: &Store, id: TenantId) -> Result<u64, StoreError> {
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    match tenants::lock(tx.conn(), id).await {
        Err(StoreError::NotFound) => return Ok(0),
        other => other?,
    }
    tool_servers::reseal(tx.conn(), store.keys(), id).await?;
    tx.record_tenant(id).await?;
    tx.commit().await?;
    let with_secrets = accounts_of(store, Some(id)).await? + keys_of(store, Some(id)).await?;
    Ok(1 + with_secrets + agents_of(store, Some(id)).await? + numbers_of(store, id).await?)
}

async fn accounts_of(store: &Store, owner: Option<TenantId>) -> Result<u64, StoreError> {
    let (mut after, mut records): (Option<Uuid>, u64) = (None, 0);
    loop {
        let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
        let page = accounts::list(tx.conn(), owner, None, after, ROWS).await?;
        let Some(last) = page.last() else { return Ok(records) };
        after = Some(last.id);
        for row in &page {
            let id = AccountId(row.id);
            let row = match accounts::lock(tx.conn(), owner, id).await {
                Err(StoreError::NotFound) => continue,
                other => other?,
            };
            let keys = Arc::clone(store.keys());
            let credentials = row.credentials(&keys)?;
            let fields = AccountFields {
                label: &row.label,
                credentials: &credentials,
                signature_policy: &row.signature_policy,
                country: row.country.as_deref(),
            };
            let row = accounts::update(tx.conn(), &keys, id, &fields).await?;
            tx.record_account(&row)?;
            records += 1;
        }
        tx.commit().await?;
    }
}

/// Keys that are no longer good stay out.
async fn keys_of(store: &Store, owner: Option<TenantId>) -> Result<u64, StoreError> {
    let (mut after, mut records): (Option<Uuid>, u64) = (None, 0);
    loop {
        let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
        let page = api_keys::lock_good(tx.conn(), owner, after, ROWS).await?;
        let Some(last) = page.last() else { return Ok(records) };
        after = Some(last.id);
        for key in &page {
            tx.record(&key.record()?)?;
            records += 1;
        }
        tx.commit().await?;
    }
}

async fn agents_of(store: &Store, owner: Option<TenantId>) -> Result<u64, StoreError> {
    let (mut after, mut records): (Option<Uuid>, u64) = (None, 0);
    loop {
        let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
        let filter = AgentFilter::default();
        let page = match owner {
            Some(tenant) => agents::list(tx.conn(), tenant, &filter, after, ROWS).await?,
            None => agents::list_shared(tx.conn(), &filter, after, ROWS).await?,
        };
        let Some(last) = page.last() else { return Ok(records) };
        after = Some(last.id);
        for row in &page {
            // Shared ones are the platform's.
            let row = match agents::lock(tx.conn(), owner, AgentId(row.id)).await {
                Err(StoreError::NotFound) => continue,
                other => other?,
            };
            tx.record_agent(&row)?;
            tx.record_agent_token(&row)?;
            records += 1 + u64::from(row.token_hash.is_some());
        }
        tx.commit().await?;
    }
}

async fn numbers_of(store: &Store, tenant: TenantId) -> Result<u64, StoreError> {
    let (mut after, mut records): (Option<Uuid>, u64) = (None, 0);
    loop {
        let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
        let page = numbers::list(tx.conn(), tenant, &NumberFilter::default(), after, ROWS).await?;
        let Some(last) = page.last() else { return Ok(records) };
        after = Some(last.id);
        for row in &page {
            let id = PhoneNumberId(row.id);
            match numbers::lock(tx.conn(), tenant, id).await {
                Err(StoreError::NotFound) => continue,
                other => other?,
            }
            tx.record_number(tenant, id).await?;
            records += 1;
        }
        tx.commit().await?;
    }
}
