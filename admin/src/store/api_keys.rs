//! The keys that open the API: their hashes.

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::{Record, TokenHash, TokenHolder, TokenRecord};
use dialplane_common::ids::TenantId;
use dialplane_common::time::UnixSeconds;
use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;
use super::search::Pattern;

/// Where Postgres tells that a key is deleted: its hash in hexadecimal digits, or nothing when it is a tenant with all
/// that it had.
pub const CHANNEL: &str = "dialplane_api_keys";

/// A key, without the key.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct ApiKey {
    /// Its id.
    pub id: Uuid,
    /// Whose it is; absent: an operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<Uuid>,
    /// What it is called.
    pub name: String,
    /// `operator`, `admin`, `editor` or `viewer`.
    pub role: String,
    /// The key's last four characters.
    pub hint: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Instant>,
    /// When it ceases to be good.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Instant>,
    /// SHA-256 of the key.
    #[serde(skip)]
    pub hash: Vec<u8>,
}

impl ApiKey {
    /// The record by which routers know the key.
    ///
    /// # Errors
    /// When its hash isn't one.
    pub fn record(&self) -> Result<Record, StoreError> {
        let holder =
            self.tenant_id.map_or(TokenHolder::Operator, |tenant| TokenHolder::Tenant(TenantId(tenant)));
        let expires_at = self.expires_at.map(|at| UnixSeconds(at.0.as_second()));
        Ok(Record::Token(token_hash(&self.hash)?, TokenRecord { holder, expires_at }))
    }
}

/// A key to insert.
pub struct NewApiKey<'a> {
    /// Whose it is; absent: an operator's.
    pub tenant_id: Option<TenantId>,
    /// What it is called.
    pub name: &'a str,
    /// `operator`, `admin`, `editor` or `viewer`.
    pub role: &'a str,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// The key's last four characters.
    pub hint: &'a str,
    /// When it ceases to be good.
    pub expires_at: Option<Instant>,
}

/// Inserts a key; `None` when it is there already.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such tenant.
pub async fn insert(conn: &mut PgConnection, key: &NewApiKey<'_>) -> Result<Option<ApiKey>, StoreError> {
    let row = sqlx::query_as(
        "INSERT INTO api_keys (id, tenant_id, name, role, hash, hint, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT ON CONSTRAINT api_keys_hash_key DO NOTHING RETURNING *",
    )
    .bind(Uuid::now_v7())
    .bind(key.tenant_id.map(|tenant| tenant.0))
    .bind(key.name)
    .bind(key.role)
    .bind(key.hash.as_slice())
    .bind(key.hint)
    .bind(key.expires_at)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// The key of this hash, if it is still good.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn find_good(conn: &mut PgConnection, hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM api_keys WHERE hash = $1 AND (expires_at IS NULL OR expires_at > now())",
    )
    .bind(hash.as_slice())
    .fetch_optional(conn)
    .await?)
}

/// Notes that these keys were used, to the minute: all processes write it, and one is enough.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn note_used(conn: &mut PgConnection, ids: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE api_keys SET last_used_at = now()
         WHERE id = ANY ($1) AND (last_used_at IS NULL OR last_used_at < now() - interval '50 seconds')",
    )
    .bind(ids)
    .execute(conn)
    .await?;
    Ok(())
}

/// Tells all processes, once this is committed, that a tenant's keys are gone with it.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn announce_all_deleted(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(conn).await?;
    Ok(())
}

/// The hash of the key that a message says is deleted; `None`: any may be.
#[must_use]
pub fn deleted(payload: &str) -> Option<[u8; 32]> {
    if payload.len() != 64 || !payload.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&payload[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(hash)
}

/// The keys of a tenant, or the operators', those of such a name where one is given, behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    name: Option<Pattern>,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<ApiKey>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM api_keys WHERE tenant_id IS NOT DISTINCT FROM $1 AND ($4::text IS NULL OR name ILIKE $4)
            AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
    )
    .bind(tenant.map(|tenant| tenant.0))
    .bind(after)
    .bind(rows_max)
    .bind(name.as_ref().map(Pattern::as_str))
    .fetch_all(conn)
    .await?)
}

/// Locks the keys of a tenant, or the operators', that are still good, behind `after`, until the transaction ends:
/// none of them is deleted meanwhile.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn lock_good(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<ApiKey>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM api_keys WHERE tenant_id IS NOT DISTINCT FROM $1 AND ($2::uuid IS NULL OR id > $2)
            AND (expires_at IS NULL OR expires_at > now())
         ORDER BY id LIMIT $3 FOR UPDATE",
    )
    .bind(tenant.map(|tenant| tenant.0))
    .bind(after)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// The hashes of keys that are no longer good and that routers still hold, at most `rows_max`. For operators.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn expired_in_feed(conn: &mut PgConnection, rows_max: i64) -> Result<Vec<TokenHash>, StoreError> {
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT api_keys.hash FROM api_keys JOIN feed_records ON kind = $1 AND key = api_keys.hash
         WHERE expires_at <= now() ORDER BY expires_at LIMIT $2",
    )
    .bind(Kind::Token as i16)
    .bind(rows_max)
    .fetch_all(conn)
    .await?;
    hashes.iter().map(|hash| token_hash(hash)).collect()
}

/// Deletes a key of a tenant, or an operator's, and tells all processes once this is committed; gives its hash.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn delete(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    id: Uuid,
) -> Result<TokenHash, StoreError> {
    let hash: Vec<u8> = sqlx::query_scalar(
        "WITH gone AS (DELETE FROM api_keys WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2 RETURNING hash)
         SELECT hash FROM gone, pg_notify($3, encode(hash, 'hex'))",
    )
    .bind(tenant.map(|tenant| tenant.0))
    .bind(id)
    .bind(CHANNEL)
    .fetch_one(conn)
    .await?;
    token_hash(&hash)
}

/// A token's hash as it is stored.
///
/// # Errors
/// When it isn't one.
pub fn token_hash(bytes: &[u8]) -> Result<TokenHash, StoreError> {
    bytes.try_into().map(TokenHash).map_err(|_| StoreError::Malformed("token hash"))
}
