//! A tree over 64-bit hashes that shares what did not change.
//!
//! A leaf holds what hashes to one prefix, some fifty entries side by side; a branch has 2 to 64 children, chosen by the
//! next bits of the hash. Cloning a tree costs one reference count. Changing the clone copies the path to one leaf and
//! shares the rest, so that a delta costs by its own size; a tree that shares nothing is changed in place.
//!
//! Hashes spread evenly, so the leaves of a branch fill up together: when one overflows, the whole branch doubles its
//! children. So memory follows the number of entries at any size, and ten million lie three branches deep.
//!
//! Refused: a concurrent map, which would show half of a change; copying a flat map, which costs by the snapshot's
//! size; a balanced tree, which takes more cache misses a lookup; a fixed number of children, whose branches weigh more
//! than their leaves at unlucky sizes.

use std::sync::Arc;

use super::prefetch::prefetch;

/// A leaf with more entries is divided.
pub const LEAF_MAX: usize = 64;
/// How many entries leaves have at most when a tree is built at once: room for some that come later.
const LEAF_FILL: usize = 48;
/// Children of a branch, as a power of two.
const BRANCH_BITS_MAX: u32 = 6;
/// How many branches from the root are read without asking for them first: 130 KB.
const BRANCHES_NEAR: usize = 2;
/// Beyond this the hash has too few bits left; a leaf just grows.
const DEPTH_MAX: u32 = 54;

/// Entries whose hashes begin alike, in the order of their hashes.
pub trait Leaf: Clone {
    /// How many.
    fn len(&self) -> usize;

    /// Those whose hash has a 0 at the bit `depth`, counted from the highest, and those that have a 1.
    fn split(&self, depth: u32) -> [Self; 2];
}

/// The tree.
#[derive(Clone, Debug)]
pub struct Trie<L> {
    root: Node<L>,
}

#[derive(Debug)]
enum Node<L> {
    Leaf(L),
    /// A power of two of children.
    Branch(Arc<[Node<L>]>),
}

/// A tree being built of entries that come in the order of their hashes. A large one is built piece by piece, so that
/// the entries are never all there beside it.
#[derive(Debug)]
pub struct Builder<E, L> {
    large: bool,
    entries: Vec<E>,
    children: Vec<Node<L>>,
}

impl<E, L: Leaf> Builder<E, L> {
    /// A tree that will have about so many entries.
    #[must_use]
    pub const fn new(count: usize) -> Self {
        Self { large: count > SMALL_MAX, entries: Vec::new(), children: Vec::new() }
    }

    /// Adds the entry that follows.
    pub fn push(&mut self, entry: E, hash: &impl Fn(&E) -> u64, leaf: &impl Fn(&[E]) -> L) {
        if self.large {
            self.reach(child_of(hash(&entry)), hash, leaf);
        }
        self.entries.push(entry);
    }

    /// The tree.
    pub fn finish(mut self, hash: &impl Fn(&E) -> u64, leaf: &impl Fn(&[E]) -> L) -> Trie<L> {
        if !self.large {
            return Trie::build(&self.entries, hash, leaf);
        }
        self.reach(CHILDREN, hash, leaf);
        Trie { root: Node::Branch(self.children.into()) }
    }

    /// Builds the root's children before this one.
    fn reach(&mut self, index: usize, hash: &impl Fn(&E) -> u64, leaf: &impl Fn(&[E]) -> L) {
        while self.children.len() < index {
            self.children.push(build(&self.entries, BRANCH_BITS_MAX, hash, leaf));
            self.entries.clear();
        }
    }
}

/// How many children the root of a large tree has: each holds the entries whose hashes begin with its place in six bits.
pub const CHILDREN: usize = 1 << BRANCH_BITS_MAX;
/// A tree with more entries than this is large.
pub const SMALL_MAX: usize = LEAF_FILL * CHILDREN;

/// Which child of the root of a large tree a hash belongs to.
#[must_use]
pub fn child_of(hash: u64) -> usize {
    child(hash, 0, CHILDREN)
}

