//! Connections that are kept for the next request. Each leads to an address that was checked when it was opened.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connect::{Connection, Key};

/// How long a connection is kept that nobody uses. Servers close theirs after a minute or so.
pub const IDLE: Duration = Duration::from_secs(30);

/// How many are kept, in all and to one server: they are few enough to look through.
const KEPT_MAX: usize = 512;
const KEPT_PER_SERVER_MAX: usize = 32;

/// How long to wait for a connection to take another request. It does at once, unless its server answered before it had
/// read all.
const READY_PATIENCE: Duration = Duration::from_millis(20);

/// The connections, the longest unused first.
#[derive(Debug, Default)]
pub struct Pool {
    idle: Mutex<VecDeque<(Connection, Instant)>>,
}

impl Pool {
    /// An open connection that can stand for this one; the last used, as it is the likeliest to be open.
    pub fn take(&self, key: &Key) -> Option<Connection> {
        let mut idle = self.lock();
        loop {
            let place = idle.iter().rposition(|(connection, _)| connection.key == *key)?;
            let (connection, _) = idle.remove(place)?;
            if connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose answer has been read.
    pub async fn keep(&self, mut connection: Connection) {
        let ready = tokio::time::timeout(READY_PATIENCE, connection.ready()).await;
        if ready != Ok(true) {
            return;
        }
        let mut idle = self.lock();
        let of_server = |(kept, _): &(Connection, Instant)| kept.key == connection.key;
        if idle.iter().filter(|kept| of_server(kept)).count() >= KEPT_PER_SERVER_MAX {
            return;
        }
        if idle.len() >= KEPT_MAX {
            idle.pop_front();
        }
        idle.push_back((connection, Instant::now()));
    }

    /// Closes what nobody used for [`IDLE`], and what was closed by the other end.
    pub fn tidy(&self, now: Instant) {
        self.lock().retain(|(connection, since)| {
            now.saturating_duration_since(*since) < IDLE && connection.is_open()
        });
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Connection, Instant)>> {
        // Every change is whole before anything could panic.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
