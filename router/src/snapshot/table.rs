//! A map that shares what did not change.
//!
//! A tree over the key's hash: six bits a level, leaves of at most `LEAF_MAX` entries. Cloning a table costs one
//! reference count; changing the clone copies the path to one leaf and shares the rest, so that a delta costs by
//! its own size. A table that shares nothing (one being loaded) is changed in place.
//!
//! Refused: a concurrent map, which would show half of a change; copying a flat map, which costs by the
//! snapshot's size; a balanced tree, which takes more cache misses a lookup.

use std::sync::Arc;

use dialplane_common::e164::{E164, Prefix};
use dialplane_common::feed::RecordHash;
use dialplane_common::feed::record::TokenHash;
use dialplane_common::ids::{AccountId, AgentId, TenantId};

const LEVEL_BITS: u32 = 6;
const FANOUT: usize = 1 << LEVEL_BITS;
const LEAF_MAX: usize = 8;
/// Beyond this the hash has no bits left; a leaf just grows.
const DEPTH_MAX: u32 = u64::BITS / LEVEL_BITS;

/// A key of a table.
pub trait TableKey: Ord + Copy {
    /// Spread evenly over all 64 bits.
    fn spread(&self) -> u64;
}

/// A persistent map; each value with its record's hash.
#[derive(Debug)]
pub struct Table<K, V> {
    root: Node<K, V>,
    len: usize,
}

#[derive(Debug)]
enum Node<K, V> {
    Leaf(Arc<[Entry<K, V>]>),
    Branch(Arc<[Node<K, V>; FANOUT]>),
}

/// One entry.
#[derive(Debug)]
pub struct Entry<K, V> {
    /// Its key.
    pub key: K,
    /// The hash of the record that the value is of.
    pub hash: RecordHash,
    /// The value.
    pub value: Arc<V>,
}

impl<K: TableKey, V> Table<K, V> {
    /// How many entries it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry of a key.
    #[must_use]
    pub fn entry(&self, key: &K) -> Option<&Entry<K, V>> {
        let mut bits = key.spread();
        let mut node = &self.root;
        loop {
            match node {
                Node::Branch(children) => {
                    node = &children[slot(bits)];
                    bits >>= LEVEL_BITS;
                }
                Node::Leaf(entries) => {
                    return entries.binary_search_by_key(key, |entry| entry.key).ok().map(|at| &entries[at]);
                }
            }
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entry(key).map(|entry| &*entry.value)
    }

    /// Sets a key's value.
    pub fn insert(&mut self, key: K, hash: RecordHash, value: Arc<V>) {
        let mut bits = key.spread();
        let mut node = &mut self.root;
        let mut depth = 0;
        loop {
            if let Node::Leaf(entries) = node
                && entries.len() >= LEAF_MAX
                && depth < DEPTH_MAX
                && entries.binary_search_by_key(&key, |entry| entry.key).is_err()
            {
                *node = split(entries, depth);
            }
            match node {
                Node::Branch(children) => {
                    node = &mut Arc::make_mut(children)[slot(bits)];
                    bits >>= LEVEL_BITS;
                    depth += 1;
                }
                Node::Leaf(entries) => {
                    let entry = Entry { key, hash, value };
                    match entries.binary_search_by_key(&key, |entry| entry.key) {
                        Ok(at) => Arc::make_mut(entries)[at] = entry,
                        Err(at) => {
                            let (before, after) = entries.split_at(at);
                            *entries =
                                before.iter().cloned().chain([entry]).chain(after.iter().cloned()).collect();
                            self.len += 1;
                        }
                    }
                    return;
                }
            }
        }
    }

    /// Removes a key. One that isn't there costs no copy.
    pub fn remove(&mut self, key: &K) {
        if self.entry(key).is_none() {
            return;
        }
        let mut bits = key.spread();
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Branch(children) => {
                    node = &mut Arc::make_mut(children)[slot(bits)];
                    bits >>= LEVEL_BITS;
                }
                Node::Leaf(entries) => {
                    *entries = entries.iter().filter(|entry| entry.key != *key).cloned().collect();
                    self.len -= 1;
                    return;
                }
            }
        }
    }

    /// All entries, in no order.
    pub fn for_each(&self, visit: &mut impl FnMut(&Entry<K, V>)) {
        self.root.for_each(visit);
    }
}

impl<K, V> Node<K, V> {
    fn for_each(&self, visit: &mut impl FnMut(&Entry<K, V>)) {
        match self {
            Self::Leaf(entries) => entries.iter().for_each(visit),
            Self::Branch(children) => children.iter().for_each(|child| child.for_each(visit)),
        }
    }
}

fn slot(bits: u64) -> usize {
    bits as usize % FANOUT
}

