//! What came together of calls: read from what was worked out by the hour, and for hours whose records changed since, from
//! the records, in one state of the database. So what is answered is always what the records say.

use dialplane_common::ids::TenantId;
use futures_util::{Stream, TryStreamExt};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow};
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;

/// Which calls, and how they are put together.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whose; absent: everybody's.
    pub tenant: Option<TenantId>,
    /// The first instant, at a quarter of an hour.
    pub since: Instant,
    /// The first instant behind.
    pub upto: Instant,
    /// Where each period begins, from `since` on.
    pub periods: Vec<Instant>,
    /// Number (1), agent (2), provider (4).
    pub dims: i32,
    /// Whether by tenant.
    pub by_tenant: bool,
}

/// Money: a decimal with its currency.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Amount {
    /// A decimal of two to six places.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
}

/// What calls cost, in one currency.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = CallCosts)]
pub struct Costs {
    /// ISO 4217.
    pub currency: String,
    /// By the rate cards.
    pub rated: Option<String>,
    /// By the providers' reports.
    pub reported: Option<String>,
    /// What counts.
    pub counted: Option<String>,
}

/// Usage of one group. The first row of an answer is that of all.
#[derive(Clone, Debug, FromRow)]
pub struct UsageRow {
    /// Which of the periods, from 1; 0: all of it.
    pub period: i32,
    /// Whose.
    pub tenant_id: Option<Uuid>,
    /// Of which number.
    pub phone_number_id: Option<Uuid>,
    /// Of which agent.
    pub agent_id: Option<Uuid>,
    /// At which provider.
    pub provider: Option<String>,
    /// How many calls began.
    pub calls: i64,
    /// Those that somebody took.
    pub answered: i64,
    /// Those that ended without.
    pub missed: i64,
    /// Those that came while closed.
    pub closed: i64,
    /// Those that weren't routed.
    pub refused: i64,
    /// Those in which a message was left.
    pub voicemail: i64,
    /// How long they lasted together.
    pub duration_ms: i64,
    /// How long they are billed together.
    pub billed_s: i64,
    /// The most calls at one time; absent where that isn't one tenant's.
    pub peak: Option<i64>,
    /// What they cost, by currency.
    pub costs: Json<Vec<Costs>>,
}

/// The parameters of a query, in this order: since, upto, periods, dims, by_tenant, tenant.
fn bind<'q, O>(
    query: sqlx::query::QueryAs<'q, sqlx::Postgres, O, sqlx::postgres::PgArguments>,
    asked: &'q Asked,
) -> sqlx::query::QueryAs<'q, sqlx::Postgres, O, sqlx::postgres::PgArguments> {
    query
        .bind(asked.since)
        .bind(asked.upto)
        .bind(&asked.periods)
        .bind(asked.dims)
        .bind(asked.by_tenant)
        .bind(asked.tenant.map(|tenant| tenant.0))
}

/// The hours to be worked out anew, and those parts of the two tables that are good.
const PARTS: &str = "WITH marked AS MATERIALIZED (
        SELECT DISTINCT tenant_id, hour FROM usage_dirty
        WHERE {tenant} AND hour >= date_trunc('hour', $1::timestamptz, 'UTC') AND hour < $2 AND hour <= now()
            AND hour >= (SELECT frozen_before FROM usage_state)
    ), hours AS (
        SELECT hour, array_agg(tenant_id) AS tenants FROM marked GROUP BY hour
    ), counts AS (
        SELECT * FROM usage_quarters AS kept
        WHERE {tenant} AND quarter >= $1 AND quarter < $2 AND (dims = 7 OR serves & ((1 << $4) | 1) > 0)
            AND NOT EXISTS (SELECT FROM marked WHERE marked.tenant_id = kept.tenant_id
                AND marked.hour = date_bin('1 hour', kept.quarter, '2000-01-01 00:00:00+00'))
        UNION ALL
        SELECT worked.* FROM hours, usage_worked_out(tenants, hour, hour + interval '1 hour') AS worked
        WHERE quarter >= $1 AND quarter < $2 AND (dims = 7 OR serves & ((1 << $4) | 1) > 0)
    ), costs AS (
        SELECT * FROM usage_costs AS kept
        WHERE {tenant} AND quarter >= $1 AND quarter < $2
            AND NOT EXISTS (SELECT FROM marked WHERE marked.tenant_id = kept.tenant_id
                AND marked.hour = date_bin('1 hour', kept.quarter, '2000-01-01 00:00:00+00'))
        UNION ALL
        SELECT worked.* FROM hours, usage_costs_worked_out(tenants, hour, hour + interval '1 hour') AS worked
        WHERE quarter >= $1 AND quarter < $2
    )";

