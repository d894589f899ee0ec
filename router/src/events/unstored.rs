//! Batches that the admin plane hasn't stored yet: where each of them lies, and how far it is.
//!
//! Pure: who calls says what time it is and does what there is to do. Batches of a writer have sequences without a hole, so
//! that a batch is found by its distance from the first.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use dialplane_common::calls::batch::WriterId;

use super::spill::Span;

/// A batch that was sent so long ago and isn't stored is looked for: Redis may have lost it.
pub const LOOK_FOR_AFTER: Duration = Duration::from_secs(30);

/// A batch of an earlier life of a router that was taken from the stream so many times is stored, though nobody says so: what
/// that router had sent before it, and Redis lost, is a hole that nobody fills any more.
const ADOPTED_SENDS_MAX: u8 = 3;

/// What a batch takes in memory besides its bytes.
const ENTRY_BYTES: usize = 128;

/// A batch: whose, and its sequence.
pub type Key = (WriterId, u64);

/// Where a batch's bytes are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Here.
    Memory(Vec<u8>),
    /// In a file.
    File(Span),
    /// In Redis alone.
    Redis,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Waiting,
    Sending,
    /// As this entry of the stream.
    Sent(String),
    Stored,
}

#[derive(Debug)]
struct Entry {
    events: u64,
    place: Place,
    state: State,
    sends: u8,
    since: Instant,
}

/// The batches of one writer.
#[derive(Debug)]
struct Lane {
    writer: WriterId,
    /// The sequence of the first entry.
    first: u64,
    entries: VecDeque<Entry>,
    /// Those that are to be sent.
    waiting: BTreeSet<u64>,
    /// From when on batches that were sent are looked for.
    looks: VecDeque<(Instant, u64)>,
    /// No batch before this one is in memory, but for empty ones.
    in_memory_from: u64,
}

impl Lane {
    const fn new(writer: WriterId, first: u64) -> Self {
        Self {
            writer,
            first,
            entries: VecDeque::new(),
            waiting: BTreeSet::new(),
            looks: VecDeque::new(),
            in_memory_from: first,
        }
    }

    fn entry(&self, sequence: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(sequence.checked_sub(self.first)?).ok()?)
    }

    fn entry_mut(&mut self, sequence: u64) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(sequence.checked_sub(self.first)?).ok()?)
    }
}

/// Batches that aren't stored yet, this router's own and those that it found in files.
#[derive(Debug)]
pub struct Unstored {
    /// The first is this router's own.
    lanes: Vec<Lane>,
    memory_bytes: usize,
}

impl Unstored {
    /// None yet, of this writer.
    #[must_use]
    pub fn new(own: WriterId) -> Self {
        Self { lanes: vec![Lane::new(own, 1)], memory_bytes: 0 }
    }

    /// Adds the next batch of this router's own, and gives its sequence. `sign` makes its bytes.
    pub fn push(&mut self, events: u64, now: Instant, sign: impl FnOnce(Key) -> Vec<u8>) -> u64 {
        let lane = &mut self.lanes[0];
        let sequence = lane.first + lane.entries.len() as u64;
        let bytes = sign((lane.writer, sequence));
        self.memory_bytes += bytes.len() + ENTRY_BYTES;
        lane.waiting.insert(sequence);
        let place = Place::Memory(bytes);
        lane.entries.push_back(Entry { events, place, state: State::Waiting, sends: 0, since: now });
        sequence
    }

    /// Adds another writer's batches, found in files. `None` stands for one that can't be read: an empty one is sent in
    /// its place.
    pub fn adopt(&mut self, writer: WriterId, first: u64, places: Vec<Option<Span>>, now: Instant) {
        let mut lane = Lane::new(writer, first);
        for (place, sequence) in places.into_iter().zip(first..) {
            let place = place.map_or(Place::Redis, Place::File);
            lane.waiting.insert(sequence);
            lane.entries.push_back(Entry { events: 0, place, state: State::Waiting, sends: 0, since: now });
        }
        self.lanes.push(lane);
    }

    /// The writers of which something isn't stored.
    pub fn writers(&self) -> impl Iterator<Item = WriterId> {
        self.lanes.iter().filter(|lane| !lane.entries.is_empty()).map(|lane| lane.writer)
    }

    /// Whether this writer's batches are here.
    #[must_use]
    pub fn has(&self, writer: WriterId) -> bool {
        self.lanes.iter().any(|lane| lane.writer == writer)
    }

