//! The feed's tables: the outbox that transactions append to, and what the publisher reads of it.

use dialplane_common::feed::frame::{Frame, Payload, RawKey, RecordKey, StoredFrames};
use dialplane_common::feed::record::Record;
use dialplane_common::feed::{Digest, Epoch, FRAMES_BYTES_MAX, RecordHash, Revision};
use futures_util::{Stream, StreamExt};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;

/// The channel that tells the publisher of a commit.
pub const CHANNEL: &str = "dialplane_feed";

/// One delta, as the columns that `feed_append` takes.
#[derive(Default)]
pub struct DeltaRows {
    kinds: Vec<i16>,
    keys: Vec<Vec<u8>>,
    versions: Vec<i16>,
    payloads: Vec<Option<Vec<u8>>>,
    hashes: Vec<Option<String>>,
    frames: Vec<u8>,
}

impl DeltaRows {
    /// Whether a frame of so many bytes fits; the first always does.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.frames.is_empty() || self.frames.len() + bytes <= FRAMES_BYTES_MAX
    }

    /// Adds a change of a record that isn't in it yet.
    pub fn push(&mut self, frame: &Frame<'_>) {
        self.kinds.push(i16::from(frame.key.kind));
        self.keys.push(frame.key.key.to_vec());
        self.versions.push(frame.payload.map_or(0, |payload| i16::from(payload.version)));
        self.payloads.push(frame.payload.map(|payload| payload.bytes.to_vec()));
        self.hashes.push(frame.hash().map(|hash| hash.0.to_string()));
        frame.write(&mut self.frames);
    }
}

/// Appends one delta. From here to the commit nobody else can.
///
/// # Errors
/// When Postgres refuses.
pub async fn append(conn: &mut PgConnection, delta: &DeltaRows) -> Result<Revision, StoreError> {
    let revision: i64 = sqlx::query_scalar("SELECT feed_append($1, $2, $3, $4, $5, $6)")
        .bind(&delta.kinds)
        .bind(&delta.keys)
        .bind(&delta.versions)
        .bind(&delta.payloads)
        .bind(&delta.hashes)
        .bind(&delta.frames)
        .fetch_one(conn)
        .await?;
    Ok(Revision(revision.unsigned_abs()))
}

/// Where the feed is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// The newest revision.
    pub revision: Revision,
    /// What all records add up to.
    pub digest: Digest,
}

/// Reads where the feed is.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn state(conn: &mut PgConnection) -> Result<State, StoreError> {
    let row = sqlx::query("SELECT revision, digest::text AS digest FROM feed_state").fetch_one(conn).await?;
    Ok(State { revision: revision(&row, "revision")?, digest: digest(&row)? })
}

/// The records with these keys, as routers were last sent them; those that aren't there are left out.
///
/// # Errors
/// When one can't be read: a newer program wrote it.
pub async fn records(conn: &mut PgConnection, keys: &[RecordKey]) -> Result<Vec<Record>, StoreError> {
    let kinds: Vec<i16> = keys.iter().map(|key| key.kind() as i16).collect();
    let bytes: Vec<Vec<u8>> = keys.iter().map(RecordKey::to_bytes).collect();
    let rows = sqlx::query(
        "SELECT kind, key, version, payload FROM feed_records
         JOIN (SELECT DISTINCT * FROM unnest($1::smallint[], $2::bytea[]) AS w (kind, key)) AS wanted USING (kind, key)",
    )
    .bind(kinds)
    .bind(bytes)
    .fetch_all(conn)
    .await?;
    let read = |row: &PgRow| -> Result<Option<Record>, StoreError> {
        let byte =
            |column| Ok::<_, StoreError>(u8::try_from(row.try_get::<i16, _>(column)?).unwrap_or(u8::MAX));
        let (key, payload): (Vec<u8>, Vec<u8>) = (row.try_get("key")?, row.try_get("payload")?);
        let payload = Payload { version: byte("version")?, bytes: &payload };
        let frame = Frame { key: RawKey { kind: byte("kind")?, key: &key }, payload: Some(payload) };
        frame.record().map_err(|_| StoreError::Malformed("record"))
    };
    rows.iter().filter_map(|row| read(row).transpose()).collect()
}

/// A delta as it was committed.
pub struct Entry {
    /// The state's number once it is applied.
    pub revision: Revision,
    /// What the records add up to then.
    pub digest: Digest,
    /// When it was written.
    pub committed: Instant,
    /// The changes.
    pub frames: Vec<u8>,
}

/// The first entries behind `after`: at most 256, and no more than 4 MB of frames unless the first alone has more.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn entries(conn: &mut PgConnection, after: Revision) -> Result<Vec<Entry>, StoreError> {
    let rows = sqlx::query(
        "SELECT revision, digest::text AS digest, committed_at, frames FROM (
            SELECT *, sum(octet_length(frames)) OVER (ORDER BY revision) AS bytes
            FROM (SELECT * FROM feed_entries WHERE revision > $1 ORDER BY revision LIMIT 256) AS first_entries
        ) AS summed WHERE bytes <= 4000000 OR revision = $1 + 1 ORDER BY revision",
    )
    .bind(signed(after))
    .fetch_all(conn)
    .await?;
    let entry = |row: &PgRow| -> Result<Entry, StoreError> {
        Ok(Entry {
            revision: revision(row, "revision")?,
            digest: digest(row)?,
            committed: row.try_get("committed_at")?,
            frames: row.try_get("frames")?,
        })
    };
    rows.iter().map(entry).collect()
}