/// One of the [`CHILDREN`] of a large tree's root, built by itself, so that several threads build one tree.
#[derive(Debug)]
pub struct Child<L>(Node<L>);

impl<L: Leaf> Child<L> {
    /// The child of all entries that belong to it, in the order of their hashes.
    pub fn build<E>(entries: &[E], hash: &impl Fn(&E) -> u64, leaf: &impl Fn(&[E]) -> L) -> Self {
        Self(build(entries, BRANCH_BITS_MAX, hash, leaf))
    }
}

/// Where a hash belongs: the leaf, and how many of the hash's bits led to it.
#[derive(Clone, Copy, Debug)]
pub struct Found<'t, L> {
    /// The leaf.
    pub leaf: &'t L,
    /// The bits that its entries have in common.
    pub depth: u32,
}

impl<L: Leaf> Trie<L> {
    /// A tree of one leaf.
    #[must_use]
    pub const fn new(leaf: L) -> Self {
        Self { root: Node::Leaf(leaf) }
    }

    /// A tree of entries in the order of their hashes; `leaf` makes a leaf of some that lie side by side.
    pub fn build<E>(entries: &[E], hash: &impl Fn(&E) -> u64, leaf: &impl Fn(&[E]) -> L) -> Self {
        Self { root: build(entries, 0, hash, leaf) }
    }

    /// A large tree of its root's [`CHILDREN`], in their order. `None`: there aren't as many.
    pub fn join(children: impl Iterator<Item = Child<L>>) -> Option<Self> {
        let children: Arc<[Node<L>]> = children.map(|Child(node)| node).collect();
        (children.len() == CHILDREN).then(|| Self { root: Node::Branch(children) })
    }

    /// The leaf where a hash belongs.
    #[must_use]
    pub fn find(&self, hash: u64) -> Found<'_, L> {
        let (mut node, mut depth) = (&self.root, 0);
        loop {
            match node {
                Node::Branch(children) => {
                    node = &children[child(hash, depth, children.len())];
                    depth += children.len().trailing_zeros();
                }
                Node::Leaf(leaf) => return Found { leaf, depth },
            }
        }
    }

    /// Asks for the memory of the last branch on the way to a hash's leaf: the branches above it are in a cache that is
    /// near.
    pub fn prefetch(&self, hash: u64) {
        let (mut node, mut depth) = (&self.root, 0);
        for _ in 0..BRANCHES_NEAR {
            let Node::Branch(children) = node else { return };
            node = &children[child(hash, depth, children.len())];
            depth += children.len().trailing_zeros();
        }
        if let Node::Branch(children) = node {
            prefetch(&children[child(hash, depth, children.len())]);
        }
    }

    /// Changes the leaf where a hash belongs. `change` is told how many bits the leaf's entries have in common.
    pub fn change(&mut self, hash: u64, change: impl FnOnce(&mut L, u32)) {
        change_node(&mut self.root, hash, 0, change);
        if let Node::Leaf(leaf) = &self.root
            && leaf.len() > LEAF_MAX
        {
            self.root = Node::branch(leaf.split(0).map(Node::Leaf));
        }
    }

    /// All leaves, in the order of their entries' hashes.
    pub fn for_each<'t>(&'t self, visit: &mut impl FnMut(&'t L)) {
        self.root.for_each(visit);
    }
}

fn child(hash: u64, depth: u32, children: usize) -> usize {
    let bits = children.trailing_zeros();
    ((hash << depth) >> (u64::BITS - bits)) as usize & (children - 1)
}

fn change_node<L: Leaf>(node: &mut Node<L>, hash: u64, depth: u32, change: impl FnOnce(&mut L, u32)) {
    let children = match node {
        Node::Leaf(leaf) => return change(leaf, depth),
        Node::Branch(children) => children,
    };
    let (at, count) = (child(hash, depth, children.len()), children.len());
    let below = depth + count.trailing_zeros();
    let changed = &mut Arc::make_mut(children)[at];
    change_node(changed, hash, below, change);
    match changed {
        Node::Leaf(leaf) if leaf.len() > LEAF_MAX && below <= DEPTH_MAX => {
            if count < 1 << BRANCH_BITS_MAX {
                *node = Node::Branch(children.iter().flat_map(|child| child.halves(below)).collect());
            } else {
                *changed = Node::branch(leaf.split(below).map(Node::Leaf));
            }
        }
        _ => {}
    }
}

