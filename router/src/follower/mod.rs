//! Follows the feed: catches up, is woken by the doorbell, looks once a second all the same.
//!
//! `source` reads, `decide` judges, this file acts. Whatever goes wrong, the snapshot that is served stays until
//! a better one is whole.

mod decide;
mod jitter;
mod load;
mod reporter;
mod source;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use decide::{Step, decide};
use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::message::{Delta, Manifest};
use dialplane_common::feed::{Epoch, Revision};
use futures_util::{FutureExt, StreamExt};
pub use jitter::Jitter;
use load::LoadError;
use redis::RedisError;
use redis::aio::PubSub;
pub use reporter::{REPORT, Standing};
pub use source::Redis;
use source::{Chunks, ENTRIES_MAX, Source};
use tokio::sync::watch;

use crate::snapshot::{ApplyError, Snapshot};
use crate::webhook::Webhooks;

/// The doorbell may be lost: the stream is looked at this often in any case.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long after a look the next ring may wait: changes that come on each other's heels are fetched together, which takes
/// the processor from fewer answers. The first of them waits for nothing.
const REST: Duration = Duration::from_millis(5);

/// How many rings one look answers at most: bells without end don't keep it off.
const RINGS_AT_A_LOOK: usize = 1_024;

const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(2);

/// Routers that found the same fault don't all reload at once.
const RELOAD_JITTER_MS: u64 = 500;

/// More threads than this only wait for memory.
const THREADS_MAX: usize = 8;

/// Follows the feed and serves what it says.
pub struct Follower {
    webhooks: Arc<Webhooks>,
    redis: Box<dyn Redis>,
    keys: Keys,
    jitter: Jitter,
    /// What others may know of it: the report to the fleet, `/readyz`.
    standing: watch::Sender<Standing>,
    /// Where the digest differed once already.
    mismatched: Option<(Epoch, Revision)>,
}

/// Why the feed can't be followed just now.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    #[error("the doorbell's connection ended")]
    Doorbell,
}

/// Why a checkpoint is loaded: the metric's label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reload {
    Start,
    Epoch,
    Gap,
    Digest,
}

impl Reload {
    const fn label(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Epoch => "epoch",
            Self::Gap => "gap",
            Self::Digest => "digest",
        }
    }
}

/// How a batch of entries went.
enum Batch {
    /// All that is there is served.
    UpToDate,
    /// There may be more.
    More,
    /// It can't be gone on from here.
    Stuck(Reload),
}

impl Follower {
    /// A follower that serves to `webhooks` and tells how it stands on `standing`.
    #[must_use]
    pub fn new(
        webhooks: Arc<Webhooks>,
        redis: impl Redis,
        namespace: &str,
        jitter: Jitter,
        standing: watch::Sender<Standing>,
    ) -> Self {
        let (redis, keys) = (Box::new(redis), Keys::new(namespace));
        Self { webhooks, redis, keys, jitter, standing, mismatched: None }
    }

