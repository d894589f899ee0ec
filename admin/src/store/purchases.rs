//! What was bought: each purchase is a row before it is a request. Amounts are decimals as text.

use std::time::Duration;

use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::interval::interval;
use crate::provisioning::request::Wish;

/// A purchase.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct Purchase {
    /// Its id, which is its tag at the provider.
    pub id: Uuid,
    /// For whom.
    pub tenant_id: Option<Uuid>,
    /// By which job.
    pub job_id: Uuid,
    /// With which account.
    pub account_id: Uuid,
    /// Where.
    pub provider: String,
    /// Which number; absent: the provider chooses.
    pub phone_number: Option<String>,
    /// `recorded`, `sent`, `owned`, `refused`, `lost`, `late` or `returned`.
    pub state: String,
    /// The provider's name of what was bought.
    pub held_id: Option<String>,
    /// What was looked for.
    pub wanted: Json<Wish>,
    /// What it costs a month.
    pub monthly: String,
    /// ISO 4217.
    pub currency: String,
}

const COLUMNS: &str = "id, tenant_id, job_id, account_id, provider, phone_number, state, held_id, wanted,
    monthly::text AS monthly, currency";

/// A purchase to record.
pub struct NewPurchase<'a> {
    /// For whom.
    pub tenant: Option<Uuid>,
    /// By which job.
    pub job: Uuid,
    /// With which account.
    pub account: Uuid,
    /// Where.
    pub provider: &'a str,
    /// Where the number is.
    pub country: &'a str,
    /// Which number; absent: the provider chooses.
    pub phone_number: Option<String>,
    /// What it costs.
    pub cost: &'a Cost,
    /// What was looked for.
    pub wanted: &'a Wish,
}

/// What something costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Once.
    pub upfront: String,
    /// Each month.
    pub monthly: String,
    /// ISO 4217.
    pub currency: String,
    /// Whether it is the platform's estimate.
    pub is_estimated: bool,
}

/// How much may be spent in a calendar month (UTC).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpendingLimits {
    /// By the platform, for everybody.
    pub platform: String,
    /// For one tenant that has no limit of its own.
    pub tenant: String,
    /// In which currency: what is offered in others isn't bought by itself.
    pub currency: String,
}

/// Which limit a purchase would pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passed {
    /// The platform's.
    Platform,
    /// The tenant's.
    Tenant,
    /// There is none in its currency.
    Currency,
    /// Another purchase is about this very number.
    Number,
}

/// Holds all spending until the transaction ends, so that no two take the last of what may be spent, or the same number,
/// between [`passed`] and [`record`].
///
/// # Errors
/// When Postgres can't be asked.
pub async fn hold(conn: &mut PgConnection) -> Result<(), StoreError> {
    // "dpsp" in ASCII: spending, by everybody.
    sqlx::query("SELECT pg_advisory_xact_lock(1685090160)").execute(conn).await?;
    Ok(())
}

/// Records a purchase that is not sent yet, and passes no limit.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn record(conn: &mut PgConnection, new: &NewPurchase<'_>) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    sqlx::query(
        "INSERT INTO purchases (id, tenant_id, job_id, account_id, provider, country, phone_number, upfront, monthly,
            currency, is_estimated, wanted)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::numeric, $9::numeric, $10, $11, $12)",
    )
    .bind(id)
    .bind(new.tenant)
    .bind(new.job)
    .bind(new.account)
    .bind(new.provider)
    .bind(new.country)
    .bind(&new.phone_number)
    .bind(&new.cost.upfront)
    .bind(&new.cost.monthly)
    .bind(&new.cost.currency)
    .bind(new.cost.is_estimated)
    .bind(Json(new.wanted))
    .execute(conn)
    .await?;
    Ok(id)
}

/// Whether something costs more a month, or more at once, than somebody has agreed to; without a word of theirs,
/// nothing does.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn exceeds(
    conn: &mut PgConnection,
    cost: &Cost,
    cost_max: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT $1::numeric + $2::numeric > coalesce($3::numeric, $1::numeric + $2::numeric)",
    )
    .bind(&cost.upfront)
    .bind(&cost.monthly)
    .bind(cost_max)
    .fetch_one(conn)
    .await?)
}

