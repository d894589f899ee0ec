//! The folder of certificates, looked at again and again: what changes is shown from the next handshake on, and
//! connections that are open stay as they are.
//!
//! By content, as that works on every file system, over links that are swapped (cert-manager) and files that are
//! written in place (certbot). Asking the system for notice would miss some of these, and saves nothing on a few files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dialplane_common::time::UnixSeconds;
use tokio::signal::unix::Signal;

use super::certificates::{Certificates, Current};
use super::folder::{self, Texts, Unusable};
use crate::metrics::TlsMetrics;

/// How long until the next look. A certificate is renewed weeks before its end.
const PAUSE: Duration = Duration::from_secs(2);

/// A folder, what it held when last looked at, and what is shown of that.
#[derive(Debug)]
pub struct Watched {
    folder: PathBuf,
    seen: Result<Texts, Unusable>,
    current: Arc<Current>,
}

impl Watched {
    /// Reads a folder of which every pair has to be good.
    ///
    /// # Errors
    /// The first file that can't be used.
    pub fn open(folder: PathBuf) -> Result<Self, Unusable> {
        let texts = folder::read(&folder)?;
        let pair = |(name, text): (&String, _)| Ok((name.clone(), Arc::new(folder::pair(name, text)?)));
        let pairs = texts.iter().map(pair).collect::<Result<_, _>>()?;
        let current = Arc::new(Current::new(Certificates::new(pairs)));
        Ok(Self { folder, seen: Ok(texts), current })
    }

    /// What is shown, now and later.
    #[must_use]
    pub fn current(&self) -> &Arc<Current> {
        &self.current
    }

    /// Looks every few seconds and at each SIGHUP.
    pub async fn watch(mut self, mut hangup: Signal, metrics: TlsMetrics) {
        self.tell(&metrics, now());
        loop {
            tokio::select! {
                Some(()) = hangup.recv() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
            // A disk, or a network behind the folder, may take its time.
            let metrics = metrics.clone();
            let looked = tokio::task::spawn_blocking(move || {
                self.look(&metrics, now());
                self
            });
            match looked.await {
                Ok(looked) => self = looked,
                Err(error) => return tracing::error!(%error, "look at the certificates"),
            }
        }
    }

    /// Shows what has changed. A pair that can't be used any more is shown as it was.
    fn look(&mut self, metrics: &TlsMetrics, now: UnixSeconds) {
        let found = folder::read(&self.folder);
        if found == self.seen {
            return;
        }
        match &found {
            Ok(texts) => self.show(texts, metrics, now),
            Err(unusable) => self.refuse(unusable, metrics),
        }
        self.seen = found;
    }

    fn show(&self, texts: &Texts, metrics: &TlsMetrics, now: UnixSeconds) {
        let before = self.current.load();
        let pair = |(name, text): (&String, _)| {
            let pair = folder::pair(name, text).map(Arc::new);
            let pair = pair.or_else(|unusable| {
                self.refuse(&unusable, metrics);
                before.pairs().get(name).cloned().ok_or(())
            });
            Some((name.clone(), pair.ok()?))
        };
        let pairs: std::collections::BTreeMap<_, _> = texts.iter().filter_map(pair).collect();
        // With none at all nobody could be answered.
        if pairs.is_empty() {
            return;
        }
        self.current.store(Certificates::new(pairs));
        metrics.loaded(true);
        for name in before.pairs().keys() {
            metrics.forget(name);
        }
        self.tell(metrics, now);
    }

    fn refuse(&self, unusable: &Unusable, metrics: &TlsMetrics) {
        metrics.loaded(false);
        let (file, wanted) = (self.folder.join(&unusable.file), &unusable.wanted);
        tracing::error!(file = %file.display(), wanted, "certificates can't be used: those before are kept");
    }

    /// Says which are shown.
    fn tell(&self, metrics: &TlsMetrics, now: UnixSeconds) {
        for (name, pair) in self.current.load().pairs() {
            metrics.shown(name, pair.not_after);
            let (hosts, not_after) = (pair.hosts.join(" "), pair.not_after.0);
            if pair.not_after < now {
                tracing::warn!(name, hosts, not_after, "a certificate that has expired is shown");
            } else {
                tracing::info!(name, hosts, not_after, "certificate");
            }
        }
    }
}

fn now() -> UnixSeconds {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX))
}
