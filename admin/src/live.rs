//! Calls under way, of tenants and numbers that have a limit, as the routers tell each other of them.
//!
//! All of them are read at once and kept for a moment, so that Redis is asked as often however many ask here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dialplane_common::feed::keys::Keys;
use dialplane_common::ids::{PhoneNumberId, TenantId};
use dialplane_common::live::{Counted, LIFE_FIELD, entry};
use dialplane_common::time::UnixSeconds;
use redis::RedisResult;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::SealKeys;
use crate::redis_link::{Redis, RedisLink};

const KEPT: Duration = Duration::from_secs(1);

/// Entries asked for at once: less than a millisecond of Redis's time.
const PIECE: usize = 1_000;

/// Where to go on, and fields with their values.
type Piece = (u64, Vec<(Vec<u8>, Vec<u8>)>);

/// How many calls are under way, of each tenant and number that has any.
#[derive(Debug, Default)]
pub struct LiveCalls {
    /// By tenant.
    pub tenants: HashMap<TenantId, u32>,
    /// By tenant and number.
    pub numbers: HashMap<TenantId, HashMap<PhoneNumberId, u32>>,
}

impl LiveCalls {
    fn count(&mut self, call: &Counted) {
        *self.tenants.entry(call.tenant).or_default() += 1;
        if let Some(number) = call.number {
            *self.numbers.entry(call.tenant).or_default().entry(number).or_default() += 1;
        }
    }
}

/// Reads them.
pub struct LiveReader {
    link: RedisLink,
    hash: String,
    seal: Arc<SealKeys>,
    last: Mutex<Option<(Instant, Arc<LiveCalls>)>>,
}

impl LiveReader {
    /// Reads below these names what is signed with one of these keys; doesn't connect yet.
    #[must_use]
    pub fn new(redis: impl Redis, keys: &Keys, seal: Arc<SealKeys>) -> Self {
        Self { link: RedisLink::new(redis), hash: keys.live(), seal, last: Mutex::const_new(None) }
    }

    /// The calls under way, at most a second old; `None` while Redis doesn't answer.
    pub async fn calls(&self) -> Option<Arc<LiveCalls>> {
        let mut last = self.last.lock().await;
        if let Some((read, calls)) = &*last
            && read.elapsed() < KEPT
        {
            return Some(Arc::clone(calls));
        }
        let calls = self.read().await.inspect_err(|error| tracing::warn!(%error, "read the calls under way"));
        let calls = Arc::new(calls.ok()?);
        *last = Some((Instant::now(), Arc::clone(&calls)));
        Some(calls)
    }

    async fn read(&self) -> RedisResult<LiveCalls> {
        let now = UnixSeconds(jiff::Timestamp::now().as_second());
        let mut by_key = HashMap::new();
        let mut cursor: u64 = 0;
        loop {
            let mut command = redis::cmd("HSCAN");
            command.arg(&self.hash).arg(cursor).arg("COUNT").arg(PIECE);
            let (next, piece): Piece = self.link.query(&command).await?;
            // What isn't signed counts for nobody; an entry may come twice.
            let entries = piece.iter().filter(|(field, _)| field != LIFE_FIELD.as_bytes());
            by_key.extend(
                entries.filter_map(|(field, value)| entry::verify(field, value, &self.seal.feed).ok()),
            );
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        let mut calls = LiveCalls::default();
        by_key.values().filter(|call| call.until > now).for_each(|call| calls.count(call));
        Ok(calls)
    }
}
