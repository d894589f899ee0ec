//! Rules that no call reaches: who saves one means something by it and wouldn't learn that nothing comes of it.
//!
//! Not everything that can never match is found, and what is refused never could: a rule whose calls an earlier one
//! takes all, or two earlier ones between them, and a rule that contradicts itself.

use dialplane_common::country::Country;
use dialplane_common::e164::E164;
use dialplane_common::route::{Callers, Condition, LimitScope, Rule};

use crate::invalid::Invalid;

/// A part of a condition that is yes or no.
#[derive(Clone, Copy, PartialEq, Eq)]
enum YesNo {
    Open,
    Holiday,
}

impl YesNo {
    const fn of(self, condition: &Condition) -> Option<bool> {
        match self {
            Self::Open => condition.open,
            Self::Holiday => condition.holiday,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Holiday => "holiday",
        }
    }
}

/// Refuses rules of which one can never match.
///
/// # Errors
/// The first that can't, and why.
pub(super) fn refuse(rules: &[Rule]) -> Result<(), Invalid> {
    for (index, rule) in rules.iter().enumerate() {
        if contradicts_itself(&rule.when) {
            let wanted = "can never match: all of caller is in not_caller";
            return Err(Invalid::new(format!("rules[{index}].when.not_caller"), wanted));
        }
        if let Some(reason) = taken_before(&rules[..index], &rule.when) {
            return Err(Invalid::new(format!("rules[{index}]"), format!("can never match: {reason}")));
        }
    }
    Ok(())
}

fn contradicts_itself(when: &Condition) -> bool {
    when.caller.as_ref().zip(when.not_caller.as_ref()).is_some_and(|(caller, not)| includes(not, caller))
}

/// Which earlier rules take all of this one's calls.
fn taken_before(before: &[Rule], when: &Condition) -> Option<String> {
    if let Some(index) = before.iter().position(|rule| rule.when == Condition::default()) {
        return Some(format!("rules[{index}] has no condition and takes every call"));
    }
    if let Some(index) = before.iter().position(|rule| rule.when == *when) {
        return Some(format!("rules[{index}] has the same condition"));
    }
    if let Some(index) = before.iter().position(|rule| covers(&rule.when, when, None)) {
        return Some(format!("rules[{index}] holds whenever this one does"));
    }
    [YesNo::Open, YesNo::Holiday].into_iter().find_map(|part| {
        let one = |value: bool| {
            before
                .iter()
                .position(|rule| part.of(&rule.when) == Some(value) && covers(&rule.when, when, Some(part)))
        };
        let (yes, no) = (one(true)?, one(false)?);
        let (first, second) = (yes.min(no), yes.max(no));
        let name = part.name();
        Some(format!(
            "rules[{first}] and rules[{second}] take its calls, one with {name} true, one with false"
        ))
    })
}

/// Whether `earlier` holds whenever `later` does, its part `but` aside.
fn covers(earlier: &Condition, later: &Condition, but: Option<YesNo>) -> bool {
    let yes_no = |part: YesNo| but == Some(part) || is_wider(&part.of(earlier), &part.of(later));
    let caller = match (&earlier.caller, &later.caller) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(earlier), Some(later)) => includes(earlier, later),
    };
    let not_caller = match (&earlier.not_caller, &later.not_caller) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(earlier), Some(later)) => includes(later, earlier),
    };
    yes_no(YesNo::Open)
        && yes_no(YesNo::Holiday)
        && is_wider(&earlier.time, &later.time)
        && is_wider(&earlier.share, &later.share)
        && (is_wider(&earlier.over_limit, &later.over_limit)
            || (earlier.over_limit == Some(LimitScope::Any) && later.over_limit.is_some()))
        && caller
        && not_caller
}

/// Whether a part is absent in the earlier condition, or the same.
fn is_wider<T: PartialEq>(earlier: &Option<T>, later: &Option<T>) -> bool {
    earlier.is_none() || earlier == later
}

/// Whether all callers of `small` are in `large`, as far as the lists tell: a prefix isn't looked for in a country. The
/// lists are in order, so that the rules of a whole document are compared in no time.
fn includes(large: &Callers, small: &Callers) -> bool {
    let begins_so = |digits: u64| {
        std::iter::successors(Some(digits), |digits| Some(digits / 10))
            .take_while(|digits| *digits > 0)
            .any(|digits| large.prefixes.binary_search(&digits).is_ok())
    };
    let has_country = |number: E164| {
        Country::of(number).is_some_and(|country| large.countries.binary_search(&country).is_ok())
    };
    let number = |number: &E164| {
        begins_so(number.to_u64()) || large.numbers.binary_search(number).is_ok() || has_country(*number)
    };
    (large.withheld || !small.withheld)
        && small.countries.iter().all(|country| large.countries.binary_search(country).is_ok())
        && small.prefixes.iter().all(|prefix| begins_so(*prefix))
        && small.numbers.iter().all(number)
}

#[cfg(test)]
mod tests {
    use super::super::RoutingDocument;