/// What rows are put together by.
const KEYS: &str = "width_bucket(quarter, $3) AS period, CASE WHEN $5 THEN tenant_id END AS tenant_id,
    CASE WHEN $4 & 1 > 0 THEN phone_number_id END AS phone_number_id, CASE WHEN $4 & 2 > 0 THEN agent_id END AS agent_id,
    CASE WHEN $4 & 4 > 0 THEN provider END AS provider";

/// `{parts}`, `{keys}`: the above. A row that is there for the most calls at one time of all has no place among the groups.
const USAGE: &str = "{parts}, counted AS (
        SELECT coalesce(period, 0) AS period, tenant_id, phone_number_id, agent_id, provider, sum(calls)::bigint AS calls,
            sum(answered)::bigint AS answered, sum(missed)::bigint AS missed, sum(closed)::bigint AS closed,
            sum(refused)::bigint AS refused, sum(voicemail)::bigint AS voicemail,
            sum(duration_ms)::bigint AS duration_ms, sum(billed_s)::bigint AS billed_s,
            CASE WHEN grouping(period) = 1 THEN max(peak) ELSE max(peak) FILTER (WHERE serves_group) END AS peak
        FROM (
            SELECT {keys}, dims = 7 OR serves & (1 << $4) > 0 AS serves_group, calls, answered, missed, closed, refused,
                voicemail, duration_ms, billed_s, peak
            FROM counts
        ) AS parts
        GROUP BY GROUPING SETS ((period, tenant_id, phone_number_id, agent_id, provider), ())
        HAVING grouping(period) = 1 OR bool_or(serves_group)
    ), paid AS (
        SELECT coalesce(period, 0) AS period, tenant_id, phone_number_id, agent_id, provider, currency,
            sum(rated) AS rated, sum(reported) AS reported, sum(counted) AS counted
        FROM (SELECT {keys}, currency, rated, reported, counted FROM costs WHERE stage = '') AS parts
        GROUP BY GROUPING SETS ((period, tenant_id, phone_number_id, agent_id, provider, currency), (currency))
    ), lists AS (
        SELECT period, tenant_id, phone_number_id, agent_id, provider, jsonb_agg(jsonb_build_object(
            'currency', currency, 'rated', usage_amount_text(rated), 'reported', usage_amount_text(reported),
            'counted', usage_amount_text(counted)
        ) ORDER BY currency) AS costs
        FROM paid GROUP BY 1, 2, 3, 4, 5
    )
    SELECT counted.period, counted.tenant_id, counted.phone_number_id, counted.agent_id, counted.provider,
        coalesce(calls, 0) AS calls, coalesce(answered, 0) AS answered, coalesce(missed, 0) AS missed,
        coalesce(closed, 0) AS closed, coalesce(refused, 0) AS refused, coalesce(voicemail, 0) AS voicemail,
        coalesce(duration_ms, 0) AS duration_ms, coalesce(billed_s, 0) AS billed_s,
        CASE WHEN $6::uuid IS NOT NULL OR ($5 AND counted.period > 0) THEN coalesce(peak, 0) END AS peak,
        coalesce(costs, '[]') AS costs
    FROM counted LEFT JOIN lists ON lists.period = counted.period
        AND coalesce(lists.tenant_id::text, '') = coalesce(counted.tenant_id::text, '')
        AND coalesce(lists.phone_number_id::text, '') = coalesce(counted.phone_number_id::text, '')
        AND coalesce(lists.agent_id::text, '') = coalesce(counted.agent_id::text, '')
        AND coalesce(lists.provider, '') = coalesce(counted.provider, '')
    ORDER BY 1, 2, 3, 4, 5 LIMIT $7";

