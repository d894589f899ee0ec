//! The record of a call: its legs, and what a list shows of them.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::amount::Amount;
use super::leg::{CostTold, Leg};
use super::names::Name;
use super::register::Moment;
use super::words::{Action, End, Refusal};

/// No call is counted that is longer: milliseconds.
pub const DURATION_MAX_MS: i64 = 24 * 60 * 60 * 1_000;

/// A call: what is known of its legs, by their names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// The legs.
    pub legs: BTreeMap<Name, Leg>,
}

/// What a list shows of a call. Times are milliseconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the columns of `calls`, which the migration documents")]
pub struct Shown {
    pub started_at: i64,
    pub tenant: Option<Uuid>,
    pub number: Option<Uuid>,
    pub agent: Option<Uuid>,
    pub direction: &'static str,
    pub from: Option<String>,
    pub to: Option<String>,
    pub provider: String,
    pub account: Uuid,
    pub call_id: String,
    pub action: Option<Action>,
    pub is_closed: bool,
    pub is_over_limit: bool,
    pub refused: Option<Refusal>,
    pub outcome: &'static str,
    pub ringing_at: Option<i64>,
    pub answered_at: Option<i64>,
    pub transferred_at: Option<i64>,
    pub voicemail_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub end: Option<End>,
    pub end_reason: Option<String>,
    pub duration_ms: Option<i64>,
    pub cost: Option<CostTold>,
    pub flags: Vec<&'static str>,
}

impl Record {
    /// Takes in a leg, or more of one that is there.
    pub fn add(&mut self, leg: &Leg) {
        match self.legs.get_mut(&leg.name()) {
            Some(own) => own.join(leg),
            None => {
                self.legs.insert(leg.name(), leg.clone());
            }
        }
    }

    /// Takes in all that is known of the same call elsewhere.
    pub fn join(&mut self, other: &Self) {
        other.legs.values().for_each(|leg| self.add(leg));
    }

    /// The leg that the call is: the carrier's, as far as one is known; else the first. Absent: there is none.
    fn main(&self) -> Option<&Leg> {
        let is_carriers = |leg: &Leg| {
            let names = |other: &&Leg| {
                other.told.carrier.as_ref().is_some_and(|carrier| carrier.value == leg.call_id)
            };
            self.legs.values().filter(|other| other.name() != leg.name()).any(|other| names(&other))
        };
        let order = |leg: &&Leg| (leg.is_child(), !is_carriers(leg), leg.heard, leg.name());
        self.legs.values().min_by_key(order)
    }

    /// The first of what the legs say, the main one before the others.
    fn first<T>(&self, main: &Leg, pick: impl Fn(&Leg) -> Option<(i64, T)>) -> Option<T>
    where
        T: Ord,
    {
        if let Some((_, value)) = pick(main) {
            return Some(value);
        }
        self.legs.values().filter_map(pick).min().map(|(_, value)| value)
    }

    /// What a list shows. `None` of a record without legs.
    #[must_use]
    pub fn shown(&self) -> Option<Shown> {
        let main = self.main()?;
        let grown = || self.legs.values().filter(|leg| !leg.is_child());
        let moment = |pick: fn(&Leg) -> Option<&Moment>| grown().filter_map(pick).map(Moment::at).min();
        let ending = self.ending(main);
        let mut flags = Flags::default();
        let answered_at = moment(|leg| leg.told.answered.as_ref());
        let ended = ending.and_then(|leg| leg.told.ended.as_ref());
        let ended_at = ended.map(Moment::at);
        let end = ending.and_then(|leg| leg.told.end.as_ref()).map(|end| &end.value);
        let is_offered = self.legs.values().any(|leg| leg.is_offered);
        let direction = match main {
            leg if leg.is_message => "message",
            leg if leg.is_outbound => "outbound",
            _ => "inbound",
        };
        let refused = self.first(main, |leg| leg.told.refused.as_ref().map(|told| (told.at, told.value)));
        let refused = refused.filter(|_| !is_offered);
        flags.set("never_offered", direction == "inbound" && !is_offered && refused.is_none());
        self.judge(ended, &mut flags);
        let duration_ms = self.duration(main, end.map(|end| end.kind), answered_at, ended_at, &mut flags);
        let action = self.legs.values().filter_map(|leg| leg.told.action.as_ref()).max();
        let mut shown = Shown {
            started_at: self.legs.values().map(|leg| leg.heard).min().unwrap_or(main.heard),
            tenant: self.first(main, |leg| leg.told.tenant.as_ref().map(|told| (told.at, told.value))),
            number: self.first(main, |leg| leg.told.number.as_ref().map(|told| (told.at, told.value))),
            agent: self
                .legs
                .values()
                .filter_map(|leg| leg.told.agent.as_ref())
                .max()
                .map(|agent| agent.value),
            direction,
            from: self.first(main, |leg| leg.told.from.as_ref().map(|told| (told.at, told.value.clone()))),
            to: self.first(main, |leg| leg.told.to.as_ref().map(|told| (told.at, told.value.clone()))),
            provider: main.provider.clone(),
            account: main.account,
            call_id: main.call_id.clone(),
            action: action.map(|action| action.value),
            is_closed: self.legs.values().any(|leg| leg.is_closed),
            is_over_limit: self.legs.values().any(|leg| leg.is_over_limit),
            refused,
            outcome: "",
            ringing_at: moment(|leg| leg.told.ringing.as_ref()),
            answered_at,
            transferred_at: moment(|leg| leg.told.transferred.as_ref()),
            voicemail_at: moment(|leg| leg.told.voicemail.as_ref()),
            ended_at,
            end: end.map(|end| end.kind),
            end_reason: end.and_then(|end| end.reason.clone()),
            duration_ms,
            cost: self.cost(),
            flags: flags.0,
        };
        // None of these need ever be told to be over.
        let is_over = main.is_message || shown.refused.is_some() || shown.action == Some(Action::Reject);
        if shown.ended_at.is_none() && is_over {
            shown.ended_at = Some(shown.started_at);
        }
        shown.outcome = outcome(&shown, self.is_missed_by_people());
        Some(shown)
    }

