//! The only door to Postgres.
//!
//! Every transaction takes a role: a tenant's, who sees its own rows alone, or the operator's. Nothing but migrations
//! runs as the owner, who sees none.
//!
//! **Writes and the feed.** Whoever changes what routers have to know goes through [`WriteTx`], which appends the
//! records to the feed in the same transaction. The rule that keeps two writers of one number from losing each
//! other's change: lock the root row (the tenant, account, agent or number), write, then read it again whole and
//! record that ([`compile`]). With the root locked, what is read is what the feed will say last.

pub mod accounts;
pub mod agents;
pub mod api_keys;
pub mod audit;
pub mod bindings;
pub mod books;
pub mod bulk;
pub mod call_events;
pub mod calls;
pub mod compile;
mod connections;
pub mod corrections;
pub mod doorbell;
pub mod error;
pub mod feed;
mod gathering;
pub mod holdings;
pub mod hosted_agents;
pub mod idempotency;
pub mod imports;
pub mod instant;
pub mod intents;
mod interval;
pub mod jobs;
mod nonce;
pub mod numbers;
pub mod origin;
pub mod plans;
pub mod pool;
pub mod purchases;
pub mod rates;
pub mod reconciliations;
pub mod refused_calls;
pub mod sealed;
pub mod search;
pub mod settings;
mod tenant_changes;
pub mod tenants;
pub mod tool_servers;
pub mod usage;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use connections::{Connections, Held};
use dialplane_common::feed::Revision;
use dialplane_common::feed::frame::{Frame, Payload, RawKey, RecordKey};
use dialplane_common::feed::record::Record;
use dialplane_common::feed::{FEED_VERSION, FRAMES_BYTES_MAX};
use dialplane_common::ids::TenantId;
pub use error::StoreError;
use futures_util::TryFutureExt;
use gathering::Gathering;
pub use origin::{Actor, Origin};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor};
use tokio::sync::Notify;

use crate::config::SealKeys;

/// Requests wait for a connection rather than fill Postgres: each transaction is a few milliseconds.
const CONNECTIONS_MAX: u32 = 16;
/// Longer than any wait that a load within reason makes; shorter than a request's own limit.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection is tried when it comes back; whoever takes it so soon afterwards doesn't try it again.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// A frame's operation, kind, version and lengths, and the longest key.
const FRAME_OVERHEAD_BYTES: usize = 8 + 255;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Whose rows a transaction sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// One tenant's.
    Tenant(TenantId),
    /// Everybody's.
    Operator,
}

impl Scope {
    /// The statements that set it for one transaction, each with a semicolon before it.
    fn statements(self) -> String {
        match self {
            Self::Operator => "; SET LOCAL ROLE dialplane_operator".to_owned(),
            Self::Tenant(id) => {
                format!("; SET LOCAL ROLE dialplane_tenant; SET LOCAL dialplane.tenant_id TO '{id}'")
            }
        }
    }

    /// The role that it takes.
    const fn role(self) -> &'static str {
        match self {
            Self::Operator => "dialplane_operator",
            Self::Tenant(_) => "dialplane_tenant",
        }
    }

    /// The tenant whose rows it is limited to.
    const fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Operator => None,
            Self::Tenant(id) => Some(id),
        }
    }
}

/// Postgres, and the keys of what is sealed in it.
#[derive(Clone)]
pub struct Store {
    connections: Connections,
    keys: Arc<SealKeys>,
    committed: Arc<Notify>,
    tenant_changes: Arc<Gathering<tenant_changes::Tenants>>,
}

/// A transaction that reads one state of the database.
pub struct ReadTx(Held);

/// A transaction that writes rows and the feed.
pub struct WriteTx {
    transaction: Held,
    keys: Arc<SealKeys>,
    committed: Arc<Notify>,
    changes: Vec<Change>,
    /// Where in `changes` each record's is.
    noted: HashMap<RecordKey, usize>,
}

struct Change {
    key: RecordKey,
    /// Absent: the record is gone.
    payload: Option<Vec<u8>>,
}

/// A pool that connects when a connection is first wanted.
///
/// # Errors
/// When `url` isn't one.
pub fn open(url: &str) -> Result<PgPool, StoreError> {
    let options: PgConnectOptions = url.parse().map_err(StoreError::Database)?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(ACQUIRE_TIMEOUT);
    let pool = pool.test_before_acquire(false).before_acquire(|conn, connection| {
        Box::pin(async move {
            if connection.idle_for >= TRUSTED_FOR {
                conn.ping().await?;
            }
            Ok(true)
        })
    });
    // Where a statement that is to use no sequential scan has to, it counts as so dear that Postgres would compile it first:
    // tens of milliseconds each time, and nothing that is asked here is worth them.
    let pool = pool.after_connect(|conn, _| Box::pin(conn.execute("SET jit TO off").map_ok(drop)));
    Ok(pool.connect_lazy_with(options))
}

/// Brings the schema to this program's version, as the database's owner.
///
/// # Errors
/// When Postgres can't be reached, or a migration fails or was changed since it ran.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    MIGRATOR.run(pool).await
}

