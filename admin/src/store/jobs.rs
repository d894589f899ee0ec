//! Provisioning jobs' rows and the log of their steps.

use std::time::Duration;

use dialplane_common::ids::TenantId;
use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::instant::Instant;
use super::interval::interval;
use super::{Actor, Origin, StoreError};
use crate::provisioning::request::JobRequest;
use crate::provisioning::workflow::{Next, Progress};

/// A job.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Whose it is; null: the platform's, for its pool.
    pub tenant_id: Option<Uuid>,
    /// `number`, `agent`, `import`, `port_in`, `release`, `configure`, `relink`, `update`,
    /// `subaccount` or `refill`.
    pub kind: String,
    /// `pending`, `running`, `confirming` (somebody has to agree to the price), `manual` (a person has to see to it),
    /// `done`, `failed` or `canceled`.
    pub state: String,
    /// What was asked for.
    #[schema(value_type = JobRequest)]
    pub request: Json<JobRequest>,
    /// Where it is.
    #[serde(skip)]
    pub progress: Json<Progress>,
    /// What it is doing, or did last.
    pub stage: String,
    /// Why it waits, or ended as it did, for programs; null: nothing to say.
    pub reason_code: Option<String>,
    /// The same for people.
    pub reason: Option<String>,
    /// The number that it is about, as soon as there is one.
    pub phone_number_id: Option<Uuid>,
    /// The agent that it is about.
    pub agent_id: Option<Uuid>,
    /// The jobs that were asked for together with it; null: it was asked for alone.
    pub batch_id: Option<Uuid>,
    /// Whether somebody called it off.
    pub cancel_requested: bool,
    /// When it goes on.
    #[schema(value_type = String, format = DateTime)]
    pub next_at: Instant,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it last went on.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
    /// When it ended; null: it hasn't.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Instant>,
    #[serde(skip)]
    actor: String,
    #[serde(skip)]
    request_id: Option<String>,
    #[serde(skip)]
    address: Option<String>,
}

impl Job {
    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> Option<TenantId> {
        self.tenant_id.map(TenantId)
    }

    /// Where its changes come from: the request that created it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            actor: Actor::from_text(&self.actor).unwrap_or(Actor::System("provisioning")),
            request_id: self.request_id.clone(),
            address: self.address.as_ref().and_then(|address| address.parse().ok()),
        }
    }

    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.ended_at.is_some()
    }
}

/// A job to create.
pub struct NewJob<'a> {
    /// Whose it is.
    pub tenant: Option<TenantId>,
    /// What kind it is.
    pub kind: &'a str,
    /// What is asked for.
    pub request: &'a JobRequest,
    /// Where it begins.
    pub progress: &'a Progress,
    /// The number that it is about.
    pub phone_number: Option<Uuid>,
    /// The agent that it is about.
    pub agent: Option<Uuid>,
    /// The jobs that are asked for together with it.
    pub batch: Option<Uuid>,
    /// Where it comes from.
    pub origin: &'a Origin,
}

/// Something that a job did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, FromRow, ToSchema)]
pub struct StepRow {
    /// Its number, from 1.
    pub step: i32,
    /// What it was doing.
    pub stage: String,
    /// What came of it: `done`, `reserved`, `recorded`, `nothing`, `pending`, `absent`, or a fault: `retry`, `unclear`,
    /// `elsewhere`, `gone`, `stop`.
    pub outcome: String,
    /// The account at which it did it.
    pub account_id: Option<Uuid>,
    /// The provider's code of a fault.
    pub code: Option<String>,
    /// More of it, for people.
    pub detail: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
}

/// What is noted of a step.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// What came of it.
    pub outcome: &'static str,
    /// The account at which it was done.
    pub account: Option<Uuid>,
    /// The provider's code of a fault.
    pub code: Option<String>,
    /// More of it, for people.
    pub detail: Option<String>,
}

/// Which jobs.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// A tenant's.
    pub tenant: Option<Uuid>,
    /// Of this state.
    pub state: Option<&'static str>,
    /// Of this kind.
    pub kind: Option<&'static str>,
    /// Those that were asked for together.
    pub batch: Option<Uuid>,
}

/// Inserts a job, which any worker takes on.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such tenant.
pub async fn insert(conn: &mut PgConnection, new: &NewJob<'_>) -> Result<Job, StoreError> {
    insert_where(conn, new, "").await?.ok_or(StoreError::NotFound)
}

/// The same, unless another job gives the number back already: then nothing.
///
/// # Errors
/// As [`insert`].
pub async fn insert_release(conn: &mut PgConnection, new: &NewJob<'_>) -> Result<Option<Job>, StoreError> {
    let unless = "ON CONFLICT (phone_number_id) WHERE kind = 'release' AND ended_at IS NULL DO NOTHING";
    insert_where(conn, new, unless).await
}

