//! Calls that weren't routed: what somebody has to mend, counted by account, called number and reason.

use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;

/// So many rows an account has, and one for all that is beyond.
const ROWS_MAX: i64 = 10_000;

/// Calls that weren't routed, to be counted.
#[derive(Clone, Debug)]
pub struct RefusedCall {
    /// The account that told of them.
    pub account: Uuid,
    /// Whom they were for.
    pub called_number: String,
    /// Why.
    pub reason: &'static str,
    /// How many.
    pub count: i64,
    /// The first one.
    pub first_at: Instant,
    /// The last one.
    pub last_at: Instant,
    /// Who made that.
    pub last_from: Option<String>,
}

impl RefusedCall {
    /// Counts others of the same kind.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first_at = self.first_at.min(other.first_at);
        if other.last_at > self.last_at {
            self.last_at = other.last_at;
            self.last_from = other.last_from;
        }
    }
}

/// A row of what somebody has to mend.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct Refusals {
    /// Its id.
    pub id: Uuid,
    /// Who owns the account; null: the platform.
    pub tenant_id: Option<Uuid>,
    /// The account whose webhooks told of the calls.
    pub account_id: Uuid,
    /// The account's provider; null: the account is gone.
    pub provider: Option<String>,
    /// The number that was called; empty: all that an account has beyond 10,000 of them.
    pub called_number: String,
    /// `unknown_number`, `inactive_number`, `suspended_tenant`, `no_route`, or `other`.
    pub reason: String,
    /// How many calls, each once however often its webhook came.
    pub count: i64,
    /// When the first one came.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Instant,
    /// When the last one came.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Instant,
    /// Who made that; null: withheld.
    pub last_from: Option<String>,
    /// The tenant that has the number now; null: none, or the reader isn't to know.
    #[serde(skip)]
    pub holder_id: Option<Uuid>,
    /// The number's id now, likewise.
    #[serde(skip)]
    pub phone_number_id: Option<Uuid>,
}

/// Counts calls that weren't routed. What an account has beyond its bound is counted in one row.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn count(conn: &mut PgConnection, calls: &[RefusedCall]) -> Result<(), StoreError> {
    if calls.is_empty() {
        return Ok(());
    }
    let mut accounts: Vec<_> = calls.iter().map(|call| call.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    sqlx::query(
        "WITH given AS (
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[],
                $7::text[]) AS given (account_id, called_number, reason, count, first_at, last_at, last_from)
         ), room AS (
            SELECT account_id, $9 - (SELECT count(*) FROM refused_calls AS rows WHERE rows.account_id = of.account_id) AS room
            FROM unnest($8::uuid[]) AS of (account_id)
         ), placed AS (
            SELECT given.*, known.id IS NOT NULL OR row_number() OVER (
                PARTITION BY given.account_id, known.id IS NULL ORDER BY given.called_number, given.reason
            ) <= room.room AS has_room
            FROM given JOIN room USING (account_id)
            LEFT JOIN refused_calls AS known USING (account_id, called_number, reason)
         )
         INSERT INTO refused_calls (id, tenant_id, account_id, called_number, reason, count, first_at, last_at, last_from)
         SELECT gen_random_uuid(), (SELECT tenant_id FROM accounts WHERE id = account_id), account_id, number, why,
            sum(count), min(first_at), max(last_at), (array_agg(last_from ORDER BY last_at DESC))[1]
         FROM (
            SELECT *, CASE WHEN has_room THEN called_number ELSE '' END AS number,
                CASE WHEN has_room THEN reason ELSE 'other' END AS why FROM placed
         ) AS placed GROUP BY account_id, number, why ORDER BY account_id, number, why
         ON CONFLICT (account_id, called_number, reason) DO UPDATE SET
            count = refused_calls.count + excluded.count,
            first_at = least(refused_calls.first_at, excluded.first_at),
            last_at = greatest(refused_calls.last_at, excluded.last_at),
            last_from = CASE WHEN excluded.last_at >= refused_calls.last_at THEN excluded.last_from
                ELSE refused_calls.last_from END,
            is_dismissed = false",
    )
    .bind(calls.iter().map(|call| call.account).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.called_number.as_str()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.reason).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.count).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.first_at).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.last_at).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.last_from.as_deref()).collect::<Vec<_>>())
    .bind(&accounts)
    .bind(ROWS_MAX)
    .execute(conn)
    .await?;
    Ok(())
}

/// What somebody has to mend, of accounts that a tenant owns, or of all; behind `after`.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    tenant: Option<Uuid>,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Refusals>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT refused.*, accounts.provider, numbers.tenant_id AS holder_id, numbers.id AS phone_number_id
         FROM refused_calls AS refused LEFT JOIN accounts ON accounts.id = refused.account_id
         LEFT JOIN phone_numbers AS numbers ON numbers.phone_number = refused.called_number AND NOT numbers.is_range
            AND numbers.lifecycle <> 'released'
         WHERE NOT refused.is_dismissed AND ($1::uuid IS NULL OR refused.tenant_id = $1)
            AND ($2::uuid IS NULL OR refused.id > $2)
         ORDER BY refused.id LIMIT $3",
    )
    .bind(tenant)
    .bind(after)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// Takes a row off the list until the number is called again.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn dismiss(conn: &mut PgConnection, id: Uuid) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE refused_calls SET is_dismissed = true WHERE id = $1 AND NOT is_dismissed")
        .bind(id)
        .execute(conn)
        .await?;
    if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}
