//! Agents: whoever answers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::ids::AgentId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Editor, InTenant, PathId, Viewer};
use super::body::{Body, Query, present};
use super::error::Problem;
use super::page::{Page, PageQuery};
use super::writes::WaitQuery;
use crate::invalid::{self, Invalid};
use crate::store::agents::{self, Agent, AgentFields};
use crate::store::tenants;
use crate::target::TargetDocument;

/// Who runs an agent: only `custom` now, which is reached by its target.
const CUSTOM: &str = "custom";

/// An agent to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgent {
    /// 1 to 200 characters.
    name: String,
    /// BCP 47 tag of the language it speaks; absent: `en`.
    language: Option<String>,
    /// `custom`.
    provider: String,
    /// How a call reaches it.
    target: TargetDocument,
}

/// Fields of an agent to change; those absent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentPatch {
    /// 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    /// BCP 47 tag of the language it speaks.
    #[serde(default, deserialize_with = "present")]
    language: Option<String>,
    /// How a call reaches it.
    #[serde(default, deserialize_with = "present")]
    target: Option<TargetDocument>,
}

/// List a tenant's agents.
#[utoipa::path(get, path = "/tenants/{tenant_id}/agents", tag = "Agents",
    params(("tenant_id" = Uuid, Path), PageQuery), responses((status = 200, body = Page<Agent>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Agent>>, Problem> {
    let window = page.window()?;
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    let rows = agents::list(tx.conn(), tenant.id, window.after, window.rows()).await?;
    Ok(Json(window.page(rows, |agent| agent.id, |agent| agent)))
}

/// Create an agent.
#[utoipa::path(post, path = "/tenants/{tenant_id}/agents", tag = "Agents",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = NewAgent,
    responses((status = 201, body = Agent)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    Query(wait): Query<WaitQuery>,
    Body(new): Body<NewAgent>,
) -> Result<impl IntoResponse, Problem> {
    if new.provider != CUSTOM {
        return Err(Invalid::new("provider", "wanted one of: custom").into());
    }
    let fields = AgentFields {
        name: &new.name,
        language: new.language.as_deref().unwrap_or("en"),
        target: &new.target,
    };
    check(&fields)?;
    let mut write = api.write_routing(&tenant.principal, wait).await?;
    let agent = agents::insert(write.tx.conn(), tenant.id, CUSTOM, &fields).await?;
    write.tx.record_agent(&agent)?;
    Ok((StatusCode::CREATED, write.commit().await?, Json(agent)))
}

fn check(fields: &AgentFields<'_>) -> Result<(), Problem> {
    invalid::name("name", fields.name)?;
    invalid::language("language", fields.language)?;
    fields.target.compile()?;
    Ok(())
}

/// Get an agent.
#[utoipa::path(get, path = "/tenants/{tenant_id}/agents/{agent_id}", tag = "Agents",
    params(("tenant_id" = Uuid, Path), ("agent_id" = Uuid, Path)), responses((status = 200, body = Agent)))]
pub async fn get(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<AgentId>,
) -> Result<Json<Agent>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    Ok(Json(agents::find(tx.conn(), tenant.id, id).await?))
}

/// Change an agent.
#[utoipa::path(patch, path = "/tenants/{tenant_id}/agents/{agent_id}", tag = "Agents",
    params(("tenant_id" = Uuid, Path), ("agent_id" = Uuid, Path), WaitQuery), request_body = AgentPatch,
    responses((status = 200, body = Agent)))]
pub async fn change(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<AgentId>,
    Query(wait): Query<WaitQuery>,
    Body(patch): Body<AgentPatch>,
) -> Result<impl IntoResponse, Problem> {
    let mut write = api.write_routing(&tenant.principal, wait).await?;
    let row = agents::lock(write.tx.conn(), tenant.id, id).await?;
    let fields = AgentFields {
        name: patch.name.as_deref().unwrap_or(&row.name),
        language: patch.language.as_deref().unwrap_or(&row.language),
        target: patch.target.as_ref().unwrap_or(&row.target.0),
    };
    check(&fields)?;
    let agent = agents::update(write.tx.conn(), tenant.id, id, &fields).await?;
    write.tx.record_agent(&agent)?;
    Ok((write.commit().await?, Json(agent)))
}

/// Delete an agent that no phone number and no routing rule uses.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/agents/{agent_id}", tag = "Agents",
    params(("tenant_id" = Uuid, Path), ("agent_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<AgentId>,
    Query(wait): Query<WaitQuery>,
) -> Result<impl IntoResponse, Problem> {
    let mut write = api.write_routing(&tenant.principal, wait).await?;
    agents::lock(write.tx.conn(), tenant.id, id).await?;
    agents::delete(write.tx.conn(), tenant.id, id).await?;
    write.tx.remove(RecordKey::Agent(id));
    Ok((StatusCode::NO_CONTENT, write.commit().await?))
}
