//! Phone numbers, or blocks of them, in 56 bytes each, beside what some set themselves.
//!
//! An entry refers to tenant, agent and account by slot. What a number sets itself lies with its leaf: a reference to
//! a plan that numbers with the same settings share, and what its agents say of the place, encoded as it came, since
//! most calls don't ask for it.

use std::sync::Arc;

use dialplane_common::feed::RecordHash;
use dialplane_common::ids::PhoneNumberId;
use uuid::Uuid;

use super::plan::Plan;
use super::prefetch::prefetch;
use super::slots::SlotIndex;
use super::trie::{self, Child, Leaf, Trie, likely_position, mix, position, unmix};

/// No slot.
const NONE: u32 = u32::MAX;

/// A number, or a block of numbers, without what it sets itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The number's digits, mixed: where it stands in the tree.
    spread: u64,
    hash: [u64; 2],
    id: [u64; 2],
    tenant: u32,
    agent: u32,
    account: u32,
    /// Where its leaf has what it sets itself, and one; 0: it sets nothing.
    own: u32,
}

/// Bytes of an entry in a snapshot file.
pub const ENTRY_BYTES: usize = 52;

/// The fields of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fields {
    /// The number as an integer, or a prefix as its.
    pub key: u64,
    /// The hash of its record.
    pub hash: RecordHash,
    /// Its id.
    pub id: PhoneNumberId,
    /// Whose it is.
    pub tenant: SlotIndex,
    /// Whoever answers where a rule names nobody.
    pub agent: Option<SlotIndex>,
    /// The one account whose webhooks may speak of it; absent: its plan says which.
    pub account: Option<SlotIndex>,
}

impl From<Fields> for Entry {
    fn from(fields: Fields) -> Self {
        let halves = |bits: u128| [bits as u64, (bits >> 64) as u64];
        let slot = |slot: Option<SlotIndex>| slot.map_or(NONE, |slot| slot.0);
        Self {
            spread: mix(fields.key),
            hash: halves(fields.hash.0),
            id: halves(fields.id.0.as_u128()),
            tenant: fields.tenant.0,
            agent: slot(fields.agent),
            account: slot(fields.account),
            own: 0,
        }
    }
}

impl Entry {
    /// Where it stands in the tree, and in a file.
    #[must_use]
    pub const fn spread(&self) -> u64 {
        self.spread
    }

    /// Its bytes in a snapshot file: all fields little-endian, in their order, without what it sets itself.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let wide = [self.spread, self.hash[0], self.hash[1], self.id[0], self.id[1]];
        let narrow = [self.tenant, self.agent, self.account];
        let mut bytes = [0; ENTRY_BYTES];
        for (place, field) in bytes.chunks_exact_mut(8).zip(wide) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        for (place, field) in bytes[40..].chunks_exact_mut(4).zip(narrow) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// Takes back what [`Entry::to_bytes`] gave.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let (wide, narrow) = bytes.split_at(40);
        let mut wide = wide.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let mut narrow = narrow.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        let mut wide = || wide.next().unwrap_or_default();
        let mut narrow = || narrow.next().unwrap_or_default();
        Self {
            spread: wide(),
            hash: [wide(), wide()],
            id: [wide(), wide()],
            tenant: narrow(),
            agent: narrow(),
            account: narrow(),
            own: 0,
        }
    }

    /// Its fields.
    #[must_use]
    pub fn fields(&self) -> Fields {
        Fields {
            key: unmix(self.spread),
            hash: self.hash(),
            id: self.id(),
            tenant: self.tenant(),
            agent: self.agent(),
            account: self.account(),
        }
    }

    /// The hash of its record.
    #[must_use]
    pub const fn hash(&self) -> RecordHash {
        RecordHash(whole(self.hash))
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> PhoneNumberId {
        PhoneNumberId(Uuid::from_u128(whole(self.id)))
    }

    /// Whose it is.
    #[must_use]
    pub const fn tenant(&self) -> SlotIndex {
        SlotIndex(self.tenant)
    }

    /// Whoever answers where a rule names nobody.
    #[must_use]
    pub fn agent(&self) -> Option<SlotIndex> {
        Some(self.agent).filter(|slot| *slot != NONE).map(SlotIndex)
    }

    /// The one account whose webhooks may speak of it.
    #[must_use]
    pub fn account(&self) -> Option<SlotIndex> {
        Some(self.account).filter(|slot| *slot != NONE).map(SlotIndex)
    }
}

