//! Imports: their rows, the pieces of their files, and the lines that are bad.

use dialplane_common::ids::TenantId;
use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::instant::Instant;
use super::{Actor, Origin, Scope, StoreError};

/// So many bad lines of an import are kept; those behind are counted.
pub const ERRORS_MAX: i64 = 10_000;

/// A file on its way into the tables.
#[derive(Clone, PartialEq, Debug, Serialize, FromRow, ToSchema)]
pub struct Import {
    /// Its id.
    pub id: Uuid,
    /// The tenant whose lines it holds; null: lines say whose they are.
    pub tenant_id: Option<Uuid>,
    /// `numbers`, `tenants` or `settings`.
    pub kind: String,
    /// `csv` or `jsonl`.
    pub format: String,
    /// `best_effort`: good lines are applied and bad ones reported; `all_or_nothing`: nothing is applied unless all are
    /// good.
    pub mode: String,
    /// Whether it stops at `ready` once all lines are checked.
    pub dry_run: bool,
    /// `uploading`, `validating`, `ready`, `applying`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// The CSV file's first record.
    #[serde(skip)]
    pub header: Option<Vec<u8>>,
    /// Bytes of the file that are kept: an upload that broke off goes on there.
    pub bytes_received: i64,
    /// The number of the line that comes next, counted by line breaks.
    #[serde(skip)]
    pub next_line: i64,
    /// Pieces that the file was cut into.
    #[serde(skip)]
    pub pieces: i32,
    /// Lines that came, without a CSV file's header.
    pub lines_received: i64,
    /// Lines that were checked.
    pub lines_checked: i64,
    /// Lines that were refused: see its errors.
    pub lines_bad: i64,
    /// Lines that created something.
    pub lines_created: i64,
    /// Lines that changed something.
    pub lines_changed: i64,
    /// Lines that said what was there already.
    pub lines_unchanged: i64,
    /// Why it failed; null: it didn't.
    pub failure: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it last went on.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
    /// When it ended; null: it hasn't.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Instant>,
    #[serde(skip)]
    actor: String,
    #[serde(skip)]
    request_id: Option<String>,
    #[serde(skip)]
    address: Option<String>,
}

impl Import {
    /// Whose rows its transactions see.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.tenant_id.map_or(Scope::Operator, |tenant| Scope::Tenant(TenantId(tenant)))
    }

    /// Where its changes come from: the request that created it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            actor: Actor::from_text(&self.actor).unwrap_or(Actor::System("imports")),
            request_id: self.request_id.clone(),
            address: self.address.as_ref().and_then(|address| address.parse().ok()),
        }
    }

    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.finished_at.is_some()
    }

    /// Whether nothing is applied unless all lines are good.
    #[must_use]
    pub fn is_all_or_nothing(&self) -> bool {
        self.mode == "all_or_nothing"
    }
}

/// An import to create.
pub struct NewImport<'a> {
    /// The tenant whose lines it holds.
    pub tenant: Option<TenantId>,
    /// `numbers`, `tenants` or `settings`.
    pub kind: &'a str,
    /// `csv` or `jsonl`.
    pub format: &'a str,
    /// `best_effort` or `all_or_nothing`.
    pub mode: &'a str,
    /// Whether it stops once all lines are checked.
    pub dry_run: bool,
    /// Where it comes from.
    pub origin: &'a Origin,
}

/// A part of a file, cut between its records.
#[derive(Clone, Debug, FromRow)]
pub struct Piece {
    /// Which one.
    pub piece: i32,
    /// The number of its first line in the file.
    pub first_line: i64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Lines that validation refused.
    pub bad_lines: Vec<i64>,
}

/// What is added to an upload.
pub struct Received<'a> {
    /// Where it was.
    pub offset: i64,
    /// A CSV file's first record, when it comes with this.
    pub header: Option<&'a [u8]>,
    /// The piece's bytes; may be none.
    pub bytes: &'a [u8],
    /// Bytes of the file that are kept with this, the header's and its byte order mark's included.
    pub bytes_received: i64,
    /// Lines of the file that the header takes.
    pub header_lines: i64,
    /// Line breaks in the piece.
    pub line_breaks: i64,
    /// Records in the piece.
    pub records: i64,
}

