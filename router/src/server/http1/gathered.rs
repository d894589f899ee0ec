//! Requests that a worker has read and answers together.
//!
//! Under load several connections have a request when the worker looks. It reads them all before it answers the first,
//! so that what answers them is fetched from memory for all at once ([`Snapshot::fetch`]), where one after the other
//! would wait for it.
//!
//! [`Snapshot::fetch`]: crate::snapshot::Snapshot::fetch

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::LazyLock;

use bytes::BytesMut;
use dialplane_common::e164::{DIGITS_MAX, E164};
use memchr::memmem::Finder;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::request::BYTES_MAX;
use crate::snapshot::{NUMBERS_AT_A_TIME, SnapshotStore};

/// What stands in a form before the called number.
const TO: &[u8] = b"To=";

/// A plus sign in a form. Plivo's numbers have none.
const PLUS: &[u8] = b"%2B";

/// What a worker has read and not answered.
#[derive(Default)]
struct Gathered {
    /// The numbers that were called, until what answers them is fetched.
    called: Vec<E164>,
    /// Room to read into, empty.
    free: Vec<BytesMut>,
}

thread_local! {
    static GATHERED: RefCell<Gathered> = RefCell::default();
}

/// What was read at once, in room that a worker's connections share.
pub struct Read(BytesMut);

impl Read {
    /// Room to read into.
    pub fn new() -> Self {
        let mut room = GATHERED.with_borrow_mut(|gathered| gathered.free.pop()).unwrap_or_default();
        room.reserve(BYTES_MAX);
        Self(room)
    }

    /// Reads what has come. Says how many bytes.
    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<usize> {
        stream.read_buf(&mut self.0).await
    }

    /// Whether others should be read before this is answered, as it is a call to a number that is to be fetched.
    pub fn gather(&self) -> bool {
        let Some(called) = called(&self.0) else { return false };
        GATHERED.with_borrow_mut(|gathered| {
            let room = gathered.called.len() < NUMBERS_AT_A_TIME;
            if room {
                gathered.called.push(called);
            }
            room
        })
    }
}

impl Deref for Read {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        let mut room = std::mem::take(&mut self.0);
        room.clear();
        GATHERED.with_borrow_mut(|gathered| {
            if gathered.free.len() < NUMBERS_AT_A_TIME {
                gathered.free.push(room);
            }
        });
    }
}

/// Fetches what answers all that was gathered.
pub fn fetch(store: &SnapshotStore) {
    GATHERED.with_borrow_mut(|gathered| {
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

    #[test]
    fn no_more_are_gathered_than_are_fetched_at_a_time() {
        let store = SnapshotStore::default();
        let read = || Read(BytesMut::from("To=%2B12125550001"));
        let gathered = || (0..=NUMBERS_AT_A_TIME).filter(|_| read().gather()).count();
        assert_eq!((gathered(), gathered()), (NUMBERS_AT_A_TIME, 0));
        fetch(&store);
        assert_eq!(gathered(), NUMBERS_AT_A_TIME);
    }
}
