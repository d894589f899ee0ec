//! A call as every provider tells it, in the provider's words no more.

use std::borrow::Cow;

use crate::e164::E164;
use crate::sip;

/// A call that a provider asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundCall<'a> {
    /// The provider's name of the call, the same in all its later requests.
    pub call_id: Cow<'a, str>,
    /// The called address as the provider wrote it; empty where an event about a call doesn't say it.
    pub to: Cow<'a, str>,
    /// The calling address as the provider wrote it; a word such as `anonymous` when it is withheld.
    pub from: Cow<'a, str>,
    /// The provider's own name of the called number, where it has one (Vapi's `phoneNumberId`).
    pub number_id: Option<Cow<'a, str>>,
    /// The carrier's name of the same call, where an agent's provider tells it; of a leg that was dialled for another
    /// call, that call's name: what joins the legs of one call.
    pub carrier_call_id: Option<Cow<'a, str>>,
    /// What the provider's folder has to know again when it writes the answer: which of its languages the request was
    /// in, which event it answers. Nobody else reads it; empty where nothing is needed.
    pub context: Cow<'a, str>,
}

impl<'a> InboundCall<'a> {
    /// The call of this id, of which nothing else is said.
    #[must_use]
    pub const fn unnumbered(call_id: Cow<'a, str>) -> Self {
        Self {
            call_id,
            to: Cow::Borrowed(""),
            from: Cow::Borrowed(""),
            number_id: None,
            carrier_call_id: None,
            context: Cow::Borrowed(""),
        }
    }

    /// The called number; `None` when the call is for no number (a SIP user, a client).
    #[must_use]
    pub fn called(&self) -> Option<E164> {
        address(&self.to)
    }

    /// Whether it says which number was called, by the number or by the provider's own name of it.
    #[must_use]
    pub fn names_number(&self) -> bool {
        self.number_id.is_some() || !self.to.is_empty()
    }

    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller::from_text(&self.from)
    }
}

/// The number that an address is, written as E.164 or as the user of a SIP URI.
#[must_use]
pub fn address(text: &str) -> Option<E164> {
    E164::parse(text.as_bytes()).ok().or_else(|| sip::number(text))
}

/// The number that a national one is in a country with this calling code: the trunk zero in front, if any, left out.
#[must_use]
pub fn national(text: &str, calling_code: u16) -> Option<E164> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    let digits = digits.strip_prefix('0').unwrap_or(&digits);
    let significant = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if significant { format!("+{calling_code}{digits}").parse().ok() } else { None }
}

/// Who calls. A caller without a number is a normal call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A caller who shows a number.
    Number(E164),
    /// A caller who withholds it.
    Withheld,
    /// A caller with another kind of address: a SIP user, a short code.
    Other,
}

/// Words that carriers send for a withheld number.
/// Source: Twilio, "TwiML for Programmable Voice", request parameters.
const WITHHELD: [&str; 7] = ["", "anonymous", "unknown", "restricted", "unavailable", "blocked", "private"];

/// The same words typed on a keypad, as some carriers send them.
const WITHHELD_TYPED: [u64; 5] = [266_696_687, 7_378_742_833, 2_562_533, 8_656_696, 86_282_452_253];

impl Caller {
    /// Reads a caller as providers write it. Never refuses one.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        if let Some(number) = address(text) {
            let is_withheld = WITHHELD_TYPED.contains(&number.to_u64());
            return if is_withheld { Self::Withheld } else { Self::Number(number) };
        }
        let word = sip::user(text).unwrap_or(text).trim();
        let is_withheld = WITHHELD.iter().any(|withheld| word.eq_ignore_ascii_case(withheld));
        if is_withheld { Self::Withheld } else { Self::Other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_national_number_gets_its_country() {
        let check = |text: &str, code, expected: Option<&str>| {
            assert_eq!(national(text, code).map(|number| number.to_string()).as_deref(), expected, "{text}");
        };
        check("030 1234567", 49, Some("+49301234567"));
        check("(415) 555-0165", 1, Some("+14155550165"));
        check("desk7", 49, None);
        check("", 49, None);
        check("0", 49, None);
    }

    #[test]
    fn tells_callers_apart() {
        let number = |text: &str| Caller::Number(text.parse().unwrap());
        let check = |text: &str, expected: Caller| assert_eq!(Caller::from_text(text), expected, "{text:?}");
        check("+15105550198", number("+15105550198"));
        check("sip:+15105550198@sip.example.com", number("+15105550198"));
        check("Anonymous", Caller::Withheld);
        check("sip:anonymous@anonymous.invalid", Caller::Withheld);
        check("+266696687", Caller::Withheld);
        check("sip:+86282452253@sip.example.com", Caller::Withheld);
        check("", Caller::Withheld);
        check("client:jane", Caller::Other);
        check("40404", Caller::Other);
        check(" 15105550198", Caller::Other);
    }
}
