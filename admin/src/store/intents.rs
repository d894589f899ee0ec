//! Intents' rows: what callers may want.

use std::collections::BTreeMap;

use dialplane_common::ids::{IntentId, TenantId};
use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;
use super::search::Pattern;

/// Something that callers may want, and what is said to it.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct Intent {
    /// Its id.
    pub id: Uuid,
    /// Whose intent it is.
    pub tenant_id: Uuid,
    /// Its name.
    pub name: String,
    /// What callers say who want it.
    #[schema(value_type = Vec<String>)]
    pub phrases: Json<Vec<String>>,
    /// What is answered, by language tag.
    #[schema(value_type = BTreeMap<String, String>)]
    pub responses: Json<BTreeMap<String, String>>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
}

/// What people set of an intent.
pub struct IntentFields<'a> {
    /// Its name.
    pub name: &'a str,
    /// What callers say.
    pub phrases: &'a [String],
    /// What is answered.
    pub responses: &'a BTreeMap<String, String>,
}

/// Inserts an intent of a locked tenant.
///
/// # Errors
/// [`StoreError::IntentNameTaken`].
pub async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    fields: &IntentFields<'_>,
) -> Result<Intent, StoreError> {
    Ok(sqlx::query_as(
        "INSERT INTO intents (id, tenant_id, name, phrases, responses) VALUES ($1, $2, $3, $4, $5) RETURNING *",
    )
    .bind(Uuid::now_v7())
    .bind(tenant.0)
    .bind(fields.name)
    .bind(Json(fields.phrases))
    .bind(Json(fields.responses))
    .fetch_one(conn)
    .await?)
}

/// The intent.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, tenant: TenantId, id: IntentId) -> Result<Intent, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM intents WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?)
}

/// The tenant's intents, those of such a name where one is given, behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: Option<Pattern>,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Intent>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM intents WHERE tenant_id = $1 AND ($4::text IS NULL OR name ILIKE $4)
            AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
    )
    .bind(tenant.0)
    .bind(after)
    .bind(rows_max)
    .bind(name.as_ref().map(Pattern::as_str))
    .fetch_all(conn)
    .await?)
}

/// Sets an intent's fields; its tenant is locked.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::IntentNameTaken`].
pub async fn update(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: IntentId,
    fields: &IntentFields<'_>,
) -> Result<Intent, StoreError> {
    Ok(sqlx::query_as(
        "UPDATE intents SET name = $3, phrases = $4, responses = $5, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 RETURNING *",
    )
    .bind(tenant.0)
    .bind(id.0)
    .bind(fields.name)
    .bind(Json(fields.phrases))
    .bind(Json(fields.responses))
    .fetch_one(conn)
    .await?)
}

/// Deletes an intent; its tenant is locked.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn delete(conn: &mut PgConnection, tenant: TenantId, id: IntentId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM intents WHERE tenant_id = $1 AND id = $2 RETURNING id")
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// The ids of `wanted` that are the tenant's intents.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn known(
    conn: &mut PgConnection,
    tenant: TenantId,
    wanted: &[IntentId],
) -> Result<Vec<IntentId>, StoreError> {
    let wanted: Vec<Uuid> = wanted.iter().map(|id| id.0).collect();
    let known: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM intents WHERE tenant_id = $1 AND id = ANY($2) FOR KEY SHARE")
            .bind(tenant.0)
            .bind(wanted)
            .fetch_all(conn)
            .await?;
    Ok(known.into_iter().map(IntentId).collect())
}
