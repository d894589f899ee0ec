//! Runs of reconciliation and what they found. For operators' transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::{PgConnection, PgPool, types::PgInterval};
use sqlx::{ConnectOptions, Connection};
use utoipa::ToSchema;
use uuid::Uuid;

use super::instant::Instant;
use super::{Actor, Origin, StoreError};

/// "dprc" in ASCII.
const LEASE: i64 = 1_685_090_915;

/// A comparison of what accounts hold with what is believed here.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct Reconciliation {
    /// Its id.
    pub id: Uuid,
    /// Whether it only says what it finds.
    pub dry_run: bool,
    /// The one account that it compares; null: all.
    pub account_id: Option<Uuid>,
    /// `pending`, `running`, `done`, or `failed`.
    pub state: String,
    /// How many accounts it has compared.
    pub accounts: i32,
    /// How many numbers these hold.
    pub numbers: i32,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it was asked for, or due.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it ended; null: it hasn't.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Instant>,
    #[serde(skip)]
    actor: String,
    #[serde(skip)]
    request_id: Option<String>,
    #[serde(skip)]
    address: Option<String>,
}

impl Reconciliation {
    /// Where its changes come from: the request that asked for it, or the schedule.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            actor: Actor::from_text(&self.actor).unwrap_or(Actor::System("reconcile")),
            request_id: self.request_id.clone(),
            address: self.address.as_ref().and_then(|address| address.parse().ok()),
        }
    }
}

/// Something that a run found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, FromRow, ToSchema)]
pub struct FindingRow {
    /// Its number, from 1.
    pub finding: i32,
    /// The account.
    pub account_id: Uuid,
    /// `late_purchase`: a purchase came about that had been given up, or twice. `orphan`: the account holds a number that
    /// nobody here knows. `ghost`: it doesn't hold one that is believed to be there. `drift`: a number isn't set as it is to
    /// be. `unreachable`: the account couldn't be asked.
    pub kind: String,
    /// The number; null: it has none, or it is about the account.
    pub phone_number: Option<String>,
    /// The provider's name of the number; empty: it is about the account.
    pub held_id: String,
    /// More of it, for people.
    pub detail: String,
    /// What is done about it: `report` (nothing), `wait` (a later run sees to it), `pool`, `release`, `adopt`,
    /// `deactivate` or `repair`.
    pub action: String,
    /// What came of that: `planned` (a dry run), `done`, `person` (somebody has to see to it), `waiting`, `passed` (looked
    /// at again, it was no more so) or `failed` (`detail` says why).
    pub outcome: String,
}

/// A run to begin.
pub struct NewRun<'a> {
    /// Whether it only says what it finds.
    pub dry_run: bool,
    /// The one account that it compares; absent: all.
    pub account: Option<Uuid>,
    /// Where it comes from.
    pub origin: &'a Origin,
}

/// How it stands with runs.
#[derive(Clone, Debug, FromRow)]
pub struct Standing {
    /// Whether one isn't over.
    pub is_open: bool,
    /// Seconds since the last one that compares, and mends, everything; absent: there was none.
    pub since_last_s: Option<f64>,
    /// The last one over all accounts that is done.
    pub done: Option<Uuid>,
    /// When that ended: seconds since 1970.
    pub done_at_s: Option<f64>,
}

/// How it stands with runs.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn standing(conn: &mut PgConnection) -> Result<Standing, StoreError> {
    Ok(sqlx::query_as(
        "SELECT EXISTS (SELECT FROM reconciliations WHERE ended_at IS NULL) AS is_open,
            (SELECT extract(epoch FROM now() - max(created_at))::float8 FROM reconciliations
                WHERE account_id IS NULL AND NOT dry_run) AS since_last_s,
            done.id AS done, extract(epoch FROM done.ended_at)::float8 AS done_at_s
         FROM (VALUES (1)) AS always LEFT JOIN (
            SELECT id, ended_at FROM reconciliations WHERE state = 'done' AND account_id IS NULL
            ORDER BY ended_at DESC LIMIT 1
         ) AS done ON true",
    )
    .fetch_one(conn)
    .await?)
}

/// A connection for the lease of whoever reconciles.
///
/// # Errors
/// When Postgres can't be reached.
pub async fn connect(pool: &PgPool) -> Result<PgConnection, StoreError> {
    Ok(pool.connect_options().connect().await?)
}

