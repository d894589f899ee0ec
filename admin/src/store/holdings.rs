//! Where numbers are held: at carriers, and at providers of agents that know of them. For operators' transactions.

use dialplane_common::ids::{PhoneNumberId, TenantId};
use serde_json::{Map, Value};
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::StoreError;

/// A number at an account.
#[derive(Clone, Debug, FromRow)]
pub struct Holding {
    /// The number.
    pub phone_number_id: Uuid,
    /// The account.
    pub account_id: Uuid,
    /// `carrier`, or `agent` where a provider of agents only knows of it.
    pub role: String,
    /// The provider's name of it.
    pub held_id: String,
    /// `bought`, `free` or `imported`.
    pub origin: String,
    /// What stood on it before it was imported.
    pub former: Option<Json<Map<String, Value>>>,
    /// The purchase that brought it.
    pub purchase_id: Option<Uuid>,
    /// Where it was pointed.
    pub public_url: Option<String>,
}

/// Notes where a number is held; at an account, a number is held once.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn put(conn: &mut PgConnection, holding: &Holding) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO number_holdings (phone_number_id, account_id, role, held_id, origin, former, purchase_id, public_url)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT ON CONSTRAINT number_holdings_pkey DO UPDATE SET held_id = excluded.held_id",
    )
    .bind(holding.phone_number_id)
    .bind(holding.account_id)
    .bind(&holding.role)
    .bind(&holding.held_id)
    .bind(&holding.origin)
    .bind(&holding.former)
    .bind(holding.purchase_id)
    .bind(&holding.public_url)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the account's provider calls a number otherwise now.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn rename(
    conn: &mut PgConnection,
    number: PhoneNumberId,
    account: Uuid,
    held_id: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE number_holdings SET held_id = $3 WHERE phone_number_id = $1 AND account_id = $2")
        .bind(number.0)
        .bind(account)
        .bind(held_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes where a number was pointed.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn pointed(
    conn: &mut PgConnection,
    number: PhoneNumberId,
    account: Uuid,
    public_url: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE number_holdings SET public_url = $3 WHERE phone_number_id = $1 AND account_id = $2")
        .bind(number.0)
        .bind(account)
        .bind(public_url)
        .execute(conn)
        .await?;
    Ok(())
}

/// Numbers that another agent answers now, at most so many: those that no job is at work on and nobody else looks at.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn to_link(conn: &mut PgConnection, rows_max: i64) -> Result<Vec<Unlinked>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT n.id AS phone_number_id, n.tenant_id, n.agent_id
         FROM number_holdings AS h JOIN phone_numbers AS n ON n.id = h.phone_number_id
         WHERE h.wants_link AND NOT EXISTS (SELECT FROM provisioning_jobs AS j WHERE j.phone_number_id = n.id
            AND j.ended_at IS NULL AND j.state IN ('pending', 'running', 'confirming'))
         ORDER BY n.id LIMIT $1 FOR NO KEY UPDATE OF n SKIP LOCKED",
    )
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// A number that another agent answers now.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Unlinked {
    /// The number.
    pub phone_number_id: Uuid,
    /// Whose it is; absent: it went to the pool meanwhile.
    pub tenant_id: Option<Uuid>,
    /// Who answers it; absent: nobody any more.
    pub agent_id: Option<Uuid>,
}

/// Notes that a job tells a number's provider who answers it, or has told it.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn link_is_seen_to(conn: &mut PgConnection, number: PhoneNumberId) -> Result<(), StoreError> {
    sqlx::query("UPDATE number_holdings SET wants_link = false WHERE phone_number_id = $1 AND wants_link")
        .bind(number.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Where a number is held, the carrier first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn of_number(conn: &mut PgConnection, number: PhoneNumberId) -> Result<Vec<Holding>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM number_holdings WHERE phone_number_id = $1 ORDER BY role DESC, account_id",
    )
    .bind(number.0)
    .fetch_all(conn)
    .await?)
}

/// What an account holds: number, holding.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn of_account(
    conn: &mut PgConnection,
    account: Uuid,
) -> Result<Vec<(String, Holding)>, StoreError> {
    #[derive(FromRow)]
    struct Row {
        phone_number: String,
        #[sqlx(flatten)]
        holding: Holding,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT n.phone_number, h.* FROM number_holdings AS h JOIN phone_numbers AS n ON n.id = h.phone_number_id
         WHERE h.account_id = $1 ORDER BY h.held_id",
    )
    .bind(account)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.phone_number, row.holding)).collect())
}