fn split<K: TableKey, V>(entries: &[Entry<K, V>], depth: u32) -> Node<K, V> {
    let mut leaves: [Vec<Entry<K, V>>; FANOUT] = std::array::from_fn(|_| Vec::new());
    for entry in entries {
        leaves[slot(entry.key.spread() >> (depth * LEVEL_BITS))].push(entry.clone());
    }
    Node::Branch(Arc::new(leaves.map(|entries| Node::Leaf(entries.into()))))
}

// By hand: the derived ones would ask that values can be cloned, and values are shared.
impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len }
    }
}

impl<K, V> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(entries) => Self::Leaf(Arc::clone(entries)),
            Self::Branch(children) => Self::Branch(Arc::clone(children)),
        }
    }
}

impl<K: Copy, V> Clone for Entry<K, V> {
    fn clone(&self) -> Self {
        Self { key: self.key, hash: self.hash, value: Arc::clone(&self.value) }
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { root: Node::Leaf(Arc::from([])), len: 0 }
    }
}

/// Mixes all bits into all bits. Source: the finalizer of `SplitMix64`, Steele, Lea, Flood, OOPSLA 2014.
const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl TableKey for E164 {
    fn spread(&self) -> u64 {
        mix(self.to_u64())
    }
}

impl TableKey for Prefix {
    fn spread(&self) -> u64 {
        mix(self.to_u64())
    }
}

impl TableKey for TokenHash {
    fn spread(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        mix(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl TableKey for u128 {
    fn spread(&self) -> u64 {
        mix((*self >> 64) as u64 ^ mix(*self as u64))
    }
}

macro_rules! spread_ids {
    ($($id:ty)*) => {$(
        impl TableKey for $id {
            fn spread(&self) -> u64 {
                self.0.as_u128().spread()
            }
        }
    )*};
}

spread_ids!(TenantId AccountId AgentId);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A key whose hash is what the test wants.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    struct Colliding(u32);

    impl TableKey for Colliding {
        fn spread(&self) -> u64 {
            u64::from(self.0 % 3)
        }
    }

    fn contents<K: TableKey, V: Copy>(table: &Table<K, V>) -> BTreeMap<K, V> {
        let mut contents = BTreeMap::new();
        table.for_each(&mut |entry| {
            contents.insert(entry.key, *entry.value);
        });
        contents
    }

    #[test]
    fn agrees_with_an_ordinary_map_and_keeps_old_versions() {
        let mut table = Table::default();
        let mut model = BTreeMap::new();
        let mut versions = Vec::new();
        let mut random = 1_u64;
        for step in 0..20_000_u64 {
            random = mix(random.wrapping_add(step));
            let key = E164::from_u64(12_000_000_000 + random % 5_000).unwrap();
            if random >> 60 < 5 {
                table.remove(&key);
                model.remove(&key);
            } else {
                table.insert(key, RecordHash(step.into()), Arc::new(step));
                model.insert(key, step);
            }
            if step % 5_000 == 0 {
                versions.push((table.clone(), model.clone()));
            }
        }
        versions.push((table, model));
        for (table, model) in versions {
            assert_eq!(table.len(), model.len());
            assert_eq!(contents(&table), model);
            for (key, value) in &model {
                assert_eq!(table.get(key), Some(value));
            }
        }
    }

    #[test]
    fn equal_hashes_are_different_keys() {
        let mut table = Table::default();
        for key in 0..500 {
            table.insert(Colliding(key), RecordHash(0), Arc::new(key));
        }
        assert!((0..500).all(|key| table.get(&Colliding(key)) == Some(&key)));
        for key in 0..500 {
            table.remove(&Colliding(key));
        }
        assert!(table.is_empty() && contents(&table).is_empty());
    }

    #[test]
    fn one_change_copies_one_path() {
        let mut table = Table::default();
        for number in 0..100_000_u64 {
            table.insert(E164::from_u64(12_000_000_000 + number).unwrap(), RecordHash(0), Arc::new(number));
        }
        let before = table.clone();
        table.insert(E164::from_u64(12_000_000_000).unwrap(), RecordHash(1), Arc::new(7));
        fn leaves<K, V>(node: &Node<K, V>, out: &mut Vec<*const Entry<K, V>>) {
            match node {
                Node::Leaf(entries) => out.push(entries.as_ptr()),
                Node::Branch(children) => children.iter().for_each(|child| leaves(child, out)),
            }
        }
        let (mut old, mut new) = (Vec::new(), Vec::new());
        leaves(&before.root, &mut old);
        leaves(&table.root, &mut new);
        assert_eq!(old.iter().zip(&new).filter(|(old, new)| old != new).count(), 1);
    }
}
