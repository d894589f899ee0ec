//! The decision: which rule, and so which chain of steps.

use jiff::tz::TimeZone;

use super::hours::wall_time;
use super::{Callers, Condition, Hours, LimitScope, OpenState, Rule, Step, TimeRange, open_at};
use crate::call::Caller;
use crate::time::UnixSeconds;

/// What decides about a call: the rules and hours of its number, its tenant and the platform.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The number's rules, its tenant's, the platform's: the first list that is set holds.
    pub rules: [Option<&'a [Rule]>; 3],
    /// What follows when a limit of calls at a time is reached: the number's chain, its tenant's, the platform's. The
    /// first that is set holds; where none is, the caller hears busy.
    pub over_limit: [Option<&'a [Step]>; 3],
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

impl Scope {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Tenant => "tenant",
            Self::Platform => "platform",
            Self::Builtin => "builtin",
        }
    }
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
    /// A limit of calls at a time is reached: the rule that held asked for that, or the limit's chain was taken.
    pub is_over_limit: bool,
    /// Whose chain for a reached limit was taken instead of the rule's; [`Scope::Builtin`]: nobody's, so that the caller
    /// hears busy. Absent where the rule's was.
    pub limit: Option<Scope>,
}

/// What a caller hears whose call is one too many, where nobody set anything else.
const BUSY: &[Step] = &[Step::Reject { busy: true }];

const BUILTIN: &[Step] = &[Step::Agent { agent: None }];

/// What is known of a call.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Who calls.
    pub caller: Caller,
    /// The provider's name of the call.
    pub call_id: &'a str,
    /// When.
    pub now: UnixSeconds,
    /// How many calls are under way.
    pub live: &'a dyn LiveCalls,
}

/// Whether the limits of calls at a time are reached.
pub trait LiveCalls {
    /// Whether one call more would be more than the limit allows. Where there is no limit: never.
    fn is_over(&self, scope: LimitScope) -> bool;
}

/// Limits that are never reached.
impl LiveCalls for () {
    fn is_over(&self, _scope: LimitScope) -> bool {
        false
    }
}

/// Decides a call. Whether the location is open is worked out at most once, and only when a rule asks.
///
/// A limit of calls at a time holds whether or not a rule asks for it: where it is reached, what is set for that is done
/// instead of what the rule says. A rule that itself asked for the limit is left alone, as is one that takes no call.
#[must_use]
pub fn decide<'a>(subject: &Subject<'a>, facts: &Facts<'_>) -> Decision<'a> {
    let decision = by_rules(subject, facts);
    let takes_call = !matches!(decision.chain.first(), None | Some(Step::Reject { .. }));
    if decision.is_over_limit || !takes_call || !facts.live.is_over(LimitScope::Any) {
        return decision;
    }
    let (limit, chain) = first_set(subject.over_limit).unwrap_or((Scope::Builtin, BUSY));
    Decision { chain, is_over_limit: true, limit: Some(limit), ..decision }
}

fn by_rules<'a>(subject: &Subject<'a>, facts: &Facts<'_>) -> Decision<'a> {
    let decided = Decision {
        scope: Scope::Builtin,
        rule: None,
        chain: BUILTIN,
        open: None,
        is_over_limit: false,
        limit: None,
    };
    let Some((scope, rules)) = first_set(subject.rules) else { return decided };
    let mut open = None;
    let mut state = || *open.get_or_insert_with(|| open_at(&subject.hours, subject.zone, facts.now));
    let rule = rules.iter().position(|rule| failing_with(&rule.when, subject, facts, &mut state).is_none());
    let held = rule.map(|index| &rules[index]);
    Decision {
        scope,
        rule,
        chain: held.map_or(&[], |rule| &rule.then),
        open,
        is_over_limit: held.is_some_and(|rule| rule.when.over_limit.is_some()),
        ..decided
    }
}

/// What the nearest scope sets that sets anything.
fn first_set<T>(scopes: [Option<T>; 3]) -> Option<(Scope, T)> {
    let names = [Scope::Number, Scope::Tenant, Scope::Platform];
    names.into_iter().zip(scopes).find_map(|(scope, set)| Some((scope, set?)))
}

