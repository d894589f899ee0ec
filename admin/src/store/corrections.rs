//! What people say of calls against what providers do.

use dialplane_common::ids::TenantId;
use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;

/// A correction of a call. Each is kept; of a field the last that was said counts, before all that providers say.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct Correction {
    /// Its id.
    pub id: Uuid,
    /// The call.
    pub call_id: Uuid,
    /// How long the call lasted, in milliseconds; null: nothing is said of that.
    pub duration_ms: Option<i64>,
    /// What it costs: a decimal; null: nothing is said of that.
    pub cost: Option<String>,
    /// ISO 4217, of the cost.
    pub currency: Option<String>,
    /// Why.
    pub reason: String,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
}

/// A correction to make.
#[derive(Clone, Debug)]
pub struct NewCorrection<'a> {
    /// In milliseconds.
    pub duration_ms: Option<i64>,
    /// Amount and currency.
    pub cost: Option<(&'a str, &'a str)>,
    /// Why.
    pub reason: &'a str,
}

/// Corrects a call, and has the usage of its hour worked out anew. For operators.
///
/// # Errors
/// [`StoreError::NotFound`]: the tenant has no record of such a call, or has none any more.
pub async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    call: Uuid,
    new: &NewCorrection<'_>,
) -> Result<Correction, StoreError> {
    let started_at = started_at(conn, tenant, call).await?;
    let correction = sqlx::query_as(
        "INSERT INTO call_corrections (id, tenant_id, call_id, started_at, duration_ms, cost, currency, reason)
         VALUES ($1, $2, $3, $4, $5, $6::numeric, $7, $8)
         RETURNING id, call_id, duration_ms, usage_amount_text(cost) AS cost, currency, reason, created_at",
    )
    .bind(Uuid::now_v7())
    .bind(tenant.0)
    .bind(call)
    .bind(started_at)
    .bind(new.duration_ms)
    .bind(new.cost.map(|(amount, _)| amount))
    .bind(new.cost.map(|(_, currency)| currency))
    .bind(new.reason)
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query("SELECT usage_mark(ARRAY[$1], ARRAY[date_trunc('hour', $2, 'UTC')])")
        .bind(tenant.0)
        .bind(started_at)
        .execute(conn)
        .await?;
    Ok(correction)
}

/// The call's corrections behind `after`, oldest first.
///
/// # Errors
/// [`StoreError::NotFound`]: there is no record of such a call.
pub async fn list(
    conn: &mut PgConnection,
    tenant: TenantId,
    call: Uuid,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Correction>, StoreError> {
    started_at(conn, tenant, call).await?;
    Ok(sqlx::query_as(
        "SELECT id, call_id, duration_ms, usage_amount_text(cost) AS cost, currency, reason, created_at
         FROM call_corrections WHERE tenant_id = $1 AND call_id = $2 AND ($3::uuid IS NULL OR id > $3)
         ORDER BY id LIMIT $4",
    )
    .bind(tenant.0)
    .bind(call)
    .bind(after)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

async fn started_at(conn: &mut PgConnection, tenant: TenantId, call: Uuid) -> Result<Instant, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT started_at FROM calls WHERE tenant_id = $1 AND id = $2 AND direction <> 'message' LIMIT 1",
    )
    .bind(tenant.0)
    .bind(call)
    .fetch_one(conn)
    .await?)
}
