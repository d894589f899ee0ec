//! What a voice agent is told of the call that it gets, beside the call itself.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::reply::Reply;
use crate::ids::{PhoneNumberId, TenantId};

/// The facts of a call, clean enough for a SIP header and for JSON: printable ASCII without quotation marks and
/// backslashes, and no longer than the provider takes.
pub struct AgentFacts<'a> {
    tenant_id: TenantId,
    phone_number_id: Option<PhoneNumberId>,
    texts: [(&'static str, Cow<'a, str>); 3],
}

impl<'a> AgentFacts<'a> {
    /// The facts of this call, each text with at most `chars_max` characters.
    pub fn of(reply: &'a Reply<'_>, chars_max: usize) -> Self {
        let clean = |text: &'a str| clean(text, chars_max);
        Self {
            tenant_id: reply.location.tenant_id,
            phone_number_id: reply.location.phone_number_id,
            texts: [
                ("call_id", clean(&reply.call.call_id)),
                ("from", clean(&reply.call.from)),
                ("to", clean(&reply.call.to)),
            ],
        }
    }

    /// Gives each fact to `put`: `tenant_id`, `phone_number_id` where there is one, `call_id`, `from`, `to`.
    pub fn each(&self, mut put: impl FnMut(&'static str, &str)) {
        put("tenant_id", &self.tenant_id.to_string());
        if let Some(id) = self.phone_number_id {
            put("phone_number_id", &id.to_string());
        }
        for (name, text) in &self.texts {
            put(name, text);
        }
    }
}

/// An object of texts.
impl Serialize for AgentFacts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut failed = None;
        self.each(|name, value| {
            if failed.is_none() {
                failed = map.serialize_entry(name, value).err();
            }
        });
        failed.map_or_else(|| map.end(), Err)
    }
}

/// The text without what neither a header nor JSON can hold as it is, and not longer than `chars_max`.
pub fn clean(text: &str, chars_max: usize) -> Cow<'_, str> {
    let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\');
    if text.len() <= chars_max && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| plain(*c)).take(chars_max).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_protocol_can_hold_is_left() {
        for (text, expected) in [
            ("+12125550001", "+12125550001"),
            ("a\r\nX-Evil: 1", "aX-Evil: 1"),
            ("\"J\u{e9}r\u{f4}me\" <sip:j@h>", "Jrme <sip:j@h>"),
            ("a\\b\u{0}", "ab"),
            ("123456789012345678901", "12345678901234567890"),
            ("", ""),
        ] {
            assert_eq!(clean(text, 20), expected);
        }
    }
}
