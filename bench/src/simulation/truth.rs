//! What was ever true, and what every follower showed: the invariants.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use dialplane_admin::store::feed::State;
use dialplane_common::feed::frame::StoredFrames;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::message::{Chunk, Delta, Manifest};
use dialplane_common::feed::report::Serving;
use dialplane_common::feed::{Digest, Epoch, Revision};
use tokio::time::{Duration, Instant};

use super::redis::keyspace::{Held, Keyspace};

/// Every state that Postgres ever had, when it was committed, and what was found to contradict it.
#[derive(Clone, Default, Debug)]
pub struct Truth(Arc<Mutex<Inner>>);

#[derive(Default, Debug)]
struct Inner {
    committed: HashMap<(Revision, u128), Instant>,
    /// The digests that were ever served by an epoch's revision.
    named: HashMap<(Epoch, Revision), u128>,
    violations: Vec<String>,
    /// From commit to serving, of states served as the newest then, in milliseconds.
    propagation_ms: Vec<f64>,
    is_timing: bool,
    /// A disk of Postgres was put back: a revision's name may be given twice then, as nobody knows but the routers. They
    /// have to agree again all the same.
    is_put_back: bool,
    /// Chunks of checkpoints that somebody deleted by hand.
    deleted: HashSet<String>,
    /// A running sum over all that was served: two runs of a seed have the same.
    trace: u64,
}

impl Truth {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Postgres has this state now.
    pub fn committed(&self, state: State) {
        self.with(|inner| inner.committed.insert((state.revision, state.digest.0), Instant::now()));
    }

    /// A follower serves this; before, in the same life, it served `before`.
    pub fn served(&self, follower: usize, before: Option<Serving>, now: Serving) {
        self.with(|inner| {
            let at = Instant::now();
            inner.trace = inner.trace.wrapping_mul(0x0100_0000_01b3)
                ^ (follower as u64) << 40
                ^ now.revision.0 << 20
                ^ now.digest.0 as u64;
            let Some(committed) = inner.committed.get(&(now.revision, now.digest.0)).copied() else {
                let line = format!("follower {follower} serves {now:?}, which Postgres never had");
                return inner.violations.push(line);
            };
            if let Some(before) = before.filter(|before| before.epoch == now.epoch)
                && before.revision > now.revision
            {
                inner.violations.push(format!("follower {follower} went back from {before:?} to {now:?}"));
            }
            let named = *inner.named.entry((now.epoch, now.revision)).or_insert(now.digest.0);
            if named != now.digest.0 && !inner.is_put_back {
                let line = format!("two states have one name: {now:?}, elsewhere {:?}", Digest(named));
                inner.violations.push(line);
            }
            if inner.is_timing {
                inner.propagation_ms.push(ms(at - committed));
            }
        });
    }

    /// Looks through all streams: each follows without a hole, and says what Postgres had.
    pub fn look_through(&self, space: &mut Keyspace, keys: &Keyring) {
        let names: Vec<_> = space.names().filter(|name| name.ends_with(":feed")).map(str::to_owned).collect();
        for name in names {
            let Some(Held::Stream(stream)) = space.held(&name) else { continue };
            let mut before = None;
            for (id, fields) in &stream.entries {
                if before.is_some_and(|before| id.0 != before + 1) || id.1 != 0 {
                    self.violated(format!("{name} has {id:?} behind {before:?}"));
                }
                before = Some(id.0);
                let (delta, digest) = (&fields[1], &fields[3]);
                if delta.is_empty() {
                    continue;
                }
                let Ok(delta) = Delta::verify(delta, keys) else {
                    self.violated(format!("{name} has something unsigned at {id:?}"));
                    continue;
                };
                let is_known =
                    self.with(|inner| inner.committed.contains_key(&(delta.revision, delta.digest.0)));
                if !is_known || delta.revision.0 != id.0 || delta.digest.to_string().as_bytes() != digest {
                    self.violated(format!("{name} has at {id:?} what Postgres never had"));
                }
            }
        }
    }

