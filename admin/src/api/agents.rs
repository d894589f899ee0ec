//! Agents: whoever answers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::feed::record::TokenHash;
use dialplane_common::ids::{AgentId, IntentId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Admin, Editor, InTenant, PathId, Viewer, operator_only};
use super::body::{Body, present};
use super::error::Problem;
use super::jobs::{self, DryRunQuery, NewWish, admin_only};
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery, Search};
use super::writes::{Answered, Stop, Write};
use crate::business::integrations;
use crate::business::provisioning::Strategy;
use crate::invalid::{self, Invalid};
use crate::provisioning::plan::Plan;
use crate::provisioning::request::Kind;
use crate::store::agents::{self, Agent, AgentFields, AgentFilter, AgentOwner};
use crate::store::api_keys::token_hash;
use crate::store::{StoreError, WriteTx, intents, tenants};
use crate::target::{self, TargetDocument};

const TEXT_CHARS_MAX: usize = 1_000;
const PROMPT_CHARS_MAX: usize = 20_000;
const INTENTS_MAX: usize = 200;

/// An agent to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgent {
    /// 1 to 200 characters.
    name: String,
    /// BCP 47 tag of the language it speaks; absent: the tenant's, else the platform's.
    language: Option<String>,
    /// Who runs it: `custom` (somebody's own, reached by stream, SIP or redirect), or a provider that hosts agents;
    /// absent: `custom` with a target, else the one that the platform makes agents at.
    provider: Option<String>,
    /// How a call reaches it; absent, of an agent at a provider: it is made there, by a job (`job_id`).
    target: Option<TargetDocument>,
    /// Whether it gets a number, by the same job. Admins only, as it may cost something.
    #[serde(default)]
    provision_phone: bool,
    /// Of the number: ISO 3166-1 alpha-2. What is absent here, the tenant's `provisioning` says, else the platform's
    /// settings.
    country: Option<String>,
    /// Of the number: what it begins with behind the country's code, 2 to 5 digits. A preference, unless it is required.
    area_code: Option<String>,
    /// Of the number: whether none is better than one with another area code.
    area_code_required: Option<bool>,
    /// Of the number: what it has somewhere, 2 to 10 digits.
    contains: Option<String>,
    /// Of the number: its kind; absent: `local`.
    #[schema(inline)]
    number_type: Option<Kind>,
    /// Of the number: whether it takes text messages, too.
    sms: Option<bool>,
    /// Of the number: where it may come from, in this order, each once.
    #[schema(inline)]
    strategies: Option<Vec<Strategy>>,
    /// Of the number: the most that it may cost, at once and a month together, without anybody being asked: a decimal such
    /// as `2.00`.
    cost_max: Option<String>,
    /// Its first sentence, where its location sets none.
    greeting: Option<String>,
    /// Its system prompt, where its location sets none.
    prompt: Option<String>,
    /// The voice provider's name of its voice, where its location sets none.
    voice_id: Option<String>,
    /// Whose account at the provider it is made at: `dedicated`, the platform's, or `own`, the tenant's; absent:
    /// `dedicated`. Operators' agents are `shared`.
    kind: Option<AgentKind>,
    /// What its provider is told besides, in the provider's words: an object of at most 16 KiB.
    #[serde(default)]
    #[schema(value_type = Object)]
    config: Map<String, Value>,
    /// The intents that it knows; none: all of its tenant's.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>)]
    intent_ids: Vec<IntentId>,
}

impl NewAgent {
    /// Which number is wanted: taken out of the body's fields.
    fn wish(&mut self) -> NewWish {
        NewWish {
            country: self.country.take(),
            area_code: self.area_code.take(),
            area_code_required: self.area_code_required.take(),
            contains: self.contains.take(),
            number_type: self.number_type.take(),
            sms: self.sms.take(),
            strategies: self.strategies.take(),
            cost_max: self.cost_max.take(),
        }
    }
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
    /// `dedicated` or `own`.
    #[serde(default, deserialize_with = "present")]
    kind: Option<AgentKind>,
    /// What its provider is told besides: all of it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
    /// The intents that it knows: all of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<Uuid>>)]
    intent_ids: Option<Vec<IntentId>>,
}

/// Whose an agent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentKind {
    /// The platform's, which tenants share.
    Shared,
    /// Made for its tenant, at the platform's account.
    Dedicated,
    /// At its tenant's own account.
    Own,
}

impl AgentKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Dedicated => "dedicated",
            Self::Own => "own",
        }
    }
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

impl AgentQuery {
    /// What the store is asked for.
    pub(super) fn filter(self) -> AgentFilter {
        AgentFilter { name: self.q.map(|q| q.pattern()), provider: self.provider }
    }
}