/// Which limit a purchase would pass, if any; without a number, the provider chooses it.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn passed(
    conn: &mut PgConnection,
    tenant: Option<Uuid>,
    account: Uuid,
    phone_number: Option<&str>,
    cost: &Cost,
    limits: &SpendingLimits,
) -> Result<Option<Passed>, StoreError> {
    let is_taken: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM purchases
            WHERE account_id = $1 AND phone_number = $2 AND state IN ('recorded', 'sent', 'owned', 'late'))",
    )
    .bind(account)
    .bind(phone_number)
    .fetch_one(&mut *conn)
    .await?;
    if is_taken {
        return Ok(Some(Passed::Number));
    }
    let (is_free, in_currency): (bool, bool) =
        sqlx::query_as("SELECT $1::numeric + $2::numeric = 0, $3 = $4")
            .bind(&cost.upfront)
            .bind(&cost.monthly)
            .bind(&cost.currency)
            .bind(&limits.currency)
            .fetch_one(&mut *conn)
            .await?;
    if is_free {
        return Ok(None);
    }
    if !in_currency {
        return Ok(Some(Passed::Currency));
    }
    let (platform, tenant): (bool, bool) = sqlx::query_as(
        "WITH spent AS (
            SELECT coalesce(sum(upfront + monthly), 0) AS platform,
                coalesce(sum(upfront + monthly) FILTER (WHERE tenant_id = $1), 0) AS tenant
            FROM purchases
            WHERE created_at >= date_trunc('month', now(), 'UTC') AND currency = $4
                AND state IN ('recorded', 'sent', 'owned', 'lost', 'late', 'returned')
         )
         SELECT platform + $2::numeric + $3::numeric > $5::numeric,
            $1 IS NOT NULL AND tenant + $2::numeric + $3::numeric
                > coalesce((SELECT coalesce(tenants.spend_max, plans.spend_max)
                    FROM tenants LEFT JOIN plans ON plans.name = tenants.plan WHERE tenants.id = $1), $6::numeric)
         FROM spent",
    )
    .bind(tenant)
    .bind(&cost.upfront)
    .bind(&cost.monthly)
    .bind(&cost.currency)
    .bind(&limits.platform)
    .bind(&limits.tenant)
    .fetch_one(conn)
    .await?;
    Ok(match (platform, tenant) {
        (true, _) => Some(Passed::Platform),
        (false, true) => Some(Passed::Tenant),
        (false, false) => None,
    })
}

/// Marks a purchase as sent: until `settles` has passed it may still come about.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn mark_sent(conn: &mut PgConnection, id: Uuid, settles: Duration) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE purchases SET state = 'sent', settles_at = now() + $2, updated_at = now() WHERE id = $1",
    )
    .bind(id)
    .bind(interval(settles)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes back what a job recorded and never sent: it isn't spent.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn withdraw(conn: &mut PgConnection, job: Uuid) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE purchases SET state = 'refused', updated_at = now() WHERE job_id = $1 AND state = 'recorded'",
    )
    .bind(job)
    .execute(conn)
    .await?;
    Ok(())
}

/// Says what became of a purchase.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn settle(
    conn: &mut PgConnection,
    id: Uuid,
    state: &str,
    held_id: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE purchases SET state = $2, held_id = coalesce($3, held_id), settles_at = NULL, updated_at = now()
         WHERE id = $1",
    )
    .bind(id)
    .bind(state)
    .bind(held_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Records that a purchase brought another number beside the one that is known: it costs as much again.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn record_another(
    conn: &mut PgConnection,
    id: Uuid,
    phone_number: Option<&str>,
    state: &str,
    held_id: &str,
) -> Result<Uuid, StoreError> {
    Ok(sqlx::query_scalar(
        "INSERT INTO purchases (id, tenant_id, job_id, account_id, provider, country, phone_number, upfront, monthly,
            currency, is_estimated, wanted, state, held_id)
         SELECT $2, tenant_id, job_id, account_id, provider, country, $3, upfront, monthly, currency, is_estimated,
            wanted, $4, $5
         FROM purchases WHERE id = $1 RETURNING id",
    )
    .bind(id)
    .bind(Uuid::now_v7())
    .bind(phone_number)
    .bind(state)
    .bind(held_id)
    .fetch_one(conn)
    .await?)
}

/// A purchase.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Purchase, StoreError> {
    // Safe: literals of this file.
    let query = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM purchases WHERE id = $1"));
    Ok(sqlx::query_as(query).bind(id).fetch_one(conn).await?)
}

