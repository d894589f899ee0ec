//! The platform's agents, which tenants share, and who may use them. Operators only.

use axum::Json;
use axum::extract::State;
use dialplane_common::ids::{AgentId, TenantId};

use super::Api;
use super::agents::{self, AgentPatch, AgentQuery, AgentToken, NewAgent};
use super::auth::{Operator, PathId};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery};
use super::writes::Answered;
use crate::store::agents as store;
use crate::store::agents::Agent;

/// List shared agents. Operators only.
#[utoipa::path(get, path = "/agents", tag = "Agents", params(PageQuery, AgentQuery),
    responses((status = 200, body = Page<Agent>)))]
pub async fn list(
    State(api): State<Api>,
    Operator(principal): Operator,
    list: List<AgentQuery>,
) -> Result<Json<Page<Agent>>, Problem> {
    let filter = list.filter.filter();
    let mut tx = api.store.read(principal.scope()).await?;
    let rows = store::list_shared(tx.conn(), &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |agent| agent.id, |agent| agent)))
}

/// Create a shared agent, for tenants to whom it is granted. Operators only.
#[utoipa::path(post, path = "/agents", tag = "Agents", params(WaitQuery),
    request_body = NewAgent, responses((status = 201, body = Agent)))]
pub async fn create(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewAgent>,
) -> Answered {
    agents::insert(&api, None, order, new, false).await
}

/// Get a shared agent. Operators only.
#[utoipa::path(get, path = "/agents/{agent_id}", tag = "Agents",
    params(("agent_id" = Uuid, Path)), responses((status = 200, body = Agent)))]
pub async fn get(
    State(api): State<Api>,
    Operator(principal): Operator,
    PathId(id): PathId<AgentId>,
) -> Result<Json<Agent>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    Ok(Json(store::find_shared(tx.conn(), id).await?))
}

/// Change a shared agent. Operators only.
#[utoipa::path(patch, path = "/agents/{agent_id}", tag = "Agents",
    params(("agent_id" = Uuid, Path), WaitQuery), request_body = AgentPatch,
    responses((status = 200, body = Agent)))]
pub async fn change(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AgentId>,
    order: Order,
    Body(patch): Body<AgentPatch>,
) -> Answered {
    agents::update(&api, None, id, order, patch).await
}

/// Delete a shared agent that no phone number and no routing rule uses. Operators only.
#[utoipa::path(delete, path = "/agents/{agent_id}", tag = "Agents",
    params(("agent_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AgentId>,
    order: Order,
) -> Answered {
    agents::remove(&api, None, id, order).await
}

/// Make a shared agent's token, in place of the one it has. It reads the settings of all numbers that the agent answers,
/// whosever they are. Operators only.
#[utoipa::path(post, path = "/agents/{agent_id}/token", tag = "Agents",
    params(("agent_id" = Uuid, Path), WaitQuery), responses((status = 201, body = AgentToken)))]
pub async fn make_token(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AgentId>,
    order: Order,
) -> Answered {
    agents::draw_token(&api, None, id, order).await
}

/// Take back a shared agent's token. Operators only.
#[utoipa::path(delete, path = "/agents/{agent_id}/token", tag = "Agents",
    params(("agent_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete_token(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AgentId>,
    order: Order,
) -> Answered {
    agents::revoke_token(&api, None, id, order).await
}

/// Let a tenant use a shared agent, which shows it to the tenant. Operators only.
#[utoipa::path(put, path = "/agents/{agent_id}/grants/{tenant_id}",
    tag = "Agents", params(("agent_id" = Uuid, Path), ("tenant_id" = Uuid, Path)),
    responses((status = 204)))]
pub async fn grant(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AgentId>,
    PathId(tenant): PathId<TenantId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    store::lock(write.tx.conn(), None, id).await?;
    store::grant(write.tx.conn(), tenant, id).await?;
    write.no_content().await
}

/// Take the use of a shared agent back from a tenant of which no number and no rule uses it. Operators only.
#[utoipa::path(delete, path = "/agents/{agent_id}/grants/{tenant_id}",
    tag = "Agents", params(("agent_id" = Uuid, Path), ("tenant_id" = Uuid, Path)),
    responses((status = 204)))]
pub async fn revoke(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AgentId>,
    PathId(tenant): PathId<TenantId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    store::lock(write.tx.conn(), None, id).await?;
    store::revoke(write.tx.conn(), tenant, id).await?;
    write.no_content().await
}
