//! The signed messages of the feed: deltas in the stream; manifest and chunks of a checkpoint; and manifest and parts
//! of a router's snapshot file.
//!
//! ```text
//! delta     "DPD1" · epoch 16 · revision u64 · digest u128 · committed i64 · frames · MAC 32
//! manifest  "DPM1" · epoch 16 · revision u64 · digest u128 · records u64 · MAC 32
//! chunk     "DPC1" · epoch 16 · revision u64 · index u32 · last u8 · stored frames · MAC 32
//! part      "DPF1" · epoch 16 · revision u64 · index u32 · last u8 · content u8 · bytes · MAC 32
//! ```
//!
//! Integers are little-endian. The MAC covers all before it, so that no message passes for one of another kind,
//! epoch, revision or place.

use uuid::Uuid;

use super::keyring::{Keyring, MAC_BYTES};
use super::{Digest, Epoch, Revision};

const DELTA: &[u8; 4] = b"DPD1";
const MANIFEST: &[u8; 4] = b"DPM1";
const CHUNK: &[u8; 4] = b"DPC1";
const PART: &[u8; 4] = b"DPF1";

/// What takes the state before `revision` to `revision`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delta<'a> {
    /// Whose revision.
    pub epoch: Epoch,
    /// The state's number once this is applied.
    pub revision: Revision,
    /// What the state's records add up to once this is applied.
    pub digest: Digest,
    /// When the change was written, in microseconds since 1970 by the admin machine's clock.
    pub committed_us: i64,
    /// The changes: [`super::frame::Frames`].
    pub frames: &'a [u8],
}

/// What a checkpoint is. It counts as complete: it is written once all chunks are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Whose revision.
    pub epoch: Epoch,
    /// The state's number.
    pub revision: Revision,
    /// What its records add up to.
    pub digest: Digest,
    /// How many records its chunks hold.
    pub records: u64,
}

/// A part of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk<'a> {
    /// Whose revision.
    pub epoch: Epoch,
    /// The state's number.
    pub revision: Revision,
    /// Which part, from 0.
    pub index: u32,
    /// No part follows.
    pub last: bool,
    /// The records: [`super::frame::StoredFrames`].
    pub frames: &'a [u8],
}

/// A part of a snapshot file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// Whose revision.
    pub epoch: Epoch,
    /// The state's number.
    pub revision: Revision,
    /// Which part, from 0.
    pub index: u32,
    /// No part follows.
    pub last: bool,
    /// What its bytes are, as the router that wrote it numbers them.
    pub content: u8,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Why bytes aren't a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MessageError {
    /// The authentication code isn't by one of our keys: forged, changed, or `FEED_KEY` differs from the writer's.
    #[error("not signed with one of the keys in FEED_KEY, or changed since")]
    Unsigned,
    /// Ours, but not this kind of message.
    #[error("not the expected kind of message")]
    Malformed,
}