    /// `conditions`: one of each rule, as JSON.
    fn check(conditions: &[&str], expected: Result<(), (&str, &str)>) {
        let rules: Vec<_> = conditions
            .iter()
            .map(|when| format!(r#"{{"when":{when},"then":{{"action":"reject"}}}}"#))
            .collect();
        let json = format!(r#"{{"rules":[{}]}}"#, rules.join(","));
        let document: RoutingDocument = serde_json::from_str(&json).unwrap();
        let refused = document.check().map(drop).map_err(|invalid| (invalid.field, invalid.wanted));
        let expected = expected.map_err(|(field, wanted)| (field.to_owned(), wanted.to_owned()));
        assert_eq!(refused, expected, "{json}");
        assert!(document.compile().is_ok(), "what was stored stays readable: {json}");
    }

    #[test]
    fn rules_that_differ_are_taken() {
        check(&[r#"{"open":false}"#, r#"{"open":true}"#], Ok(()));
        check(&[r#"{"open":false,"holiday":true}"#, r#"{"open":false}"#, "{}"], Ok(()));
        check(
            &[r#"{"caller":{"numbers":["+12125550001"]}}"#, r#"{"caller":{"prefixes":["+1212"]}}"#],
            Ok(()),
        );
        check(&[r#"{"caller":{"countries":["US"]}}"#, r#"{"caller":{"countries":["US","CA"]}}"#], Ok(()));
        check(&[r#"{"caller":{"countries":["US"]}}"#, r#"{"caller":{"prefixes":["+1212"]}}"#], Ok(()));
        check(&[r#"{"time":{"days":["mon"]}}"#, r#"{"time":{"days":["mon","tue"]}}"#], Ok(()));
        check(&[r#"{"share":{"percent":50}}"#, r#"{"share":{"percent":50}}"#], Ok(()));
        check(&[r#"{"over_limit":"number"}"#, r#"{"over_limit":"any"}"#], Ok(()));
        check(&[r#"{"open":true,"caller":{"withheld":true}}"#, r#"{"open":false}"#, "{}"], Ok(()));
        check(&[r#"{"caller":{"prefixes":["+1"]},"not_caller":{"prefixes":["+1212"]}}"#], Ok(()));
    }

    #[test]
    fn what_comes_after_a_rule_without_condition_never_matches() {
        let reason = "can never match: rules[0] has no condition and takes every call";
        check(&["{}", "{}"], Err(("rules[1]", reason)));
        check(&["{}", r#"{"open":true}"#], Err(("rules[1]", reason)));
        let always =
            r#"{"time":{"days":["mon","tue","wed","thu","fri","sat","sun"],"from":"00:00","to":"24:00"}}"#;
        check(&[always, r#"{"open":true}"#], Err(("rules[1]", reason)));
    }

    #[test]
    fn conditions_of_the_same_meaning_stand_once() {
        let same = |index| format!("can never match: rules[{index}] has the same condition");
        check(&[r#"{"open":true}"#, r#"{"holiday":true}"#, r#"{"open":true}"#], Err(("rules[2]", &same(0))));
        check(
            &[
                r#"{"caller":{"numbers":["+12125550001","+12125550002"]}}"#,
                r#"{"caller":{"numbers":["+12125550002","+12125550001","+12125550002"]}}"#,
            ],
            Err(("rules[1]", &same(0))),
        );
        check(
            &[r#"{"time":{"days":["mon","tue"]}}"#, r#"{"time":{"days":["tue","mon"],"to":"24:00"}}"#],
            Err(("rules[1]", &same(0))),
        );
    }

    #[test]
    fn a_rule_whose_calls_an_earlier_one_takes_never_matches() {
        let reason = "can never match: rules[0] holds whenever this one does";
        let never = |earlier, later| check(&[earlier, later], Err(("rules[1]", reason)));
        never(r#"{"open":false}"#, r#"{"open":false,"holiday":true}"#);
        never(r#"{"caller":{"prefixes":["+1"]}}"#, r#"{"caller":{"numbers":["+12125550001"]}}"#);
        never(
            r#"{"caller":{"prefixes":["+1"]}}"#,
            r#"{"open":true,"caller":{"prefixes":["+1212","+1646"]}}"#,
        );
        never(r#"{"caller":{"countries":["US"]}}"#, r#"{"caller":{"numbers":["+12125550001"]}}"#);
        never(r#"{"caller":{"withheld":true,"prefixes":["+1"]}}"#, r#"{"caller":{"withheld":true}}"#);
        never(r#"{"not_caller":{"prefixes":["+1212"]}}"#, r#"{"not_caller":{"prefixes":["+1"]}}"#);
        never(r#"{"time":{"days":["mon"]}}"#, r#"{"open":true,"time":{"days":["mon"]}}"#);
        never(r#"{"over_limit":"any"}"#, r#"{"over_limit":"tenant"}"#);
    }

    #[test]
    fn two_rules_can_take_all_of_a_third_ones_calls() {
        let reason = |name| {
            format!(
                "can never match: rules[0] and rules[1] take its calls, one with {name} true, one with false"
            )
        };
        check(&[r#"{"open":true}"#, r#"{"open":false}"#, "{}"], Err(("rules[2]", &reason("open"))));
        check(
            &[r#"{"holiday":false}"#, r#"{"holiday":true}"#, r#"{"open":true}"#],
            Err(("rules[2]", &reason("holiday"))),
        );
        check(
            &[
                r#"{"open":true,"caller":{"withheld":true}}"#,
                r#"{"open":false,"caller":{"withheld":true}}"#,
                r#"{"caller":{"withheld":true}}"#,
            ],
            Err(("rules[2]", &reason("open"))),
        );
    }

    #[test]
    fn a_rule_that_contradicts_itself_never_matches() {
        let reason = "can never match: all of caller is in not_caller";
        for callers in [r#"{"withheld":true}"#, r#"{"prefixes":["+44"],"numbers":["+12125550001"]}"#] {
            let when = format!(r#"{{"caller":{callers},"not_caller":{callers}}}"#);
            check(&[&when], Err(("rules[0].when.not_caller", reason)));
        }
        let when = r#"{"caller":{"numbers":["+442071838750"]},"not_caller":{"countries":["GB"]}}"#;
        check(&["{\"open\":true}", when], Err(("rules[1].when.not_caller", reason)));
    }
}