async fn insert_where(
    conn: &mut PgConnection,
    new: &NewJob<'_>,
    unless: &'static str,
) -> Result<Option<Job>, StoreError> {
    // Safe: literals of this file.
    let query = sqlx::AssertSqlSafe(format!(
        "INSERT INTO provisioning_jobs (id, tenant_id, kind, request, progress, stage, phone_number_id, agent_id,
            batch_id, actor, request_id, address)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) {unless} RETURNING *"
    ));
    Ok(sqlx::query_as(query)
        .bind(Uuid::now_v7())
        .bind(new.tenant.map(|tenant| tenant.0))
        .bind(new.kind)
        .bind(Json(new.request))
        .bind(Json(new.progress))
        .bind(new.progress.stage.name())
        .bind(new.phone_number)
        .bind(new.agent)
        .bind(new.batch)
        .bind(new.origin.actor.to_string())
        .bind(&new.origin.request_id)
        .bind(new.origin.address.map(|address| address.to_string()))
        .fetch_optional(conn)
        .await?)
}

/// Whether a job is about a number that goes on by itself, or once somebody agrees to a price. Lock the number first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn is_about(conn: &mut PgConnection, number: Uuid) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM provisioning_jobs
            WHERE phone_number_id = $1 AND ended_at IS NULL AND state IN ('pending', 'running', 'confirming'))",
    )
    .bind(number)
    .fetch_one(conn)
    .await?)
}

/// Whether a job makes an agent, or deletes it at its provider, and isn't over.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn is_making(conn: &mut PgConnection, agent: Uuid) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM provisioning_jobs WHERE agent_id = $1 AND ended_at IS NULL
            AND state IN ('pending', 'running', 'confirming') AND stage IN ('make_agent', 'unmake_agent'))",
    )
    .bind(agent)
    .fetch_one(conn)
    .await?)
}

/// How many jobs of a kind aren't over.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn open_of_kind(conn: &mut PgConnection, kind: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM provisioning_jobs
         WHERE state IN ('pending', 'running', 'confirming', 'manual') AND kind = $1",
    )
    .bind(kind)
    .fetch_one(conn)
    .await?)
}

/// Takes the turn of filling the pool up until the transaction ends; `false`: somebody else has it.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn try_lock_refill(conn: &mut PgConnection) -> Result<bool, StoreError> {
    // "dprf" in ASCII.
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(1685090918)").fetch_one(conn).await?)
}

/// Takes hold of the job that has been due longest and that nobody works on; absent: none is due.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn claim(
    conn: &mut PgConnection,
    lease: Uuid,
    for_long: Duration,
) -> Result<Option<Job>, StoreError> {
    Ok(sqlx::query_as(
        "UPDATE provisioning_jobs SET lease = $1, lease_until = now() + $2, state = 'running'
         WHERE id = (
            SELECT id FROM provisioning_jobs
            WHERE state IN ('pending', 'running') AND next_at <= now() AND (lease_until IS NULL OR lease_until < now())
            ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
         ) RETURNING *",
    )
    .bind(lease)
    .bind(interval(for_long)?)
    .fetch_optional(conn)
    .await?)
}

/// Keeps hold of a job; `false`: somebody else has it.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn renew(
    conn: &mut PgConnection,
    id: Uuid,
    lease: Uuid,
    for_long: Duration,
) -> Result<bool, StoreError> {
    let renewed =
        sqlx::query("UPDATE provisioning_jobs SET lease_until = now() + $3 WHERE id = $1 AND lease = $2")
            .bind(id)
            .bind(lease)
            .bind(interval(for_long)?)
            .execute(conn)
            .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Notes a step of a held job and where it is then; `false`: somebody else has it, and nothing may be committed. A job
/// that rests is let go.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn advance(
    conn: &mut PgConnection,
    job: &Job,
    lease: Uuid,
    next: &Next,
    note: &Note,
) -> Result<bool, StoreError> {
    let progress = &next.progress;
    let explains = progress.rests() && note.detail.is_some();
    let advanced = sqlx::query(
        "UPDATE provisioning_jobs SET
            progress = $3, stage = $4, state = $5, next_at = now() + $6, updated_at = now(),
            lease = CASE WHEN $7 THEN NULL ELSE lease END, lease_until = CASE WHEN $7 THEN NULL ELSE lease_until END,
            ended_at = CASE WHEN $5 IN ('done', 'failed', 'canceled') THEN now() END,
            reason_code = CASE WHEN $5 IN ('done', 'canceled') THEN NULL WHEN $8 THEN $9 ELSE reason_code END,
            reason = CASE WHEN $5 IN ('done', 'canceled') THEN NULL WHEN $8 THEN $10 ELSE reason END,
            phone_number_id = coalesce($11, phone_number_id), agent_id = coalesce($12, agent_id)
         WHERE id = $1 AND lease = $2",
    )
    .bind(job.id)
    .bind(lease)
    .bind(Json(progress))
    .bind(progress.stage.name())
    .bind(progress.state.name())
    .bind(interval(next.rest)?)
    .bind(progress.rests() || !next.rest.is_zero())
    .bind(explains || note.code.is_some())
    .bind(&note.code)
    .bind(&note.detail)
    .bind(job.phone_number_id)
    .bind(job.agent_id)
    .execute(&mut *conn)
    .await?;
    if advanced.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO provisioning_steps (job_id, step, tenant_id, stage, outcome, account_id, code, detail)
         SELECT $1, coalesce(max(step), 0) + 1, $2, $3, $4, $5, $6, $7 FROM provisioning_steps WHERE job_id = $1",
    )
    .bind(job.id)
    .bind(job.tenant_id)
    .bind(job.progress.stage.name())
    .bind(note.outcome)
    .bind(note.account)
    .bind(&note.code)
    .bind(&note.detail)
    .execute(conn)
    .await?;
    Ok(true)
}

