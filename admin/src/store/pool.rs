//! Numbers that no tenant has: the pool, and those that rest before they are given back. For operators, but for what a
//! tenant does with its own number.

use std::time::Duration;

use dialplane_common::e164::{E164, Prefix};
use dialplane_common::ids::{AccountId, PhoneNumberId, TenantId};
use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;
use super::interval::interval;
use super::numbers::Address;

/// A number that no tenant has.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct PooledNumber {
    /// Its id: the same wherever it goes.
    pub id: Uuid,
    /// The number, in the E.164 form; of a range, what its numbers begin with.
    pub phone_number: String,
    /// Whether it is a range.
    pub is_range: bool,
    /// `available` or `reserved`: in the pool; `quarantined`: it rests; `released`: it is the platform's no more.
    pub lifecycle: String,
    /// How it came here.
    pub source: String,
    /// The platform's account that brings its calls; null: none is known.
    #[sqlx(rename = "carrier_account_id")]
    pub account_id: Option<Uuid>,
    /// Until when it rests; null: it doesn't, or it is `quarantined` and being given back to its carrier.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub quarantined_until: Option<Instant>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
}

/// What becomes of a number that its tenant has no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// It goes to the pool.
    Pool,
    /// It rests for so long, then it is released. Until then it is the tenant's to take back.
    Quarantine(Duration),
    /// It is released at once; one that a carrier holds for us as soon as it is given back.
    Release,
}

impl Leaving {
    /// What its lifecycle is then.
    #[must_use]
    pub const fn lifecycle(self) -> &'static str {
        match self {
            Self::Pool => "available",
            Self::Quarantine(_) => "quarantined",
            Self::Release => "released",
        }
    }
}

/// Takes a number from its tenant, whose location is kept until it is released, and tells which it was. The tenant is
/// locked. A tenant's transaction may do this with its own number.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn leave(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
    leaving: Leaving,
) -> Result<Address, StoreError> {
    let (text, is_range): (String, bool) = sqlx::query_as(
        "SELECT phone_number, is_range FROM phone_numbers WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
    )
    .bind(tenant.0)
    .bind(id.0)
    .fetch_one(&mut *conn)
    .await?;
    let rest = match leaving {
        Leaving::Quarantine(rest) => Some(rest),
        Leaving::Pool | Leaving::Release => None,
    };
    let rest = rest.map(interval).transpose()?;
    let becomes = match leaving {
        // Without an end to its rest: it is being given back.
        Leaving::Release if is_held(&mut *conn, id).await? => "quarantined",
        _ => leaving.lifecycle(),
    };
    let has_left: bool = sqlx::query_scalar("SELECT phone_number_leave($1, $2, $3, $4)")
        .bind(tenant.0)
        .bind(id.0)
        .bind(becomes)
        .bind(rest)
        .fetch_one(conn)
        .await?;
    if has_left { Address::from_row(&text, is_range) } else { Err(StoreError::NotFound) }
}

/// Gives a locked tenant back the number that it had last and that rests, with its location; absent: there is none. A
/// tenant's transaction may do this for itself.
///
/// # Errors
/// [`StoreError::AddressOverlaps`], [`StoreError::PhoneNumbersMax`].
pub async fn take_back(
    conn: &mut PgConnection,
    tenant: TenantId,
    address: Address,
) -> Result<Option<PhoneNumberId>, StoreError> {
    arrive(conn, tenant, &address.to_string(), address.is_range(), false).await
}

/// Gives a locked tenant a number that nobody has, with the location that the tenant had there, if it had one.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::AddressOverlaps`], [`StoreError::PhoneNumbersMax`].
pub async fn assign(conn: &mut PgConnection, tenant: TenantId, id: PhoneNumberId) -> Result<(), StoreError> {
    let number = find(&mut *conn, id).await?;
    let given = arrive(conn, tenant, &number.phone_number, number.is_range, true).await?;
    given.map(drop).ok_or(StoreError::NotFound)
}

