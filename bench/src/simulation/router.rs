//! A router's process: the real follower, and the snapshot file that outlives it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::report::Serving;
use dialplane_router::follower::{Follower, Jitter, Standing};
use dialplane_router::outbound::Outbound;
use dialplane_router::snapshot::Snapshot;
use dialplane_router::webhook::{Origins, Webhooks};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::dice::Dice;
use super::link::Link;
use super::redis::server::Server;
use super::truth::Truth;

/// As the keeper: a file is written at most so often.
const FILE_PAUSE: Duration = Duration::from_millis(200);

/// What a restart finds of the file.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// The one that was written last.
    Newest,
    /// The one before it: the last one is damaged.
    Previous,
    /// None: the disk is new.
    Nothing,
}

/// What a router serves and since when.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The state.
    pub serving: Serving,
    /// Since when.
    pub since: Instant,
}

#[derive(Default, Debug)]
struct Disk {
    newest: Option<Arc<Snapshot>>,
    previous: Option<Arc<Snapshot>>,
    written: Option<Instant>,
}

/// A router.
pub struct Router {
    /// Its place among the routers.
    pub index: usize,
    /// Its way to Redis.
    pub link: Link,
    dice: Dice,
    disk: Arc<Mutex<Disk>>,
    shown: Arc<Mutex<Option<Shown>>>,
    life: Option<Life>,
}

struct Life {
    webhooks: Arc<Webhooks>,
    tasks: [AbortHandle; 2],
}

impl Drop for Life {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Router {
    /// One that doesn't run yet.
    #[must_use]
    pub fn new(index: usize, link: Link, dice: Dice) -> Self {
        Self { index, link, dice, disk: Arc::default(), shown: Arc::default(), life: None }
    }

    /// Starts it.
    pub fn start(&mut self, redis: &Server, keys: &Arc<Keyring>, truth: &Truth, found: Found) {
        let webhooks =
            Webhooks::new(Arc::clone(keys), Origins::default(), Duration::from_secs(1), Outbound::default());
        let Ok(webhooks) = webhooks.map(Arc::new) else { return };
        let (sender, standing) =
            watch::channel(Standing { id: format!("router-{}", self.index), ..Standing::default() });
        if let Some(snapshot) = self.file(found) {
            let serving = snapshot.serving();
            sender.send_modify(|standing| standing.serving = Some(serving));
            webhooks.store.store(Snapshot::clone(&snapshot));
        }
        let port = redis.port(self.link.clone(), self.dice.fork());
        let jitter = Jitter::new(self.dice.number());
        let follower = Follower::new(Arc::clone(&webhooks), port, super::NAMESPACE, jitter, sender);
        let watcher = Watcher {
            index: self.index,
            truth: truth.clone(),
            disk: Arc::clone(&self.disk),
            shown: Arc::clone(&self.shown),
            webhooks: Arc::clone(&webhooks),
        };
        *lock(&self.shown) = None;
        let tasks = [tokio::spawn(follower.run()), tokio::spawn(watcher.run(standing))];
        self.life = Some(Life { webhooks, tasks: tasks.map(|task| task.abort_handle()) });
    }

    fn file(&self, found: Found) -> Option<Arc<Snapshot>> {
        let disk = lock(&self.disk);
        match found {
            Found::Newest => disk.newest.clone(),
            Found::Previous => disk.previous.clone(),
            Found::Nothing => None,
        }
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.life = None;
        *lock(&self.shown) = None;
    }

    /// Whether it runs.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.life.is_some()
    }

    /// What it serves.
    #[must_use]
    pub fn shown(&self) -> Option<Shown> {
        *lock(&self.shown)
    }

    /// The snapshot that it serves.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.life.as_ref().and_then(|life| life.webhooks.store.load_full())
    }
}

/// Sees whatever is served, and writes the file.
struct Watcher {
    index: usize,
    truth: Truth,
    disk: Arc<Mutex<Disk>>,
    shown: Arc<Mutex<Option<Shown>>>,
    webhooks: Arc<Webhooks>,
}

impl Watcher {
    async fn run(self, mut standing: watch::Receiver<Standing>) {
        let mut before = None;
        loop {
            let now = standing.borrow_and_update().serving;
            if let Some(now) = now.filter(|now| before != Some(*now)) {
                self.truth.served(self.index, before, now);
                *lock(&self.shown) = Some(Shown { serving: now, since: Instant::now() });
                before = Some(now);
                self.keep();
            }
            if standing.changed().await.is_err() {
                return;
            }
        }
    }

    fn keep(&self) {
        let mut disk = lock(&self.disk);
        if disk.written.is_none_or(|at| at.elapsed() >= FILE_PAUSE) {
            disk.previous = disk.newest.take();
            disk.newest = self.webhooks.store.load_full();
            disk.written = Some(Instant::now());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