impl<'a> Delta<'a> {
    /// The message's bytes.
    #[must_use]
    pub fn sign(&self, keys: &Keyring) -> Vec<u8> {
        let mut out = head(DELTA, self.epoch, self.revision);
        out.extend_from_slice(&self.digest.0.to_le_bytes());
        out.extend_from_slice(&self.committed_us.to_le_bytes());
        out.extend_from_slice(self.frames);
        seal(out, keys)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// See [`MessageError`]; never panics on any bytes.
    pub fn verify(bytes: &'a [u8], keys: &Keyring) -> Result<Self, MessageError> {
        let mut fields = Fields::verify(bytes, DELTA, keys)?;
        Ok(Self {
            epoch: fields.epoch()?,
            revision: fields.revision()?,
            digest: fields.digest()?,
            committed_us: i64::from_le_bytes(*fields.take()?),
            frames: fields.rest,
        })
    }
}

impl Manifest {
    /// The message's bytes.
    #[must_use]
    pub fn sign(&self, keys: &Keyring) -> Vec<u8> {
        let mut out = head(MANIFEST, self.epoch, self.revision);
        out.extend_from_slice(&self.digest.0.to_le_bytes());
        out.extend_from_slice(&self.records.to_le_bytes());
        seal(out, keys)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// See [`MessageError`]; never panics on any bytes.
    pub fn verify(bytes: &[u8], keys: &Keyring) -> Result<Self, MessageError> {
        let mut fields = Fields::verify(bytes, MANIFEST, keys)?;
        let manifest = Self {
            epoch: fields.epoch()?,
            revision: fields.revision()?,
            digest: fields.digest()?,
            records: u64::from_le_bytes(*fields.take()?),
        };
        if fields.rest.is_empty() { Ok(manifest) } else { Err(MessageError::Malformed) }
    }
}

impl<'a> Chunk<'a> {
    /// The message's bytes.
    #[must_use]
    pub fn sign(&self, keys: &Keyring) -> Vec<u8> {
        let mut out = head(CHUNK, self.epoch, self.revision);
        out.extend_from_slice(&self.index.to_le_bytes());
        out.push(u8::from(self.last));
        out.extend_from_slice(self.frames);
        seal(out, keys)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// See [`MessageError`]; never panics on any bytes.
    pub fn verify(bytes: &'a [u8], keys: &Keyring) -> Result<Self, MessageError> {
        let mut fields = Fields::verify(bytes, CHUNK, keys)?;
        Ok(Self {
            epoch: fields.epoch()?,
            revision: fields.revision()?,
            index: u32::from_le_bytes(*fields.take()?),
            last: *fields.take::<1>()? == [1],
            frames: fields.rest,
        })
    }
}

impl<'a> Part<'a> {
    /// The message's bytes.
    #[must_use]
    pub fn sign(&self, keys: &Keyring) -> Vec<u8> {
        let mut out = head(PART, self.epoch, self.revision);
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&[u8::from(self.last), self.content]);
        out.extend_from_slice(self.bytes);
        seal(out, keys)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// See [`MessageError`]; never panics on any bytes.
    pub fn verify(bytes: &'a [u8], keys: &Keyring) -> Result<Self, MessageError> {
        let mut fields = Fields::verify(bytes, PART, keys)?;
        Ok(Self {
            epoch: fields.epoch()?,
            revision: fields.revision()?,
            index: u32::from_le_bytes(*fields.take()?),
            last: *fields.take::<1>()? == [1],
            content: fields.take::<1>()?[0],
            bytes: fields.rest,
        })
    }
}

fn head(magic: &[u8; 4], epoch: Epoch, revision: Revision) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(magic);
    out.extend_from_slice(epoch.0.as_bytes());
    out.extend_from_slice(&revision.0.to_le_bytes());
    out
}

fn seal(mut message: Vec<u8>, keys: &Keyring) -> Vec<u8> {
    let mac = keys.sign(&message);
    message.extend_from_slice(&mac);
    message
}

/// The fields of a message whose authentication code is right.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn verify(bytes: &'a [u8], magic: &[u8; 4], keys: &Keyring) -> Result<Self, MessageError> {
        let (message, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(MessageError::Unsigned)?;
        if !keys.verify(message, mac) {
            return Err(MessageError::Unsigned);
        }
        let rest = message.strip_prefix(magic).ok_or(MessageError::Malformed)?;
        Ok(Self { rest })
    }

    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], MessageError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(MessageError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn epoch(&mut self) -> Result<Epoch, MessageError> {
        self.take().map(|bytes| Epoch(Uuid::from_bytes(*bytes)))
    }

    fn revision(&mut self) -> Result<Revision, MessageError> {
        self.take().map(|bytes| Revision(u64::from_le_bytes(*bytes)))
    }

    fn digest(&mut self) -> Result<Digest, MessageError> {
        self.take().map(|bytes| Digest(u128::from_le_bytes(*bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keyring {
        Keyring::feed("a-feed-key-of-some-length").unwrap()
    }

    const EPOCH: Epoch = Epoch(Uuid::from_u128(77));

    #[test]
    fn messages_come_back() {
        let delta = Delta {
            epoch: EPOCH,
            revision: Revision(7),
            digest: Digest(8),
            committed_us: -9,
            frames: b"frames",
        };
        assert_eq!(Delta::verify(&delta.sign(&keys()), &keys()), Ok(delta));
        let manifest =
            Manifest { epoch: EPOCH, revision: Revision(7), digest: Digest(u128::MAX), records: 10 };
        assert_eq!(Manifest::verify(&manifest.sign(&keys()), &keys()), Ok(manifest));
        let chunk = Chunk { epoch: EPOCH, revision: Revision(7), index: 3, last: true, frames: b"stored" };
        assert_eq!(Chunk::verify(&chunk.sign(&keys()), &keys()), Ok(chunk));
        let Chunk { epoch, revision, index, last, .. } = chunk;
        let part = Part { epoch, revision, index, last, content: 4, bytes: b"numbers" };
        assert_eq!(Part::verify(&part.sign(&keys()), &keys()), Ok(part));
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let delta = Delta {
            epoch: EPOCH,
            revision: Revision(7),
            digest: Digest(8),
            committed_us: 9,
            frames: b"frames",
        };
        let signed = delta.sign(&keys());
        for index in 0..signed.len() {
            let mut changed = signed.clone();
            changed[index] ^= 0x40;
            assert_eq!(Delta::verify(&changed, &keys()), Err(MessageError::Unsigned), "byte {index}");
            assert_eq!(
                Delta::verify(&signed[..index], &keys()),
                Err(MessageError::Unsigned),
                "cut at {index}"
            );
        }
        let other = Keyring::feed("another-feed-key-of-some-length").unwrap();
        assert_eq!(Delta::verify(&signed, &other), Err(MessageError::Unsigned));
    }

    #[test]
    fn no_message_passes_for_another_kind() {
        let manifest = Manifest { epoch: EPOCH, revision: Revision(7), digest: Digest(8), records: 10 };
        let signed = manifest.sign(&keys());
        assert_eq!(Delta::verify(&signed, &keys()), Err(MessageError::Malformed));
        assert_eq!(Chunk::verify(&signed, &keys()), Err(MessageError::Malformed));
        assert_eq!(Part::verify(&signed, &keys()), Err(MessageError::Malformed));
    }
}
