//! Redis, as events need it: one thing at a time, while whoever asks does something else.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dialplane_common::calls::batch::WriterId;
use dialplane_common::feed::keys::Keys;
use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisResult};

use super::unstored::Key;

/// A Redis that doesn't answer for this long is away.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(2);

/// Appends a batch unless the stream holds as much as it may, and says as which entry and what is stored of its writer's.
/// Sent whole each time: that costs nothing beside a batch, and a Redis that was restarted knows it, too.
const APPEND: &str = r"
local id = false
if redis.call('XLEN', KEYS[1]) < tonumber(ARGV[1]) then
  id = redis.call('XADD', KEYS[1], '*', 'batch', ARGV[3])
end
return {id, redis.call('HGET', KEYS[2], ARGV[2])}
";

/// Says of each entry whether it is in the stream, without giving it.
const PRESENT: &str = r"
local present = {}
for index, id in ipairs(ARGV) do
  present[index] = #redis.call('XRANGE', KEYS[1], id, id, 'COUNT', 1)
end
return present
";

/// What became of a batch: the entry that it is now, unless the stream is full; what is stored of its writer's.
pub type Appended = (Option<String>, Option<u64>);

/// Something that was asked of Redis has ended.
#[derive(Debug)]
pub enum Done {
    /// It was connected to.
    Connected(RedisResult<()>),
    /// Batches were appended, as far as there was room.
    Appended(Vec<Key>, RedisResult<Vec<Appended>>),
    /// It was asked what is stored of these writers', and which of these batches' entries are there.
    Looked(Vec<WriterId>, Vec<Key>, RedisResult<Found>),
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// Of each writer, up to which sequence all is stored.
    pub stored: Vec<Option<u64>>,
    /// Of each entry, whether it is there.
    pub present: Vec<bool>,
}

enum Ended {
    Connected(RedisResult<MultiplexedConnection>),
    Other(Done),
}

/// The connection, and what is under way on it.
pub struct Link {
    client: redis::Client,
    stream: String,
    stored: String,
    stream_max: String,
    connection: Option<MultiplexedConnection>,
    job: Option<BoxFuture<'static, Ended>>,
    pause: Duration,
    connect_at: Option<Instant>,
}

/// Batches on their way.
pub struct Appending {
    pipeline: Pipeline,
    keys: Vec<Key>,
}

static CONFIG: LazyLock<AsyncConnectionConfig> = LazyLock::new(|| {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
});

impl Link {
    /// To a stream of so many entries. Not connected yet.
    #[must_use]
    pub fn new(client: redis::Client, names: &Keys, stream_max: usize) -> Self {
        Self {
            client,
            stream: names.events(),
            stored: names.events_stored(),
            stream_max: stream_max.to_string(),
            connection: None,
            job: None,
            pause: RECONNECT_MIN,
            connect_at: None,
        }
    }

    /// Whether something is under way.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// Whether Redis answered last.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Begins to connect, unless it was tried a moment ago.
    pub fn connect(&mut self, now: Instant) {
        if self.connect_at.is_some_and(|at| now < at) {
            return;
        }
        self.connect_at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(RECONNECT_MAX);
        let client = self.client.clone();
        let job = async move {
            Ended::Connected(client.get_multiplexed_async_connection_with_config(&CONFIG).await)
        };
        self.job = Some(Box::pin(job));
    }

    /// An empty list of batches to append.
    #[must_use]
    pub fn appending(&self) -> Appending {
        Appending { pipeline: Pipeline::new(), keys: Vec::new() }
    }

    /// Adds a batch to such a list.
    pub fn add(&self, appending: &mut Appending, key: Key, batch: &[u8]) {
        let command = appending.pipeline.cmd("EVAL").arg(APPEND).arg(2);
        command.arg(&self.stream).arg(&self.stored);
        command.arg(&self.stream_max).arg(key.0.0.to_string()).arg(batch);
        appending.keys.push(key);
    }

    /// Begins to append batches.
    pub fn append(&mut self, appending: Appending) {
        let Some(mut connection) = self.connection.clone() else { return };
        let Appending { pipeline, keys } = appending;
        let job = async move {
            let appended = pipeline.query_async(&mut connection).await;
            Ended::Other(Done::Appended(keys, appended))
        };
        self.job = Some(Box::pin(job));
    }

    /// Begins to ask what is stored of these writers', and which of these entries are there.
    pub fn look(&mut self, writers: Vec<WriterId>, sent: Vec<(Key, String)>) {
        let Some(mut connection) = self.connection.clone() else { return };
        let (keys, ids): (Vec<Key>, Vec<String>) = sent.into_iter().unzip();
        let mut pipeline = Pipeline::new();
        let fields: Vec<String> = writers.iter().map(|writer| writer.0.to_string()).collect();
        pipeline.cmd("HMGET").arg(&self.stored).arg(fields);
        pipeline.cmd("EVAL").arg(PRESENT).arg(1).arg(&self.stream).arg(ids);
        let job = async move {
            let found = pipeline.query_async(&mut connection).await;
            let found = found.map(|(stored, present): (_, Vec<i64>)| Found {
                stored,
                present: present.into_iter().map(|count| count > 0).collect(),
            });
            Ended::Other(Done::Looked(writers, keys, found))
        };
        self.job = Some(Box::pin(job));
    }

    /// Waits for the end of what is under way; for ever when nothing is. What it waited for isn't lost when it is dropped.
    pub async fn done(&mut self) -> Done {
        let Some(job) = &mut self.job else { return std::future::pending().await };
        let ended = job.await;
        self.job = None;
        match ended {
            Ended::Connected(connected) => Done::Connected(connected.map(|connection| {
                self.connection = Some(connection);
            })),
            Ended::Other(done) => {
                match &done {
                    Done::Appended(_, Err(_)) | Done::Looked(_, _, Err(_)) => self.connection = None,
                    // One that connects and takes nothing is away, too.
                    Done::Appended(_, Ok(_)) => self.pause = RECONNECT_MIN,
                    _ => {}
                }
                done
            }
        }
    }
}
