//! Turns to be answered, where more have asked than a worker answers at a time.
//!
//! Who comes first has its turn first, a few at a time. Between these the worker reads what has come meanwhile: so it knows, when
//! a request comes, how many are before it and how long each takes, and refuses it there and then where it would wait
//! too long. What is taken on is answered in time, and what is refused is told so at once, on a connection that stays open.
//!
//! To refuse a request takes most of what a usual answer takes, as either reads and writes a socket. So refusals have half
//! the time that answers have: beyond it they end their connections, until there are so many as can be refused in that
//! time. And under any pressure answers have as much time as refusals at least.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use dialplane_common::e164::E164;

/// How many turns are given at a time, or more after many refusals. What comes meanwhile is read once they are answered.
pub const AT_A_TIME: usize = 32;

/// A request that was read and has no turn yet.
#[derive(Debug)]
pub struct Waiting {
    /// Its connection's task.
    pub task: Waker,
    /// Its place among what was read.
    pub place: usize,
    /// The number that it calls, where that is seen without taking it apart.
    pub called: Option<E164>,
}

/// Turns that were given.
#[derive(Debug)]
struct Given {
    at: Instant,
    count: usize,
}

/// Those who wait for their turns, and how long one takes.
#[derive(Debug, Default)]
pub struct Turns {
    waiting: VecDeque<Waiting>,
    /// Whoever gives turns, while nobody waits.
    giver: Option<Waker>,
    given: Option<Given>,
    /// How long it took, lately and before that, from one turn to the next. Zero: not known.
    each: [Duration; 2],
    /// What refusals have taken since turns were given, and answers between the turns before.
    refusing: Duration,
    answering: Duration,
}

impl Turns {
    /// Whether somebody waits.
    pub fn any_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether one more would have its turn within `max`. One long turn alone (the machine slept) refuses nobody.
    pub fn is_soon(&self, max: Duration) -> bool {
        let each = self.each[0].min(self.each[1]);
        u32::try_from(self.waiting.len()).is_ok_and(|before| each.saturating_mul(before) <= max)
    }

    /// One more waits.
    pub fn wait(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
        if let Some(giver) = self.giver.take() {
            giver.wake();
        }
    }

    /// Whether there is time to refuse on connections that stay open. Until it is known what answers take there is.
    pub fn has_time_to_refuse(&self) -> bool {
        self.answering.is_zero() || 2 * self.refusing <= self.answering
    }

    /// A refusal took so long.
    pub fn refused(&mut self, took: Duration) {
        self.refusing += took;
    }

    /// Gives the next their turns. The giver is to come again once all that is ready had its own turn; where nobody waits
    /// any more, when it is woken.
    pub fn give(&mut self, giver: &Waker, now: Instant, given: &mut Vec<Waiting>) {
        let count = self.count(now).min(self.waiting.len());
        given.extend(self.waiting.drain(..count));
        if count == 0 {
            *self = Self { giver: Some(giver.clone()), ..Self::default() };
            return;
        }
        self.given = Some(Given { at: now, count });
        giver.wake_by_ref();
    }

    /// How many turns are to be given: so many that they take as long as refusals did.
    fn count(&mut self, now: Instant) -> usize {
        let refusing = std::mem::take(&mut self.refusing);
        let Some(Given { at, count }) = self.given.take() else { return AT_A_TIME };
        let (took, count) = (now.duration_since(at), u32::try_from(count).unwrap_or(u32::MAX).max(1));
        self.each = [took / count, self.each[0]];
        self.answering = took.saturating_sub(refusing);
        let as_long = refusing.as_nanos() / (self.answering / count).as_nanos().max(1);
        usize::try_from(as_long).unwrap_or(usize::MAX).max(AT_A_TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// So many wait.
    fn waiting(count: usize) -> Turns {
        let mut turns = Turns::default();
        (0..count).for_each(|_| turns.wait(Waiting { task: Waker::noop().clone(), place: 0, called: None }));
        turns
    }

    fn give(turns: &mut Turns, now: Instant) -> usize {
        let mut given = Vec::new();
        turns.give(Waker::noop(), now, &mut given);
        given.len()
    }

    #[test]
    fn one_that_would_wait_too_long_is_told_so_once_it_is_known_how_long_a_turn_takes() {
        let (mut turns, start) = (waiting(10 * AT_A_TIME), Instant::now());
        let ms = |count: usize| MS * count as u32;
        give(&mut turns, start);
        assert!(turns.is_soon(MS), "nothing is known yet");
        give(&mut turns, start + ms(AT_A_TIME));
        assert!(turns.is_soon(MS), "one long turn refuses nobody");
        // A millisecond each, and seven times as many as are given at a time are left.
        give(&mut turns, start + ms(2 * AT_A_TIME));
        assert!(turns.is_soon(ms(7 * AT_A_TIME)));
        assert!(!turns.is_soon(ms(7 * AT_A_TIME) - MS));
        (3..11).for_each(|turn| _ = give(&mut turns, start + ms(turn * AT_A_TIME)));
        assert!(!turns.any_waits() && turns.is_soon(Duration::ZERO), "whoever comes next is the first");
    }

    #[test]
    fn answers_have_as_much_time_as_refusals() {
        let check = |refusing: Duration, expected: usize| {
            let (mut turns, start) = (waiting(40 * AT_A_TIME), Instant::now());
            assert_eq!(give(&mut turns, start), AT_A_TIME);
            turns.refused(refusing);
            // Each answer takes a millisecond.
            let answering = MS * AT_A_TIME as u32;
            let took = answering + refusing;
            assert!(turns.has_time_to_refuse(), "it isn't known what answers take");
            assert_eq!(give(&mut turns, start + took), expected, "{refusing:?}");
            turns.refused(answering / 2);
            assert!(turns.has_time_to_refuse());
            turns.refused(MS);
            assert!(!turns.has_time_to_refuse());
            turns.refusing = Duration::ZERO;
            assert_eq!(give(&mut turns, start + 2 * took), AT_A_TIME, "{refusing:?}: no more since");
        };
        check(Duration::ZERO, AT_A_TIME);
        check(30 * MS, AT_A_TIME);
        check(100 * MS, 100);
        check(1_000 * MS, 1_000);
    }
}