/// Gives a locked tenant a number that nobody has, as [`assign`] does, whose calls aren't routed yet.
///
/// # Errors
/// As [`assign`].
pub async fn reserve(conn: &mut PgConnection, tenant: TenantId, id: PhoneNumberId) -> Result<(), StoreError> {
    assign(&mut *conn, tenant, id).await?;
    super::numbers::set_lifecycle(conn, id, "reserved").await
}

async fn arrive(
    conn: &mut PgConnection,
    tenant: TenantId,
    number: &str,
    is_range: bool,
    is_pooled: bool,
) -> Result<Option<PhoneNumberId>, StoreError> {
    let id: Option<Uuid> = sqlx::query_scalar("SELECT phone_number_arrive($1, $2, $3, $4)")
        .bind(tenant.0)
        .bind(number)
        .bind(is_range)
        .bind(is_pooled)
        .fetch_one(conn)
        .await?;
    Ok(id.map(PhoneNumberId))
}

/// Which number of the pool.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// This one.
    Number(E164),
    /// The one that has been there longest of those that begin so.
    Beginning(Prefix),
    /// The one that has been there longest.
    Any,
}

/// Takes hold of an available number that nobody else is taking; absent: there is none.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn pick(conn: &mut PgConnection, wanted: Wanted) -> Result<Option<PhoneNumberId>, StoreError> {
    let pattern = match wanted {
        Wanted::Number(number) => number.to_string(),
        Wanted::Beginning(prefix) => format!("{prefix}%"),
        Wanted::Any => "%".to_owned(),
    };
    pick_like(conn, &pattern).await
}

/// The same among the numbers that are `like` this, in the words of `LIKE`.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn pick_like(conn: &mut PgConnection, like: &str) -> Result<Option<PhoneNumberId>, StoreError> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM phone_numbers
         WHERE tenant_id IS NULL AND lifecycle = 'available' AND NOT is_range AND phone_number LIKE $1
         ORDER BY updated_at, id LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .bind(like)
    .fetch_optional(conn)
    .await?;
    Ok(id.map(PhoneNumberId))
}

/// Adds a number to the pool.
///
/// # Errors
/// [`StoreError::NumberTaken`].
pub async fn add(
    conn: &mut PgConnection,
    number: E164,
    account: Option<AccountId>,
) -> Result<PhoneNumberId, StoreError> {
    let id = PhoneNumberId(Uuid::now_v7());
    sqlx::query(
        "INSERT INTO phone_numbers (id, phone_number, display_name, lifecycle, source, carrier_account_id)
         VALUES ($1, $2, $2, 'available', 'manual', $3)",
    )
    .bind(id.0)
    .bind(number.to_string())
    .bind(account.map(|account| account.0))
    .execute(conn)
    .await?;
    Ok(id)
}

/// Locks a number that no tenant has until the transaction ends.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, id: PhoneNumberId) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM phone_numbers WHERE tenant_id IS NULL AND id = $1 FOR UPDATE")
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// A number that no tenant has.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, id: PhoneNumberId) -> Result<PooledNumber, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM phone_numbers WHERE tenant_id IS NULL AND id = $1")
        .bind(id.0)
        .fetch_one(conn)
        .await?)
}

/// The numbers behind `after` that no tenant has, of this lifecycle, those that came first first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    lifecycle: &str,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<PooledNumber>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM phone_numbers
         WHERE tenant_id IS NULL AND lifecycle = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
    )
    .bind(lifecycle)
    .bind(after)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// Releases a number that no tenant has: the platform has it no more, and nobody's location is kept.
///
/// # Errors
/// [`StoreError::NotFound`], of a released one as well.
pub async fn release(conn: &mut PgConnection, id: PhoneNumberId) -> Result<(), StoreError> {
    let released: Option<Uuid> = release_where(conn, "id = $1", Some(id.0)).await?.pop();
    released.map(drop).ok_or(StoreError::NotFound)
}

