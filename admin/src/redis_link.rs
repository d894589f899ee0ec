//! A connection to Redis that is made when it is wanted and thrown away when it fails.
//!
//! A Redis that hangs must hang nobody: each answer has a deadline, and after one that didn't come the connection is
//! made anew, since a late answer would be taken for the next one's.

use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, RedisResult};
use tokio::sync::Mutex;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Far above what any command here takes; a checkpoint's chunk of 1 MB takes milliseconds.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where Redis is: an address, or whoever stands in for it.
pub trait Redis: Send + Sync + 'static {
    /// Connects.
    fn connect(&self, config: AsyncConnectionConfig) -> BoxFuture<'_, RedisResult<MultiplexedConnection>>;
    /// Connects for listening to channels.
    fn listen(&self) -> BoxFuture<'_, RedisResult<redis::aio::PubSub>>;
}

impl Redis for redis::Client {
    fn connect(&self, config: AsyncConnectionConfig) -> BoxFuture<'_, RedisResult<MultiplexedConnection>> {
        Box::pin(async move { self.get_multiplexed_async_connection_with_config(&config).await })
    }

    fn listen(&self) -> BoxFuture<'_, RedisResult<redis::aio::PubSub>> {
        Box::pin(self.get_async_pubsub())
    }
}

/// A connection, made when it is wanted.
pub struct RedisLink {
    redis: Box<dyn Redis>,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl RedisLink {
    /// Takes the address; doesn't connect yet.
    #[must_use]
    pub fn new(redis: impl Redis) -> Self {
        Self { redis: Box::new(redis), connection: Mutex::const_new(None) }
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.as_ref() {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let connection = self.redis.connect(config).await?;
        *held = Some(connection.clone());
        Ok(connection)
    }

    /// What `outcome` says of the connection: after anything but an answer of Redis it isn't used again.
    async fn judge<T>(&self, outcome: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &outcome
            && error.code().is_none()
        {
            *self.connection.lock().await = None;
        }
        outcome
    }

    /// Sends one command.
    ///
    /// # Errors
    /// When Redis is away, too slow, or refuses.
    pub async fn query<T: FromRedisValue>(&self, command: &redis::Cmd) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        let outcome = command.query_async(&mut connection).await;
        self.judge(outcome).await
    }

    /// Sends several commands at once.
    ///
    /// # Errors
    /// When Redis is away, too slow, or refuses one of them.
    pub async fn pipe<T: FromRedisValue>(&self, pipeline: &redis::Pipeline) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        let outcome = pipeline.query_async(&mut connection).await;
        self.judge(outcome).await
    }

    /// Runs a script.
    ///
    /// # Errors
    /// When Redis is away, too slow, or the script fails.
    pub async fn script<T: FromRedisValue>(&self, script: &redis::ScriptInvocation<'_>) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        let outcome = script.invoke_async(&mut connection).await;
        self.judge(outcome).await
    }

    /// Opens a connection of its own that listens to a channel.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn subscribe(&self, channel: &str) -> RedisResult<redis::aio::PubSub> {
        self.listen(async |messages| messages.subscribe(channel).await).await
    }

    /// The same, to all channels of a pattern.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn subscribe_pattern(&self, pattern: &str) -> RedisResult<redis::aio::PubSub> {
        self.listen(async |messages| messages.psubscribe(pattern).await).await
    }

    async fn listen(
        &self,
        subscribe: impl AsyncFnOnce(&mut redis::aio::PubSub) -> RedisResult<()>,
    ) -> RedisResult<redis::aio::PubSub> {
        let subscribe = async {
            let mut messages = self.redis.listen().await?;
            subscribe(&mut messages).await?;
            Ok(messages)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, subscribe)
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
    }
}
