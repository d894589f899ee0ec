//! The bytes of one change: a record or its removal.
//!
//! ```text
//! frame   operation u8 (0 upsert, 1 removal) · kind u8 · version u8 · key length u8 · key · payload length u32 LE · payload
//! stored  record hash u128 LE · frame             in checkpoints and snapshot files, upserts only
//! ```
//!
//! The envelope is read before the payload, so that a router steps over what it can't read. A payload is the record
//! encoded with postcard; its version says which fields it has. A reader ignores bytes behind the fields that it
//! knows: a field may be appended without a new version when readers that don't know it stay right. Fields are only ever
//! appended, and zero bytes mean that they aren't set: an older version is read as if they stood behind it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::record::{Record, TokenHash};
use super::{FEED_VERSION, RecordHash};
use crate::e164::{E164, Prefix};
use crate::ids::{AccountId, AgentId, TenantId};

/// No fewer bytes than all fields take, unset, that were appended since version 1.
const APPENDED_BYTES: usize = 32;

/// What kind of record a key names. The number is its byte in a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// [`Record::Platform`]; empty key.
    Platform = 0,
    /// [`Record::Tenant`]; key: the id's 16 bytes.
    Tenant = 1,
    /// [`Record::Account`]; key: the id's 16 bytes.
    Account = 2,
    /// [`Record::Agent`]; key: the id's 16 bytes.
    Agent = 3,
    /// [`Record::Number`]; key: the number as a big-endian `u64`.
    Number = 4,
    /// [`Record::Range`]; key: the prefix as a big-endian `u64`.
    Range = 5,
    /// [`Record::Token`]; key: the hash's 32 bytes.
    Token = 6,
}

impl Kind {
    /// All kinds, in the order in which a checkpoint holds them.
    pub const ALL: [Self; 7] =
        [Self::Platform, Self::Tenant, Self::Account, Self::Agent, Self::Number, Self::Range, Self::Token];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Tenant => "tenant",
            Self::Account => "account",
            Self::Agent => "agent",
            Self::Number => "number",
            Self::Range => "range",
            Self::Token => "token",
        }
    }
}

/// A record's key, readable or not: kind byte and key bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RawKey<'a> {
    /// The kind's byte; may be one that this program doesn't know.
    pub kind: u8,
    /// The key's bytes.
    pub key: &'a [u8],
}

/// A record's key, of a kind that this program knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RecordKey {
    /// The one platform record.
    Platform,
    /// A tenant.
    Tenant(TenantId),
    /// An account.
    Account(AccountId),
    /// An agent.
    Agent(AgentId),
    /// A number.
    Number(E164),
    /// A block of numbers.
    Range(Prefix),
    /// A token.
    Token(TokenHash),
}

impl RecordKey {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Platform => Kind::Platform,
            Self::Tenant(_) => Kind::Tenant,
            Self::Account(_) => Kind::Account,
            Self::Agent(_) => Kind::Agent,
            Self::Number(_) => Kind::Number,
            Self::Range(_) => Kind::Range,
            Self::Token(_) => Kind::Token,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Platform => Vec::new(),
            Self::Tenant(id) => id.as_bytes().to_vec(),
            Self::Account(id) => id.as_bytes().to_vec(),
            Self::Agent(id) => id.as_bytes().to_vec(),
            Self::Number(number) => number.to_u64().to_be_bytes().to_vec(),
            Self::Range(prefix) => prefix.to_u64().to_be_bytes().to_vec(),
            Self::Token(hash) => hash.0.to_vec(),
        }
    }

    /// Reads a key; `None` when its kind is unknown or its bytes aren't of its kind.
    #[must_use]
    pub fn from_raw(raw: RawKey<'_>) -> Option<Self> {
        let id = || uuid::Uuid::from_slice(raw.key).ok();
        let digits = || raw.key.try_into().ok().map(u64::from_be_bytes);
        match Kind::ALL.into_iter().find(|kind| *kind as u8 == raw.kind)? {
            Kind::Platform => raw.key.is_empty().then_some(Self::Platform),
            Kind::Tenant => id().map(TenantId).map(Self::Tenant),
            Kind::Account => id().map(AccountId).map(Self::Account),
            Kind::Agent => id().map(AgentId).map(Self::Agent),
            Kind::Number => digits().and_then(E164::from_u64).map(Self::Number),
            Kind::Range => digits().and_then(Prefix::from_u64).map(Self::Range),
            Kind::Token => raw.key.try_into().ok().map(TokenHash).map(Self::Token),
        }
    }
}