/// Whether a carrier holds a number for us. A tenant's transaction learns it of its own numbers alone.
async fn is_held(conn: &mut PgConnection, id: PhoneNumberId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT phone_number_is_held($1)").bind(id.0).fetch_one(conn).await?)
}

/// Parts with a locked number that no tenant has: one that a carrier holds is to be given back from now on, any other is
/// released.
///
/// # Errors
/// [`StoreError::NotFound`], of a released one as well.
pub async fn part_with(conn: &mut PgConnection, id: PhoneNumberId) -> Result<(), StoreError> {
    if !is_held(&mut *conn, id).await? {
        return release(conn, id).await;
    }
    sqlx::query(
        "UPDATE phone_numbers SET lifecycle = 'quarantined', quarantined_until = NULL, updated_at = now()
         WHERE tenant_id IS NULL AND id = $1 AND lifecycle <> 'released'
            AND (lifecycle <> 'quarantined' OR quarantined_until IS NOT NULL)",
    )
    .bind(id.0)
    .execute(conn)
    .await?;
    Ok(())
}

const IS_HELD: &str = "EXISTS (
    SELECT FROM number_holdings AS held WHERE held.phone_number_id = phone_numbers.id AND held.role = 'carrier')";

/// Ends the rest of the numbers that have rested long enough: those that a carrier holds are to be given back from now
/// on, the others are released. Tells how many were released.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn end_rests(conn: &mut PgConnection) -> Result<usize, StoreError> {
    // Safe: literals of this file.
    let end = sqlx::AssertSqlSafe(format!(
        "UPDATE phone_numbers SET quarantined_until = NULL, updated_at = now()
         WHERE tenant_id IS NULL AND lifecycle = 'quarantined' AND quarantined_until <= now() AND {IS_HELD}"
    ));
    sqlx::query(end).execute(&mut *conn).await?;
    let rested = "lifecycle = 'quarantined' AND quarantined_until <= now() AND $1::uuid IS NULL";
    Ok(release_where(conn, rested, None).await?.len())
}

/// Locks some numbers that are to be given back and have no job for it yet, those that nobody else is looking at.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn to_give_back(conn: &mut PgConnection, rows_max: i64) -> Result<Vec<PhoneNumberId>, StoreError> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM phone_numbers
         WHERE tenant_id IS NULL AND lifecycle = 'quarantined' AND quarantined_until IS NULL AND NOT EXISTS (
            SELECT FROM provisioning_jobs AS job
            WHERE job.phone_number_id = phone_numbers.id AND job.kind = 'release' AND job.ended_at IS NULL
         ) ORDER BY id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
    )
    .bind(rows_max)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(PhoneNumberId).collect())
}

/// How many numbers are there to be had, ranges apart.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn available(conn: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM phone_numbers
         WHERE tenant_id IS NULL AND lifecycle = 'available' AND NOT is_range",
    )
    .fetch_one(conn)
    .await?)
}

async fn release_where(
    conn: &mut PgConnection,
    condition: &'static str,
    id: Option<Uuid>,
) -> Result<Vec<Uuid>, StoreError> {
    // Safe: a literal of this file.
    let query = sqlx::AssertSqlSafe(format!(
        "WITH released AS (
            UPDATE phone_numbers
            SET lifecycle = 'released', quarantined_until = NULL, carrier_account_id = NULL, updated_at = now()
            WHERE tenant_id IS NULL AND lifecycle <> 'released' AND {condition}
            RETURNING id, phone_number, is_range
        ), forgotten AS (
            DELETE FROM former_locations USING released
            WHERE former_locations.phone_number = released.phone_number
                AND former_locations.is_range = released.is_range
        )
        SELECT id FROM released"
    ));
    Ok(sqlx::query_scalar(query).bind(id).fetch_all(conn).await?)
}