const fn whole([low, high]: [u64; 2]) -> u128 {
    low as u128 | (high as u128) << 64
}

/// What a number sets itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own<'a> {
    /// How its calls are routed.
    pub plan: Option<&'a Arc<Plan>>,
    /// What is said of its place, encoded.
    pub place: &'a [u8],
}

impl Own<'_> {
    const fn is_empty(&self) -> bool {
        self.plan.is_none() && self.place.is_empty()
    }
}

/// What makes a number.
pub trait Item {
    /// Its entry.
    fn entry(&self) -> Entry;

    /// What it sets itself.
    fn own(&self) -> Own<'_>;
}

/// Numbers with what they set themselves. Cloning shares everything; a change copies one leaf.
#[derive(Clone, Debug)]
pub struct Numbers {
    trie: Trie<NumberLeaf>,
    len: usize,
}

#[derive(Clone, Debug)]
struct NumberLeaf {
    entries: Arc<[Entry]>,
    own: Option<Arc<OwnPage>>,
}

/// What the numbers of a leaf set themselves.
///
/// ```text
/// bytes   item … , each: plan u16 LE (0 none, else one more than its place) · length u32 LE · place
/// ```
#[derive(Debug, Default)]
struct OwnPage {
    plans: Box<[Arc<Plan>]>,
    bytes: Box<[u8]>,
}

const ITEM_HEAD: usize = 6;

impl Numbers {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A number's entry, and what it sets itself.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<(&Entry, Own<'_>)> {
        let spread = mix(key);
        let found = self.trie.find(spread);
        let at = position(&found.leaf.entries, Entry::spread, spread, found.depth);
        let entry = found.leaf.entries.get(at).filter(|entry| entry.spread == spread)?;
        Some((entry, found.leaf.own(entry)))
    }

    /// Asks for the memory of the last branch on the way to a number's entry.
    pub fn prefetch_branch(&self, key: u64) {
        self.trie.prefetch(mix(key));
    }

    /// Asks for the memory where a number's entry is likeliest.
    pub fn prefetch_entry(&self, key: u64) {
        let spread = mix(key);
        let found = self.trie.find(spread);
        let entries = &found.leaf.entries;
        let at = likely_position(entries.len(), spread, found.depth);
        // It spans two lines, and its neighbours are nearly as likely.
        for entry in entries.iter().skip(at.saturating_sub(1)).take(3) {
            prefetch(entry);
        }
    }

    /// Sets a number.
    pub fn insert(&mut self, fields: Fields, own: Own<'_>) {
        let entry = Entry::from(fields);
        let len = &mut self.len;
        self.trie.change(entry.spread, |leaf, depth| {
            let at = position(&leaf.entries, Entry::spread, entry.spread, depth);
            let is_there = leaf.entries.get(at).is_some_and(|known| known.spread == entry.spread);
            *len += usize::from(!is_there);
            let (before, after) = leaf.items().split_at(at, usize::from(is_there));
            *leaf = NumberLeaf::new(before.chain([(entry, own)]).chain(after));
        });
    }

    /// Removes a number. One that isn't there costs no copy.
    pub fn remove(&mut self, key: u64) {
        if self.get(key).is_none() {
            return;
        }
        self.len -= 1;
        let spread = mix(key);
        self.trie.change(spread, |leaf, _| {
            *leaf = NumberLeaf::new(leaf.items().filter(|(entry, _)| entry.spread != spread));
        });
    }

    /// All numbers, in the order of [`Entry::spread`].
    pub fn for_each<'t>(&'t self, visit: &mut impl FnMut(&'t Entry, Own<'t>)) {
        self.trie.for_each(&mut |leaf| {
            leaf.entries.iter().for_each(|entry| visit(entry, leaf.own(entry)));
        });
    }
}

