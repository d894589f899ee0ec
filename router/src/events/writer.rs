//! Takes events from the workers' buffers, makes batches of them, and sees to it that each is stored.
//!
//! On a thread of its own: a disk that hangs keeps nobody else waiting. It never waits for Redis either: while something is
//! under way there, buffers are emptied all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dialplane_common::calls::batch::{Batch, WriterId};
use dialplane_common::feed::keyring::Keyring;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use super::frames::Frames;
use super::link::{Appended, Done, Found, Link};
use super::metrics::{Dropped, EventMetrics};
use super::queue::Queue;
use super::spill::{Spill, SpillError};
use super::unstored::{Key, Place, Unstored};
use crate::webhook::Webhooks;

/// How often buffers are emptied: often enough for a live view. A round costs some hundred microseconds whatever there is, three
/// wake-ups with the answer of Redis; fifty a second were most of what events cost at ten thousand calls a second.
const GATHER_EVERY: Duration = Duration::from_millis(50);

/// While batches wait, what there is for the next is gathered so long: nothing that is lost in a crash is older.
const GATHER_MAX: Duration = Duration::from_secs(1);

/// A Redis that has been away for so long is away for longer: what waits goes to the file.
const AWAY_AFTER: Duration = Duration::from_secs(1);

/// How often Redis is asked what is stored, and gauges are set.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the folder is looked through for files that nobody has any more.
const ADOPT_EVERY: Duration = Duration::from_secs(5);

/// How long a full stream is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(200);

/// Batches under way at once: half a megabyte.
const BATCHES_MAX: usize = 8;

/// Batches that are looked for at once.
const LOOKS_MAX: usize = 256;

/// How often it is logged that events are lost.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// What a batch takes in memory besides its events, at most.
const BESIDES_EVENTS_BYTES: usize = 256;

/// Batches in memory that aren't stored yet: what comes in a second of ten thousand calls a second, ten times over. With a
/// folder, more than half of it goes to the file.
pub const MEMORY_BYTES_MAX: usize = 16 << 20;

/// What the writer works with.
pub struct Parts {
    /// What counts.
    pub webhooks: Arc<Webhooks>,
    /// What workers offered.
    pub queue: Arc<Queue>,
    /// Redis.
    pub link: Option<Link>,
    /// Files.
    pub spill: Option<Spill>,
    /// Bytes of batches in memory.
    pub memory_bytes_max: usize,
}

/// Sees to it that events are stored.
pub struct Writer {
    parts: Parts,
    own: WriterId,
    unstored: Unstored,
    frames: Frames,
    spare: Vec<u8>,
    /// Since when Redis hasn't taken batches; absent while it does.
    away_since: Option<Instant>,
    /// The stream was full: when it is tried again.
    full_until: Option<Instant>,
    look_at: Instant,
    note_at: Instant,
    adopt_at: Instant,
    log_at: Instant,
    away_log_at: Instant,
}

