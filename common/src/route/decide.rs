//! The decision: which rule, and so which chain of steps.

use jiff::tz::TimeZone;

use super::{Condition, Hours, OpenState, Rule, Step, open_at};
use crate::call::Caller;
use crate::time::UnixSeconds;

/// What decides about a call: the rules and hours of its number, its tenant and the platform.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The number's rules, its tenant's, the platform's: the first list that is set holds.
    pub rules: [Option<&'a [Rule]>; 3],
    /// The number's hours, its tenant's, the platform's: merged field by field.
    pub hours: [Option<&'a Hours>; 3],
    /// The location's time zone.
    pub zone: &'a TimeZone,
}

/// Whose rules decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The number's own.
    Number,
    /// Its tenant's defaults.
    Tenant,
    /// The platform's defaults.
    Platform,
    /// Nobody set any: the number's agent answers.
    Builtin,
}

/// What was decided.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// Whose rules decided.
    pub scope: Scope,
    /// Which rule of the list, from 0; absent when none held, or there is no list.
    pub rule: Option<usize>,
    /// The step to take and what follows when it fails; empty when no rule held.
    pub chain: &'a [Step],
    /// Whether the location is open; absent when no rule asked.
    pub open: Option<OpenState>,
}

const BUILTIN: &[Step] = &[Step::Agent { agent: None }];

/// Decides a call. Whether the location is open is worked out at most once, and only when a rule asks.
#[must_use]
pub fn decide<'a>(subject: &Subject<'a>, caller: Caller, now: UnixSeconds) -> Decision<'a> {
    let scopes = [Scope::Number, Scope::Tenant, Scope::Platform];
    let set = scopes.into_iter().zip(subject.rules).find_map(|(scope, rules)| Some((scope, rules?)));
    let Some((scope, rules)) = set else {
        return Decision { scope: Scope::Builtin, rule: None, chain: BUILTIN, open: None };
    };
    let mut open = None;
    let rule = rules.iter().position(|rule| {
        holds(&rule.when, caller, || *open.get_or_insert_with(|| open_at(&subject.hours, subject.zone, now)))
    });
    Decision { scope, rule, chain: rule.map_or(&[], |index| &rules[index].then), open }
}

fn holds(condition: &Condition, caller: Caller, mut state: impl FnMut() -> OpenState) -> bool {
    condition.caller.as_ref().is_none_or(|callers| callers.contains(caller))
        && condition.open.is_none_or(|open| open == state().open)
        && condition.holiday.is_none_or(|holiday| holiday == state().holiday)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Callers, Forced};

    const NOW: UnixSeconds = UnixSeconds(1_780_000_000);

    fn rule(when: Condition, busy: bool) -> Rule {
        Rule { when, then: vec![Step::Reject { busy }] }
    }

    fn forced(open: bool) -> Hours {
        Hours { forced: Some(Forced { open, until: None }), ..Hours::default() }
    }

    static ZONE: TimeZone = TimeZone::UTC;

    fn subject<'a>(rules: [Option<&'a [Rule]>; 3], hours: &'a Hours) -> Subject<'a> {
        Subject { rules, hours: [Some(hours), None, None], zone: &ZONE }
    }

    #[test]
    fn first_rule_that_holds_decides() {
        let rules = [
            rule(Condition { open: Some(false), ..Condition::default() }, true),
            rule(Condition::default(), false),
        ];
        for (open, expected) in [(true, 1), (false, 0)] {
            let hours = forced(open);
            let decision = decide(&subject([Some(&rules), None, None], &hours), Caller::Withheld, NOW);
            assert_eq!((decision.rule, decision.scope), (Some(expected), Scope::Number));
            assert_eq!(decision.open.unwrap().open, open);
        }
    }

    #[test]
    fn every_part_of_a_condition_has_to_hold() {
        let withheld = Callers { withheld: true, ..Callers::default() };
        let when = Condition { open: Some(true), holiday: Some(false), caller: Some(withheld) };
        let rules = [rule(when, true)];
        let hours = forced(true);
        let subject = subject([Some(&rules), None, None], &hours);
        assert_eq!(decide(&subject, Caller::Withheld, NOW).rule, Some(0));
        let decision = decide(&subject, Caller::Other, NOW);
        assert_eq!((decision.rule, decision.chain.len(), decision.open), (None, 0, None));
    }

    #[test]
    fn a_list_replaces_the_list_behind_it() {
        let [own, theirs]: [&[Rule]; 2] = [&[], &[rule(Condition::default(), true)]];
        let hours = Hours::default();
        let decide = |rules| {
            let decision = decide(&subject(rules, &hours), Caller::Other, NOW);
            (decision.scope, decision.rule)
        };
        assert_eq!(decide([Some(own), Some(theirs), None]), (Scope::Number, None));
        assert_eq!(decide([None, Some(theirs), None]), (Scope::Tenant, Some(0)));
        assert_eq!(decide([None, None, Some(theirs)]), (Scope::Platform, Some(0)));
        assert_eq!(decide([None, None, None]), (Scope::Builtin, None));
    }
}