/// Numbers being taken in the order of [`Entry::spread`].
#[derive(Debug)]
pub struct NumbersBuilder<I> {
    trie: trie::Builder<I, NumberLeaf>,
    len: usize,
    last: Option<u64>,
}

impl<I: Item> NumbersBuilder<I> {
    /// Takes about so many.
    #[must_use]
    pub const fn new(count: usize) -> Self {
        Self { trie: trie::Builder::new(count), len: 0, last: None }
    }

    /// Takes the number that follows. `false`: it doesn't follow, as it was there before or stands in a wrong place.
    #[must_use]
    pub fn push(&mut self, item: I) -> bool {
        let spread = item.entry().spread;
        if self.last.is_some_and(|last| last >= spread) {
            return false;
        }
        (self.last, self.len) = (Some(spread), self.len + 1);
        self.trie.push(item, &spread_of, &leaf_of);
        true
    }

    /// The numbers.
    #[must_use]
    pub fn finish(self) -> Numbers {
        Numbers { trie: self.trie.finish(&spread_of, &leaf_of), len: self.len }
    }
}

/// The numbers of one of the children of a large tree's root, built by itself.
#[derive(Debug)]
pub struct NumbersPart {
    child: Child<NumberLeaf>,
    len: usize,
}

impl NumbersPart {
    /// Of numbers in the order of [`Entry::spread`]. `None`: one is there twice.
    pub fn build<I: Item>(items: &[I]) -> Option<Self> {
        let is_ordered = items.windows(2).all(|two| spread_of(&two[0]) < spread_of(&two[1]));
        is_ordered.then(|| Self { child: Child::build(items, &spread_of, &leaf_of), len: items.len() })
    }

    /// All numbers, of one part for each child of the root in order. `None`: there aren't as many parts.
    pub fn join(parts: Vec<Self>) -> Option<Numbers> {
        let len = parts.iter().map(|part| part.len).sum();
        let trie = Trie::join(parts.into_iter().map(|part| part.child))?;
        Some(Numbers { trie, len })
    }
}

fn spread_of(item: &impl Item) -> u64 {
    item.entry().spread
}

fn leaf_of(items: &[impl Item]) -> NumberLeaf {
    NumberLeaf::new(items.iter().map(|item| (item.entry(), item.own())))
}

impl Default for Numbers {
    fn default() -> Self {
        Self { trie: Trie::new(NumberLeaf::new(std::iter::empty())), len: 0 }
    }
}

impl NumberLeaf {
    fn new<'a>(items: impl Iterator<Item = (Entry, Own<'a>)>) -> Self {
        let (mut plans, mut bytes) = (Vec::new(), Vec::new());
        let entries = items.map(|(entry, own)| {
            if own.is_empty() {
                return Entry { own: 0, ..entry };
            }
            let at = u32::try_from(bytes.len() + 1).unwrap_or_default();
            plans.extend(own.plan.cloned());
            let plan = own.plan.map_or(0, |_| u16::try_from(plans.len()).unwrap_or_default());
            bytes.extend_from_slice(&plan.to_le_bytes());
            bytes.extend_from_slice(&u32::try_from(own.place.len()).unwrap_or_default().to_le_bytes());
            bytes.extend_from_slice(own.place);
            Entry { own: at, ..entry }
        });
        let entries = entries.collect();
        let page = OwnPage { plans: plans.into(), bytes: bytes.into() };
        Self { entries, own: (!page.bytes.is_empty()).then(|| Arc::new(page)) }
    }

    fn own(&self, entry: &Entry) -> Own<'_> {
        let Some(at) = entry.own.checked_sub(1) else { return Own::default() };
        self.own.as_ref().and_then(|page| page.item(at as usize)).unwrap_or_default()
    }

    fn items(&self) -> impl Iterator<Item = (Entry, Own<'_>)> + Clone {
        self.entries.iter().map(|entry| (*entry, self.own(entry)))
    }
}

