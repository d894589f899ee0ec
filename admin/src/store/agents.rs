//! Agents' rows.

use dialplane_common::feed::record::TokenHash;
use dialplane_common::ids::{AgentId, IntentId, TenantId};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;
use super::search::Pattern;
use crate::target::TargetDocument;

/// Whoever answers: a voice agent.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct Agent {
    /// Its id.
    pub id: Uuid,
    /// Whose agent it is; null: the platform's, which tenants share.
    pub tenant_id: Option<Uuid>,
    /// `shared`: the platform's; `dedicated`: made for its tenant at the platform's account; `own`: at the tenant's own
    /// account.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// BCP 47 tag of the language it speaks, where its location sets none.
    pub language: Option<String>,
    /// Who runs it: a provider that hosts it; `custom`: somebody else, reached by its target.
    pub provider: String,
    /// How a call reaches it; null: it is being made at its provider.
    #[schema(value_type = Option<TargetDocument>)]
    pub target: Option<Json<TargetDocument>>,
    /// Its first sentence, where its location sets none.
    pub greeting: Option<String>,
    /// Its system prompt, where its location sets none.
    pub prompt: Option<String>,
    /// The voice provider's name of its voice, where its location sets none.
    pub voice_id: Option<String>,
    /// The account at its provider in which it was made; null: it wasn't made by us.
    pub account_id: Option<Uuid>,
    /// The provisioning job that makes it, and perhaps a number for it; null: none does.
    pub job_id: Option<Uuid>,
    /// Whether it was made at its provider by us.
    #[serde(skip)]
    pub is_made: bool,
    /// What its provider is told besides, in the provider's words.
    #[schema(value_type = Object)]
    pub config: Json<Map<String, Value>>,
    /// The intents that it knows; none: all of its tenant's.
    pub intent_ids: Vec<Uuid>,
    /// Counted up by each change of the agent here, from 1. Which version of a hosted agent answers, its provider's
    /// own, is `target.version`.
    pub version: i32,
    /// SHA-256 of its token.
    #[serde(skip)]
    pub token_hash: Option<Vec<u8>>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
}

/// Which of a tenant's agents a list has.
#[derive(Clone, Debug, Default)]
pub struct AgentFilter {
    /// Those of such a name.
    pub name: Option<Pattern>,
    /// Those that this provider runs.
    pub provider: Option<String>,
}

/// What people set of an agent.
pub struct AgentFields<'a> {
    /// Its name.
    pub name: &'a str,
    /// The language it speaks.
    pub language: Option<&'a str>,
    /// How a call reaches it; absent: it is to be made at its provider.
    pub target: Option<&'a TargetDocument>,
    /// Its first sentence.
    pub greeting: Option<&'a str>,
    /// Its system prompt.
    pub prompt: Option<&'a str>,
    /// Its voice.
    pub voice_id: Option<&'a str>,
    /// `shared`, `dedicated` or `own`.
    pub kind: &'a str,
    /// What its provider is told besides.
    pub config: &'a Map<String, Value>,
    /// The intents that it knows.
    pub intent_ids: &'a [IntentId],
}

/// An agent's columns, of the table as `a`.
const SELECT: &str = "SELECT a.*, ARRAY(
        SELECT intent_id FROM agent_intents WHERE agent_id = a.id ORDER BY intent_id
    ) AS intent_ids FROM agents AS a";

/// The query with the columns of an [`Agent`].
fn select(rest: &'static str) -> sqlx::AssertSqlSafe<String> {
    // Safe: both parts are literals of this file.
    sqlx::AssertSqlSafe(format!("{SELECT} {rest}"))
}

/// Whose agent; absent: the platform's.
pub type AgentOwner = Option<TenantId>;

/// Inserts an agent.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such tenant; [`StoreError::AgentsMax`].
pub async fn insert(
    conn: &mut PgConnection,
    owner: AgentOwner,
    provider: &str,
    fields: &AgentFields<'_>,
) -> Result<Agent, StoreError> {
    let id = AgentId(Uuid::now_v7());
    sqlx::query(
        "INSERT INTO agents (id, tenant_id, name, language, provider, target, greeting, prompt, voice_id, kind, config)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id.0)
    .bind(owner.map(|tenant| tenant.0))
    .bind(fields.name)
    .bind(fields.language)
    .bind(provider)
    .bind(fields.target.map(Json))
    .bind(fields.greeting)
    .bind(fields.prompt)
    .bind(fields.voice_id)
    .bind(fields.kind)
    .bind(Json(fields.config))
    .execute(&mut *conn)
    .await?;
    set_intents(conn, owner, id, fields.intent_ids).await?;
    read(conn, id).await
}

async fn read(conn: &mut PgConnection, id: AgentId) -> Result<Agent, StoreError> {
    Ok(sqlx::query_as(select("WHERE a.id = $1")).bind(id.0).fetch_one(conn).await?)
}

async fn set_intents(
    conn: &mut PgConnection,
    owner: AgentOwner,
    id: AgentId,
    intents: &[IntentId],
) -> Result<(), StoreError> {
    // The platform has no intents.
    let Some(tenant) = owner else { return Ok(()) };
    let intents: Vec<Uuid> = intents.iter().map(|intent| intent.0).collect();
    sqlx::query("DELETE FROM agent_intents WHERE tenant_id = $1 AND agent_id = $2 AND intent_id <> ALL ($3)")
        .bind(tenant.0)
        .bind(id.0)
        .bind(&intents)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO agent_intents (tenant_id, agent_id, intent_id) SELECT $1, $2, unnest($3::uuid[])
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.0)
    .bind(id.0)
    .bind(&intents)
    .execute(conn)
    .await?;
    Ok(())
}