    /// The leg whose end is the call's: the main one's. Where nobody reports how that goes, the last of the others'.
    fn ending<'r>(&'r self, main: &'r Leg) -> Option<&'r Leg> {
        let told = &main.told;
        let reports = told.ended.is_some() || told.ringing.is_some() || told.answered.is_some();
        if reports || self.legs.len() == 1 {
            return told.ended.is_some().then_some(main);
        }
        let others = self.legs.values().filter(|leg| !leg.is_child() && leg.told.ended.is_some());
        others.max_by_key(|leg| (leg.told.ended.as_ref().map(Moment::at), leg.name()))
    }

    /// Notes what is odd about times and repeats.
    fn judge(&self, ended: Option<&Moment>, flags: &mut Flags) {
        for leg in self.legs.values() {
            let told = &leg.told;
            let moments = [&told.ringing, &told.answered, &told.transferred, &told.voicemail, &told.ended];
            flags.set("clock_off", moments.into_iter().flatten().any(Moment::is_off));
            let differs = told.end.as_ref().is_some_and(|end| end.differs)
                || told.duration.as_ref().is_some_and(|duration| duration.differs)
                || told.cost.as_ref().is_some_and(|cost| cost.differs);
            flags.set("conflicting_repeat", differs);
            let is_late = |moment: &Moment| ended.is_some_and(|ended| moment.heard > ended.heard);
            let begins = [&told.ringing, &told.answered].into_iter().flatten();
            flags.set("late_status", !leg.is_child() && begins.into_iter().any(is_late));
        }
    }

    /// How long the call is counted: what its provider says, if that can be; else what the times say.
    fn duration(
        &self,
        main: &Leg,
        end: Option<End>,
        answered_at: Option<i64>,
        ended_at: Option<i64>,
        flags: &mut Flags,
    ) -> Option<i64> {
        let told = self.first(main, |leg| {
            let told = leg.told.duration.as_ref().filter(|_| !leg.is_child() || leg.name() == main.name());
            told.map(|told| (told.at, told.value))
        });
        if let Some(told) = told {
            flags.set("duration_negative", told < 0);
            flags.set("duration_absurd", told > DURATION_MAX_MS);
            // Less than that is the provider's to say: when a router heard of something says when it was told, no more.
            if (0..=DURATION_MAX_MS).contains(&told) {
                return Some(told);
            }
        }
        match (answered_at, ended_at, end) {
            (Some(answered), Some(ended), _) => {
                Some(ended - answered).filter(|ms| (0..=DURATION_MAX_MS).contains(ms))
            }
            (None, Some(_), Some(End::Busy | End::NoAnswer | End::Canceled | End::Failed)) => Some(0),
            _ => None,
        }
    }

    /// Whether people were called for it and none of them answered.
    fn is_missed_by_people(&self) -> bool {
        let mut children = self.legs.values().filter(|leg| leg.is_child()).peekable();
        let is_missed = |leg: &Leg| {
            let end = leg.told.end.as_ref().map(|end| end.value.kind);
            leg.told.answered.is_none() && end.is_some_and(|end| end != End::Completed)
        };
        children.peek().is_some() && children.all(is_missed)
    }

