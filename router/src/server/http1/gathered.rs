//! Requests that a worker has read and answers together.
//!
//! Under load several connections have a request when the worker looks. It reads them all before it answers the first,
//! so that what answers them is fetched from memory for all at once ([`Snapshot::fetch`]), where one after the other
//! would wait for it. What is more than are answered at a time waits for its turn, or is refused ([`Turns`]).
//!
//! [`Snapshot::fetch`]: crate::snapshot::Snapshot::fetch

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::Deref;
use std::sync::LazyLock;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use dialplane_common::e164::{DIGITS_MAX, E164};
use memchr::memmem::Finder;
use prometheus::IntGauge;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::request::BYTES_MAX;
use super::turns::{AT_A_TIME, Turns, Waiting};
use crate::snapshot::{NUMBERS_AT_A_TIME, SnapshotStore};

/// What stands in a form before the called number.
const TO: &[u8] = b"To=";

/// A plus sign in a form. Plivo's numbers have none.
const PLUS: &[u8] = b"%2B";

/// What a worker has read and not answered.
#[derive(Default)]
struct Gathered {
    /// How many are to be answered together, until the first of them is.
    count: usize,
    /// The numbers that they call, until what answers them is fetched.
    called: Vec<E164>,
    /// Those beyond.
    turns: Turns,
    /// Room to read into, empty.
    free: Vec<BytesMut>,
}

impl Gathered {
    fn call(&mut self, called: Option<E164>) {
        if self.called.len() < NUMBERS_AT_A_TIME {
            self.called.extend(called);
        }
    }
}

thread_local! {
    static GATHERED: RefCell<Gathered> = RefCell::default();
}

/// When a request that was read is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Once the others that are ready have been read: the task is woken for it.
    Next,
    /// After those that wait already: the task is woken for it.
    Later,
    /// Never: too many wait.
    Never,
}

/// What was read at once, in room that a worker's connections share.
pub struct Read {
    bytes: BytesMut,
    /// When it was begun, where somebody waits.
    begun: Option<Instant>,
}

impl Read {
    /// Room to read into.
    pub fn new() -> Self {
        let (bytes, waited_for) = GATHERED.with_borrow_mut(|gathered| {
            (gathered.free.pop().unwrap_or_default(), gathered.turns.any_waits())
        });
        let mut read = Self { bytes, begun: waited_for.then(Instant::now) };
        read.bytes.reserve(BYTES_MAX);
        read
    }

    /// Reads what has come. Says how many bytes.
    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<usize> {
        stream.read_buf(&mut self.bytes).await
    }

    /// See [`enter`].
    pub fn enter(&mut self, wait_max: Duration, task: &Waker, waiting: &IntGauge) -> When {
        let when = enter(&self.bytes, wait_max, task, waiting);
        if when == When::Later {
            // Many may wait: each in no more room than it takes.
            let bytes = BytesMut::from(&self.bytes[..]);
            free(std::mem::replace(&mut self.bytes, bytes));
        }
        when
    }

    /// When it was begun, where somebody waits.
    pub const fn begun(&self) -> Option<Instant> {
        self.begun
    }
}

/// Enters what was read among what is to be answered, unless its turn would come later than in `wait_max`.
pub fn enter(read: &[u8], wait_max: Duration, task: &Waker, waiting: &IntGauge) -> When {
    let called = called(read);
    GATHERED.with_borrow_mut(|gathered| {
        if gathered.count < AT_A_TIME && !gathered.turns.any_waits() {
            gathered.count += 1;
            gathered.call(called);
            task.wake_by_ref();
            When::Next
        } else if gathered.turns.is_soon(wait_max) {
            gathered.turns.wait(Waiting { task: task.clone(), called });
            waiting.inc();
            When::Later
        } else {
            When::Never
        }
    })
}

/// Whether there is time to refuse on connections that stay open.
pub fn has_time_to_refuse() -> bool {
    GATHERED.with_borrow(|gathered| gathered.turns.has_time_to_refuse())
}

/// A refusal took so long.
pub fn refused(took: Duration) {
    GATHERED.with_borrow_mut(|gathered| gathered.turns.refused(took));
}

/// Gives room back.
fn free(mut room: BytesMut) {
    room.clear();
    GATHERED.with_borrow_mut(|gathered| {
        if room.capacity() >= BYTES_MAX && gathered.free.len() < NUMBERS_AT_A_TIME {
            gathered.free.push(room);
        }
    });
}

/// Gives those their turns who wait on this worker, for ever.
pub async fn give_turns(waiting: &IntGauge) {
    let mut given = Vec::new();
    poll_fn(|context| {
        GATHERED.with_borrow_mut(|gathered| {
            gathered.turns.give(context.waker(), Instant::now(), &mut given);
            given.iter().for_each(|next| gathered.call(next.called));
        });
        waiting.sub(i64::try_from(given.len()).unwrap_or(i64::MAX));
        given.drain(..).for_each(|next: Waiting| next.task.wake());
        Poll::Pending
    })
    .await
}

impl Deref for Read {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        free(std::mem::take(&mut self.bytes));
    }
}

/// Fetches what answers all that was gathered.
pub fn fetch(store: &SnapshotStore) {
    GATHERED.with_borrow_mut(|gathered| {
        gathered.count = 0;
        if gathered.called.is_empty() {
            return;
        }
        if let Some(snapshot) = &*store.load() {
            snapshot.fetch(&gathered.called);
        }
        gathered.called.clear();
    });
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

    #[tokio::test]
    async fn what_is_more_than_are_answered_at_a_time_has_its_turn_later() {
        let (store, waiting) =
            (SnapshotStore::default(), IntGauge::new("waiting", "those who wait").unwrap());
        let enter = || {
            let mut read = Read { bytes: BytesMut::from("To=%2B12125550001"), begun: None };
            read.enter(Duration::ZERO, Waker::noop(), &waiting)
        };
        let turns = |count| (0..count).map(|_| enter()).collect::<Vec<_>>();
        assert_eq!(turns(AT_A_TIME), [When::Next; AT_A_TIME]);
        // Nobody knows yet how long a turn takes.
        assert_eq!((turns(2), waiting.get()), (vec![When::Later; 2], 2));
        fetch(&store);
        assert_eq!((enter(), waiting.get()), (When::Later, 3), "not before those who wait");
        let mut give = std::pin::pin!(give_turns(&waiting));
        let given = poll_fn(|context| Poll::Ready(give.as_mut().poll(context))).await;
        assert_eq!((given, waiting.get()), (Poll::Pending, 0));
        assert_eq!(turns(AT_A_TIME), [When::Next; AT_A_TIME]);
    }
}
