//! An admin process: the real publisher and its view of the fleet.

use std::sync::Arc;

use dialplane_admin::fleet::Fleet;
use dialplane_admin::metrics::Metrics;
use dialplane_admin::publisher::Publisher;
use dialplane_admin::redis_link::RedisLink;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::dice::Dice;
use super::link::Link;
use super::outbox::Way;
use super::postgres::{Change, Postgres};
use super::redis::server::Server;

/// An admin process.
pub struct Admin {
    /// Its way to Redis.
    pub to_redis: Link,
    /// Its way to Postgres.
    pub to_postgres: Link,
    dice: Dice,
    life: Option<Life>,
}

struct Life {
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    publisher: AbortHandle,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.publisher.abort();
    }
}

/// What all admin processes share.
pub struct Surroundings {
    /// Redis.
    pub redis: Server,
    /// Postgres.
    pub postgres: Postgres,
    /// The feed's keys.
    pub keys: Arc<Keyring>,
    /// What the publisher writes when there is nothing.
    pub first: Change,
    /// Entries between checkpoints.
    pub checkpoint_entries: u64,
    /// Bytes of a checkpoint's chunk.
    pub chunk_bytes: usize,
}

impl Admin {
    /// One that doesn't run yet.
    #[must_use]
    pub const fn new(to_redis: Link, to_postgres: Link, dice: Dice) -> Self {
        Self { to_redis, to_postgres, dice, life: None }
    }

    /// Starts it.
    pub fn start(&mut self, around: &Surroundings) {
        let Ok(metrics) = Metrics::new().map(Arc::new) else { return };
        let keys = Keys::new(super::NAMESPACE);
        let mut port = || around.redis.port(self.to_redis.clone(), self.dice.fork());
        let (wake, link) = (Arc::new(Notify::new()), Arc::new(RedisLink::new(port())));
        let fleet = Fleet::watch(port(), keys.clone(), Arc::clone(&metrics));
        let postgres = around.postgres.clone();
        let (feed_keys, first) = (Arc::clone(&around.keys), around.first.clone());
        let publisher = Publisher {
            store: Way::new(postgres, self.to_postgres.clone(), self.dice.fork(), feed_keys, first),
            link,
            keys,
            fleet,
            wake: Arc::clone(&wake),
            is_publishing: Arc::default(),
            checkpoint_entries: around.checkpoint_entries,
            chunk_bytes: around.chunk_bytes,
            metrics,
        };
        let (stop, stopped) = watch::channel(false);
        let publisher = tokio::spawn(publisher.run(stopped)).abort_handle();
        self.life = Some(Life { wake, stop, publisher });
    }

    /// Tells it of a commit.
    pub fn wake(&self) {
        if let Some(life) = &self.life {
            life.wake.notify_one();
        }
    }

    /// Kills it, between any two steps.
    pub fn kill(&mut self) {
        self.life = None;
    }

    /// Has it end by itself.
    pub fn stop(&self) {
        if let Some(life) = &self.life {
            life.stop.send_replace(true);
        }
    }

    /// Whether it was started and not killed since.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.life.is_some()
    }
}