/// A line that is refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, FromRow, ToSchema)]
pub struct BadLine {
    /// Its number in the file, from 1, a CSV file's header included.
    pub line: i64,
    /// The field that is wrong.
    pub field: String,
    /// What is wrong, for programs.
    pub code: String,
    /// What is wanted, for people.
    pub message: String,
}

/// What became of lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// They created something.
    pub created: i64,
    /// They changed something.
    pub changed: i64,
    /// They said what was there already.
    pub unchanged: i64,
    /// They were refused, beyond those that validation refused.
    pub bad: i64,
}

/// Inserts an import that waits for its file.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such tenant.
pub async fn insert(conn: &mut PgConnection, new: &NewImport<'_>) -> Result<Import, StoreError> {
    Ok(sqlx::query_as(
        "INSERT INTO imports (id, tenant_id, kind, format, mode, dry_run, actor, request_id, address)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *",
    )
    .bind(Uuid::now_v7())
    .bind(new.tenant.map(|tenant| tenant.0))
    .bind(new.kind)
    .bind(new.format)
    .bind(new.mode)
    .bind(new.dry_run)
    .bind(new.origin.actor.to_string())
    .bind(&new.origin.request_id)
    .bind(new.origin.address.map(|address| address.to_string()))
    .fetch_one(conn)
    .await?)
}

/// The import.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Import, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM imports WHERE id = $1").bind(id).fetch_one(conn).await?)
}

/// The same, locked until the transaction ends.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Import, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM imports WHERE id = $1 FOR NO KEY UPDATE")
        .bind(id)
        .fetch_one(conn)
        .await?)
}

/// The imports behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Import>, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM imports WHERE ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2")
        .bind(after)
        .bind(rows_max)
        .fetch_all(conn)
        .await?)
}

/// The oldest import in this state.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn first_in(
    conn: &mut PgConnection,
    state: &str,
    skip: &[Uuid],
) -> Result<Option<Import>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM imports WHERE finished_at IS NULL AND state = $1 AND id <> ALL ($2) ORDER BY id LIMIT 1",
    )
    .bind(state)
    .bind(skip)
    .fetch_optional(conn)
    .await?)
}

/// Keeps a part of an upload; `None` when the upload isn't where the part begins, or is over.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn receive(
    conn: &mut PgConnection,
    id: Uuid,
    part: &Received<'_>,
) -> Result<Option<Import>, StoreError> {
    let import: Option<Import> = sqlx::query_as(
        "UPDATE imports SET header = coalesce($3, header), bytes_received = $4, next_line = next_line + $5 + $6,
            lines_received = lines_received + $7, pieces = pieces + ($8)::integer, updated_at = now()
         WHERE id = $1 AND state = 'uploading' AND bytes_received = $2 RETURNING *",
    )
    .bind(id)
    .bind(part.offset)
    .bind(part.header)
    .bind(part.bytes_received)
    .bind(part.header_lines)
    .bind(part.line_breaks)
    .bind(part.records)
    .bind(i32::from(!part.bytes.is_empty()))
    .fetch_optional(&mut *conn)
    .await?;
    let Some(import) = import else { return Ok(None) };
    if !part.bytes.is_empty() {
        sqlx::query(
            "INSERT INTO import_pieces (import_id, piece, tenant_id, first_line, bytes) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(import.pieces - 1)
        .bind(import.tenant_id)
        .bind(import.next_line - part.line_breaks)
        .bind(part.bytes)
        .execute(conn)
        .await?;
    }
    Ok(Some(import))
}

/// Moves an import from one of these states to another; `None` when it isn't in one of them.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn transit(
    conn: &mut PgConnection,
    id: Uuid,
    from: &[&str],
    to: &str,
) -> Result<Option<Import>, StoreError> {
    Ok(sqlx::query_as(
        "UPDATE imports SET state = $3, updated_at = now() WHERE id = $1 AND state = ANY ($2) RETURNING *",
    )
    .bind(id)
    .bind(from)
    .bind(to)
    .fetch_optional(conn)
    .await?)
}

