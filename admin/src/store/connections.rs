//! Connections to Postgres, handed from one transaction to the next.
//!
//! The pool asks Postgres how a connection is whenever one comes back, which costs what any small statement costs. Behind a
//! transaction's end it is known to be well: it is kept, and whoever comes next within [`TRUSTED_FOR`] takes it as it is.
//! All others go back to the pool.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Postgres};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{ACQUIRE_TIMEOUT, CONNECTIONS_MAX, TRUSTED_FOR};

/// Two of the pool's connections listen, for as long as the process lives.
const LISTENERS: u32 = 2;

/// Where connections come from.
#[derive(Clone)]
pub(super) struct Connections {
    pool: PgPool,
    /// As many as the pool has for us: who has one never waits for another's connection to be let go of.
    turns: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<Kept>>>,
}

struct Kept {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

/// A connection of one's own. Dropped, it is given back, and what it began is rolled back.
pub(super) struct Held {
    /// Absent once it is given back.
    lent: Option<Lent>,
    state: State,
}

struct Lent {
    connection: PoolConnection<Postgres>,
    kept: Arc<Mutex<Vec<Kept>>>,
    turn: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is begun.
    Idle,
    /// Nobody knows whether a transaction is begun.
    Beginning,
    /// A transaction is.
    Begun,
}

impl Connections {
    pub fn new(pool: PgPool) -> Self {
        let turns = Semaphore::new((CONNECTIONS_MAX - LISTENERS) as usize);
        Self { pool, turns: Arc::new(turns), kept: Arc::default() }
    }

    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection, once one is free.
    pub async fn take(&self) -> Result<Held, sqlx::Error> {
        let turn = tokio::time::timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let connection = match self.warm() {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        let lent = Lent { connection, kept: Arc::clone(&self.kept), turn };
        Ok(Held { lent: Some(lent), state: State::Idle })
    }

    /// The one that was kept last. Those that were kept too long ago go back to the pool, which looks at them.
    fn warm(&self) -> Option<PoolConnection<Postgres>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.pop() {
            Some(last) if last.since.elapsed() < TRUSTED_FOR => Some(last.connection),
            Some(_) => {
                kept.clear();
                None
            }
            None => None,
        }
    }
}

impl Held {
    /// Begins a transaction with these statements, in one round trip. Given up half-way, the connection is closed: whoever
    /// got it next would find itself in that transaction.
    pub async fn begin(&mut self, statements: String) -> Result<(), sqlx::Error> {
        self.state = State::Beginning;
        // Safe: ids print hexadecimal digits and hyphens, and an origin's texts are literals.
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut **self).await?;
        self.state = State::Begun;
        Ok(())
    }

    /// Commits what was begun.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(&mut *self).await?;
        self.state = State::Idle;
        self.keep();
        Ok(())
    }

    /// Gives it back to be used as it is: its last statement went well, outside of any transaction.
    pub fn keep(mut self) {
        if let Some(lent) = self.lent.take() {
            lent.keep();
        }
    }
}

impl Lent {
    fn keep(self) {
        let Self { connection, kept, turn } = self;
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(Kept { connection, since: Instant::now() });
        // Whose turn it is then finds it.
        drop(turn);
    }

    async fn roll_back(mut self) {
        // Where that fails, the pool sees what is wrong.
        if sqlx::raw_sql("ROLLBACK").execute(&mut *self.connection).await.is_ok() {
            self.keep();
        }
    }
}

impl Deref for Held {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.lent {
            Some(lent) => &lent.connection,
            None => unreachable!("whoever gives it back gives it out of hand"),
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.lent {
            Some(lent) => &mut lent.connection,
            None => unreachable!("whoever gives it back gives it out of hand"),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut lent) = self.lent.take() else { return };
        match (self.state, Handle::try_current()) {
            (State::Idle, _) => {}
            (State::Begun, Ok(runtime)) => drop(runtime.spawn(lent.roll_back())),
            (State::Begun, Err(_)) | (State::Beginning, _) => lent.connection.close_on_drop(),
        }
    }
}
