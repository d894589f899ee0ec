//! Requests that a worker has read and answers together.
//!
//! Under load several connections have a request when the worker looks. It reads them all before it answers the first, and
//! answers them all before it sends the first answer. So what answers them is fetched from memory for all at once
//! ([`Snapshot::fetch`]), where one after the other would wait for it; and what the processor does many times in a row,
//! here and in the kernel, stays in its caches. What is more than are answered at a time waits for its turn, or is
//! refused ([`Turns`]).
//!
//! [`Snapshot::fetch`]: crate::snapshot::Snapshot::fetch

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use dialplane_common::e164::{DIGITS_MAX, E164};
use memchr::memmem::Finder;
use prometheus::IntGauge;
use slab::Slab;

use super::Shared;
use super::answering::{Answering, Turn};
use super::room::{Output, Read};
use super::turns::{AT_A_TIME, Turns, Waiting};
use crate::snapshot::NUMBERS_AT_A_TIME;
use crate::webhook::Peer;

/// What stands in a form before the called number.
const TO: &[u8] = b"To=";

/// A plus sign in a form. Plivo's numbers have none.
const PLUS: &[u8] = b"%2B";

/// What a worker has read and not answered, and what it has answered and not sent.
#[derive(Default)]
struct Gathered {
    requests: Slab<Stage>,
    /// The places of those that are answered next, together.
    due: Vec<usize>,
    /// The numbers that they call.
    called: Vec<E164>,
    /// Those beyond.
    turns: Turns,
}

/// How far a request is.
enum Stage {
    /// It waits for its turn.
    Waiting(Read, Peer),
    /// It is answered next.
    Due(Read, Peer),
    /// It waits to be sent.
    Answered(Answered),
    /// Its connection is gone before it was answered.
    Abandoned,
}

impl Gathered {
    fn falls_due(&mut self, place: usize, called: Option<E164>) {
        self.due.push(place);
        if self.called.len() < NUMBERS_AT_A_TIME {
            self.called.extend(called);
        }
    }

    fn turn_comes(&mut self, next: &Waiting) {
        let Some(stage) = self.requests.get_mut(next.place) else { return };
        match std::mem::replace(stage, Stage::Abandoned) {
            Stage::Waiting(read, peer) => {
                *stage = Stage::Due(read, peer);
                self.falls_due(next.place, next.called);
            }
            _ => drop(self.requests.remove(next.place)),
        }
    }
}

thread_local! {
    static GATHERED: RefCell<Gathered> = RefCell::default();
}

/// A request's place among those that are answered together.
///
/// Dropped, it is given up.
pub struct Place(Option<usize>);

/// What became of what was read.
pub struct Answered {
    /// What was read.
    pub read: Read,
    /// How much of it the answer took.
    pub taken: usize,
    /// What is to be done.
    pub turn: Turn,
    /// What is to be sent.
    pub output: Output,
}

/// Enters what was read among what is to be answered; the task is woken when it is. What would have its turn later than in
/// `wait_max` is given back.
pub fn enter(
    read: Read,
    peer: Peer,
    wait_max: Duration,
    task: &Waker,
    waiting: &IntGauge,
) -> Result<Place, Read> {
    let called = called(&read);
    let is_next =
        GATHERED.with_borrow(|gathered| gathered.due.len() < AT_A_TIME && !gathered.turns.any_waits());
    if is_next {
        let enter = |gathered: &mut Gathered| {
            let place = gathered.requests.insert(Stage::Due(read, peer));
            gathered.falls_due(place, called);
            place
        };
        let place = GATHERED.with_borrow_mut(enter);
        task.wake_by_ref();
        return Ok(Place(Some(place)));
    }
    if !GATHERED.with_borrow(|gathered| gathered.turns.is_soon(wait_max)) {
        return Err(read);
    }
    let read = read.alone();
    let place = GATHERED.with_borrow_mut(|gathered| {
        let place = gathered.requests.insert(Stage::Waiting(read, peer));
        gathered.turns.wait(Waiting { task: task.clone(), place, called });
        place
    });
    waiting.inc();
    Ok(Place(Some(place)))
}