impl Writer {
    /// A writer with a name of its own.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let now = Instant::now();
        let own = WriterId(uuid::Uuid::now_v7());
        let spare = parts.queue.spare();
        Self {
            own,
            unstored: Unstored::new(own),
            frames: Frames::default(),
            spare,
            away_since: Some(now),
            full_until: None,
            look_at: now,
            note_at: now,
            adopt_at: now,
            log_at: now,
            away_log_at: now,
            parts,
        }
    }

    /// Works until it is told to stop, and then for as long as it is told until what is left is sent.
    pub async fn run(mut self, mut stop: oneshot::Receiver<Duration>) {
        let mut gather = tokio::time::interval(GATHER_EVERY);
        gather.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let queue = Arc::clone(&self.parts.queue);
        let limit = loop {
            tokio::select! {
                biased;
                limit = &mut stop => break limit.unwrap_or_default(),
                done = done(&mut self.parts.link) => self.ended(done, Instant::now()),
                _ = gather.tick() => self.gather(false, Instant::now()),
                () = queue.enough() => self.gather(false, Instant::now()),
            }
            self.go_on(Instant::now());
        };
        self.finish(limit).await;
    }

    /// Does what is due, and asks the next thing of Redis.
    fn go_on(&mut self, now: Instant) {
        if now >= self.adopt_at {
            self.adopt_at = now + ADOPT_EVERY;
            self.adopt(now);
        }
        if self.is_away(now) {
            while self.spill_oldest().is_ok_and(|spilled| spilled) {}
        }
        if now >= self.note_at {
            self.note_at = now + LOOK_EVERY;
            self.note(now);
        }
        if self.parts.link.as_ref().is_none_or(Link::is_busy) {
            return;
        }
        let Some(link) = &mut self.parts.link else { return };
        if !link.is_connected() {
            link.connect(now);
            return;
        }
        let writers: Vec<WriterId> = self.unstored.writers().collect();
        if now >= self.look_at && !writers.is_empty() {
            let due = self.unstored.due(now, LOOKS_MAX);
            // Where there are more, they are looked for at once.
            self.look_at = if due.len() < LOOKS_MAX { now + LOOK_EVERY } else { now };
            link.look(writers, due);
        } else if self.full_until.is_none_or(|until| now >= until) {
            self.append();
        }
    }

    /// Begins to send what waits.
    fn append(&mut self) {
        let most = if self.full_until.is_some() { 1 } else { BATCHES_MAX };
        let keys: Vec<Key> = std::iter::from_fn(|| self.unstored.next()).take(most).collect();
        if keys.is_empty() {
            return;
        }
        let read: Vec<Option<Vec<u8>>> = keys.iter().map(|key| self.read_back(*key)).collect();
        let Some(link) = &mut self.parts.link else { return };
        let mut appending = link.appending();
        for (key, read) in keys.into_iter().zip(read) {
            match (&read, self.unstored.place(key)) {
                (Some(bytes), _) | (None, Some((Place::Memory(bytes), _))) => {
                    link.add(&mut appending, key, bytes);
                }
                _ => {}
            }
        }
        link.append(appending);
    }

    /// A batch's bytes when it isn't in memory. One that is lost leaves an empty one in its place: its sequence has to be
    /// accounted for.
    fn read_back(&mut self, key: Key) -> Option<Vec<u8>> {
        let (place, events) = self.unstored.place(key)?;
        let why = match place {
            Place::Memory(_) => return None,
            Place::Redis => Dropped::MemoryFull,
            Place::File(span) => match self.parts.spill.as_ref()?.read(*span) {
                Ok(bytes) => return Some(bytes),
                Err(error) => {
                    tracing::error!(%error, "read a batch of events back from its file");
                    let span = *span;
                    self.parts.spill.as_mut()?.free(span);
                    Dropped::FileError
                }
            },
        };
        self.metrics().dropped(why, events);
        let empty = Batch { writer: key.0, sequence: key.1, events: &[] }.sign(self.keys());
        self.unstored.replace(key, empty);
        None
    }

    /// Something that was asked of Redis has ended.
    fn ended(&mut self, done: Done, now: Instant) {
        let failed = match done {
            Done::Connected(Ok(())) => {
                self.away_since = None;
                // What was sent before may be gone with an earlier life of Redis.
                self.unstored.look_for_all(now);
                self.look_at = now;
                None
            }
            Done::Connected(Err(error)) => Some(error),
            Done::Appended(keys, Ok(appended)) => {
                self.appended(&keys, appended, now);
                None
            }
            Done::Appended(keys, Err(error)) => {
                keys.iter().for_each(|key| self.unstored.send_again(*key));
                Some(error)
            }
            Done::Looked(writers, keys, Ok(found)) => {
                self.found(&writers, &keys, found, now);
                None
            }
            Done::Looked(_, _, Err(error)) => Some(error),
        };
        let Some(error) = failed else { return };
        self.metrics().redis_errors.inc();
        self.away_since.get_or_insert(now);
        if now >= self.away_log_at {
            self.away_log_at = now + LOG_EVERY;
            tracing::warn!(%error, "send events to Redis, trying again until it takes them; they wait");
        }
    }

    fn appended(&mut self, keys: &[Key], appended: Vec<Appended>, now: Instant) {
        let mut is_full = false;
        for (key, (id, stored)) in keys.iter().zip(appended) {
            match id {
                Some(id) => {
                    let again = self.unstored.sent(*key, id, now);
                    self.metrics().sent(again);
                }
                None => {
                    is_full = true;
                    self.unstored.send_again(*key);
                }
            }
            self.stored(key.0, stored);
        }
        self.full_until = is_full.then_some(now + FULL_PAUSE);
        self.away_since = if is_full { self.away_since.or(Some(now)) } else { None };
        self.metrics().stream_full.set(i64::from(is_full));
    }

    fn found(&mut self, writers: &[WriterId], keys: &[Key], found: Found, now: Instant) {
        for (writer, stored) in writers.iter().zip(found.stored) {
            self.stored(*writer, stored);
        }
        for (key, is_there) in keys.iter().zip(found.present) {
            let freed = self.unstored.looked_for(*key, is_there, now);
            self.free(freed);
        }
    }

    fn stored(&mut self, writer: WriterId, sequence: Option<u64>) {
        let Some(sequence) = sequence else { return };
        let freed = self.unstored.stored(writer, sequence);
        self.free(freed);
    }

    fn free(&mut self, spans: Vec<super::spill::Span>) {
        let Some(spill) = &mut self.parts.spill else { return };
        spans.into_iter().for_each(|span| spill.free(span));
    }

    /// Empties the workers' buffers and makes batches: of `all`, or of what fills one or has waited for long enough.
    fn gather(&mut self, all: bool, now: Instant) {
        let counts = self.frames.take(&self.parts.queue, &mut self.spare, now);
        self.metrics().offered(&counts);
        let mut frames = std::mem::take(&mut self.frames);
        while let Some((batch, events)) = frames.next_full() {
            self.keep(batch, events, now);
        }
        let is_taken = self.away_since.is_none() && self.unstored.waiting() == 0;
        let is_old = frames.since().is_some_and(|since| now.duration_since(since) >= GATHER_MAX);
        if all || is_taken || is_old {
            while let Some((batch, events)) = frames.next_any() {
                self.keep(batch, events, now);
            }
        }
        frames.forget_cut();
        self.frames = frames;
    }

    /// Numbers and signs a batch and keeps it until it is stored, where there is room. Without room the newest are lost, before
    /// they have a number: a number that was given is accounted for, and what came first isn't worth less.
    fn keep(&mut self, frames: &[u8], events: u64, now: Instant) {
        if let Err(why) = self.make_room(frames.len() + BESIDES_EVENTS_BYTES) {
            self.metrics().dropped(why, events);
            if now >= self.log_at {
                self.log_at = now + LOG_EVERY;
                let reason = why.label();
                tracing::error!(
                    reason,
                    events,
                    "events of calls are lost: see dialplane_router_call_events_dropped_total"
                );
            }
            return;
        }
        let keys = &self.parts.webhooks.keys;
        self.unstored
            .push(events, now, |(writer, sequence)| Batch { writer, sequence, events: frames }.sign(keys));
    }

    /// Makes room in memory for so many bytes more: in a file, or by what Redis has.
    fn make_room(&mut self, bytes: usize) -> Result<(), Dropped> {
        let most = self.parts.memory_bytes_max;
        while self.unstored.memory_bytes() + bytes > most / 2 {
            match self.spill_oldest() {
                Ok(true) => {}
                // Up to the whole of it without a file: what Redis has is let go, what it hasn't stays.
                _ if self.unstored.memory_bytes() + bytes <= most => break,
                _ if self.unstored.let_go() => {}
                Ok(false) => return Err(Dropped::MemoryFull),
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    /// Moves the oldest batch in memory to the file; `false`: there is none, or no file.
    fn spill_oldest(&mut self) -> Result<bool, Dropped> {
        let Some(spill) = &mut self.parts.spill else { return Ok(false) };
        let Some((key, bytes)) = self.unstored.oldest_in_memory() else { return Ok(false) };
        match spill.append(self.own, bytes) {
            Ok(span) => {
                self.unstored.spilled(key, span);
                Ok(true)
            }
            Err(SpillError::Full) => Err(Dropped::FileFull),
            Err(SpillError::System(error)) => {
                let now = Instant::now();
                if now >= self.log_at {
                    self.log_at = now + LOG_EVERY;
                    tracing::error!(%error, "write events to a file; they wait in memory");
                }
                Err(Dropped::FileError)
            }
        }
    }

    /// Takes on what routers left that ended.
    fn adopt(&mut self, now: Instant) {
        let Some(spill) = &mut self.parts.spill else { return };
        // A folder that isn't there, or can't be read, is told of when something is to be written.
        let Ok((adopted, torn)) = spill.adopt(|writer| self.unstored.has(writer)) else { return };
        self.metrics().files_torn.inc_by(torn);
        for found in adopted {
            let batches = found.batches.len();
            tracing::info!(writer = %found.writer.0, batches, "found events of a router that ended");
            self.unstored.adopt(found.writer, found.first, found.batches, now);
        }
    }

    fn is_away(&self, now: Instant) -> bool {
        self.away_since.is_some_and(|since| now.duration_since(since) >= AWAY_AFTER)
    }

    /// Sets the gauges.
    fn note(&self, now: Instant) {
        let file_bytes = self.parts.spill.as_ref().map_or(0, Spill::bytes);
        let metrics = self.metrics();
        metrics.waiting(self.unstored.memory_bytes() + self.frames.bytes(), file_bytes);
        let age = self.unstored.oldest().map(|oldest| now.duration_since(oldest));
        metrics.unstored_age.set(age.unwrap_or_default().as_secs_f64());
    }

    /// Sends what is left, for so long; what isn't sent then goes to the file.
    async fn finish(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        self.gather(true, Instant::now());
        while self.parts.link.is_some() && self.unstored.unsaved_events() > 0 && Instant::now() < deadline {
            // A connection that is only just being made is worth a moment.
            if self.is_away(Instant::now()) && self.parts.spill.is_some() {
                break;
            }
            self.go_on(Instant::now());
            if let Ok(done) = tokio::time::timeout(GATHER_EVERY, done(&mut self.parts.link)).await {
                self.ended(done, Instant::now());
            }
        }
        if self.unstored.unsaved_events() > 0 {
            while self.spill_oldest().is_ok_and(|spilled| spilled) {}
        }
        let lost = self.unstored.unsaved_events();
        if lost > 0 {
            self.metrics().dropped(Dropped::Stopped, lost);
            tracing::error!(lost, "events of calls are lost: Redis is away, and no file takes them");
        }
    }

    fn metrics(&self) -> &EventMetrics {
        &self.parts.webhooks.metrics.events
    }

    fn keys(&self) -> &Keyring {
        &self.parts.webhooks.keys
    }
}

async fn done(link: &mut Option<Link>) -> Done {
    match link {
        Some(link) => link.done().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::samples::event;
    use crate::events::spill::samples::{Folder, keys};
    use crate::outbound::Outbound;
    use crate::webhook::Origins;
    use dialplane_common::calls::event::CallEvent;

    const MEMORY: usize = 4_000;

    /// A writer without Redis.
    fn writer(spill: Option<Spill>) -> Writer {
        let outbound = Outbound::default();
        let webhooks = Webhooks::new(keys(), Origins::default(), Duration::from_secs(1), outbound).unwrap();
        let (webhooks, queue) = (Arc::new(webhooks), Arc::new(Queue::new(1, 0)));
        Writer::new(Parts { webhooks, queue, link: None, spill, memory_bytes_max: MEMORY })
    }

    /// Offers events, each in a batch of its own.
    fn offer(writer: &mut Writer, events: usize) {
        for _ in 0..events {
            writer.parts.queue.offer(&event("CA1"));
            writer.gather(true, Instant::now());
        }
    }

    /// How many events were dropped, checked against what the writer has kept: of all that was offered, nothing is neither.
    fn check_dropped(writer: &mut Writer, offered: u64, why: Dropped) {
        let dropped = writer.metrics().dropped_sum();
        let kept: Vec<u64> =
            std::iter::from_fn(|| writer.unstored.next()).map(|(_, sequence)| sequence).collect();
        assert!(dropped > 0, "{why:?}");
        assert_eq!(kept, (1..=offered - dropped).collect::<Vec<_>>(), "{why:?}: no hole");
        let text = writer.parts.webhooks.metrics.encode().unwrap();
        let series = format!("call_events_dropped_total{{reason=\"{}\"}} {dropped}\n", why.label());
        assert!(text.contains(&series), "{series}");
    }

    #[test]
    fn where_there_is_no_room_the_newest_are_lost_and_counted() {
        let folder = Folder::new();
        let nowhere = folder.path().join("file");
        std::fs::write(&nowhere, b"").unwrap();
        let spill = |path: std::path::PathBuf, bytes| Spill::new(path, bytes, keys());
        let cases = [
            (None, Dropped::MemoryFull),
            (Some(spill(folder.path().join("events"), 1_000)), Dropped::FileFull),
            (Some(spill(nowhere.join("events"), 1_000)), Dropped::FileError),
        ];
        for (spill, why) in cases {
            let mut writer = writer(spill);
            offer(&mut writer, 100);
            assert!(writer.unstored.memory_bytes() <= MEMORY);
            check_dropped(&mut writer, 100, why);
        }
    }

    #[test]
    fn with_a_folder_more_than_half_of_the_memory_goes_there() {
        let folder = Folder::new();
        let mut writer = writer(Some(folder.spill(1_000_000)));
        offer(&mut writer, 100);
        assert!(writer.unstored.memory_bytes() <= MEMORY / 2);
        assert_eq!((writer.unstored.waiting(), writer.metrics().dropped_sum()), (100, 0));
        let first = writer.unstored.next().unwrap();
        let bytes = writer.read_back(first).unwrap();
        let batch = Batch::verify(&bytes, writer.keys()).unwrap();
        assert_eq!((batch.writer, batch.sequence), (writer.own, 1));
        assert_eq!(CallEvent::read_all(batch.events).collect::<Vec<_>>(), [Ok(event("CA1"))]);
    }

    #[test]
    fn a_batch_that_cant_be_read_back_leaves_an_empty_one_in_its_place() {
        let folder = Folder::new();
        let mut writer = writer(Some(folder.spill(1_000_000)));
        offer(&mut writer, 100);
        let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(10).unwrap();
        let first = writer.unstored.next().unwrap();
        assert_eq!(writer.read_back(first), None);
        let Some((Place::Memory(bytes), 0)) = writer.unstored.place(first) else { panic!("an empty batch") };
        let batch = Batch::verify(bytes, writer.keys()).unwrap();
        assert_eq!((batch.writer, batch.sequence, batch.events), (writer.own, 1, &[][..]));
        assert_eq!(writer.metrics().dropped_sum(), 1);
    }

    #[test]
    fn what_is_there_at_the_end_goes_to_the_file_and_is_lost_without_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = Folder::new();
        for (spill, lost) in [(Some(folder.spill(1_000_000)), 0), (None, 1)] {
            let mut writer = writer(spill);
            writer.parts.queue.offer(&event("CA1"));
            let webhooks = Arc::clone(&writer.parts.webhooks);
            runtime.block_on(writer.finish(Duration::ZERO));
            assert_eq!(webhooks.metrics.events.dropped_sum(), lost);
            drop(writer);
        }
        let (adopted, torn) = folder.spill(1_000_000).adopt(|_| false).unwrap();
        assert_eq!((adopted.len(), adopted[0].batches.len(), torn), (1, 1, 0));
    }
}
