//! What came together of calls, and what it cost, as JSON or as a table for spreadsheets.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dialplane_common::ids::TenantId;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{InTenant, Operator, Viewer};
use super::error::Problem;
use super::parameters::Query;
use super::usage_table;
use crate::invalid::Invalid;
use crate::store::instant::Instant;
use crate::store::usage::{self, Amount, Asked, Costs, UsageRow};
use crate::store::{ReadTx, tenants};
use crate::usage::grouping::{Group, Grouping};
use crate::usage::minutes;
use crate::usage::period::{Part, Period};

/// More groups are for a table, which is sent as it is read.
const ITEMS_MAX: i64 = 10_000;

/// Which calls, and how they are put together.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// Calls that began at this time or later: a date of the time zone, or an instant (RFC 3339) at a quarter of an hour.
    /// Absent: from the beginning of the month of `to`.
    pub from: Option<String>,
    /// Calls that began before this time. Absent: until now. At most 400 days behind `from`; 31 by the hour.
    pub to: Option<String>,
    /// `none`, or some of `day` or `hour`, `phone_number`, `agent`, `provider`, with commas between; where it isn't one
    /// tenant's, `tenant` as well. Absent: `day`.
    pub group_by: Option<String>,
    /// The IANA time zone that days and hours are of. Absent: the tenant's; UTC where it isn't one tenant's.
    pub timezone: Option<String>,
    /// Absent: as the header `Accept` says.
    #[param(inline)]
    pub format: Option<Format>,
}

/// How an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One document.
    Json,
    /// A table: a line for each item, with a column for each currency's costs. Texts that spreadsheets would take for formulas
    /// begin with an apostrophe.
    Csv,
}

impl Format {
    /// What is wanted: by a parameter, else by the header `Accept`.
    pub(super) fn wanted(format: Option<Self>, headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_csv = accept
            .split(',')
            .any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "text/csv"));
        format.unwrap_or(if is_csv { Self::Csv } else { Self::Json })
    }
}

/// What came together of calls in a time.
#[derive(Serialize, ToSchema)]
pub struct Usage {
    /// Where the time begins.
    #[schema(value_type = String, format = DateTime)]
    from: Instant,
    /// Where it ends: what began then isn't in it any more.
    #[schema(value_type = String, format = DateTime)]
    to: Instant,
    /// The time zone of its days and hours.
    timezone: String,
    /// What it is put together by; none: it is one item.
    group_by: Vec<Group>,
    /// Each group that has any calls, in order.
    items: Vec<UsageItem>,
    /// All of it.
    totals: UsageItem,
    /// The phone numbers that the tenant had, and what they cost, by the months that the time has a part in; none where it
    /// isn't one tenant's. Not in the totals.
    numbers: Vec<NumbersOfMonth>,
}

/// Usage of a group. A call belongs to the time that it began in, whenever it ended. What tells groups apart is there for
/// those groups alone that were asked for.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct UsageItem {
    /// The day: `2026-11-21`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The hour's first instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<String>,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub tenant_id: Option<Option<Uuid>>,
    /// The called number; null: none of the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub phone_number_id: Option<Option<Uuid>>,
    /// The agent that calls were given to last; null: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub agent_id: Option<Option<Uuid>>,
    /// The carrier, or whoever told of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How many calls began, in and out; no text messages.
    pub calls: i64,
    /// Those that were answered: their provider said so, or an agent took them and they lasted at all.
    pub answered: i64,
    /// Those that were routed and ended without an answer; whether or not a message was left.
    pub missed: i64,
    /// Those that came while the location was closed; they count as answered or missed as well.
    pub closed: i64,
    /// Those that weren't routed: the number inactive, the tenant suspended, no rule that holds.
    pub refused: i64,
    /// Those in which the caller left a message.
    pub voicemail: i64,
    /// How long they lasted together, in milliseconds.
    pub duration_ms: i64,
    /// The same in minutes: a decimal of four places.
    pub minutes: String,
    /// How long they are billed together, each in the steps of its rate: a decimal of four places. What no rate by the minute
    /// or by a stage's minute holds for isn't billed.
    pub billed_minutes: String,
    /// The most calls that were under way at one time, from when they were offered until they ended, those of them that began
    /// before included; one whose end wasn't told counts for four hours, as does a longer one. Calls that weren't routed don't
    /// count. Null where it isn't one tenant's.
    pub peak_concurrency: Option<i64>,
    /// What calls cost: what a correction says of a call, else what its provider reports, else what the rate cards say.
    /// Amounts of each currency.
    pub cost: Vec<Amount>,
    /// What the rate cards say, of all calls.
    pub rated: Vec<Amount>,
    /// What providers report, of those calls of which they do.
    pub reported: Vec<Amount>,
}

