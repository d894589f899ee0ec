//! Records that others refer to by a place of four bytes instead of an id of sixteen.
//!
//! A slot belongs to one id for as long as the program keeps its state: when the record goes, the slot stays its id's,
//! so that a reference that is left over leads to nothing, and never to what came later. A reference may also come
//! before its record. Slots are given out anew when a whole state is loaded.

use std::sync::Arc;

use dialplane_common::feed::RecordHash;

use super::map::{Map, MapKey};
use super::prefetch::{prefetch, prefetch_whole};

/// Which slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SlotIndex(pub u32);

const PAGE: usize = 64;
const SHELF: usize = 256 * PAGE;

/// The slots of one kind of record. Cloning shares everything; a change copies one page.
#[derive(Debug)]
pub struct Slots<K, V> {
    index: Map<K, SlotIndex>,
    shelves: Arc<[Shelf<K, V>]>,
    present: usize,
}

type Shelf<K, V> = Arc<[Page<K, V>]>;
type Page<K, V> = Arc<[Slot<K, V>]>;

/// One slot.
#[derive(Debug)]
pub struct Slot<K, V> {
    /// Whose it is.
    pub key: K,
    /// The record's hash; in bytes, so that it needs no alignment.
    hash: [u8; 16],
    /// What the record was prepared to; absent: there is none.
    pub value: Option<Arc<V>>,
}

impl<K: MapKey, V> Slots<K, V> {
    /// All slots at once, in their order. `None` when an id has two.
    pub fn build(slots: &[Slot<K, V>]) -> Option<Self> {
        let pairs = slots.iter().zip(0..).map(|(slot, index)| (slot.key, SlotIndex(index))).collect();
        let index = Map::build(pairs)?;
        let shelf = |slots: &[Slot<K, V>]| slots.chunks(PAGE).map(Arc::from).collect();
        let present = slots.iter().filter(|slot| slot.value.is_some()).count();
        Some(Self { index, shelves: slots.chunks(SHELF).map(shelf).collect(), present })
    }

    /// How many have a record.
    #[must_use]
    pub const fn present(&self) -> usize {
        self.present
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.index.len()
    }

    /// A slot.
    #[must_use]
    pub fn slot(&self, index: SlotIndex) -> Option<&Slot<K, V>> {
        let index = index.0 as usize;
        self.shelves.get(index / SHELF)?.get(index % SHELF / PAGE)?.get(index % PAGE)
    }

    /// Asks for the memory of a slot.
    pub fn prefetch(&self, index: SlotIndex) {
        self.slot(index).into_iter().for_each(prefetch);
    }

    /// Asks for the memory of a slot's record.
    pub fn prefetch_record(&self, index: SlotIndex) {
        if let Some(record) = self.at(index) {
            prefetch_whole(record);
        }
    }

    /// The record in a slot.
    #[must_use]
    pub fn at(&self, index: SlotIndex) -> Option<&V> {
        self.slot(index)?.value.as_deref()
    }

    /// Which slot an id has.
    #[must_use]
    pub fn find(&self, key: &K) -> Option<SlotIndex> {
        self.index.get(key).copied()
    }

    /// The record of an id.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.at(self.find(key)?)
    }

    /// The hash of an id's record.
    #[must_use]
    pub fn hash(&self, key: &K) -> Option<RecordHash> {
        self.slot(self.find(key)?)?.hash()
    }

    /// The slot of an id, given to it now when it has none. `None` when there are no more.
    pub fn assign(&mut self, key: K) -> Option<SlotIndex> {
        if let Some(index) = self.find(&key) {
            return Some(index);
        }
        let index = SlotIndex(u32::try_from(self.len()).ok().filter(|index| *index < u32::MAX)?);
        push(&mut self.shelves, Slot { key, hash: [0; 16], value: None });
        self.index.insert(key, index);
        Some(index)
    }

    /// Sets the record of an id; its slot. `None` when there are no more.
    pub fn set(&mut self, key: K, hash: RecordHash, value: Arc<V>) -> Option<SlotIndex> {
        let index = self.assign(key)?;
        self.replace(index, Slot::new(key, Some((hash, value))));
        Some(index)
    }

    /// Takes the record of an id away. One that isn't there costs no copy.
    pub fn clear(&mut self, key: &K) {
        if let Some(index) = self.find(key).filter(|index| self.at(*index).is_some()) {
            self.replace(index, Slot::new(*key, None));
        }
    }

    fn replace(&mut self, index: SlotIndex, by: Slot<K, V>) {
        let index = index.0 as usize;
        let shelf = &mut Arc::make_mut(&mut self.shelves)[index / SHELF];
        let page = &mut Arc::make_mut(shelf)[index % SHELF / PAGE];
        let slot = &mut Arc::make_mut(page)[index % PAGE];
        self.present -= usize::from(slot.value.is_some());
        self.present += usize::from(by.value.is_some());
        *slot = by;
    }

    /// All slots in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Slot<K, V>> {
        self.shelves.iter().flat_map(|shelf| shelf.iter()).flat_map(|page| page.iter())
    }
}

