//! Records of calls, as they are read. What writes them is [`super::call_events`].

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use sqlx::{FromRow, Postgres, QueryBuilder};
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::call_events::Place;
use super::instant::Instant;
use crate::calls::record::Shown;

/// One that wasn't told to be over for so long isn't taken to be under way: hours.
const UNDER_WAY_HOURS_MAX: i32 = 24;

/// A call, or a text message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, FromRow, ToSchema)]
pub struct Call {
    /// Its id. Where two records turn out to be of one call, the younger one's is no more.
    pub id: Uuid,
    /// Whose call it is; null: nobody's.
    pub tenant_id: Option<Uuid>,
    /// The called number.
    pub phone_number_id: Option<Uuid>,
    /// The agent that it was given to last.
    pub agent_id: Option<Uuid>,
    /// `inbound`, `outbound`, or `message` for a text message.
    pub direction: String,
    /// The calling address; null: withheld, or unknown.
    #[serde(rename = "from")]
    pub from_number: Option<String>,
    /// The called address.
    #[serde(rename = "to")]
    pub to_number: Option<String>,
    /// The carrier's name.
    pub provider: String,
    /// The account at the carrier.
    pub account_id: Uuid,
    /// The carrier's name of the call.
    pub provider_call_id: String,
    /// What was decided last: `agent`, `forward`, `ring`, `voicemail`, `message`, `reject` or `redirect`; null: nothing.
    pub action: Option<String>,
    /// Whether a rule asked if the location is open, and it wasn't.
    pub is_closed: bool,
    /// Whether a limit of calls at a time was reached.
    pub is_over_limit: bool,
    /// Why it wasn't routed: `unknown_number`, `inactive_number`, `suspended_tenant` or `no_route`; null: it was.
    pub refused: Option<String>,
    /// All of it in a word: `under_way`, `answered`, `missed`, `closed`, `refused`, `voicemail`, `busy`, `message`.
    pub outcome: String,
    /// When a router first heard of it.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Instant,
    /// When it rang.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ringing_at: Option<Instant>,
    /// When it was answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub answered_at: Option<Instant>,
    /// When it was handed over to a person.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub transferred_at: Option<Instant>,
    /// When a message was left.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub voicemail_at: Option<Instant>,
    /// When it ended; null: it is under way, or its end was never told.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Instant>,
    /// How: `completed`, `busy`, `no_answer`, `canceled` or `failed`.
    pub end_kind: Option<String>,
    /// Why, in the provider's words.
    pub end_reason: Option<String>,
    /// How long it is counted, in milliseconds; null: that isn't known.
    pub duration_ms: Option<i64>,
    /// What providers want for it: a decimal number.
    pub reported_cost: Option<String>,
    /// In which currency: ISO 4217.
    pub reported_currency: Option<String>,
    /// What of it is for what, where a provider says so: decimal numbers by their names (`stt`, `llm`, `tts`).
    #[schema(value_type = Option<Object>)]
    pub cost_stages: Option<Json<std::collections::BTreeMap<String, String>>>,
    /// What is odd about it: `clock_off`, `duration_negative`, `duration_absurd`, `late_status`, `conflicting_repeat`,
    /// `never_offered`.
    pub flags: Vec<String>,
    /// When the record changed last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
}

const COLUMNS: &str =
    "id, tenant_id, phone_number_id, agent_id, direction, from_number, to_number, provider, account_id,
    provider_call_id, action, is_closed, is_over_limit, refused, outcome, started_at, ringing_at, answered_at,
    transferred_at, voicemail_at, ended_at, end_kind, end_reason, duration_ms,
    trim_scale(reported_cost)::text AS reported_cost, reported_currency, cost_stages, flags, updated_at";

impl Call {
    /// What a list will show of a record that was just worked out.
    #[must_use]
    pub fn of(place: Place, shown: &Shown, updated_at: Instant) -> Self {
        let instant =
            |ms: Option<i64>| ms.map(|ms| Instant(jiff::Timestamp::from_millisecond(ms).unwrap_or_default()));
        let word = |word: &'static str| word.to_owned();
        let cost = shown.cost.as_ref();
        let stages = cost.filter(|cost| !cost.stages.is_empty());
        Self {
            id: place.id,
            tenant_id: shown.tenant,
            phone_number_id: shown.number,
            agent_id: shown.agent,
            direction: word(shown.direction),
            from_number: shown.from.clone(),
            to_number: shown.to.clone(),
            provider: shown.provider.clone(),
            account_id: shown.account,
            provider_call_id: shown.call_id.clone(),
            action: shown.action.map(|action| word(action.word())),
            is_closed: shown.is_closed,
            is_over_limit: shown.is_over_limit,
            refused: shown.refused.map(|refused| word(refused.word())),
            outcome: word(shown.outcome),
            started_at: place.started_at,
            ringing_at: instant(shown.ringing_at),
            answered_at: instant(shown.answered_at),
            transferred_at: instant(shown.transferred_at),
            voicemail_at: instant(shown.voicemail_at),
            ended_at: instant(shown.ended_at),
            end_kind: shown.end.map(|end| word(end.word())),
            end_reason: shown.end_reason.clone(),
            duration_ms: shown.duration_ms,
            reported_cost: cost.map(|cost| cost.amount.to_string()),
            reported_currency: cost.map(|cost| cost.currency.clone()),
            cost_stages: stages.map(|cost| {
                Json(cost.stages.iter().map(|(name, amount)| (name.clone(), amount.to_string())).collect())
            }),
            flags: shown.flags.iter().map(|flag| word(flag)).collect(),
            updated_at,
        }
    }
}

