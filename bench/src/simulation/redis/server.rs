//! The server, and what happens on the way to it and back.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dialplane_common::feed::keyring::Keyring;
use futures_util::future::BoxFuture;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisError, RedisResult};
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::connection::Connection;
use super::keyspace::Keyspace;
use super::wire::Reply;
use crate::simulation::dice::Dice;
use crate::simulation::link::Link;
use crate::simulation::truth::Truth;

/// What the planes' settings give a connection to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A stream in memory takes so much without being read.
const STREAM_BYTES: usize = 1 << 22;
/// 2026-11-21, in milliseconds: no more than a number to count from.
const BEGAN_MS: u64 = 1_795_219_200_000;

/// A Redis.
#[derive(Clone, Debug)]
pub struct Server(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    space: Keyspace,
    is_up: bool,
    began: Instant,
    connections: BTreeMap<u64, (AbortHandle, UnboundedSender<Bytes>)>,
    channels: BTreeMap<String, BTreeSet<u64>>,
    next: u64,
    /// Whoever looks at each manifest that is written, and with which keys.
    watcher: Option<(Truth, Arc<Keyring>)>,
}

/// A process's way to a Redis.
#[derive(Clone, Debug)]
pub struct Port {
    server: Server,
    link: Link,
    dice: Arc<Mutex<Dice>>,
}

impl Server {
    /// An empty one. Wants a runtime, whose time it takes.
    #[must_use]
    pub fn start() -> Self {
        let (space, began) = (Keyspace::default(), Instant::now());
        let (connections, channels) = (BTreeMap::new(), BTreeMap::new());
        let (is_up, next, watcher) = (true, 0, None);
        Self(Arc::new(Mutex::new(Inner { space, is_up, began, connections, channels, next, watcher })))
    }

    /// Has each manifest looked at when it is written.
    pub fn watch(&self, truth: Truth, keys: Arc<Keyring>) {
        self.inner().watcher = Some((truth, keys));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A way to it.
    #[must_use]
    pub fn port(&self, link: Link, dice: Dice) -> Port {
        Port { server: self.clone(), link, dice: Arc::new(Mutex::new(dice)) }
    }

    /// Ends all connections; until it is up again, it takes no new ones.
    pub fn stop(&self) {
        let mut inner = self.inner();
        inner.is_up = false;
        inner.cut();
        inner.space.forget_scripts();
    }

    /// Takes connections again.
    pub fn start_again(&self) {
        self.inner().is_up = true;
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.inner().cut();
    }

    /// Does something to its keys behind everybody's back.
    pub fn keys<T>(&self, act: impl FnOnce(&mut Keyspace) -> T) -> T {
        act(&mut self.inner().space)
    }

    fn execute(&self, connection: u64, args: &[Bytes]) -> Reply {
        let mut inner = self.inner();
        if let [command, channel] = args
            && command == "SUBSCRIBE"
        {
            let channel = String::from_utf8_lossy(channel).into_owned();
            inner.channels.entry(channel.clone()).or_default().insert(connection);
            return Reply::Array(vec![Reply::text("subscribe"), Reply::text(channel), Reply::Int(1)]);
        }
        let now_ms = BEGAN_MS + inner.began.elapsed().as_millis() as u64;
        let reply = inner.space.execute(args, now_ms);
        for (channel, message) in std::mem::take(&mut inner.space.published) {
            inner.publish(channel, message);
        }
        let inner = &mut *inner;
        for manifest in std::mem::take(&mut inner.space.manifests) {
            if let Some((truth, keys)) = &inner.watcher {
                truth.checkpointed(&manifest, &mut inner.space, keys);
            }
        }
        reply
    }
}

impl Inner {
    fn cut(&mut self) {
        self.channels.clear();
        for (task, _) in std::mem::take(&mut self.connections).into_values() {
            task.abort();
        }
    }

    fn publish(&self, channel: String, message: Bytes) {
        let Some(listeners) = self.channels.get(&channel) else { return };
        let push = [Reply::text("message"), Reply::text(channel), Reply::Bulk(message)];
        let mut bytes = Vec::new();
        Reply::Array(push.into()).write(&mut bytes);
        let bytes = Bytes::from(bytes);
        for (_, bell) in listeners.iter().filter_map(|id| self.connections.get(id)) {
            let _ = bell.send(bytes.clone());
        }
    }
}

impl Port {
    /// How long a message takes.
    pub(super) fn delay(&self) -> Duration {
        let way = self.link.way();
        let jitter = self.dice(|dice| dice.of(0..way.jitter_ms + 1));
        Duration::from_millis(way.latency_ms + jitter)
    }

    /// What chance decides on this way.
    pub(super) fn dice<T>(&self, throw: impl FnOnce(&mut Dice) -> T) -> T {
        throw(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The way.
    pub(super) const fn link(&self) -> &Link {
        &self.link
    }

    /// Has the server do what a command says that arrived.
    pub(super) fn execute(&self, connection: u64, args: &[Bytes]) -> Reply {
        self.server.execute(connection, args)
    }

    async fn open(&self) -> RedisResult<DuplexStream> {
        sleep(self.delay() + self.delay()).await;
        if self.link.way().is_blocked() {
            sleep(CONNECT_TIMEOUT).await;
            return Err(RedisError::from(io::Error::from(io::ErrorKind::TimedOut)));
        }
        let mut inner = self.server.inner();
        if !inner.is_up {
            return Err(RedisError::from(io::Error::from(io::ErrorKind::ConnectionRefused)));
        }
        let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
        let (bell, bells) = unbounded_channel();
        inner.next += 1;
        let id = inner.next;
        let connection = Connection::new(id, self.clone(), ours, bells);
        let task = tokio::spawn(connection.serve()).abort_handle();
        inner.connections.insert(id, (task, bell));
        Ok(theirs)
    }

    async fn with_timeout<T>(work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let timed_out = |_| RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
        timeout(CONNECT_TIMEOUT, work).await.map_err(timed_out)?
    }

    async fn connect(&self, config: AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let info = RedisConnectionInfo::default();
        let made = async {
            let stream = self.open().await?;
            MultiplexedConnection::new_with_config(&info, stream, config).await
        };
        let (connection, driver) = Self::with_timeout(made).await?;
        tokio::spawn(driver);
        Ok(connection)
    }

    async fn listen(&self) -> RedisResult<PubSub> {
        let info = RedisConnectionInfo::default();
        Self::with_timeout(async { PubSub::new(&info, self.open().await?).await }).await
    }
}

impl dialplane_admin::redis_link::Redis for Port {
    fn connect(&self, config: AsyncConnectionConfig) -> BoxFuture<'_, RedisResult<MultiplexedConnection>> {
        Box::pin(self.connect(config))
    }

    fn listen(&self) -> BoxFuture<'_, RedisResult<PubSub>> {
        Box::pin(self.listen())
    }
}

impl dialplane_router::follower::Redis for Port {
    fn connect(&self, config: AsyncConnectionConfig) -> BoxFuture<'_, RedisResult<MultiplexedConnection>> {
        Box::pin(self.connect(config))
    }

    fn listen(&self) -> BoxFuture<'_, RedisResult<PubSub>> {
        Box::pin(self.listen())
    }
}
