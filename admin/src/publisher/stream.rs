//! The stream in Redis and the pointer to it. Every write is one script that looks first.

use std::sync::LazyLock;

use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::message::Manifest;
use dialplane_common::feed::{Digest, Epoch, Revision};
use redis::{RedisResult, Script};

use super::decide::Position;
use crate::redis_link::RedisLink;

/// What a stream's last entry is, as both scripts below see it: its id, and its digest when it wasn't trimmed away.
const LAST_ENTRY: &str = r"
local function last_entry(stream)
    if redis.call('TYPE', stream).ok ~= 'stream' then return nil end
    local info, id, digest, first = redis.call('XINFO', 'STREAM', stream), '', '', ''
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then id = info[i + 1] end
        if info[i] == 'first-entry' and info[i + 1] then first = info[i + 1][1] end
    end
    local tail = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
    if #tail == 1 and tail[1][1] == id then
        for i = 1, #tail[1][2], 2 do
            if tail[1][2][i] == 'digest' then digest = tail[1][2][i + 1] end
        end
    end
    return id, digest, first
end
";

/// KEYS: stream, manifest. Returns last id, its digest, first id, manifest; nothing when there is no stream.
pub static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(&format!(
        "{LAST_ENTRY}
local id, digest, first = last_entry(KEYS[1])
if not id then return nil end
return {{id, digest, first, redis.call('GET', KEYS[2]) or ''}}"
    ))
});

/// KEYS: stream, channel. ARGV: the id and digest that the last entry must have; then id, delta, digest of each new
/// one. Returns 1, or 0 when the stream ends otherwise.
pub static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(&format!(
        "{LAST_ENTRY}
local id, digest = last_entry(KEYS[1])
if id ~= ARGV[1] or (digest ~= '' and digest ~= ARGV[2]) then return 0 end
for i = 3, #ARGV, 3 do
    redis.call('XADD', KEYS[1], ARGV[i], 'delta', ARGV[i + 1], 'digest', ARGV[i + 2])
end
redis.call('PUBLISH', KEYS[2], string.match(ARGV[#ARGV - 2], '^%d+'))
return 1"
    ))
});

/// KEYS: stream, pointer, channel. ARGV: id, digest, epoch, revision. The stream's first entry, then the pointer.
pub static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"redis.call('DEL', KEYS[1])
redis.call('XADD', KEYS[1], ARGV[1], 'delta', '', 'digest', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
redis.call('PUBLISH', KEYS[3], ARGV[4])
return 1",
    )
});

/// KEYS: manifest, then each of its chunks. ARGV: the manifest. All of them are there to stay from now on; returns 0, and
/// does nothing, when a chunk isn't there any more: Redis was emptied while they were written, or somebody tidied up behind
/// a publisher that was slow.
pub static MANIFEST: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"for i = 2, #KEYS do
    if redis.call('EXISTS', KEYS[i]) == 0 then return 0 end
end
for i = 2, #KEYS do redis.call('PERSIST', KEYS[i]) end
redis.call('SET', KEYS[1], ARGV[1])
return 1",
    )
});

/// A delta ready to be appended.
pub struct SignedDelta {
    /// The state's number once it is applied.
    pub revision: Revision,
    /// What the records add up to then.
    pub digest: Digest,
    /// The message.
    pub bytes: Vec<u8>,
}

/// Whether a batch was appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// It was.
    Yes,
    /// Nothing was: the stream doesn't end where it was believed to.
    FoundOther,
}

/// What lies in Redis of one epoch.
pub struct Look {
    /// The last entry's revision, whether or not it is still there.
    pub last: Revision,
    /// The last entry's digest; absent when it was trimmed away.
    pub digest: Option<Digest>,
    /// The first entry's revision; absent when there is none.
    pub first: Option<Revision>,
    manifest: Vec<u8>,
}

impl Look {
    /// The checkpoint's manifest, when there is one that is of this epoch and ours.
    #[must_use]
    pub fn manifest(&self, epoch: Epoch, keys: &Keyring) -> Option<Manifest> {
        Manifest::verify(&self.manifest, keys).ok().filter(|manifest| manifest.epoch == epoch)
    }
}