/// The digest at a revision; `None` when it is pruned or has never been.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn digest_at(conn: &mut PgConnection, at: Revision) -> Result<Option<Digest>, StoreError> {
    let row = sqlx::query(
        "SELECT digest::text AS digest FROM feed_entries WHERE revision = $1
         UNION ALL SELECT digest::text FROM feed_state WHERE revision = $1 LIMIT 1",
    )
    .bind(signed(at))
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(digest).transpose()
}

/// All records with their hashes, in the order of a checkpoint, one stored frame each.
pub fn stored_frames(conn: &mut PgConnection) -> impl Stream<Item = Result<Vec<u8>, StoreError>> + '_ {
    sqlx::query("SELECT kind, key, version, payload, hash::text AS hash FROM feed_records ORDER BY kind, key")
        .fetch(conn)
        .map(|row| {
            let row = row?;
            let byte = |column| {
                u8::try_from(row.try_get::<i16, _>(column)?).map_err(|_| StoreError::Malformed("record"))
            };
            let hash: &str = row.try_get("hash")?;
            let hash = RecordHash(hash.parse().map_err(|_| StoreError::Malformed("hash"))?);
            let payload = Payload { version: byte("version")?, bytes: row.try_get("payload")? };
            let key = RawKey { kind: byte("kind")?, key: row.try_get("key")? };
            let mut out = Vec::with_capacity(payload.bytes.len() + 64);
            StoredFrames::write(hash, &Frame { key, payload: Some(payload) }, &mut out);
            Ok(out)
        })
}

/// Whether this database began this epoch: not the one from whose backup it came.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn is_known(conn: &mut PgConnection, epoch: Epoch) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM feed_epochs WHERE epoch = $1 AND database = feed_database())",
    )
    .bind(epoch.0)
    .fetch_one(conn)
    .await?)
}

/// Notes an epoch, before anything of it is in Redis.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn add_epoch(conn: &mut PgConnection, epoch: Epoch) -> Result<(), StoreError> {
    // On disk when this returns, whatever the connection has set: the publisher's marks aren't.
    let mut tx = conn.begin_with("BEGIN; SET LOCAL synchronous_commit TO on").await?;
    sqlx::query("INSERT INTO feed_epochs (epoch, revision) SELECT $1, revision FROM feed_state")
        .bind(epoch.0)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Where the publisher said that it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Published {
    /// The feed's life.
    pub epoch: Option<Epoch>,
    /// The newest revision in Redis.
    pub revision: Revision,
    /// The newest complete checkpoint's.
    pub checkpoint: Revision,
}

/// Reads where the publisher said that it was.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn published(conn: &mut PgConnection) -> Result<Published, StoreError> {
    let row = sqlx::query("SELECT epoch, published_revision, checkpoint_revision FROM feed_publisher")
        .fetch_one(conn)
        .await?;
    Ok(Published {
        epoch: row.try_get::<Option<Uuid>, _>("epoch")?.map(Epoch),
        revision: revision(&row, "published_revision")?,
        checkpoint: revision(&row, "checkpoint_revision")?,
    })
}

/// Says where the publisher is.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn mark_published(conn: &mut PgConnection, published: Published) -> Result<(), StoreError> {
    sqlx::query("UPDATE feed_publisher SET epoch = $1, published_revision = $2, checkpoint_revision = $3")
        .bind(published.epoch.map(|epoch| epoch.0))
        .bind(signed(published.revision))
        .bind(signed(published.checkpoint))
        .execute(conn)
        .await?;
    Ok(())
}

/// Asks the publisher for a new epoch, or says that it has one.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn want_new_epoch(conn: &mut PgConnection, wanted: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE feed_publisher SET new_epoch_wanted = $1").bind(wanted).execute(conn).await?;
    Ok(())
}

/// Whether somebody asked for a new epoch.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn is_new_epoch_wanted(conn: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT new_epoch_wanted FROM feed_publisher").fetch_one(conn).await?)
}

/// Deletes entries before `before`, at most `rows_max` of them.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn prune(conn: &mut PgConnection, before: Revision, rows_max: i64) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM feed_entries WHERE revision IN
         (SELECT revision FROM feed_entries WHERE revision < $1 ORDER BY revision LIMIT $2)",
    )
    .bind(signed(before))
    .bind(rows_max)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

fn signed(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

fn revision(row: &PgRow, column: &str) -> Result<Revision, StoreError> {
    Ok(Revision(row.try_get::<i64, _>(column)?.unsigned_abs()))
}

fn digest(row: &PgRow) -> Result<Digest, StoreError> {
    let text: &str = row.try_get("digest")?;
    text.parse().map(Digest).map_err(|_| StoreError::Malformed("digest"))
}
