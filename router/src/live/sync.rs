//! Tells the other routers of calls that begin and end here, and hears of theirs, until the task is dropped.
//!
//! With Redis away each router goes on with what it knows, and tells the rest afterwards.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use dialplane_common::live::{CallKey, State, changes, entry};
use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Pipeline, RedisError, RedisResult};

use super::compare::Comparison;
use super::{Heard, LiveCallCounts};
use crate::metrics::Metrics;
use crate::webhook::{Webhooks, now};

/// How long a beginning or an end waits for others, so that they go together.
pub const PUBLISH_EVERY: Duration = Duration::from_millis(20);

/// How long a router that ends waits for the others to be told.
const LAST_WORDS: Duration = Duration::from_millis(500);

const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(1);

/// Tells and hears.
pub struct Sync {
    webhooks: Arc<Webhooks>,
    redis: redis::Client,
    keys: Keys,
}

/// Why calls can't be told just now.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Redis doesn't answer.
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    /// The channel's connection ended.
    #[error("the channel's connection ended")]
    Channel,
}

/// Waits until the others were told all, for as long as a router that ends can wait: what it was told last would keep places
/// taken.
pub async fn tell_all(webhooks: &Webhooks) {
    let deadline = tokio::time::Instant::now() + LAST_WORDS;
    while webhooks.live.has_untold() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(PUBLISH_EVERY).await;
    }
}

impl Sync {
    /// Tells of what `webhooks` counts, below `namespace`.
    #[must_use]
    pub fn new(webhooks: Arc<Webhooks>, redis: redis::Client, namespace: &str) -> Self {
        Self { webhooks, redis, keys: Keys::new(namespace) }
    }

    /// Tells and hears until the task is dropped.
    pub async fn run(self) {
        let mut comparison = Comparison::default();
        let mut pause = RECONNECT_MIN;
        loop {
            let began = tokio::time::Instant::now();
            let Err(error) = self.follow(&mut comparison).await;
            // Who follows the feed says that Redis is away.
            tracing::debug!(%error, "calls under way are counted by this router alone");
            if began.elapsed() > RECONNECT_MAX {
                pause = RECONNECT_MIN;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT_MAX);
        }
    }

    async fn follow(&self, comparison: &mut Comparison) -> Result<Infallible, SyncError> {
        let (connection, channel) = self.connect().await?;
        // What waited while Redis was away is told first: a comparison judges by what Redis holds.
        self.live().find_unsent();
        self.publish_all(&mut connection.clone()).await?;
        tokio::select! {
            ended = self.publish(connection.clone()) => ended,
            ended = self.listen(channel) => ended,
            ended = comparison.run(self, connection) => ended,
        }
    }

    async fn connect(&self) -> Result<(MultiplexedConnection, PubSub), SyncError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let connection = self.redis.get_multiplexed_async_connection_with_config(&config).await?;
        let subscribe = async {
            let mut channel = self.redis.get_async_pubsub().await?;
            channel.subscribe(self.keys.live_changes()).await?;
            RedisResult::Ok(channel)
        };
        let channel = tokio::time::timeout(RESPONSE_TIMEOUT, subscribe).await;
        Ok((connection, channel.map_err(|_| SyncError::Channel)??))
    }

    async fn publish(&self, mut connection: MultiplexedConnection) -> Result<Infallible, SyncError> {
        let mut due = tokio::time::interval(PUBLISH_EVERY);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            if self.live().has_overflowed() {
                self.live().find_unsent();
            }
            self.publish_all(&mut connection).await?;
        }
    }

    async fn publish_all(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let calls = self.live().unsent();
        for calls in calls.chunks(changes::CALLS_MAX) {
            self.tell(connection, calls, false).await?;
            self.live().sent(calls);
        }
        Ok(())
    }

    /// Puts calls into the hash, those that are over out of it, and tells the others. `only_new`: what the hash holds of a
    /// call stays.
    pub(super) async fn tell(
        &self,
        connection: &mut MultiplexedConnection,
        calls: &[(CallKey, State)],
        only_new: bool,
    ) -> RedisResult<()> {
        let (hash, keys) = (self.keys.live(), self.feed_keys());
        let mut pipeline = Pipeline::with_capacity(calls.len() + 1);
        pipeline.atomic();
        for (key, state) in calls {
            let field = key.to_bytes();
            match state.counted() {
                Some(call) if only_new => pipeline.hset_nx(&hash, &field, entry::sign(*key, call, keys)),
                Some(call) => pipeline.hset(&hash, &field, entry::sign(*key, call, keys)),
                None => pipeline.hdel(&hash, &field),
            }
            .ignore();
        }
        let message = changes::sign(self.live().router(), calls, keys);
        pipeline.publish(self.keys.live_changes(), message).ignore();
        pipeline.query_async(connection).await
    }

    async fn listen(&self, channel: PubSub) -> Result<Infallible, SyncError> {
        let mut messages = channel.into_on_message();
        loop {
            let message = messages.next().await.ok_or(SyncError::Channel)?;
            match changes::verify(message.get_payload_bytes(), self.feed_keys()) {
                Ok((router, _)) if router == self.live().router() => {}
                Ok((_, calls)) => calls.into_iter().for_each(|(key, state)| self.hear(key, state)),
                Err(error) => {
                    self.metrics().messages_rejected.inc();
                    tracing::warn!(%error, "reject a message on calls under way");
                }
            }
        }
    }

    fn hear(&self, key: CallKey, state: State) {
        let live = self.live();
        // Its beginning came later than its end: whoever began it is to know. One router is enough to say so.
        if live.hear(key, state, now().seconds()) == Heard::Over && live.has_ended_here(key) {
            live.resend(key);
        }
    }

    pub(super) fn live(&self) -> &LiveCallCounts {
        &self.webhooks.live
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.webhooks.metrics
    }

    pub(super) fn feed_keys(&self) -> &Keyring {
        &self.webhooks.keys
    }

    pub(super) fn hash(&self) -> String {
        self.keys.live()
    }
}
