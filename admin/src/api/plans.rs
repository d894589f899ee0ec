//! Plans: what tenants may, by what they pay for. Operators only.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::TenantId;
use serde::{Deserialize, Serialize};
use sqlx::types;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Operator, PathId, PlanName};
use super::body::{Body, present};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::writes::{Answered, Write};
use crate::invalid::{self, Invalid};
use crate::plans::TENANTS;
use crate::routing::{self, StepDocument};
use crate::store::plans::{self, Plan, PlanFields};

/// A plan to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// 1 to 50 small letters, digits and hyphens.
    name: String,
    /// How many calls at a time, 1 to 1000; absent: any number.
    calls_max: Option<u32>,
    /// How many phone numbers, 0 to 1000000; absent: any number.
    phone_numbers_max: Option<u32>,
    /// How much may be spent on a tenant's numbers in a calendar month (UTC), in the platform's currency: `10.00`; absent: the
    /// platform's default.
    spend_max: Option<String>,
    /// What is done with a call that is one too many, where the tenant doesn't say; absent: as the platform says. An agent step
    /// names no agent here: it is the number's own.
    over_limit: Option<StepDocument>,
}

/// Fields of a plan to change; those absent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanPatch {
    /// 1 to 1000; null: any number.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    calls_max: Option<Option<u32>>,
    /// 0 to 1000000; null: any number. What tenants have more, they keep.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    phone_numbers_max: Option<Option<u32>>,
    /// A decimal; null: the platform's default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    spend_max: Option<Option<String>>,
    /// A step with what follows it; null: as the platform says.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<StepDocument>)]
    over_limit: Option<Option<StepDocument>>,
}

/// All plans, by name.
#[derive(Serialize, ToSchema)]
pub struct Plans {
    /// They come in no pages: they are few.
    items: Vec<Plan>,
}

/// Get all plans. Operators only.
#[utoipa::path(get, path = "/plans", tag = "Plans", responses((status = 200, body = Plans)))]
pub async fn list(State(api): State<Api>, Operator(principal): Operator) -> Result<Json<Plans>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    Ok(Json(Plans { items: plans::list(tx.conn()).await? }))
}

/// Create a plan. Operators only.
#[utoipa::path(post, path = "/plans", tag = "Plans", params(WaitQuery), request_body = NewPlan,
    responses((status = 201, body = Plan)))]
pub async fn create(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewPlan>,
) -> Answered {
    let is_plain =
        new.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_plain || !(1..=50).contains(&new.name.len()) {
        return Err(Invalid::new("name", "wanted 1 to 50 small letters, digits and hyphens").into());
    }
    let fields = fields(new.calls_max, new.phone_numbers_max, new.spend_max, new.over_limit)?;
    let mut write = api.write(order).await?;
    let plan = plans::insert(write.tx.conn(), &new.name, &fields).await?;
    write.created(&plan.name, &plan).await
}

fn fields(
    calls_max: Option<u32>,
    phone_numbers_max: Option<u32>,
    spend_max: Option<String>,
    over_limit: Option<StepDocument>,
) -> Result<PlanFields, Invalid> {
    if let Some(chain) = &over_limit {
        routing::over_limit(chain)?;
    }
    let numbers = phone_numbers_max.map(|most| invalid::count_max("phone_numbers_max", most));
    Ok(PlanFields {
        calls_max: calls_max.map(|calls| invalid::calls_max("calls_max", calls)).transpose()?,
        phone_numbers_max: numbers.transpose()?,
        spend_max: spend_max.map(|most| invalid::spend_max("spend_max", &most)).transpose()?,
        over_limit: over_limit.map(types::Json),
    })
}

/// Get a plan. Operators only.
#[utoipa::path(get, path = "/plans/{plan_name}", tag = "Plans", params(("plan_name" = String, Path)),
    responses((status = 200, body = Plan)))]
pub async fn get(
    State(api): State<Api>,
    Operator(principal): Operator,
    PathId(name): PathId<PlanName>,
) -> Result<Json<Plan>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    Ok(Json(plans::find(tx.conn(), &name.0).await?))
}

/// Change a plan. Routers get to know of it for the first hundred of its tenants with the answer's revision, for the others
/// moments later. Operators only.
#[utoipa::path(patch, path = "/plans/{plan_name}", tag = "Plans", params(("plan_name" = String, Path), WaitQuery),
    request_body = PlanPatch, responses((status = 200, body = Plan)))]
pub async fn change(
    State(api): State<Api>,
    _operator: Operator,
    PathId(name): PathId<PlanName>,
    order: Order,
    Body(patch): Body<PlanPatch>,
) -> Answered {
    let given = fields(
        patch.calls_max.flatten(),
        patch.phone_numbers_max.flatten(),
        patch.spend_max.clone().flatten(),
        patch.over_limit.clone().flatten(),
    )?;
    let mut write = api.write_routing(order).await?;
    let before = plans::lock(write.tx.conn(), &name.0).await?;
    write.expect(async |_| Ok::<_, Problem>(&before)).await?;
    let fields = PlanFields {
        calls_max: patch.calls_max.map_or(before.calls_max, |_| given.calls_max),
        phone_numbers_max: patch
            .phone_numbers_max
            .map_or(before.phone_numbers_max, |_| given.phone_numbers_max),
        spend_max: patch.spend_max.map_or(before.spend_max, |_| given.spend_max),
        over_limit: patch.over_limit.map_or(before.over_limit, |_| given.over_limit),
    };
    let plan = plans::update(write.tx.conn(), &name.0, &fields).await?;
    record_first(&mut write).await?;
    write.answer(StatusCode::OK, &plan).await
}

/// Notes the records of the first of those whose plan has changed; the others' are written in the background.
async fn record_first(write: &mut Write<'_>) -> Result<(), Problem> {
    for tenant in plans::take_changed(write.tx.conn(), TENANTS).await? {
        write.tx.record_tenant(TenantId(tenant)).await?;
    }
    Ok(())
}

/// Delete a plan that no tenant has. Operators only.
#[utoipa::path(delete, path = "/plans/{plan_name}", tag = "Plans", params(("plan_name" = String, Path), WaitQuery),
    responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    _operator: Operator,
    PathId(name): PathId<PlanName>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    let plan = plans::lock(write.tx.conn(), &name.0).await?;
    write.expect(async |_| Ok::<_, Problem>(&plan)).await?;
    plans::delete(write.tx.conn(), &name.0).await?;
    write.no_content().await
}
