//! The commands that both planes send, on keys in memory.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::glob;
use super::held::{Sorted, Stream, id, id_text};
use super::scripts::Known;
use super::wire::Reply;

/// What a key holds.
#[derive(Clone, Debug)]
pub enum Held {
    /// A string.
    Text(Bytes),
    /// A stream.
    Stream(Stream),
    /// A hash.
    Hash(BTreeMap<Bytes, Bytes>),
    /// A sorted set.
    Sorted(Sorted),
}

#[derive(Clone, Debug)]
struct Key {
    held: Held,
    ends_ms: Option<u64>,
}

/// All keys. Cloning it is what a replica does.
#[derive(Clone, Default, Debug)]
pub struct Keyspace {
    keys: BTreeMap<String, Key>,
    scripts: BTreeSet<String>,
    now_ms: u64,
    /// Messages that channels are still to be told: channel and message.
    pub published: Vec<(String, Bytes)>,
    /// Keys of manifests that were set and that nobody has looked at.
    pub manifests: Vec<String>,
}

type Done = Result<Reply, String>;

impl Keyspace {
    /// Executes a command at a time of Redis's clock, in milliseconds since 1970.
    pub fn execute(&mut self, args: &[Bytes], now_ms: u64) -> Reply {
        self.now_ms = now_ms;
        let texts: Vec<&str> = args.iter().map(|arg| std::str::from_utf8(arg).unwrap_or("")).collect();
        self.command(&texts, args).unwrap_or_else(Reply::Error)
    }

    fn command(&mut self, texts: &[&str], args: &[Bytes]) -> Done {
        Ok(match *texts {
            ["GET", key] => self.get(key)?.map_or(Reply::Nil, Reply::Bulk),
            ["SET", key, _] => self.set(key, args[2].clone(), None),
            ["SET", key, _, "EX", seconds] => self.set(key, args[2].clone(), Some(number(seconds)?)),
            ["DEL", key] => Reply::Int(i64::from(self.keys.remove(key).is_some())),
            ["EXISTS", key] => Reply::Int(i64::from(self.held(key).is_some())),
            ["EXPIRE", key, seconds] => self.expire(key, number(seconds)?),
            ["PERSIST", key] => self.persist(key),
            ["TTL", key] => self.ttl(key),
            ["TIME"] => Reply::Array(
                [self.now_ms / 1_000, self.now_ms % 1_000 * 1_000].map(|n| Reply::text(n.to_string())).into(),
            ),
            ["SCAN", _, "MATCH", pattern, "COUNT", _] => self.scan(pattern),
            ["XRANGE", key, from, "+", "COUNT", count] => self.range(key, from, number(count)?)?,
            ["XTRIM", key, "MINID", from] => {
                let from = id(from).ok_or("ERR Invalid stream ID")?;
                Reply::Int(self.stream(key)?.map_or(0, |stream| stream.trim(from)) as i64)
            }
            ["XINFO", "STREAM", key] => self.info(key)?,
            ["HGETALL", key] => self.hash_all(key)?,
            ["HDEL", key, _] => Reply::Int(i64::from(self.hash_remove(key, &args[2]))),
            ["ZRANGE", key, "0", "-1", "WITHSCORES"] => self.ranked(key),
            ["ZRANGEBYSCORE", key, "-inf", until] => {
                let members = self.until(key, number(until)?);
                Reply::Array(members.into_iter().map(Reply::Bulk).collect())
            }
            ["ZREM", key, _] => Reply::Int(i64::from(self.sorted_remove(key, &args[2]))),
            ["CLIENT", ..] => Reply::Ok,
            ["SCRIPT", "LOAD", text] => {
                let known = Known::of_text(text).ok_or("ERR the simulation knows no such script")?;
                self.load(known);
                Reply::text(known.sha())
            }
            ["EVALSHA", sha, keys, ..] => {
                if !self.scripts.contains(sha) {
                    return Err("NOSCRIPT No matching script.".into());
                }
                let known = Known::of_sha(sha).ok_or("NOSCRIPT No matching script.")?;
                let keys = number(keys)? as usize;
                known.run(self, &texts[3..3 + keys], &args[3 + keys..])?
            }
            _ => return Err(format!("ERR the simulation has no command {texts:?}")),
        })
    }

    /// The time of Redis's clock, in milliseconds.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// What a key holds, unless its time is over.
    pub fn held(&mut self, key: &str) -> Option<&mut Held> {
        if self.keys.get(key).is_some_and(|held| held.ends_ms.is_some_and(|at| at <= self.now_ms)) {
            self.keys.remove(key);
        }
        self.keys.get_mut(key).map(|key| &mut key.held)
    }

    /// The names of keys that hold something.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// A string.
    pub fn get(&mut self, key: &str) -> Result<Option<Bytes>, String> {
        match self.held(key) {
            None => Ok(None),
            Some(Held::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong_type()),
        }
    }

    /// A stream.
    pub fn stream(&mut self, key: &str) -> Result<Option<&mut Stream>, String> {
        match self.held(key) {
            None => Ok(None),
            Some(Held::Stream(stream)) => Ok(Some(stream)),
            Some(_) => Err(wrong_type()),
        }
    }

    /// Whether what a key holds has no end.
    #[must_use]
    pub fn is_for_ever(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(|key| key.ends_ms.is_none())
    }

