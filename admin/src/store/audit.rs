//! The audit log: entries that triggers wrote, sealed in the background, read by their places in the chain.
//!
//! What isn't sealed yet is the sealer's alone: everybody else sees what the chain proves.

use dialplane_common::ids::{PhoneNumberId, TenantId};
use futures_util::{Stream, StreamExt};
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{ConnectOptions, FromRow, Postgres, Row, Transaction};
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;

/// The channel that tells of sealed entries.
pub const CHANNEL: &str = "dialplane_audit";

/// The sealer's advisory lock, one in each database: "dp-audit" in ASCII.
const LEASE: i64 = i64::from_be_bytes(*b"dp-audit");

/// A SHA-256.
pub type Hash = [u8; 32];

/// One row's change, as a trigger wrote it.
#[derive(Clone, Debug, FromRow)]
pub struct Entry {
    /// The row's id: neither without holes nor in the order of commits.
    pub id: i64,
    /// Whose row changed; absent: the platform's.
    pub tenant_id: Option<Uuid>,
    /// When the transaction began that changed it.
    pub at: Instant,
    /// Who changed it.
    pub actor: Option<String>,
    /// The request that did.
    pub request_id: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// `insert`, `update` or `delete`.
    pub action: String,
    /// What kind of thing.
    pub resource: String,
    /// Which one.
    pub resource_id: String,
    /// The row before, as Postgres writes `jsonb`.
    pub before: Option<String>,
    /// The row after, likewise.
    pub after: Option<String>,
}

/// An entry in its place of the chain.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its place, from 1 without a hole.
    pub seq: u64,
    /// Over the hash before it and the entry.
    pub hash: Vec<u8>,
    /// The entry.
    pub entry: Entry,
}

/// Where the chain ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The last entry's place; 0: there is none.
    pub seq: u64,
    /// The last entry's hash.
    pub hash: Hash,
}

/// What an entry is sealed with.
#[derive(Clone, Copy, Debug)]
pub struct Seal {
    /// The row's id.
    pub id: i64,
    /// Where it stands and ends the chain.
    pub head: Head,
}

/// What isn't sealed yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    /// How many entries.
    pub rows: i64,
    /// Seconds since the oldest one's transaction began; 0 when there is none.
    pub oldest_s: f64,
}

/// Which entries a list has.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// This tenant's alone.
    pub tenant: Option<TenantId>,
    /// By this one.
    pub actor: Option<String>,
    /// Of things of this kind.
    pub resource: Option<String>,
    /// Of this thing.
    pub resource_id: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// At or after.
    pub since: Option<Instant>,
    /// Before.
    pub until: Option<Instant>,
}

/// The columns of an [`Entry`], as a macro for literals: queries are never put together from text of elsewhere.
macro_rules! columns {
    () => {
        "id, tenant_id, at, actor, request_id, address, action, resource, resource_id, before::text AS before, \
         after::text AS after"
    };
}

/// The first rows of a query for sealed entries, in their order: no more than 8 MB of documents, unless the first alone has
/// more.
macro_rules! first_of {
    ($condition:literal) => {
        concat!(
            "SELECT * FROM (
                SELECT *, sum(coalesce(octet_length(before), 0) + coalesce(octet_length(after), 0))
                    OVER (ORDER BY seq) AS bytes, row_number() OVER (ORDER BY seq) AS place
                FROM (SELECT seq, hash, ",
            columns!(),
            " FROM audit_log WHERE ",
            $condition,
            ") AS wanted
            ) AS summed WHERE bytes <= 8000000 OR place = 1 ORDER BY seq"
        )
    };
}

impl FromRow<'_, PgRow> for Sealed {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let seq: i64 = row.try_get("seq")?;
        Ok(Self { seq: seq.unsigned_abs(), hash: row.try_get("hash")?, entry: Entry::from_row(row)? })
    }
}

/// Connects for sealing: as the one role that may.
///
/// # Errors
/// When Postgres can't be reached.
pub async fn connect_sealer(pool: &PgPool) -> Result<PgConnection, StoreError> {
    let mut lease = pool.connect_options().connect().await?;
    // A plan made while the log was small, or before its statistics were, would read the whole of it when it is large. All
    // that is asked here is found by an index, one entry at a time; making a plan anew for each list of ids takes longer
    // than what a list has to be asked for while little is written.
    let set_up = "SET ROLE dialplane_sealer; SET enable_seqscan TO off; SET enable_hashjoin TO off;
        SET enable_mergejoin TO off; SET plan_cache_mode TO force_generic_plan; SET jit TO off";
    sqlx::raw_sql(set_up).execute(&mut lease).await?;
    Ok(lease)
}

