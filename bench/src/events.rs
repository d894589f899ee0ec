//! The stream of events as the admin plane reads it: batches in, verified, stored, deleted.

use std::collections::BTreeMap;

use dialplane_common::calls::batch::{Batch, WriterId};
use dialplane_common::calls::event::CallEvent;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::{Keys, NAMESPACE};
use redis::RedisResult;

use crate::system::{FEED_KEY, Redis};

/// Batches read at once.
const BATCHES_MAX: usize = 64;

/// An entry of the stream: its id, and its fields.
type Entry = (String, Vec<(String, Vec<u8>)>);

/// Reads events and says that they are stored.
pub struct EventStream {
    connection: redis::Connection,
    names: Keys,
    keys: Keyring,
    /// Of each writer, the sequences that were read. What is behind a hole isn't said to be stored.
    read: BTreeMap<WriterId, Sequences>,
}

/// What was read of one writer.
#[derive(Debug, Default)]
struct Sequences {
    /// All up to this one.
    whole: u64,
    beyond: std::collections::BTreeSet<u64>,
}

impl Sequences {
    /// Adds one; `false` when it was there.
    fn add(&mut self, sequence: u64) -> bool {
        let is_new = sequence > self.whole && self.beyond.insert(sequence);
        while self.beyond.remove(&(self.whole + 1)) {
            self.whole += 1;
        }
        is_new
    }
}

impl EventStream {
    /// Of a Redis.
    ///
    /// # Errors
    /// When the key for measurements is none: a mistake of this crate.
    pub fn of(redis: &Redis) -> Result<Self, String> {
        let keys = Keyring::feed(FEED_KEY).map_err(|error| error.to_string())?;
        let names = Keys::new(NAMESPACE);
        Ok(Self { connection: redis.connection(), names, keys, read: BTreeMap::new() })
    }

    /// After Redis was restarted: connects again. What was read stays read.
    pub fn reconnect(&mut self, redis: &Redis) {
        self.connection = redis.connection();
    }

    /// How many batches the stream holds.
    ///
    /// # Errors
    /// When Redis doesn't answer.
    pub fn len(&mut self) -> RedisResult<u64> {
        redis::cmd("XLEN").arg(self.names.events()).query(&mut self.connection)
    }

    /// Whether it holds none.
    ///
    /// # Errors
    /// As [`EventStream::len`].
    pub fn is_empty(&mut self) -> RedisResult<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads batches from the stream's beginning, shows each event of those that are new, and says that they are stored.
    /// Gives how many batches it read.
    ///
    /// # Errors
    /// When Redis doesn't answer, or a batch isn't signed.
    pub fn store(&mut self, mut each: impl FnMut(CallEvent<'_>)) -> Result<usize, String> {
        self.take(|_, batch| CallEvent::read_all(batch).flatten().for_each(&mut each))
    }

    /// The same with the events of a batch as they are.
    ///
    /// # Errors
    /// As [`EventStream::store`].
    pub fn take(&mut self, mut each: impl FnMut(WriterId, &[u8])) -> Result<usize, String> {
        let failed = |error: redis::RedisError| format!("the stream of events: {error}");
        let stream = self.names.events();
        let mut range = redis::cmd("XRANGE");
        range.arg(&stream).arg("-").arg("+").arg("COUNT").arg(BATCHES_MAX);
        let entries: Vec<Entry> = range.query(&mut self.connection).map_err(failed)?;
        let mut deleted = redis::cmd("XDEL");
        deleted.arg(&stream);
        let mut stored = redis::cmd("HSET");
        stored.arg(self.names.events_stored());
        for (id, fields) in &entries {
            let batch = fields.iter().find(|(name, _)| name == "batch").map(|(_, batch)| batch);
            let batch = batch.ok_or("an entry of the stream has no batch")?;
            let batch = Batch::verify(batch, &self.keys).map_err(|error| error.to_string())?;
            let read = self.read.entry(batch.writer).or_default();
            if read.add(batch.sequence) {
                each(batch.writer, batch.events);
            }
            deleted.arg(id);
            stored.arg(batch.writer.0.to_string()).arg(read.whole);
        }
        if !entries.is_empty() {
            let mut both = redis::pipe();
            both.atomic().add_command(stored).ignore().add_command(deleted).ignore();
            both.exec(&mut self.connection).map_err(failed)?;
        }
        Ok(entries.len())
    }

    /// The writers of which something was read, and up to which sequence all was.
    pub fn writers(&self) -> impl Iterator<Item = (WriterId, u64)> {
        self.read.iter().map(|(writer, read)| (*writer, read.whole))
    }

    /// Whether something is missing between two batches that were read.
    #[must_use]
    pub fn has_hole(&self) -> bool {
        self.read.values().any(|read| !read.beyond.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_hole_isnt_whole() {
        let mut read = Sequences::default();
        assert_eq!([1, 3, 1, 3].map(|sequence| read.add(sequence)), [true, true, false, false]);
        assert_eq!((read.whole, read.beyond.len()), (1, 1));
        assert!(read.add(2));
        assert_eq!((read.whole, read.beyond.len()), (3, 0));
    }
}