/// One change of one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Which record.
    pub key: RawKey<'a>,
    /// What it is now; absent: it is gone.
    pub payload: Option<Payload<'a>>,
}

/// A record's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload<'a> {
    /// Which fields it has.
    pub version: u8,
    /// The fields.
    pub bytes: &'a [u8],
}

/// A record that this program can't read. It keeps the last state that it could.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreadable {
    /// The kind is unknown, or the key isn't of its kind.
    #[error("unknown kind of record or malformed key")]
    Key,
    /// The record's version is newer than this program's.
    #[error("version of the record is newer than this program's")]
    Version,
    /// The bytes aren't what their version says.
    #[error("malformed record")]
    Malformed,
}

/// Bytes that aren't frames. Where they were authenticated, their writer is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed frame")]
pub struct FrameError;

impl Frame<'_> {
    /// The record, when this program can read it.
    ///
    /// # Errors
    /// See [`Unreadable`]; never panics on any bytes.
    pub fn record(&self) -> Result<Option<Record>, Unreadable> {
        let key = RecordKey::from_raw(self.key).ok_or(Unreadable::Key)?;
        self.payload.map(|payload| payload.decode(key)).transpose()
    }

    /// The hash of the record; `None` for a removal.
    #[must_use]
    pub fn hash(&self) -> Option<RecordHash> {
        self.payload.map(|payload| payload.hash(self.key))
    }

    /// Appends the frame's bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.payload.is_none()));
        out.push(self.key.kind);
        out.push(self.payload.map_or(0, |payload| payload.version));
        out.push(u8::try_from(self.key.key.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(self.key.key);
        let payload = self.payload.map_or(&[][..], |payload| payload.bytes);
        out.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(payload);
    }
}

impl<'a> Payload<'a> {
    fn decode(self, key: RecordKey) -> Result<Record, Unreadable> {
        if self.version > FEED_VERSION {
            return Err(Unreadable::Version);
        }
        Ok(match key {
            RecordKey::Platform => Record::Platform(self.fields()?),
            RecordKey::Tenant(id) => Record::Tenant(id, self.fields()?),
            RecordKey::Account(id) => Record::Account(id, self.fields()?),
            RecordKey::Agent(id) => Record::Agent(id, self.fields()?),
            RecordKey::Number(number) => Record::Number(number, self.fields()?),
            RecordKey::Range(prefix) => Record::Range(prefix, self.fields()?),
            RecordKey::Token(hash) => Record::Token(hash, self.fields()?),
        })
    }

    fn fields<T: DeserializeOwned>(self) -> Result<T, Unreadable> {
        let read = |bytes: &[u8]| postcard::take_from_bytes(bytes).map(|(fields, _appended)| fields);
        let fields = match self.version {
            FEED_VERSION => read(self.bytes),
            _older => read(&[self.bytes, &[0; APPENDED_BYTES]].concat()),
        };
        fields.map_err(|_| Unreadable::Malformed)
    }

    /// The hash of a record: the first 16 bytes of BLAKE3 over kind, version, key length, key and payload.
    #[must_use]
    pub fn hash(self, key: RawKey<'a>) -> RecordHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[key.kind, self.version, u8::try_from(key.key.len()).unwrap_or(u8::MAX)]);
        hasher.update(key.key).update(self.bytes);
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        RecordHash(u128::from_le_bytes(bytes))
    }
}

impl Record {
    /// Its key.
    #[must_use]
    pub const fn key(&self) -> RecordKey {
        match self {
            Self::Platform(_) => RecordKey::Platform,
            Self::Tenant(id, _) => RecordKey::Tenant(*id),
            Self::Account(id, _) => RecordKey::Account(*id),
            Self::Agent(id, _) => RecordKey::Agent(*id),
            Self::Number(number, _) => RecordKey::Number(*number),
            Self::Range(prefix, _) => RecordKey::Range(*prefix),
            Self::Token(hash, _) => RecordKey::Token(*hash),
        }
    }

