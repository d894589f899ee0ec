//! One request's turn: what its handler has at hand.

use serde_json::{Map, Value};

use crate::number::{Kind, Number};
use crate::reply::Reply;
use crate::request::Request;
use crate::stock::countries::Country;
use crate::stock::{Offer, Wanted};
use crate::thing::Thing;
use crate::world::World;

/// What a handler has at hand.
pub struct Turn<'a> {
    /// All that is known, to look up and change.
    pub world: &'a mut World,
    /// What was asked.
    pub request: &'a Request,
    /// Which provider's.
    pub provider: &'static str,
    /// Whose, once it was let in.
    pub account: String,
    /// What stands in the path's places.
    pub params: Vec<(&'static str, String)>,
}

impl Turn<'_> {
    /// What stands in the path at this place.
    pub fn param(&self, name: &str) -> String {
        let found = self.params.iter().find(|(given, _)| *given == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The account's number of this id.
    pub fn number(&self, id: &str) -> Option<&Number> {
        self.world.number(self.provider, &self.account, id)
    }

    /// The same, to change it.
    pub fn number_mut(&mut self, id: &str) -> Option<&mut Number> {
        self.world.number_mut(self.provider, &self.account, id)
    }

    /// The account's numbers.
    pub fn numbers(&self) -> impl Iterator<Item = &Number> {
        self.world.numbers_of(self.provider, &self.account)
    }

    /// The account's thing.
    pub fn thing(&self, kind: &str, id: &str) -> Option<&Thing> {
        self.world.thing(self.provider, kind, &self.account, id)
    }

    /// The same, to change it.
    pub fn thing_mut(&mut self, kind: &str, id: &str) -> Option<&mut Thing> {
        self.world.thing_mut(self.provider, kind, &self.account, id)
    }

    /// The account's things of a kind.
    pub fn things(&self, kind: &'static str) -> impl Iterator<Item = &Thing> {
        self.world.things_of(self.provider, kind, &self.account)
    }

    /// Makes a thing of the account's, and writes it down as `what`.
    pub fn make(&mut self, kind: &str, what: &str, id: &str, tag: &str, body: Map<String, Value>) -> Thing {
        self.world.note(self.provider, &self.account, "create", what, id, tag);
        self.world.make(self.provider, kind, &self.account, id, body)
    }

    /// Does away with a thing of the account's, and writes it down as `what`.
    pub fn unmake(&mut self, kind: &str, what: &str, id: &str) -> Option<Thing> {
        let thing = self.world.unmake(self.provider, kind, &self.account, id)?;
        self.world.note(self.provider, &self.account, "delete", what, id, "");
        Some(thing)
    }

    /// Numbers that the provider has to sell.
    pub fn offers(&self, country: &'static Country, kind: Kind, wanted: &Wanted<'_>) -> Vec<Offer> {
        let taken = |number: &str| self.world.holder(self.provider, number).is_some();
        self.world.terms.stock.offers(self.provider, country, kind, wanted, taken)
    }

    /// This number, if it is to be had.
    pub fn offer(&self, number: &str) -> Option<Offer> {
        let offer = self.world.terms.stock.offer(self.provider, number)?;
        self.world.holder(self.provider, number).is_none().then_some(offer)
    }
}

/// What a handler ends with: a refusal is an answer, too.
pub type Outcome = Result<Reply, Reply>;
