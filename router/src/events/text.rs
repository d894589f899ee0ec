//! Texts of calls as events hold them: addresses in one form, and nothing longer than an event may be.

use std::borrow::Cow;

use dialplane_common::call::Caller;
use dialplane_common::calls::event::TEXT_BYTES_MAX;
use dialplane_common::calls::report::{Cost, Report};
use dialplane_common::e164::E164;
use sha2::{Digest, Sha256};

/// The parts of a cost that are told: providers have five or six.
const STAGES_MAX: usize = 8;

/// Who withholds their number, in whatever words the provider has for that.
const WITHHELD: &str = "anonymous";

/// A provider's name of a call. One that is too long is replaced by its hash: cut, it might be another call's.
#[must_use]
pub fn call_id(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_BYTES_MAX {
        return Cow::Borrowed(text);
    }
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Cow::Owned(format!("sha256:{hex}"))
}

/// As much of a text as an event may hold.
#[must_use]
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// The called address: the number that it is, else as it was written.
#[must_use]
pub fn called(text: &str, number: Option<E164>) -> Cow<'_, str> {
    match number {
        // It may have been found by another name than this text.
        Some(number) if E164::parse(text.as_bytes()) != Ok(number) => Cow::Owned(number.to_string()),
        Some(_) => Cow::Borrowed(text),
        None => Cow::Borrowed(cut(text)),
    }
}

/// The calling address: a number, a word for one that is withheld, or as it was written.
#[must_use]
pub fn caller(text: &str) -> Cow<'_, str> {
    match Caller::from_text(text) {
        // Of all ways to write a number, only its own begins so.
        Caller::Number(_) if text.starts_with('+') => Cow::Borrowed(text),
        Caller::Number(number) => Cow::Owned(number.to_string()),
        Caller::Withheld if text.is_empty() => Cow::Borrowed(""),
        Caller::Withheld => Cow::Borrowed(WITHHELD),
        Caller::Other => Cow::Borrowed(cut(text)),
    }
}

/// A report within what an event may hold. Amounts are whole or aren't told: cut, they would be others.
#[must_use]
pub fn report<'r>(report: &'r Report<'_>) -> Report<'r> {
    let fits = |texts: [&str; 2]| texts.iter().all(|text| text.len() <= TEXT_BYTES_MAX);
    let cost = report.cost.as_ref().filter(|cost| fits([&cost.amount, &cost.currency]));
    let cost = cost.map(|cost| {
        let stages = cost.stages.iter().filter(|(name, amount)| fits([name, amount])).take(STAGES_MAX);
        Cost {
            amount: Cow::Borrowed(&*cost.amount),
            currency: Cow::Borrowed(&*cost.currency),
            stages: stages.map(|(name, amount)| (Cow::Borrowed(&**name), Cow::Borrowed(&**amount))).collect(),
        }
    });
    let Report { progress, at_ms, duration_ms, is_outbound, .. } = *report;
    let reason = report.reason.as_deref().map(|reason| Cow::Borrowed(cut(reason)));
    Report { progress, at_ms, duration_ms, reason, cost, is_outbound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::samples::event;
    use dialplane_common::calls::event::{CallEvent, What};

    #[test]
    fn numbers_are_told_in_one_form() {
        let check = |text: &str, expected: &str| assert_eq!(caller(text), expected, "{text:?}");
        check("+15105550198", "+15105550198");
        check("sip:+15105550198@sip.example.com", "+15105550198");
        check("Restricted", WITHHELD);
        check("+266696687", WITHHELD);
        check("", "");
        check("client:jane", "client:jane");
        let number = "+49301234567".parse().ok();
        assert_eq!(called("030 1234567", number), "+49301234567");
        assert_eq!(called("", number), "+49301234567");
        assert_eq!(called("sip:desk@example.com", None), "sip:desk@example.com");
        assert!(matches!(called("+49301234567", number), Cow::Borrowed(_)), "nothing is allocated");
    }

    #[test]
    fn an_event_fits_however_long_its_texts_were() {
        let long = "\u{e9}".repeat(5_000);
        let stages = vec![(Cow::Borrowed("x".repeat(256).leak() as &str), Cow::Borrowed("1")); 50];
        let cost = Cost { amount: "0.5".into(), currency: "USD".into(), stages };
        let told = Report { reason: Some(long.as_str().into()), cost: Some(cost), ..Report::default() };
        let told = report(&told);
        assert_eq!(told.cost.as_ref().unwrap().stages.len(), STAGES_MAX);
        let event = CallEvent {
            call_id: call_id(&long),
            carrier_call_id: Some(call_id(&long)),
            to: called(&long, None),
            from: caller(&long),
            what: What::Reported(told),
            ..event("")
        };
        assert!(event.write(&mut Vec::new()));
        assert!(event.from.len() <= TEXT_BYTES_MAX && event.from.len() > TEXT_BYTES_MAX - 2);
    }

    #[test]
    fn an_amount_is_whole_or_isnt_told() {
        let cost =
            |amount: &str| Cost { amount: amount.to_owned().into(), currency: "USD".into(), stages: vec![] };
        let told =
            |amount: &str| report(&Report { cost: Some(cost(amount)), ..Report::default() }).cost.is_some();
        assert!(told("0.0085") && !told(&"9".repeat(TEXT_BYTES_MAX + 1)));
    }

    #[test]
    fn long_names_of_different_calls_stay_different() {
        let names = ["a", "b"].map(|end| "x".repeat(TEXT_BYTES_MAX) + end);
        assert_ne!(call_id(&names[0]), call_id(&names[1]));
        assert!(call_id(&names[0]).len() <= TEXT_BYTES_MAX);
        assert_eq!(call_id("CA1"), "CA1");
    }
}