/// Takes the sealer's lease, if nobody has it. It ends with the connection.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn try_lock(lease: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEASE).fetch_one(lease).await?)
}

/// Begins to read one state of the whole log.
///
/// # Errors
/// When Postgres can't be reached.
pub async fn begin_walk(pool: &PgPool) -> Result<Transaction<'static, Postgres>, StoreError> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL ROLE dialplane_operator";
    Ok(pool.begin_with(begin).await?)
}

/// Where the chain ends.
///
/// # Errors
/// When Postgres can't be asked, or its hash isn't one.
pub async fn head(conn: &mut PgConnection) -> Result<Head, StoreError> {
    let last: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT seq, hash FROM audit_log WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1")
            .fetch_optional(conn)
            .await?;
    let Some((seq, hash)) = last else { return Ok(Head { seq: 0, hash: [0; 32] }) };
    let hash = hash.try_into().map_err(|_| StoreError::Malformed("hash in the audit log"))?;
    Ok(Head { seq: seq.unsigned_abs(), hash })
}

/// The ids above `floor` that aren't sealed, of one state of the log, smallest first. For the sealer.
///
/// In this order each row's changes are in theirs: a later writer of a row waited for the earlier one's commit before its
/// trigger drew an id, so that the earlier id is the smaller one, and is seen whenever the later is.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn unsealed(conn: &mut PgConnection, floor: i64, rows_max: usize) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar("SELECT id FROM audit_log WHERE seq IS NULL AND id > $1 ORDER BY id LIMIT $2")
        .bind(floor)
        .bind(i64::try_from(rows_max).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?)
}

/// The first of the entries with these ids, in their order: no more than 8 MB of documents, unless the first alone has
/// more. For the sealer.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn entries(conn: &mut PgConnection, ids: &[i64]) -> Result<Vec<Entry>, StoreError> {
    Ok(sqlx::query_as(concat!(
        "SELECT * FROM (
            SELECT *, sum(coalesce(octet_length(before), 0) + coalesce(octet_length(after), 0))
                OVER (ORDER BY id) AS bytes, row_number() OVER (ORDER BY id) AS place
            FROM (SELECT ",
        columns!(),
        " FROM audit_log WHERE id = ANY ($1) AND seq IS NULL) AS wanted
        ) AS summed WHERE bytes <= 8000000 OR place = 1 ORDER BY id"
    ))
    .bind(ids)
    .fetch_all(conn)
    .await?)
}

/// A moment in the life of the database: how far ids had been drawn, and a transaction that began afterwards.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The last id that had been drawn.
    pub id: i64,
    transaction: i64,
}

/// The present moment. For the sealer.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn moment(conn: &mut PgConnection) -> Result<Moment, StoreError> {
    // In this order: whoever has drawn the id had its transaction's number before, hence a smaller one.
    let last = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM audit_log_id_seq";
    let id = sqlx::query_scalar(last).fetch_one(&mut *conn).await?;
    let transaction = sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint").fetch_one(conn).await?;
    Ok(Moment { id, transaction })
}

/// Whether all who were writing at that moment are done: what they wrote up to its id is there to be seen.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn is_past(conn: &mut PgConnection, moment: Moment) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1")
        .bind(moment.transaction)
        .fetch_one(conn)
        .await?)
}

/// Seals entries, all or none. For the sealer.
///
/// # Errors
/// When Postgres can't be asked, or one of them was sealed by somebody else.
pub async fn seal(conn: &mut PgConnection, seals: &[Seal]) -> Result<(), StoreError> {
    let ids: Vec<i64> = seals.iter().map(|seal| seal.id).collect();
    let seqs: Vec<i64> = seals.iter().map(|seal| signed(seal.head.seq)).collect();
    let hashes: Vec<&[u8]> = seals.iter().map(|seal| seal.head.hash.as_slice()).collect();
    sqlx::query(
        "UPDATE audit_log SET seq = seals.seq, hash = seals.hash
         FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS seals (id, seq, hash)
         WHERE audit_log.id = seals.id AND audit_log.seq IS NULL",
    )
    .bind(ids)
    .bind(seqs)
    .bind(hashes)
    .execute(conn)
    .await?;
    Ok(())
}

