//! What a client asks of every server: complete Twilio voice webhooks, signed, for random numbers.

use std::sync::Arc;
use std::time::Duration;

use crate::calls::{Call, calls};

/// What a client sends in one run.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Requests as bytes for the wire.
    pub requests: Arc<[Vec<u8>]>,
    /// Connections kept busy.
    pub connections: usize,
    /// For how long.
    pub duration: Duration,
}

/// So many different signed requests, each for a random one of the workload's first `numbers`.
#[must_use]
pub fn requests(count: u64, numbers: u64) -> Arc<[Vec<u8>]> {
    calls(count, numbers).map(|call| Call::to_bytes(&call)).collect()
}
