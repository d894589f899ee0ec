//! The number that a request says was called, fetched from memory while the request is still being checked.
//!
//! Among ten million numbers each call's is in no cache: to walk from number to tenant to agent takes longer than to
//! check a signature. What is fetched opens nothing: it is read once the request has proven where it comes from.

use std::cell::Cell;
use std::sync::LazyLock;

use dialplane_common::e164::E164;
use dialplane_common::provider::Body;
use memchr::memmem::Finder;

use super::Endpoint;
use crate::snapshot::{Number, Snapshot};

/// What stands in a form before the called address.
const TO: &[u8] = b"To=";

/// A plus sign in a form.
const PLUS: &[u8] = b"%2B";

/// A number on its way from memory.
pub struct Foreseen<'a> {
    snapshot: &'a Snapshot,
    called: Option<E164>,
    number: Cell<Option<Number<'a>>>,
}

impl<'a> Foreseen<'a> {
    /// Looks for the called number in a body that isn't read yet, and asks for the way to it. Where it isn't found, all
    /// that is lost is time.
    pub fn new(snapshot: &'a Snapshot, endpoint: &Endpoint, body: &[u8]) -> Self {
        let called = if endpoint.kind.body == Body::Json { None } else { glimpse(body) };
        called.into_iter().for_each(|called| snapshot.prefetch_way(called));
        Self { snapshot, called, number: Cell::new(None) }
    }

    /// Asks for the number: when the way to it may have come, and before something that takes time.
    pub fn approach(&self) {
        self.called.into_iter().for_each(|called| self.snapshot.prefetch(called));
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

/// The number that the parameter `To` of a form seems to have.
fn glimpse(body: &[u8]) -> Option<E164> {
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(TO));
    let at = FINDER.find_iter(body).find(|at| *at == 0 || body[at - 1] == b'&')?;
    let value = &body[at + TO.len()..];
    let digits = value.strip_prefix(PLUS)?;
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut text = [b'+'; 16];
    let text = text.get_mut(..=count)?;
    text[1..].copy_from_slice(&digits[..count]);
    E164::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_called_number_is_glimpsed_in_a_form() {
        let number = E164::parse(b"+12125550001").ok();
        for (body, expected) in [
            ("To=%2B12125550001", number),
            ("From=%2B1&To=%2B12125550001&Z=1", number),
            ("CalledTo=%2B1999&To=%2B12125550001", number),
            ("CalledTo=%2B12125550001", None),
            ("To=%2B", None),
            ("To=sip%3Aa%40b", None),
            ("To=%2B1212555000112125550001", None),
            ("To", None),
            ("", None),
        ] {
            assert_eq!(glimpse(body.as_bytes()), expected, "{body}");
        }
    }
}
