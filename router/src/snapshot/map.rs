//! A persistent map: pairs side by side in the leaves of a [`Trie`].

use std::sync::Arc;

use dialplane_common::feed::record::TokenHash;
use dialplane_common::ids::{AccountId, AgentId, TenantId};

use super::trie::{Leaf, Trie, mix, position};

/// A key of a map.
pub trait MapKey: Eq + Copy {
    /// Spread evenly over all 64 bits.
    fn spread(&self) -> u64;
}

/// The map. Values are copied with their leaf when a neighbour changes: large ones stand behind an `Arc`.
#[derive(Clone, Debug)]
pub struct Map<K, V> {
    trie: Trie<Pairs<K, V>>,
    len: usize,
}

#[derive(Debug)]
struct Pairs<K, V>(Arc<[(K, V)]>);

impl<K: MapKey, V: Clone> Map<K, V> {
    /// A map of pairs. `None` when a key is there twice.
    pub fn build(mut pairs: Vec<(K, V)>) -> Option<Self> {
        pairs.sort_unstable_by_key(|(key, _)| key.spread());
        let alike = pairs.chunk_by(|(a, _), (b, _)| a.spread() == b.spread());
        let mut alike = alike.filter(|alike| alike.len() > 1);
        let twice = alike.any(|alike| {
            alike.iter().enumerate().any(|(at, (key, _))| alike[..at].iter().any(|(other, _)| other == key))
        });
        let trie = Trie::build(&pairs, &|(key, _)| key.spread(), &|pairs| Pairs(pairs.into()));
        (!twice).then(|| Self { trie, len: pairs.len() })
    }

    /// How many pairs it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let found = self.trie.find(key.spread());
        let at = found.leaf.find(key, found.depth).ok()?;
        Some(&found.leaf.0[at].1)
    }

    /// Sets a key's value.
    pub fn insert(&mut self, key: K, value: V) {
        let len = &mut self.len;
        self.trie.change(key.spread(), |leaf, depth| match leaf.find(&key, depth) {
            Ok(at) => Arc::make_mut(&mut leaf.0)[at] = (key, value),
            Err(at) => {
                let (before, after) = leaf.0.split_at(at);
                leaf.0 = before.iter().cloned().chain([(key, value)]).chain(after.iter().cloned()).collect();
                *len += 1;
            }
        });
    }

    /// Removes a key. One that isn't there costs no copy.
    pub fn remove(&mut self, key: &K) {
        if self.get(key).is_none() {
            return;
        }
        self.len -= 1;
        self.trie.change(key.spread(), |leaf, _| {
            leaf.0 = leaf.0.iter().filter(|(other, _)| other != key).cloned().collect();
        });
    }

    /// All pairs, in no order that means anything.
    pub fn for_each<'m>(&'m self, visit: &mut impl FnMut(&'m K, &'m V)) {
        self.trie.for_each(&mut |leaf| leaf.0.iter().for_each(|(key, value)| visit(key, value)));
    }
}

impl<K: MapKey, V> Pairs<K, V> {
    /// Where a key stands, or would stand.
    fn find(&self, key: &K, depth: u32) -> Result<usize, usize> {
        let spread = key.spread();
        let first = position(&self.0, |(key, _)| key.spread(), spread, depth);
        let same = self.0[first..].iter().take_while(|(other, _)| other.spread() == spread);
        same.map(|(other, _)| other).position(|other| other == key).map(|at| first + at).ok_or(first)
    }
}

impl<K: MapKey, V: Clone> Leaf for Pairs<K, V> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn split(&self, depth: u32) -> [Self; 2] {
        let middle = self.0.partition_point(|(key, _)| key.spread() << depth >> 63 == 0);
        let (low, high) = self.0.split_at(middle);
        [Self(low.into()), Self(high.into())]
    }
}

// By hand: the derived one would ask that keys and values can be cloned.
impl<K, V> Clone for Pairs<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: MapKey, V: Clone> Default for Map<K, V> {
    fn default() -> Self {
        Self { trie: Trie::new(Pairs(Arc::from([]))), len: 0 }
    }
}

impl MapKey for u128 {
    fn spread(&self) -> u64 {
        mix((*self >> 64) as u64 ^ mix(*self as u64))
    }
}

impl MapKey for TokenHash {
    fn spread(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        mix(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }
}

macro_rules! spread_ids {
    ($($id:ty)*) => {$(
        impl MapKey for $id {
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
    struct Key(u64, u64);

    impl MapKey for Key {
        fn spread(&self) -> u64 {
            self.1
        }
    }

    fn contents(map: &Map<Key, u64>) -> BTreeMap<Key, u64> {
        let mut contents = BTreeMap::new();
        map.for_each(&mut |key, value| {
            contents.insert(*key, *value);
        });
        contents
    }

    #[test]
    fn it_does_what_a_map_does_with_hashes_good_and_bad() {
        let hashes: [fn(u64) -> u64; 3] = [mix, |_| 0, |key| (key % 3) << 60];
        for hash in hashes {
            let (mut map, mut expected, mut random) = (Map::default(), BTreeMap::new(), 1_u64);
            for step in 0..4_000 {
                random = mix(random + step);
                let number = random % 400;
                let key = Key(number, hash(number));
                if random >> 60 < 10 {
                    map.insert(key, step);
                    expected.insert(key, step);
                } else {
                    map.remove(&key);
                    expected.remove(&key);
                }
                assert_eq!(map.get(&key), expected.get(&key));
                assert_eq!(map.len(), expected.len());
            }
            assert_eq!(contents(&map), expected);
            let built = Map::build(expected.iter().map(|(key, value)| (*key, *value)).collect()).unwrap();
            assert_eq!((contents(&built), built.len()), (expected.clone(), expected.len()));
            assert!(expected.iter().all(|(key, value)| built.get(key) == Some(value)));
        }
    }
}