/// A query's text: a tenant's rows are found by index, so that it isn't asked whether there is one.
fn written(query: &str, asked: &Asked) -> AssertSqlSafe<String> {
    let tenant = if asked.tenant.is_some() { "tenant_id = $6" } else { "$6::uuid IS NULL" };
    // Safe: all parts are literals of this file.
    AssertSqlSafe(query.replace("{parts}", PARTS).replace("{keys}", KEYS).replace("{tenant}", tenant))
}

/// Usage: the row of all, then at most `rows_max` of groups, in order.
pub fn rows<'c>(
    conn: &'c mut PgConnection,
    asked: &'c Asked,
    rows_max: i64,
) -> impl Stream<Item = Result<UsageRow, StoreError>> + Send + 'c {
    let query = bind(sqlx::query_as(written(USAGE, asked)), asked).bind(rows_max.saturating_add(1));
    query.fetch(conn).map_err(StoreError::from)
}

/// What of a period's cost is for what.
#[derive(Clone, Debug, FromRow)]
pub struct StageRow {
    /// Which of the periods, from 1; 0: all of it.
    pub period: i32,
    /// `transport`, `stt`, `llm`, `tts`, `platform`, as its provider calls it, or `other`: what isn't told.
    pub stage: String,
    /// ISO 4217.
    pub currency: String,
    /// How much.
    pub amount: String,
}

const STAGES: &str = "{parts}, parts AS (
        SELECT coalesce(period, 0) AS period, stage, currency, sum(counted) AS amount
        FROM (SELECT width_bucket(quarter, $3) AS period, stage, currency, counted FROM costs
            WHERE counted IS NOT NULL AND $4 = 0 AND NOT $5) AS periods
        GROUP BY GROUPING SETS ((period, stage, currency), (stage, currency))
    ), others AS (
        SELECT period, currency,
            coalesce(sum(amount) FILTER (WHERE stage = ''), 0) - coalesce(sum(amount) FILTER (WHERE stage <> ''), 0) AS amount
        FROM parts GROUP BY 1, 2
    )
    SELECT period, stage, currency, usage_amount_text(amount) AS amount FROM (
        SELECT * FROM parts WHERE stage <> ''
        UNION ALL
        SELECT period, 'other', currency, amount FROM others WHERE amount > 0
    ) AS stages ORDER BY 1, 2, 3";

/// Costs by stage, in order of the periods.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn stages(conn: &mut PgConnection, asked: &Asked) -> Result<Vec<StageRow>, StoreError> {
    Ok(bind(sqlx::query_as(written(STAGES, asked)), asked).fetch_all(conn).await?)
}

/// Numbers that a tenant had in a month, and what they cost.
#[derive(Clone, Debug, FromRow)]
pub struct NumbersRow {
    /// Which of the months, from 1.
    pub month: i32,
    /// How many.
    pub numbers: i64,
    /// What they cost, by currency; none where no rate holds.
    pub cost: Json<Vec<Amount>>,
}

/// The numbers that a tenant had at any time in each of these months, by the rates that hold at the months' ends.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn numbers(
    conn: &mut PgConnection,
    tenant: TenantId,
    months: &[(Instant, Instant)],
) -> Result<Vec<NumbersRow>, StoreError> {
    let (begins, ends): (Vec<_>, Vec<_>) = months.iter().copied().unzip();
    Ok(sqlx::query_as(
        "WITH held AS (
            SELECT held.month, held.numbers, rate.amount * held.numbers AS amount, rate.currency
            FROM usage_numbers($1, $2, $3) AS held LEFT JOIN LATERAL (
                SELECT amount, currency FROM usage_rates(ARRAY[$1]) AS card
                WHERE kind = 'per_number_month' AND valid_from < least(($3::timestamptz[])[held.month], now())
                    AND coalesce(valid_to >= least(($3::timestamptz[])[held.month], now()), true)
                    AND coalesce(card.provider = held.provider, card.provider IS NULL)
                    AND coalesce(card.country = held.country, card.country IS NULL)
                ORDER BY card.tenant_id IS NULL, card.provider IS NULL, card.country IS NULL, valid_from DESC LIMIT 1
            ) AS rate ON true
         ), paid AS (
            SELECT month, currency, sum(amount) AS amount FROM held WHERE currency IS NOT NULL GROUP BY 1, 2
         )
         SELECT month, sum(numbers)::bigint AS numbers, coalesce((
            SELECT jsonb_agg(jsonb_build_object('amount', usage_amount_text(amount), 'currency', currency)
                ORDER BY currency)
            FROM paid WHERE paid.month = held.month
         ), '[]') AS cost
         FROM held GROUP BY month ORDER BY month",
    )
    .bind(tenant.0)
    .bind(begins)
    .bind(ends)
    .fetch_all(conn)
    .await?)
}

