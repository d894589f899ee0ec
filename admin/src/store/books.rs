//! What is believed of what an account holds, as reconciliation compares it. For operators' transactions.

use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::accounts::AccountRow;

/// A number that an account is believed to hold.
#[derive(Clone, Debug, FromRow)]
pub struct KeptRow {
    /// Its id.
    pub phone_number_id: Uuid,
    /// The number.
    pub phone_number: String,
    /// The provider's name of it.
    pub held_id: String,
    /// `carrier`, or `agent` where a provider of agents only knows of it.
    pub role: String,
    /// The purchase that brought it.
    pub purchase_id: Option<Uuid>,
    /// Whether a tenant has it.
    pub has_tenant: bool,
    /// Who hosts the agent that answers it.
    pub agent_provider: Option<String>,
    /// The host's id of the agent.
    pub hosted_agent: Option<String>,
    /// No job is at work on it, nor about to be.
    pub is_settled: bool,
}

/// A purchase, and whether somebody sees to it.
#[derive(Clone, Debug, FromRow)]
pub struct BoughtRow {
    /// Its id.
    pub id: Uuid,
    /// What is believed to have become of it.
    pub state: String,
    /// Which number was asked for.
    pub phone_number: Option<String>,
    /// The provider's name of what it brought.
    pub held_id: Option<String>,
    /// A number here is of it.
    pub is_kept: bool,
    /// A job that isn't over is making it, or looking for it.
    pub is_looked_for: bool,
}

/// The accounts that are compared: the one that is named, else the platform's, and tenants' own that numbers were bought
/// with or that hold any.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn accounts(conn: &mut PgConnection, only: Option<Uuid>) -> Result<Vec<AccountRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM accounts WHERE CASE WHEN $1::uuid IS NOT NULL THEN id = $1 ELSE tenant_id IS NULL
            OR EXISTS (SELECT FROM number_holdings AS held WHERE held.account_id = accounts.id)
            OR EXISTS (SELECT FROM purchases AS bought WHERE bought.account_id = accounts.id) END
         ORDER BY id",
    )
    .bind(only)
    .fetch_all(conn)
    .await?)
}

/// The numbers that an account is believed to hold, or that one alone.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn kept(
    conn: &mut PgConnection,
    account: Uuid,
    number: Option<Uuid>,
) -> Result<Vec<KeptRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT held.phone_number_id, number.phone_number, held.held_id, held.role, held.purchase_id,
            number.tenant_id IS NOT NULL AS has_tenant, agent.provider AS agent_provider, agent.target ->> 'id' AS hosted_agent,
            number.lifecycle <> 'reserved'
                AND NOT (number.lifecycle = 'quarantined' AND number.quarantined_until IS NULL)
                AND NOT EXISTS (
                    SELECT FROM provisioning_jobs AS job WHERE job.phone_number_id = number.id
                        AND job.ended_at IS NULL AND job.state IN ('pending', 'running', 'confirming')
                ) AS is_settled
         FROM number_holdings AS held
         JOIN phone_numbers AS number ON number.id = held.phone_number_id
         LEFT JOIN agents AS agent ON agent.id = number.agent_id
         WHERE held.account_id = $1 AND ($2::uuid IS NULL OR held.phone_number_id = $2)
         ORDER BY held.held_id",
    )
    .bind(account)
    .bind(number)
    .fetch_all(conn)
    .await?)
}

const BOUGHT: &str = "SELECT bought.id, bought.state, bought.phone_number, bought.held_id,
        EXISTS (SELECT FROM number_holdings AS held WHERE held.purchase_id = bought.id) AS is_kept,
        EXISTS (
            SELECT FROM provisioning_jobs AS job
            WHERE job.id = bought.job_id AND job.ended_at IS NULL AND job.stage <> 'end'
                AND job.progress ->> 'purchase' = bought.id::text AND bought.state IN ('recorded', 'sent', 'owned')
        ) AS is_looked_for
    FROM purchases AS bought";

/// Purchases with an account: those of these ids, those of these numbers that are in doubt or were given up, and those
/// that are believed to be owned though no number here is of them.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn bought(
    conn: &mut PgConnection,
    account: Uuid,
    ids: &[Uuid],
    numbers: &[String],
) -> Result<Vec<BoughtRow>, StoreError> {
    // Safe: literals of this file. The newest first: of several that were given up, it is the likeliest.
    let query = sqlx::AssertSqlSafe(format!(
        "{BOUGHT} WHERE bought.account_id = $1 AND (
            bought.id = ANY ($2)
            OR (bought.phone_number = ANY ($3) AND bought.state IN ('recorded', 'sent', 'lost'))
            OR (bought.state = 'owned' AND NOT EXISTS (
                SELECT FROM number_holdings AS held WHERE held.purchase_id = bought.id
            ))
         ) ORDER BY bought.id DESC"
    ));
    Ok(sqlx::query_as(query).bind(account).bind(ids).bind(numbers).fetch_all(conn).await?)
}

/// Locks a purchase until the transaction ends, and reads it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock_bought(conn: &mut PgConnection, id: Uuid) -> Result<BoughtRow, StoreError> {
    sqlx::query("SELECT FROM purchases WHERE id = $1 FOR UPDATE").bind(id).fetch_one(&mut *conn).await?;
    // A statement of its own: it sees what was committed until the lock was had.
    let query = sqlx::AssertSqlSafe(format!("{BOUGHT} WHERE bought.id = $1"));
    Ok(sqlx::query_as(query).bind(id).fetch_one(conn).await?)
}

/// Which of these numbers somebody has here, or the platform keeps.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn known(conn: &mut PgConnection, numbers: &[String]) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT phone_number FROM phone_numbers
         WHERE phone_number = ANY ($1) AND NOT is_range AND lifecycle <> 'released'",
    )
    .bind(numbers)
    .fetch_all(conn)
    .await?)
}

/// Which of these are jobs that aren't over.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn open_jobs(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
    Ok(sqlx::query_scalar("SELECT id FROM provisioning_jobs WHERE id = ANY ($1) AND ended_at IS NULL")
        .bind(ids)
        .fetch_all(conn)
        .await?)
}
