//! A process's way to the simulated Postgres, as the publisher wants it.

use std::sync::{Arc, Mutex, PoisonError};

use dialplane_admin::publisher::outbox::{Lease, Outbox, Reading};
use dialplane_admin::store::StoreError;
use dialplane_admin::store::feed::{Entry, Published, State};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::{Digest, Epoch, Revision};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Duration, sleep};

use super::dice::Dice;
use super::link::{self, BLOCKED_LOOK, Link};
use super::postgres::{Change, Postgres, Tables};

type Outcome<T> = Result<T, StoreError>;

/// Rows of a result come in packets of so many.
const ROWS_A_PACKET: usize = 4;

/// A process's way to Postgres.
#[derive(Clone)]
pub struct Way {
    postgres: Postgres,
    link: Link,
    dice: Arc<Mutex<Dice>>,
    keys: Arc<Keyring>,
    first: Change,
}

impl Way {
    /// A way to `postgres`. `first` is what the publisher writes when there is nothing.
    #[must_use]
    pub fn new(postgres: Postgres, link: Link, dice: Dice, keys: Arc<Keyring>, first: Change) -> Self {
        Self { postgres, link, dice: Arc::new(Mutex::new(dice)), keys, first }
    }

    async fn travel(&self, is_blocked: impl Fn(&link::Way) -> bool) {
        let way = self.link.way();
        let jitter = self.dice.lock().unwrap_or_else(PoisonError::into_inner).of(0..way.jitter_ms + 1);
        sleep(Duration::from_millis(way.latency_ms + jitter)).await;
        while is_blocked(&self.link.way()) {
            sleep(BLOCKED_LOOK).await;
        }
    }
}

/// A session, ended with its connection.
pub struct Session {
    way: Way,
    id: u64,
    /// As the way's own when it began.
    forgotten: u32,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.way.postgres.end(self.id);
    }
}

impl Session {
    async fn begin(way: &Way) -> Outcome<Self> {
        let forgotten = way.link.way().forgotten;
        way.travel(|way| way.blocked_there).await;
        let id = way.postgres.connect();
        let session = id.map(|id| Self { way: way.clone(), id, forgotten });
        way.travel(|way| way.blocked_back).await;
        session
    }

    async fn there(&self) {
        self.way.travel(|way| way.blocked_there || way.forgotten != self.forgotten).await;
    }

    async fn back(&self) {
        self.way.travel(|way| way.blocked_back || way.forgotten != self.forgotten).await;
    }

    async fn ask<T>(&self, act: impl FnOnce(&mut Tables) -> T) -> Outcome<T> {
        self.there().await;
        let done = self.way.postgres.within(self.id, act);
        self.back().await;
        done
    }
}

impl Outbox for Way {
    type Lease = Session;
    type Reading = Snapshot;

    fn feed_keys(&self) -> &Keyring {
        &self.keys
    }

    async fn connect(&self) -> Outcome<Session> {
        Session::begin(self).await
    }

    async fn read(&self) -> Outcome<Snapshot> {
        Ok(Snapshot { session: Session::begin(self).await?, tables: None })
    }

    async fn write_first_record(&self) -> Outcome<()> {
        let session = Session::begin(self).await?;
        session.ask(|_| ()).await?;
        let _state = self.postgres.commit(std::slice::from_ref(&self.first));
        Ok(())
    }

    async fn forget_expired_keys(&self, _rows_max: i64) -> Outcome<()> {
        Session::begin(self).await?.ask(|_| ()).await
    }
}

/// A transaction that sees the state of its first statement.
pub struct Snapshot {
    session: Session,
    tables: Option<Tables>,
}

impl Reading for Snapshot {
    async fn is_known(&mut self, epoch: Epoch) -> Outcome<bool> {
        self.session.ask(|_| ()).await?;
        Ok(self.tables.as_ref().is_some_and(|tables| tables.is_known(epoch)))
    }

    async fn state(&mut self) -> Outcome<State> {
        let tables = self.session.ask(|tables| tables.clone()).await?;
        Ok(self.tables.insert(tables).state())
    }

    fn frames(&mut self) -> impl Stream<Item = Outcome<Vec<u8>>> + Send {
        let frames = self.tables.as_ref().map(Tables::stored_frames).unwrap_or_default();
        let session = &self.session;
        stream::iter(frames.into_iter().enumerate()).then(move |(index, frame)| async move {
            if index % ROWS_A_PACKET == 0 {
                session.ask(|_| ()).await?;
            }
            Ok(frame)
        })
    }
}

impl Lease for Session {
    async fn try_lock(&mut self) -> Outcome<bool> {
        self.there().await;
        let locked = self.way.postgres.try_lock(self.id);
        self.back().await;
        locked
    }

    async fn ping(&mut self) -> Outcome<()> {
        self.ask(|_| ()).await
    }

    async fn state(&mut self) -> Outcome<State> {
        self.ask(|tables| tables.state()).await
    }

    async fn entries(&mut self, after: Revision) -> Outcome<Vec<Entry>> {
        self.ask(|tables| tables.entries(after)).await
    }

    async fn digest_at(&mut self, at: Revision) -> Outcome<Option<Digest>> {
        self.ask(|tables| tables.digest_at(at)).await
    }

    async fn is_known(&mut self, epoch: Epoch) -> Outcome<bool> {
        self.ask(|tables| tables.is_known(epoch)).await
    }

    async fn add_epoch(&mut self, epoch: Epoch) -> Outcome<()> {
        self.ask(|tables| tables.add_epoch(epoch)).await
    }

    async fn mark_published(&mut self, published: Published) -> Outcome<()> {
        self.ask(|tables| tables.mark_published(published)).await
    }

    async fn is_new_epoch_wanted(&mut self) -> Outcome<bool> {
        self.ask(|tables| *tables.new_epoch_wanted()).await
    }

    async fn want_new_epoch(&mut self, wanted: bool) -> Outcome<()> {
        self.ask(|tables| *tables.new_epoch_wanted() = wanted).await
    }

    async fn prune(&mut self, before: Revision, rows_max: i64) -> Outcome<u64> {
        self.ask(|tables| tables.prune(before, rows_max)).await
    }
}
