//! What the publisher needs of Postgres, and Postgres itself as it.
//!
//! A trait, so that the same publisher also runs where time and Postgres are simulated: what matters about it (a crash
//! between two steps, a backup restored under it) can't be had of a real one ten thousand times.

use dialplane_common::feed::frame::RecordKey;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::{Digest, Epoch, Revision};
use futures_util::Stream;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection};

use crate::store::feed::{self, Entry, Published, State};
use crate::store::{Origin, ReadTx, Scope, Store, StoreError, api_keys, settings};

/// The advisory lock's key, one in each database: "dialplan" in ASCII.
const LEASE: i64 = i64::from_be_bytes(*b"dialplan");

const ORIGIN: Origin = Origin::system("publisher");

type Outcome<T> = Result<T, StoreError>;

/// The feed's tables. Each error is one of Postgres: it is away, or it refuses.
pub trait Outbox: Clone + Send + Sync + 'static {
    /// A connection of its own.
    type Lease: Lease;
    /// A transaction that sees one state.
    type Reading: Reading;

    /// What messages are signed with.
    fn feed_keys(&self) -> &Keyring;
    /// Connects for holding the lease.
    fn connect(&self) -> impl Future<Output = Outcome<Self::Lease>> + Send;
    /// Begins to read one state.
    fn read(&self) -> impl Future<Output = Outcome<Self::Reading>> + Send;
    /// Writes a record, so that the feed has a first revision.
    fn write_first_record(&self) -> impl Future<Output = Outcome<()>> + Send;
    /// Takes at most `rows_max` keys that are no longer good out of the feed.
    fn forget_expired_keys(&self, rows_max: i64) -> impl Future<Output = Outcome<()>> + Send;
}

/// One state, whatever is written meanwhile.
pub trait Reading: Send {
    /// Whether it is a state of the database that began the epoch. See [`feed::is_known`].
    fn is_known(&mut self, epoch: Epoch) -> impl Future<Output = Outcome<bool>> + Send;
    /// Which one.
    fn state(&mut self) -> impl Future<Output = Outcome<State>> + Send;
    /// Its records, one stored frame each.
    fn frames(&mut self) -> impl Stream<Item = Outcome<Vec<u8>>> + Send;
}

/// The connection whose session holds the lease, and over which the holder reads and writes. See [`feed`] for what
/// each does.
pub trait Lease: Send {
    /// Takes the lease, if nobody has it. It ends with the connection.
    fn try_lock(&mut self) -> impl Future<Output = Outcome<bool>> + Send;
    /// Whether the session is still there.
    fn ping(&mut self) -> impl Future<Output = Outcome<()>> + Send;
    /// See [`feed::state`].
    fn state(&mut self) -> impl Future<Output = Outcome<State>> + Send;
    /// See [`feed::entries`].
    fn entries(&mut self, after: Revision) -> impl Future<Output = Outcome<Vec<Entry>>> + Send;
    /// See [`feed::digest_at`].
    fn digest_at(&mut self, at: Revision) -> impl Future<Output = Outcome<Option<Digest>>> + Send;
    /// See [`feed::is_known`].
    fn is_known(&mut self, epoch: Epoch) -> impl Future<Output = Outcome<bool>> + Send;
    /// See [`feed::add_epoch`].
    fn add_epoch(&mut self, epoch: Epoch) -> impl Future<Output = Outcome<()>> + Send;
    /// See [`feed::mark_published`].
    fn mark_published(&mut self, published: Published) -> impl Future<Output = Outcome<()>> + Send;
    /// See [`feed::is_new_epoch_wanted`].
    fn is_new_epoch_wanted(&mut self) -> impl Future<Output = Outcome<bool>> + Send;
    /// See [`feed::want_new_epoch`].
    fn want_new_epoch(&mut self, wanted: bool) -> impl Future<Output = Outcome<()>> + Send;
    /// See [`feed::prune`].
    fn prune(&mut self, before: Revision, rows_max: i64) -> impl Future<Output = Outcome<u64>> + Send;
}

impl Outbox for Store {
    type Lease = PgConnection;
    type Reading = ReadTx;

    fn feed_keys(&self) -> &Keyring {
        &self.keys().feed
    }

    async fn connect(&self) -> Outcome<PgConnection> {
        let mut lease = self.pool().connect_options().connect().await?;
        let set_up = "SET ROLE dialplane_operator; SET synchronous_commit TO off";
        sqlx::raw_sql(set_up).execute(&mut lease).await?;
        Ok(lease)
    }

    async fn read(&self) -> Outcome<ReadTx> {
        Store::read(self, Scope::Operator).await
    }

    async fn write_first_record(&self) -> Outcome<()> {
        let mut tx = self.write(Scope::Operator, &ORIGIN).await?;
        settings::lock_platform(tx.conn()).await?;
        tx.record_platform().await?;
        tx.commit().await?;
        Ok(())
    }

    async fn forget_expired_keys(&self, rows_max: i64) -> Outcome<()> {
        let mut tx = self.write(Scope::Operator, &ORIGIN).await?;
        for hash in api_keys::expired_in_feed(tx.conn(), rows_max).await? {
            tx.remove(RecordKey::Token(hash));
        }
        tx.commit().await?;
        Ok(())
    }
}

impl Reading for ReadTx {
    async fn is_known(&mut self, epoch: Epoch) -> Outcome<bool> {
        feed::is_known(self.conn(), epoch).await
    }

    async fn state(&mut self) -> Outcome<State> {
        feed::state(self.conn()).await
    }

    fn frames(&mut self) -> impl Stream<Item = Outcome<Vec<u8>>> + Send {
        feed::stored_frames(self.conn())
    }
}

impl Lease for PgConnection {
    async fn try_lock(&mut self) -> Outcome<bool> {
        Ok(sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEASE).fetch_one(self).await?)
    }

    async fn ping(&mut self) -> Outcome<()> {
        Ok(Connection::ping(self).await?)
    }

    async fn state(&mut self) -> Outcome<State> {
        feed::state(self).await
    }

    async fn entries(&mut self, after: Revision) -> Outcome<Vec<Entry>> {
        feed::entries(self, after).await
    }

    async fn digest_at(&mut self, at: Revision) -> Outcome<Option<Digest>> {
        feed::digest_at(self, at).await
    }

    async fn is_known(&mut self, epoch: Epoch) -> Outcome<bool> {
        feed::is_known(self, epoch).await
    }

    async fn add_epoch(&mut self, epoch: Epoch) -> Outcome<()> {
        feed::add_epoch(self, epoch).await
    }

    async fn mark_published(&mut self, published: Published) -> Outcome<()> {
        feed::mark_published(self, published).await
    }

    async fn is_new_epoch_wanted(&mut self) -> Outcome<bool> {
        feed::is_new_epoch_wanted(self).await
    }

    async fn want_new_epoch(&mut self, wanted: bool) -> Outcome<()> {
        feed::want_new_epoch(self, wanted).await
    }

    async fn prune(&mut self, before: Revision, rows_max: i64) -> Outcome<u64> {
        feed::prune(self, before, rows_max).await
    }
}
