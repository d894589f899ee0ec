//! A whole state, loaded from a checkpoint's chunks. Nothing of it is served before it is complete.
//!
//! A chunk is read by itself ([`ReadChunk`]), so that several threads read several; they are added in their order. What
//! numbers refer to comes before them in a checkpoint, so that its slots are given out all at once when the first number
//! comes. Numbers are collected by the child of their tree's root that they belong to; at the end several threads sort
//! and build these, which takes a fraction of inserting one by one.

use std::panic::resume_unwind;
use std::sync::Arc;

use dialplane_common::e164::E164;
use dialplane_common::feed::frame::{Frame, Kind, StoredFrames};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::{Chunk, Manifest};
use dialplane_common::feed::record::{AgentRecord, Record};
use dialplane_common::feed::{Epoch, RecordHash, Revision};
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};

use super::map::MapKey;
use super::number::{Parts, has_number_ids};
use super::numbers::{Entry, Fields, Item, Numbers, NumbersBuilder, NumbersPart, Own};
use super::plan::{OwnRouting, Plan};
use super::prepared::{Prepared, zone};
use super::slots::{Slot, SlotIndex, Slots};
use super::trie::{CHILDREN, SMALL_MAX, child_of};
use super::{Account, ApplyError, Snapshot, Tenant};

/// What a chunk holds, as far as it can be read without the rest of the state.
#[derive(Debug)]
pub struct ReadChunk {
    epoch: Epoch,
    revision: Revision,
    records: Vec<(RecordHash, Prepared)>,
    numbers: Vec<(RecordHash, ReadNumber)>,
    /// Numbers that can't be read, as stored frames.
    unreadable: Vec<u8>,
}

/// A number whose slots aren't known.
#[derive(Debug)]
enum ReadNumber {
    /// As most are: one account speaks of it, and it sets nothing itself.
    Plain { key: u64, id: PhoneNumberId, tenant: TenantId, agent: Option<AgentId>, account: AccountId },
    /// Any other.
    Own(u64, Box<Parts>),
}

impl ReadChunk {
    /// Reads a chunk.
    ///
    /// # Errors
    /// [`ApplyError::Frame`].
    pub fn read(chunk: &Chunk<'_>, keys: &Keyring) -> Result<Self, ApplyError> {
        let (epoch, revision) = (chunk.epoch, chunk.revision);
        let mut read =
            Self { epoch, revision, records: Vec::new(), numbers: Vec::new(), unreadable: Vec::new() };
        for stored in StoredFrames::new(chunk.frames) {
            let (hash, frame) = stored?;
            if frame.key.kind != Kind::Number as u8 {
                read.records.push((hash, Prepared::of(hash, &frame, keys)));
            } else if let Some(number) = ReadNumber::of(&frame) {
                read.numbers.push((hash, number));
            } else {
                StoredFrames::write(hash, &frame, &mut read.unreadable);
            }
        }
        Ok(read)
    }
}

impl ReadNumber {
    /// `None`: it can't be read.
    fn of(frame: &Frame<'_>) -> Option<Self> {
        let Ok(Some(Record::Number(number, record))) = frame.record() else { return None };
        record.timezone.as_deref().map(zone).transpose().ok()?;
        let (key, parts) = (number.to_u64(), Parts::of(record));
        let Parts { id, tenant, agent, .. } = parts;
        Some(match *parts.accounts {
            [account] if parts.text.is_empty() && parts.routing == OwnRouting::default() => {
                Self::Plain { key, id, tenant, agent, account }
            }
            _ => Self::Own(key, Box::new(parts)),
        })
    }
}

/// A state of which some chunks are there.
#[derive(Debug)]
pub struct Loading {
    snapshot: Snapshot,
    /// How many records there are to be.
    records: usize,
    /// Until the first number comes.
    owners: Option<Owners>,
    numbers: Vec<Vec<LoadedNumber>>,
    found: Found,
    /// What the tables don't take at once, as stored frames. It comes last: what can't be read stays beside what can.
    others: Vec<u8>,
}

/// Records that others refer to, in the order of their slots.
#[derive(Default, Debug)]
struct Owners {
    tenants: Vec<Slot<TenantId, Tenant>>,
    agents: Vec<Slot<AgentId, AgentRecord>>,
    accounts: Vec<Slot<AccountId, Account>>,
}

