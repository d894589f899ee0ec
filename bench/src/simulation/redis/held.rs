//! What a key holds: a stream, a sorted set.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// An entry's id.
pub type Id = (u64, u64);

/// A stream.
#[derive(Clone, Default, Debug)]
pub struct Stream {
    /// What it holds: fields in pairs.
    pub entries: BTreeMap<Id, Vec<Bytes>>,
    /// The last id that it ever held.
    pub last: Id,
}

impl Stream {
    /// Adds an entry behind the last one.
    ///
    /// # Errors
    /// When it isn't behind it.
    pub fn add(&mut self, id: Id, fields: Vec<Bytes>) -> Result<(), String> {
        if id <= self.last {
            return Err(
                "ERR The ID specified in XADD is equal or smaller than the target stream top item".into()
            );
        }
        self.entries.insert(id, fields);
        self.last = id;
        Ok(())
    }

    /// Drops entries before an id, and says how many.
    pub fn trim(&mut self, from: Id) -> usize {
        let kept = self.entries.split_off(&from);
        std::mem::replace(&mut self.entries, kept).len()
    }
}

/// Reads an id.
#[must_use]
pub fn id(text: &str) -> Option<Id> {
    let (high, low) = text.split_once('-').unwrap_or((text, "0"));
    Some((high.parse().ok()?, low.parse().ok()?))
}

/// Writes an id.
#[must_use]
pub fn id_text((high, low): Id) -> String {
    format!("{high}-{low}")
}

/// A sorted set.
#[derive(Clone, Default, Debug)]
pub struct Sorted {
    scores: BTreeMap<Bytes, u64>,
    ordered: BTreeSet<(u64, Bytes)>,
}

impl Sorted {
    /// Adds a member, or gives it another score.
    pub fn add(&mut self, score: u64, member: Bytes) {
        self.remove(&member);
        self.scores.insert(member.clone(), score);
        self.ordered.insert((score, member));
    }

    /// Removes a member, if it is there.
    pub fn remove(&mut self, member: &Bytes) -> bool {
        let score = self.scores.remove(member);
        score.is_some_and(|score| self.ordered.remove(&(score, member.clone())))
    }

    /// All members by their scores.
    pub fn iter(&self) -> impl Iterator<Item = &(u64, Bytes)> {
        self.ordered.iter()
    }

    /// Whether it has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }
}