/// What one call cost.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct CallCost {
    /// How long it lasted, as far as that counts: a correction's word, else its provider's.
    pub duration_ms: i64,
    /// How long it is billed.
    pub billed_s: i64,
    /// What it cost, by currency.
    #[schema(value_type = Vec<Costs>)]
    pub costs: Json<Vec<Costs>>,
    /// What of that is for what, by stage.
    #[schema(value_type = Vec<StageCost>)]
    pub stages: Json<Vec<StageCost>>,
}

/// What of a call's cost is for what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StageCost {
    /// `transport`, `stt`, `llm`, `tts`, `platform`, or as its provider calls it.
    pub stage: String,
    /// A decimal.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
}

/// What a call of the tenant's cost that began then.
///
/// # Errors
/// [`StoreError::NotFound`]: there is no record of it, or it was a text message.
pub async fn call_cost(
    conn: &mut PgConnection,
    tenant: TenantId,
    call: Uuid,
    started_at: Instant,
) -> Result<CallCost, StoreError> {
    Ok(sqlx::query_as(
        "SELECT duration_ms, billed_s, coalesce((
            SELECT jsonb_agg(to_jsonb(costs)) FROM (
                SELECT currency, usage_amount_text(sum(amount) FILTER (WHERE kind = 'rated')) AS rated,
                    usage_amount_text(sum(amount) FILTER (WHERE kind = 'reported')) AS reported,
                    usage_amount_text(sum(amount) FILTER (WHERE kind = 'counted')) AS counted
                FROM unnest(amounts) WHERE kind <> 'stage' GROUP BY currency ORDER BY currency
            ) AS costs
         ), '[]') AS costs, coalesce((
            SELECT jsonb_agg(to_jsonb(stages)) FROM (
                SELECT stage, usage_amount_text(amount) AS amount, currency FROM unnest(amounts)
                WHERE kind = 'stage' ORDER BY stage
            ) AS stages
         ), '[]') AS stages
         FROM usage_calls(ARRAY[$1], $3, $3 + interval '1 microsecond') WHERE call_id = $2",
    )
    .bind(tenant.0)
    .bind(call)
    .bind(started_at)
    .fetch_one(conn)
    .await?)
}

/// Works out marked hours that are over, at most so many, the oldest first. Says how many marks it took away.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn roll_up(conn: &mut PgConnection, marks_max: i32) -> Result<i32, StoreError> {
    let marks = sqlx::query_scalar("SELECT usage_roll_up(date_trunc('hour', now(), 'UTC'), $1)");
    Ok(marks.bind(marks_max).fetch_one(conn).await?)
}

/// Keeps the usage of the months (UTC) that are over for so many days as it is from now on, whatever becomes of their
/// records. Says whether it could: not while an hour of them is marked. Whoever drops those records calls it first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn freeze(conn: &mut PgConnection, days: i32) -> Result<bool, StoreError> {
    // As who changes rates: nobody works usage out meanwhile. Who writes calls isn't kept out: what is told of a call
    // months later comes too late.
    sqlx::query("SELECT pg_advisory_xact_lock(1684627824, 19)").execute(&mut *conn).await?;
    let frozen = sqlx::query(
        "WITH kept AS (SELECT date_trunc('month', now() - make_interval(days => $1), 'UTC') AS before)
         UPDATE usage_state SET frozen_before = greatest(frozen_before, before) FROM kept
         WHERE NOT EXISTS (SELECT FROM usage_dirty WHERE hour < before AND hour >= frozen_before)",
    )
    .bind(days)
    .execute(conn)
    .await?;
    Ok(frozen.rows_affected() > 0)
}
