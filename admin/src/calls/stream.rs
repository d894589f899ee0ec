//! The stream of events in Redis, and what its writers are told.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use dialplane_common::feed::keys::Keys;
use redis::{FromRedisValue, RedisResult, Script, Value};
use uuid::Uuid;

use crate::redis_link::RedisLink;
use crate::store::call_events::BatchId;

/// The group that all admin processes are of: each entry goes to one of them.
const GROUP: &str = "admin";
/// How long a read waits for entries: shorter than any answer of Redis may take.
const BLOCK: Duration = Duration::from_secs(1);
/// An entry that a process has had for so long without being done is somebody else's: the process is dead, or hangs.
const IDLE: Duration = Duration::from_secs(30);
/// A consumer that has nothing and did nothing for so long is gone.
const GONE: Duration = Duration::from_secs(60 * 60);
/// So many entries that nobody can read are kept for people.
const DEAD_MAX: u32 = 1_000;
/// Entries that are asked for at a time: a batch holds some hundreds of events.
const ENTRIES_MAX: usize = 16;

/// Moves what a writer is told on, never back: another process may have told it of more meanwhile.
static TELL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "for at = 1, #ARGV, 2 do
            local told = tonumber(redis.call('HGET', KEYS[1], ARGV[at]) or '-1')
            if tonumber(ARGV[at + 1]) > told then redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
         end",
    )
});

/// An entry: its id and the batch in it; without one where it has none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamEntry {
    /// The entry's id.
    pub id: String,
    /// The batch's bytes.
    pub batch: Option<Vec<u8>>,
}

/// How far behind storing is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lag {
    /// Entries in the stream.
    pub entries: u64,
    /// The age of the oldest one: milliseconds.
    pub oldest_ms: u64,
}

/// The stream, as one consumer sees it.
pub struct Events {
    /// Waits for entries: nothing else is sent over this connection.
    reader: RedisLink,
    link: RedisLink,
    keys: Keys,
    consumer: String,
}

impl Events {
    /// A consumer of its own.
    #[must_use]
    pub fn new(redis: &redis::Client, keys: Keys) -> Self {
        let consumer = Uuid::now_v7().to_string();
        Self { reader: RedisLink::new(redis.clone()), link: RedisLink::new(redis.clone()), keys, consumer }
    }