/// The slots that were looked up last: a tenant's numbers often follow each other.
#[derive(Default, Debug)]
struct Found {
    tenant: Option<(TenantId, SlotIndex)>,
    agent: Option<(AgentId, SlotIndex)>,
    account: Option<(AccountId, SlotIndex)>,
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
    /// The number, if providers have names for it.
    fn named(&self) -> Option<E164> {
        let is_named = has_number_ids(self.own().place);
        is_named.then(|| E164::from_u64(self.entry.fields().key)).flatten()
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
        Self {
            snapshot: Snapshot { revision: manifest.revision, ..Snapshot::empty(manifest.epoch) },
            records: usize::try_from(manifest.records).unwrap_or_default(),
            owners: Some(Owners::default()),
            numbers: (0..CHILDREN).map(|_| Vec::new()).collect(),
            found: Found::default(),
            others: Vec::new(),
        }
    }

    /// Adds the chunk that follows.
    ///
    /// # Errors
    /// See [`ApplyError`]; the state is then of no use.
    pub fn add(&mut self, chunk: ReadChunk) -> Result<(), ApplyError> {
        if (chunk.epoch, chunk.revision) != (self.snapshot.epoch, self.snapshot.revision) {
            return Err(ApplyError::OutOfOrder);
        }
        for (hash, record) in chunk.records {
            self.add_record(hash, record)?;
        }
        if !chunk.numbers.is_empty() {
            self.settle_owners()?;
        }
        for (hash, number) in chunk.numbers {
            let number = self.settle(hash, number)?;
            self.snapshot.digest = self.snapshot.digest.with(hash);
            self.numbers[child_of(number.entry.spread())].push(number);
        }
        self.others.extend_from_slice(&chunk.unreadable);
        Ok(())
    }

    fn add_record(&mut self, hash: RecordHash, record: Prepared) -> Result<(), ApplyError> {
        let snapshot = &mut self.snapshot;
        match (record, &mut self.owners) {
            // It counts when it is put.
            (Prepared::Other(frame), _) => {
                self.others.extend_from_slice(&frame);
                return Ok(());
            }
            (Prepared::Tenant(id, tenant), Some(owners)) => {
                owners.tenants.push(Slot::new(id, Some((hash, tenant))));
            }
            (Prepared::Agent(id, agent), Some(owners)) => {
                owners.agents.push(Slot::new(id, Some((hash, agent))));
            }
            (Prepared::Account(id, account), Some(owners)) => {
                owners.accounts.push(Slot::new(id, Some((hash, account))));
            }
            (Prepared::Tenant(id, tenant), None) => set(&mut snapshot.tenants, id, hash, tenant)?,
            (Prepared::Agent(id, agent), None) => set(&mut snapshot.agents, id, hash, agent)?,
            (Prepared::Account(id, account), None) => {
                snapshot.link_account(id, &account);
                set(&mut snapshot.accounts, id, hash, account)?;
            }
        }
        snapshot.digest = snapshot.digest.with(hash);
        Ok(())
    }

    /// Gives out the slots of all records that are there, and makes room for the numbers.
    fn settle_owners(&mut self) -> Result<(), ApplyError> {
        let Some(owners) = self.owners.take() else { return Ok(()) };
        let snapshot = &mut self.snapshot;
        snapshot.tenants = Slots::build(&owners.tenants).ok_or(ApplyError::Twice)?;
        snapshot.agents = Slots::build(&owners.agents).ok_or(ApplyError::Twice)?;
        snapshot.accounts = Slots::build(&owners.accounts).ok_or(ApplyError::Twice)?;
        for (id, account) in owners.accounts.iter().filter_map(|slot| Some((slot.key, slot.value.as_ref()?)))
        {
            snapshot.link_account(id, account);
        }
        let there = owners.tenants.len() + owners.agents.len() + owners.accounts.len();
        let each = self.records.saturating_sub(there) / CHILDREN;
        for numbers in &mut self.numbers {
            // A little more, as they spread evenly but not exactly so. What isn't needed is never touched.
            let _ = numbers.try_reserve(each + each / 16);
        }
        Ok(())
    }

    fn settle(&mut self, hash: RecordHash, number: ReadNumber) -> Result<LoadedNumber, ApplyError> {
        let (snapshot, found) = (&mut self.snapshot, &mut self.found);
        match number {
            ReadNumber::Plain { key, id, tenant, agent, account } => {
                let agent = agent.map(|agent| found_slot(&mut found.agent, &mut snapshot.agents, agent));
                let fields = Fields {
                    key,
                    hash,
                    id,
                    tenant: found_slot(&mut found.tenant, &mut snapshot.tenants, tenant)?,
                    agent: agent.transpose()?,
                    account: Some(found_slot(&mut found.account, &mut snapshot.accounts, account)?),
                };
                Ok(LoadedNumber { entry: fields.into(), own: None })
            }
            ReadNumber::Own(key, mut parts) => {
                let settled = snapshot.settle(key, &mut parts, hash);
                let (fields, plan) = settled.map_err(|_| ApplyError::Full)?;
                let own = LoadedOwn { plan, place: parts.text.into() };
                let is_set = own.plan.is_some() || !own.place.is_empty();
                Ok(LoadedNumber { entry: fields.into(), own: is_set.then(|| Box::new(own)) })
            }
        }
    }

