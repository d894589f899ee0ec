//! A snapshot from a file: its parts are checked and read by several threads, and put together in their order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use dialplane_common::feed::frame::{Kind, StoredFrames};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::{Manifest, MessageError, Part};
use dialplane_common::feed::record::AgentRecord;
use dialplane_common::feed::{FRAMES_BYTES_MAX, RecordHash};
use dialplane_common::ids::{AccountId, AgentId, TenantId};
use uuid::Uuid;

use super::{Content, FileError};
use crate::snapshot::load::{LoadedNumber, LoadedOwn, LoadingNumbers};
use crate::snapshot::map::MapKey;
use crate::snapshot::numbers::{ENTRY_BYTES, Entry, NumbersBuilder};
use crate::snapshot::plan::{OwnRouting, Plan, Plans};
use crate::snapshot::prepared::Prepared;
use crate::snapshot::slots::{Slot, SlotIndex, Slots};
use crate::snapshot::{Account, ApplyError, Snapshot, Tenant};

/// Longer messages than this are no messages.
const MESSAGE_BYTES_MAX: u32 = 4 * FRAMES_BYTES_MAX as u32;

/// More threads than this only wait for memory.
const THREADS_MAX: usize = 8;

pub fn read(file: File, keys: &Keyring) -> Result<Snapshot, FileError> {
    let mut source = Source { file: BufReader::with_capacity(FRAMES_BYTES_MAX, file), ended: false };
    let mut message = Vec::new();
    source.message(&mut message)?;
    let manifest = Manifest::verify(&message, keys)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let (source, (sender, receiver)) = (Mutex::new(source), mpsc::sync_channel(2 * threads));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (source, sender) = (&source, sender.clone());
            scope.spawn(move || read_parts(source, &manifest, keys, &sender));
        }
        drop(sender);
        let mut assembly = Assembly::new(&manifest);
        InOrder { receiver, early: BTreeMap::new(), next: 0, ended: false }
            .try_for_each(|piece| assembly.add(piece?))?;
        assembly.finish(&manifest, keys)
    })
}

/// Parts in their order, whichever thread has read them.
struct InOrder {
    receiver: Receiver<Result<(Place, Piece), FileError>>,
    early: BTreeMap<u32, (bool, Piece)>,
    next: u32,
    ended: bool,
}

/// Where a part stands, and whether it is the last.
type Place = (u32, bool);

impl Iterator for InOrder {
    type Item = Result<Piece, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((last, piece)) = self.early.remove(&self.next) {
                (self.next, self.ended) = (self.next + 1, last);
                return Some(Ok(piece));
            }
            match self.receiver.recv() {
                Ok(Ok(((index, last), piece))) => {
                    // Nothing stands behind the last part, and nothing stands twice.
                    if self.ended || index < self.next || self.early.insert(index, (last, piece)).is_some() {
                        return Some(Err(ApplyError::OutOfOrder.into()));
                    }
                }
                Ok(Err(error)) => return Some(Err(error)),
                Err(_) if self.ended && self.early.is_empty() => return None,
                Err(_) => return Some(Err(ApplyError::OutOfOrder.into())),
            }
        }
    }
}

/// The bytes, one message at a time.
struct Source {
    file: BufReader<File>,
    ended: bool,
}

impl Source {
    fn message(&mut self, message: &mut Vec<u8>) -> Result<(), FileError> {
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > MESSAGE_BYTES_MAX {
            return Err(MessageError::Malformed.into());
        }
        message.resize(length as usize, 0);
        self.file.read_exact(message)?;
        Ok(())
    }

    /// The next message; `false` when there is none.
    fn next(&mut self, message: &mut Vec<u8>) -> Result<bool, FileError> {
        use std::io::BufRead;
        if self.ended || self.file.fill_buf()?.is_empty() {
            return Ok(false);
        }
        // After a failure nothing that follows makes sense.
        self.ended = true;
        self.message(message)?;
        self.ended = false;
        Ok(true)
    }
}

/// What one thread does: takes the next message, checks and reads it, until there is none or nobody wants more.
fn read_parts(
    source: &Mutex<Source>,
    manifest: &Manifest,
    keys: &Keyring,
    parts: &SyncSender<Result<(Place, Piece), FileError>>,
) {
    let mut message = Vec::new();
    loop {
        let taken = source.lock().unwrap_or_else(PoisonError::into_inner).next(&mut message);
        let part = match taken {
            Ok(false) => return,
            Ok(true) => read_part(&message, manifest, keys),
            Err(error) => Err(error),
        };
        let failed = part.is_err();
        if parts.send(part).is_err() || failed {
            return;
        }
    }
}

fn read_part(message: &[u8], manifest: &Manifest, keys: &Keyring) -> Result<(Place, Piece), FileError> {
    let part = Part::verify(message, keys)?;
    if (part.epoch, part.revision) != (manifest.epoch, manifest.revision) {
        return Err(ApplyError::OutOfOrder.into());
    }
    let piece = Piece::read(&part, keys).ok_or(MessageError::Malformed)?;
    Ok(((part.index, part.last), piece))
}

