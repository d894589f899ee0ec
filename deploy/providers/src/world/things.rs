//! Things: made, found, changed, done away with.

use serde_json::{Map, Value};

use super::World;
use crate::thing::Thing;

impl World {
    /// Makes a thing.
    pub fn make(
        &mut self,
        provider: &str,
        kind: &str,
        account: &str,
        id: &str,
        body: Map<String, Value>,
    ) -> Thing {
        self.changed = true;
        let thing = Thing {
            provider: provider.to_owned(),
            kind: kind.to_owned(),
            account: account.to_owned(),
            id: id.to_owned(),
            created: self.turn.now,
            updated: self.turn.now,
            ready: self.settled(),
            body,
        };
        self.things.push(thing.clone());
        thing
    }

    /// A thing.
    pub fn thing(&self, provider: &str, kind: &str, account: &str, id: &str) -> Option<&Thing> {
        self.things_of(provider, kind, account).find(|thing| thing.id == id)
    }

    /// A thing, to change it.
    pub fn thing_mut(&mut self, provider: &str, kind: &str, account: &str, id: &str) -> Option<&mut Thing> {
        self.changed = true;
        let now = self.turn.now;
        let found =
            self.things.iter_mut().find(|thing| is(thing, provider, kind, account) && thing.id == id)?;
        found.updated = now;
        Some(found)
    }

    /// An account's things of a kind, in the order in which they were made.
    pub fn things_of(&self, provider: &str, kind: &str, account: &str) -> impl Iterator<Item = &Thing> {
        self.things.iter().filter(move |thing| is(thing, provider, kind, account))
    }

    /// Does away with a thing; tells it as it was.
    pub fn unmake(&mut self, provider: &str, kind: &str, account: &str, id: &str) -> Option<Thing> {
        let place =
            self.things.iter().position(|thing| is(thing, provider, kind, account) && thing.id == id)?;
        self.changed = true;
        Some(self.things.remove(place))
    }
}

fn is(thing: &Thing, provider: &str, kind: &str, account: &str) -> bool {
    thing.provider == provider && thing.kind == kind && thing.account == account
}
