//! How events become records: which batches are stored, by which names calls are known, the records themselves.
//!
//! For operators' transactions. All that several processes could want at a time is taken in one order: batches, names,
//! records, writers; each in the order of its keys. Where two meet all the same, one is told to begin again.

use std::collections::HashMap;

use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;

/// Where a call's record is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, FromRow)]
pub struct Place {
    /// The record's id.
    #[sqlx(rename = "call_id")]
    pub id: Uuid,
    /// When its call began: which partition it is in.
    pub started_at: Instant,
}

/// A batch: its writer, and its place among the writer's.
pub type BatchId = (Uuid, i64);

/// Has all that follows in the transaction look rows up by their keys, whatever the tables' sizes were when a plan was made.
/// Nothing that it is asked may leave another way: a range of times beside the keys would be read whole, once a row.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn plan_for_keys(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql(
        "SET LOCAL enable_seqscan TO off; SET LOCAL enable_hashjoin TO off; SET LOCAL enable_mergejoin TO off;
         SET LOCAL plan_cache_mode TO force_generic_plan",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes batches as stored and gives those that weren't yet.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn claim_batches(conn: &mut PgConnection, batches: &[BatchId]) -> Result<Vec<BatchId>, StoreError> {
    let (writers, sequences): (Vec<_>, Vec<_>) = batches.iter().copied().unzip();
    let new: Vec<BatchId> = sqlx::query_as(
        "INSERT INTO event_batches (writer, sequence)
         SELECT writer, sequence FROM unnest($1::uuid[], $2::bigint[]) AS batches (writer, sequence)
         ORDER BY writer, sequence ON CONFLICT DO NOTHING RETURNING writer, sequence",
    )
    .bind(&writers)
    .bind(&sequences)
    .fetch_all(&mut *conn)
    .await?;
    // Only now: whoever forgot a batch's row meanwhile had moved this beyond it before.
    let through: Vec<BatchId> =
        sqlx::query_as("SELECT writer, stored_through FROM event_writers WHERE writer = ANY ($1)")
            .bind(&writers)
            .fetch_all(conn)
            .await?;
    let through: HashMap<_, _> = through.into_iter().collect();
    Ok(new
        .into_iter()
        .filter(|(writer, sequence)| through.get(writer).is_none_or(|upto| sequence > upto))
        .collect())
}

/// Moves each writer on to where it is stored without a hole, and gives that.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn advance(conn: &mut PgConnection, writers: &[Uuid]) -> Result<Vec<BatchId>, StoreError> {
    sqlx::query(
        "INSERT INTO event_writers (writer) SELECT writer FROM unnest($1::uuid[]) AS writers (writer) ORDER BY writer
         ON CONFLICT (writer) DO UPDATE SET seen_at = now()",
    )
    .bind(writers)
    .execute(&mut *conn)
    .await?;
    // A statement of its own: with the rows locked it sees all batches that others have committed.
    let through = sqlx::query_as(
        "UPDATE event_writers AS writers SET stored_through = run.upto FROM (
            SELECT writers.writer, coalesce((
                SELECT max(sequence) FROM (
                    SELECT sequence, sequence - row_number() OVER (ORDER BY sequence) AS before FROM event_batches
                    WHERE writer = writers.writer AND sequence > writers.stored_through
                ) AS beyond WHERE before = writers.stored_through
            ), writers.stored_through) AS upto
            FROM event_writers AS writers WHERE writer = ANY ($1)
         ) AS run WHERE run.writer = writers.writer RETURNING writers.writer, writers.stored_through",
    )
    .bind(writers)
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query(
        "DELETE FROM event_batches USING event_writers AS writers
         WHERE writers.writer = ANY ($1) AND event_batches.writer = writers.writer AND sequence <= stored_through",
    )
    .bind(writers)
    .execute(conn)
    .await?;
    Ok(through)
}

/// How far the writers are stored of which something came within the last hour.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn stored_through(conn: &mut PgConnection) -> Result<Vec<BatchId>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT writer, stored_through FROM event_writers WHERE seen_at > now() - interval '1 hour'",
    )
    .fetch_all(conn)
    .await?)
}

