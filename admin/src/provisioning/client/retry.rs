//! What is repeated, when, and what is said once it isn't any more. Pure.

use std::time::Duration;

use dialplane_common::rest::{Effect, Fault, Reply};

use super::send::Broken;

/// How often one request is sent. A provider that is down for longer than these take is the job's to wait for, which
/// doesn't hold anything meanwhile.
pub const ATTEMPTS_MAX: u32 = 5;
/// What the first repetition waits at most.
const BACKOFF: Duration = Duration::from_millis(500);
/// What any waits at most, unless the provider asks for more.
const BACKOFF_MAX: Duration = Duration::from_secs(8);

/// Whether sending the same request again may help and does no harm.
///
/// A purchase is sent again after a 429 alone, which says that it wasn't looked at.
#[must_use]
pub const fn is_passing(effect: Effect, status: u16) -> bool {
    match effect {
        Effect::Repeatable => matches!(status, 408 | 429 | 500..=599),
        Effect::Once => status == 429,
    }
}

/// How long to wait before a request that was sent `attempts` times is sent again; `None`: it isn't.
#[must_use]
pub fn wait(effect: Effect, attempts: u32, sent: Result<&Reply, &Broken>, random: u32) -> Option<Duration> {
    let may_repeat = match sent {
        Ok(reply) => is_passing(effect, reply.status),
        Err(Broken::Unsent(_) | Broken::Lost(_)) => effect == Effect::Repeatable,
        Err(Broken::Inside | Broken::TooLarge) => false,
    };
    let asked = sent.ok().and_then(|reply| reply.retry_after).unwrap_or_default();
    (may_repeat && attempts < ATTEMPTS_MAX).then(|| asked.max(backoff(attempts, random)))
}

/// Exponential, with full jitter: those who failed together don't come back together.
fn backoff(attempts: u32, random: u32) -> Duration {
    let most = BACKOFF.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(BACKOFF_MAX);
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// What a fault is that was read in a reply which [passes](is_passing): a request that may be repeated wasn't done as
/// far as its caller is concerned, who may repeat it, too. What a provider's own codes say more exactly stays.
#[must_use]
pub fn given_up(effect: Effect, fault: Fault, after: Option<Duration>) -> Fault {
    match fault {
        Fault::Unclear { reason } if effect == Effect::Repeatable => Fault::Retry { reason, after },
        other => other,
    }
}

/// What a request's fault is behind another one of the same exchange that may have cost something. Whoever took "not
/// done" for all of it would pay twice, so only who knows of the effect has a say: the reply to a request that has an
/// effect itself, and what a success tells of how it went (an order that failed). A refusal to look, or a thing that
/// isn't there (yet), says nothing. Asked again, such an exchange finds what was made before, and the fault is said as
/// it is.
#[must_use]
pub fn behind_an_effect(effect: Effect, status: Option<u16>, fault: Fault) -> Fault {
    let is_success = matches!(status, Some(200..=299));
    match (&fault, effect) {
        (Fault::Unclear { .. }, _) => fault,
        (Fault::Retry { .. }, _) | (Fault::Gone { .. }, Effect::Repeatable) => {
            Fault::unclear(fault.to_string())
        }
        (Fault::Elsewhere { .. } | Fault::Stop { .. }, Effect::Repeatable) if !is_success => {
            Fault::unclear(fault.to_string())
        }
        (Fault::Elsewhere { .. } | Fault::Stop { .. } | Fault::Gone { .. }, _) => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u32 = u32::MAX;

    #[test]
    fn a_purchase_is_repeated_after_too_many_requests_alone() {
        for status in (200..=599).filter(|status| *status != 429) {
            assert_eq!(wait(Effect::Once, 1, Ok(&Reply::new(status, "")), ALL), None, "{status}");
        }
        for broken in [Broken::Unsent(String::new()), Broken::Lost(String::new()), Broken::TooLarge] {
            assert_eq!(wait(Effect::Once, 1, Err(&broken), ALL), None, "{broken:?}");
        }
        assert_eq!(wait(Effect::Once, 1, Ok(&Reply::new(429, "")), ALL), Some(BACKOFF));
    }

    #[test]
    fn others_are_repeated_while_that_may_help() {
        let check = |status: u16, expected: bool| {
            let wait = wait(Effect::Repeatable, 1, Ok(&Reply::new(status, "")), ALL);
            assert_eq!(wait.is_some(), expected, "{status}");
        };
        for status in [408, 429, 500, 502, 503, 504, 599] {
            check(status, true);
        }
        for status in [200, 204, 302, 400, 401, 403, 404, 409, 422] {
            check(status, false);
        }
        assert!(wait(Effect::Repeatable, 1, Err(&Broken::Lost(String::new())), ALL).is_some());
        assert!(wait(Effect::Repeatable, 1, Err(&Broken::Unsent(String::new())), ALL).is_some());
        assert!(wait(Effect::Repeatable, 1, Err(&Broken::TooLarge), ALL).is_none());
    }

    #[test]
    fn waits_double_up_to_a_bound_and_are_anything_below() {
        let waits = |random| [1, 2, 3, 4, 5, 6, 40].map(|attempts| backoff(attempts, random).as_millis());
        assert_eq!(waits(ALL), [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
        assert_eq!(waits(0), [0; 7]);
        assert!((249..=250).contains(&waits(ALL / 2)[0]));
    }

    #[test]
    fn what_a_provider_asks_for_is_the_least() {
        let busy = |after| Reply { retry_after: Some(Duration::from_secs(after)), ..Reply::new(429, "") };
        let wait = |after, attempts| wait(Effect::Repeatable, attempts, Ok(&busy(after)), ALL);
        assert_eq!(wait(7, 1), Some(Duration::from_secs(7)));
        assert_eq!(wait(0, 1), Some(BACKOFF));
        assert_eq!(wait(7, ATTEMPTS_MAX), None);
    }

    #[test]
    fn what_may_be_repeated_and_isnt_any_more_wasnt_done() {
        let after = Some(Duration::from_secs(7));
        let repeat = Fault::Retry { reason: "x".into(), after };
        assert_eq!(given_up(Effect::Repeatable, Fault::unclear("x"), after), repeat);
        assert_eq!(given_up(Effect::Once, Fault::unclear("x"), after), Fault::unclear("x"));
        for fault in [Fault::stop("1", "x"), Fault::gone("x"), Fault::elsewhere("1", "x")] {
            assert_eq!(given_up(Effect::Repeatable, fault.clone(), after), fault);
        }
    }

    #[test]
    fn behind_an_effect_only_who_knows_of_it_has_a_say() {
        let faults = [
            Fault::retry("x"),
            Fault::unclear("x"),
            Fault::elsewhere("1", "x"),
            Fault::gone("x"),
            Fault::stop("1", "x"),
        ];
        let check = |effect, status, expected: [&str; 5]| {
            let labels = faults.clone().map(|fault| behind_an_effect(effect, status, fault).label());
            assert_eq!(labels, expected, "{effect:?} {status:?}");
        };
        check(Effect::Once, Some(400), ["unclear", "unclear", "elsewhere", "gone", "stop"]);
        check(Effect::Once, None, ["unclear", "unclear", "elsewhere", "gone", "stop"]);
        check(Effect::Repeatable, Some(200), ["unclear", "unclear", "elsewhere", "unclear", "stop"]);
        check(Effect::Repeatable, Some(404), ["unclear"; 5]);
        check(Effect::Repeatable, None, ["unclear"; 5]);
        assert_eq!(
            behind_an_effect(Effect::Repeatable, None, Fault::stop("1", "x")),
            Fault::unclear("x (1)")
        );
    }
}