/// The tables' part of what was spent this calendar month (UTC): whatever may have been paid for.
macro_rules! spent_this_month {
    () => {
        "FROM purchases WHERE created_at >= date_trunc('month', now(), 'UTC') AND currency = $1 AND state <> 'refused'"
    };
}

/// What was spent this calendar month (UTC) in the currency of the limits.
#[derive(Clone, PartialEq, Eq, Debug, FromRow)]
pub struct Spent {
    /// The month: `2026-11`.
    pub month: String,
    /// How much, for everybody: a decimal with two places.
    pub spent: String,
    /// How much may be.
    pub limit: String,
}

/// What was spent this calendar month (UTC), for everybody.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn spent(conn: &mut PgConnection, limits: &SpendingLimits) -> Result<Spent, StoreError> {
    Ok(sqlx::query_as(concat!(
        "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS month,
            coalesce(sum(upfront + monthly), 0)::numeric(14, 2)::text AS spent,
            $2::numeric(14, 2)::text AS \"limit\" ",
        spent_this_month!()
    ))
    .bind(&limits.currency)
    .bind(&limits.platform)
    .fetch_one(conn)
    .await?)
}

/// What was spent for a tenant this calendar month (UTC).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, FromRow, ToSchema)]
pub struct TenantSpending {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Its name; null: it was deleted.
    pub name: Option<String>,
    /// How much: a decimal with two places.
    pub spent: String,
    /// How much may be.
    pub limit: String,
}

/// The tenants for whom most was spent this calendar month (UTC), those first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn spent_most(
    conn: &mut PgConnection,
    limits: &SpendingLimits,
    rows_max: i64,
) -> Result<Vec<TenantSpending>, StoreError> {
    Ok(sqlx::query_as(concat!(
        "SELECT s.tenant_id, t.name, s.spent::numeric(14, 2)::text AS spent,
            coalesce(t.spend_max, plans.spend_max, $2::numeric)::numeric(14, 2)::text AS \"limit\"
         FROM (SELECT tenant_id, sum(upfront + monthly) AS spent ",
        spent_this_month!(),
        " AND tenant_id IS NOT NULL GROUP BY tenant_id) AS s
         LEFT JOIN tenants AS t ON t.id = s.tenant_id LEFT JOIN plans ON plans.name = t.plan
         WHERE s.spent > 0 ORDER BY s.spent DESC, s.tenant_id LIMIT $3"
    ))
    .bind(&limits.currency)
    .bind(&limits.tenant)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// What may still be spent this calendar month (UTC).
#[derive(Clone, PartialEq, Eq, Debug, FromRow)]
pub struct Left {
    /// For the tenant; absent: there is none.
    pub tenant: Option<String>,
    /// For everybody.
    pub platform: String,
}

/// What may still be spent this calendar month (UTC) once this has been bought as well.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn left(
    conn: &mut PgConnection,
    tenant: Option<Uuid>,
    limits: &SpendingLimits,
    cost: Option<&Cost>,
) -> Result<Left, StoreError> {
    // What is paid in another currency isn't counted.
    let cost = cost.filter(|cost| cost.currency == limits.currency);
    Ok(sqlx::query_as(concat!(
        "WITH spent AS (
            SELECT coalesce(sum(upfront + monthly), 0) AS platform,
                coalesce(sum(upfront + monthly) FILTER (WHERE tenant_id = $2), 0) AS tenant ",
        spent_this_month!(),
        "), cost AS (SELECT coalesce($5::numeric, 0) + coalesce($6::numeric, 0) AS cost)
         SELECT greatest($3::numeric - platform - cost, 0)::numeric(14, 2)::text AS platform,
            (SELECT greatest(coalesce(tenants.spend_max, plans.spend_max, $4::numeric) - tenant - cost, 0)
                ::numeric(14, 2)::text
             FROM tenants LEFT JOIN plans ON plans.name = tenants.plan WHERE tenants.id = $2) AS tenant
         FROM spent, cost"
    ))
    .bind(&limits.currency)
    .bind(tenant)
    .bind(&limits.platform)
    .bind(&limits.tenant)
    .bind(cost.map(|cost| &cost.upfront))
    .bind(cost.map(|cost| &cost.monthly))
    .fetch_one(conn)
    .await?)
}