impl Place {
    /// What became of the request, once its turn has come. The first that asks answers all that are due.
    pub fn answered(&mut self, shared: &Shared) -> Option<Answered> {
        let place = self.0?;
        let is_due = |gathered: &Gathered| matches!(gathered.requests.get(place), Some(Stage::Due(..)));
        if GATHERED.with_borrow(is_due) {
            answer_due(shared);
        }
        let answered = GATHERED.with_borrow_mut(|gathered| {
            let is_answered = matches!(gathered.requests.get(place), Some(Stage::Answered(_)));
            is_answered.then(|| gathered.requests.remove(place))
        });
        let Some(Stage::Answered(answered)) = answered else { return None };
        self.0 = None;
        Some(answered)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(place) = self.0 else { return };
        // Where the thread ends, all ends.
        let _ = GATHERED.try_with(|gathered| {
            let mut gathered = gathered.borrow_mut();
            match gathered.requests.get_mut(place) {
                Some(Stage::Answered(_)) => drop(gathered.requests.remove(place)),
                // Whoever comes to its turn finds that nobody waits for it.
                Some(stage) => *stage = Stage::Abandoned,
                None => {}
            }
        });
    }
}

/// Answers all that are due.
fn answer_due(shared: &Shared) {
    let (mut due, mut called) = GATHERED.with_borrow_mut(|gathered| {
        (std::mem::take(&mut gathered.due), std::mem::take(&mut gathered.called))
    });
    let snapshot = shared.webhooks.store.load();
    if let Some(snapshot) = &*snapshot {
        snapshot.fetch(&called);
    }
    let mut answering = Answering::new(shared, snapshot.as_deref());
    for place in due.drain(..) {
        let stage = GATHERED.with_borrow_mut(|gathered| match gathered.requests.get_mut(place) {
            Some(Stage::Abandoned) => gathered.requests.try_remove(place),
            Some(stage) => Some(std::mem::replace(stage, Stage::Abandoned)),
            None => None,
        });
        let Some(Stage::Due(read, peer)) = stage else { continue };
        let mut output = Output::new();
        // A mistake in answering one of them ends its own connection and nobody else's.
        let answer = AssertUnwindSafe(|| answering.answer(&read, peer, &mut output));
        let (taken, turn) = catch_unwind(answer).unwrap_or_else(|_| {
            // Nothing is sent of what may be half an answer.
            output.clear();
            (0, Turn::Failed)
        });
        let answered = Stage::Answered(Answered { read, taken, turn, output });
        GATHERED.with_borrow_mut(|gathered| gathered.requests[place] = answered);
    }
    called.clear();
    GATHERED.with_borrow_mut(|gathered| (gathered.due, gathered.called) = (due, called));
}

/// The time, where somebody waits: what is begun now may have to be refused, and what that takes is counted.
pub fn begun() -> Option<Instant> {
    GATHERED.with_borrow(|gathered| gathered.turns.any_waits()).then(Instant::now)
}

/// Whether there is time to refuse on connections that stay open.
pub fn has_time_to_refuse() -> bool {
    GATHERED.with_borrow(|gathered| gathered.turns.has_time_to_refuse())
}

/// A refusal took so long.
pub fn refused(took: Duration) {
    GATHERED.with_borrow_mut(|gathered| gathered.turns.refused(took));
}

/// Gives those their turns who wait on this worker, for ever.
pub async fn give_turns(waiting: &IntGauge) {
    let mut given = Vec::new();
    poll_fn(|context| {
        GATHERED.with_borrow_mut(|gathered| {
            gathered.turns.give(context.waker(), Instant::now(), &mut given);
            given.iter().for_each(|next| gathered.turn_comes(next));
        });
        waiting.sub(i64::try_from(given.len()).unwrap_or(i64::MAX));
        given.drain(..).for_each(|next: Waiting| next.task.wake());
        Poll::Pending
    })
    .await
}