impl OwnPage {
    fn item(&self, at: usize) -> Option<Own<'_>> {
        let (head, rest) = self.bytes.get(at..)?.split_first_chunk::<ITEM_HEAD>()?;
        let [plan_low, plan_high, length @ ..] = *head;
        let plan = usize::from(u16::from_le_bytes([plan_low, plan_high]));
        let place = rest.get(..u32::from_le_bytes(length) as usize)?;
        Some(Own { plan: plan.checked_sub(1).and_then(|plan| self.plans.get(plan)), place })
    }
}

impl Leaf for NumberLeaf {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn split(&self, depth: u32) -> [Self; 2] {
        let half = |bit: u64| Self::new(self.items().filter(|(entry, _)| entry.spread << depth >> 63 == bit));
        [half(0), half(1)]
    }
}

/// Both sides of a place.
trait SplitAt: Iterator + Clone + Sized {
    /// The first `at` items, and those behind the next `skip`.
    fn split_at(self, at: usize, skip: usize) -> (std::iter::Take<Self>, std::iter::Skip<Self>) {
        (self.clone().take(at), self.skip(at + skip))
    }
}

impl<I: Iterator + Clone> SplitAt for I {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::snapshot::plan::{OwnRouting, Plans};

    fn fields(key: u64, hash: u128) -> Fields {
        Fields {
            key,
            hash: RecordHash(hash << 70 | 1),
            id: PhoneNumberId(Uuid::from_u128(hash << 90 | 7)),
            tenant: SlotIndex(key as u32),
            agent: key.is_multiple_of(2).then_some(SlotIndex(3)),
            account: key.is_multiple_of(5).then_some(SlotIndex(0)),
        }
    }

    #[test]
    fn an_entry_is_56_bytes_and_keeps_its_fields() {
        assert_eq!(size_of::<Entry>(), 56);
        for key in [1_000_000, 12_125_550_001, 999_999_999_999_999] {
            let entry = Entry::from(fields(key, 9));
            assert_eq!(entry.fields(), fields(key, 9));
            assert_eq!(Entry::from_bytes(&entry.to_bytes()), entry);
        }
    }

    impl Item for (Entry, Own<'_>) {
        fn entry(&self) -> Entry {
            self.0
        }

        fn own(&self) -> Own<'_> {
            self.1
        }
    }

    /// What a number is expected to be: its fields, the calls of its plan, its place.
    type Expected = (Fields, Option<u16>, Vec<u8>);

    fn seen(entry: &Entry, own: Own<'_>) -> Expected {
        (entry.fields(), own.plan.and_then(|plan| plan.own.calls_max), own.place.to_vec())
    }

    #[test]
    fn numbers_keep_what_they_set_themselves_through_every_change() {
        let (mut numbers, mut expected, mut plans) = (Numbers::default(), BTreeMap::new(), Plans::default());
        let mut random = 1_u64;
        for step in 0..6_000_u64 {
            random = mix(random + step);
            let key = 12_000_000_000 + random % 900;
            if random >> 60 < 11 {
                let calls_max = (random >> 56 & 3 == 0).then_some((random >> 48 & 7) as u16);
                let own = OwnRouting { calls_max, ..OwnRouting::default() };
                let plan = plans.get(own).unwrap();
                let place = vec![b'x'; (random >> 40 & 31).saturating_sub(16) as usize];
                let fields = fields(key, u128::from(step));
                numbers.insert(fields, Own { plan: plan.as_ref(), place: &place });
                expected.insert(key, (fields, calls_max, place));
            } else {
                numbers.remove(key);
                expected.remove(&key);
            }
            assert_eq!(numbers.get(key).map(|(entry, own)| seen(entry, own)), expected.get(&key).cloned());
            assert_eq!(numbers.len(), expected.len());
        }
        let check = |numbers: &Numbers| {
            let mut all = BTreeMap::new();
            numbers.for_each(&mut |entry, own| {
                all.insert(entry.fields().key, seen(entry, own));
            });
            assert_eq!(all, expected);
        };
        check(&numbers);
        let mut items = Vec::new();
        numbers.for_each(&mut |entry, own| items.push((*entry, own)));
        let mut builder = NumbersBuilder::new(items.len());
        assert!(items.iter().all(|item| builder.push(*item)));
        assert!(!builder.push(items[0]), "once is enough");
        check(&builder.finish());
    }
}