    /// The state, once its last chunk was added; built by so many threads.
    ///
    /// # Errors
    /// [`ApplyError::Digest`] when its records don't add up to what the manifest says.
    pub fn complete(
        mut self,
        manifest: &Manifest,
        keys: &Keyring,
        threads: usize,
    ) -> Result<Snapshot, ApplyError> {
        self.settle_owners()?;
        let mut snapshot = self.snapshot;
        if self.numbers.iter().map(Vec::len).sum::<usize>() > SMALL_MAX {
            let (numbers, named) = build(self.numbers, threads)?;
            snapshot.numbers = numbers;
            named.into_iter().for_each(|number| snapshot.link_number(number));
        } else {
            let mut numbers = LoadingNumbers::new(0);
            for mut some in self.numbers {
                some.sort_unstable_by_key(|number| number.entry.spread());
                some.into_iter().try_for_each(|number| numbers.push(number))?;
            }
            numbers.finish(&mut snapshot);
        }
        for stored in StoredFrames::new(&self.others) {
            let (hash, frame) = stored?;
            snapshot.put(Some(hash), &frame, keys);
        }
        if snapshot.digest == manifest.digest { Ok(snapshot) } else { Err(ApplyError::Digest) }
    }
}

/// Sets a record that comes behind numbers.
fn set<K: MapKey, V>(
    slots: &mut Slots<K, V>,
    key: K,
    hash: RecordHash,
    value: Arc<V>,
) -> Result<(), ApplyError> {
    if slots.hash(&key).is_some() {
        return Err(ApplyError::Twice);
    }
    slots.set(key, hash, value).map(drop).ok_or(ApplyError::Full)
}

fn found_slot<K: MapKey, V>(
    last: &mut Option<(K, SlotIndex)>,
    slots: &mut Slots<K, V>,
    key: K,
) -> Result<SlotIndex, ApplyError> {
    if let Some((_, slot)) = last.filter(|(known, _)| *known == key) {
        return Ok(slot);
    }
    let slot = slots.assign(key).ok_or(ApplyError::Full)?;
    *last = Some((key, slot));
    Ok(slot)
}

type Part = (NumbersPart, Vec<E164>);

/// Sorts and builds the numbers of each child of the root. A thread lets go of what it has built of as it goes.
fn build(numbers: Vec<Vec<LoadedNumber>>, threads: usize) -> Result<(Numbers, Vec<E164>), ApplyError> {
    let mut rest = numbers.into_iter();
    let share = CHILDREN.div_ceil(threads.max(1));
    let shares: Vec<Vec<_>> = (0..threads.max(1)).map(|_| rest.by_ref().take(share).collect()).collect();
    let built: Option<Vec<Part>> = std::thread::scope(|scope| {
        let builders: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(|| share.into_iter().map(build_part).collect::<Option<Vec<Part>>>()))
            .collect();
        let parts =
            builders.into_iter().map(|builder| builder.join().unwrap_or_else(|panic| resume_unwind(panic)));
        parts.collect::<Option<Vec<_>>>().map(|parts| parts.into_iter().flatten().collect())
    });
    let (parts, named): (Vec<_>, Vec<_>) = built.ok_or(ApplyError::Twice)?.into_iter().unzip();
    let numbers = NumbersPart::join(parts).ok_or(ApplyError::OutOfOrder)?;
    Ok((numbers, named.into_iter().flatten().collect()))
}

fn build_part(mut numbers: Vec<LoadedNumber>) -> Option<Part> {
    numbers.sort_unstable_by_key(|number| number.entry.spread());
    let named = numbers.iter().filter_map(LoadedNumber::named).collect();
    Some((NumbersPart::build(&numbers)?, named))
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
        self.named.extend(number.named());
        if self.numbers.push(number) { Ok(()) } else { Err(ApplyError::Twice) }
    }

    pub fn finish(self, snapshot: &mut Snapshot) {
        snapshot.numbers = self.numbers.finish();
        self.named.into_iter().for_each(|number| snapshot.link_number(number));
    }
}