/// Where the calls are that are known by these names.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn known(conn: &mut PgConnection, names: &[Uuid]) -> Result<HashMap<Uuid, Place>, StoreError> {
    let rows: Vec<(Uuid, Uuid, Instant)> =
        sqlx::query_as("SELECT name, call_id, started_at FROM call_legs WHERE name = ANY ($1)")
            .bind(names)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(name, id, started_at)| (name, Place { id, started_at })).collect())
}

/// Has calls known by names that weren't known. Says whether all were new: if not, somebody came before.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn name(conn: &mut PgConnection, names: &[(Uuid, Place)]) -> Result<bool, StoreError> {
    if names.is_empty() {
        return Ok(true);
    }
    let (names, ids, starts) = columns(names);
    let done = sqlx::query(
        "INSERT INTO call_legs (name, call_id, started_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS names (name, call_id, started_at)
         ORDER BY name ON CONFLICT DO NOTHING",
    )
    .bind(&names)
    .bind(&ids)
    .bind(&starts)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == names.len() as u64)
}

/// Has names that are known mean another record, or the same in another place.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn rename(conn: &mut PgConnection, names: &[(Uuid, Place)]) -> Result<(), StoreError> {
    if names.is_empty() {
        return Ok(());
    }
    let (names, ids, starts) = columns(names);
    sqlx::query(
        "INSERT INTO call_legs (name, call_id, started_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS names (name, call_id, started_at)
         ORDER BY name
         ON CONFLICT (name) DO UPDATE SET call_id = excluded.call_id, started_at = excluded.started_at",
    )
    .bind(&names)
    .bind(&ids)
    .bind(&starts)
    .execute(conn)
    .await?;
    Ok(())
}

fn columns(names: &[(Uuid, Place)]) -> (Vec<Uuid>, Vec<Uuid>, Vec<Instant>) {
    let ids = names.iter().map(|(_, place)| place.id).collect();
    let starts = names.iter().map(|(_, place)| place.started_at).collect();
    (names.iter().map(|(name, _)| *name).collect(), ids, starts)
}

/// Locks records and gives their legs, as documents. Those that aren't there any more are left out.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn lock(conn: &mut PgConnection, places: &[Place]) -> Result<HashMap<Uuid, String>, StoreError> {
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT calls.id, legs::text FROM unnest($1::uuid[], $2::timestamptz[]) AS wanted (id, started_at)
         JOIN calls ON calls.id = wanted.id AND calls.started_at = wanted.started_at
         ORDER BY calls.id FOR UPDATE OF calls",
    )
    .bind(places.iter().map(|place| place.id).collect::<Vec<_>>())
    .bind(places.iter().map(|place| place.started_at).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Deletes records that have become part of others.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn delete(conn: &mut PgConnection, places: &[Place]) -> Result<(), StoreError> {
    if places.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM calls USING unnest($1::uuid[], $2::timestamptz[]) AS gone (id, started_at)
         WHERE calls.id = gone.id AND calls.started_at = gone.started_at",
    )
    .bind(places.iter().map(|place| place.id).collect::<Vec<_>>())
    .bind(places.iter().map(|place| place.started_at).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $cast:literal,)*) => {
        /// Records to be written, by column.
        #[derive(Default)]
        pub struct Rows {
            $($(#[$doc])* pub $name: Vec<$kind>,)*
        }

        impl Rows {
            const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];
            const CASTS: &'static [&'static str] = &[$($cast),*];

            fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
                query $(.bind(&self.$name))*
            }
        }
    };
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