/// Ends an import that isn't over, and lets go of what is left of its file; `None` when it is over.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn finish(
    conn: &mut PgConnection,
    id: Uuid,
    state: &str,
    failure: Option<&str>,
) -> Result<Option<Import>, StoreError> {
    let import = sqlx::query_as(
        "UPDATE imports SET state = $2, failure = $3, updated_at = now(), finished_at = now()
         WHERE id = $1 AND finished_at IS NULL RETURNING *",
    )
    .bind(id)
    .bind(state)
    .bind(failure)
    .fetch_optional(&mut *conn)
    .await?;
    if import.is_some() {
        // Whoever is at a piece waits for the row above: those pieces go when all is tidied.
        sqlx::query(
            "DELETE FROM import_pieces WHERE import_id = $1 AND piece IN
                (SELECT piece FROM import_pieces WHERE import_id = $1 FOR UPDATE SKIP LOCKED)",
        )
        .bind(id)
        .execute(conn)
        .await?;
    }
    Ok(import)
}

/// Takes the right to validate an import, until the transaction ends. `false`: another process has it.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn try_lock_validation(conn: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('import ' || $1::text, 0))")
        .bind(id)
        .fetch_one(conn)
        .await?)
}

/// Forgets what an earlier validation found: it begins anew. `false`: there is nothing to validate.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn begin_validation(conn: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    let begun = sqlx::query(
        "UPDATE imports SET lines_checked = 0, lines_bad = 0, updated_at = now() WHERE id = $1 AND state = 'validating'",
    )
    .bind(id)
    .execute(&mut *conn)
    .await?;
    if begun.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM import_errors WHERE import_id = $1").bind(id).execute(&mut *conn).await?;
    sqlx::query("UPDATE import_pieces SET bad_lines = '{}' WHERE import_id = $1 AND bad_lines <> '{}'")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(true)
}

/// A piece, for reading.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn piece(conn: &mut PgConnection, id: Uuid, piece: i32) -> Result<Piece, StoreError> {
    Ok(sqlx::query_as(
        "SELECT piece, first_line, bytes, bad_lines FROM import_pieces WHERE import_id = $1 AND piece = $2",
    )
    .bind(id)
    .bind(piece)
    .fetch_one(conn)
    .await?)
}

/// Takes the first piece that nobody else has taken, until the transaction ends.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn take_piece(conn: &mut PgConnection, id: Uuid) -> Result<Option<Piece>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT piece, first_line, bytes, bad_lines FROM import_pieces WHERE import_id = $1
         ORDER BY piece LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?)
}

/// Notes that a piece was validated; `false` when the import is no longer validated.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn validated(
    conn: &mut PgConnection,
    import: &Import,
    piece: i32,
    lines_checked: i64,
    bad: &[BadLine],
) -> Result<bool, StoreError> {
    let noted = sqlx::query(
        "UPDATE imports SET lines_checked = lines_checked + $2, lines_bad = lines_bad + $3, updated_at = now()
         WHERE id = $1 AND state = 'validating'",
    )
    .bind(import.id)
    .bind(lines_checked)
    .bind(count(bad))
    .execute(&mut *conn)
    .await?;
    if !bad.is_empty() {
        let lines: Vec<i64> = bad.iter().map(|bad| bad.line).collect();
        sqlx::query("UPDATE import_pieces SET bad_lines = $3 WHERE import_id = $1 AND piece = $2")
            .bind(import.id)
            .bind(piece)
            .bind(lines)
            .execute(&mut *conn)
            .await?;
        insert_errors(conn, import, bad).await?;
    }
    Ok(noted.rows_affected() == 1)
}

