//! Tenants' rows.

use dialplane_common::ids::TenantId;
use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;
use super::search::Pattern;

/// A business.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct Tenant {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// IANA time zone of its locations that have none of their own.
    pub timezone: String,
    /// `active` or `suspended`: then its calls are rejected.
    pub status: String,
    /// How many calls it may have at a time; null: any number.
    pub calls_max: Option<i32>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
}

/// Which tenants a list has.
#[derive(Clone, Debug, Default)]
pub struct TenantFilter {
    /// Those of such a name.
    pub name: Option<Pattern>,
    /// Those of this status.
    pub status: Option<&'static str>,
}

/// Fields to change; those absent stay.
#[derive(Clone, Debug, Default)]
pub struct TenantChanges {
    /// Its name.
    pub name: Option<String>,
    /// Its time zone.
    pub timezone: Option<String>,
    /// Its status; only operators' transactions may set it.
    pub status: Option<String>,
    /// How many calls it may have at a time; only operators' transactions may set it.
    pub calls_max: Option<Option<i32>>,
}

/// Inserts a tenant.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn insert(
    conn: &mut PgConnection,
    id: TenantId,
    name: &str,
    timezone: &str,
    calls_max: Option<i32>,
) -> Result<Tenant, StoreError> {
    Ok(sqlx::query_as(
        "INSERT INTO tenants (id, name, timezone, calls_max) VALUES ($1, $2, $3, $4) RETURNING *",
    )
    .bind(id.0)
    .bind(name)
    .bind(timezone)
    .bind(calls_max)
    .fetch_one(conn)
    .await?)
}

/// The tenant.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, id: TenantId) -> Result<Tenant, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM tenants WHERE id = $1").bind(id.0).fetch_one(conn).await?)
}

/// The tenants behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    filter: &TenantFilter,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Tenant>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM tenants WHERE ($1::uuid IS NULL OR id > $1) AND ($3::text IS NULL OR name ILIKE $3)
            AND ($4::text IS NULL OR status = $4) ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(rows_max)
    .bind(filter.name.as_ref().map(Pattern::as_str))
    .bind(filter.status)
    .fetch_all(conn)
    .await?)
}

/// Locks the tenant until the transaction ends: the root of its record and of its defaults.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, id: TenantId) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM tenants WHERE id = $1 FOR NO KEY UPDATE").bind(id.0).fetch_one(conn).await?;
    Ok(())
}

/// Locks the tenant against everything until the transaction ends, so that nothing is added to it either.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock_for_deletion(conn: &mut PgConnection, id: TenantId) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM tenants WHERE id = $1 FOR UPDATE").bind(id.0).fetch_one(conn).await?;
    Ok(())
}

/// Changes a locked tenant.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn update(
    conn: &mut PgConnection,
    id: TenantId,
    changes: &TenantChanges,
) -> Result<Tenant, StoreError> {
    if let Some(status) = &changes.status {
        // On its own: a tenant's role may not write this column, not even its old value.
        sqlx::query("UPDATE tenants SET status = $2 WHERE id = $1")
            .bind(id.0)
            .bind(status)
            .execute(&mut *conn)
            .await?;
    }
    if let Some(calls_max) = changes.calls_max {
        // On its own, for the same reason.
        sqlx::query("UPDATE tenants SET calls_max = $2 WHERE id = $1")
            .bind(id.0)
            .bind(calls_max)
            .execute(&mut *conn)
            .await?;
    }
    Ok(sqlx::query_as(
        "UPDATE tenants SET name = coalesce($2, name), timezone = coalesce($3, timezone), updated_at = now()
         WHERE id = $1 RETURNING *",
    )
    .bind(id.0)
    .bind(&changes.name)
    .bind(&changes.timezone)
    .fetch_one(conn)
    .await?)
}

/// Deletes a tenant and all that it has.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::TenantHasNumbers`].
pub async fn delete(conn: &mut PgConnection, id: TenantId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM tenants WHERE id = $1 RETURNING id").bind(id.0).fetch_one(&mut *conn).await?;
    super::api_keys::announce_all_deleted(conn).await
}