/// What a part holds.
enum Piece {
    Ids(u8, Vec<Uuid>),
    Records(Vec<(RecordHash, Prepared)>),
    Plans(Vec<(Arc<Plan>, u32)>),
    Numbers(NumbersPiece),
    Ranges(NumbersPiece),
}

#[derive(Default)]
struct NumbersPiece {
    numbers: Vec<LoadedNumber>,
    /// Which of them have which plan.
    plans: Vec<(usize, usize)>,
}

impl Piece {
    fn read(part: &Part<'_>, keys: &Keyring) -> Option<Self> {
        let bytes = part.bytes;
        Some(match part.content {
            content if content == Content::Ids as u8 => match bytes.split_first() {
                Some((kind, ids)) => {
                    Self::Ids(*kind, ids.as_chunks().0.iter().map(|id| Uuid::from_bytes(*id)).collect())
                }
                None => Self::Ids(0, Vec::new()),
            },
            content if content == Content::Records as u8 => {
                let prepare = |stored: Result<(RecordHash, _), _>| {
                    let (hash, frame) = stored.ok()?;
                    Some((hash, Prepared::of(hash, &frame, keys)))
                };
                Self::Records(StoredFrames::new(bytes).map(prepare).collect::<Option<_>>()?)
            }
            content if content == Content::Plans as u8 => Self::Plans(read_plans(bytes)?),
            content if content == Content::Numbers as u8 => Self::Numbers(NumbersPiece::read(bytes)?),
            content if content == Content::Ranges as u8 => Self::Ranges(NumbersPiece::read(bytes)?),
            _ => return None,
        })
    }
}

fn read_plans(mut bytes: &[u8]) -> Option<Vec<(Arc<Plan>, u32)>> {
    let mut plans = Vec::new();
    while !bytes.is_empty() {
        let count = u32::from_le_bytes(*take(&mut bytes)?);
        // What an earlier version didn't know is unset: zero bytes.
        let own = [sized(&mut bytes)?, &[0; 8]].concat();
        let (own, _appended) = postcard::take_from_bytes::<OwnRouting>(&own).ok()?;
        plans.push((Arc::new(own.prepare().ok()?), count));
    }
    Some(plans)
}

impl NumbersPiece {
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut piece =
            Self { numbers: Vec::with_capacity(bytes.len() / (ENTRY_BYTES + 4)), plans: Vec::new() };
        while !bytes.is_empty() {
            let entry = Entry::from_bytes(take(&mut bytes)?);
            let mut own = sized(&mut bytes)?;
            let is_set = !own.is_empty();
            if is_set {
                let plan = u32::from_le_bytes(*take(&mut own)?) as usize;
                piece.plans.extend(plan.checked_sub(1).map(|plan| (piece.numbers.len(), plan)));
            }
            let own = is_set.then(|| Box::new(LoadedOwn { plan: None, place: own.into() }));
            piece.numbers.push(LoadedNumber { entry, own });
        }
        Some(piece)
    }
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}

/// Bytes behind their length.
fn sized<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(*take(bytes)?);
    let (taken, rest) = bytes.split_at_checked(length as usize)?;
    *bytes = rest;
    Some(taken)
}

/// Slots being filled in their order.
struct Filling<K, V> {
    slots: Vec<Slot<K, V>>,
    next: usize,
}

impl<K: MapKey, V> Filling<K, V> {
    fn add_ids(&mut self, ids: impl Iterator<Item = K>) {
        self.slots.extend(ids.map(|id| Slot::new(id, None)));
    }

    fn fill(&mut self, key: K, hash: RecordHash, value: Arc<V>) -> Result<(), MessageError> {
        let ahead = self.slots[self.next..].iter().position(|slot| slot.key == key);
        let at = self.next + ahead.ok_or(MessageError::Malformed)?;
        self.slots[at] = Slot::new(key, Some((hash, value)));
        self.next = at + 1;
        Ok(())
    }

    const fn has(&self, slot: SlotIndex) -> bool {
        (slot.0 as usize) < self.slots.len()
    }

    fn build(self) -> Result<Slots<K, V>, MessageError> {
        Slots::build(&self.slots).ok_or(MessageError::Malformed)
    }
}

impl<K, V> Default for Filling<K, V> {
    fn default() -> Self {
        Self { slots: Vec::new(), next: 0 }
    }
}

/// A snapshot being put together.
struct Assembly {
    snapshot: Snapshot,
    tenants: Filling<TenantId, Tenant>,
    agents: Filling<AgentId, AgentRecord>,
    accounts: Filling<AccountId, Account>,
    plans: Vec<(Arc<Plan>, u32)>,
    numbers: LoadingNumbers,
    ranges: NumbersBuilder<LoadedNumber>,
    others: Vec<Vec<u8>>,
}