    /// Makes a key hold something for ever.
    pub fn put(&mut self, key: &str, held: Held) {
        self.keys.insert(key.to_owned(), Key { held, ends_ms: None });
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &str) {
        self.keys.remove(key);
    }

    /// Takes a script, to be called by its hash.
    pub fn load(&mut self, script: Known) {
        self.scripts.insert(script.sha().to_owned());
    }

    /// A restart: scripts are gone.
    pub fn forget_scripts(&mut self) {
        self.scripts.clear();
    }

    /// Sets a text that ends after so many seconds, if any.
    pub fn set(&mut self, key: &str, text: Bytes, seconds: Option<u64>) -> Reply {
        let ends_ms = seconds.map(|seconds| self.now_ms + seconds * 1_000);
        if key.ends_with(":checkpoint") {
            self.manifests.push(key.to_owned());
        }
        self.keys.insert(key.to_owned(), Key { held: Held::Text(text), ends_ms });
        Reply::Ok
    }

    fn expire(&mut self, key: &str, seconds: u64) -> Reply {
        let ends_ms = self.now_ms + seconds * 1_000;
        let is_there = self.held(key).is_some();
        if let Some(key) = self.keys.get_mut(key) {
            key.ends_ms = Some(ends_ms);
        }
        Reply::Int(i64::from(is_there))
    }

    /// Takes a key's end away.
    pub fn persist(&mut self, key: &str) -> Reply {
        self.held(key);
        let had = self.keys.get_mut(key).and_then(|key| key.ends_ms.take());
        Reply::Int(i64::from(had.is_some()))
    }

    fn ttl(&mut self, key: &str) -> Reply {
        self.held(key);
        Reply::Int(match self.keys.get(key).map(|key| key.ends_ms) {
            None => -2,
            Some(None) => -1,
            Some(Some(at)) => (at - self.now_ms).div_ceil(1_000) as i64,
        })
    }

    fn scan(&mut self, pattern: &str) -> Reply {
        let now_ms = self.now_ms;
        self.keys.retain(|_, key| key.ends_ms.is_none_or(|at| at > now_ms));
        let found = self.keys.keys().filter(|name| glob::matches(pattern.as_bytes(), name.as_bytes()));
        Reply::Array(vec![Reply::text("0"), Reply::Array(found.map(Reply::text).collect())])
    }

    fn range(&mut self, key: &str, from: &str, count: u64) -> Done {
        let (exclusive, from) = (from.starts_with('('), from.trim_start_matches('('));
        let from = if from == "-" { (0, 0) } else { id(from).ok_or("ERR Invalid stream ID")? };
        let Some(stream) = self.stream(key)? else { return Ok(Reply::Array(vec![])) };
        let entries = stream.entries.range(from..).filter(|(id, _)| !exclusive || **id != from);
        let entry = |(id, fields): (&_, &Vec<Bytes>)| {
            let fields = fields.iter().cloned().map(Reply::Bulk).collect();
            Reply::Array(vec![Reply::text(id_text(*id)), Reply::Array(fields)])
        };
        Ok(Reply::Array(entries.take(count as usize).map(entry).collect()))
    }

    fn info(&mut self, key: &str) -> Done {
        let stream = self.stream(key)?.ok_or("ERR no such key")?;
        Ok(Reply::Array(vec![
            Reply::text("length"),
            Reply::Int(stream.entries.len() as i64),
            Reply::text("last-generated-id"),
            Reply::text(id_text(stream.last)),
        ]))
    }

    fn hash_all(&mut self, key: &str) -> Done {
        match self.held(key) {
            None => Ok(Reply::Array(vec![])),
            Some(Held::Hash(hash)) => {
                let pairs = hash.iter().flat_map(|(field, value)| [field.clone(), value.clone()]);
                Ok(Reply::Array(pairs.map(Reply::Bulk).collect()))
            }
            Some(_) => Err(wrong_type()),
        }
    }

    /// Removes a field of a hash; the hash with its last one.
    pub fn hash_remove(&mut self, key: &str, field: &Bytes) -> bool {
        let Some(Held::Hash(hash)) = self.held(key) else { return false };
        let removed = hash.remove(field).is_some();
        if hash.is_empty() {
            self.remove(key);
        }
        removed
    }

    fn ranked(&mut self, key: &str) -> Reply {
        let Some(Held::Sorted(set)) = self.held(key) else { return Reply::Array(vec![]) };
        let pairs = set
            .iter()
            .flat_map(|(score, member)| [Reply::Bulk(member.clone()), Reply::text(score.to_string())]);
        Reply::Array(pairs.collect())
    }

    /// The members of a sorted set with a score up to this.
    pub fn until(&mut self, key: &str, score: u64) -> Vec<Bytes> {
        let Some(Held::Sorted(set)) = self.held(key) else { return vec![] };
        set.iter().take_while(|(of, _)| *of <= score).map(|(_, member)| member.clone()).collect()
    }

    /// Removes a member of a sorted set; the set with its last one.
    pub fn sorted_remove(&mut self, key: &str, member: &Bytes) -> bool {
        let Some(Held::Sorted(set)) = self.held(key) else { return false };
        let removed = set.remove(member);
        if set.is_empty() {
            self.remove(key);
        }
        removed
    }
}

fn wrong_type() -> String {
    "WRONGTYPE Operation against a key holding the wrong kind of value".into()
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "ERR value is not an integer or out of range".into())
}