impl<L: Leaf> Node<L> {
    fn branch(children: [Self; 2]) -> Self {
        Self::Branch(Arc::new(children))
    }

    /// The two nodes that stand for this one when its branch doubles.
    fn halves(&self, depth: u32) -> [Self; 2] {
        match self {
            Self::Leaf(leaf) => leaf.split(depth).map(Self::Leaf),
            Self::Branch(children) => {
                let half = |half: &[Self]| match half {
                    [only] => only.clone(),
                    several => Self::Branch(several.into()),
                };
                let (low, high) = children.split_at(children.len() / 2);
                [half(low), half(high)]
            }
        }
    }
}

impl<L> Node<L> {
    fn for_each<'t>(&'t self, visit: &mut impl FnMut(&'t L)) {
        match self {
            Self::Leaf(leaf) => visit(leaf),
            Self::Branch(children) => children.iter().for_each(|child| child.for_each(visit)),
        }
    }
}

// By hand: the derived one would ask that what children point to can be cloned.
impl<L: Clone> Clone for Node<L> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
            Self::Branch(children) => Self::Branch(Arc::clone(children)),
        }
    }
}

fn build<E, L: Leaf>(
    entries: &[E],
    depth: u32,
    hash: &impl Fn(&E) -> u64,
    leaf: &impl Fn(&[E]) -> L,
) -> Node<L> {
    if entries.len() <= LEAF_FILL || depth > DEPTH_MAX {
        return Node::Leaf(leaf(entries));
    }
    let leaves = entries.len().div_ceil(LEAF_FILL).next_power_of_two();
    let children = leaves.min(1 << BRANCH_BITS_MAX);
    let below = depth + children.trailing_zeros();
    let mut rest = entries;
    let parts: Vec<&[E]> = (0..children)
        .map(|index| {
            let (part, after) =
                rest.split_at(rest.partition_point(|entry| child(hash(entry), depth, children) <= index));
            rest = after;
            part
        })
        .collect();
    Node::Branch(parts.iter().map(|part| build(part, below, hash, leaf)).collect())
}

/// Where a hash stands, or would stand, among entries of a leaf in the order of their hashes: before all that aren't
/// smaller. As hashes spread evenly, its own bits say where to look first.
pub fn position<E>(entries: &[E], of: impl Fn(&E) -> u64, hash: u64, depth: u32) -> usize {
    let mut at = likely_position(entries.len(), hash, depth);
    while at < entries.len() && of(&entries[at]) < hash {
        at += 1;
    }
    while at > 0 && of(&entries[at - 1]) >= hash {
        at -= 1;
    }
    at
}

/// Where a hash is likeliest in a leaf of so many entries.
#[must_use]
pub fn likely_position(entries: usize, hash: u64, depth: u32) -> usize {
    ((u128::from(hash << depth) * entries as u128) >> u64::BITS) as usize
}