/// Takes the lease, if nobody has it. It ends with the connection.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn try_lock(lease: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEASE).fetch_one(lease).await?)
}

/// Whether the lease is still had: an error says that it isn't.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn still_has(lease: &mut PgConnection) -> Result<(), StoreError> {
    Ok(lease.ping().await?)
}

/// Asks for a run.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn insert(conn: &mut PgConnection, new: &NewRun<'_>) -> Result<Reconciliation, StoreError> {
    Ok(sqlx::query_as(
        "INSERT INTO reconciliations (id, dry_run, account_id, actor, request_id, address)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING *",
    )
    .bind(Uuid::now_v7())
    .bind(new.dry_run)
    .bind(new.account)
    .bind(new.origin.actor.to_string())
    .bind(&new.origin.request_id)
    .bind(new.origin.address.map(|address| address.to_string()))
    .fetch_one(conn)
    .await?)
}

/// Begins the oldest run that isn't over, anew where somebody died over it: what that one had done stays told, all else
/// is found again. Absent: all are over.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn begin(conn: &mut PgConnection) -> Result<Option<Reconciliation>, StoreError> {
    let run: Option<Reconciliation> = sqlx::query_as(
        "UPDATE reconciliations SET state = 'running', accounts = 0, numbers = 0
         WHERE id = (SELECT id FROM reconciliations WHERE ended_at IS NULL ORDER BY id LIMIT 1) RETURNING *",
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(run) = &run {
        sqlx::query("DELETE FROM reconciliation_findings WHERE reconciliation_id = $1 AND outcome <> 'done'")
            .bind(run.id)
            .execute(conn)
            .await?;
    }
    Ok(run)
}

/// Notes that a run has compared an account, which holds so many numbers.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn compared(conn: &mut PgConnection, id: Uuid, numbers: usize) -> Result<(), StoreError> {
    sqlx::query("UPDATE reconciliations SET accounts = accounts + 1, numbers = numbers + $2 WHERE id = $1")
        .bind(id)
        .bind(i32::try_from(numbers).unwrap_or(i32::MAX))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes a finding; its own number is given here.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn add_finding(conn: &mut PgConnection, run: Uuid, row: &FindingRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO reconciliation_findings (reconciliation_id, finding, account_id, kind, phone_number, held_id, detail,
            action, outcome)
         SELECT $1, coalesce(max(finding), 0) + 1, $2, $3, $4, $5, $6, $7, $8
         FROM reconciliation_findings WHERE reconciliation_id = $1",
    )
    .bind(run)
    .bind(row.account_id)
    .bind(&row.kind)
    .bind(&row.phone_number)
    .bind(&row.held_id)
    .bind(&row.detail)
    .bind(&row.action)
    .bind(&row.outcome)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a run: well, or because of this.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn end(conn: &mut PgConnection, id: Uuid, failure: Option<&str>) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE reconciliations SET state = CASE WHEN $2::text IS NULL THEN 'done' ELSE 'failed' END, failure = $2,
            ended_at = now()
         WHERE id = $1",
    )
    .bind(id)
    .bind(failure)
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets runs that ended so long ago.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn forget(conn: &mut PgConnection, age: Duration) -> Result<(), StoreError> {
    let age = PgInterval::try_from(age).map_err(|_| StoreError::Malformed("interval"))?;
    sqlx::query("DELETE FROM reconciliations WHERE ended_at < now() - $1").bind(age).execute(conn).await?;
    Ok(())
}

/// A run.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Reconciliation, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM reconciliations WHERE id = $1").bind(id).fetch_one(conn).await?)
}

/// Runs behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Reconciliation>, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM reconciliations WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2")
        .bind(after)
        .bind(rows_max)
        .fetch_all(conn)
        .await?)
}

/// What a run found, in order, up to `rows_max`.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn findings(
    conn: &mut PgConnection,
    id: Uuid,
    rows_max: i64,
) -> Result<Vec<FindingRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT finding, account_id, kind, phone_number, held_id, detail, action, outcome
         FROM reconciliation_findings WHERE reconciliation_id = $1 ORDER BY finding LIMIT $2",
    )
    .bind(id)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// How many findings of each kind a run has.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn counts(conn: &mut PgConnection, id: Uuid) -> Result<BTreeMap<String, i64>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT kind, count(*) FROM reconciliation_findings WHERE reconciliation_id = $1 GROUP BY kind",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}