/// An agent that the tenant may use: its own, or a shared one.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, tenant: TenantId, id: AgentId) -> Result<Agent, StoreError> {
    let granted = "JOIN agent_grants AS g ON g.agent_id = a.id WHERE g.tenant_id = $1 AND a.id = $2";
    Ok(sqlx::query_as(select(granted)).bind(tenant.0).bind(id.0).fetch_one(conn).await?)
}

/// A shared agent. For operators.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find_shared(conn: &mut PgConnection, id: AgentId) -> Result<Agent, StoreError> {
    let query = select("WHERE a.tenant_id IS NULL AND a.id = $1");
    Ok(sqlx::query_as(query).bind(id.0).fetch_one(conn).await?)
}

/// Locks the owner's agent until the transaction ends, and reads it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, owner: AgentOwner, id: AgentId) -> Result<Agent, StoreError> {
    let locked = "WHERE a.id = $1 AND a.tenant_id IS NOT DISTINCT FROM $2 FOR NO KEY UPDATE OF a";
    let owner = owner.map(|tenant| tenant.0);
    Ok(sqlx::query_as(select(locked)).bind(id.0).bind(owner).fetch_one(conn).await?)
}

/// The agents behind `after` that the tenant may use, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    tenant: TenantId,
    filter: &AgentFilter,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Agent>, StoreError> {
    let query = select(
        "JOIN agent_grants AS g ON g.agent_id = a.id
         WHERE g.tenant_id = $1 AND ($4::text IS NULL OR a.name ILIKE $4)
            AND ($5::text IS NULL OR a.provider = $5) AND ($2::uuid IS NULL OR a.id > $2) ORDER BY a.id LIMIT $3",
    );
    Ok(sqlx::query_as(query)
        .bind(tenant.0)
        .bind(after)
        .bind(rows_max)
        .bind(filter.name.as_ref().map(Pattern::as_str))
        .bind(&filter.provider)
        .fetch_all(conn)
        .await?)
}

/// The shared agents behind `after`, oldest first. For operators.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list_shared(
    conn: &mut PgConnection,
    filter: &AgentFilter,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Agent>, StoreError> {
    let query = select(
        "WHERE a.tenant_id IS NULL AND ($3::text IS NULL OR a.name ILIKE $3)
            AND ($4::text IS NULL OR a.provider = $4) AND ($1::uuid IS NULL OR a.id > $1) ORDER BY a.id LIMIT $2",
    );
    Ok(sqlx::query_as(query)
        .bind(after)
        .bind(rows_max)
        .bind(filter.name.as_ref().map(Pattern::as_str))
        .bind(&filter.provider)
        .fetch_all(conn)
        .await?)
}

/// Sets a locked agent's fields.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn update(
    conn: &mut PgConnection,
    owner: AgentOwner,
    id: AgentId,
    fields: &AgentFields<'_>,
) -> Result<Agent, StoreError> {
    sqlx::query(
        "UPDATE agents SET name = $2, language = $3, target = $4, greeting = $5, prompt = $6, voice_id = $7,
            kind = $8, config = $9, version = version + 1, updated_at = now()
         WHERE id = $1 RETURNING id",
    )
    .bind(id.0)
    .bind(fields.name)
    .bind(fields.language)
    .bind(fields.target.map(Json))
    .bind(fields.greeting)
    .bind(fields.prompt)
    .bind(fields.voice_id)
    .bind(fields.kind)
    .bind(Json(fields.config))
    .fetch_one(&mut *conn)
    .await?;
    set_intents(conn, owner, id, fields.intent_ids).await?;
    read(conn, id).await
}

/// Notes which job makes an agent that was just inserted.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn set_job(conn: &mut PgConnection, id: AgentId, job: Uuid) -> Result<Agent, StoreError> {
    sqlx::query("UPDATE agents SET job_id = $2 WHERE id = $1")
        .bind(id.0)
        .bind(job)
        .execute(&mut *conn)
        .await?;
    read(conn, id).await
}