/// Which calls a list has. What is absent, isn't asked for.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Of this tenant.
    pub tenant: Option<Uuid>,
    /// That began then or later.
    pub since: Option<Instant>,
    /// That began before.
    pub until: Option<Instant>,
    /// For this number.
    pub phone_number: Option<Uuid>,
    /// That went to this agent.
    pub agent: Option<Uuid>,
    /// By this provider.
    pub provider: Option<String>,
    /// With this outcome.
    pub outcome: Option<&'static str>,
    /// From this address.
    pub caller: Option<String>,
    /// To this address.
    pub called: Option<String>,
    /// With this flag.
    pub flag: Option<&'static str>,
    /// Text messages instead of calls.
    pub messages: bool,
    /// Behind this one, in the list.
    pub behind: Option<(Instant, Uuid)>,
}

/// Calls, the newest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    filter: &CallFilter,
    rows_max: i64,
) -> Result<Vec<Call>, StoreError> {
    let mut sql = QueryBuilder::new(format!("SELECT {COLUMNS} FROM calls WHERE "));
    sql.push(if filter.messages { "direction = 'message'" } else { "direction <> 'message'" });
    where_equal(&mut sql, "tenant_id", filter.tenant);
    where_equal(&mut sql, "phone_number_id", filter.phone_number);
    where_equal(&mut sql, "agent_id", filter.agent);
    where_equal(&mut sql, "provider", filter.provider.clone());
    where_equal(&mut sql, "outcome", filter.outcome);
    where_equal(&mut sql, "from_number", filter.caller.clone());
    where_equal(&mut sql, "to_number", filter.called.clone());
    if filter.outcome == Some("under_way") {
        sql.push(" AND ended_at IS NULL AND started_at > now() - make_interval(hours => ");
        sql.push_bind(UNDER_WAY_HOURS_MAX).push(")");
    }
    if let Some(since) = filter.since {
        sql.push(" AND started_at >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        sql.push(" AND started_at < ").push_bind(until);
    }
    if let Some(flag) = filter.flag {
        sql.push(" AND flags @> ARRAY[").push_bind(flag).push("]");
    }
    if let Some((started_at, id)) = filter.behind {
        sql.push(" AND (started_at, id) < (").push_bind(started_at).push(", ").push_bind(id).push(")");
    }
    sql.push(" ORDER BY started_at DESC, id DESC LIMIT ").push_bind(rows_max);
    Ok(sql.build_query_as().fetch_all(conn).await?)
}

fn where_equal<'a, T>(sql: &mut QueryBuilder<Postgres>, column: &str, value: Option<T>)
where
    T: 'a + sqlx::Encode<'a, Postgres> + sqlx::Type<Postgres>,
{
    if let Some(value) = value {
        sql.push(format!(" AND {column} = ")).push_bind(value);
    }
}

/// A call with its legs.
#[derive(FromRow)]
pub struct CallWhole {
    /// The call.
    #[sqlx(flatten)]
    pub call: Call,
    /// Its legs: [`crate::calls::leg::Leg`]s.
    pub legs: Json<Vec<crate::calls::leg::Leg>>,
}

/// A call, of this tenant or of any.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, tenant: Option<Uuid>, id: Uuid) -> Result<CallWhole, StoreError> {
    let sql =
        format!("SELECT {COLUMNS}, legs FROM calls WHERE id = $1 AND ($2::uuid IS NULL OR tenant_id = $2)");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(tenant).fetch_one(conn).await?)
}

/// Calls under way, of a tenant or of all; the newest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn under_way(
    conn: &mut PgConnection,
    tenant: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Call>, StoreError> {
    let filter = CallFilter { tenant, outcome: Some("under_way"), ..CallFilter::default() };
    list(conn, &filter, rows_max).await
}

