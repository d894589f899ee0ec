//! How entries are chained: each hash covers the entry and the hash before it, so that nothing behind the first change,
//! removal or exchange fits any more.

use sha2::{Digest, Sha256};

use crate::store::audit::{Entry, Head};

/// Stands at the beginning of what is hashed; another number if what follows it is ever another.
const VERSION: &[u8] = b"dialplane audit 1";
/// In place of a length: there is no such field.
const ABSENT: u64 = u64::MAX;

/// Where the chain ends once `entry` stands behind `head`.
///
/// SHA-256 over the hash before (32 zero bytes before the first) and, each with its length in 8 bytes before it: the
/// version, the entry's place, its tenant (16 bytes), its microseconds since 1970, actor, request id, address, action,
/// resource, resource id, and the row before and after as Postgres writes `jsonb`. Numbers have 8 bytes, big-endian. A
/// field that is absent is a length of 2^64 - 1.
#[must_use]
pub fn next(head: Head, entry: &Entry) -> Head {
    let seq = head.seq + 1;
    let mut hash = Sha256::new();
    hash.update(head.hash);
    let mut put = |field: Option<&[u8]>| {
        hash.update(field.map_or(ABSENT, |bytes| bytes.len() as u64).to_be_bytes());
        hash.update(field.unwrap_or_default());
    };
    put(Some(VERSION));
    put(Some(&seq.to_be_bytes()));
    put(entry.tenant_id.as_ref().map(|id| id.as_bytes().as_slice()));
    put(Some(&entry.at.0.as_microsecond().to_be_bytes()));
    let texts = [&entry.actor, &entry.request_id, &entry.address];
    texts.into_iter().for_each(|text| put(text.as_deref().map(str::as_bytes)));
    [&entry.action, &entry.resource, &entry.resource_id]
        .into_iter()
        .for_each(|text| put(Some(text.as_bytes())));
    [&entry.before, &entry.after].into_iter().for_each(|row| put(row.as_deref().map(str::as_bytes)));
    Head { seq, hash: hash.finalize().into() }
}

/// Hexadecimal digits of a hash.
#[must_use]
pub fn digits(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::instant::Instant;

    const START: Head = Head { seq: 0, hash: [0; 32] };

    fn entry() -> Entry {
        Entry {
            id: 7,
            tenant_id: Some(uuid::Uuid::from_u128(1)),
            at: Instant(jiff::Timestamp::UNIX_EPOCH),
            actor: Some("key:1".into()),
            request_id: None,
            address: None,
            action: "insert".into(),
            resource: "tenant".into(),
            resource_id: "1".into(),
            before: None,
            after: Some("{}".into()),
        }
    }

    /// What has been sealed must verify for ever.
    #[test]
    fn the_hash_is_as_it_was() {
        let head = next(START, &entry());
        assert_eq!(head.seq, 1);
        assert_eq!(digits(&head.hash), "f026676156d1f921d818d6ff360f0994484161b156be82bc8dedf77eeb332a7a");
    }

    #[test]
    fn any_difference_is_another_hash() {
        let original = next(START, &entry()).hash;
        let changes: [fn(&mut Entry); 11] = [
            |entry| entry.tenant_id = None,
            |entry| entry.at = Instant(jiff::Timestamp::from_microsecond(1).unwrap()),
            |entry| entry.actor = None,
            |entry| entry.actor = Some("key:2".into()),
            // The same bytes in another field.
            |entry| (entry.actor, entry.request_id) = (None, Some("key:1".into())),
            |entry| entry.address = Some(String::new()),
            |entry| entry.action = "update".into(),
            |entry| (entry.resource, entry.resource_id) = ("tenant1".into(), String::new()),
            |entry| entry.resource_id = "2".into(),
            |entry| (entry.before, entry.after) = (Some("{}".into()), None),
            |entry| entry.after = Some("{ }".into()),
        ];
        for (place, change) in changes.iter().enumerate() {
            let mut changed = entry();
            change(&mut changed);
            assert_ne!(next(START, &changed).hash, original, "{place}");
        }
        assert_ne!(next(Head { seq: 1, ..START }, &entry()).hash, original);
        assert_ne!(next(Head { seq: 0, hash: [1; 32] }, &entry()).hash, original);
    }
}
