//! Agents' rows.

use dialplane_common::feed::record::TokenHash;
use dialplane_common::ids::{AgentId, TenantId};
use serde::Serialize;
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
    /// Whose agent it is.
    pub tenant_id: Uuid,
    /// Its name.
    pub name: String,
    /// BCP 47 tag of the language it speaks, where its location sets none.
    pub language: Option<String>,
    /// Who runs it: a provider that hosts it; `custom`: somebody else, reached by its target.
    pub provider: String,
    /// How a call reaches it.
    #[schema(value_type = TargetDocument)]
    pub target: Json<TargetDocument>,
    /// Its first sentence, where its location sets none.
    pub greeting: Option<String>,
    /// Its system prompt, where its location sets none.
    pub prompt: Option<String>,
    /// The voice provider's name of its voice, where its location sets none.
    pub voice_id: Option<String>,
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
    /// How a call reaches it.
    pub target: &'a TargetDocument,
    /// Its first sentence.
    pub greeting: Option<&'a str>,
    /// Its system prompt.
    pub prompt: Option<&'a str>,
    /// Its voice.
    pub voice_id: Option<&'a str>,
}

/// Inserts an agent.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such tenant.
pub async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    provider: &str,
    fields: &AgentFields<'_>,
) -> Result<Agent, StoreError> {
    Ok(sqlx::query_as(
        "INSERT INTO agents (id, tenant_id, name, language, provider, target, greeting, prompt, voice_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *",
    )
    .bind(Uuid::now_v7())
    .bind(tenant.0)
    .bind(fields.name)
    .bind(fields.language)
    .bind(provider)
    .bind(Json(fields.target))
    .bind(fields.greeting)
    .bind(fields.prompt)
    .bind(fields.voice_id)
    .fetch_one(conn)
    .await?)
}

/// The agent.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, tenant: TenantId, id: AgentId) -> Result<Agent, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM agents WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?)
}

/// Locks the agent until the transaction ends, and reads it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, tenant: TenantId, id: AgentId) -> Result<Agent, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM agents WHERE tenant_id = $1 AND id = $2 FOR UPDATE")
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?)
}

/// The tenant's agents behind `after`, oldest first.
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
    Ok(sqlx::query_as(
        "SELECT * FROM agents WHERE tenant_id = $1 AND ($4::text IS NULL OR name ILIKE $4)
            AND ($5::text IS NULL OR provider = $5) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
    )
    .bind(tenant.0)
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
    tenant: TenantId,
    id: AgentId,
    fields: &AgentFields<'_>,
) -> Result<Agent, StoreError> {
    Ok(sqlx::query_as(
        "UPDATE agents SET name = $3, language = $4, target = $5, greeting = $6, prompt = $7, voice_id = $8,
            version = version + 1, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 RETURNING *",
    )
    .bind(tenant.0)
    .bind(id.0)
    .bind(fields.name)
    .bind(fields.language)
    .bind(Json(fields.target))
    .bind(fields.greeting)
    .bind(fields.prompt)
    .bind(fields.voice_id)
    .fetch_one(conn)
    .await?)
}

/// Sets a locked agent's token, or takes it away.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn set_token(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: AgentId,
    hash: Option<TokenHash>,
) -> Result<Agent, StoreError> {
    Ok(sqlx::query_as(
        "UPDATE agents SET token_hash = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2 RETURNING *",
    )
    .bind(tenant.0)
    .bind(id.0)
    .bind(hash.map(|hash| hash.0.to_vec()))
    .fetch_one(conn)
    .await?)
}

/// Deletes a locked agent that no rule names.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::AgentInUse`] while a number has it or a rule names it.
pub async fn delete(conn: &mut PgConnection, tenant: TenantId, id: AgentId) -> Result<(), StoreError> {
    // Rules are documents, out of a foreign key's sight. Whoever writes one holds its agents first (`hold`), so
    // with the agent locked none can appear between this look and the deletion.
    let is_named: bool = sqlx::query_scalar(
        "SELECT EXISTS (
            SELECT FROM number_settings WHERE tenant_id = $1 AND kind = 'routing'
                AND jsonb_path_exists(value, '$.**.agent_id ? (@ == $id)', jsonb_build_object('id', $2::text))
            UNION ALL
            SELECT FROM tenant_defaults WHERE tenant_id = $1 AND kind = 'routing'
                AND jsonb_path_exists(value, '$.**.agent_id ? (@ == $id)', jsonb_build_object('id', $2::text))
        )",
    )
    .bind(tenant.0)
    .bind(id.to_string())
    .fetch_one(&mut *conn)
    .await?;
    if is_named {
        return Err(StoreError::AgentInUse);
    }
    sqlx::query("DELETE FROM agents WHERE tenant_id = $1 AND id = $2 RETURNING id")
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// The ids of `wanted` that are the tenant's agents, each held against deletion until the transaction ends.
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
        "SELECT id FROM agents WHERE tenant_id = $1 AND id = ANY($2) ORDER BY id FOR KEY SHARE",
    )
    .bind(tenant.0)
    .bind(wanted)
    .fetch_all(conn)
    .await?;
    Ok(held.into_iter().map(AgentId).collect())
}