    /// What the batches in memory take, in bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Since when the oldest has been here.
    #[must_use]
    pub fn oldest(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|lane| Some(lane.entries.front()?.since)).min()
    }

    /// How many are to be sent.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    /// The next that is to be sent, which from now on is under way.
    pub fn next(&mut self) -> Option<Key> {
        let lane = self.lanes.iter_mut().find(|lane| !lane.waiting.is_empty())?;
        let sequence = lane.waiting.pop_first()?;
        let writer = lane.writer;
        if let Some(entry) = lane.entry_mut(sequence) {
            entry.state = State::Sending;
        }
        Some((writer, sequence))
    }

    /// Where a batch is, and how many events it has.
    #[must_use]
    pub fn place(&self, (writer, sequence): Key) -> Option<(&Place, u64)> {
        let entry = self.lanes.iter().find(|lane| lane.writer == writer)?.entry(sequence)?;
        Some((&entry.place, entry.events))
    }

    /// Puts an empty batch in the place of one that is lost.
    pub fn replace(&mut self, key: Key, empty: Vec<u8>) {
        let bytes = empty.len() + ENTRY_BYTES;
        if let Some(entry) = self.entry_mut(key) {
            entry.place = Place::Memory(empty);
            entry.events = 0;
            self.memory_bytes += bytes;
        }
    }

    /// A batch lies in Redis, as this entry of the stream. Says whether it had been sent before.
    pub fn sent(&mut self, key: Key, id: String, now: Instant) -> bool {
        let Some(lane) = self.lane_mut(key.0) else { return true };
        let Some(entry) = lane.entry_mut(key.1) else { return false };
        let again = entry.sends > 0;
        entry.sends = entry.sends.saturating_add(1);
        entry.state = State::Sent(id);
        lane.looks.push_back((now + LOOK_FOR_AFTER, key.1));
        again
    }

    /// A batch isn't in Redis, or nobody knows: it is to be sent.
    pub fn send_again(&mut self, key: Key) {
        let Some(lane) = self.lane_mut(key.0) else { return };
        if let Some(entry) = lane.entry_mut(key.1) {
            entry.state = State::Waiting;
            lane.waiting.insert(key.1);
        }
    }

    /// All of a writer's batches up to this one are stored. Gives what they took in files.
    pub fn stored(&mut self, writer: WriterId, sequence: u64) -> Vec<Span> {
        let is_own = self.lanes[0].writer == writer;
        self.pop(writer, |at, entry| {
            // What was never sent isn't stored, whatever somebody wrote into Redis.
            let was_sent = entry.sends > 0 || entry.state == State::Sending || !is_own;
            entry.state == State::Stored || (at <= sequence && was_sent)
        })
    }

    fn pop(&mut self, writer: WriterId, is_done: impl Fn(u64, &Entry) -> bool) -> Vec<Span> {
        let Some(index) = self.lanes.iter().position(|lane| lane.writer == writer) else { return Vec::new() };
        let lane = &mut self.lanes[index];
        let mut spans = Vec::new();
        while lane.entries.front().is_some_and(|entry| is_done(lane.first, entry)) {
            let Some(entry) = lane.entries.pop_front() else { break };
            lane.waiting.remove(&lane.first);
            lane.first += 1;
            match entry.place {
                Place::Memory(bytes) => self.memory_bytes -= bytes.len() + ENTRY_BYTES,
                Place::File(span) => spans.push(span),
                Place::Redis => {}
            }
        }
        lane.in_memory_from = lane.in_memory_from.max(lane.first);
        if index > 0 && lane.entries.is_empty() {
            self.lanes.remove(index);
        }
        spans
    }

    /// Redis may have lost anything: all that was sent is looked for at once.
    pub fn look_for_all(&mut self, now: Instant) {
        for (at, _) in self.lanes.iter_mut().flat_map(|lane| &mut lane.looks) {
            *at = now;
        }
    }

    /// Up to so many batches that are to be looked for, with their entries' ids.
    pub fn due(&mut self, now: Instant, most: usize) -> Vec<(Key, String)> {
        let mut due = Vec::new();
        for lane in &mut self.lanes {
            while due.len() < most && lane.looks.front().is_some_and(|(at, _)| *at <= now) {
                let Some((_, sequence)) = lane.looks.pop_front() else { break };
                if let Some(Entry { state: State::Sent(id), .. }) = lane.entry(sequence) {
                    due.push(((lane.writer, sequence), id.clone()));
                }
            }
        }
        due
    }

    /// A batch that was looked for is in the stream, or isn't: then it was lost, and is sent again. Gives what it took in
    /// files, where it counts as stored.
    pub fn looked_for(&mut self, key: Key, is_there: bool, now: Instant) -> Vec<Span> {
        let is_own = self.lanes[0].writer == key.0;
        let Some(lane) = self.lane_mut(key.0) else { return Vec::new() };
        let Some(entry) = lane.entry_mut(key.1) else { return Vec::new() };
        if !matches!(entry.state, State::Sent(_)) {
            return Vec::new();
        }
        if is_there {
            lane.looks.push_back((now + LOOK_FOR_AFTER, key.1));
        } else if is_own || entry.sends < ADOPTED_SENDS_MAX {
            self.send_again(key);
        } else {
            entry.state = State::Stored;
            return self.pop(key.0, |_, entry| entry.state == State::Stored);
        }
        Vec::new()
    }

    /// The oldest batch in memory, for a file: it goes there by [`Unstored::spilled`].
    #[must_use]
    pub fn oldest_in_memory(&mut self) -> Option<(Key, &[u8])> {
        let lane = &mut self.lanes[0];
        while lane.entry(lane.in_memory_from).is_some_and(|entry| !matches!(entry.place, Place::Memory(_))) {
            lane.in_memory_from += 1;
        }
        let key = (lane.writer, lane.in_memory_from);
        match &lane.entry(lane.in_memory_from)?.place {
            Place::Memory(bytes) => Some((key, bytes)),
            _ => None,
        }
    }

    /// A batch lies in a file from now on.
    pub fn spilled(&mut self, key: Key, span: Span) {
        self.leave_memory(key, Place::File(span));
    }

    /// Lets go of the oldest batch in memory when it lies in Redis. Says whether it did.
    pub fn let_go(&mut self) -> bool {
        let Some((key, _)) = self.oldest_in_memory() else { return false };
        let is_sent = self.entry_mut(key).is_some_and(|entry| matches!(entry.state, State::Sent(_)));
        if is_sent {
            self.leave_memory(key, Place::Redis);
        }
        is_sent
    }

    /// How many events were never sent and aren't in a file.
    #[must_use]
    pub fn unsaved_events(&self) -> u64 {
        let unsaved = |entry: &&Entry| {
            matches!(entry.place, Place::Memory(_)) && matches!(entry.state, State::Waiting | State::Sending)
        };
        self.lanes.iter().flat_map(|lane| &lane.entries).filter(unsaved).map(|entry| entry.events).sum()
    }

    fn leave_memory(&mut self, key: Key, to: Place) {
        let Some(entry) = self.entry_mut(key) else { return };
        if let Place::Memory(bytes) = std::mem::replace(&mut entry.place, to) {
            self.memory_bytes -= bytes.len() + ENTRY_BYTES;
        }
    }

    fn lane_mut(&mut self, writer: WriterId) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.writer == writer)
    }

    fn entry_mut(&mut self, (writer, sequence): Key) -> Option<&mut Entry> {
        self.lane_mut(writer)?.entry_mut(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const OWN: WriterId = WriterId(Uuid::from_u128(1));
    const OTHER: WriterId = WriterId(Uuid::from_u128(2));
    const BYTES: usize = 10;

    fn with(batches: usize, now: Instant) -> Unstored {
        let mut unstored = Unstored::new(OWN);
        for expected in 1..=batches as u64 {
            assert_eq!(unstored.push(1, now, |_| vec![0; BYTES]), expected);
        }
        unstored
    }

    fn send_all(unstored: &mut Unstored, now: Instant) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(key) = unstored.next() {
            unstored.sent(key, format!("{}-0", key.1), now);
            sent.push(key.1);
        }
        sent
    }

    fn span(offset: u64) -> Span {
        Span { file: 0, offset, length: 10 }
    }

    #[test]
    fn a_batch_is_kept_until_it_is_stored() {
        let now = Instant::now();
        let mut unstored = with(3, now);
        assert_eq!(send_all(&mut unstored, now), [1, 2, 3]);
        assert_eq!(unstored.memory_bytes(), 3 * (BYTES + ENTRY_BYTES));
        unstored.stored(OWN, 2);
        assert_eq!((unstored.memory_bytes(), unstored.place((OWN, 2))), (BYTES + ENTRY_BYTES, None));
        // What Redis says after it has lost everything doesn't take anything back.
        unstored.stored(OWN, 1);
        unstored.stored(OWN, 3);
        assert_eq!((unstored.memory_bytes(), unstored.oldest(), unstored.writers().count()), (0, None, 0));
    }

    #[test]
    fn what_was_never_sent_isnt_stored_whatever_redis_says() {
        let mut unstored = with(3, Instant::now());
        unstored.stored(OWN, u64::MAX);
        assert_eq!(unstored.waiting(), 3);
    }

    #[test]
    fn a_batch_that_the_stream_lost_is_sent_again_and_one_that_is_there_isnt() {
        let now = Instant::now();
        let mut unstored = with(2, now);
        send_all(&mut unstored, now);
        assert_eq!(unstored.due(now + LOOK_FOR_AFTER / 2, 9), []);
        let later = now + LOOK_FOR_AFTER;
        let due: Vec<Key> = unstored.due(later, 9).into_iter().map(|(key, _)| key).collect();
        assert_eq!(due, [(OWN, 1), (OWN, 2)]);
        unstored.looked_for(due[0], true, later);
        unstored.looked_for(due[1], false, later);
        assert_eq!(unstored.due(later, 9), []);
        assert_eq!(unstored.next(), Some((OWN, 2)));
        assert!(unstored.sent((OWN, 2), "7-0".into(), later), "that is a resend");
        unstored.look_for_all(later);
        assert_eq!(unstored.due(later, 9), [((OWN, 1), "1-0".to_owned()), ((OWN, 2), "7-0".to_owned())]);
    }

    #[test]
    fn an_outcome_that_nobody_knows_means_to_send_again_in_order() {
        let mut unstored = with(3, Instant::now());
        let keys: Vec<Key> = std::iter::from_fn(|| unstored.next()).collect();
        keys.iter().rev().for_each(|key| unstored.send_again(*key));
        assert_eq!(std::iter::from_fn(|| unstored.next()).collect::<Vec<_>>(), keys);
    }

    #[test]
    fn the_oldest_goes_to_the_file_first_and_leaves_it_when_it_is_stored() {
        let now = Instant::now();
        let mut unstored = with(3, now);
        for expected in 1..=2 {
            let (key, bytes) = unstored.oldest_in_memory().unwrap();
            assert_eq!((key, bytes.len()), ((OWN, expected), BYTES));
            unstored.spilled(key, span(expected));
        }
        assert_eq!(unstored.memory_bytes(), BYTES + ENTRY_BYTES);
        send_all(&mut unstored, now);
        assert_eq!(unstored.stored(OWN, 3), [span(1), span(2)]);
    }

    #[test]
    fn only_what_redis_has_is_let_go_and_an_empty_one_takes_its_place_when_it_is_lost() {
        let now = Instant::now();
        let mut unstored = with(2, now);
        assert!(!unstored.let_go(), "nothing is sent yet");
        let key = unstored.next().unwrap();
        unstored.sent(key, "1-0".into(), now);
        assert!(unstored.let_go() && !unstored.let_go());
        assert_eq!((unstored.place(key), unstored.unsaved_events()), (Some((&Place::Redis, 1)), 1));
        unstored.look_for_all(now);
        assert_eq!(unstored.due(now, 9).len(), 1);
        unstored.looked_for(key, false, now);
        assert_eq!(unstored.next(), Some(key));
        unstored.replace(key, vec![0; 4]);
        assert_eq!(unstored.place(key), Some((&Place::Memory(vec![0; 4]), 0)));
    }

    #[test]
    fn another_writers_batches_go_when_they_are_stored_or_were_taken_again_and_again() {
        let now = Instant::now();
        let mut unstored = Unstored::new(OWN);
        unstored.adopt(OTHER, 5, vec![Some(span(0)), None, Some(span(2))], now);
        assert_eq!(unstored.waiting(), 3);
        assert_eq!(unstored.stored(OTHER, 5), [span(0)], "stored before it was sent from here");
        for round in 1..=ADOPTED_SENDS_MAX {
            assert_eq!(send_all(&mut unstored, now), [6, 7], "round {round}");
            unstored.look_for_all(now);
            let freed: Vec<Span> = unstored
                .due(now, 9)
                .into_iter()
                .flat_map(|(key, _)| unstored.looked_for(key, false, now))
                .collect();
            let expected = if round == ADOPTED_SENDS_MAX { vec![span(2)] } else { vec![] };
            assert_eq!(freed, expected, "round {round}");
        }
        assert!(!unstored.has(OTHER));
    }
}
