//! Tenants' own servers for what agents want done.

use dialplane_common::ids::TenantId;
use dialplane_common::secret::Secret;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;

use super::instant::Instant;
use super::{SealKeys, StoreError, nonce};

/// A tenant's server, as stored.
#[derive(Clone, Debug, FromRow)]
pub struct ToolServerRow {
    /// Where it is.
    pub url: String,
    /// How long an answer may take.
    pub timeout_ms: i32,
    /// How many requests it takes at a time.
    pub concurrency_max: i32,
    /// What requests to it are signed with, sealed for the tenant's id.
    pub secret_sealed: Vec<u8>,
    /// When it was last changed.
    pub updated_at: Instant,
}

impl ToolServerRow {
    /// What requests to it are signed with, opened.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when no key opens it.
    pub fn secret(&self, keys: &SealKeys, tenant: TenantId) -> Result<Secret, StoreError> {
        Ok(keys.at_rest.open(tenant.as_bytes(), &self.secret_sealed)?)
    }
}

/// The tenant's server, if it has one.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn find(conn: &mut PgConnection, tenant: TenantId) -> Result<Option<ToolServerRow>, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM tool_servers WHERE tenant_id = $1")
        .bind(tenant.0)
        .fetch_optional(conn)
        .await?)
}

/// Sets a locked tenant's server.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn put(
    conn: &mut PgConnection,
    keys: &SealKeys,
    tenant: TenantId,
    url: &str,
    (timeout_ms, concurrency_max): (u16, u16),
    secret: &[u8],
) -> Result<ToolServerRow, StoreError> {
    let sealed = keys.at_rest.seal(nonce::draw()?, tenant.as_bytes(), secret);
    Ok(sqlx::query_as(
        "INSERT INTO tool_servers (tenant_id, url, timeout_ms, concurrency_max, secret_sealed)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT ON CONSTRAINT tool_servers_pkey DO UPDATE SET url = excluded.url,
            timeout_ms = excluded.timeout_ms, concurrency_max = excluded.concurrency_max,
            secret_sealed = excluded.secret_sealed, updated_at = now()
         RETURNING *",
    )
    .bind(tenant.0)
    .bind(url)
    .bind(i32::from(timeout_ms))
    .bind(i32::from(concurrency_max))
    .bind(sealed)
    .fetch_one(conn)
    .await?)
}

/// Seals the secret of a locked tenant's server anew, with the first key.
///
/// # Errors
/// [`StoreError::Sealed`] when no key opens it.
pub async fn reseal(conn: &mut PgConnection, keys: &SealKeys, tenant: TenantId) -> Result<(), StoreError> {
    let Some(row) = find(conn, tenant).await? else { return Ok(()) };
    let secret = row.secret(keys, tenant)?;
    sqlx::query("UPDATE tool_servers SET secret_sealed = $2 WHERE tenant_id = $1")
        .bind(tenant.0)
        .bind(keys.at_rest.seal(nonce::draw()?, tenant.as_bytes(), secret.expose()))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes away a locked tenant's server.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn delete(conn: &mut PgConnection, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM tool_servers WHERE tenant_id = $1").bind(tenant.0).execute(conn).await?;
    Ok(())
}
