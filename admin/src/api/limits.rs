//! How many calls a tenant and its numbers have at this moment, and how many they may have.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use dialplane_common::ids::PhoneNumberId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{InTenant, Viewer};
use super::error::Problem;
use crate::store::{numbers, tenants};

/// So many numbers are told of.
const NUMBERS_MAX: i64 = 1_000;

/// A tenant's limits of calls at a time, and how many calls there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallLimits {
    /// The tenant's calls.
    calls: CallsNow,
    /// Numbers that have a limit of their own, or calls that count towards the tenant's; those with most calls first. At
    /// most 1000.
    numbers: Vec<NumberLimits>,
}

/// How many calls there are, and may be.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallsNow {
    /// How many calls are under way at all routers, at most a second ago; null: they aren't counted, as nothing limits
    /// them, or Redis doesn't answer.
    now: Option<u32>,
    /// How many there may be (`calls_max`); null: any number.
    max: Option<u32>,
}

/// The same of a number.
#[derive(Debug, Serialize, ToSchema)]
pub struct NumberLimits {
    /// Which one.
    phone_number_id: Uuid,
    /// How many calls are under way; null: Redis doesn't answer.
    now: Option<u32>,
    /// How many there may be; null: any number, within the tenant's limit.
    max: Option<u32>,
}

/// Get how many calls a tenant and its numbers have at this moment, and how many they may have.
#[utoipa::path(get, path = "/tenants/{tenant_id}/limits", tag = "Tenants", params(("tenant_id" = Uuid, Path)),
    responses((status = 200, body = CallLimits)))]
pub async fn get(State(api): State<Api>, tenant: InTenant<Viewer>) -> Result<Json<CallLimits>, Problem> {
    let live = api.live.calls().await;
    let of_numbers = live.as_ref().and_then(|live| live.numbers.get(&tenant.id)).cloned().unwrap_or_default();
    let calling: Vec<Uuid> = of_numbers.keys().map(|id| id.0).collect();
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    let row = tenants::find(tx.conn(), tenant.id).await?;
    let limited = numbers::limited(tx.conn(), tenant.id, &calling, NUMBERS_MAX).await?;
    let small = |stored: Option<i32>| stored.and_then(|calls| u32::try_from(calls).ok());
    let max = small(row.calls_max);
    let now = live.as_ref().filter(|_| max.is_some());
    let calls = CallsNow { now: now.map(|live| live.tenants.get(&tenant.id).copied().unwrap_or(0)), max };
    let mut numbers: Vec<_> = limited
        .into_iter()
        .map(|(id, calls_max)| {
            let now = live.as_ref().map(|_| of_numbers.get(&PhoneNumberId(id)).copied().unwrap_or(0));
            NumberLimits { phone_number_id: id, now, max: small(calls_max) }
        })
        .collect();
    numbers.sort_by_key(|number| (Reverse(number.now), number.phone_number_id));
    Ok(Json(CallLimits { calls, numbers }))
}
