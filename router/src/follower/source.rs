//! The feed in Redis: reads, and nothing decided.

use std::collections::HashMap;
use std::time::Duration;

use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::{Epoch, Revision};
use futures_util::future::BoxFuture;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands, AsyncConnectionConfig, RedisError, RedisResult};

/// A Redis that doesn't answer for this long is away.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Entries read at once: some milliseconds of work.
pub const ENTRIES_MAX: usize = 512;

/// Where Redis is: an address, or whoever stands in for it.
pub trait Redis: Send + Sync + 'static {
    /// Connects.
    fn connect(&self, config: AsyncConnectionConfig) -> BoxFuture<'_, RedisResult<MultiplexedConnection>>;
    /// Connects for listening to channels.
    fn listen(&self) -> BoxFuture<'_, RedisResult<PubSub>>;
}

impl Redis for redis::Client {
    fn connect(&self, config: AsyncConnectionConfig) -> BoxFuture<'_, RedisResult<MultiplexedConnection>> {
        Box::pin(async move { self.get_multiplexed_async_connection_with_config(&config).await })
    }

    fn listen(&self) -> BoxFuture<'_, RedisResult<PubSub>> {
        Box::pin(self.get_async_pubsub())
    }
}

/// The feed.
#[derive(Clone)]
pub struct Source {
    connection: MultiplexedConnection,
    keys: Keys,
}

/// An entry of the stream, its message not yet verified.
pub struct Entry {
    /// From its id.
    pub revision: Revision,
    /// The signed delta; empty for the entry that begins an epoch.
    pub delta: Vec<u8>,
}

/// What Redis holds beyond a revision.
pub struct Tail {
    /// The current epoch; `None` while nobody publishes.
    pub epoch: Option<Epoch>,
    /// Entries beyond the revision.
    pub entries: Vec<Entry>,
}

type RawEntry = (String, HashMap<String, Vec<u8>>);

impl Source {
    /// Connects for reading, and for hearing the doorbell.
    ///
    /// # Errors
    /// When Redis can't be reached.
    pub async fn connect(redis: &dyn Redis, keys: &Keys) -> RedisResult<(Self, PubSub)> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let connection = redis.connect(config).await?;
        let subscribe = async {
            let mut doorbell = redis.listen().await?;
            doorbell.subscribe(keys.changes()).await?;
            RedisResult::Ok(doorbell)
        };
        let doorbell = tokio::time::timeout(RESPONSE_TIMEOUT, subscribe).await;
        let doorbell =
            doorbell.map_err(|_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)))??;
        Ok((Self { connection, keys: keys.clone() }, doorbell))
    }

    /// The connection, for other commands.
    pub fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// The current epoch.
    ///
    /// # Errors
    /// When Redis doesn't answer.
    pub async fn epoch(&mut self) -> RedisResult<Option<Epoch>> {
        let text: Option<String> = self.connection.get(self.keys.epoch()).await?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// The current epoch and what the stream of `epoch` holds beyond `have`, in one round trip.
    ///
    /// # Errors
    /// When Redis doesn't answer.
    pub async fn tail(&mut self, epoch: Epoch, have: Revision) -> RedisResult<Tail> {
        let (current, entries): (Option<String>, Vec<RawEntry>) = redis::pipe()
            .get(self.keys.epoch())
            .cmd("XRANGE")
            .arg(self.keys.feed(epoch))
            .arg(format!("({have}-0"))
            .arg("+")
            .arg("COUNT")
            .arg(ENTRIES_MAX)
            .query_async(&mut self.connection)
            .await?;
        let entries = entries.into_iter().filter_map(|(id, mut fields)| {
            Some(Entry { revision: revision(&id)?, delta: fields.remove("delta").unwrap_or_default() })
        });
        Ok(Tail { epoch: current.and_then(|text| text.parse().ok()), entries: entries.collect() })
    }

    /// The newest revision that the stream ever held, trimmed away or not; `None` when there is no stream.
    ///
    /// # Errors
    /// When Redis doesn't answer.
    pub async fn newest(&mut self, epoch: Epoch) -> RedisResult<Option<Revision>> {
        let key = self.keys.feed(epoch);
        if !self.connection.exists::<_, bool>(&key).await? {
            return Ok(None);
        }
        let info: HashMap<String, redis::Value> =
            redis::cmd("XINFO").arg("STREAM").arg(&key).query_async(&mut self.connection).await?;
        let id: Option<String> =
            info.get("last-generated-id").map(redis::from_redis_value_ref).transpose()?;
        Ok(id.and_then(|id| revision(&id)))
    }

    /// The manifest of the newest checkpoint.
    ///
    /// # Errors
    /// When Redis doesn't answer.
    pub async fn manifest(&mut self, epoch: Epoch) -> RedisResult<Option<Vec<u8>>> {
        self.connection.get(self.keys.checkpoint(epoch)).await
    }
}

/// The chunks of checkpoints, by a connection of their own: what else is asked for doesn't wait behind them.
pub struct Chunks {
    connection: MultiplexedConnection,
    keys: Keys,
}

impl Chunks {
    /// Connects. The connection waits for answers as long as it takes, as some are behind others on the way.
    ///
    /// # Errors
    /// When Redis can't be reached.
    pub async fn connect(redis: &dyn Redis, keys: &Keys) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None);
        Ok(Self { connection: redis.connect(config).await?, keys: keys.clone() })
    }

    /// A chunk of a checkpoint.
    ///
    /// # Errors
    /// When the connection ends.
    pub async fn get(&self, epoch: Epoch, revision: Revision, index: u32) -> RedisResult<Option<Vec<u8>>> {
        self.connection.clone().get(self.keys.chunk(epoch, revision, index)).await
    }
}

fn revision(id: &str) -> Option<Revision> {
    id.split_once('-').and_then(|(revision, _)| revision.parse().ok()).map(Revision)
}