/// List a tenant's agents, and the shared ones that it may use.
#[utoipa::path(get, path = "/tenants/{tenant_id}/agents", tag = "Agents",
    params(("tenant_id" = Uuid, Path), PageQuery, AgentQuery), responses((status = 200, body = Page<Agent>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    list: List<AgentQuery>,
) -> Result<Json<Page<Agent>>, Problem> {
    let filter = list.filter.filter();
    filter.provider.as_deref().map_or(Ok(()), target::check_provider)?;
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    let rows = agents::list(tx.conn(), tenant.id, &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |agent| agent.id, |agent| agent)))
}

/// Create an agent: where it says how a call reaches it, it is there at once; else a job makes it at its provider.
///
/// With `provision_phone`, a job gets it a number as well; `dry_run=true` says which, from where and at what price.
#[utoipa::path(post, path = "/tenants/{tenant_id}/agents", tag = "Agents",
    params(("tenant_id" = Uuid, Path), DryRunQuery, WaitQuery), request_body = NewAgent,
    responses((status = 201, body = Agent), (status = 200, body = Plan)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order<DryRunQuery>,
    Body(new): Body<NewAgent>,
) -> Answered {
    let dry_run = order.query.dry_run;
    if dry_run && !new.provision_phone {
        return Err(Invalid::new("provision_phone", "wanted true with dry_run").into());
    }
    insert(&api, Some(tenant.id), order, new, dry_run).await
}

/// Creates an agent of its owner's; in a dry run, says what its job would do.
pub(super) async fn insert<Q>(
    api: &Api,
    owner: AgentOwner,
    order: Order<Q>,
    mut new: NewAgent,
    dry_run: bool,
) -> Answered {
    let wish = new.wish();
    if !new.provision_phone {
        wish.refuse_any("provision_phone")?;
    }
    let provider = match (&new.provider, &new.target) {
        (Some(provider), _) => provider.as_str(),
        (None, Some(_)) => target::CUSTOM,
        (None, None) => api.provisioner.settings.agent_provider.as_str(),
    };
    target::check_provider(provider)?;
    let makes_agent = new.target.is_none();
    check_making(owner, provider, &new)?;
    let fields = AgentFields {
        name: &new.name,
        language: new.language.as_deref(),
        target: new.target.as_ref(),
        greeting: new.greeting.as_deref(),
        prompt: new.prompt.as_deref(),
        voice_id: new.voice_id.as_deref(),
        kind: kind(owner, new.kind)?,
        config: &new.config,
        intent_ids: &new.intent_ids,
    };
    check(provider, &fields)?;
    if new.provision_phone {
        admin_only(order.principal())?;
    }
    let mut write = api.write_routing(order).await?;
    check_intents(write.tx.conn(), owner, &new.intent_ids).await?;
    let mut agent = agents::insert(write.tx.conn(), owner, provider, &fields).await?;
    if let Some(tenant) = owner.filter(|_| makes_agent || new.provision_phone) {
        let kind = if new.provision_phone { "number" } else { "agent" };
        let request = jobs::resolve_request(&mut write, tenant, kind, wish, jobs::Place::default()).await?;
        if dry_run {
            return jobs::plan(write, tenant, Some(&agent), &request).await;
        }
        let job = jobs::ask(&mut write, tenant, kind, Some(&agent), &request).await?;
        agent = agents::set_job(write.tx.conn(), AgentId(agent.id), job.id).await?;
    }
    write.tx.record_agent(&agent)?;
    write.created(agent.id, &agent).await
}

/// Refuses what no job could make.
fn check_making(owner: AgentOwner, provider: &str, new: &NewAgent) -> Result<(), Invalid> {
    if new.target.is_none() && provider == target::CUSTOM {
        return Err(Invalid::new(
            "target",
            "wanted, as nobody but you knows where a custom agent is reached",
        ));
    }
    if new.target.is_none() && owner.is_none() {
        return Err(Invalid::new("target", "wanted: shared agents aren't made by jobs"));
    }
    if new.provision_phone && owner.is_none() {
        return Err(Invalid::new("provision_phone", "wanted false: a shared agent has no number of its own"));
    }
    Ok(())
}

/// The kind that is wanted, where the owner may have such agents.
fn kind(owner: AgentOwner, wanted: Option<AgentKind>) -> Result<&'static str, Invalid> {
    match (owner, wanted) {
        (None, None | Some(AgentKind::Shared)) => Ok(AgentKind::Shared.name()),
        (None, Some(_)) => Err(Invalid::new("kind", "wanted shared: the platform's agents are")),
        (Some(_), Some(AgentKind::Shared)) => {
            Err(Invalid::new("kind", "wanted dedicated or own: shared agents are the platform's"))
        }
        (Some(_), wanted) => Ok(wanted.unwrap_or(AgentKind::Dedicated).name()),
    }
}