    /// Its fields as a payload of [`FEED_VERSION`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Platform(fields) => encode(fields),
            Self::Tenant(_, fields) => encode(fields),
            Self::Account(_, fields) => encode(fields),
            Self::Agent(_, fields) => encode(fields),
            Self::Number(_, fields) | Self::Range(_, fields) => encode(fields),
            Self::Token(_, fields) => encode(fields),
        }
    }
}

/// Encodes a record's fields as a payload of [`FEED_VERSION`].
pub fn encode<T: Serialize>(fields: &T) -> Vec<u8> {
    // Encoding to memory fails only for types that postcard doesn't know, and records have none.
    postcard::to_stdvec(fields).unwrap_or_default()
}

/// Reads frames one after the other.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// Reads frames from `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn read(&mut self) -> Option<Frame<'a>> {
        let [operation, kind, version, key_bytes] = *self.array::<4>()?;
        let key = self.slice(usize::from(key_bytes))?;
        let payload_bytes = u32::from_le_bytes(*self.array()?);
        let bytes = self.slice(usize::try_from(payload_bytes).ok()?)?;
        let payload = match operation {
            0 => Some(Payload { version, bytes }),
            1 if bytes.is_empty() => None,
            _ => return None,
        };
        Some(Frame { key: RawKey { kind, key }, payload })
    }

    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(taken)
    }

    fn slice(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = self.read().ok_or(FrameError);
        if frame.is_err() {
            self.rest = &[];
        }
        Some(frame)
    }
}

/// Reads stored frames, each behind the hash that its record had when it was first written.
#[derive(Clone, Debug)]
pub struct StoredFrames<'a> {
    frames: Frames<'a>,
}

impl<'a> StoredFrames<'a> {
    /// Reads stored frames from `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { frames: Frames::new(bytes) }
    }

    /// Appends a stored frame's bytes.
    pub fn write(hash: RecordHash, frame: &Frame<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&hash.0.to_le_bytes());
        frame.write(out);
    }
}

impl<'a> Iterator for StoredFrames<'a> {
    type Item = Result<(RecordHash, Frame<'a>), FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.frames.rest.is_empty() {
            return None;
        }
        let read = (|| {
            let hash = RecordHash(u128::from_le_bytes(*self.frames.array()?));
            let frame = self.frames.read()?;
            frame.payload.is_some().then_some((hash, frame))
        })();
        if read.is_none() {
            self.frames.rest = &[];
        }
        Some(read.ok_or(FrameError))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::record::{AgentRecord, AgentTarget, NumberRecord, PlatformRecord, TenantRecord};
    use crate::ids::PhoneNumberId;

    fn agent() -> Record {
        let target = AgentTarget::Stream { url: "wss://voice.example/agent".into() };
        let record = AgentRecord::new(TenantId(uuid::Uuid::from_u128(1)), "Front desk", target);
        Record::Agent(AgentId(uuid::Uuid::from_u128(2)), record)
    }

