//! The way between a process and a server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a way is just now.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// One way, at least, in milliseconds.
    pub latency_ms: u64,
    /// At most so much more, in milliseconds.
    pub jitter_ms: u64,
    /// What is sent to the server waits.
    pub blocked_there: bool,
    /// What the server answers waits.
    pub blocked_back: bool,
    /// The share of doorbells that are lost, and of those that ring twice, late.
    pub bells_lost: f64,
    /// How often whatever stands between forgot its connections: nobody is told, and nothing comes any more.
    pub forgotten: u32,
}

impl Way {
    /// One without faults.
    #[must_use]
    pub const fn good(latency_ms: u64) -> Self {
        Self {
            latency_ms,
            jitter_ms: 1,
            blocked_there: false,
            blocked_back: false,
            bells_lost: 0.0,
            forgotten: 0,
        }
    }

    /// Whether nothing comes through in one direction.
    #[must_use]
    pub const fn is_blocked(&self) -> bool {
        self.blocked_there || self.blocked_back
    }
}

/// A way that changes.
#[derive(Clone, Debug)]
pub struct Link(Arc<Mutex<Way>>);

/// What waits for a blocked way looks again after this.
pub const BLOCKED_LOOK: Duration = Duration::from_millis(20);

impl Link {
    /// Begins as this.
    #[must_use]
    pub fn new(way: Way) -> Self {
        Self(Arc::new(Mutex::new(way)))
    }

    /// How it is now.
    #[must_use]
    pub fn way(&self) -> Way {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all faults away. Connections that were forgotten stay so.
    pub fn heal(&self, latency_ms: u64) {
        self.set(Way { forgotten: self.way().forgotten, ..Way::good(latency_ms) });
    }

    /// Changes it.
    pub fn set(&self, way: Way) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }
}