/// One epoch's stream.
pub struct Stream<'a> {
    /// Redis.
    pub link: &'a RedisLink,
    /// Names in Redis.
    pub keys: &'a Keys,
    /// Whose stream.
    pub epoch: Epoch,
}

/// The current epoch by the pointer; `None` when there is none or it is no epoch.
///
/// # Errors
/// When Redis is away.
pub async fn pointer(link: &RedisLink, keys: &Keys) -> RedisResult<Option<Epoch>> {
    let text: Option<Vec<u8>> = link.query(redis::cmd("GET").arg(keys.epoch())).await?;
    Ok(text.and_then(|text| String::from_utf8(text).ok()).and_then(|text| text.parse().ok()))
}

impl Stream<'_> {
    /// What lies there; `None` when there is no such stream, or its last entry isn't one that we append behind.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn look(&self) -> RedisResult<Option<Look>> {
        let mut call = LOOK.key(self.keys.feed(self.epoch));
        call.key(self.keys.checkpoint(self.epoch));
        let found: Option<(String, String, String, Vec<u8>)> = self.link.script(&call).await?;
        Ok(found.and_then(|(last, digest, first, manifest)| {
            let (last, digest) = end(&last, &digest)?;
            Some(Look { last, digest, first: revision(&first), manifest })
        }))
    }

    /// Appends deltas behind `position`, and rings.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn append(&self, position: Position, deltas: &[SignedDelta]) -> RedisResult<Appended> {
        let mut call = APPEND.key(self.keys.feed(self.epoch));
        call.key(self.keys.changes()).arg(id(position.revision)).arg(position.digest.to_string());
        for delta in deltas {
            call.arg(id(delta.revision)).arg(delta.bytes.as_slice()).arg(delta.digest.to_string());
        }
        let appended: bool = self.link.script(&call).await?;
        Ok(if appended { Appended::Yes } else { Appended::FoundOther })
    }

    /// Begins the stream behind its checkpoint, makes it the current one, and rings.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn begin(&self, position: Position) -> RedisResult<()> {
        let mut call = BEGIN.key(self.keys.feed(self.epoch));
        call.key(self.keys.epoch()).key(self.keys.changes());
        call.arg(id(position.revision)).arg(position.digest.to_string());
        call.arg(self.epoch.to_string()).arg(position.revision.0);
        let _done: bool = self.link.script(&call).await?;
        Ok(())
    }

    /// Drops entries before `revision`, which a complete checkpoint has.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn trim(&self, revision: Revision) -> RedisResult<()> {
        let mut command = redis::cmd("XTRIM");
        command.arg(self.keys.feed(self.epoch)).arg("MINID").arg(id(revision));
        self.link.query(&command).await
    }
}

fn id(revision: Revision) -> String {
    format!("{revision}-0")
}

fn revision(id: &str) -> Option<Revision> {
    id.split('-').next()?.parse().ok().map(Revision)
}

/// A stream's end from its last entry's id and digest (empty: trimmed away), each exactly as we write it. Anything else
/// is somebody else's entry, which no append would ever follow.
fn end(last: &str, digest: &str) -> Option<(Revision, Option<Digest>)> {
    let revision = revision(last).filter(|revision| id(*revision) == last)?;
    if digest.is_empty() {
        return Some((revision, None));
    }
    let parsed = digest.parse::<Digest>().ok().filter(|parsed| parsed.to_string() == digest)?;
    Some((revision, Some(parsed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_entry_is_an_end_to_append_behind() {
        let digest = Digest(0xAB).to_string();
        assert_eq!(end("7-0", &digest), Some((Revision(7), Some(Digest(0xAB)))));
        assert_eq!(end("7-0", ""), Some((Revision(7), None)));
        for (last, digest) in [("7-1", &*digest), ("07-0", &digest), ("7", &digest), ("", ""), ("7-0", "x")] {
            assert_eq!(end(last, digest), None, "{last} {digest}");
        }
        assert_eq!(end("7-0", &digest.to_uppercase()), None);
    }
}
