//! Events on their way to the admin plane: an entry of the stream `{namespace}:events`, in its field `batch`.
//!
//! ```text
//! "DPE1" · writer 16 · sequence u64 · events · MAC 32
//! ```
//!
//! Integers are little-endian. The MAC, by `FEED_KEY`, covers all before it: who can write to Redis can't make up calls. A
//! writer is one life of one router; it numbers its batches from 1 without a hole, and sends one again until it is told
//! that it is stored. What is stored of a writer's, without a hole, stands in the hash `{namespace}:events:stored`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::feed::keyring::{Keyring, MAC_BYTES};
use crate::feed::message::MessageError;

const MAGIC: &[u8; 4] = b"DPE1";

/// The events of a batch take no more, unless a single one does.
pub const EVENTS_BYTES_MAX: usize = 64 << 10;

/// One life of one router.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriterId(pub Uuid);

/// Events of one writer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batch<'a> {
    /// Whose.
    pub writer: WriterId,
    /// Its place among the writer's batches, from 1.
    pub sequence: u64,
    /// The events: [`super::event::CallEvent::read_all`].
    pub events: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The message's bytes.
    #[must_use]
    pub fn sign(&self, keys: &Keyring) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAGIC.len() + 24 + self.events.len() + MAC_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(self.writer.0.as_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(self.events);
        let mac = keys.sign(&out);
        out.extend_from_slice(&mac);
        out
    }

    /// Reads a message.
    ///
    /// # Errors
    /// See [`MessageError`]; never panics on any bytes.
    pub fn verify(bytes: &'a [u8], keys: &Keyring) -> Result<Self, MessageError> {
        let (signed, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(MessageError::Malformed)?;
        if !keys.verify(signed, mac) {
            return Err(MessageError::Unsigned);
        }
        let fields = signed.strip_prefix(MAGIC).ok_or(MessageError::Malformed)?;
        let (writer, fields) = fields.split_first_chunk::<16>().ok_or(MessageError::Malformed)?;
        let (sequence, events) = fields.split_first_chunk::<8>().ok_or(MessageError::Malformed)?;
        let writer = WriterId(Uuid::from_bytes(*writer));
        Ok(Self { writer, sequence: u64::from_le_bytes(*sequence), events })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_batches_by_our_keys_are_read() {
        let keys = Keyring::feed("a-feed-key-of-some-length").unwrap();
        let other = Keyring::feed("another-key-of-some-length").unwrap();
        let batch = Batch { writer: WriterId(Uuid::from_u128(7)), sequence: 3, events: b"events" };
        let bytes = batch.sign(&keys);
        assert_eq!(Batch::verify(&bytes, &keys), Ok(batch));
        assert_eq!(Batch::verify(&bytes, &other), Err(MessageError::Unsigned));
        for length in 0..bytes.len() {
            assert!(Batch::verify(&bytes[..length], &keys).is_err());
        }
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(Batch::verify(&changed, &keys), Err(MessageError::Unsigned));
        }
    }
}
