//! The routers, by their own reports in Redis.
//!
//! One task keeps a view: it reads all reports when a router rings, once a second anyway, and often while somebody
//! waits for a revision. Requests look at the view and never ask Redis: with Redis away, writes go on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::report::{LIVE_MS, RouterReport, Serving};
use dialplane_common::feed::{Epoch, FEED_VERSION, Revision};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::redis_link::{Redis, RedisLink};

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Behind the routers' bell, for one that wasn't heard while somebody waits.
const WAITING_LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// A router and when it reported.
#[derive(Clone, Debug)]
pub struct RouterView {
    /// What it said.
    pub report: RouterReport,
    /// How old that was when it was read, in milliseconds.
    pub age_ms: u64,
}

/// All routers at one look.
#[derive(Clone, Debug)]
pub struct FleetView {
    /// When it was taken; absent: never yet.
    pub taken: Option<Instant>,
    /// Whether the last look succeeded. If not, the routers are those of the last one that did.
    pub is_reachable: bool,
    /// The feed's life, by the pointer in Redis.
    pub epoch: Option<Epoch>,
    /// The routers, by name.
    pub routers: Vec<RouterView>,
}

impl FleetView {
    /// Milliseconds since the router reported, by now.
    #[must_use]
    pub fn age_ms(&self, router: &RouterView) -> u64 {
        let since =
            self.taken.map_or(0, |taken| u64::try_from(taken.elapsed().as_millis()).unwrap_or(u64::MAX));
        router.age_ms.saturating_add(since)
    }

    /// The routers that have reported lately. With Redis out of reach nobody can report: those of the last look count.
    pub fn live(&self) -> impl Iterator<Item = &RouterView> {
        self.routers.iter().filter(|router| self.is_live(router))
    }

    /// Whether the router has reported lately.
    #[must_use]
    pub fn is_live(&self, router: &RouterView) -> bool {
        let age_ms = if self.is_reachable { self.age_ms(router) } else { router.age_ms };
        age_ms <= LIVE_MS
    }

    /// The live routers that don't serve `revision` of the feed's present life, or a later one, yet.
    #[must_use]
    pub fn waiting_for(&self, revision: Revision) -> Vec<String> {
        let is_there = |serving: Serving| Some(serving.epoch) == self.epoch && serving.revision >= revision;
        let is_behind = |router: &&RouterView| !router.report.serving.is_some_and(is_there);
        self.live().filter(is_behind).map(|router| router.report.id.clone()).collect()
    }

    /// The live routers that can't read what this program writes.
    #[must_use]
    pub fn too_old(&self) -> Vec<String> {
        let is_old = |router: &&RouterView| router.report.feed_version < FEED_VERSION;
        self.live().filter(is_old).map(|router| router.report.id.clone()).collect()
    }
}

/// The routers, as seen from here.
#[derive(Clone)]
pub struct Fleet {
    view: watch::Receiver<Arc<FleetView>>,
    waiting: Arc<AtomicUsize>,
    wake: Arc<tokio::sync::Notify>,
}

/// How waiting for a revision ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Applied {
    /// Every live router serves it.
    Yes,
    /// These didn't by the deadline.
    NotBy(Vec<String>),
    /// There is no live router.
    NoLiveRouters,
}

/// Counts those who wait, so that the task looks often meanwhile.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Fleet {
    /// Starts the task that keeps the view. It ends with the last [`Fleet`].
    #[must_use]
    pub fn watch(redis: impl Redis, keys: Keys, metrics: Arc<Metrics>) -> Self {
        let empty = FleetView { taken: None, is_reachable: false, epoch: None, routers: Vec::new() };
        let (sender, view) = watch::channel(Arc::new(empty));
        let waiting = Arc::new(AtomicUsize::new(0));
        let wake = Arc::new(tokio::sync::Notify::new());
        let watcher = Watcher {
            link: RedisLink::new(redis),
            keys,
            metrics,
            sender,
            waiting: Arc::clone(&waiting),
            wake: Arc::clone(&wake),
        };
        tokio::spawn(watcher.run());
        Self { view, waiting, wake }
    }

    /// The last look.
    #[must_use]
    pub fn view(&self) -> Arc<FleetView> {
        Arc::clone(&self.view.borrow())
    }

    /// Waits until every live router serves `revision` or a later one, or until `timeout` is over.
    pub async fn applied(&self, revision: Revision, timeout: Duration) -> Applied {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        self.wake.notify_one();
        let mut view = self.view.clone();
        let began = Instant::now();
        let deadline = began + timeout;
        loop {
            let seen = Arc::clone(&view.borrow_and_update());
            // An older view may show an epoch that is over, where routers stood at this very revision of another state.
            let is_fresh = seen.is_reachable && seen.taken.is_some_and(|taken| taken >= began);
            if is_fresh && seen.live().next().is_none() {
                return Applied::NoLiveRouters;
            }
            let late = seen.waiting_for(revision);
            if is_fresh && late.is_empty() {
                return Applied::Yes;
            }
            match tokio::time::timeout_at(deadline, view.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Applied::NotBy(late),
            }
        }
    }
}