/// The called number in a request that isn't taken apart yet. Where it isn't found, or another one is, all that is lost is
/// time.
fn called(request: &[u8]) -> Option<E164> {
    static FINDER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(TO));
    let value = &request[FINDER.find(request)? + TO.len()..];
    let digits = value.strip_prefix(PLUS).unwrap_or(value).iter().take(DIGITS_MAX);
    let digits = digits.take_while(|byte| byte.is_ascii_digit()).map(|byte| u64::from(byte - b'0'));
    E164::from_u64(digits.fold(0, |value, digit| value * 10 + digit))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::super::shared_by_tests as shared;
    use super::*;

    #[test]
    fn the_called_number_is_seen_in_what_is_not_taken_apart() {
        let check = |request: &str, expected: Option<u64>| {
            assert_eq!(called(request.as_bytes()).map(E164::to_u64), expected, "{request}");
        };
        let head = "POST /webhooks/twilio/voice HTTP/1.1\r\nContent-Length: 30\r\n\r\n";
        check(&format!("{head}From=%2B15105550198&To=%2B12125550001&X=1"), Some(12_125_550_001));
        check(&format!("{head}To=12125550001"), Some(12_125_550_001));
        check(&format!("{head}To=%2B1212555000100099"), Some(121_255_500_010_009));
        check(&format!("{head}To=sip%3Aa%40b.example&From=%2B15105550198"), None);
        check(&format!("{head}To=%2B"), None);
        check(&format!("{head}From=%2B15105550198"), None);
        check("", None);
    }

    const REQUEST: &[u8] = b"GET /webhooks/nobody/knows HTTP/1.1\r\nHost: a.example\r\n\r\n";

    fn entered(shared: &Shared) -> Option<Place> {
        let (read, peer) = (Read::again(BytesMut::from(REQUEST)), shared::PEER);
        let waiting = &shared.webhooks.metrics.requests_waiting;
        enter(read, peer, Duration::ZERO, Waker::noop(), waiting).ok()
    }

    /// How far these are: answered, or not.
    fn answered(places: &mut [Place], shared: &Shared) -> Vec<bool> {
        places.iter_mut().map(|place| place.answered(shared).is_some()).collect()
    }

    async fn give(shared: &Shared) {
        let mut give = std::pin::pin!(give_turns(&shared.webhooks.metrics.requests_waiting));
        assert!(poll_fn(|context| Poll::Ready(give.as_mut().poll(context))).await.is_pending());
    }

    #[tokio::test]
    async fn what_is_more_than_are_answered_at_a_time_has_its_turn_later() {
        let shared = shared::nobodys();
        let waiting = &shared.webhooks.metrics.requests_waiting;
        let enter = |count| (0..count).filter_map(|_| entered(&shared)).collect::<Vec<_>>();
        let mut first = enter(AT_A_TIME);
        // Nobody knows yet how long a turn takes.
        let mut later = enter(2);
        assert_eq!((first.len(), later.len(), waiting.get()), (AT_A_TIME, 2, 2));
        assert_eq!(answered(&mut later, &shared), [false; 2], "asked before its turn");
        assert_eq!(answered(&mut first, &shared), [true; AT_A_TIME]);
        later.extend(entered(&shared));
        assert_eq!(
            (answered(&mut later, &shared), waiting.get()),
            (vec![false; 3], 3),
            "those who wait are first"
        );
        give(&shared).await;
        assert_eq!((answered(&mut later, &shared), waiting.get()), (vec![true; 3], 0));
        assert_eq!(answered(&mut enter(AT_A_TIME), &shared), [true; AT_A_TIME]);
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_others_their_turns() {
        let shared = shared::nobodys();
        let enter = |count| (0..count).filter_map(|_| entered(&shared)).collect::<Vec<_>>();
        let (mut first, mut later) = (enter(AT_A_TIME), enter(3));
        drop((first.remove(0), first.remove(7), later.remove(1)));
        assert_eq!(answered(&mut first, &shared), [true; AT_A_TIME - 2]);
        give(&shared).await;
        assert_eq!(answered(&mut later, &shared), [true; 2]);
        // One that was answered and wasn't sent.
        let mut two = enter(2);
        assert!(two[0].answered(&shared).is_some());
        drop(two);
        let left = GATHERED.with_borrow(|gathered| (gathered.requests.len(), gathered.due.len()));
        assert_eq!(left, (0, 0));
    }
}