impl Assembly {
    fn new(manifest: &Manifest) -> Self {
        let count = usize::try_from(manifest.records).unwrap_or_default();
        Self {
            snapshot: Snapshot { revision: manifest.revision, ..Snapshot::empty(manifest.epoch) },
            tenants: Filling::default(),
            agents: Filling::default(),
            accounts: Filling::default(),
            plans: Vec::new(),
            numbers: LoadingNumbers::new(count),
            ranges: NumbersBuilder::new(0),
            others: Vec::new(),
        }
    }

    fn finish(self, manifest: &Manifest, keys: &Keyring) -> Result<Snapshot, FileError> {
        let mut snapshot = self.snapshot;
        (snapshot.tenants, snapshot.agents) = (self.tenants.build()?, self.agents.build()?);
        let accounts: Vec<_> =
            self.accounts.slots.iter().filter_map(|slot| Some((slot.key, slot.value.clone()?))).collect();
        snapshot.accounts = self.accounts.build()?;
        accounts.iter().for_each(|(id, account)| snapshot.link_account(*id, account));
        snapshot.plans = Plans::build(self.plans.into_iter()).ok_or(MessageError::Malformed)?;
        self.numbers.finish(&mut snapshot);
        snapshot.ranges = self.ranges.finish();
        for frames in &self.others {
            for stored in StoredFrames::new(frames) {
                let (hash, frame) = stored.map_err(ApplyError::from)?;
                snapshot.put(Some(hash), &frame, keys);
            }
        }
        if snapshot.digest == manifest.digest { Ok(snapshot) } else { Err(ApplyError::Digest.into()) }
    }

    fn add(&mut self, piece: Piece) -> Result<(), FileError> {
        match piece {
            Piece::Ids(kind, ids) => self.add_ids(kind, ids)?,
            Piece::Records(records) => {
                for (hash, record) in records {
                    self.add_record(hash, record)?;
                }
            }
            Piece::Plans(plans) => {
                let slots = plans.iter().flat_map(|(plan, _)| plan.own.accounts.iter().flatten());
                if !slots.copied().all(|slot| self.accounts.has(SlotIndex(slot))) {
                    return Err(MessageError::Malformed.into());
                }
                self.plans.extend(plans);
            }
            Piece::Numbers(piece) => {
                for number in self.settle(piece)? {
                    self.numbers.push(number)?;
                }
            }
            Piece::Ranges(piece) => {
                for range in self.settle(piece)? {
                    if !self.ranges.push(range) {
                        return Err(ApplyError::Twice.into());
                    }
                }
            }
        }
        Ok(())
    }

    fn add_ids(&mut self, kind: u8, ids: Vec<Uuid>) -> Result<(), MessageError> {
        let ids = ids.into_iter();
        match Kind::ALL.into_iter().find(|known| *known as u8 == kind) {
            Some(Kind::Tenant) => self.tenants.add_ids(ids.map(TenantId)),
            Some(Kind::Agent) => self.agents.add_ids(ids.map(AgentId)),
            Some(Kind::Account) => self.accounts.add_ids(ids.map(AccountId)),
            _ if ids.len() == 0 => {}
            _ => return Err(MessageError::Malformed),
        }
        Ok(())
    }

    fn add_record(&mut self, hash: RecordHash, record: Prepared) -> Result<(), MessageError> {
        match record {
            Prepared::Tenant(id, tenant) => self.tenants.fill(id, hash, tenant)?,
            Prepared::Agent(id, agent) => self.agents.fill(id, hash, agent)?,
            Prepared::Account(id, account) => self.accounts.fill(id, hash, account)?,
            // They count when they are put, behind the numbers.
            Prepared::Other(frame) => {
                self.others.push(frame);
                return Ok(());
            }
        }
        self.snapshot.digest = self.snapshot.digest.with(hash);
        Ok(())
    }

    /// Numbers with their plans, all of whose slots are there.
    fn settle(&mut self, mut piece: NumbersPiece) -> Result<Vec<LoadedNumber>, MessageError> {
        for (at, plan) in piece.plans {
            let (plan, _) = self.plans.get(plan).ok_or(MessageError::Malformed)?;
            if let Some(own) = &mut piece.numbers[at].own {
                own.plan = Some(Arc::clone(plan));
            }
        }
        for LoadedNumber { entry, .. } in &piece.numbers {
            let known = self.tenants.has(entry.tenant())
                && entry.agent().is_none_or(|slot| self.agents.has(slot))
                && entry.account().is_none_or(|slot| self.accounts.has(slot));
            if !known {
                return Err(MessageError::Malformed);
            }
            self.snapshot.digest = self.snapshot.digest.with(entry.hash());
        }
        Ok(piece.numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_of_earlier_versions_lack_what_was_appended() {
        let own = OwnRouting { calls_max: Some(3), ..OwnRouting::default() };
        let whole = dialplane_common::feed::frame::encode(&own);
        for length in [whole.len() - 1, whole.len()] {
            let sized = u32::try_from(length).unwrap().to_le_bytes();
            let plans = read_plans(&[&7_u32.to_le_bytes()[..], &sized, &whole[..length]].concat()).unwrap();
            assert_eq!((&plans[0].0.own, plans[0].1), (&own, 7));
        }
    }
}
