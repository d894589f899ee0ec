use dialplane_common::ids::AccountId;
use dialplane_common::route::{LimitScope, LiveCalls};

use super::*;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const NUMBER: PhoneNumberId = PhoneNumberId(Uuid::from_u128(2));
const OTHER_TENANT: TenantId = TenantId(Uuid::from_u128(3));
const OTHER_NUMBER: PhoneNumberId = PhoneNumberId(Uuid::from_u128(4));
const ACCOUNT: AccountId = AccountId(Uuid::from_u128(5));
const OTHER_ACCOUNT: AccountId = AccountId(Uuid::from_u128(6));
const LIMITED: Limited = Limited { tenant: Some((TENANT, 2)), number: Some((NUMBER, 1)) };
const ANY: Limited = Limited { tenant: Some((TENANT, 99)), number: None };

fn key(id: &str) -> CallKey {
    CallKey::of(ACCOUNT, id)
}

fn at(seconds: i64) -> UnixMillis {
    UnixMillis(seconds * 1000)
}

fn begin(counts: &LiveCallCounts, id: &str, limited: Limited, now: i64) -> bool {
    counts.begin(key(id), (TENANT, Some(NUMBER)), limited, at(now))
}

fn over(counts: &LiveCallCounts, scope: LimitScope) -> bool {
    counts.limits(LIMITED, None).is_over(scope)
}

fn is_clean(counts: &LiveCallCounts) -> bool {
    counts.tenants.is_empty() && counts.numbers.is_empty()
}

/// What others are told, as told.
fn told(counts: &LiveCallCounts) -> Vec<(CallKey, State)> {
    let calls = counts.unsent();
    counts.sent(&calls);
    calls
}

fn hear_all(counts: &LiveCallCounts, calls: &[(CallKey, State)], now: i64) {
    calls.iter().for_each(|(key, state)| {
        counts.hear(*key, *state, UnixSeconds(now));
    });
}

#[test]
fn a_call_counts_once_until_it_ends() {
    let counts = LiveCallCounts::default();
    assert!(begin(&counts, "CA1", LIMITED, 0) && begin(&counts, "CA1", LIMITED, 1));
    assert!(over(&counts, LimitScope::Number) && !over(&counts, LimitScope::Tenant));
    assert!(over(&counts, LimitScope::Any));
    assert!(counts.begin(key("CA2"), (TENANT, Some(OTHER_NUMBER)), LIMITED_TENANT, at(2)));
    assert!(over(&counts, LimitScope::Tenant));
    (0..2).for_each(|_| counts.end(key("CA1"), true, at(2)));
    assert!(!over(&counts, LimitScope::Any));
    counts.end(key("CA2"), true, at(2));
    assert!(is_clean(&counts));
}

const LIMITED_TENANT: Limited = Limited { tenant: Some((TENANT, 2)), number: None };

#[test]
fn one_too_many_is_refused_and_counts_nowhere() {
    let counts = LiveCallCounts::default();
    assert!(begin(&counts, "CA1", LIMITED, 0));
    assert!(!begin(&counts, "CA2", LIMITED, 0), "the number has its one");
    assert_eq!((counts.of_tenant(TENANT), counts.of_number(NUMBER)), (1, 1));
    assert!(begin(&counts, "CA1", LIMITED, 0), "who has a place keeps it");
    counts.end(key("CA1"), true, at(0));
    assert!(begin(&counts, "CA2", LIMITED, 0));
}

