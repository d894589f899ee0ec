//! Compares what this router knows with what Redis holds: what a lost message left is put right.
//!
//! A call that Redis doesn't hold any more is over, unless Redis has forgotten all, which the field of its life tells: then
//! whoever knows calls writes them again.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::LazyLock;
use std::time::Duration;

use dialplane_common::live::{CallKey, LIFE_FIELD, State, changes, entry};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};
use tokio::time::Instant;
use uuid::Uuid;

use super::Heard;
use super::sync::{Sync, SyncError};
use crate::webhook::now;

/// A comparison with all that Redis holds.
const COMPARE_EVERY: Duration = Duration::from_secs(30);

/// Whether Redis has forgotten all is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Entries asked for at once: less than a millisecond of Redis's time.
const PIECE: usize = 1_000;

/// Where to go on, and fields with their values.
type Piece = (u64, Vec<(Vec<u8>, Vec<u8>)>);

/// Deletes fields that still hold what was read: a sign of life may have come meanwhile.
static DELETE_SAME: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
for index = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[index]) == ARGV[index + 1] then
    redis.call('HDEL', KEYS[1], ARGV[index])
  end
end
",
    )
});

/// What is known of the life of Redis.
#[derive(Debug, Default)]
pub struct Comparison {
    life: Option<Vec<u8>>,
}

impl Comparison {
    /// Compares at once, and then again and again.
    pub async fn run(
        &mut self,
        sync: &Sync,
        mut connection: MultiplexedConnection,
    ) -> Result<Infallible, SyncError> {
        let mut compared: Option<Instant> = None;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let has_forgotten = self.look(sync, &mut connection).await?;
            if has_forgotten || compared.is_none_or(|at| at.elapsed() >= COMPARE_EVERY) {
                self.compare(sync, &mut connection, has_forgotten).await?;
                compared = Some(Instant::now());
            }
        }
    }

    async fn compare(
        &mut self,
        sync: &Sync,
        connection: &mut MultiplexedConnection,
        has_forgotten: bool,
    ) -> RedisResult<()> {
        let live = sync.live();
        let round = live.begin_round();
        let held = read(sync, connection).await?;
        let missing = live.missing(round, |key| held.contains(&key));
        sync.metrics().live_healed.inc_by(missing.len() as u64);
        // It may have forgotten all while it was read.
        if has_forgotten || self.look(sync, connection).await? {
            for calls in missing.chunks(changes::CALLS_MAX) {
                sync.tell(connection, calls, true).await?;
            }
        } else {
            missing.into_iter().for_each(|(key, state)| live.forget(key, state));
        }
        Ok(())
    }

    /// Whether Redis has forgotten all since this was last asked.
    async fn look(&mut self, sync: &Sync, connection: &mut MultiplexedConnection) -> RedisResult<bool> {
        let drawn = Uuid::from_u128(random());
        let (life,): (Vec<u8>,) = redis::pipe()
            .atomic()
            .hset_nx(sync.hash(), LIFE_FIELD, drawn.as_bytes())
            .ignore()
            .hget(sync.hash(), LIFE_FIELD)
            .query_async(connection)
            .await?;
        let before = self.life.replace(life.clone());
        Ok(before.is_some_and(|before| before != life))
    }
}

/// Takes in all that Redis holds, and deletes what is over. The calls that it holds.
async fn read(sync: &Sync, connection: &mut MultiplexedConnection) -> RedisResult<HashSet<CallKey>> {
    let mut held = HashSet::new();
    let mut cursor: u64 = 0;
    loop {
        let (next, piece): Piece = redis::cmd("HSCAN")
            .arg(sync.hash())
            .arg(cursor)
            .arg("COUNT")
            .arg(PIECE)
            .query_async(connection)
            .await?;
        let mut expired = DELETE_SAME.key(sync.hash());
        let mut has_expired = false;
        for (field, value) in piece.iter().filter(|(field, _)| field != LIFE_FIELD.as_bytes()) {
            let Ok((key, call)) = entry::verify(field, value, sync.feed_keys()) else {
                // Perhaps a later version's; nobody counts it.
                sync.metrics().messages_rejected.inc();
                continue;
            };
            held.insert(key);
            match sync.live().hear(key, State::Counted(call), now().seconds()) {
                Heard::Taken => sync.metrics().live_healed.inc(),
                Heard::Over => sync.live().resend(key),
                Heard::Expired => {
                    expired.arg(field).arg(value);
                    has_expired = true;
                }
                Heard::Known | Heard::Full => {}
            }
        }
        if has_expired {
            let () = expired.invoke_async(connection).await?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(held);
        }
    }
}

/// Another life of Redis has another; without randomness all have the same, and what it forgets stays forgotten.
fn random() -> u128 {
    let mut bytes = [0; 16];
    let _ = getrandom::fill(&mut bytes);
    u128::from_be_bytes(bytes)
}
