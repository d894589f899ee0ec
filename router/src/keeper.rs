//! Keeps the snapshot file fresh, on a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use dialplane_common::feed::report::Serving;
use tokio::sync::watch;

use crate::follower::Standing;
use crate::snapshot::file;
use crate::webhook::Webhooks;

/// The first change after a quiet time is written at once. Writing takes at most this share of the time.
const WRITING_SHARE: u32 = 10;
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// A disk that is full is full for longer.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// How fast the file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pace {
    /// While calls are answered: a large file takes seconds of a processor's time, and whoever is called meanwhile is to
    /// notice nothing.
    Gentle,
    /// When the router ends.
    Full,
}

/// At the gentle pace, how much longer than a part took to write the writer rests behind it.
const REST: u32 = 3;

impl Pace {
    /// What is done between two parts.
    fn pause(self) -> impl FnMut() {
        let mut began = Instant::now();
        move || {
            if self == Self::Gentle {
                std::thread::sleep(began.elapsed() * REST);
            }
            began = Instant::now();
        }
    }
}

/// Writes what is served.
pub struct Keeper {
    webhooks: Arc<Webhooks>,
    path: PathBuf,
    written: Option<Serving>,
    /// Whether the last try to write failed: there is something to write though nothing changes.
    failed: bool,
}

impl Keeper {
    /// A keeper of the file at `path`, which holds `written`.
    #[must_use]
    pub const fn new(webhooks: Arc<Webhooks>, path: PathBuf, written: Option<Serving>) -> Self {
        Self { webhooks, path, written, failed: false }
    }

    /// Writes after each change until the other end of `standing` is gone, and then what is left to write.
    pub fn run(mut self, mut standing: watch::Receiver<Standing>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let Ok(runtime) = runtime else { return tracing::error!("no runtime for the snapshot file") };
        loop {
            let pause = self.write(Pace::Gentle);
            if runtime.block_on(ended(&mut standing, pause, self.failed)) {
                self.write(Pace::Full);
                return;
            }
        }
    }

    /// Writes what is served, unless the file holds it. Returns how long to pause.
    fn write(&mut self, pace: Pace) -> Duration {
        let Some(snapshot) = self.webhooks.store.load_full() else { return PAUSE_MIN };
        let serving = snapshot.serving();
        if self.written == Some(serving) {
            self.failed = false;
            return Duration::ZERO;
        }
        let metrics = &self.webhooks.metrics;
        let started = Instant::now();
        match file::write(&self.path, &snapshot, &self.webhooks.keys, pace.pause()) {
            Ok(()) => {
                self.written = Some(serving);
                self.failed = false;
                metrics.file_writes.with_label_values(&["ok"]).inc();
                metrics.file_revision.set(i64::try_from(serving.revision.0).unwrap_or(i64::MAX));
                let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                metrics.file_written.set(since_1970.as_secs_f64());
            }
            Err(error) => {
                metrics.file_writes.with_label_values(&["error"]).inc();
                tracing::error!(file = %self.path.display(), %error, "write the snapshot file");
                self.failed = true;
            }
        }
        let pause_min = if self.failed { RETRY_PAUSE } else { PAUSE_MIN };
        pause_min.max(started.elapsed() * WRITING_SHARE)
    }
}

/// Waits for `pause`, and after it for a change unless one came meanwhile or something is `due` anyway. `true` as soon
/// as the other end of `standing` is gone: a large snapshot's pause is minutes, and a stop doesn't wait for it.
async fn ended(standing: &mut watch::Receiver<Standing>, pause: Duration, mut due: bool) -> bool {
    let gone = async {
        while standing.changed().await.is_ok() {
            due = true;
        }
    };
    if tokio::time::timeout(pause, gone).await.is_ok() {
        return true;
    }
    !due && standing.changed().await.is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(3_600);

    fn wait(future: impl Future<Output = bool>) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), future).await }).unwrap()
    }

    #[test]
    fn the_end_is_heard_during_a_pause() {
        let (sender, mut standing) = watch::channel(Standing::default());
        drop(sender);
        assert!(wait(ended(&mut standing, LONG, false)));
        assert!(wait(ended(&mut standing, Duration::ZERO, false)));
    }

    #[test]
    fn what_came_during_the_pause_or_failed_before_it_is_written_after_it() {
        let (sender, mut standing) = watch::channel(Standing::default());
        sender.send_modify(|standing| standing.connected = true);
        assert!(!wait(ended(&mut standing, SHORT, false)));
        assert!(!wait(ended(&mut standing, SHORT, true)), "nothing changed, but a write failed");
    }
}
