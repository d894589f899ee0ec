//! What calls cost by stage: what of it goes to the carrier, to recognising and making speech, to the model.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::{InTenant, Viewer};
use super::call_usage::{Format, refuse};
use super::error::Problem;
use super::parameters::Query;
use super::usage_table::table_response;
use crate::store::instant::Instant;
use crate::store::tenants;
use crate::store::usage::{self, Asked, StageCost, StageRow};
use crate::usage::csv::Table;
use crate::usage::period::{Period, Step};

/// Which calls, by what time.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StagesQuery {
    /// As of usage.
    from: Option<String>,
    /// As of usage; at most 400 days behind `from`.
    to: Option<String>,
    /// Absent: `month`.
    #[param(inline)]
    group_by: Option<StagesBy>,
    /// The IANA time zone that days and months are of; absent: the tenant's.
    timezone: Option<String>,
    /// Absent: as the header `Accept` says.
    #[param(inline)]
    format: Option<Format>,
}

/// What costs by stage are put together by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StagesBy {
    /// The day that calls began on.
    Day,
    /// The month.
    Month,
    /// Nothing: it is one item.
    None,
}

/// What calls cost by stage.
#[derive(Serialize, ToSchema)]
pub struct UsageStages {
    /// Where the time begins.
    #[schema(value_type = String, format = DateTime)]
    from: Instant,
    /// Where it ends.
    #[schema(value_type = String, format = DateTime)]
    to: Instant,
    /// The time zone of its days and months.
    timezone: String,
    /// Each day or month in which calls cost anything.
    items: Vec<StagesItem>,
    /// All of it.
    totals: Vec<StageCost>,
}

/// Costs by stage of a day or a month.
#[derive(Serialize, ToSchema)]
pub struct StagesItem {
    /// The day: `2026-11-21`; the month: `2026-11`; empty: all of it.
    period: String,
    /// What of the cost is for what: as providers tell; where they don't, by the rates of stages. `other`: the rest of what
    /// calls cost, so that all together is the cost in usage, unless the rates of stages are more than that.
    stages: Vec<StageCost>,
}

/// Get what a tenant's calls cost by stage.
#[utoipa::path(get, path = "/tenants/{tenant_id}/usage/stages", tag = "Usage",
    params(("tenant_id" = Uuid, Path), StagesQuery),
    responses((status = 200, content(
        (UsageStages = "application/json"),
        (String = "text/csv", example = json!("period,stage,currency,amount\n2026-11,stt,USD,0.25\n")),
    ))))]
pub async fn get(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    headers: HeaderMap,
    Query(query): Query<StagesQuery>,
) -> Result<Response, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    let own = tenants::find(tx.conn(), tenant.id).await?.timezone;
    let timezone = query.timezone.as_deref().unwrap_or(&own);
    let period = Period::parse(query.from.as_deref(), query.to.as_deref(), timezone, Timestamp::now());
    let period = period.map_err(|invalid| refuse(&invalid))?;
    let step = match query.group_by.unwrap_or(StagesBy::Month) {
        StagesBy::Day => Step::Day,
        StagesBy::Month => Step::Month,
        StagesBy::None => Step::All,
    };
    let parts = period.parts(step).map_err(|invalid| refuse(&invalid))?;
    let asked = Asked {
        tenant: Some(tenant.id),
        since: Instant(period.since),
        upto: Instant(period.upto),
        periods: parts.iter().map(|part| Instant(part.since)).collect(),
        dims: 0,
        by_tenant: false,
    };
    let rows = usage::stages(tx.conn(), &asked).await?;
    let name = |row: &StageRow| {
        let place = usize::try_from(row.period).ok().and_then(|place| place.checked_sub(1));
        place.and_then(|place| parts.get(place)).map(|part| part.name.clone())
    };
    if Format::wanted(query.format, &headers) == Format::Csv {
        return Ok(table_response("stages", Body::from(table(&rows, name))));
    }
    let (mut items, mut totals): (Vec<StagesItem>, _) = (Vec::new(), Vec::new());
    for row in rows {
        let period = name(&row);
        let cost = StageCost { stage: row.stage, amount: row.amount, currency: row.currency };
        match (period, items.last_mut()) {
            (None, _) => totals.push(cost),
            (Some(period), Some(last)) if last.period == period => last.stages.push(cost),
            (Some(period), _) => items.push(StagesItem { period, stages: vec![cost] }),
        }
    }
    let timezone = period.timezone().to_owned();
    Ok(Json(UsageStages { from: asked.since, to: asked.upto, timezone, items, totals }).into_response())
}

fn table(rows: &[StageRow], name: impl Fn(&StageRow) -> Option<String>) -> bytes::Bytes {
    let mut table = Table::new(&["period", "stage", "currency", "amount"]);
    for row in rows {
        // The rows of all stand in a table's foot, if anywhere.
        let Some(period) = name(row) else { continue };
        table.line([period, row.stage.clone(), row.currency.clone(), row.amount.clone()]);
    }
    table.take()
}