/// Records as they are now; those that are no more are left out.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn again(conn: &mut PgConnection, calls: &[Uuid]) -> Result<Vec<Call>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM calls WHERE id = ANY ($1)");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(calls).fetch_all(conn).await?)
}

/// How many calls are under way, and of which tenants the most.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn busiest(
    conn: &mut PgConnection,
    tenants_max: i64,
) -> Result<(i64, Vec<(Uuid, i64)>), StoreError> {
    let all = sqlx::query_scalar(
        "SELECT count(*) FROM calls
         WHERE ended_at IS NULL AND direction <> 'message' AND started_at > now() - make_interval(hours => $1)",
    )
    .bind(UNDER_WAY_HOURS_MAX)
    .fetch_one(&mut *conn)
    .await?;
    let most = sqlx::query_as(
        "SELECT tenant_id, count(*) FROM calls
         WHERE ended_at IS NULL AND direction <> 'message' AND started_at > now() - make_interval(hours => $1)
            AND tenant_id IS NOT NULL
         GROUP BY tenant_id ORDER BY 2 DESC, 1 LIMIT $2",
    )
    .bind(UNDER_WAY_HOURS_MAX)
    .bind(tenants_max)
    .fetch_all(conn)
    .await?;
    Ok((all, most))
}

/// The database's clock, now.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn clock(conn: &mut PgConnection) -> Result<Instant, StoreError> {
    Ok(sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(conn).await?)
}

/// Makes the partition of the month so many months from now, with what lies in the default partition of that month. Says
/// whether there was none.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn make_partition(conn: &mut PgConnection, months_ahead: i32) -> Result<bool, StoreError> {
    let month: (Instant, String) = sqlx::query_as(
        "SELECT month, 'calls_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM')
         FROM date_trunc('month', now() + make_interval(months => $1), 'UTC') AS month",
    )
    .bind(months_ahead)
    .fetch_one(&mut *conn)
    .await?;
    let is_there: bool = sqlx::query_scalar("SELECT to_regclass('public.' || $1) IS NOT NULL")
        .bind(&month.1)
        .fetch_one(&mut *conn)
        .await?;
    if is_there {
        return Ok(false);
    }
    // While its month has no partition, a row lies in the default one.
    let moved: Option<String> = sqlx::query_scalar(
        "WITH moved AS (
            DELETE FROM calls WHERE started_at >= $1 AND started_at < $1 + interval '1 month' RETURNING calls.*
         ) SELECT jsonb_agg(to_jsonb(moved))::text FROM moved",
    )
    .bind(month.0)
    .fetch_one(&mut *conn)
    .await?;
    let made =
        sqlx::query_scalar("SELECT calls_make_partition($1)").bind(month.0).fetch_one(&mut *conn).await?;
    if let Some(moved) = moved {
        sqlx::query("INSERT INTO calls SELECT * FROM jsonb_populate_recordset(NULL::calls, $1::jsonb)")
            .bind(moved)
            .execute(conn)
            .await?;
    }
    Ok(made)
}

/// Drops partitions that are older than `days`. Says how many.
///
/// # Errors
/// When Postgres can't be asked, or too many others read calls right now.
pub async fn drop_partitions(conn: &mut PgConnection, days: i32) -> Result<i32, StoreError> {
    Ok(sqlx::query_scalar("SELECT calls_drop_partitions(now() - make_interval(days => $1))")
        .bind(days)
        .fetch_one(conn)
        .await?)
}

/// Deletes up to `rows_max` each of what has no partition and is older than `days`: records outside of every month, names of
/// calls, refusals, writers. Says whether there may be more.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn forget(conn: &mut PgConnection, days: i32, rows_max: i64) -> Result<bool, StoreError> {
    let mut most = 0;
    for sql in [
        "DELETE FROM calls WHERE (id, started_at) IN (SELECT id, started_at FROM calls
            WHERE started_at < date_trunc('month', now() - make_interval(days => $1)) LIMIT $2)",
        "DELETE FROM call_legs WHERE name IN (SELECT name FROM call_legs
            WHERE started_at < now() - make_interval(days => $1) - interval '1 month' LIMIT $2)",
        "DELETE FROM refused_calls WHERE id IN (SELECT id FROM refused_calls
            WHERE last_at < now() - make_interval(days => $1) LIMIT $2)",
        "DELETE FROM event_writers WHERE writer IN (SELECT writer FROM event_writers
            WHERE seen_at < now() - make_interval(days => $1) LIMIT $2)",
    ] {
        let done = sqlx::query(sql).bind(days).bind(rows_max).execute(&mut *conn).await?;
        most = most.max(done.rows_affected());
    }
    Ok(most >= rows_max.unsigned_abs())
}