/// Notes that a locked agent is at its provider, made there by us under this id.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn made(
    conn: &mut PgConnection,
    id: AgentId,
    account: Uuid,
    hosted_id: &str,
) -> Result<Agent, StoreError> {
    sqlx::query(
        "UPDATE agents SET target = jsonb_build_object('type', 'hosted', 'id', $3::text), account_id = $2,
            is_made = true, version = version + 1, updated_at = now()
         WHERE id = $1 RETURNING id",
    )
    .bind(id.0)
    .bind(account)
    .bind(hosted_id)
    .fetch_one(&mut *conn)
    .await?;
    read(conn, id).await
}

/// Notes that an agent that we made is at its provider no more.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn unmade(conn: &mut PgConnection, id: AgentId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE agents SET target = NULL, account_id = NULL, is_made = false, version = version + 1,
            updated_at = now()
         WHERE id = $1",
    )
    .bind(id.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets a locked agent's token, or takes it away.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn set_token(
    conn: &mut PgConnection,
    id: AgentId,
    hash: Option<TokenHash>,
) -> Result<Agent, StoreError> {
    sqlx::query("UPDATE agents SET token_hash = $2, updated_at = now() WHERE id = $1 RETURNING id")
        .bind(id.0)
        .bind(hash.map(|hash| hash.0.to_vec()))
        .fetch_one(&mut *conn)
        .await?;
    read(conn, id).await
}

/// Refuses an agent that a rule names: of its owner's, or of anybody's where tenants share it. Its grants are locked, so
/// that none can appear before the transaction ends: whoever writes a rule holds its agents first ([`hold`]).
///
/// Rules are documents, out of a foreign key's sight.
async fn check_unnamed(conn: &mut PgConnection, tenant: AgentOwner, id: AgentId) -> Result<(), StoreError> {
    let tenant = tenant.map(|tenant| tenant.0);
    sqlx::query(
        "SELECT FROM agent_grants WHERE agent_id = $1 AND ($2::uuid IS NULL OR tenant_id = $2)
         ORDER BY tenant_id FOR UPDATE",
    )
    .bind(id.0)
    .bind(tenant)
    .execute(&mut *conn)
    .await?;
    let is_named: bool = sqlx::query_scalar(
        "SELECT EXISTS (
            SELECT FROM number_settings WHERE ($1::uuid IS NULL OR tenant_id = $1) AND kind = 'routing'
                AND jsonb_path_exists(value, '$.**.agent_id ? (@ == $id)', jsonb_build_object('id', $2::text))
            UNION ALL
            SELECT FROM tenant_defaults WHERE ($1::uuid IS NULL OR tenant_id = $1) AND kind = 'routing'
                AND jsonb_path_exists(value, '$.**.agent_id ? (@ == $id)', jsonb_build_object('id', $2::text))
        )",
    )
    .bind(tenant)
    .bind(id.to_string())
    .fetch_one(conn)
    .await?;
    if is_named { Err(StoreError::AgentInUse) } else { Ok(()) }
}

/// Deletes a locked agent that no rule names.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::AgentInUse`] while a number has it or a rule names it.
pub async fn delete(conn: &mut PgConnection, owner: AgentOwner, id: AgentId) -> Result<(), StoreError> {
    check_unnamed(conn, owner, id).await?;
    sqlx::query("DELETE FROM agents WHERE id = $1 RETURNING id").bind(id.0).fetch_one(conn).await?;
    Ok(())
}

/// Lets a tenant use a shared agent. For operators.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such tenant.
pub async fn grant(conn: &mut PgConnection, tenant: TenantId, id: AgentId) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO agent_grants (tenant_id, agent_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(tenant.0)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes the use of a shared agent back. For operators.
///
/// # Errors
/// [`StoreError::AgentInUse`] while a number of the tenant's has it or a rule names it.
pub async fn revoke(conn: &mut PgConnection, tenant: TenantId, id: AgentId) -> Result<(), StoreError> {
    check_unnamed(conn, Some(tenant), id).await?;
    sqlx::query("DELETE FROM agent_grants WHERE tenant_id = $1 AND agent_id = $2")
        .bind(tenant.0)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The ids of `wanted` that the tenant may use, each held against deletion until the transaction ends.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn hold(
    conn: &mut PgConnection,
    tenant: TenantId,
    wanted: &[AgentId],
) -> Result<Vec<AgentId>, StoreError> {
    let wanted: Vec<Uuid> = wanted.iter().map(|id| id.0).collect();
    let held: Vec<Uuid> = sqlx::query_scalar(
        "SELECT agent_id FROM agent_grants WHERE tenant_id = $1 AND agent_id = ANY($2)
         ORDER BY agent_id FOR KEY SHARE",
    )
    .bind(tenant.0)
    .bind(wanted)
    .fetch_all(conn)
    .await?;
    Ok(held.into_iter().map(AgentId).collect())
}