    /// Follows until the task is dropped.
    pub async fn run(mut self) {
        let mut pause = RECONNECT_MIN;
        loop {
            match Source::connect(&*self.redis, &self.keys).await {
                Ok((source, doorbell)) => {
                    tracing::info!("following the feed");
                    let began = tokio::time::Instant::now();
                    self.connected(true);
                    let reporter = reporter::run(
                        source.connection(),
                        self.keys.clone(),
                        Arc::clone(&self.webhooks),
                        self.standing.subscribe(),
                    );
                    let reporter = tokio::spawn(reporter);
                    let Err(error) = self.follow(source, doorbell).await;
                    reporter.abort();
                    self.connected(false);
                    tracing::warn!(%error, "lost the feed; serving what is held");
                    // A Redis that lets in and then refuses is away, too.
                    if began.elapsed() > RECONNECT_MAX {
                        pause = RECONNECT_MIN;
                    }
                }
                // Once an outage, not once a try: at the start, or after having been connected.
                Err(error) if pause == RECONNECT_MIN => {
                    tracing::warn!(%error, "connect to Redis, trying again until it is back; serving what is held");
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause.mul_f64(0.5 + self.jitter.share())).await;
            pause = (pause * 2).min(RECONNECT_MAX);
        }
    }

    async fn follow(
        &mut self,
        mut source: Source,
        doorbell: PubSub,
    ) -> Result<std::convert::Infallible, FollowError> {
        let mut doorbell = doorbell.into_on_message();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut rested = tokio::time::Instant::now();
        loop {
            // A ring is a hint to look; the look is the same whoever asked for it. Only the regular one asks for what
            // costs a round trip more, and it goes first: bells without end don't keep it off.
            let regular = tokio::select! {
                biased;
                _ = look.tick() => true,
                ring = doorbell.next() => { ring.ok_or(FollowError::Doorbell)?; false }
            };
            if !regular {
                tokio::time::sleep_until(rested).await;
            }
            // Whatever has rung by now, one look finds it.
            for _ in 0..RINGS_AT_A_LOOK {
                let Some(ring) = doorbell.next().now_or_never() else { break };
                ring.ok_or(FollowError::Doorbell)?;
            }
            self.catch_up(&mut source, regular).await?;
            rested = tokio::time::Instant::now() + REST;
        }
    }

    /// Serves all that the feed holds.
    async fn catch_up(&mut self, source: &mut Source, regular: bool) -> Result<(), FollowError> {
        if regular {
            self.webhooks.store.sweep();
        }
        // Asked before the stream is read: an entry that comes in between is no gap.
        let end = if regular { self.stream_end(source).await? } else { None };
        loop {
            let Some(served) = self.webhooks.store.load_full() else {
                let Some(epoch) = source.epoch().await? else { return Ok(()) };
                if !self.reload(source, epoch, Reload::Start).await? {
                    return Ok(());
                }
                continue;
            };
            let serving = served.serving();
            let tail = source.tail(serving.epoch, serving.revision).await?;
            let Some(epoch) = tail.epoch else { return Ok(()) };
            let batch = if epoch == serving.epoch {
                let (snapshot, committed_us, batch) = self.advance(&served, &tail.entries);
                if snapshot.revision() > served.revision() {
                    self.serve(snapshot, committed_us);
                }
                batch
            } else {
                Batch::Stuck(Reload::Epoch)
            };
            match batch {
                // What is appended after this look rings again.
                Batch::More if !regular && tail.entries.len() < ENTRIES_MAX => return Ok(()),
                Batch::More => {}
                Batch::UpToDate if end.is_some_and(|end| end.0 == epoch && end.1 > serving.revision) => {
                    return self.reload_beyond(source, epoch).await;
                }
                Batch::UpToDate if end.is_some() => {
                    self.standing.send_if_modified(|standing| std::mem::take(&mut standing.wants_checkpoint));
                    return Ok(());
                }
                Batch::UpToDate => return Ok(()),
                Batch::Stuck(Reload::Gap) => return self.reload_beyond(source, epoch).await,
                Batch::Stuck(reason) => {
                    if reason == Reload::Digest {
                        tokio::time::sleep(
                            Duration::from_millis(RELOAD_JITTER_MS).mul_f64(self.jitter.share()),
                        )
                        .await;
                    }
                    let reloaded = self.reload(source, epoch, reason).await;
                    if !matches!(reloaded, Ok(true)) {
                        // Only what differs again after a reload that came about is worth an alarm.
                        self.mismatched = None;
                    }
                    if !reloaded? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Up to which revision the stream of the served epoch ever went, whether or not its entries are still there.
    async fn stream_end(&self, source: &mut Source) -> Result<Option<(Epoch, Revision)>, FollowError> {
        let Some(served) = self.webhooks.store.load_full() else { return Ok(None) };
        let epoch = served.serving().epoch;
        Ok(source.newest(epoch).await?.map(|revision| (epoch, revision)))
    }

    /// Applies entries in order, as far as they go. Also tells when the last one was committed.
    fn advance(&mut self, from: &Snapshot, entries: &[source::Entry]) -> (Snapshot, Option<i64>, Batch) {
        let mut snapshot = from.clone();
        let mut committed_us = None;
        for entry in entries {
            let applied = match decide(snapshot.revision(), entry.revision) {
                Step::Skip => continue,
                Step::Apply => self.next(&snapshot, entry),
                Step::Reload => Err(Reload::Gap),
            };
            match applied {
                Ok((next, at)) => (snapshot, committed_us) = (next, Some(at)),
                Err(reason) => return (snapshot, committed_us, Batch::Stuck(reason)),
            }
        }
        let applied = snapshot.revision().0 - from.revision().0;
        self.webhooks.metrics.deltas_applied.inc_by(applied);
        let batch = if applied == 0 { Batch::UpToDate } else { Batch::More };
        (snapshot, committed_us, batch)
    }

    /// The snapshot that follows, and when its change was committed.
    fn next(&mut self, snapshot: &Snapshot, entry: &source::Entry) -> Result<(Snapshot, i64), Reload> {
        let metrics = &self.webhooks.metrics;
        let keys = &self.webhooks.keys;
        let epoch = snapshot.serving().epoch;
        let applied =
            Delta::verify(&entry.delta, keys).map_err(|error| error.to_string()).and_then(|delta| {
                let applied = snapshot.apply(&delta, keys).map_err(|error| error.to_string())?;
                Ok((applied, delta.committed_us))
            });
        match applied {
            Err(error) => {
                metrics.messages_rejected.inc();
                tracing::error!(revision = %entry.revision, %error, "reject a delta");
                Err(Reload::Gap)
            }
            Ok(((next, true), committed_us)) => Ok((next, committed_us)),
            Ok(((next, false), committed_us)) => {
                // Alarmed once, it goes on by what the feed says: routing by its own records is all it can do.
                if self.standing.borrow().digest_alarm {
                    return Ok((next, committed_us));
                }
                metrics.digest_mismatches.inc();
                let place = (epoch, entry.revision);
                if self.mismatched == Some(place) {
                    tracing::error!(revision = %entry.revision, "digest differs again after a reload");
                    self.alarm(true);
                    return Ok((next, committed_us));
                }
                tracing::error!(revision = %entry.revision, "digest differs: reloading");
                self.mismatched = Some(place);
                Err(Reload::Digest)
            }
        }
    }

    /// Loads the checkpoint, if it is beyond what is served; else asks for one that is.
    async fn reload_beyond(&mut self, source: &mut Source, epoch: Epoch) -> Result<(), FollowError> {
        let newest = source.manifest(epoch).await?;
        let newest = newest.and_then(|bytes| Manifest::verify(&bytes, &self.webhooks.keys).ok());
        let served = self.webhooks.store.load_full().map(|snapshot| snapshot.revision());
        if newest.is_some_and(|manifest| Some(manifest.revision) > served) {
            self.reload(source, epoch, Reload::Gap).await?;
        } else {
            self.want_checkpoint();
        }
        Ok(())
    }

    fn want_checkpoint(&self) {
        self.standing.send_if_modified(|standing| {
            if !standing.wants_checkpoint {
                tracing::warn!("the stream has a gap: waiting for a newer checkpoint");
            }
            !std::mem::replace(&mut standing.wants_checkpoint, true)
        });
    }

    /// Loads the whole state from the checkpoint, goes on from there as far as the stream does, and serves the result:
    /// within an epoch, never less than what is served. `false`: there is nothing that can be used.
    async fn reload(
        &mut self,
        source: &mut Source,
        epoch: Epoch,
        reason: Reload,
    ) -> Result<bool, FollowError> {
        self.webhooks.metrics.reloads.with_label_values(&[reason.label()]).inc();
        let mut snapshot = match self.load(source, epoch).await {
            // A whole state has no good state of what it can't read: what is served has.
            Ok(snapshot) => match self.webhooks.store.load_full() {
                Some(served) => snapshot.keeping_good_of(&served),
                None => snapshot,
            },
            Err(LoadError::Redis(error)) => return Err(error.into()),
            Err(error) => {
                tracing::error!(%error, reason = reason.label(), "load a checkpoint; serving what is held");
                self.want_checkpoint();
                return Ok(false);
            }
        };
        if reason != Reload::Digest {
            self.mismatched = None;
            self.alarm(false);
        }
        loop {
            let tail = source.tail(epoch, snapshot.revision()).await?;
            let (next, _, batch) = self.advance(&snapshot, &tail.entries);
            snapshot = next;
            if !matches!(batch, Batch::More) {
                break;
            }
        }
        let served = self.webhooks.store.load_full().map(|served| served.serving());
        if served.is_some_and(|served| served.epoch == epoch && served.revision > snapshot.revision()) {
            self.want_checkpoint();
            return Ok(false);
        }
        tracing::info!(revision = %snapshot.revision(), reason = reason.label(), "loaded a checkpoint");
        self.serve(snapshot, None);
        Ok(true)
    }

    async fn load(&self, source: &mut Source, epoch: Epoch) -> Result<Snapshot, LoadError> {
        let (metrics, keys) = (&self.webhooks.metrics, &self.webhooks.keys);
        // Whoever serves calls leaves the other processors to them.
        let is_serving = self.webhooks.store.load().is_some();
        let threads =
            if is_serving { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        let loaded = async {
            let bytes = source.manifest(epoch).await?.ok_or(LoadError::NoCheckpoint)?;
            let manifest = Manifest::verify(&bytes, keys)?;
            if manifest.epoch != epoch {
                return Err(LoadError::OtherEpoch);
            }
            let chunks = Chunks::connect(&*self.redis, &self.keys).await?;
            let fetch = |index| chunks.get(epoch, manifest.revision, index);
            load::load(manifest, fetch, keys, threads.min(THREADS_MAX)).await
        };
        let loaded = loaded.await;
        match &loaded {
            Err(LoadError::Apply(ApplyError::Digest | ApplyError::Twice)) => metrics.digest_mismatches.inc(),
            Err(LoadError::Message(_) | LoadError::Apply(_)) => metrics.messages_rejected.inc(),
            _ => {}
        }
        loaded
    }

    fn serve(&self, snapshot: Snapshot, committed_us: Option<i64>) {
        let metrics = &self.webhooks.metrics;
        metrics.serving(&snapshot);
        let serving = snapshot.serving();
        let unreadable = snapshot.unreadable_records();
        self.webhooks.store.store(snapshot);
        let delay_us = committed_us.map(|at| u64::try_from(now_us() - at).unwrap_or(0));
        if let Some(delay_us) = delay_us {
            metrics.delta_delay.observe(delay_us as f64 / 1e6);
        }
        self.standing.send_modify(|standing| {
            if unreadable > standing.unreadable_records {
                tracing::error!(
                    unreadable,
                    "degraded: records that can't be read; serving their last good state"
                );
            }
            standing.serving = Some(serving);
            standing.unreadable_records = unreadable;
            standing.wants_checkpoint = false;
            standing.delay_us = delay_us.or(standing.delay_us);
        });
    }

    fn alarm(&self, on: bool) {
        self.webhooks.metrics.digest_alarm.set(i64::from(on));
        self.standing.send_if_modified(|standing| std::mem::replace(&mut standing.digest_alarm, on) != on);
    }

    fn connected(&self, connected: bool) {
        self.webhooks.metrics.redis_connected.set(i64::from(connected));
        self.standing
            .send_if_modified(|standing| std::mem::replace(&mut standing.connected, connected) != connected);
    }
}

fn now_us() -> i64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::Outbound;
    use crate::webhook::Origins;
    use dialplane_common::feed::Digest;
    use dialplane_common::feed::keyring::Keyring;
    use source::Entry;

    const EPOCH: Epoch = Epoch(uuid::Uuid::from_u128(5));

    fn follower() -> Follower {
        let keys = Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap());
        let webhooks =
            Webhooks::new(keys, Origins::default(), Duration::from_secs(1), Outbound::default()).unwrap();
        let client = redis::Client::open("redis://127.0.0.1:1").unwrap();
        Follower::new(
            Arc::new(webhooks),
            client,
            "test",
            Jitter::new(1),
            watch::channel(Standing::default()).0,
        )
    }

    /// Entries without records, which add up to the empty state's digest.
    fn entries(follower: &Follower, revisions: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
        let sign = |revision| {
            let (digest, committed_us, frames) = (Digest::default(), 0, &[][..]);
            let delta = Delta { epoch: EPOCH, revision, digest, committed_us, frames };
            Entry { revision, delta: delta.sign(&follower.webhooks.keys) }
        };
        revisions.map(|revision| sign(Revision(revision))).collect()
    }

    #[test]
    fn goes_as_far_as_the_entries_follow() {
        let mut follower = follower();
        let empty = Snapshot::empty(EPOCH);
        let (snapshot, committed_us, batch) = follower.advance(&empty, &entries(&follower, 1..=7));
        assert_eq!((snapshot.revision(), committed_us), (Revision(7), Some(0)));
        assert!(matches!(batch, Batch::More));
        let (snapshot, _, batch) = follower.advance(&snapshot, &entries(&follower, 9..=9));
        assert_eq!(snapshot.revision(), Revision(7));
        assert!(matches!(batch, Batch::Stuck(Reload::Gap)));
        let mut forged = entries(&follower, 8..=9);
        forged[1].delta[40] ^= 1;
        let (snapshot, _, batch) = follower.advance(&snapshot, &forged);
        assert_eq!(snapshot.revision(), Revision(8));
        assert!(matches!(batch, Batch::Stuck(Reload::Gap)));
    }

    #[test]
    fn entries_that_lead_no_further_are_not_read_again_at_once() {
        let mut follower = follower();
        let (have, ..) = follower.advance(&Snapshot::empty(EPOCH), &entries(&follower, 1..=3));
        // Redis gives an entry `3-1` for what lies behind `3-0`.
        let (_, _, batch) = follower.advance(&have, &entries(&follower, 3..=3));
        assert!(matches!(batch, Batch::UpToDate));
    }

    #[test]
    fn a_digest_that_differs_reloads_once_and_then_alarms_and_goes_on() {
        let mut follower = follower();
        let empty = Snapshot::empty(EPOCH);
        let delta =
            Delta { epoch: EPOCH, revision: Revision(1), digest: Digest(7), committed_us: 0, frames: &[] };
        let entry = [Entry { revision: Revision(1), delta: delta.sign(&follower.webhooks.keys) }];
        let (snapshot, _, batch) = follower.advance(&empty, &entry);
        assert!(matches!(batch, Batch::Stuck(Reload::Digest)) && snapshot.revision() == Revision(0));
        assert!(!follower.standing.borrow().digest_alarm);
        let (snapshot, ..) = follower.advance(&empty, &entry);
        assert_eq!(snapshot.revision(), Revision(1));
        assert!(follower.standing.borrow().digest_alarm);
    }
}