/// Mixes all bits into all bits; no two values give the same. Source: the finalizer of `SplitMix64`, Steele, Lea, Flood,
/// OOPSLA 2014.
#[must_use]
pub const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// What [`mix`] made this of.
#[must_use]
pub const fn unmix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 31) ^ (bits >> 62)).wrapping_mul(0x3196_42b2_d24d_8ec3);
    let bits = (bits ^ (bits >> 27) ^ (bits >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    bits ^ (bits >> 30) ^ (bits >> 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes alone.
    #[derive(Clone, Debug)]
    struct Hashes(Vec<u64>);

    impl Leaf for Hashes {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn split(&self, depth: u32) -> [Self; 2] {
            let (low, high) = self.0.iter().partition(|hash| *hash << depth >> 63 == 0);
            [Self(low), Self(high)]
        }
    }

    fn insert(trie: &mut Trie<Hashes>, hash: u64) {
        trie.change(hash, |leaf, depth| {
            let at = position(&leaf.0, |hash| *hash, hash, depth);
            leaf.0.insert(at, hash);
        });
    }

    fn all(trie: &Trie<Hashes>) -> Vec<u64> {
        let mut all = Vec::new();
        trie.for_each(&mut |leaf| all.extend(&leaf.0));
        all
    }

    fn contains(trie: &Trie<Hashes>, hash: u64) -> bool {
        trie.find(hash).leaf.0.contains(&hash)
    }

    fn hashes(count: u64) -> Vec<u64> {
        (0..count).map(mix).collect()
    }

    fn sorted(mut hashes: Vec<u64>) -> Vec<u64> {
        hashes.sort_unstable();
        hashes
    }

    #[test]
    fn a_tree_that_grew_and_one_built_at_once_hold_the_same_in_order() {
        for count in [0, 1, 48, 49, 64, 65, 1_000, 5_000, 300_000] {
            let (hashes, mut grown) = (hashes(count), Trie::new(Hashes(vec![])));
            hashes.iter().for_each(|hash| insert(&mut grown, *hash));
            let sorted = sorted(hashes);
            let leaf = |hashes: &[u64]| Hashes(hashes.to_vec());
            let built = Trie::build(&sorted, &|hash| *hash, &leaf);
            let mut builder = Builder::new(sorted.len());
            sorted.iter().for_each(|hash| builder.push(*hash, &|hash| *hash, &leaf));
            let streamed = builder.finish(&|hash| *hash, &leaf);
            let joined = Trie::join((0..CHILDREN).map(|child| {
                let of: Vec<u64> = sorted.iter().copied().filter(|hash| child_of(*hash) == child).collect();
                Child::build(&of, &|hash| *hash, &leaf)
            }));
            assert_eq!(all(&joined.unwrap()), sorted, "{count}");
            assert_eq!(all(&streamed), sorted, "{count}");
            assert_eq!(all(&grown), sorted, "{count}");
            assert_eq!(all(&built), sorted, "{count}");
            for tree in [&grown, &built, &streamed] {
                assert!(sorted.iter().all(|hash| contains(tree, *hash)), "{count}");
                assert!(!contains(tree, mix(count)), "{count}");
                let mut fullest = 0;
                tree.for_each(&mut |leaf| fullest = fullest.max(leaf.len()));
                assert!(fullest <= LEAF_MAX, "{count}");
            }
        }
    }

    #[test]
    fn hashes_that_begin_alike_or_are_the_same_are_kept() {
        let mut tree = Trie::new(Hashes(vec![]));
        let alike = (0..500).map(|low| 0xffff_ffff_ffff_0000 | low);
        let same = std::iter::repeat_n(7, 200);
        let hashes: Vec<u64> = alike.chain(same).collect();
        hashes.iter().for_each(|hash| insert(&mut tree, *hash));
        assert_eq!(all(&tree), sorted(hashes));
    }

    #[test]
    fn a_clone_keeps_what_it_had() {
        let (first, later): (Vec<u64>, Vec<u64>) = hashes(20_000).into_iter().partition(|hash| hash % 2 == 0);
        let mut tree = Trie::new(Hashes(vec![]));
        first.iter().for_each(|hash| insert(&mut tree, *hash));
        let before = tree.clone();
        later.iter().for_each(|hash| insert(&mut tree, *hash));
        assert_eq!(all(&before), sorted(first));
        assert_eq!(all(&tree), sorted(hashes(20_000)));
    }

    #[test]
    fn mixing_loses_nothing() {
        for bits in [0, 1, 12_125_550_001, u64::MAX, 0x8000_0000_0000_0000].into_iter().chain(hashes(1_000)) {
            assert_eq!(unmix(mix(bits)), bits);
        }
    }
}