impl Store {
    /// Takes the settings; connects when a connection is first wanted.
    ///
    /// # Errors
    /// When `url` isn't one.
    pub fn new(url: &str, keys: Arc<SealKeys>) -> Result<Self, StoreError> {
        let connections = Connections::new(open(url)?);
        let committed = Arc::default();
        let tenants =
            tenant_changes::Tenants { connections: connections.clone(), committed: Arc::clone(&committed) };
        Ok(Self { connections, keys, committed, tenant_changes: Gathering::new(tenants) })
    }

    /// The pool, for what isn't a request: listening, metrics.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        self.connections.pool()
    }

    /// The keys of what is sealed.
    #[must_use]
    pub fn keys(&self) -> &Arc<SealKeys> {
        &self.keys
    }

    /// Rung after each commit of a transaction that writes, of this process.
    #[must_use]
    pub fn committed(&self) -> &Arc<Notify> {
        &self.committed
    }

    /// Begins a transaction that reads one state.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn read(&self, scope: Scope) -> Result<ReadTx, StoreError> {
        let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{}", scope.statements());
        self.begin(begin).await.map(ReadTx)
    }

    /// Begins a transaction that writes, and says where its changes come from.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn write(&self, scope: Scope, origin: &Origin) -> Result<WriteTx, StoreError> {
        let begin = format!("BEGIN{}{}", scope.statements(), origin.statements());
        let transaction = self.begin(begin).await?;
        Ok(WriteTx {
            transaction,
            keys: Arc::clone(&self.keys),
            committed: Arc::clone(&self.committed),
            changes: Vec::new(),
            noted: HashMap::new(),
        })
    }

    /// One round trip: begin, and all that is set for the transaction.
    async fn begin(&self, statements: String) -> Result<Held, StoreError> {
        let mut held = self.connections.take().await?;
        held.begin(statements).await?;
        Ok(held)
    }

    /// The server's version.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn server_version(&self) -> Result<String, StoreError> {
        Ok(sqlx::query_scalar("SHOW server_version").fetch_one(self.pool()).await?)
    }

    /// Whether the schema is this program's, or a newer one.
    ///
    /// # Errors
    /// When Postgres can't be reached or has no schema.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let mut tx = self.read(Scope::Operator).await?;
        let applied: Option<i64> =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(tx.conn())
                .await?;
        let newest = MIGRATOR.iter().map(|migration| migration.version).max();
        Ok(applied >= newest)
    }
}

impl ReadTx {
    /// For the finders.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl WriteTx {
    /// For the finders and writers.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// The keys of what is sealed.
    #[must_use]
    pub fn keys(&self) -> &SealKeys {
        &self.keys
    }

    /// Notes that a record is now this. The last note on a record counts.
    ///
    /// # Errors
    /// [`StoreError::RecordTooLarge`] when no delta could carry it.
    pub fn record(&mut self, record: &Record) -> Result<(), StoreError> {
        let payload = record.encode();
        if payload.len() + FRAME_OVERHEAD_BYTES > FRAMES_BYTES_MAX {
            return Err(StoreError::RecordTooLarge);
        }
        self.note(Change { key: record.key(), payload: Some(payload) });
        Ok(())
    }

    /// Notes that a record is gone.
    pub fn remove(&mut self, key: RecordKey) {
        self.note(Change { key, payload: None });
    }

    fn note(&mut self, change: Change) {
        match self.noted.entry(change.key) {
            Entry::Occupied(noted) => self.changes[*noted.get()] = change,
            Entry::Vacant(place) => {
                place.insert(self.changes.len());
                self.changes.push(change);
            }
        }
    }

    /// Appends what was noted. The revision is the change's last; absent when routers aren't concerned. From here on
    /// all other writers of the feed wait, so that little should lie between this and the commit.
    ///
    /// # Errors
    /// When Postgres refuses or is away.
    pub async fn append(&mut self) -> Result<Option<Revision>, StoreError> {
        let mut revision = None;
        let mut changes = std::mem::take(&mut self.changes).into_iter().peekable();
        self.noted.clear();
        while changes.peek().is_some() {
            let mut delta = feed::DeltaRows::default();
            while let Some(change) = changes.next_if(|change| delta.has_room(change.bytes())) {
                change.with_frame(|frame| delta.push(frame));
            }
            revision = Some(feed::append(&mut self.transaction, &delta).await?);
        }
        Ok(revision)
    }

    /// Appends what was noted and commits.
    ///
    /// # Errors
    /// When Postgres refuses or is away: nothing is written then.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.append().await?;
        self.transaction.commit().await?;
        self.committed.notify_one();
        Ok(())
    }
}

impl Change {
    fn bytes(&self) -> usize {
        FRAME_OVERHEAD_BYTES + self.payload.as_ref().map_or(0, Vec::len)
    }

    fn with_frame(&self, take: impl FnOnce(&Frame<'_>)) {
        let key = self.key.to_bytes();
        let payload = self.payload.as_deref().map(|bytes| Payload { version: FEED_VERSION, bytes });
        take(&Frame { key: RawKey { kind: self.key.kind() as u8, key: &key }, payload });
    }
}
