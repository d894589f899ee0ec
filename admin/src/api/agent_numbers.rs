//! The phone numbers that an agent answers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::{AgentId, PhoneNumberId, TenantId};
use serde::Deserialize;
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Editor, InTenant, PathId, Viewer};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery};
use super::phone_numbers::{PhoneNumber, view};
use super::writes::Answered;
use crate::invalid::Invalid;
use crate::store::numbers::{self, NumberFields, NumberFilter};
use crate::store::{StoreError, agents};

const ATTACHED_MAX: usize = 200;

/// Numbers for an agent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentNumbers {
    /// 1 to 200 of the tenant's, whoever answers them now.
    #[schema(value_type = Vec<Uuid>)]
    phone_number_ids: Vec<PhoneNumberId>,
}

/// List the phone numbers that an agent answers where a rule names nobody.
#[utoipa::path(get, path = "/tenants/{tenant_id}/agents/{agent_id}/phone-numbers",
    tag = "Agents",
    params(("tenant_id" = Uuid, Path), ("agent_id" = Uuid, Path), PageQuery),
    responses((status = 200, body = Page<PhoneNumber>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<AgentId>,
    list: List,
) -> Result<Json<Page<PhoneNumber>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    agents::find(tx.conn(), tenant.id, id).await?;
    let filter = NumberFilter { agent_id: Some(id.0), ..NumberFilter::default() };
    let rows = numbers::list(tx.conn(), tenant.id, &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |row| row.id, view)))
}

/// Let an agent answer phone numbers; those that it answers already, it goes on to. All of them, or none.
#[utoipa::path(post, path = "/tenants/{tenant_id}/agents/{agent_id}/phone-numbers",
    tag = "Agents",
    params(("tenant_id" = Uuid, Path), ("agent_id" = Uuid, Path), WaitQuery), request_body = AgentNumbers,
    responses((status = 200, body = Page<PhoneNumber>)))]
pub async fn attach(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<AgentId>,
    order: Order,
    Body(wanted): Body<AgentNumbers>,
) -> Answered {
    if !(1..=ATTACHED_MAX).contains(&wanted.phone_number_ids.len()) {
        return Err(Invalid::new("phone_number_ids", format!("wanted 1 to {ATTACHED_MAX}")).into());
    }
    let mut write = api.write_routing(order).await?;
    if agents::hold(write.tx.conn(), tenant.id, &[id]).await?.is_empty() {
        return Err(Problem::not_found().into());
    }
    // In one order, as others lock several as well.
    let mut ids: Vec<_> = wanted.phone_number_ids.iter().enumerate().collect();
    ids.sort_by_key(|(_, id)| **id);
    let mut items = Vec::with_capacity(ids.len());
    for (index, number) in ids {
        let place = format!("phone_number_ids[{index}]");
        set(write.tx.conn(), tenant.id, *number, Some(id)).await.map_err(|error| match error {
            StoreError::NotFound => Invalid::new(place, "wanted a phone number of this tenant").into(),
            other => Problem::from(other),
        })?;
        items.push(view(write.tx.record_number(tenant.id, *number).await?));
    }
    write.answer(StatusCode::OK, &Page { items, next: None }).await
}

/// Let an agent answer a phone number no more: nobody does then where a rule names nobody.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/agents/{agent_id}/phone-numbers/{phone_number_id}",
    tag = "Agents",
    params(("tenant_id" = Uuid, Path), ("agent_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    responses((status = 204)))]
pub async fn detach(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<AgentId>,
    PathId(number): PathId<PhoneNumberId>,
    order: Order,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    numbers::lock(write.tx.conn(), tenant.id, number).await?;
    if numbers::find(write.tx.conn(), tenant.id, number).await?.agent_id != Some(id.0) {
        return Err(Problem::not_found().into());
    }
    set(write.tx.conn(), tenant.id, number, None).await?;
    write.tx.record_number(tenant.id, number).await?;
    write.no_content().await
}

async fn set(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
    agent: Option<AgentId>,
) -> Result<(), StoreError> {
    numbers::lock(conn, tenant, id).await?;
    let row = numbers::find(conn, tenant, id).await?;
    numbers::update(conn, tenant, id, &NumberFields { agent_id: agent, ..row.fields() }).await
}
