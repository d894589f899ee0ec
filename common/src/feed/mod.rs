//! The feed: how a change made in the admin plane reaches every router.
//!
//! What it promises:
//!
//! - **One order.** Each change of routing data takes the next [`Revision`], from one locked row, last in its
//!   transaction: the order of revisions is the order of commits.
//! - **Records, not commands.** A delta holds whole [`record`]s as they are after the change, or their removal.
//!   Applying it twice is applying it once.
//! - **Proof.** The [`Digest`] of a state is the sum of the hashes of its records, so each delta updates it; a
//!   router that computes another digest than the delta carries knows that it differs, and reloads.
//! - **One life.** An [`Epoch`] is one life of the feed. Two epochs' revisions say nothing about each other: whoever
//!   meets another epoch starts again from its checkpoint, even at a smaller revision.
//! - **Nothing forged, nothing readable.** Messages are authenticated and the secrets in them sealed with the feed's
//!   keys ([`keyring`]). Redis is transport, not trust.
//!
//! [`frame`] is the bytes of one change, [`message`] the signed messages made of them, [`keys`] where they lie in
//! Redis, [`report`] what a router says of itself.

pub mod frame;
pub mod keyring;
pub mod keys;
pub mod message;
pub mod record;
pub mod report;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version of frames and records that this program writes, and the newest that it reads.
///
/// A router reports it. The admin plane refuses a write that a live router can't read.
///
/// 2 appended text messages to numbers, tenants and the platform, and versions and intents to agents.
/// 3 appended what follows when a limit of calls is reached, to numbers, tenants and the platform.
pub const FEED_VERSION: u8 = 3;

/// The most bytes that the frames of one delta, or of one chunk of a checkpoint, may have.
pub const FRAMES_BYTES_MAX: usize = 1 << 20;

/// One life of the feed. Written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub Uuid);

impl Serialize for Epoch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for Epoch {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// The number of a state. Zero is the empty state before the first change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision that the next change makes.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What all records of a state add up to: the sum of their hashes, modulo 2^128.
///
/// Written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(pub u128);

impl Digest {
    /// The digest once a record of this hash is there.
    #[must_use]
    pub const fn with(self, record: RecordHash) -> Self {
        Self(self.0.wrapping_add(record.0))
    }

    /// The digest once a record of this hash is gone.
    #[must_use]
    pub const fn without(self, record: RecordHash) -> Self {
        Self(self.0.wrapping_sub(record.0))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The hash of one record's bytes as they were first written. Both planes keep it beside the record, since a
/// record that is encoded again (by a newer program, sealed anew) may have other bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHash(pub u128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_forgets_order_and_what_was_removed() {
        let [a, b, c] = [RecordHash(7), RecordHash(u128::MAX), RecordHash(1 << 100)];
        let digest = Digest::default().with(a).with(b).with(c);
        assert_eq!(digest, Digest::default().with(c).with(a).with(b));
        assert_eq!(digest.without(b), Digest::default().with(a).with(c));
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    }
}