/// Tells every process how far the chain is. A transaction of its own, which writes nothing: a notification holds up all
/// others until its transaction is on disk, and this one needn't be.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn announce(conn: &mut PgConnection, seq: u64) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(seq.to_string()).execute(conn).await?;
    Ok(())
}

/// What isn't sealed yet, above `floor`. For the sealer.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn backlog(conn: &mut PgConnection, floor: i64) -> Result<Backlog, StoreError> {
    let (rows, oldest_s) = sqlx::query_as(
        "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8
         FROM audit_log WHERE seq IS NULL AND id > $1",
    )
    .bind(floor)
    .fetch_one(conn)
    .await?;
    Ok(Backlog { rows, oldest_s })
}

/// The first sealed entries behind `after`, in their order: at most `rows_max`, and no more than 8 MB of documents unless
/// the first alone has more.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn behind(conn: &mut PgConnection, after: u64, rows_max: i64) -> Result<Vec<Sealed>, StoreError> {
    Ok(sqlx::query_as(first_of!("seq > $1 ORDER BY seq LIMIT $2"))
        .bind(signed(after))
        .bind(rows_max)
        .fetch_all(conn)
        .await?)
}

/// The sealed entries of a tenant, or of the platform, behind `after` and up to `upto`, in their order.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn of_owner(
    conn: &mut PgConnection,
    owner: Option<TenantId>,
    after: u64,
    upto: u64,
    rows_max: i64,
) -> Result<Vec<Sealed>, StoreError> {
    let query = match owner {
        Some(_) => first_of!("tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4"),
        None => first_of!(
            "tenant_id IS NULL AND $1::uuid IS NULL AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4"
        ),
    };
    Ok(sqlx::query_as(query)
        .bind(owner.map(|tenant| tenant.0))
        .bind(signed(after))
        .bind(signed(upto))
        .bind(rows_max)
        .fetch_all(conn)
        .await?)
}

/// The sealed entries before `before`, newest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    before: Option<u64>,
    rows_max: i64,
) -> Result<Vec<Sealed>, StoreError> {
    Ok(sqlx::query_as(concat!(
        "SELECT seq, hash, ",
        columns!(),
        " FROM audit_log
         WHERE seq IS NOT NULL AND ($1::bigint IS NULL OR seq < $1) AND ($2::uuid IS NULL OR tenant_id = $2)
            AND ($3::text IS NULL OR actor = $3) AND ($4::text IS NULL OR resource = $4)
            AND ($5::text IS NULL OR resource_id = $5) AND ($6::text IS NULL OR action = $6)
            AND ($7::timestamptz IS NULL OR at >= $7) AND ($8::timestamptz IS NULL OR at < $8)
         ORDER BY seq DESC LIMIT $9"
    ))
    .bind(before.map(signed))
    .bind(filter.tenant.map(|tenant| tenant.0))
    .bind(&filter.actor)
    .bind(&filter.resource)
    .bind(&filter.resource_id)
    .bind(&filter.action)
    .bind(filter.since)
    .bind(filter.until)
    .bind(rows_max)
    .fetch_all(conn)
    .await?)
}

/// The whole chain, in its order.
pub fn chain(conn: &mut PgConnection) -> impl Stream<Item = Result<Sealed, StoreError>> + '_ {
    sqlx::query_as(concat!(
        "SELECT seq, hash, ",
        columns!(),
        " FROM audit_log WHERE seq IS NOT NULL ORDER BY seq"
    ))
    .fetch(conn)
    .map(|row| row.map_err(StoreError::from))
}

/// How many entries aren't sealed.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn count_unsealed(conn: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE seq IS NULL").fetch_one(conn).await?)
}

/// Which of these numbers the tenant has.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn numbers_of_tenant(
    conn: &mut PgConnection,
    tenant: TenantId,
    numbers: &[PhoneNumberId],
) -> Result<Vec<Uuid>, StoreError> {
    let ids: Vec<Uuid> = numbers.iter().map(|number| number.0).collect();
    Ok(sqlx::query_scalar("SELECT id FROM phone_numbers WHERE tenant_id = $1 AND id = ANY ($2)")
        .bind(tenant.0)
        .bind(ids)
        .fetch_all(conn)
        .await?)
}

fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