    fn with_frame(record: &Record, version: u8, check: impl FnOnce(Frame<'_>)) {
        let (key, bytes) = (record.key().to_bytes(), record.encode());
        let key = RawKey { kind: record.key().kind() as u8, key: &key };
        check(Frame { key, payload: Some(Payload { version, bytes: &bytes }) });
    }

    #[test]
    fn records_come_back() {
        with_frame(&agent(), FEED_VERSION, |frame| {
            let mut bytes = Vec::new();
            frame.write(&mut bytes);
            let removal = Frame { payload: None, ..frame };
            removal.write(&mut bytes);
            let frames: Vec<_> = Frames::new(&bytes).map(Result::unwrap).collect();
            assert_eq!(frames, [frame, removal]);
            assert_eq!(frames[0].record().unwrap(), Some(agent()));
            assert_eq!(frames[1].record().unwrap(), None);
        });
    }

    #[test]
    fn stored_frames_keep_the_hash_they_were_given() {
        with_frame(&agent(), FEED_VERSION, |frame| {
            let mut bytes = Vec::new();
            StoredFrames::write(RecordHash(42), &frame, &mut bytes);
            let stored: Vec<_> = StoredFrames::new(&bytes).map(Result::unwrap).collect();
            assert_eq!(stored, [(RecordHash(42), frame)]);
            for cut in 1..bytes.len() {
                assert_eq!(StoredFrames::new(&bytes[..cut]).last(), Some(Err(FrameError)), "{cut}");
            }
        });
    }

    #[test]
    fn steps_over_what_it_cannot_read() {
        with_frame(&agent(), FEED_VERSION + 1, |newer| {
            assert_eq!(newer.record(), Err(Unreadable::Version));
            let unknown = Frame { key: RawKey { kind: 200, ..newer.key }, ..newer };
            assert_eq!(unknown.record(), Err(Unreadable::Key));
            let broken =
                Frame { payload: Some(Payload { version: FEED_VERSION, bytes: &[0xFF; 3] }), ..newer };
            assert_eq!(broken.record(), Err(Unreadable::Malformed));
            let mut bytes = Vec::new();
            for frame in [newer, unknown, broken] {
                frame.write(&mut bytes);
            }
            assert_eq!(Frames::new(&bytes).filter(Result::is_ok).count(), 3);
        });
    }

    #[test]
    fn appended_fields_are_ignored() {
        with_frame(&agent(), FEED_VERSION, |frame| {
            let longer = [frame.payload.unwrap().bytes, &[1, 2, 3]].concat();
            let longer = Frame { payload: Some(Payload { version: FEED_VERSION, bytes: &longer }), ..frame };
            assert_eq!(longer.record().unwrap(), Some(agent()));
        });
    }

    /// What version 1 wrote lacked the fields that were appended since.
    #[test]
    fn records_of_an_older_version_lack_what_was_appended() {
        let tenant = TenantId(uuid::Uuid::from_u128(1));
        let number = NumberRecord::new(PhoneNumberId(uuid::Uuid::from_u128(3)), tenant);
        for (record, appended) in [
            (agent(), 2),
            (Record::Platform(PlatformRecord::default()), 5),
            (Record::Tenant(tenant, TenantRecord::new("Salon", "UTC")), 6),
            (Record::Number("+12125550001".parse().unwrap(), number), 5),
        ] {
            let (key, bytes) = (record.key().to_bytes(), record.encode());
            let key = RawKey { kind: record.key().kind() as u8, key: &key };
            let (older, zeros) = bytes.split_at(bytes.len() - appended);
            assert!(zeros.iter().all(|byte| *byte == 0), "unset is zero: {record:?}");
            let read = |version, bytes| Frame { key, payload: Some(Payload { version, bytes }) }.record();
            assert_eq!(read(1, older).unwrap(), Some(record));
            assert_eq!(read(FEED_VERSION, older), Err(Unreadable::Malformed));
        }
    }

    #[test]
    fn hash_covers_kind_version_key_and_payload() {
        with_frame(&agent(), FEED_VERSION, |frame| {
            let hash = frame.hash();
            let payload = frame.payload.unwrap();
            let others = [
                Frame { key: RawKey { kind: 2, ..frame.key }, ..frame },
                Frame { key: RawKey { key: &[9; 16], ..frame.key }, ..frame },
                Frame { payload: Some(Payload { version: 0, ..payload }), ..frame },
                Frame { payload: Some(Payload { bytes: &payload.bytes[1..], ..payload }), ..frame },
            ];
            assert!(others.iter().all(|other| other.hash() != hash));
            assert_eq!(Frame { payload: None, ..frame }.hash(), None);
        });
    }

    #[test]
    fn no_bytes_are_a_panic() {
        let mut bytes = vec![0_u8; 64];
        for seed in 0..2_000_u32 {
            for (index, byte) in bytes.iter_mut().enumerate() {
                let hash = blake3::hash(&[seed.to_le_bytes(), (index as u32 / 32).to_le_bytes()].concat());
                *byte = hash.as_bytes()[index % 32] & if index < 4 { 7 } else { 31 };
            }
            Frames::new(&bytes).flatten().for_each(|frame| drop(frame.record()));
            StoredFrames::new(&bytes).for_each(drop);
        }
    }
}
