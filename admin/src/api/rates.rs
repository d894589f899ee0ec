//! Rate cards: what calls and numbers cost. Operators only.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::TenantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Operator, PathId, RateId};
use super::body::{Body, present};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery};
use super::writes::Answered;
use crate::credentials::check_provider;
use crate::invalid::{self, Invalid};
use crate::numbering;
use crate::store::instant::Instant;
use crate::store::rates::{self, Rate, RateFields, RateFilter};
use crate::store::{StoreError, tenants};

const SECONDS_MAX: i32 = 3_600;

/// What is paid for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub enum RateKind {
    /// A minute of a call.
    #[serde(rename = "per_minute")]
    PerMinute,
    /// A call that is routed.
    #[serde(rename = "per_call")]
    PerCall,
    /// A number that a tenant has in a month: all of the month, however long it has it.
    #[serde(rename = "per_number_month")]
    PerNumberMonth,
    /// A minute of being carried.
    #[serde(rename = "stage:transport")]
    Transport,
    /// A minute of speech being recognised.
    #[serde(rename = "stage:stt")]
    Stt,
    /// A minute of the model's work.
    #[serde(rename = "stage:llm")]
    Llm,
    /// A minute of speech being made.
    #[serde(rename = "stage:tts")]
    Tts,
    /// A minute of the platform of the agent's provider.
    #[serde(rename = "stage:platform")]
    Platform,
}

impl RateKind {
    const fn name(self) -> &'static str {
        match self {
            Self::PerMinute => "per_minute",
            Self::PerCall => "per_call",
            Self::PerNumberMonth => "per_number_month",
            Self::Transport => "stage:transport",
            Self::Stt => "stage:stt",
            Self::Llm => "stage:llm",
            Self::Tts => "stage:tts",
            Self::Platform => "stage:platform",
        }
    }
}

/// Which way a call went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RateDirection {
    /// It came in.
    Inbound,
    /// It was made by us.
    Outbound,
}

impl RateDirection {
    const fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// A rate to create. Of all that hold for a call, of each kind the most specific does: one of its tenant before one of all
/// tenants, then one of its provider, then of its country, then of its direction; then the one that began last. A call costs
/// its rate by the call and its rate by the minute; where there is none by the minute, those of its stages together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRate {
    /// Whose calls it is for; absent: all tenants'.
    #[schema(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
    /// At which provider, `twilio`; absent: at any.
    provider: Option<String>,
    /// The country of the called number, or of the number that is held, ISO 3166-1; absent: any.
    country: Option<String>,
    /// Absent: both.
    direction: Option<RateDirection>,
    /// What is paid for.
    kind: RateKind,
    /// How much: a decimal of at most six places, `0.0085`, below 100000000.
    amount: String,
    /// ISO 4217: `USD`.
    currency: String,
    /// Calls are billed in steps of so many seconds, 1 to 3600; absent: 60. Stages' as calls' by the minute, where there is such
    /// a rate.
    increment_s: Option<i32>,
    /// A call that lasted at all is billed as no shorter: 0 to 3600 seconds; absent: 0.
    minimum_s: Option<i32>,
    /// It holds for calls that begin at this time or later (RFC 3339); absent: now.
    valid_from: Option<String>,
    /// It doesn't hold from this time on; absent: it holds for good.
    valid_to: Option<String>,
}

/// Fields of a rate to change; those absent stay. What it was for calls that are over changes as well: to have another from
/// some time on, create one that begins then.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RatePatch {
    /// How much.
    #[serde(default, deserialize_with = "present")]
    amount: Option<String>,
    /// ISO 4217.
    #[serde(default, deserialize_with = "present")]
    currency: Option<String>,
    /// 1 to 3600 seconds.
    #[serde(default, deserialize_with = "present")]
    increment_s: Option<i32>,
    /// 0 to 3600 seconds.
    #[serde(default, deserialize_with = "present")]
    minimum_s: Option<i32>,
    /// From when on it holds.
    #[serde(default, deserialize_with = "present")]
    valid_from: Option<String>,
    /// Until when; null: for good.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    valid_to: Option<Option<String>>,
}

/// Which rates.
#[derive(Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RateQuery {
    /// Those of this tenant alone.
    tenant_id: Option<Uuid>,
    /// Those at this provider alone.
    provider: Option<String>,
    /// Those of this kind.
    #[param(inline)]
    kind: Option<RateKind>,
}

/// List rates. Operators only.
#[utoipa::path(get, path = "/rates", tag = "Rates", params(PageQuery, RateQuery),
    responses((status = 200, body = Page<Rate>)))]
pub async fn list(
    State(api): State<Api>,
    Operator(principal): Operator,
    list: List<RateQuery>,
) -> Result<Json<Page<Rate>>, Problem> {
    let filter = RateFilter {
        tenant: list.filter.tenant_id,
        provider: list.filter.provider,
        kind: list.filter.kind.map(RateKind::name),
    };
    let mut tx = api.store.read(principal.scope()).await?;
    let rows = rates::list(tx.conn(), &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |rate| rate.id, |rate| rate)))
}

/// Create a rate. Usage that it has a part in is worked out anew. Operators only.
#[utoipa::path(post, path = "/rates", tag = "Rates", params(WaitQuery), request_body = NewRate,
    responses((status = 201, body = Rate)))]