/// Notes that a taken piece was applied, in the transaction that did; `None` when the import is no longer applied: then
/// this transaction must not be committed. The last piece ends the import.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn applied(
    conn: &mut PgConnection,
    import: &Import,
    piece: i32,
    outcome: Outcome,
    bad: &[BadLine],
) -> Result<Option<Import>, StoreError> {
    let noted: Option<Import> = sqlx::query_as(
        "UPDATE imports SET lines_created = lines_created + $2, lines_changed = lines_changed + $3,
            lines_unchanged = lines_unchanged + $4, lines_bad = lines_bad + $5, updated_at = now()
         WHERE id = $1 AND state = 'applying' RETURNING *",
    )
    .bind(import.id)
    .bind(outcome.created)
    .bind(outcome.changed)
    .bind(outcome.unchanged)
    .bind(count(bad))
    .fetch_optional(&mut *conn)
    .await?;
    if noted.is_none() {
        return Ok(None);
    }
    insert_errors(conn, import, bad).await?;
    sqlx::query("DELETE FROM import_pieces WHERE import_id = $1 AND piece = $2")
        .bind(import.id)
        .bind(piece)
        .execute(&mut *conn)
        .await?;
    end_if_applied(conn, import.id).await?;
    Ok(noted)
}

/// Ends an import as failed, of which nothing is applied, with the lines that are to blame. Another may have ended it.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn refuse(
    conn: &mut PgConnection,
    import: &Import,
    bad: &[BadLine],
    failure: &str,
) -> Result<(), StoreError> {
    let refused =
        sqlx::query("UPDATE imports SET lines_bad = lines_bad + $2 WHERE id = $1 AND state = 'applying'")
            .bind(import.id)
            .bind(count(bad))
            .execute(&mut *conn)
            .await?;
    if refused.rows_affected() == 1 {
        insert_errors(conn, import, bad).await?;
        finish(conn, import.id, "failed", Some(failure)).await?;
    }
    Ok(())
}

/// Ends an import of which no piece is left.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn end_if_applied(conn: &mut PgConnection, id: Uuid) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE imports SET state = 'done', finished_at = now(), updated_at = now()
         WHERE id = $1 AND state = 'applying' AND NOT EXISTS (SELECT FROM import_pieces WHERE import_id = $1)",
    )
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_errors(conn: &mut PgConnection, import: &Import, bad: &[BadLine]) -> Result<(), StoreError> {
    if bad.is_empty() {
        return Ok(());
    }
    let texts = |get: fn(&BadLine) -> &String| bad.iter().map(|bad| get(bad).clone()).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO import_errors (import_id, tenant_id, line, field, code, message)
         SELECT $1, $2, line, field, code, message
         FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
            AS bad (line, field, code, message, place)
         WHERE place <= $7 - (SELECT count(*) FROM import_errors WHERE import_id = $1)
         ON CONFLICT DO NOTHING",
    )
    .bind(import.id)
    .bind(import.tenant_id)
    .bind(bad.iter().map(|bad| bad.line).collect::<Vec<_>>())
    .bind(texts(|bad| &bad.field))
    .bind(texts(|bad| &bad.code))
    .bind(texts(|bad| &bad.message))
    .bind(ERRORS_MAX)
    .execute(conn)
    .await?;
    Ok(())
}

/// The bad lines behind line `after`, in the file's order.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn errors(
    conn: &mut PgConnection,
    id: Uuid,
    after: i64,
    rows_max: i64,
) -> Result<Vec<BadLine>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT line, field, code, message FROM import_errors WHERE import_id = $1 AND line > $2
         ORDER BY line LIMIT $3",
    )
    .bind(id)
    .bind(after)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// Ends uploads that nobody has gone on with for a day, and forgets imports that ended a month ago. For operators.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn tidy(conn: &mut PgConnection) -> Result<(), StoreError> {
    let idle: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM imports WHERE finished_at IS NULL AND state IN ('uploading', 'ready')
            AND updated_at < now() - interval '1 day' ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED",
    )
    .fetch_all(&mut *conn)
    .await?;
    for id in idle {
        finish(conn, id, "cancelled", Some("nobody went on with it for a day")).await?;
    }
    sqlx::query(
        "DELETE FROM import_pieces USING imports
         WHERE imports.id = import_id AND finished_at < now() - interval '1 minute'",
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "DELETE FROM imports WHERE id IN (SELECT id FROM imports WHERE finished_at < now() - interval '30 days'
            ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)",
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn count(bad: &[BadLine]) -> i64 {
    i64::try_from(bad.len()).unwrap_or(i64::MAX)
}