/// Adds a slot behind the last.
fn push<K: MapKey, V>(shelves: &mut Arc<[Shelf<K, V>]>, slot: Slot<K, V>) {
    if let Some(shelf) = Arc::make_mut(shelves).last_mut()
        && let Some(page) = Arc::make_mut(shelf).last_mut()
    {
        if page.len() < PAGE {
            *page = page.iter().cloned().chain([slot]).collect();
            return;
        }
        if shelf.len() < SHELF / PAGE {
            *shelf = shelf.iter().cloned().chain([Arc::from([slot])]).collect();
            return;
        }
    }
    *shelves = shelves.iter().cloned().chain([Arc::from([Arc::from([slot])])]).collect();
}

impl<K, V> Slot<K, V> {
    /// A slot with its record, or without.
    pub fn new(key: K, record: Option<(RecordHash, Arc<V>)>) -> Self {
        let (hash, value) = record.unzip();
        Self { key, hash: hash.map_or([0; 16], |hash| hash.0.to_le_bytes()), value }
    }

    /// The hash of its record.
    #[must_use]
    pub fn hash(&self) -> Option<RecordHash> {
        self.value.as_ref().map(|_| RecordHash(u128::from_le_bytes(self.hash)))
    }
}

// By hand: the derived ones would ask that values can be cloned, and values are shared.
impl<K: Copy, V> Clone for Slot<K, V> {
    fn clone(&self) -> Self {
        Self { key: self.key, hash: self.hash, value: self.value.clone() }
    }
}

impl<K: MapKey, V> Clone for Slots<K, V> {
    fn clone(&self) -> Self {
        Self { index: self.index.clone(), shelves: Arc::clone(&self.shelves), present: self.present }
    }
}

impl<K: MapKey, V> Default for Slots<K, V> {
    fn default() -> Self {
        Self { index: Map::default(), shelves: Arc::from([]), present: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialplane_common::ids::TenantId;
    use uuid::Uuid;

    fn key(number: usize) -> TenantId {
        TenantId(Uuid::from_u128(number as u128))
    }

    #[test]
    fn slots_are_kept_for_their_ids() {
        let mut slots = Slots::<TenantId, usize>::default();
        let count = SHELF + PAGE + 1;
        for number in 0..count {
            if number % 3 == 0 {
                assert_eq!(slots.assign(key(number)), u32::try_from(number).ok().map(SlotIndex));
            } else {
                assert!(slots.set(key(number), RecordHash(number as u128), Arc::new(number)).is_some());
            }
        }
        let before = slots.clone();
        for number in (0..count).step_by(2) {
            slots.clear(&key(number));
        }
        slots.clear(&key(count + 9));
        assert_eq!(slots.len(), count, "clearing what isn't there takes no slot");
        for number in 0..count {
            let (there_before, index) = (number % 3 != 0, slots.find(&key(number)).unwrap());
            assert_eq!(index.0 as usize, number);
            assert_eq!(before.get(&key(number)), there_before.then_some(&number));
            assert_eq!(slots.at(index), (there_before && number % 2 == 1).then_some(&number));
            assert_eq!(slots.slot(index).unwrap().key, key(number));
        }
        let present = (0..count).filter(|number| number % 3 != 0 && number % 2 == 1).count();
        assert_eq!(slots.present(), present);
        let all: Vec<_> = slots.iter().cloned().collect();
        let built = Slots::build(&all).unwrap();
        assert_eq!((built.present(), built.len()), (present, count));
        assert_eq!(built.hash(&key(1)), Some(RecordHash(1)));
        assert_eq!(built.find(&key(SHELF + 1)), slots.find(&key(SHELF + 1)));
        assert!(Slots::build(&[all[0].clone(), all[0].clone()]).is_none());
    }
}
