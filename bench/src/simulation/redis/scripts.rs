//! What the planes' scripts do, in Rust. A system test runs the same on a real Redis and compares.

use bytes::Bytes;
use dialplane_admin::publisher::stream::{APPEND, BEGIN, LOOK, MANIFEST};
use dialplane_router::follower::REPORT;
use redis::Script;

use super::held::{Sorted, Stream, id, id_text};
use super::keyspace::{Held, Keyspace};
use super::wire::Reply;

/// A script that one of the planes has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// The publisher's [`LOOK`].
    Look,
    /// The publisher's [`APPEND`].
    Append,
    /// The publisher's [`BEGIN`].
    Begin,
    /// The publisher's [`MANIFEST`].
    Manifest,
    /// The routers' [`REPORT`].
    Report,
}

impl Known {
    const ALL: [Self; 5] = [Self::Look, Self::Append, Self::Begin, Self::Manifest, Self::Report];

    fn script(self) -> &'static Script {
        match self {
            Self::Look => &LOOK,
            Self::Append => &APPEND,
            Self::Begin => &BEGIN,
            Self::Manifest => &MANIFEST,
            Self::Report => &REPORT,
        }
    }

    /// Its hash, by which it is called.
    #[must_use]
    pub fn sha(self) -> &'static str {
        self.script().get_hash()
    }

    /// The one of this hash.
    #[must_use]
    pub fn of_sha(sha: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.sha() == sha)
    }

    /// The one of this text.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        Self::of_sha(Script::new(text).get_hash())
    }

    /// Runs it.
    ///
    /// # Errors
    /// When a command in it fails; what it did before stays done.
    pub fn run(self, space: &mut Keyspace, keys: &[&str], args: &[Bytes]) -> Result<Reply, String> {
        match (self, keys, args) {
            (Self::Look, [stream, manifest], []) => look(space, stream, manifest),
            (Self::Append, [stream, channel], [last, digest, deltas @ ..]) => {
                append(space, stream, channel, (last, digest), deltas)
            }
            (Self::Begin, [stream, pointer, channel], [id, digest, epoch, revision]) => {
                let mut begun = Stream::default();
                begun.add(entry_id(id)?, fields(Bytes::new(), digest.clone()))?;
                space.put(stream, Held::Stream(begun));
                space.put(pointer, Held::Text(epoch.clone()));
                space.published.push(((*channel).to_owned(), revision.clone()));
                Ok(Reply::Int(1))
            }
            (Self::Manifest, [manifest, chunks @ ..], [bytes]) => {
                if chunks.iter().any(|chunk| space.held(chunk).is_none()) {
                    return Ok(Reply::Int(0));
                }
                for chunk in chunks {
                    space.persist(chunk);
                }
                space.set(manifest, bytes.clone(), None);
                Ok(Reply::Int(1))
            }
            (Self::Report, [reports, seen], [router, report, forget_ms, channel]) => {
                let of = |text: &Bytes| std::str::from_utf8(text).unwrap_or("").to_owned();
                let forget_ms = of(forget_ms).parse().map_err(|_| "ERR not a number")?;
                note_report(space, (reports, seen), router, report, forget_ms);
                space.published.push((of(channel), router.clone()));
                Ok(Reply::Nil)
            }
            _ => Err("ERR wrong number of keys or arguments".into()),
        }
    }
}

fn fields(delta: Bytes, digest: Bytes) -> Vec<Bytes> {
    vec![Bytes::from_static(b"delta"), delta, Bytes::from_static(b"digest"), digest]
}

fn entry_id(text: &Bytes) -> Result<(u64, u64), String> {
    std::str::from_utf8(text).ok().and_then(id).ok_or_else(|| "ERR Invalid stream ID".into())
}

/// Id, digest and first id, as the scripts' `last_entry`.
fn last_entry(space: &mut Keyspace, stream: &str) -> Option<(String, Bytes, String)> {
    let Some(Held::Stream(stream)) = space.held(stream) else { return None };
    let at_end = stream.entries.last_key_value().filter(|(id, _)| **id == stream.last);
    let digest = at_end.and_then(|(_, fields)| {
        fields.chunks(2).find(|pair| pair[0] == "digest").map(|pair| pair[1].clone())
    });
    let first = stream.entries.first_key_value().map(|(id, _)| id_text(*id)).unwrap_or_default();
    Some((id_text(stream.last), digest.unwrap_or_default(), first))
}

fn look(space: &mut Keyspace, stream: &str, manifest: &str) -> Result<Reply, String> {
    let Some((id, digest, first)) = last_entry(space, stream) else { return Ok(Reply::Nil) };
    let manifest = space.get(manifest)?.unwrap_or_default();
    Ok(Reply::Array(vec![Reply::text(id), Reply::Bulk(digest), Reply::text(first), Reply::Bulk(manifest)]))
}

fn append(
    space: &mut Keyspace,
    key: &str,
    channel: &str,
    (expected, expected_digest): (&Bytes, &Bytes),
    deltas: &[Bytes],
) -> Result<Reply, String> {
    let Some((id, digest, _)) = last_entry(space, key) else { return Ok(Reply::Int(0)) };
    if id != *expected || (!digest.is_empty() && digest != expected_digest) {
        return Ok(Reply::Int(0));
    }
    let mut newest = Bytes::new();
    for delta in deltas.chunks_exact(3) {
        let stream = space.stream(key)?.ok_or("ERR no such key")?;
        stream.add(entry_id(&delta[0])?, fields(delta[1].clone(), delta[2].clone()))?;
        let digits = delta[0].iter().take_while(|byte| byte.is_ascii_digit()).count();
        newest = delta[0].slice(..digits);
    }
    space.published.push((channel.to_owned(), newest));
    Ok(Reply::Int(1))
}

fn note_report(
    space: &mut Keyspace,
    (reports, seen): (&str, &str),
    router: &Bytes,
    report: &Bytes,
    forget_ms: u64,
) {
    let now_ms = space.now_ms();
    match space.held(reports) {
        Some(Held::Hash(hash)) => drop(hash.insert(router.clone(), report.clone())),
        _ => space.put(reports, Held::Hash([(router.clone(), report.clone())].into())),
    }
    if !matches!(space.held(seen), Some(Held::Sorted(_))) {
        space.put(seen, Held::Sorted(Sorted::default()));
    }
    if let Some(Held::Sorted(set)) = space.held(seen) {
        set.add(now_ms, router.clone());
    }
    for gone in space.until(seen, now_ms.saturating_sub(forget_ms)) {
        space.hash_remove(reports, &gone);
        space.sorted_remove(seen, &gone);
    }
}
