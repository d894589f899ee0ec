//! Phone numbers' rows and what ties them to accounts.

use dialplane_common::e164::E164;
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;

/// A phone number, as stored, with its bindings in the order of their accounts.
#[derive(Clone, Debug, FromRow)]
pub struct NumberRow {
    /// Its id.
    pub id: Uuid,
    /// Whose number it is.
    pub tenant_id: Uuid,
    /// The number.
    pub phone_number: String,
    /// The location's name.
    pub display_name: String,
    /// The location's time zone; absent: its tenant's.
    pub timezone: Option<String>,
    /// `active`, `inactive` or `suspended`.
    pub status: String,
    /// Where it is in its life.
    pub lifecycle: String,
    /// How it came here.
    pub source: String,
    /// Whoever answers where a rule names nobody.
    pub agent_id: Option<Uuid>,
    /// When it was created.
    pub created_at: Instant,
    /// When it was last changed.
    pub updated_at: Instant,
    /// The accounts that it is bound to.
    pub account_ids: Vec<Uuid>,
    /// The role of each.
    pub account_roles: Vec<String>,
}

/// What people set of a number.
#[derive(Clone, Debug)]
pub struct NumberFields {
    /// The location's name.
    pub display_name: String,
    /// The location's time zone.
    pub timezone: Option<String>,
    /// `active`, `inactive` or `suspended`.
    pub status: String,
    /// Whoever answers where a rule names nobody.
    pub agent_id: Option<AgentId>,
}

/// Which of a tenant's numbers a list has.
#[derive(Clone, Debug, Default)]
pub struct NumberFilter {
    /// This number alone.
    pub phone_number: Option<String>,
    /// Those of this status.
    pub status: Option<String>,
}

const COLUMNS_AND_BINDINGS: &str = "SELECT n.*,
    ARRAY(SELECT account_id FROM phone_number_bindings b WHERE b.phone_number_id = n.id ORDER BY account_id)
        AS account_ids,
    ARRAY(SELECT role FROM phone_number_bindings b WHERE b.phone_number_id = n.id ORDER BY account_id)
        AS account_roles
    FROM phone_numbers n";

/// The query with the columns of a [`NumberRow`].
fn select(condition: &'static str) -> sqlx::AssertSqlSafe<String> {
    // Safe: both parts are literals of this file.
    sqlx::AssertSqlSafe(format!("{COLUMNS_AND_BINDINGS} {condition}"))
}

/// Inserts a number.
///
/// # Errors
/// [`StoreError::NumberTaken`]; [`StoreError::NotFound`] when there is no such tenant.
pub async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    number: E164,
    source: &str,
    fields: &NumberFields,
) -> Result<PhoneNumberId, StoreError> {
    let id = PhoneNumberId(Uuid::now_v7());
    sqlx::query(
        "INSERT INTO phone_numbers (id, tenant_id, phone_number, display_name, timezone, status, source, agent_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.0)
    .bind(tenant.0)
    .bind(number.to_string())
    .bind(&fields.display_name)
    .bind(&fields.timezone)
    .bind(&fields.status)
    .bind(source)
    .bind(fields.agent_id.map(|agent| agent.0))
    .execute(conn)
    .await?;
    Ok(id)
}

/// The number.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
) -> Result<NumberRow, StoreError> {
    Ok(sqlx::query_as(select("WHERE n.tenant_id = $1 AND n.id = $2"))
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?)
}

/// Locks the number until the transaction ends: the root of its record, its bindings and its settings.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, tenant: TenantId, id: PhoneNumberId) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM phone_numbers WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE")
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// The tenant's numbers behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    tenant: TenantId,
    filter: &NumberFilter,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<NumberRow>, StoreError> {
    Ok(sqlx::query_as(select(
        "WHERE n.tenant_id = $1 AND ($2::text IS NULL OR n.phone_number = $2) AND ($3::text IS NULL OR n.status = $3)
         AND ($4::uuid IS NULL OR n.id > $4) ORDER BY n.id LIMIT $5",
    ))
    .bind(tenant.0)
    .bind(&filter.phone_number)
    .bind(&filter.status)
    .bind(after)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// Sets a locked number's fields.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn update(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
    fields: &NumberFields,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE phone_numbers SET display_name = $3, timezone = $4, status = $5, agent_id = $6, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 RETURNING id",
    )
    .bind(tenant.0)
    .bind(id.0)
    .bind(&fields.display_name)
    .bind(&fields.timezone)
    .bind(&fields.status)
    .bind(fields.agent_id.map(|agent| agent.0))
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Binds a locked number to this carrier's account instead of the one before; to none when absent.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn bind_carrier(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
    account: Option<AccountId>,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM phone_number_bindings WHERE tenant_id = $1 AND phone_number_id = $2 AND role = 'carrier'")
        .bind(tenant.0)
        .bind(id.0)
        .execute(&mut *conn)
        .await?;
    if let Some(account) = account {
        sqlx::query(
            "INSERT INTO phone_number_bindings (tenant_id, phone_number_id, account_id) VALUES ($1, $2, $3)",
        )
        .bind(tenant.0)
        .bind(id.0)
        .bind(account.0)
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Deletes a number and tells which it was.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn delete(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
) -> Result<E164, StoreError> {
    let number: String = sqlx::query_scalar(
        "DELETE FROM phone_numbers WHERE tenant_id = $1 AND id = $2 RETURNING phone_number",
    )
    .bind(tenant.0)
    .bind(id.0)
    .fetch_one(conn)
    .await?;
    number.parse().map_err(|_| StoreError::Malformed("phone number"))
}
