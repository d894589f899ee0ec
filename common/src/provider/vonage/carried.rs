//! What an event URL brings back besides `s`.
//!
//! Events about a called leg name that leg and its numbers, and those about a recording name no number at all, so the
//! URL says whose call it is. It also says which addresses are still to be rung: an NCCO connects to one at a time.
//! The signature doesn't cover the URL. Whoever changes it gets the answer himself, and what remains of the route
//! (`s`) is sealed for the call.

use std::borrow::Cow;

use crate::call::InboundCall;
use crate::provider::form::Form;
use crate::route::Dialable;
use crate::sip;

const CALL: &str = "call";
const CALLED: &str = "called";
const CALLER: &str = "caller";
const NEXT: &str = "next";
const TIMEOUT: &str = "timeout";

/// The addresses that ring when the one before didn't answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Next {
    pub to: Vec<Dialable>,
    /// How long each rings, in seconds.
    pub timeout_s: u16,
}

/// An event URL's parameters.
#[derive(Debug)]
pub struct Carried {
    pub state: Option<String>,
    pub call_id: Option<String>,
    pub to: Option<String>,
    pub from: Option<String>,
    pub next: Next,
}

impl Carried {
    /// Reads a URL's query. Addresses that nobody can dial are left out.
    pub fn read(query: &Form) -> Self {
        let text = |name| query.get(name).map(str::to_owned);
        let address = |text: &str| match text.parse() {
            Ok(number) => Some(Dialable::Number(number)),
            Err(_) => sip::is_uri(text).then(|| Dialable::Sip(text.to_owned())),
        };
        let timeout_s = query.get(TIMEOUT).and_then(|text| text.parse().ok()).unwrap_or_default();
        let to = query.get(NEXT).into_iter().flat_map(|list| list.split(',')).filter_map(address).collect();
        Self {
            state: text("s"),
            call_id: text(CALL),
            to: text(CALLED),
            from: text(CALLER),
            next: Next { to, timeout_s },
        }
    }
}

/// `url` with the call and the addresses that are still to be rung.
pub fn event_url(url: &str, call: &InboundCall<'_>, next: &[Dialable], timeout_s: u16) -> String {
    let mut text = String::with_capacity(url.len() + 160);
    text.push_str(url);
    let mut put = |name: &str, value: &str| {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.extend([name, "="]);
        push_encoded(&mut text, value);
    };
    put(CALL, &call.call_id);
    put(CALLED, &call.to);
    put(CALLER, &call.from);
    if !next.is_empty() {
        let address = |address: &Dialable| -> Cow<'_, str> {
            match address {
                Dialable::Number(number) => number.to_string().into(),
                Dialable::Sip(uri) => uri.clone().into(),
            }
        };
        // No SIP URI that can be dialled has a comma.
        put(NEXT, &next.iter().map(address).collect::<Vec<_>>().join(","));
        put(TIMEOUT, &timeout_s.to_string());
    }
    text
}

fn push_encoded(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::request;

    #[test]
    fn what_a_url_carries_comes_back() {
        let next = [
            Dialable::Number("+12025550147".parse().unwrap()),
            Dialable::Sip("sip:desk@h;transport=tls?x-a=%26&x-b=+".into()),
        ];
        let call = InboundCall {
            call_id: "a-1".into(),
            to: "+442079460958".into(),
            from: "sip:J\u{e9}&=?#@h".into(),
            number_id: None,
            carrier_call_id: None,
            context: "".into(),
        };
        let url = event_url("https://x.example/after/a?s=c3", &call, &next, 15);
        let form = Form::parse(request::query(&url).as_bytes()).unwrap();
        let carried = Carried::read(&form);
        assert_eq!(carried.state.as_deref(), Some("c3"));
        assert_eq!(carried.call_id.as_deref(), Some("a-1"));
        assert_eq!(carried.to.as_deref(), Some("+442079460958"));
        assert_eq!(carried.from.as_deref(), Some("sip:J\u{e9}&=?#@h"));
        assert_eq!(carried.next, Next { to: next.into(), timeout_s: 15 });
        assert!(url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains('#'));
    }

    #[test]
    fn what_cannot_be_dialled_is_left_out() {
        let form = Form::parse(b"next=+1,%2B12025550147,javascript:x,,sip:a@h&timeout=x").unwrap();
        let next = Carried::read(&form).next;
        let expected = [Dialable::Number("+12025550147".parse().unwrap()), Dialable::Sip("sip:a@h".into())];
        assert_eq!(next, Next { to: expected.into(), timeout_s: 0 });
        assert_eq!(Carried::read(&Form::default()).next, Next::default());
    }
}
