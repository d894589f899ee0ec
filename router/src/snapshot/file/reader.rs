//! A snapshot from a file: its parts are checked and read by several threads, and put together in their order.

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use dialplane_common::feed::frame::{Kind, StoredFrames, Unreadable};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::{Manifest, MessageError, Part};
use dialplane_common::feed::record::{AgentRecord, Record};
use dialplane_common::feed::{FRAMES_BYTES_MAX, RecordHash};
use dialplane_common::ids::{AccountId, AgentId, TenantId};
use uuid::Uuid;

use super::{Content, FileError};
use crate::snapshot::load::{LoadedNumber, LoadedOwn};
use crate::snapshot::map::MapKey;
use crate::snapshot::numbers::{ENTRY_BYTES, Entry};
use crate::snapshot::plan::{OwnRouting, Plan, Plans};
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
    let source = Mutex::new(source);
    let work = || read_parts(&source, &manifest, keys);
    let parts: Vec<Result<Vec<(u32, bool, Piece)>, FileError>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let panicked = || Err(MessageError::Malformed.into());
        others.into_iter().map(|other| other.join().unwrap_or_else(|_| panicked())).chain([own]).collect()
    });
    let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut parts: Vec<_> = parts.into_iter().flatten().collect();
    parts.sort_unstable_by_key(|(index, ..)| *index);
    let whole = parts.iter().zip(0..).all(|((index, ..), expected)| *index == expected)
        && parts.iter().rposition(|(_, last, _)| *last) == parts.len().checked_sub(1);
    if !whole {
        return Err(ApplyError::OutOfOrder.into());
    }
    Assembly::default().of(parts.into_iter().map(|(.., piece)| piece), &manifest, keys)
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

/// What one thread does: takes the next message, checks and reads it, until there is none.
fn read_parts(
    source: &Mutex<Source>,
    manifest: &Manifest,
    keys: &Keyring,
) -> Result<Vec<(u32, bool, Piece)>, FileError> {
    let (mut parts, mut message) = (Vec::new(), Vec::new());
    while source.lock().unwrap_or_else(PoisonError::into_inner).next(&mut message)? {
        let part = Part::verify(&message, keys)?;
        if (part.epoch, part.revision) != (manifest.epoch, manifest.revision) {
            return Err(ApplyError::OutOfOrder.into());
        }
        parts.push((part.index, part.last, Piece::read(&part, keys).ok_or(MessageError::Malformed)?));
    }
    Ok(parts)
}

/// What a part holds.
enum Piece {
    Ids(u8, Vec<Uuid>),
    Records(Vec<(RecordHash, Prepared)>),
    Plans(Vec<(Arc<Plan>, u32)>),
    Numbers(NumbersPiece),
    Ranges(NumbersPiece),
}

