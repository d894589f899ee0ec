//! Which events belong to one call: those that share a name, directly or by others between them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use dialplane_common::calls::event::CallEvent;
use uuid::Uuid;

use super::leg::Leg;
use super::names::{self, Name};
use super::record::Record;

/// What some events say of one call.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// By which names it is known.
    pub names: BTreeSet<Name>,
    /// What they say.
    pub record: Record,
}

/// Events, gathered by call.
#[derive(Default)]
pub struct Fold {
    /// By a name, which group it is of.
    places: HashMap<Name, usize>,
    groups: Vec<Group>,
}

impl Fold {
    /// Takes in an event.
    pub fn add(&mut self, event: &CallEvent<'_>) {
        let names: Vec<_> = names::of(event).collect();
        let group = self.group_of(&names);
        self.groups[group].record.add(&Leg::of(event));
    }

    /// Says that these names mean one call, and gives the group of it.
    fn group_of(&mut self, names: &[Name]) -> usize {
        let place = match names.iter().find_map(|name| self.places.get(name)) {
            Some(place) => *place,
            None => {
                self.groups.push(Group::default());
                self.groups.len() - 1
            }
        };
        for name in names {
            match self.places.entry(*name) {
                Entry::Occupied(known) if *known.get() == place => {}
                Entry::Occupied(known) => {
                    let other = *known.get();
                    self.unite(place, other);
                }
                Entry::Vacant(free) => {
                    free.insert(place);
                    self.groups[place].names.insert(*name);
                }
            }
        }
        place
    }

    fn unite(&mut self, place: usize, other: usize) {
        let other = std::mem::take(&mut self.groups[other]);
        for name in other.names {
            self.places.insert(name, place);
            self.groups[place].names.insert(name);
        }
        self.groups[place].record.join(&other.record);
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = Name> + use<'_> {
        self.places.keys().copied()
    }

    /// The calls, given as which record names are known: those that are known as one are one.
    #[must_use]
    pub fn groups(mut self, known: &HashMap<Name, Uuid>) -> Vec<Group> {
        let mut of_call: HashMap<Uuid, Vec<Name>> = HashMap::new();
        for (name, call) in known {
            of_call.entry(*call).or_default().push(*name);
        }
        for names in of_call.values().filter(|names| names.len() > 1) {
            let _ = self.group_of(names);
        }
        self.groups.retain(|group| !group.names.is_empty());
        self.groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::samples::{Chance, day, event, of_agent, offered, progress};
    use dialplane_common::calls::event::Action;
    use dialplane_common::calls::report::Progress;
    use std::collections::BTreeMap;

    /// Records as a store keeps them: merged batch by batch, found by their names.
    #[derive(Default)]
    struct Kept {
        names: HashMap<Name, Uuid>,
        records: BTreeMap<Uuid, Record>,
        made: u128,
    }

    impl Kept {
        fn store(&mut self, events: &[CallEvent<'_>]) {
            let mut fold = Fold::default();
            events.iter().for_each(|event| fold.add(event));
            let known: HashMap<_, _> =
                fold.names().filter_map(|name| Some((name, *self.names.get(&name)?))).collect();
            for mut group in fold.groups(&known) {
                let ids: BTreeSet<_> =
                    group.names.iter().filter_map(|name| known.get(name).copied()).collect();
                for id in ids {
                    let Some(own) = self.records.remove(&id) else { continue };
                    group.names.extend(own.legs.values().flat_map(Leg::names));
                    group.record.join(&own);
                }
                self.made += 1;
                let id = Uuid::from_u128(self.made);
                self.names.extend(group.names.into_iter().map(|name| (name, id)));
                self.records.insert(id, group.record);
            }
        }

        /// All records, as lists show them.
        fn shown(&self) -> Vec<String> {
            let mut shown: Vec<_> =
                self.records.values().map(|record| format!("{:?}", record.shown())).collect();
            shown.sort();
            shown
        }
    }

    #[test]
    fn any_order_with_repeats_in_any_batches_gives_the_same_records() {
        let mut at_once = Kept::default();
        at_once.store(&day());
        let expected = at_once.shown();
        assert_eq!(expected.len(), 5, "{expected:#?}");
        for seed in 1..=2_000 {
            let mut chance = Chance(seed);
            let mut events = day();
            for _ in 0..chance.below(10) {
                let again = events[chance.below(events.len())].clone();
                events.push(again);
            }
            chance.shuffle(&mut events);
            let mut kept = Kept::default();
            let mut rest = &events[..];
            while !rest.is_empty() {
                let (batch, behind) = rest.split_at(1 + chance.below(rest.len()));
                kept.store(batch);
                rest = behind;
            }
            assert_eq!(kept.shown(), expected, "seed {seed}");
        }
    }

    #[test]
    fn legs_that_were_two_calls_become_one_once_a_name_joins_them() {
        let mut kept = Kept::default();
        kept.store(&[event(0, "CA1", offered(Action::Agent))]);
        kept.store(&[of_agent(1, "v1", None, progress(Progress::Answered))]);
        assert_eq!(kept.records.len(), 2);
        kept.store(&[of_agent(2, "v1", Some("CA1"), progress(Progress::Other))]);
        assert_eq!(kept.records.len(), 1);
        // By either name.
        kept.store(&[
            event(3, "CA1", progress(Progress::Answered)),
            of_agent(4, "v1", None, progress(Progress::Other)),
        ]);
        assert_eq!(kept.records.len(), 1);
    }
}
