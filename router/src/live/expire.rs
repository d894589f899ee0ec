//! Forgets calls whose time is over.

use std::sync::Arc;
use std::time::Duration;

use crate::webhook::{Webhooks, now};

const EXPIRE_EVERY: Duration = Duration::from_secs(1);

/// Forgets calls whose time is over, once a second, until the task is dropped. By time, not by how many calls there are: a
/// tenant whose few calls all lack an end would stay over its limit for good.
pub async fn expire(webhooks: Arc<Webhooks>) {
    let mut due = tokio::time::interval(EXPIRE_EVERY);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        webhooks.live.expire(now().seconds());
        webhooks.metrics.live_calls.set(i64::try_from(webhooks.live.len()).unwrap_or(i64::MAX));
    }
}