    /// What all legs cost, in the currency that was told first.
    fn cost(&self) -> Option<CostTold> {
        let told = || self.legs.values().filter_map(|leg| leg.told.cost.as_ref());
        let currency = &told().min_by_key(|cost| (cost.at, &cost.value))?.value.currency;
        let zero =
            CostTold { amount: Amount::default(), currency: currency.clone(), stages: BTreeMap::new() };
        Some(told().filter(|cost| cost.value.currency == *currency).fold(zero, |mut sum, cost| {
            sum.amount = sum.amount.plus(cost.value.amount);
            for (stage, amount) in &cost.value.stages {
                let of_stage = sum.stages.entry(stage.clone()).or_default();
                *of_stage = of_stage.plus(*amount);
            }
            sum
        }))
    }
}

/// The whole record in a word.
fn outcome(shown: &Shown, is_missed_by_people: bool) -> &'static str {
    let is_to_people = matches!(shown.action, Some(Action::Forward | Action::Ring));
    let is_turned_away = matches!(shown.action, Some(Action::Message | Action::Reject | Action::Voicemail));
    match shown {
        _ if shown.direction == "message" => "message",
        _ if shown.refused.is_some() => "refused",
        _ if shown.ended_at.is_none() => "under_way",
        _ if shown.voicemail_at.is_some() => "voicemail",
        _ if is_turned_away && shown.is_closed => "closed",
        _ if shown.end == Some(End::Busy) || (is_turned_away && shown.is_over_limit) => "busy",
        _ if is_turned_away => "missed",
        _ if is_to_people && is_missed_by_people => "missed",
        _ if shown.end == Some(End::Completed) => "answered",
        _ => "missed",
    }
}

