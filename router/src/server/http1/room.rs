//! Room to read into and to answer into, which a worker's connections share: while one has nothing to do, it has none.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::request::BYTES_MAX;
use super::turns::AT_A_TIME;

/// How much room for an answer is kept to be used again.
const OUTPUT_KEPT_MAX: usize = 16 << 10;

/// Room that nobody uses, empty.
#[derive(Default)]
struct Rooms {
    to_read: Vec<BytesMut>,
    to_answer: Vec<Vec<u8>>,
}

thread_local! {
    static ROOMS: RefCell<Rooms> = RefCell::default();
}

/// What was read at once.
pub struct Read {
    bytes: BytesMut,
    begun: Option<Instant>,
}

impl Read {
    /// Room to read into.
    pub fn new(begun: Option<Instant>) -> Self {
        let mut bytes = ROOMS.with_borrow_mut(|rooms| rooms.to_read.pop()).unwrap_or_default();
        bytes.reserve(BYTES_MAX);
        Self { bytes, begun }
    }

    /// What was read before.
    pub fn again(bytes: BytesMut) -> Self {
        Self { bytes, begun: Some(Instant::now()) }
    }

    /// Reads what has come. Says how many bytes.
    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<usize> {
        stream.read_buf(&mut self.bytes).await
    }

    /// When the worker began with it, where that is known.
    pub const fn begun(&self) -> Option<Instant> {
        self.begun
    }

    /// What is left behind this many bytes.
    pub fn rest(mut self, taken: usize) -> BytesMut {
        match &self.bytes[taken..] {
            [] => BytesMut::new(),
            rest if self.is_shared() => BytesMut::from(rest),
            _ => {
                self.bytes.advance(taken);
                std::mem::take(&mut self.bytes)
            }
        }
    }

    /// The same in no more room than it takes: many may wait.
    pub fn alone(self) -> Self {
        if self.is_shared() { Self { bytes: BytesMut::from(&self[..]), begun: self.begun } } else { self }
    }

    fn is_shared(&self) -> bool {
        self.bytes.capacity() >= BYTES_MAX
    }
}

impl Deref for Read {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        if self.is_shared() {
            let mut room = std::mem::take(&mut self.bytes);
            room.clear();
            give_back(|rooms| &mut rooms.to_read, room);
        }
    }
}

/// An answer.
pub struct Output(Vec<u8>);

impl Output {
    /// Room for one.
    pub fn new() -> Self {
        Self(ROOMS.with_borrow_mut(|rooms| rooms.to_answer.pop()).unwrap_or_default())
    }
}

impl Deref for Output {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Output {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let mut room = std::mem::take(&mut self.0);
        if (1..=OUTPUT_KEPT_MAX).contains(&room.capacity()) {
            room.clear();
            give_back(|rooms| &mut rooms.to_answer, room);
        }
    }
}

/// Keeps room that is free. As the thread ends, it is only lost.
fn give_back<T>(kept: impl FnOnce(&mut Rooms) -> &mut Vec<T>, room: T) {
    let _ = ROOMS.try_with(|rooms| {
        let mut rooms = rooms.borrow_mut();
        let kept = kept(&mut rooms);
        if kept.len() < AT_A_TIME {
            kept.push(room);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_over_keeps_no_shared_room() {
        let check = |read: Read| {
            let rest = read.rest(4);
            assert_eq!(&rest[..], b"the rest");
            assert!(rest.capacity() < BYTES_MAX);
        };
        let mut shared = Read::new(None);
        shared.bytes.extend_from_slice(b"all the rest");
        let room = shared.bytes.as_ptr();
        check(shared);
        check(Read::again(BytesMut::from(&b"all the rest"[..])));
        assert_eq!(Read::new(None).bytes.as_ptr(), room, "used again");
        assert!(Read::again(BytesMut::from(&b"all"[..])).rest(3).is_empty());
    }

    #[test]
    fn a_large_answers_room_is_given_up() {
        let room = |bytes: usize| {
            let mut output = Output::new();
            output.resize(bytes, b'.');
            drop(output);
            let next = Output::new();
            assert!(next.is_empty());
            next.capacity()
        };
        assert!(room(100) >= 100);
        assert!(room(OUTPUT_KEPT_MAX + 1) <= OUTPUT_KEPT_MAX);
    }
}