/// Keeps hold of a job, which is due again only after a while, whoever has it then; `false`: somebody else has it.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn defer(
    conn: &mut PgConnection,
    id: Uuid,
    lease: Uuid,
    rest: Duration,
    for_long: Duration,
) -> Result<bool, StoreError> {
    let deferred = sqlx::query(
        "UPDATE provisioning_jobs SET next_at = now() + $3, lease_until = now() + $4 WHERE id = $1 AND lease = $2",
    )
    .bind(id)
    .bind(lease)
    .bind(interval(rest)?)
    .bind(interval(for_long)?)
    .execute(conn)
    .await?;
    Ok(deferred.rows_affected() == 1)
}

/// Sets a locked job, that nobody works on, going again, as somebody says.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn resume(
    conn: &mut PgConnection,
    id: Uuid,
    progress: &Progress,
    request: &JobRequest,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE provisioning_jobs SET progress = $2, stage = $3, request = $4, state = 'running', reason_code = NULL,
            reason = NULL, next_at = now(), ended_at = NULL, cancel_requested = false, updated_at = now()
         WHERE id = $1",
    )
    .bind(id)
    .bind(Json(progress))
    .bind(progress.stage.name())
    .bind(Json(request))
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a locked job, that nobody works on and that has nothing to undo, as somebody says.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn end(conn: &mut PgConnection, id: Uuid, progress: &Progress) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE provisioning_jobs SET progress = $2, stage = $3, state = $4, reason_code = NULL, reason = NULL,
            ended_at = now(), updated_at = now()
         WHERE id = $1",
    )
    .bind(id)
    .bind(Json(progress))
    .bind(progress.stage.name())
    .bind(progress.state.name())
    .execute(conn)
    .await?;
    Ok(())
}

/// Asks for a job to be called off: whoever works on it does so at its next step.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn ask_to_cancel(conn: &mut PgConnection, id: Uuid) -> Result<(), StoreError> {
    sqlx::query("UPDATE provisioning_jobs SET cancel_requested = true, updated_at = now() WHERE id = $1")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether somebody called a job off.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn is_canceled(conn: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT cancel_requested FROM provisioning_jobs WHERE id = $1 FOR NO KEY UPDATE")
        .bind(id)
        .fetch_one(conn)
        .await?)
}

/// A job, of a tenant where one is named.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Job, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM provisioning_jobs WHERE id = $1").bind(id).fetch_one(conn).await?)
}

/// Locks a job until the transaction ends, and reads it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Job, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM provisioning_jobs WHERE id = $1 FOR NO KEY UPDATE")
        .bind(id)
        .fetch_one(conn)
        .await?)
}

/// Jobs behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    filter: &JobFilter,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Job>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM provisioning_jobs
         WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR state = $2)
            AND ($3::text IS NULL OR kind = $3) AND ($4::uuid IS NULL OR batch_id = $4)
            AND ($5::uuid IS NULL OR id > $5)
         ORDER BY id LIMIT $6",
    )
    .bind(filter.tenant)
    .bind(filter.state)
    .bind(filter.kind)
    .bind(filter.batch)
    .bind(after)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// What a job did, in order.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn steps(conn: &mut PgConnection, id: Uuid) -> Result<Vec<StepRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT step, stage, outcome, account_id, code, detail, at FROM provisioning_steps
         WHERE job_id = $1 ORDER BY step",
    )
    .bind(id)
    .fetch_all(conn)
    .await?)
}

/// How many jobs there are in each state that isn't an end.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn open_by_state(conn: &mut PgConnection) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT state, count(*) FROM provisioning_jobs
         WHERE state IN ('pending', 'running', 'confirming', 'manual') GROUP BY state",
    )
    .fetch_all(conn)
    .await?)
}