/// What is odd about a record, each once and in a fixed order.
#[derive(Default)]
struct Flags(Vec<&'static str>);

impl Flags {
    fn set(&mut self, flag: &'static str, is_set: bool) {
        if is_set && let Err(place) = self.0.binary_search(&flag) {
            self.0.insert(place, flag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::samples::{NOON, cost, ended, event, of_agent, offered, progress};
    use dialplane_common::calls::event::{self, CallEvent, Decided, What};
    use dialplane_common::calls::report::{self, Progress, Report};

    fn shown(events: &[CallEvent<'_>]) -> Shown {
        let mut record = Record::default();
        events.iter().for_each(|event| record.add(&Leg::of(event)));
        record.shown().unwrap()
    }

    fn begun() -> CallEvent<'static> {
        event(0, "CA1", offered(event::Action::Agent))
    }

    #[test]
    fn a_call_is_what_its_carrier_says_with_what_its_agent_cost() {
        let call = shown(&[
            of_agent(58, "v1", Some("CA1"), ended(report::End::Completed, Some(56_000))),
            of_agent(58, "v1", Some("CA1"), cost("0.12")),
            event(59, "CA1", cost("0.0085")),
            begun(),
            event(1, "CA1", progress(Progress::Answered)),
            event(60, "CA1", ended(report::End::Completed, Some(59_000))),
        ]);
        assert_eq!(
            (call.call_id.as_str(), call.provider.as_str(), call.outcome),
            ("CA1", "twilio", "answered")
        );
        assert_eq!((call.started_at, call.ended_at), (NOON, Some(NOON + 60_000)));
        assert_eq!(call.duration_ms, Some(59_000));
        assert_eq!(call.cost.map(|cost| cost.amount.to_string()).as_deref(), Some("0.1285"));
        assert_eq!(call.flags, [""; 0]);
    }

    #[test]
    fn durations_that_cant_be_are_flagged_and_not_counted() {
        let check = |told: i64, flag: &str| {
            let end = event(60, "CA1", ended(report::End::Completed, Some(told)));
            let call = shown(&[begun(), event(1, "CA1", progress(Progress::Answered)), end]);
            assert_eq!((call.flags.as_slice(), call.duration_ms), (&[flag][..], Some(59_000)), "{told}");
        };
        check(-1, "duration_negative");
        check(i64::MIN, "duration_negative");
        check(25 * 3_600_000, "duration_absurd");
        check(i64::MAX, "duration_absurd");
        // What is told in haste, all at once, may have taken long.
        let call = shown(&[begun(), event(1, "CA1", ended(report::End::Completed, Some(600_000)))]);
        assert_eq!((call.flags, call.duration_ms), (vec![], Some(600_000)));
        // Of what is known by its end alone, the provider's word is all there is.
        let call = shown(&[event(60, "CA1", ended(report::End::Completed, Some(600_000)))]);
        assert_eq!((call.flags.as_slice(), call.duration_ms), (&["never_offered"][..], Some(600_000)));
    }

    #[test]
    fn a_clock_that_is_off_moves_nothing() {
        let report = Report { at_ms: Some(0), ..Report::of(Progress::Answered) };
        let call = shown(&[begun(), event(1, "CA1", What::Reported(report))]);
        assert_eq!((call.answered_at, call.flags.as_slice()), (Some(NOON + 1_000), &["clock_off"][..]));
        for at_ms in [i64::MIN, -1, 0, i64::MAX] {
            let call =
                shown(&[CallEvent { at_ms, ..begun() }, event(1, "CA1", ended(report::End::Busy, None))]);
            assert!(jiff::Timestamp::from_millisecond(call.started_at).is_ok());
        }
    }

    #[test]
    fn a_status_after_the_end_opens_nothing_again() {
        let call = shown(&[
            begun(),
            event(10, "CA1", ended(report::End::Completed, Some(9_000))),
            event(11, "CA1", progress(Progress::Answered)),
        ]);
        assert_eq!((call.outcome, call.ended_at), ("answered", Some(NOON + 10_000)));
        assert_eq!(call.flags, ["late_status"]);
    }

    #[test]
    fn a_repeat_with_other_values_is_flagged_and_the_first_counts() {
        let end = |seconds, end, duration| event(seconds, "CA1", ended(end, Some(duration)));
        let both = [end(10, report::End::Completed, 9_000), end(12, report::End::Busy, 0)];
        for order in [[0, 1], [1, 0]] {
            let call = shown(&[begun(), both[order[0]].clone(), both[order[1]].clone()]);
            assert_eq!((call.end, call.duration_ms), (Some(End::Completed), Some(9_000)));
            assert_eq!(call.flags, ["conflicting_repeat"]);
        }
        // The same again is no other value.
        let call = shown(&[begun(), both[0].clone(), end(15, report::End::Completed, 9_000)]);
        assert_eq!(call.flags, [""; 0]);
    }

    #[test]
    fn people_who_are_called_for_it_dont_end_a_call() {
        let child = |seconds, progress| CallEvent {
            carrier_call_id: Some("CA1".into()),
            ..event(seconds, "CA9", What::Reported(Report { is_outbound: true, ..Report::of(progress) }))
        };
        let begun = event(0, "CA1", offered(event::Action::Ring));
        let rung = child(20, Progress::Ended(report::End::NoAnswer));
        let call = shown(&[begun.clone(), rung.clone()]);
        assert_eq!((call.outcome, call.ended_at, call.direction), ("under_way", None, "inbound"));
        let end = event(25, "CA1", ended(report::End::Completed, Some(25_000)));
        assert_eq!(shown(&[begun.clone(), rung, end.clone()]).outcome, "missed");
        assert_eq!(shown(&[begun, child(5, Progress::Answered), end]).outcome, "answered");
    }

    #[test]
    fn outcomes_are_told_apart() {
        let check = |events: &[CallEvent<'_>], expected: &str| assert_eq!(shown(events).outcome, expected);
        let decided = |action, is_closed, is_over_limit| {
            event(0, "CA1", What::Offered(Decided { action, agent: None, is_closed, is_over_limit }))
        };
        let end = event(9, "CA1", ended(report::End::Completed, Some(9_000)));
        check(&[begun()], "under_way");
        check(&[decided(event::Action::Reject, true, false)], "closed");
        check(&[decided(event::Action::Reject, false, true)], "busy");
        check(&[decided(event::Action::Message, true, false), end.clone()], "closed");
        check(&[decided(event::Action::Message, false, true), end.clone()], "busy");
        check(
            &[decided(event::Action::Agent, false, false), event(9, "CA1", ended(report::End::Busy, None))],
            "busy",
        );
        check(&[decided(event::Action::Voicemail, false, false), end.clone()], "missed");
        let left = event(8, "CA1", progress(Progress::Voicemail));
        check(&[decided(event::Action::Voicemail, true, false), left, end], "voicemail");
        check(&[begun(), event(9, "CA1", ended(report::End::Canceled, None))], "missed");
        check(&[event(0, "CA1", What::Refused(event::Refused::NoRoute))], "refused");
        check(&[event(0, "SM1", What::Message)], "message");
        // Asked again once its number was active.
        check(&[event(0, "CA1", What::Refused(event::Refused::InactiveNumber)), begun()], "under_way");
    }
}
