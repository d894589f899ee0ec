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

/// Writes what is served.
pub struct Keeper {
    webhooks: Arc<Webhooks>,
    path: PathBuf,
    written: Option<Serving>,
}

impl Keeper {
    /// A keeper of the file at `path`, which holds `written`.
    #[must_use]
    pub const fn new(webhooks: Arc<Webhooks>, path: PathBuf, written: Option<Serving>) -> Self {
        Self { webhooks, path, written }
    }

    /// Writes after each change until the other end of `standing` is gone, and then what is left to write.
    pub fn run(mut self, mut standing: watch::Receiver<Standing>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let Ok(runtime) = runtime else { return tracing::error!("no runtime for the snapshot file") };
        loop {
            let pause = self.write();
            let changed = runtime.block_on(async {
                tokio::time::sleep(pause).await;
                standing.changed().await
            });
            if changed.is_err() {
                self.write();
                return;
            }
        }
    }

    /// Writes what is served, unless the file holds it. Returns how long to pause.
    fn write(&mut self) -> Duration {
        let Some(snapshot) = self.webhooks.store.load_full() else { return PAUSE_MIN };
        let serving = snapshot.serving();
        if self.written == Some(serving) {
            return Duration::ZERO;
        }
        let metrics = &self.webhooks.metrics;
        let started = Instant::now();
        match file::write(&self.path, &snapshot, &self.webhooks.keys) {
            Ok(()) => {
                self.written = Some(serving);
                metrics.file_writes.with_label_values(&["ok"]).inc();
                metrics.file_revision.set(i64::try_from(serving.revision.0).unwrap_or(i64::MAX));
                let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                metrics.file_written.set(since_1970.as_secs_f64());
            }
            Err(error) => {
                metrics.file_writes.with_label_values(&["error"]).inc();
                tracing::error!(file = %self.path.display(), %error, "write the snapshot file");
            }
        }
        PAUSE_MIN.max(started.elapsed() * WRITING_SHARE)
    }
}
