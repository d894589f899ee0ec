//! The feed by hand: what somebody does to Redis or to Postgres behind the admin plane's back.

use dialplane_bench::operator::Salon;
use dialplane_bench::system::{Database, FEED_KEY, Redis};
use dialplane_common::e164::E164;
use dialplane_common::feed::frame::{Frame, Payload, RawKey, RecordKey};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::message::Delta;
use dialplane_common::feed::record::{NumberRecord, Record};
use dialplane_common::feed::{Digest, Epoch, FEED_VERSION, RecordHash, Revision};
use dialplane_common::ids::{AccountId, PhoneNumberId};
use uuid::Uuid;

/// One change, with the record's bytes.
#[derive(Clone)]
pub struct Change {
    key: RecordKey,
    version: u8,
    payload: Option<Vec<u8>>,
}

impl Change {
    pub fn put(record: &Record) -> Self {
        Self { key: record.key(), version: FEED_VERSION, payload: Some(record.encode()) }
    }

    pub fn remove(key: RecordKey) -> Self {
        Self { key, version: 0, payload: None }
    }

    /// A record of a version that nobody can read yet.
    pub fn of_the_future(key: RecordKey) -> Self {
        Self { key, version: FEED_VERSION + 1, payload: Some(b"what a later version says".to_vec()) }
    }

    fn with_frame<T>(&self, read: impl FnOnce(&Frame<'_>) -> T) -> T {
        let key = self.key.to_bytes();
        let payload = self.payload.as_deref().map(|bytes| Payload { version: self.version, bytes });
        read(&Frame { key: RawKey { kind: self.key.kind() as u8, key: &key }, payload })
    }

    /// The record's hash; `None` for a removal.
    pub fn hash(&self) -> Option<RecordHash> {
        self.with_frame(|frame| frame.hash())
    }

    fn frames(changes: &[Self]) -> Vec<u8> {
        let mut frames = Vec::new();
        for change in changes {
            change.with_frame(|frame| frame.write(&mut frames));
        }
        frames
    }
}

/// A number of the salon that the admin plane knows nothing of.
pub fn number(salon: &Salon, number: &str) -> (E164, NumberRecord) {
    let id = PhoneNumberId(Uuid::from_u128(0x0190_c5a4_7b1e_7000_8000_0000_0000_0077));
    let account: AccountId = salon.account.parse().expect("an id");
    let record = NumberRecord {
        agent_id: Some(salon.agent.parse().expect("an id")),
        bindings: vec![account.into()],
        ..NumberRecord::new(id, salon.tenant.parse().expect("an id"))
    };
    (number.parse().expect("a number"), record)
}

/// The feed in Redis.
pub struct Feed {
    connection: redis::Connection,
    keys: Keys,
}

impl Feed {
    pub fn of(redis: &Redis) -> Self {
        Self { connection: redis.connection(), keys: Keys::new("dialplane") }
    }

    pub fn epoch(&mut self) -> Epoch {
        let text: String = self.query(redis::cmd("GET").arg(self.keys.epoch()));
        text.parse().expect("an epoch")
    }

    /// The name of the stream.
    pub fn stream(&mut self) -> String {
        let epoch = self.epoch();
        self.keys.feed(epoch)
    }

    /// The revisions that the stream holds, in its order.
    pub fn revisions(&mut self) -> Vec<u64> {
        self.entries("-", "+").into_iter().map(|(revision, _)| revision).collect()
    }

    /// The newest entry's revision and digest.
    pub fn last(&mut self) -> (Revision, Digest) {
        let last = self.entries("-", "+").pop().expect("the stream has entries");
        (Revision(last.0), last.1)
    }

    fn entries(&mut self, from: &str, to: &str) -> Vec<(u64, Digest)> {
        let stream = self.stream();
        type Entries = Vec<(String, std::collections::HashMap<String, Vec<u8>>)>;
        let entries: Entries = self.query(redis::cmd("XRANGE").arg(stream).arg(from).arg(to));
        let entry = |(id, fields): (String, std::collections::HashMap<String, Vec<u8>>)| {
            let digest = std::str::from_utf8(&fields["digest"]).expect("a text");
            let revision = id.strip_suffix("-0").expect("an id");
            (revision.parse().expect("a revision"), digest.parse().expect("a digest"))
        };
        entries.into_iter().map(entry).collect()
    }

    /// Any command.
    pub fn query<T: redis::FromRedisValue>(&mut self, command: &redis::Cmd) -> T {
        command.query(&mut self.connection).expect("Redis answers")
    }

    /// Appends changes as the next revision, right in every way, and rings nobody's bell. `gone` are the hashes of
    /// the records that are replaced or removed.
    pub fn append(&mut self, changes: &[Change], gone: &[RecordHash]) -> Revision {
        self.append_as(FEED_KEY, changes, gone, 0)
    }

    /// The same with any key, and with a digest that is wrong by so much.
    pub fn append_as(&mut self, key: &str, changes: &[Change], gone: &[RecordHash], wrong: u128) -> Revision {
        let (last, digest) = self.last();
        let digest = gone.iter().fold(digest, |digest, hash| digest.without(*hash));
        let digest = changes.iter().filter_map(Change::hash).fold(digest, Digest::with);
        let digest = Digest(digest.0.wrapping_add(wrong));
        let (epoch, revision) = (self.epoch(), last.next());
        let frames = Change::frames(changes);
        let delta = Delta { epoch, revision, digest, committed_us: 0, frames: &frames };
        let delta = delta.sign(&Keyring::feed(key).expect("a long key"));
        let stream = self.stream();
        let mut add = redis::cmd("XADD");
        add.arg(stream).arg(format!("{revision}-0"));
        add.arg("delta").arg(delta).arg("digest").arg(digest.to_string());
        let _: String = self.query(&add);
        revision
    }
}

/// Commits changes to Postgres as a later version of the admin plane would. It gives the revision.
pub fn commit(database: &Database, changes: &[Change]) -> u64 {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let bytes = |bytes: &[u8]| format!("'\\x{}'", hex(bytes));
    let list = |column: &dyn Fn(&Change) -> String, kind: &str| {
        format!("array[{}]::{kind}[]", changes.iter().map(column).collect::<Vec<_>>().join(","))
    };
    let sql = format!(
        "set role dialplane_operator; select feed_append({}, {}, {}, {}, {}, {})",
        list(&|change| (change.key.kind() as u8).to_string(), "smallint"),
        list(&|change| bytes(&change.key.to_bytes()), "bytea"),
        list(&|change| change.version.to_string(), "smallint"),
        list(&|change| change.payload.as_deref().map_or("null".into(), bytes), "bytea"),
        list(&|change| change.hash().map_or("null".into(), |hash| format!("'{}'", hash.0)), "text"),
        bytes(&Change::frames(changes)),
    );
    database.query(&sql).parse().expect("a revision")
}