/// Phone numbers of a month.
#[derive(Serialize, ToSchema)]
pub struct NumbersOfMonth {
    /// The month: `2026-11`.
    month: String,
    /// How many the tenant had at any time in it.
    numbers: i64,
    /// What they cost: each the whole month's rate, the one that holds at the month's end, or now.
    cost: Vec<Amount>,
}

/// A time, read.
pub(super) struct Reading {
    pub period: Period,
    pub grouping: Grouping,
    pub parts: Vec<Part>,
    pub asked: Asked,
}

impl Reading {
    fn new(query: &UsageQuery, tenant: Option<TenantId>, timezone: &str) -> Result<Self, Invalid> {
        let timezone = query.timezone.as_deref().unwrap_or(timezone);
        let period = Period::parse(query.from.as_deref(), query.to.as_deref(), timezone, Timestamp::now())?;
        let grouping = Grouping::parse(query.group_by.as_deref(), tenant.is_none())?;
        let parts = period.parts(grouping.step())?;
        let asked = Asked {
            tenant,
            since: Instant(period.since),
            upto: Instant(period.upto),
            periods: parts.iter().map(|part| Instant(part.since)).collect(),
            dims: grouping.dims(),
            by_tenant: grouping.has(Group::Tenant),
        };
        Ok(Self { period, grouping, parts, asked })
    }

    /// A row as people read it.
    pub fn item(&self, row: UsageRow) -> UsageItem {
        let place = usize::try_from(row.period).ok().and_then(|place| place.checked_sub(1));
        let part = place.and_then(|place| self.parts.get(place));
        let by = |group| self.grouping.has(group) && part.is_some();
        let name = |group| part.filter(|_| by(group)).map(|part| part.name.clone());
        let of = |pick: fn(&Costs) -> &Option<String>| amounts(&row.costs.0, pick);
        let (cost, rated) = (of(|costs| &costs.counted), of(|costs| &costs.rated));
        let reported = of(|costs| &costs.reported);
        UsageItem {
            day: name(Group::Day),
            hour: name(Group::Hour),
            tenant_id: by(Group::Tenant).then_some(row.tenant_id),
            phone_number_id: by(Group::PhoneNumber).then_some(row.phone_number_id),
            agent_id: by(Group::Agent).then_some(row.agent_id),
            provider: row.provider.filter(|_| by(Group::Provider)),
            calls: row.calls,
            answered: row.answered,
            missed: row.missed,
            closed: row.closed,
            refused: row.refused,
            voicemail: row.voicemail,
            duration_ms: row.duration_ms,
            minutes: minutes(row.duration_ms),
            billed_minutes: minutes(row.billed_s.saturating_mul(1_000)),
            peak_concurrency: row.peak,
            cost,
            rated,
            reported,
        }
    }
}

fn amounts(costs: &[Costs], pick: fn(&Costs) -> &Option<String>) -> Vec<Amount> {
    let amount = |costs: &Costs| {
        let amount = pick(costs).clone()?;
        Some(Amount { amount, currency: costs.currency.clone() })
    };
    costs.iter().filter_map(amount).collect()
}

/// A time that makes no sense is the query's fault.
pub(super) fn refuse(invalid: &Invalid) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_query", invalid.to_string())
}

