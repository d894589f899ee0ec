//! A whole state, loaded from a checkpoint's chunks. Nothing of it is served before it is complete.

use std::sync::Arc;

use dialplane_common::e164::E164;
use dialplane_common::feed::RecordHash;
use dialplane_common::feed::frame::{Frame, Kind, StoredFrames};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::{Chunk, Manifest};
use dialplane_common::feed::record::Record;
use dialplane_common::feed::report::Serving;

use super::number::{Parts, has_number_ids};
use super::numbers::{Entry, Fields, Item, NumbersBuilder, Own};
use super::plan::Plan;
use super::{ApplyError, Snapshot};

/// A state of which some chunks are there.
///
/// Numbers are collected and sorted before their tree is built: building it at once takes a fraction of the time.
#[derive(Debug)]
pub struct Loading {
    snapshot: Snapshot,
    numbers: Vec<LoadedNumber>,
    /// Numbers that can't be read, as stored frames: they come behind the last good state of the same number.
    unreadable: Vec<u8>,
}

/// A number that isn't in its tree yet.
#[derive(Debug)]
pub(super) struct LoadedNumber {
    pub entry: Entry,
    pub own: Option<Box<LoadedOwn>>,
}

/// What it sets itself.
#[derive(Debug)]
pub(super) struct LoadedOwn {
    pub plan: Option<Arc<Plan>>,
    pub place: Box<[u8]>,
}

impl LoadedNumber {
    fn new(fields: Fields, plan: Option<Arc<Plan>>, place: Vec<u8>) -> Self {
        let own = LoadedOwn { plan, place: place.into() };
        let is_set = own.plan.is_some() || !own.place.is_empty();
        Self { entry: fields.into(), own: is_set.then(|| Box::new(own)) }
    }
}

impl Item for LoadedNumber {
    fn entry(&self) -> Entry {
        self.entry
    }

    fn own(&self) -> Own<'_> {
        self.own.as_ref().map_or_else(Own::default, |own| Own { plan: own.plan.as_ref(), place: &own.place })
    }
}

impl Loading {
    /// The empty state that a checkpoint's chunks are then added to.
    #[must_use]
    pub fn begin(manifest: &Manifest) -> Self {
        let empty = Snapshot { revision: manifest.revision, ..Snapshot::empty(manifest.epoch) };
        Self { snapshot: empty, numbers: Vec::new(), unreadable: Vec::new() }
    }

    /// Which state it will be, with the digest of what is there.
    #[must_use]
    pub const fn serving(&self) -> Serving {
        self.snapshot.serving()
    }

    /// Adds the chunk that follows.
    ///
    /// # Errors
    /// See [`ApplyError`]; the state is then of no use.
    pub fn add(&mut self, chunk: &Chunk<'_>, keys: &Keyring) -> Result<(), ApplyError> {
        if (chunk.epoch, chunk.revision) != (self.snapshot.epoch, self.snapshot.revision) {
            return Err(ApplyError::OutOfOrder);
        }
        for stored in StoredFrames::new(chunk.frames) {
            let (hash, frame) = stored?;
            if frame.key.kind == Kind::Number as u8 {
                self.add_number(hash, &frame);
            } else {
                self.snapshot.put(Some(hash), &frame, keys);
            }
        }
        Ok(())
    }

    fn add_number(&mut self, hash: RecordHash, frame: &Frame<'_>) {
        if let Ok(Some(Record::Number(number, record))) = frame.record() {
            let mut parts = Parts::of(record);
            if let Ok((fields, plan)) = self.snapshot.settle(number.to_u64(), &mut parts, hash) {
                self.snapshot.digest = self.snapshot.digest.with(hash);
                self.numbers.push(LoadedNumber::new(fields, plan, parts.text));
                return;
            }
        }
        StoredFrames::write(hash, frame, &mut self.unreadable);
    }

    /// The state, once its last chunk was added.
    ///
    /// # Errors
    /// [`ApplyError::Digest`] when its records don't add up to what the manifest says.
    pub fn complete(mut self, manifest: &Manifest, keys: &Keyring) -> Result<Snapshot, ApplyError> {
        self.numbers.sort_by_key(|number| number.entry.spread());
        let mut snapshot = self.snapshot;
        let mut numbers = LoadingNumbers::new(self.numbers.len());
        for number in self.numbers {
            numbers.push(number)?;
        }
        numbers.finish(&mut snapshot);
        for stored in StoredFrames::new(&self.unreadable) {
            let (hash, frame) = stored?;
            snapshot.put(Some(hash), &frame, keys);
        }
        if snapshot.digest == manifest.digest { Ok(snapshot) } else { Err(ApplyError::Digest) }
    }
}

/// Numbers being taken in the order of their entries.
#[derive(Debug)]
pub(super) struct LoadingNumbers {
    numbers: NumbersBuilder<LoadedNumber>,
    /// Those that providers have names for.
    named: Vec<E164>,
}

impl LoadingNumbers {
    pub const fn new(count: usize) -> Self {
        Self { numbers: NumbersBuilder::new(count), named: Vec::new() }
    }

    /// # Errors
    /// [`ApplyError::Twice`] when the number doesn't follow the one before.
    pub fn push(&mut self, number: LoadedNumber) -> Result<(), ApplyError> {
        if has_number_ids(number.own().place) {
            self.named.extend(E164::from_u64(number.entry.fields().key));
        }
        if self.numbers.push(number) { Ok(()) } else { Err(ApplyError::Twice) }
    }

    pub fn finish(self, snapshot: &mut Snapshot) {
        snapshot.numbers = self.numbers.finish();
        self.named.into_iter().for_each(|number| snapshot.link_number(number));
    }
}