rows! {
    /// Where each is.
    id: Uuid = "uuid",
    /// Where each was; as it is where there was none.
    was_started_at: Instant = "timestamptz",
    /// The other columns, as the table has them.
    started_at: Instant = "timestamptz",
    /// A column.
    tenant_id: Option<Uuid> = "uuid",
    /// A column.
    phone_number_id: Option<Uuid> = "uuid",
    /// A column.
    agent_id: Option<Uuid> = "uuid",
    /// A column.
    direction: &'static str = "text",
    /// A column.
    from_number: Option<String> = "text",
    /// A column.
    to_number: Option<String> = "text",
    /// A column.
    provider: String = "text",
    /// A column.
    account_id: Uuid = "uuid",
    /// A column.
    provider_call_id: String = "text",
    /// A document.
    legs: String = "jsonb",
    /// A column.
    action: Option<&'static str> = "text",
    /// A column.
    is_closed: bool = "boolean",
    /// A column.
    is_over_limit: bool = "boolean",
    /// A column.
    refused: Option<&'static str> = "text",
    /// A column.
    outcome: &'static str = "text",
    /// A column.
    ringing_at: Option<Instant> = "timestamptz",
    /// A column.
    answered_at: Option<Instant> = "timestamptz",
    /// A column.
    transferred_at: Option<Instant> = "timestamptz",
    /// A column.
    voicemail_at: Option<Instant> = "timestamptz",
    /// A column.
    ended_at: Option<Instant> = "timestamptz",
    /// A column.
    end_kind: Option<&'static str> = "text",
    /// A column.
    end_reason: Option<String> = "text",
    /// A column.
    duration_ms: Option<i64> = "bigint",
    /// A decimal.
    reported_cost: Option<String> = "numeric",
    /// A column.
    reported_currency: Option<String> = "text",
    /// A document.
    cost_stages: Option<String> = "jsonb",
    /// With commas between.
    flags: String = "text[]",
}

/// How a parameter, an array, becomes a column's value. What Postgres reads from texts comes as such.
fn value(name: &str, cast: &str) -> String {
    match (name, cast) {
        ("flags", _) => "string_to_array(flags, ',')".to_owned(),
        (_, "jsonb" | "numeric") => format!("{name}::{cast}"),
        _ => name.to_owned(),
    }
}

fn given(names: &[&str], casts: &[&str]) -> String {
    let array = |(at, cast): (usize, &&str)| {
        let cast = if matches!(*cast, "jsonb" | "numeric" | "text[]") { "text" } else { cast };
        format!("${}::{cast}[]", at + 1)
    };
    let arrays: Vec<_> = casts.iter().enumerate().map(array).collect();
    format!("unnest({}) AS given ({})", arrays.join(", "), names.join(", "))
}

/// The columns of the table, of those of [`Rows`].
fn table_columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    Rows::NAMES.iter().copied().zip(Rows::CASTS.iter().copied()).filter(|(name, _)| *name != "was_started_at")
}

impl Rows {
    /// Writes records that aren't there yet.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn insert(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if self.id.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = table_columns().map(|(name, _)| name).collect();
        let values: Vec<_> = table_columns().map(|(name, cast)| value(name, cast)).collect();
        let sql = format!(
            "INSERT INTO calls ({}, updated_at) SELECT {}, clock_timestamp() FROM {}",
            names.join(", "),
            values.join(", "),
            given(Self::NAMES, Self::CASTS)
        );
        // Safe: it is made of the names above alone.
        self.bind(sqlx::query(sqlx::AssertSqlSafe(sql))).execute(conn).await?;
        Ok(())
    }

    /// Writes records anew that are there, and locked.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn update(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        if self.id.is_empty() {
            return Ok(());
        }
        let set: Vec<_> = table_columns()
            .filter(|(name, _)| *name != "id")
            .map(|(name, cast)| match value(name, cast) {
                plain if plain == name => format!("{name} = given.{name}"),
                cast => format!("{name} = {}", cast.replace(name, &format!("given.{name}"))),
            })
            .collect();
        let sql = format!(
            "UPDATE calls SET {}, updated_at = clock_timestamp() FROM {}
             WHERE calls.id = given.id AND calls.started_at = given.was_started_at",
            set.join(", "),
            given(Self::NAMES, Self::CASTS)
        );
        // Safe: it is made of the names above alone.
        self.bind(sqlx::query(sqlx::AssertSqlSafe(sql))).execute(conn).await?;
        Ok(())
    }
}
