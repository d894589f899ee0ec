//! What the providers of agents that we made were told of them.

use dialplane_common::ids::AgentId;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// An agent whose provider is to be told of it anew.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Outdated {
    /// The agent.
    pub id: Uuid,
    /// Whose it is; absent: the platform's.
    pub tenant_id: Option<Uuid>,
}

/// Notes that a provider knows an agent as it is now, and sends what it has to say to this URL.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn told(
    conn: &mut PgConnection,
    agent: AgentId,
    public_url: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hosted_agents (agent_id, public_url) VALUES ($1, $2)
         ON CONFLICT (agent_id) DO UPDATE SET public_url = EXCLUDED.public_url",
    )
    .bind(agent.0)
    .bind(public_url)
    .execute(conn)
    .await?;
    Ok(())
}

/// Agents that were changed since their providers were told of them, at most so many: those that no job is at work on and
/// nobody else looks at.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn changed(conn: &mut PgConnection, rows_max: i64) -> Result<Vec<Outdated>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT a.id, a.tenant_id FROM hosted_agents AS h JOIN agents AS a ON a.id = h.agent_id
         WHERE h.is_changed AND NOT EXISTS (SELECT FROM provisioning_jobs AS j WHERE j.agent_id = a.id
            AND j.ended_at IS NULL AND j.state IN ('pending', 'running', 'confirming'))
         ORDER BY a.id LIMIT $1 FOR NO KEY UPDATE OF a SKIP LOCKED",
    )
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// Agents whose providers were told another URL than this one, or all; of this account, or of all. Those that a job is at
/// work on are left to it.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn told_elsewhere(
    conn: &mut PgConnection,
    public_url: &str,
    account: Option<Uuid>,
    all: bool,
) -> Result<Vec<Outdated>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT a.id, a.tenant_id FROM agents AS a LEFT JOIN hosted_agents AS h ON h.agent_id = a.id
         WHERE a.is_made AND ($2::uuid IS NULL OR a.account_id = $2) AND ($3 OR h.public_url IS DISTINCT FROM $1)
            AND NOT EXISTS (SELECT FROM provisioning_jobs AS j WHERE j.agent_id = a.id
                AND j.ended_at IS NULL AND j.state IN ('pending', 'running', 'confirming'))
         ORDER BY a.id FOR NO KEY UPDATE OF a",
    )
    .bind(public_url)
    .bind(account)
    .bind(all)
    .fetch_all(conn)
    .await?)
}

/// Notes that a job tells an agent's provider of it as it is when the job gets there.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn change_is_seen_to(conn: &mut PgConnection, agent: AgentId) -> Result<(), StoreError> {
    sqlx::query("UPDATE hosted_agents SET is_changed = false WHERE agent_id = $1 AND is_changed")
        .bind(agent.0)
        .execute(conn)
        .await?;
    Ok(())
}