/// Keeps the view.
struct Watcher {
    link: RedisLink,
    keys: Keys,
    metrics: Arc<Metrics>,
    sender: watch::Sender<Arc<FleetView>>,
    waiting: Arc<AtomicUsize>,
    wake: Arc<tokio::sync::Notify>,
}

impl Watcher {
    async fn run(self) {
        while !self.sender.is_closed() {
            self.look().await;
            match self.link.subscribe(&self.keys.reports()).await {
                Ok(messages) => self.listen(messages).await,
                Err(_) => tokio::time::sleep(LOOK_INTERVAL).await,
            }
        }
    }

    /// Looks once a second and, while somebody waits, at each bell; until the connection ends.
    async fn listen(&self, mut messages: redis::aio::PubSub) {
        let mut bells = messages.on_message();
        let mut looked = Instant::now();
        while !self.sender.is_closed() {
            let is_waited_for = self.waiting.load(Ordering::Relaxed) > 0;
            let interval = if is_waited_for { WAITING_LOOK_INTERVAL } else { LOOK_INTERVAL };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(looked + interval) => {}
                () = self.wake.notified() => {}
                bell = bells.next() => match bell {
                    None => return,
                    // A thousand routers ring a thousand times a second, and each look reads what all of them say.
                    Some(_) if !is_waited_for => continue,
                    Some(_) => {}
                }
            }
            // One look serves all bells that have rung by now.
            while let Some(Some(_)) = futures_util::FutureExt::now_or_never(bells.next()) {}
            self.look().await;
            looked = Instant::now();
        }
    }

    async fn look(&self) {
        let mut pipeline = redis::pipe();
        pipeline.cmd("TIME").cmd("HGETALL").arg(self.keys.routers());
        pipeline.cmd("ZRANGE").arg(self.keys.routers_seen()).arg(0).arg(-1).arg("WITHSCORES");
        pipeline.cmd("GET").arg(self.keys.epoch());
        // Before it is asked: what comes back is no older than this.
        let taken = Instant::now();
        type Looked = ((u64, u64), HashMap<String, String>, Vec<(String, f64)>, Option<String>);
        let view = match self.link.pipe::<Looked>(&pipeline).await {
            Ok(((seconds, micros), reports, seen, epoch)) => FleetView {
                taken: Some(taken),
                is_reachable: true,
                epoch: epoch.and_then(|text| text.parse().ok()),
                routers: routers(seconds * 1_000 + micros / 1_000, &reports, seen),
            },
            Err(_) => FleetView { is_reachable: false, ..FleetView::clone(&self.sender.borrow()) },
        };
        self.metrics.routers(if view.is_reachable { view.live().count() } else { 0 });
        self.sender.send_replace(Arc::new(view));
    }
}

/// What anybody may have written to Redis is passed over when it isn't a report.
fn routers(now_ms: u64, reports: &HashMap<String, String>, seen: Vec<(String, f64)>) -> Vec<RouterView> {
    let mut routers: Vec<_> = seen
        .into_iter()
        .filter_map(|(id, seen_ms)| {
            let report: RouterReport = serde_json::from_str(reports.get(&id)?).ok()?;
            let age_ms = now_ms.saturating_sub(seen_ms.max(0.0) as u64);
            (report.id == id).then_some(RouterView { report, age_ms })
        })
        .collect();
    routers.sort_by(|a, b| a.report.id.cmp(&b.report.id));
    routers
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialplane_common::feed::Digest;

    fn report(id: &str, revision: u64) -> String {
        let serving =
            Serving { epoch: Epoch(uuid::Uuid::nil()), revision: Revision(revision), digest: Digest(0) };
        let report = RouterReport {
            id: id.into(),
            version: "0".into(),
            feed_version: FEED_VERSION,
            serving: Some(serving),
            delay_us: None,
            unreadable_records: 0,
            wants_checkpoint: false,
            digest_alarm: false,
            events_dropped: None,
        };
        serde_json::to_string(&report).unwrap()
    }

    #[test]
    fn waits_for_live_routers_alone() {
        let reports: HashMap<_, _> = [("a", 5), ("b", 3), ("old", 1)]
            .map(|(id, revision)| (id.to_owned(), report(id, revision)))
            .into();
        let seen = vec![
            ("b".into(), 9_000.0),
            ("a".into(), 9_500.0),
            ("old".into(), 1_000.0),
            ("?".into(), 9_999.0),
        ];
        let routers = routers(10_000, &reports, seen);
        let view = FleetView {
            taken: Some(Instant::now()),
            is_reachable: true,
            epoch: Some(Epoch(uuid::Uuid::nil())),
            routers,
        };
        assert_eq!(view.waiting_for(Revision(5)), ["b"]);
        assert_eq!(view.waiting_for(Revision(3)), [""; 0]);
        assert_eq!(view.live().count(), 2);
        let other = FleetView { epoch: Some(Epoch(uuid::Uuid::from_u128(9))), ..view };
        assert_eq!(other.waiting_for(Revision(3)), ["a", "b"]);
    }
}