#[test]
fn callers_at_once_get_as_many_places_as_there_are() {
    let counts = LiveCallCounts::default();
    let limited = Limited { tenant: Some((TENANT, 10)), number: None };
    let taken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (counts, taken) = (&counts, &taken);
            scope.spawn(move || {
                for call in 0..500 {
                    if begin(counts, &format!("{thread}-{call}"), limited, 0) {
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!((taken.into_inner(), counts.of_tenant(TENANT), counts.of_number(NUMBER)), (10, 10, 10));
}

#[test]
fn a_call_that_asks_again_is_not_one_more() {
    let counts = LiveCallCounts::default();
    begin(&counts, "CA1", LIMITED, 0);
    let asked_by = |id| counts.limits(LIMITED, Some(key(id))).is_over(LimitScope::Any);
    assert!(!asked_by("CA1") && asked_by("CA2"));
}

#[test]
fn another_account_neither_ends_nor_takes_over_a_call() {
    let counts = LiveCallCounts::default();
    begin(&counts, "CA1", LIMITED, 0);
    let theirs = CallKey::of(OTHER_ACCOUNT, "CA1");
    counts.begin(
        theirs,
        (OTHER_TENANT, None),
        Limited { tenant: Some((OTHER_TENANT, 9)), number: None },
        at(0),
    );
    counts.end(theirs, true, at(0));
    assert!(over(&counts, LimitScope::Number));
    counts.end(key("CA1"), true, at(0));
    assert!(is_clean(&counts));
}

#[test]
fn a_call_that_goes_on_to_another_number_counts_there_alone() {
    let counts = LiveCallCounts::default();
    begin(&counts, "CA1", LIMITED, 0);
    counts.begin(key("CA1"), (TENANT, Some(OTHER_NUMBER)), LIMITED, at(1));
    assert!(!over(&counts, LimitScope::Number) && counts.of_tenant(TENANT) == 1);
    counts.end(key("CA1"), true, at(1));
    assert!(is_clean(&counts));
}

#[test]
fn the_end_of_a_call_that_nobody_counts_costs_nothing_without_a_limit() {
    let counts = LiveCallCounts::default();
    counts.end(key("CA1"), false, at(0));
    assert!(counts.is_empty() && counts.unsent().is_empty());
}

#[test]
fn what_shows_no_sign_of_life_is_forgotten_and_what_does_is_not() {
    let counts = LiveCallCounts::new(Duration::from_secs(100));
    assert!(begin(&counts, "CA1", ANY, 0) && begin(&counts, "CA2", ANY, 0));
    counts.refresh(key("CA2"), at(50));
    counts.expire(UnixSeconds(99));
    assert_eq!(counts.of_tenant(TENANT), 2);
    counts.expire(UnixSeconds(100));
    assert_eq!(counts.of_tenant(TENANT), 1);
    counts.expire(UnixSeconds(150));
    assert!(is_clean(&counts) && counts.is_empty());
}

#[test]
fn a_sign_of_life_is_told_when_it_says_something_new() {
    let counts = LiveCallCounts::new(Duration::from_secs(80));
    begin(&counts, "CA1", ANY, 0);
    assert_eq!(told(&counts).len(), 1);
    counts.refresh(key("CA1"), at(10));
    assert_eq!(told(&counts).len(), 0);
    counts.refresh(key("CA1"), at(11));
    let state = told(&counts)[0].1;
    assert_eq!(state.until(), UnixSeconds(91));
}

#[test]
fn a_call_of_another_router_counts_here_and_its_end_at_a_third_frees_its_place() {
    let [one, two, three] = std::array::from_fn(|_| LiveCallCounts::default());
    begin(&one, "CA1", LIMITED, 0);
    let begun = told(&one);
    hear_all(&two, &begun, 0);
    hear_all(&two, &begun, 0);
    assert!(over(&two, LimitScope::Number) && !begin(&two, "CA2", LIMITED, 0));
    // The third hears of the call's beginning later than of its end.
    three.end(key("CA1"), true, at(1));
    let ended = told(&three);
    assert_eq!(three.hear(begun[0].0, begun[0].1, UnixSeconds(1)), Heard::Over);
    assert!(three.has_ended_here(key("CA1")));
    hear_all(&one, &ended, 1);
    hear_all(&two, &ended, 1);
    assert!([one, two, three].iter().all(is_clean));
}

#[test]
fn whatever_comes_in_whatever_order_all_routers_come_to_know_the_same() {
    let mut dice: u64 = 7;
    let mut roll = |sides: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) as usize % sides
    };
    for _ in 0..200 {
        let routers: [LiveCallCounts; 3] = std::array::from_fn(|_| LiveCallCounts::default());
        let mut messages = Vec::new();
        for second in 0..30 {
            let router = &routers[roll(3)];
            let id = format!("CA{}", roll(5));
            match roll(4) {
                0 => router.end(key(&id), true, at(second)),
                1 => router.refresh(key(&id), at(second * 100)),
                _ => {
                    let number = [NUMBER, OTHER_NUMBER][roll(2)];
                    let _ = router.begin(key(&id), (TENANT, Some(number)), ANY, at(second));
                }
            }
            if roll(2) == 0 {
                messages.extend(told(router));
            }
        }
        routers.iter().for_each(|router| messages.extend(told(router)));
        for router in &routers {
            for index in (1..messages.len()).rev() {
                messages.swap(index, roll(index + 1));
            }
            hear_all(router, &messages, 30);
            hear_all(router, &messages[..messages.len() / 2], 30);
        }
        let known = |router: &LiveCallCounts| {
            let mut calls: Vec<_> = router.calls.iter().map(|known| (*known.key(), known.state)).collect();
            calls.sort_unstable();
            let numbers = [NUMBER, OTHER_NUMBER].map(|number| router.of_number(number));
            assert_eq!(numbers[0] + numbers[1], router.of_tenant(TENANT));
            let counted = calls.iter().filter(|(_, state)| state.counted().is_some()).count();
            assert_eq!(counted, router.of_tenant(TENANT) as usize, "counts are of the calls");
            (calls, numbers)
        };
        assert_eq!(known(&routers[0]), known(&routers[1]));
        assert_eq!(known(&routers[0]), known(&routers[2]));
    }
}

#[test]
fn what_is_expired_or_told_before_isnt_taken_in() {
    let [one, two] = std::array::from_fn(|_| LiveCallCounts::default());
    begin(&one, "CA1", ANY, 0);
    let [(key, state)] = told(&one)[..] else { panic!("one call") };
    assert_eq!(two.hear(key, state, state.until()), Heard::Expired);
    assert_eq!(two.hear(key, state, UnixSeconds(0)), Heard::Taken);
    assert_eq!(two.hear(key, state, UnixSeconds(0)), Heard::Known);
    assert!(two.unsent().is_empty(), "what was heard isn't told again");
}

#[test]
fn what_redis_holds_no_more_is_judged_only_when_it_was_there_before() {
    let counts = LiveCallCounts::default();
    begin(&counts, "stored", ANY, 0);
    let stored = told(&counts);
    begin(&counts, "unsent", ANY, 0);
    let round = counts.begin_round();
    begin(&counts, "meanwhile", ANY, 0);
    let _ = told(&counts);
    assert_eq!(counts.missing(round, |_| true), []);
    assert_eq!(counts.missing(round, |_| false), stored);
    counts.forget(stored[0].0, stored[0].1);
    assert_eq!(counts.of_tenant(TENANT), 2);
    let round = counts.begin_round();
    assert_eq!(counts.missing(round, |_| false).len(), 2, "the next comparison judges those, too");
}

#[test]
fn what_nobody_was_told_is_found_again() {
    let counts = LiveCallCounts::default();
    begin(&counts, "CA1", ANY, 0);
    assert_eq!((counts.unsent().len(), counts.unsent().len()), (1, 0), "taken, and lost on the way");
    counts.find_unsent();
    let found = told(&counts);
    assert_eq!(found.len(), 1);
    counts.find_unsent();
    assert_eq!(counts.unsent(), []);
    counts.end(key("CA1"), true, at(1));
    let _ = told(&counts);
    counts.resend(key("CA1"));
    assert!(matches!(told(&counts)[..], [(_, State::Ended(_))]));
}