/// Refuses intents that aren't the owner's, and holds those that are.
async fn check_intents(
    conn: &mut PgConnection,
    owner: AgentOwner,
    wanted: &[IntentId],
) -> Result<(), Problem> {
    let known = match owner {
        Some(tenant) => intents::known(conn, tenant, wanted).await?,
        None => Vec::new(),
    };
    let place = |index: usize| format!("intent_ids[{index}]");
    if let Some(index) = wanted.iter().position(|id| !known.contains(id)) {
        return Err(Invalid::new(place(index), "wanted an intent of the agent's own tenant").into());
    }
    match (1..wanted.len()).find(|index| wanted[..*index].contains(&wanted[*index])) {
        Some(index) => Err(Invalid::new(place(index), "wanted each intent once").into()),
        None => Ok(()),
    }
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
    integrations::check_free("config", fields.config)?;
    if fields.intent_ids.len() > INTENTS_MAX {
        return Err(Invalid::new("intent_ids", format!("wanted at most {INTENTS_MAX}")).into());
    }
    fields.target.map_or(Ok(()), |target| target.compile(provider).map(drop))?;
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
    update(&api, Some(tenant.id), id, order, patch).await
}

/// Changes an agent of its owner's.
pub(super) async fn update(
    api: &Api,
    owner: AgentOwner,
    id: AgentId,
    order: Order,
    patch: AgentPatch,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    let row = lock(&mut write, owner, id).await?;
    write.expect(async |_| Ok::<_, Problem>(&row)).await?;
    let known: Vec<_> = row.intent_ids.iter().copied().map(IntentId).collect();
    let kind = match patch.kind {
        Some(wanted) => kind(owner, Some(wanted))?,
        None => &row.kind,
    };
    let fields = AgentFields {
        name: patch.name.as_deref().unwrap_or(&row.name),
        language: patch.language.as_ref().unwrap_or(&row.language).as_deref(),
        target: patch.target.as_ref().or(row.target.as_ref().map(|target| &target.0)),
        greeting: patch.greeting.as_ref().unwrap_or(&row.greeting).as_deref(),
        prompt: patch.prompt.as_ref().unwrap_or(&row.prompt).as_deref(),
        voice_id: patch.voice_id.as_ref().unwrap_or(&row.voice_id).as_deref(),
        kind,
        config: patch.config.as_ref().unwrap_or(&row.config.0),
        intent_ids: patch.intent_ids.as_ref().unwrap_or(&known),
    };
    check(&row.provider, &fields)?;
    check_intents(write.tx.conn(), owner, fields.intent_ids).await?;
    let agent = agents::update(write.tx.conn(), owner, id, &fields).await?;
    write.tx.record_agent(&agent)?;
    write.answer(StatusCode::OK, &agent).await
}

/// Locks an agent of its owner's. A tenant that may use a shared one is told whose it is.
async fn lock(write: &mut Write<'_>, owner: AgentOwner, id: AgentId) -> Result<Agent, Stop> {
    match (agents::lock(write.tx.conn(), owner, id).await, owner) {
        (Err(StoreError::NotFound), Some(tenant)) => {
            agents::find(write.tx.conn(), tenant, id).await?;
            Err(operator_only().into())
        }
        (row, _) => Ok(row?),
    }
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
    remove(&api, Some(tenant.id), id, order).await
}

/// Deletes an agent of its owner's.
pub(super) async fn remove(api: &Api, owner: AgentOwner, id: AgentId, order: Order) -> Answered {
    let mut write = api.write_routing(order).await?;
    let agent = lock(&mut write, owner, id).await?;
    write.expect(async |_| Ok::<_, Problem>(&agent)).await?;
    jobs::expect_no_making(&mut write, id).await?;
    agents::delete(write.tx.conn(), owner, id).await?;
    jobs::forget_agent(&mut write, &agent).await?;
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
    draw_token(&api, Some(tenant.id), id, order).await
}

/// Makes the token of an agent of its owner's.
pub(super) async fn draw_token(api: &Api, owner: AgentOwner, id: AgentId, order: Order) -> Answered {
    let token = super::api_keys::draw("dpa_")?;
    let hash = TokenHash::of(&token);
    let mut write = api.write_routing(order).await?;
    let agent = lock(&mut write, owner, id).await?;
    forget_token(&mut write.tx, &agent)?;
    let agent = agents::set_token(write.tx.conn(), id, Some(hash)).await?;
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
    revoke_token(&api, Some(tenant.id), id, order).await
}

/// Takes back the token of an agent of its owner's.
pub(super) async fn revoke_token(api: &Api, owner: AgentOwner, id: AgentId, order: Order) -> Answered {
    let mut write = api.write(order).await?;
    let agent = lock(&mut write, owner, id).await?;
    forget_token(&mut write.tx, &agent)?;
    agents::set_token(write.tx.conn(), id, None).await?;
    write.no_content().await
}

/// Notes that routers no longer take an agent's token.
fn forget_token(tx: &mut WriteTx, agent: &Agent) -> Result<(), StoreError> {
    if let Some(hash) = &agent.token_hash {
        tx.remove(RecordKey::Token(token_hash(hash)?));
    }
    Ok(())
}
