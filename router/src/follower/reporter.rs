//! Tells the fleet how this router stands: at each change, and once a second as a sign of life.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use dialplane_common::feed::FEED_VERSION;
use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::report::{FORGET_MS, RouterReport, Serving};
use redis::Script;
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

use crate::webhook::Webhooks;

const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(1);

/// Stored by Redis's own clock, so that the fleet's ages don't depend on anybody else's; what hasn't been heard of for
/// long is forgotten.
pub static REPORT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
redis.call('PUBLISH', ARGV[4], ARGV[1])
",
    )
});

/// How a router stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// The router's name in the fleet.
    pub id: String,
    /// Whether Redis answers.
    pub connected: bool,
    /// What it serves.
    pub serving: Option<Serving>,
    /// From commit to serving, of the last delta, in microseconds.
    pub delay_us: Option<u64>,
    /// Records that it can't read.
    pub unreadable_records: usize,
    /// It can't go on with what lies in Redis.
    pub wants_checkpoint: bool,
    /// Its digest differs even after a reload.
    pub digest_alarm: bool,
}

impl Standing {
    fn report(&self, webhooks: &Webhooks) -> RouterReport {
        RouterReport {
            id: self.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            feed_version: FEED_VERSION,
            serving: self.serving,
            delay_us: self.delay_us,
            unreadable_records: self.unreadable_records as u64,
            wants_checkpoint: self.wants_checkpoint,
            digest_alarm: self.digest_alarm,
            events_dropped: webhooks.events.is_on().then(|| webhooks.metrics.events.dropped_sum()),
        }
    }
}

/// Reports until Redis fails. While one report is under way, changes gather and go into the next.
pub async fn run(
    mut connection: MultiplexedConnection,
    keys: Keys,
    webhooks: Arc<Webhooks>,
    mut standing: watch::Receiver<Standing>,
) {
    loop {
        let report = standing.borrow_and_update().report(&webhooks);
        let Ok(json) = serde_json::to_string(&report) else { return };
        let mut call = REPORT.key(keys.routers());
        call.key(keys.routers_seen()).arg(&report.id).arg(json).arg(FORGET_MS).arg(keys.reports());
        if let Err(error) = call.invoke_async::<()>(&mut connection).await {
            tracing::warn!(%error, "report to the fleet");
        }
        if let Ok(Err(_)) = tokio::time::timeout(SIGN_OF_LIFE_EVERY, standing.changed()).await {
            return;
        }
    }
}