/// A part of a condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// `caller`.
    Caller,
    /// `not_caller`.
    NotCaller,
    /// `open`.
    Open,
    /// `holiday`.
    Holiday,
    /// `time`.
    Time,
    /// `share`.
    Share,
    /// `over_limit`.
    OverLimit,
}

/// The first part of a condition that doesn't hold; `None` when all do.
#[must_use]
pub fn failing(condition: &Condition, subject: &Subject<'_>, facts: &Facts<'_>) -> Option<Part> {
    failing_with(condition, subject, facts, &mut || open_at(&subject.hours, subject.zone, facts.now))
}

fn failing_with(
    condition: &Condition,
    subject: &Subject<'_>,
    facts: &Facts<'_>,
    state: &mut impl FnMut() -> OpenState,
) -> Option<Part> {
    let is_in =
        |callers: &Option<Box<Callers>>| callers.as_ref().map(|callers| callers.contains(facts.caller));
    let wall = |range: &TimeRange| range.holds(wall_time(subject.zone, facts.now));
    if is_in(&condition.caller) == Some(false) {
        Some(Part::Caller)
    } else if is_in(&condition.not_caller) == Some(true) {
        Some(Part::NotCaller)
    } else if condition.open.is_some_and(|open| open != state().open) {
        Some(Part::Open)
    } else if condition.holiday.is_some_and(|holiday| holiday != state().holiday) {
        Some(Part::Holiday)
    } else if condition.time.as_ref().is_some_and(|range| !wall(range)) {
        Some(Part::Time)
    } else if condition.share.as_ref().is_some_and(|share| !share.holds(facts.call_id)) {
        Some(Part::Share)
    } else if condition.over_limit.is_some_and(|scope| !facts.live.is_over(scope)) {
        Some(Part::OverLimit)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Forced;

    const NOW: UnixSeconds = UnixSeconds(1_780_000_000);

    fn rule(when: Condition, busy: bool) -> Rule {
        Rule { when, then: vec![Step::Reject { busy }] }
    }

    fn facts(caller: Caller) -> Facts<'static> {
        Facts { caller, call_id: "CA1", now: NOW, live: &() }
    }

    fn forced(open: bool) -> Hours {
        Hours { forced: Some(Forced { open, until: None }), ..Hours::default() }
    }

    static ZONE: TimeZone = TimeZone::UTC;

    fn subject<'a>(rules: [Option<&'a [Rule]>; 3], hours: &'a Hours) -> Subject<'a> {
        Subject { rules, over_limit: [None; 3], hours: [Some(hours), None, None], zone: &ZONE }
    }

    #[test]
    fn first_rule_that_holds_decides() {
        let rules = [
            rule(Condition { open: Some(false), ..Condition::default() }, true),
            rule(Condition::default(), false),
        ];
        for (open, expected) in [(true, 1), (false, 0)] {
            let hours = forced(open);
            let decision = decide(&subject([Some(&rules), None, None], &hours), &facts(Caller::Withheld));
            assert_eq!((decision.rule, decision.scope), (Some(expected), Scope::Number));
            assert_eq!(decision.open.unwrap().open, open);
        }
    }

    #[test]
    fn every_part_of_a_condition_has_to_hold() {
        let withheld = Callers { withheld: true, ..Callers::default() };
        let when = Condition {
            open: Some(true),
            holiday: Some(false),
            caller: Some(withheld.into()),
            ..Condition::default()
        };
        let rules = [rule(when, true)];
        let hours = forced(true);
        let subject = subject([Some(&rules), None, None], &hours);
        assert_eq!(decide(&subject, &facts(Caller::Withheld)).rule, Some(0));
        let decision = decide(&subject, &facts(Caller::Other));
        assert_eq!((decision.rule, decision.chain.len(), decision.open), (None, 0, None));
    }

    /// The number has as many calls as it may; the tenant may have more.
    struct Full;

    impl LiveCalls for Full {
        fn is_over(&self, scope: LimitScope) -> bool {
            scope != LimitScope::Tenant
        }
    }

    #[test]
    fn a_limit_holds_whether_or_not_a_rule_asks_for_it() {
        let (hours, agent) = (Hours::default(), vec![Step::Agent { agent: None }]);
        let [own, theirs] = ["own", "theirs"].map(|url| [Step::Redirect { url: url.into() }]);
        let full = Facts { live: &Full, ..facts(Caller::Withheld) };
        let asks = |scope| Condition { over_limit: Some(scope), ..Condition::default() };
        let check = |rule: Option<Rule>, set: [Option<&[Step]>; 3], over: bool, limit, chain: &[Step]| {
            let rules: Option<Vec<Rule>> = rule.map(|rule| vec![rule]);
            let subject = Subject { over_limit: set, ..subject([rules.as_deref(), None, None], &hours) };
            let decision = decide(&subject, &full);
            let decided = (decision.is_over_limit, decision.limit, decision.chain);
            assert_eq!(decided, (over, limit, chain), "{rules:?} {set:?}");
            let free = decide(&subject, &facts(Caller::Withheld));
            assert!(!free.is_over_limit && free.limit.is_none(), "{rules:?}");
        };
        let always = |then: &[Step]| Some(Rule { when: Condition::default(), then: then.to_vec() });
        check(None, [None; 3], true, Some(Scope::Builtin), BUSY);
        check(always(&agent), [None; 3], true, Some(Scope::Builtin), BUSY);
        check(always(&agent), [None, Some(&theirs), None], true, Some(Scope::Tenant), &theirs);
        check(always(&agent), [Some(&own), Some(&theirs), None], true, Some(Scope::Number), &own);
        let asking = Rule { when: asks(LimitScope::Number), then: agent.clone() };
        check(Some(asking), [Some(&own), None, None], true, None, &agent);
        let other = Rule { when: asks(LimitScope::Tenant), then: agent.clone() };
        check(Some(other), [Some(&own), None, None], false, None, &[]);
        let refused = [Step::Reject { busy: false }];
        check(always(&refused), [Some(&own), None, None], false, None, &refused);
    }

    #[test]
    fn limits_excepted_callers_and_times_are_conditions_too() {
        let hours = Hours::default();
        let check = |when: Condition, expected: bool| {
            let rules = [rule(when.clone(), true)];
            let facts = Facts { live: &Full, ..facts(Caller::Withheld) };
            let decision = decide(&subject([Some(&rules), None, None], &hours), &facts);
            assert_eq!(decision.rule.is_some(), expected, "{when:?}");
            assert_eq!(decision.is_over_limit, expected && when.over_limit.is_some(), "{when:?}");
        };
        let limit = |scope| Condition { over_limit: Some(scope), ..Condition::default() };
        check(limit(LimitScope::Number), true);
        check(limit(LimitScope::Tenant), false);
        let withheld = Some(Box::new(Callers { withheld: true, ..Callers::default() }));
        check(Condition { not_caller: withheld, ..Condition::default() }, false);
        check(Condition { not_caller: Some(Box::default()), ..Condition::default() }, true);
        // 1780000000 is a Thursday.
        let on = |days| Some(TimeRange { days, ..TimeRange::default() });
        check(Condition { time: on(1 << 3), ..Condition::default() }, true);
        check(Condition { time: on(1 << 4), ..Condition::default() }, false);
    }

    #[test]
    fn a_list_replaces_the_list_behind_it() {
        let [own, theirs]: [&[Rule]; 2] = [&[], &[rule(Condition::default(), true)]];
        let hours = Hours::default();
        let decide = |rules| {
            let decision = decide(&subject(rules, &hours), &facts(Caller::Other));
            (decision.scope, decision.rule)
        };
        assert_eq!(decide([Some(own), Some(theirs), None]), (Scope::Number, None));
        assert_eq!(decide([None, Some(theirs), None]), (Scope::Tenant, Some(0)));
        assert_eq!(decide([None, None, Some(theirs)]), (Scope::Platform, Some(0)));
        assert_eq!(decide([None, None, None]), (Scope::Builtin, None));
    }
}