pub async fn create(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewRate>,
) -> Answered {
    new.provider.as_deref().map_or(Ok(()), check_provider)?;
    let country = new.country.as_deref().map(|text| numbering::country("country", text)).transpose()?;
    let fields = RateFields {
        tenant: new.tenant_id.map(|tenant| tenant.0),
        provider: new.provider,
        country: country.map(|country| country.as_str().to_owned()),
        direction: new.direction.map(|direction| direction.name().to_owned()),
        kind: new.kind.name().to_owned(),
        amount: new.amount,
        currency: new.currency,
        increment_s: new.increment_s.unwrap_or(60),
        minimum_s: new.minimum_s.unwrap_or(0),
        valid_from: new
            .valid_from
            .map_or(Ok(Instant(Timestamp::now())), |text| instant("valid_from", &text))?,
        valid_to: new.valid_to.map(|text| instant("valid_to", &text)).transpose()?,
    };
    check(&fields)?;
    let mut write = api.write(order).await?;
    if let Some(tenant) = new.tenant_id {
        known_tenant(write.tx.conn(), tenant).await?;
    }
    let rate = rates::insert(write.tx.conn(), &fields).await?;
    write.created(rate.id, &rate).await
}

async fn known_tenant(conn: &mut PgConnection, tenant: TenantId) -> Result<(), Problem> {
    match tenants::find(conn, tenant).await {
        Ok(_) => Ok(()),
        Err(StoreError::NotFound) => {
            Err(Invalid::new("tenant_id", "wanted the id of a tenant that is there").into())
        }
        Err(error) => Err(error.into()),
    }
}

fn check(fields: &RateFields) -> Result<(), Invalid> {
    invalid::price("amount", &fields.amount)?;
    invalid::currency("currency", &fields.currency)?;
    if !(1..=SECONDS_MAX).contains(&fields.increment_s) {
        return Err(Invalid::new("increment_s", format!("wanted 1 to {SECONDS_MAX}")));
    }
    if !(0..=SECONDS_MAX).contains(&fields.minimum_s) {
        return Err(Invalid::new("minimum_s", format!("wanted 0 to {SECONDS_MAX}")));
    }
    if fields.kind == RateKind::PerNumberMonth.name() && fields.direction.is_some() {
        return Err(Invalid::new("direction", "wanted none: a number has none"));
    }
    if fields.valid_to.is_some_and(|valid_to| valid_to <= fields.valid_from) {
        return Err(Invalid::new("valid_to", "wanted a time behind valid_from"));
    }
    Ok(())
}

fn instant(field: &str, text: &str) -> Result<Instant, Invalid> {
    let found = text.parse::<Timestamp>().ok().filter(|at| (0..=253_000_000_000).contains(&at.as_second()));
    found
        .map(Instant)
        .ok_or_else(|| Invalid::new(field, "wanted an instant (RFC 3339): 2026-11-21T14:30:00Z"))
}

/// Get a rate. Operators only.
#[utoipa::path(get, path = "/rates/{rate_id}", tag = "Rates", params(("rate_id" = Uuid, Path)),
    responses((status = 200, body = Rate)))]
pub async fn get(
    State(api): State<Api>,
    Operator(principal): Operator,
    PathId(id): PathId<RateId>,
) -> Result<Json<Rate>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    Ok(Json(rates::find(tx.conn(), id.0).await?))
}

/// Change a rate. Usage that it had or has a part in is worked out anew. Operators only.
#[utoipa::path(patch, path = "/rates/{rate_id}", tag = "Rates", params(("rate_id" = Uuid, Path), WaitQuery),
    request_body = RatePatch, responses((status = 200, body = Rate)))]
pub async fn change(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<RateId>,
    order: Order,
    Body(patch): Body<RatePatch>,
) -> Answered {
    let mut write = api.write(order).await?;
    let before = rates::lock(write.tx.conn(), id.0).await?;
    write.expect(async |_| Ok::<_, Problem>(&before)).await?;
    let valid_from = patch.valid_from.map(|text| instant("valid_from", &text)).transpose()?;
    let fields = RateFields {
        tenant: before.tenant_id,
        provider: before.provider.clone(),
        country: before.country.clone(),
        direction: before.direction.clone(),
        kind: before.kind.clone(),
        amount: patch.amount.unwrap_or_else(|| before.amount.clone()),
        currency: patch.currency.unwrap_or_else(|| before.currency.clone()),
        increment_s: patch.increment_s.unwrap_or(before.increment_s),
        minimum_s: patch.minimum_s.unwrap_or(before.minimum_s),
        valid_from: valid_from.unwrap_or(before.valid_from),
        valid_to: match patch.valid_to {
            Some(text) => text.map(|text| instant("valid_to", &text)).transpose()?,
            None => before.valid_to,
        },
    };
    check(&fields)?;
    let rate = rates::update(write.tx.conn(), &before, &fields).await?;
    write.answer(StatusCode::OK, &rate).await
}

/// Delete a rate, as if it had never been: usage that it had a part in is worked out anew. Operators only.
#[utoipa::path(delete, path = "/rates/{rate_id}", tag = "Rates", params(("rate_id" = Uuid, Path), WaitQuery),
    responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<RateId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    let rate = rates::lock(write.tx.conn(), id.0).await?;
    write.expect(async |_| Ok::<_, Problem>(&rate)).await?;
    rates::delete(write.tx.conn(), &rate).await?;
    write.no_content().await
}
