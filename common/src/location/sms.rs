//! How text messages are answered: settings of kind `sms`, as one scope sets them, and what applies of them.

use serde::{Deserialize, Serialize};

use crate::call::{Caller, InboundCall};
use crate::e164::E164;

/// How text messages are answered, as one scope sets it. What is absent comes from the scope behind.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sms {
    /// Whether anything is done with them; set nowhere: yes.
    pub enabled: Option<bool>,
    /// What is sent back while it is open.
    pub reply_open: Option<String>,
    /// What is sent back while it is closed.
    pub reply_closed: Option<String>,
    /// Whom they are passed on to.
    pub forward_to: Option<E164>,
}

/// What is done with one text message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MessageAnswer<'a> {
    /// What is sent back.
    pub reply: Option<&'a str>,
    /// Whom it is passed on to.
    pub forward_to: Option<E164>,
}

impl Sms {
    /// Whether it sets nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl<'a> MessageAnswer<'a> {
    /// What is done with this message: each field from the nearest of `scopes` that sets it, the nearest first.
    ///
    /// Nothing is sent back to the person whom messages are passed on to, nor to the very number that was written to:
    /// two machines would go on answering each other.
    #[must_use]
    pub fn of(scopes: [Option<&'a Sms>; 3], is_open: bool, message: &InboundCall<'_>) -> Self {
        let scopes = || scopes.into_iter().flatten();
        let reply =
            |sms: &'a Sms| if is_open { sms.reply_open.as_deref() } else { sms.reply_closed.as_deref() };
        if scopes().find_map(|sms| sms.enabled) == Some(false) {
            return Self::default();
        }
        let answer =
            Self { reply: scopes().find_map(reply), forward_to: scopes().find_map(|sms| sms.forward_to) };
        let Caller::Number(sender) = message.caller() else {
            return Self { reply: answer.reply.filter(|_| !message.from.is_empty()), ..answer };
        };
        if Some(sender) == answer.forward_to || Some(sender) == message.called() {
            return Self::default();
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearer_replaces_field_by_field() {
        let person: E164 = "+12025550147".parse().unwrap();
        let number = Sms { reply_open: Some("near".into()), ..Sms::default() };
        let tenant = Sms {
            reply_open: Some("far".into()),
            reply_closed: Some("closed".into()),
            forward_to: Some(person),
            ..Sms::default()
        };
        let off = Sms { enabled: Some(false), ..Sms::default() };
        let check =
            |scopes: [Option<&Sms>; 3], open: bool, from: &str, reply: Option<&str>, forward: bool| {
                let message = InboundCall {
                    call_id: "SM1".into(),
                    to: "+12125550001".into(),
                    from: from.to_owned().into(),
                    number_id: None,
                    carrier_call_id: None,
                    context: "".into(),
                };
                let answer = MessageAnswer::of(scopes, open, &message);
                assert_eq!((answer.reply, answer.forward_to), (reply, forward.then_some(person)), "{from}");
            };
        let sender = "+15105550198";
        check([Some(&number), Some(&tenant), None], true, sender, Some("near"), true);
        check([Some(&number), Some(&tenant), None], false, sender, Some("closed"), true);
        check([Some(&number), None, None], false, sender, None, false);
        check([Some(&off), Some(&tenant), None], true, sender, None, false);
        check([None, Some(&number), Some(&off)], true, sender, None, false);
        check([None, Some(&tenant), None], true, "+12025550147", None, false);
        check([None, Some(&tenant), None], true, "+12125550001", None, false);
        check([None, Some(&tenant), None], true, "40404", Some("far"), true);
        check([None, Some(&tenant), None], true, "", None, true);
    }
}
