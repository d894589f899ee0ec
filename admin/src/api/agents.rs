//! Agents: whoever answers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::feed::record::TokenHash;
use dialplane_common::ids::AgentId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::{Admin, Editor, InTenant, PathId, Viewer};
use super::body::{Body, present};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery, Search};
use super::writes::Answered;
use crate::invalid;
use crate::store::agents::{self, Agent, AgentFields, AgentFilter};
use crate::store::api_keys::token_hash;
use crate::store::{StoreError, WriteTx, tenants};
use crate::target::{self, TargetDocument};

const TEXT_CHARS_MAX: usize = 1_000;
const PROMPT_CHARS_MAX: usize = 20_000;

/// An agent to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgent {
    /// 1 to 200 characters.
    name: String,
    /// BCP 47 tag of the language it speaks; absent: the tenant's, else the platform's.
    language: Option<String>,
    /// Who runs it: `custom` (somebody's own, reached by stream, SIP or redirect), or a provider that hosts agents.
    provider: String,
    /// How a call reaches it.
    target: TargetDocument,
    /// Its first sentence, where its location sets none.
    greeting: Option<String>,
    /// Its system prompt, where its location sets none.
    prompt: Option<String>,
    /// The voice provider's name of its voice, where its location sets none.
    voice_id: Option<String>,
}

/// Fields of an agent to change; those absent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentPatch {
    /// 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    /// BCP 47 tag of the language it speaks; null: the tenant's, else the platform's.
    #[serde(default, deserialize_with = "present")]
    language: Option<Option<String>>,
    /// How a call reaches it.
    #[serde(default, deserialize_with = "present")]
    target: Option<TargetDocument>,
    /// Its first sentence; null: none.
    #[serde(default, deserialize_with = "present")]
    greeting: Option<Option<String>>,
    /// Its system prompt; null: none.
    #[serde(default, deserialize_with = "present")]
    prompt: Option<Option<String>>,
    /// Its voice; null: none.
    #[serde(default, deserialize_with = "present")]
    voice_id: Option<Option<String>>,
}

/// A token, shown this once.
#[derive(Serialize, ToSchema)]
pub struct AgentToken {
    /// What the agent asks routers with: `GET /v1/numbers/{e164}/config`. Null in the answer to a repetition.
    token: Option<String>,
}

/// Which agents.
#[derive(Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AgentQuery {
    /// Those whose name holds this, in capitals or not.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    q: Option<Search>,
    /// Those that this provider runs; `custom`: somebody else.
    provider: Option<String>,
}

/// List a tenant's agents.
#[utoipa::path(get, path = "/tenants/{tenant_id}/agents", tag = "Agents",
    params(("tenant_id" = Uuid, Path), PageQuery, AgentQuery), responses((status = 200, body = Page<Agent>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    list: List<AgentQuery>,
) -> Result<Json<Page<Agent>>, Problem> {
    let filter = AgentFilter { name: list.filter.q.map(|q| q.pattern()), provider: list.filter.provider };
    filter.provider.as_deref().map_or(Ok(()), target::check_provider)?;
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    let rows = agents::list(tx.conn(), tenant.id, &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |agent| agent.id, |agent| agent)))
}

/// Create an agent.
#[utoipa::path(post, path = "/tenants/{tenant_id}/agents", tag = "Agents",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = NewAgent,
    responses((status = 201, body = Agent)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order,
    Body(new): Body<NewAgent>,
) -> Answered {
    target::check_provider(&new.provider)?;
    let fields = AgentFields {
        name: &new.name,
        language: new.language.as_deref(),
        target: &new.target,
        greeting: new.greeting.as_deref(),
        prompt: new.prompt.as_deref(),
        voice_id: new.voice_id.as_deref(),
    };
    check(&new.provider, &fields)?;
    let mut write = api.write_routing(order).await?;
    let agent = agents::insert(write.tx.conn(), tenant.id, &new.provider, &fields).await?;
    write.tx.record_agent(&agent)?;
    write.created(agent.id, &agent).await
}