    /// Makes the group where there is none: on an empty Redis, before the first router has written.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn join(&self) -> RedisResult<()> {
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(self.keys.events()).arg(GROUP).arg("0").arg("MKSTREAM");
        match self.link.query::<()>(&command).await {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            other => other,
        }
    }

    /// New entries; waits for some, if `waits`, for a second.
    ///
    /// # Errors
    /// When Redis is away, or has lost the group.
    pub async fn read(&self, waits: bool) -> RedisResult<Vec<StreamEntry>> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(ENTRIES_MAX);
        if waits {
            command.arg("BLOCK").arg(u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX));
        }
        command.arg("STREAMS").arg(self.keys.events()).arg(">");
        let streams: Option<Vec<(String, Vec<Value>)>> = self.reader.query(&command).await?;
        let entries = streams.into_iter().flatten().flat_map(|(_, entries)| entries);
        entries.map(entry).collect()
    }

    /// Entries that another process had and didn't store.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn claim(&self) -> RedisResult<Vec<StreamEntry>> {
        let mut command = redis::cmd("XAUTOCLAIM");
        let idle = u64::try_from(IDLE.as_millis()).unwrap_or(u64::MAX);
        command.arg(self.keys.events()).arg(GROUP).arg(&self.consumer).arg(idle).arg("0-0");
        command.arg("COUNT").arg(ENTRIES_MAX);
        let answer: Vec<Value> = self.link.query(&command).await?;
        let claimed = answer.into_iter().nth(1).unwrap_or(Value::Nil);
        let entries: Option<Vec<Value>> = redis::from_redis_value(claimed)?;
        // Up to version 6 an entry that was deleted meanwhile stands there as nothing.
        entries.into_iter().flatten().filter(|entry| *entry != Value::Nil).map(entry).collect()
    }

    /// Is done with entries, and tells writers up to where they are stored.
    ///
    /// # Errors
    /// When Redis is away: the entries come again, and the writers are told later.
    pub async fn done(&self, ids: &[String], through: &[BatchId]) -> RedisResult<()> {
        if !ids.is_empty() {
            let mut pipeline = redis::pipe();
            pipeline.cmd("XACK").arg(self.keys.events()).arg(GROUP).arg(ids).ignore();
            pipeline.cmd("XDEL").arg(self.keys.events()).arg(ids).ignore();
            self.link.pipe::<()>(&pipeline).await?;
        }
        self.tell(through).await
    }

    /// Tells writers up to where they are stored.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn tell(&self, through: &[BatchId]) -> RedisResult<()> {
        if through.is_empty() {
            return Ok(());
        }
        let mut script = TELL.prepare_invoke();
        script.key(self.keys.events_stored());
        for (writer, sequence) in through {
            script.arg(writer.to_string()).arg(*sequence);
        }
        self.link.script(&script).await
    }

    /// Puts entries that nobody can read aside.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn bury(&self, entries: &[StreamEntry]) -> RedisResult<()> {
        let mut pipeline = redis::pipe();
        for entry in entries {
            let batch = entry.batch.as_deref().unwrap_or_default();
            pipeline.cmd("XADD").arg(self.keys.events_dead()).arg("MAXLEN").arg(DEAD_MAX).arg("*");
            pipeline.arg("batch").arg(batch).arg("entry").arg(&entry.id).ignore();
        }
        self.link.pipe(&pipeline).await
    }

    /// How far behind storing is.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn lag(&self) -> RedisResult<Lag> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("XLEN").arg(self.keys.events());
        pipeline.cmd("XRANGE").arg(self.keys.events()).arg("-").arg("+").arg("COUNT").arg(1);
        pipeline.cmd("TIME");
        let (entries, oldest, (now_s, now_us)): (u64, Vec<Value>, (u64, u64)) =
            self.link.pipe(&pipeline).await?;
        let oldest = oldest.into_iter().next().map(entry).transpose()?;
        let written = oldest.and_then(|entry| entry.id.split_once('-')?.0.parse::<u64>().ok());
        let now = now_s * 1_000 + now_us / 1_000;
        Ok(Lag { entries, oldest_ms: written.map_or(0, |written| now.saturating_sub(written)) })
    }

    /// Forgets consumers that are gone: they have nothing left, and did nothing for an hour.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn tidy(&self) -> RedisResult<()> {
        let mut command = redis::cmd("XINFO");
        command.arg("CONSUMERS").arg(self.keys.events()).arg(GROUP);
        let consumers: Vec<HashMap<String, Value>> = self.link.query(&command).await?;
        let number = |fields: &HashMap<String, Value>, name: &str| {
            fields.get(name).cloned().and_then(|value| redis::from_redis_value::<u64>(value).ok())
        };
        for fields in consumers {
            let is_gone = number(&fields, "pending") == Some(0)
                && number(&fields, "idle").is_some_and(|idle| u128::from(idle) > GONE.as_millis());
            let name = fields.get("name").cloned().map(redis::from_redis_value::<String>).transpose()?;
            if let Some(name) = name.filter(|name| is_gone && *name != self.consumer) {
                let mut command = redis::cmd("XGROUP");
                command.arg("DELCONSUMER").arg(self.keys.events()).arg(GROUP).arg(name);
                self.link.query::<()>(&command).await?;
            }
        }
        Ok(())
    }

    /// Takes itself off the group's list; entries that it still has stay there for others.
    pub async fn leave(&self) {
        let mut command = redis::cmd("XPENDING");
        command.arg(self.keys.events()).arg(GROUP).arg("-").arg("+").arg(1).arg(&self.consumer);
        let pending: RedisResult<Vec<Value>> = self.link.query(&command).await;
        if pending.is_ok_and(|pending| pending.is_empty()) {
            let mut command = redis::cmd("XGROUP");
            command.arg("DELCONSUMER").arg(self.keys.events()).arg(GROUP).arg(&self.consumer);
            // One that stays is forgotten later.
            let _ = self.link.query::<()>(&command).await;
        }
    }
}

fn entry(value: Value) -> RedisResult<StreamEntry> {
    let (id, fields): (String, Value) = redis::from_redis_value(value)?;
    // Whoever wrote other fields than ours has an entry without a batch.
    let fields = HashMap::<String, Vec<u8>>::from_redis_value(fields).unwrap_or_default();
    Ok(StreamEntry {
        id,
        batch: fields.into_iter().find(|(name, _)| name == "batch").map(|(_, batch)| batch),
    })
}