/// Get what came together of a tenant's calls, and what it cost: by the day, hour, number, agent or provider. It is always
/// what the records say, corrections included, and outlives them.
#[utoipa::path(get, path = "/tenants/{tenant_id}/usage", tag = "Usage", params(("tenant_id" = Uuid, Path), UsageQuery),
    responses((status = 200, content(
        (Usage = "application/json"),
        (String = "text/csv", example = json!("day,calls,answered,missed,closed,refused,voicemail,duration_ms,minutes\n")),
    ))))]
pub async fn get_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    headers: HeaderMap,
    Query(query): Query<UsageQuery>,
) -> Result<Response, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    let timezone = tenants::find(tx.conn(), tenant.id).await?.timezone;
    answer(tx, &query, &headers, Some(tenant.id), &timezone).await
}

/// Get what came together of all tenants' calls, and what it cost. Operators only.
#[utoipa::path(get, path = "/usage/calls", tag = "Usage", params(UsageQuery),
    responses((status = 200, content(
        (Usage = "application/json"),
        (String = "text/csv", example = json!("tenant_id,calls,answered,missed,closed,refused,voicemail,duration_ms\n")),
    ))))]
pub async fn get(
    State(api): State<Api>,
    Operator(principal): Operator,
    headers: HeaderMap,
    Query(query): Query<UsageQuery>,
) -> Result<Response, Problem> {
    let tx = api.store.read(principal.scope()).await?;
    answer(tx, &query, &headers, None, "UTC").await
}

async fn answer(
    tx: ReadTx,
    query: &UsageQuery,
    headers: &HeaderMap,
    tenant: Option<TenantId>,
    timezone: &str,
) -> Result<Response, Problem> {
    let reading = Reading::new(query, tenant, timezone).map_err(|invalid| refuse(&invalid))?;
    match Format::wanted(query.format, headers) {
        Format::Csv => Ok(usage_table::response(tx, reading)),
        Format::Json => Ok(Json(document(tx, reading).await?).into_response()),
    }
}

async fn document(mut tx: ReadTx, reading: Reading) -> Result<Usage, Problem> {
    let mut rows: Vec<_> = usage::rows(tx.conn(), &reading.asked, ITEMS_MAX + 1).try_collect().await?;
    if i64::try_from(rows.len()).unwrap_or(i64::MAX) > ITEMS_MAX + 1 {
        let wanted =
            format!("wanted no more than {ITEMS_MAX} groups: ask for fewer, for a shorter time, or for CSV");
        return Err(refuse(&Invalid::new("group_by", wanted)));
    }
    if rows.is_empty() {
        // There is always the row of all.
        return Err(Problem::internal());
    }
    let totals = reading.item(rows.remove(0));
    let numbers = match reading.asked.tenant {
        Some(tenant) => numbers(&mut tx, tenant, &reading.period).await?,
        None => Vec::new(),
    };
    Ok(Usage {
        from: reading.asked.since,
        to: reading.asked.upto,
        timezone: reading.period.timezone().to_owned(),
        group_by: reading.grouping.groups.clone(),
        items: rows.into_iter().map(|row| reading.item(row)).collect(),
        totals,
        numbers,
    })
}

async fn numbers(tx: &mut ReadTx, tenant: TenantId, period: &Period) -> Result<Vec<NumbersOfMonth>, Problem> {
    let months = period.months();
    let bounds: Vec<_> = months.iter().map(|(since, upto, _)| (Instant(*since), Instant(*upto))).collect();
    let rows = usage::numbers(tx.conn(), tenant, &bounds).await?;
    let of_month = |row: usage::NumbersRow| {
        let (.., month) = months.get(usize::try_from(row.month).ok()?.checked_sub(1)?)?;
        Some(NumbersOfMonth { month: month.clone(), numbers: row.numbers, cost: row.cost.0 })
    };
    Ok(rows.into_iter().filter_map(of_month).collect())
}