    /// A manifest was just written: all its chunks are there to stay, and add up to a state that Postgres had.
    pub fn checkpointed(&self, name: &str, space: &mut Keyspace, keys: &Keyring) {
        let bytes = space.get(name).ok().flatten().unwrap_or_default();
        let Ok(manifest) = Manifest::verify(&bytes, keys) else {
            return self.violated(format!("{name} isn't signed"));
        };
        let (mut digest, mut is_last) = (Digest::default(), false);
        for index in 0.. {
            if is_last {
                break;
            }
            let name = Keys::new(super::NAMESPACE).chunk(manifest.epoch, manifest.revision, index);
            if self.with(|inner| inner.deleted.contains(&name)) {
                return;
            }
            let bytes = space.get(&name).ok().flatten().unwrap_or_default();
            let chunk = Chunk::verify(&bytes, keys).ok().filter(|_| space.is_for_ever(&name));
            let Some(chunk) = chunk else {
                return self.violated(format!("{name} isn't there to stay, but its manifest is"));
            };
            digest = StoredFrames::new(chunk.frames).flatten().fold(digest, |sum, (hash, _)| sum.with(hash));
            is_last = chunk.last;
        }
        let is_known = self.with(|inner| inner.committed.contains_key(&(manifest.revision, digest.0)));
        if digest != manifest.digest || !is_known {
            self.violated(format!("{name} is of another state than its chunks"));
        }
    }

    /// Somebody deleted a chunk of a checkpoint by hand.
    pub fn deleted(&self, chunk: String) {
        self.with(|inner| inner.deleted.insert(chunk));
    }

    /// A disk of Postgres was put back to what it held before.
    pub fn put_back(&self) {
        self.with(|inner| inner.is_put_back = true);
    }

    /// Something isn't as it must be.
    pub fn violated(&self, line: String) {
        self.with(|inner| inner.violations.push(line));
    }

    /// What wasn't as it must be.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.with(|inner| inner.violations.clone())
    }

    /// Measures from commit to serving, or ceases to.
    pub fn time(&self, is_timing: bool) {
        self.with(|inner| inner.is_timing = is_timing);
    }

    /// What was measured, in milliseconds.
    #[must_use]
    pub fn propagation_ms(&self) -> Vec<f64> {
        self.with(|inner| std::mem::take(&mut inner.propagation_ms))
    }

    /// A sum over all that was served.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.with(|inner| inner.trace)
    }
}

/// In milliseconds.
#[must_use]
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::redis::held::Stream;
    use bytes::Bytes;

    fn serving(epoch: u128, revision: u64, digest: u128) -> Serving {
        let epoch = Epoch(uuid::Uuid::from_u128(epoch));
        Serving { epoch, revision: Revision(revision), digest: Digest(digest) }
    }

    /// What is found wrong when followers serve these, one life, after Postgres had 1 to 3 with digests ten times that.
    fn found(served: &[Serving]) -> String {
        let truth = Truth::default();
        for revision in 1..=3 {
            let digest = Digest(u128::from(revision) * 10);
            truth.committed(State { revision: Revision(revision), digest });
        }
        truth.committed(State { revision: Revision(3), digest: Digest(31) });
        let mut before = None;
        for now in served {
            truth.served(0, before, *now);
            before = Some(*now);
        }
        truth.violations().join("; ")
    }

    #[test]
    fn what_followers_must_not_show_is_found() {
        assert_eq!(found(&[serving(1, 1, 10), serving(1, 3, 30), serving(2, 1, 10)]), "");
        assert!(found(&[serving(1, 2, 21)]).contains("Postgres never had"), "half a delta");
        assert!(found(&[serving(1, 2, 20), serving(1, 1, 10)]).contains("went back"));
        assert!(found(&[serving(1, 3, 30), serving(1, 3, 31)]).contains("two states have one name"));
    }

    #[test]
    fn a_hole_in_a_stream_and_what_postgres_never_had_are_found() {
        let keys = Keyring::feed("a-feed-key-of-some-length").unwrap();
        let found = |revisions: &[u64], digest| {
            let truth = Truth::default();
            let mut stream = Stream::default();
            for revision in revisions.iter().copied().map(Revision) {
                truth.committed(State { revision, digest: Digest(7) });
                let (epoch, digest) = (Epoch(uuid::Uuid::nil()), Digest(digest));
                let delta = Delta { epoch, revision, digest, committed_us: 0, frames: &[] }.sign(&keys);
                let fields = ["delta".into(), delta.into(), "digest".into(), digest.to_string().into()];
                stream.add((revision.0, 0), fields.map(|field: Bytes| field).into()).unwrap();
            }
            let mut space = Keyspace::default();
            space.put("x:feed", Held::Stream(stream));
            truth.look_through(&mut space, &keys);
            truth.violations().join("; ")
        };
        assert_eq!(found(&[4, 5, 6], 7), "");
        assert!(found(&[4, 6], 7).contains("behind"));
        assert!(found(&[4], 8).contains("never had"));
    }
}