/// The number that an account holds under this name of the provider's.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn by_held_id(
    conn: &mut PgConnection,
    account: Uuid,
    held_id: &str,
) -> Result<Option<PhoneNumberId>, StoreError> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "SELECT phone_number_id FROM number_holdings WHERE account_id = $1 AND held_id = $2",
    )
    .bind(account)
    .bind(held_id)
    .fetch_optional(conn)
    .await?;
    Ok(id.map(PhoneNumberId))
}

/// Forgets that an account holds a number.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn remove(conn: &mut PgConnection, number: PhoneNumberId, account: Uuid) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM number_holdings WHERE phone_number_id = $1 AND account_id = $2")
        .bind(number.0)
        .bind(account)
        .execute(conn)
        .await?;
    Ok(())
}

/// The free numbers of an account.
#[derive(Clone, PartialEq, Eq, Debug, FromRow)]
pub struct FreeNumbers {
    /// The account: one of the platform's.
    pub account_id: Uuid,
    /// Where it is.
    pub provider: String,
    /// What people call it.
    pub label: String,
    /// How many it has.
    pub total: i64,
}

/// How many free numbers each of the platform's accounts has, wherever it is.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn free_by_account(conn: &mut PgConnection) -> Result<Vec<FreeNumbers>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT a.id AS account_id, a.provider, a.label, count(h.phone_number_id) AS total FROM accounts AS a
         LEFT JOIN number_holdings AS h ON h.account_id = a.id AND h.origin = 'free'
         WHERE a.tenant_id IS NULL GROUP BY a.id ORDER BY a.id",
    )
    .fetch_all(conn)
    .await?)
}

/// How full an account is.
pub struct NewLevel {
    /// The account.
    pub account: Uuid,
    /// `ok`, `warning` or `critical`.
    pub level: &'static str,
    /// How many free numbers it has.
    pub total: i64,
}

/// Notes how full accounts are that may have `limit` free numbers each, and gives those whose level is another than
/// before. One that was never anything but `ok` isn't noted.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn note_levels(
    conn: &mut PgConnection,
    levels: &[NewLevel],
    limit: i64,
) -> Result<Vec<Uuid>, StoreError> {
    Ok(sqlx::query_scalar(
        "INSERT INTO free_number_levels AS noted (account_id, level, total, numbers_max)
         SELECT account, level, total, $4 FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS now (account, level, total)
         WHERE level <> 'ok' OR EXISTS (SELECT FROM free_number_levels WHERE account_id = account)
         ON CONFLICT ON CONSTRAINT free_number_levels_pkey DO UPDATE
         SET level = excluded.level, total = excluded.total, numbers_max = excluded.numbers_max, updated_at = now()
         WHERE noted.level <> excluded.level
         RETURNING account_id",
    )
    .bind(levels.iter().map(|level| level.account).collect::<Vec<_>>())
    .bind(levels.iter().map(|level| level.level).collect::<Vec<_>>())
    .bind(levels.iter().map(|level| level.total).collect::<Vec<_>>())
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// Carriers' numbers that are pointed elsewhere than at `public_url`, of one account where it is given; all of them, where
/// that is wanted. They are locked, in the order of their ids.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn to_point(
    conn: &mut PgConnection,
    public_url: &str,
    account: Option<Uuid>,
    all: bool,
) -> Result<Vec<PhoneNumberId>, StoreError> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM phone_numbers
         WHERE lifecycle <> 'released' AND (lifecycle <> 'quarantined' OR quarantined_until IS NOT NULL) AND EXISTS (
            SELECT FROM number_holdings AS held
            WHERE held.phone_number_id = phone_numbers.id AND held.role = 'carrier'
                AND ($2::uuid IS NULL OR held.account_id = $2)
                AND ($3 OR held.public_url IS DISTINCT FROM $1)
         ) ORDER BY id FOR NO KEY UPDATE",
    )
    .bind(public_url)
    .bind(account)
    .bind(all)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(PhoneNumberId).collect())
}

/// How many of carriers' numbers are pointed elsewhere.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn pointed_elsewhere(conn: &mut PgConnection, public_url: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM number_holdings WHERE role = 'carrier' AND public_url IS DISTINCT FROM $1",
    )
    .bind(public_url)
    .fetch_one(conn)
    .await?)
}

/// The numbers that a tenant's own accounts hold, whoever has them, up to `rows_max`.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn in_accounts_of(
    conn: &mut PgConnection,
    tenant: TenantId,
    rows_max: i64,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT number.phone_number FROM number_holdings AS held
         JOIN accounts AS account ON account.id = held.account_id
         JOIN phone_numbers AS number ON number.id = held.phone_number_id
         WHERE account.tenant_id = $1 ORDER BY 1 LIMIT $2",
    )
    .bind(tenant.0)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}
