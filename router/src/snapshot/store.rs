//! The one place where the served snapshot changes.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwapOption, Guard};

use super::Snapshot;

/// Holds the snapshot that is served. A request loads it once and works on that one.
#[derive(Debug, Default)]
pub struct SnapshotStore {
    current: ArcSwapOption<Snapshot>,
    /// Snapshots that requests may still hold. They are dropped by the follower, since dropping a whole one (after a
    /// reload) takes long enough to be heard in an answer.
    retired: Mutex<Vec<Arc<Snapshot>>>,
}

impl SnapshotStore {
    /// What is served now; `None` until the first snapshot is whole.
    #[must_use]
    pub fn load(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.current.load()
    }

    /// The same, to keep for long.
    #[must_use]
    pub fn load_full(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// Serves another snapshot from now on.
    pub fn store(&self, snapshot: Snapshot) {
        let old = self.current.swap(Some(Arc::new(snapshot)));
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).extend(old);
        self.sweep();
    }

    /// Drops retired snapshots that no request holds any more.
    pub fn sweep(&self) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }
}