/// A record, ready for its slot.
enum Prepared {
    Tenant(TenantId, Arc<Tenant>),
    Agent(AgentId, Arc<AgentRecord>),
    Account(AccountId, Arc<Account>),
    /// Any other, one that can't be read included: as a stored frame.
    Other(Vec<u8>),
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

impl Prepared {
    fn of(hash: RecordHash, frame: &dialplane_common::feed::frame::Frame<'_>, keys: &Keyring) -> Self {
        let prepared = frame.record().and_then(|record| {
            Ok(match record {
                Some(Record::Tenant(id, record)) => {
                    Self::Tenant(id, Arc::new(Tenant::prepare(id, record, keys)?))
                }
                Some(Record::Agent(id, record)) => Self::Agent(id, Arc::new(record)),
                Some(Record::Account(id, record)) => {
                    Self::Account(id, Arc::new(Account::prepare(id, record, keys)?))
                }
                _ => return Err(Unreadable::Key),
            })
        });
        prepared.unwrap_or_else(|_| {
            let mut bytes = Vec::new();
            StoredFrames::write(hash, frame, &mut bytes);
            Self::Other(bytes)
        })
    }
}

fn read_plans(mut bytes: &[u8]) -> Option<Vec<(Arc<Plan>, u32)>> {
    let mut plans = Vec::new();
    while !bytes.is_empty() {
        let count = u32::from_le_bytes(*take(&mut bytes)?);
        let own: OwnRouting = postcard::from_bytes(sized(&mut bytes)?).ok()?;
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

impl<K: MapKey + Send + Sync, V> Filling<K, V> {
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
#[derive(Default)]
struct Assembly {
    tenants: Filling<TenantId, Tenant>,
    agents: Filling<AgentId, AgentRecord>,
    accounts: Filling<AccountId, Account>,
    plans: Vec<(Arc<Plan>, u32)>,
    numbers: Vec<LoadedNumber>,
    ranges: Vec<LoadedNumber>,
    others: Vec<Vec<u8>>,
}

impl Assembly {
    fn of(
        mut self,
        pieces: impl Iterator<Item = Piece>,
        manifest: &Manifest,
        keys: &Keyring,
    ) -> Result<Snapshot, FileError> {
        let mut snapshot = Snapshot { revision: manifest.revision, ..Snapshot::empty(manifest.epoch) };
        self.numbers.reserve_exact(usize::try_from(manifest.records).unwrap_or_default().min(1 << 24));
        for piece in pieces {
            self.add(piece, &mut snapshot)?;
        }
        self.check_slots()?;
        (snapshot.tenants, snapshot.agents) = (self.tenants.build()?, self.agents.build()?);
        let accounts: Vec<_> =
            self.accounts.slots.iter().map(|slot| (slot.key, slot.value.clone())).collect();
        snapshot.accounts = self.accounts.build()?;
        for (id, account) in accounts {
            account.into_iter().for_each(|account| snapshot.link_account(id, &account));
        }
        snapshot.plans = Plans::build(self.plans.into_iter());
        snapshot.hold_numbers(&self.numbers)?;
        drop(self.numbers);
        snapshot.hold_ranges(&self.ranges)?;
        for frames in &self.others {
            for stored in StoredFrames::new(frames) {
                let (hash, frame) = stored.map_err(ApplyError::from)?;
                snapshot.put(Some(hash), &frame, keys);
            }
        }
        if snapshot.digest == manifest.digest { Ok(snapshot) } else { Err(ApplyError::Digest.into()) }
    }

    fn add(&mut self, piece: Piece, snapshot: &mut Snapshot) -> Result<(), MessageError> {
        match piece {
            Piece::Ids(kind, ids) => {
                let ids = ids.into_iter();
                match Kind::ALL.into_iter().find(|known| *known as u8 == kind) {
                    Some(Kind::Tenant) => self.tenants.add_ids(ids.map(TenantId)),
                    Some(Kind::Agent) => self.agents.add_ids(ids.map(AgentId)),
                    Some(Kind::Account) => self.accounts.add_ids(ids.map(AccountId)),
                    _ if ids.len() == 0 => {}
                    _ => return Err(MessageError::Malformed),
                }
            }
            Piece::Records(records) => {
                for (hash, record) in records {
                    match record {
                        Prepared::Tenant(id, tenant) => self.tenants.fill(id, hash, tenant)?,
                        Prepared::Agent(id, agent) => self.agents.fill(id, hash, agent)?,
                        Prepared::Account(id, account) => self.accounts.fill(id, hash, account)?,
                        Prepared::Other(frame) => {
                            self.others.push(frame);
                            continue;
                        }
                    }
                    snapshot.digest = snapshot.digest.with(hash);
                }
            }
            Piece::Plans(plans) => self.plans.extend(plans),
            Piece::Numbers(piece) => add_numbers(piece, &mut self.numbers, &self.plans, snapshot)?,
            Piece::Ranges(piece) => add_numbers(piece, &mut self.ranges, &self.plans, snapshot)?,
        }
        Ok(())
    }

    /// Every slot that a number refers to is there.
    fn check_slots(&self) -> Result<(), MessageError> {
        let has = |slots: usize, slot: Option<SlotIndex>| slot.is_none_or(|slot| (slot.0 as usize) < slots);
        let (tenants, agents) = (self.tenants.slots.len(), self.agents.slots.len());
        let accounts = self.accounts.slots.len();
        let known = self.numbers.iter().chain(&self.ranges).all(|LoadedNumber { entry, .. }| {
            has(tenants, Some(entry.tenant())) && has(agents, entry.agent()) && has(accounts, entry.account())
        });
        let planned = self.plans.iter().flat_map(|(plan, _)| plan.own.accounts.iter().flatten());
        let planned = planned.copied().all(|slot| has(accounts, Some(SlotIndex(slot))));
        if known && planned { Ok(()) } else { Err(MessageError::Malformed) }
    }
}

fn add_numbers(
    mut piece: NumbersPiece,
    numbers: &mut Vec<LoadedNumber>,
    plans: &[(Arc<Plan>, u32)],
    snapshot: &mut Snapshot,
) -> Result<(), MessageError> {
    for (at, plan) in piece.plans {
        let (plan, _) = plans.get(plan).ok_or(MessageError::Malformed)?;
        if let Some(own) = &mut piece.numbers[at].own {
            own.plan = Some(Arc::clone(plan));
        }
    }
    let digest =
        piece.numbers.iter().fold(snapshot.digest, |digest, number| digest.with(number.entry.hash()));
    snapshot.digest = digest;
    numbers.append(&mut piece.numbers);
    Ok(())
}
