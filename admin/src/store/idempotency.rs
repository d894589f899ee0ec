//! What was answered to requests with an `Idempotency-Key`.

use std::time::Duration;

use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::{Actor, Scope, StoreError};

/// Whose key, and which. The same key of somebody else is another.
#[derive(Clone, Copy)]
pub struct KeyId<'a> {
    /// Whose rows its transaction sees.
    pub scope: Scope,
    /// Who sent it.
    pub actor: &'a Actor,
    /// The key as sent.
    pub key: &'a str,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug, FromRow)]
pub struct KeptAnswer {
    /// Its status.
    pub status: i16,
    /// Where that lies which was created.
    pub location: Option<String>,
    /// The tag of what it shows.
    pub etag: Option<String>,
    /// The feed's revision that holds the change; absent: routers aren't concerned.
    pub revision: Option<i64>,
    /// What it shows, without secrets.
    pub body: Vec<u8>,
    /// Whether it showed secrets.
    pub secrets_withheld: bool,
}

/// What a key stands for.
#[derive(Debug)]
pub enum Claim {
    /// For this transaction's request.
    New,
    /// For a request that was answered so.
    Answered(KeptAnswer),
    /// For another request.
    Reused,
}

#[derive(FromRow)]
struct Row {
    fingerprint: Vec<u8>,
    #[sqlx(flatten)]
    answer: KeptAnswer,
}

impl KeyId<'_> {
    /// The column `owner`: no tenant is nil.
    fn owner(&self) -> Uuid {
        self.scope.tenant().map_or(Uuid::nil(), |id| id.0)
    }
}

/// Claims the key for this transaction; waits for one that has claimed it and isn't over.
///
/// # Errors
/// When Postgres can't be asked; [`StoreError::NotFound`] when the tenant is gone.
pub async fn claim(
    conn: &mut PgConnection,
    id: KeyId<'_>,
    fingerprint: [u8; 32],
) -> Result<Claim, StoreError> {
    loop {
        let claimed = sqlx::query(
            "INSERT INTO idempotency_keys (tenant_id, principal, key, fingerprint) VALUES ($1, $2, $3, $4)
             ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING",
        )
        .bind(id.scope.tenant().map(|id| id.0))
        .bind(id.actor.to_string())
        .bind(id.key)
        .bind(fingerprint.as_slice())
        .execute(&mut *conn)
        .await?;
        if claimed.rows_affected() == 1 {
            return Ok(Claim::New);
        }
        let row: Option<Row> = sqlx::query_as(
            "SELECT fingerprint, status, location, etag, revision, body, secrets_withheld FROM idempotency_keys
             WHERE owner = $1 AND principal = $2 AND key = $3",
        )
        .bind(id.owner())
        .bind(id.actor.to_string())
        .bind(id.key)
        .fetch_optional(&mut *conn)
        .await?;
        match row {
            Some(row) if row.fingerprint == fingerprint => return Ok(Claim::Answered(row.answer)),
            Some(_) => return Ok(Claim::Reused),
            // It was forgotten between the two statements.
            None => {}
        }
    }
}

/// Keeps the answer to the request whose key this transaction claimed.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn keep(conn: &mut PgConnection, id: KeyId<'_>, answer: &KeptAnswer) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE idempotency_keys
         SET status = $4, location = $5, etag = $6, revision = $7, body = $8, secrets_withheld = $9
         WHERE owner = $1 AND principal = $2 AND key = $3 RETURNING key",
    )
    .bind(id.owner())
    .bind(id.actor.to_string())
    .bind(id.key)
    .bind(answer.status)
    .bind(&answer.location)
    .bind(&answer.etag)
    .bind(answer.revision)
    .bind(&answer.body)
    .bind(answer.secrets_withheld)
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Forgets keys that are older than `age`, at most `rows_max` of them, and tells how many.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn forget(conn: &mut PgConnection, age: Duration, rows_max: i64) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM idempotency_keys WHERE (owner, principal, key) IN (
            SELECT owner, principal, key FROM idempotency_keys
            WHERE created_at < now() - make_interval(secs => $1) ORDER BY created_at LIMIT $2
            FOR UPDATE SKIP LOCKED)",
    )
    .bind(age.as_secs_f64())
    .bind(rows_max)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
