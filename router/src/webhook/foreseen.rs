//! The number that a request says was called, fetched from memory while the request is still being checked.
//!
//! Among ten million numbers each call's is in no cache: to walk from number to tenant to agent takes longer than to
//! check a signature. What is fetched opens nothing: it is read once the request has proven where it comes from.

use std::cell::Cell;

use dialplane_common::call;
use dialplane_common::e164::E164;
use dialplane_common::provider::request::WebhookRequest;
use dialplane_common::provider::twiml_form;

use crate::snapshot::{Number, Snapshot};

/// A number on its way from memory.
pub struct Foreseen<'a> {
    snapshot: &'a Snapshot,
    called: Option<E164>,
    number: Cell<Option<Number<'a>>>,
}

impl<'a> Foreseen<'a> {
    /// Asks for the number that a form names. Other requests are read only once they are believed.
    pub fn new(snapshot: &'a Snapshot, request: &WebhookRequest<'_>) -> Self {
        let called = twiml_form::to(&request.form).and_then(call::address);
        if let Some(called) = called {
            snapshot.prefetch(called);
        }
        Self { snapshot, called, number: Cell::new(None) }
    }

    /// Finds the number and asks for whose it is: before something that takes time.
    pub fn find(&self) {
        self.number.set(self.called.and_then(|called| self.snapshot.number(called)));
        self.number.get().into_iter().for_each(Number::prefetch);
    }

    /// Asks for tenant and agent: after that.
    pub fn settle(&self) {
        self.number.get().into_iter().for_each(Number::prefetch_records);
    }

    /// A number, found already or looked up now.
    pub fn number(&self, called: E164) -> Option<Number<'a>> {
        let found = self.number.get().filter(|_| self.called == Some(called));
        let found = found.or_else(|| self.snapshot.number(called))?;
        found.prefetch_target();
        Some(found)
    }
}