fn check(provider: &str, fields: &AgentFields<'_>) -> Result<(), Problem> {
    invalid::name("name", fields.name)?;
    fields.language.map_or(Ok(()), |language| invalid::language("language", language))?;
    for (field, text, most) in [
        ("greeting", fields.greeting, TEXT_CHARS_MAX),
        ("prompt", fields.prompt, PROMPT_CHARS_MAX),
        ("voice_id", fields.voice_id, TEXT_CHARS_MAX),
    ] {
        text.map_or(Ok(()), |text| invalid::spoken(field, text, most))?;
    }
    fields.target.compile(provider)?;
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
    order: Order,
    Body(patch): Body<AgentPatch>,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    let row = agents::lock(write.tx.conn(), tenant.id, id).await?;
    write.expect(async |_| Ok::<_, Problem>(&row)).await?;
    let fields = AgentFields {
        name: patch.name.as_deref().unwrap_or(&row.name),
        language: patch.language.as_ref().unwrap_or(&row.language).as_deref(),
        target: patch.target.as_ref().unwrap_or(&row.target.0),
        greeting: patch.greeting.as_ref().unwrap_or(&row.greeting).as_deref(),
        prompt: patch.prompt.as_ref().unwrap_or(&row.prompt).as_deref(),
        voice_id: patch.voice_id.as_ref().unwrap_or(&row.voice_id).as_deref(),
    };
    check(&row.provider, &fields)?;
    let agent = agents::update(write.tx.conn(), tenant.id, id, &fields).await?;
    write.tx.record_agent(&agent)?;
    write.answer(StatusCode::OK, &agent).await
}

/// Delete an agent that no phone number and no routing rule uses.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/agents/{agent_id}", tag = "Agents",
    params(("tenant_id" = Uuid, Path), ("agent_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<AgentId>,
    order: Order,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    let agent = agents::lock(write.tx.conn(), tenant.id, id).await?;
    write.expect(async |_| Ok::<_, Problem>(&agent)).await?;
    agents::delete(write.tx.conn(), tenant.id, id).await?;
    forget_token(&mut write.tx, &agent)?;
    write.tx.remove(RecordKey::Agent(id));
    write.no_content().await
}

/// Make an agent's token, in place of the one it has. The answer shows it, this once.
#[utoipa::path(post, path = "/tenants/{tenant_id}/agents/{agent_id}/token", tag = "Agents",
    params(("tenant_id" = Uuid, Path), ("agent_id" = Uuid, Path), WaitQuery),
    responses((status = 201, body = AgentToken)))]
pub async fn make_token(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    PathId(id): PathId<AgentId>,
    order: Order,
) -> Answered {
    let token = super::api_keys::draw("dpa_")?;
    let hash = TokenHash::of(&token);
    let mut write = api.write_routing(order).await?;
    let agent = agents::lock(write.tx.conn(), tenant.id, id).await?;
    forget_token(&mut write.tx, &agent)?;
    let agent = agents::set_token(write.tx.conn(), tenant.id, id, Some(hash)).await?;
    write.tx.record_agent_token(&agent)?;
    let made = AgentToken { token: Some(token) };
    write.answer_once(StatusCode::CREATED, &made, &AgentToken { token: None }).await
}

/// Take back an agent's token.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/agents/{agent_id}/token", tag = "Agents",
    params(("tenant_id" = Uuid, Path), ("agent_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete_token(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    PathId(id): PathId<AgentId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    let agent = agents::lock(write.tx.conn(), tenant.id, id).await?;
    forget_token(&mut write.tx, &agent)?;
    agents::set_token(write.tx.conn(), tenant.id, id, None).await?;
    write.no_content().await
}

/// Notes that routers no longer take an agent's token.
fn forget_token(tx: &mut WriteTx, agent: &Agent) -> Result<(), StoreError> {
    if let Some(hash) = &agent.token_hash {
        tx.remove(RecordKey::Token(token_hash(hash)?));
    }
    Ok(())
}
