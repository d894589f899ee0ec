//! What chance brings about too rarely: faults in the one order that leaves nothing to contradict them but what is asked
//! here. A seed's number says which scene follows its run.

use std::time::Duration;

use dialplane_common::feed::keys::Keys;
use tokio::time::sleep;

use super::NAMESPACE;
use super::link::Way;
use super::router::Found;
use super::world::{World, pointer};

/// Changes that are lost, or made behind somebody's back.
const CHANGES: usize = 3;

/// A scene.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scene {
    /// The disks of Postgres and Redis are put back, and as much is written again as was lost: only the routers know.
    DisksPutBack,
    /// The same, of Postgres alone.
    PostgresPutBack,
    /// Postgres is restored, and Redis has lost as much, so that the two agree.
    Restored,
    /// The stream is trimmed to nothing while a router hears nothing; nothing is written afterwards.
    Trimmed,
}

impl Scene {
    /// The one of a seed, if it has one.
    #[must_use]
    pub const fn of(seed: u64) -> Option<Self> {
        match seed % 10 {
            1 => Some(Self::DisksPutBack),
            3 => Some(Self::PostgresPutBack),
            5 => Some(Self::Restored),
            7 => Some(Self::Trimmed),
            _ => None,
        }
    }

    /// Plays it, from when all agree; afterwards they have to agree again.
    pub async fn play(self, world: &mut World) {
        let (postgres, redis) = (world.around.postgres.clone(), world.around.redis.clone());
        let tables = postgres.tables();
        let keys = redis.keys(|space| space.clone());
        if self == Self::Trimmed {
            return trim_behind_a_router(world).await;
        }
        for _ in 0..CHANGES {
            world.write();
        }
        // Long enough for all to serve it.
        sleep(Duration::from_secs(2)).await;
        // One router knows nothing of what is lost.
        world.routers[0].kill();
        postgres.stop();
        if self == Self::Restored {
            postgres.restore(tables);
        } else {
            world.truth.put_back();
            postgres.roll_back(tables);
        }
        if self != Self::PostgresPutBack {
            redis.stop();
            redis.keys(|space| *space = keys);
            redis.start_again();
        }
        postgres.start_again();
        for _ in 0..CHANGES {
            world.write();
        }
        world.start_router(0, Found::Nothing);
    }
}

async fn trim_behind_a_router(world: &mut World) {
    let link = world.routers[0].link.clone();
    let way = link.way();
    link.set(Way { blocked_there: true, blocked_back: true, ..way });
    for _ in 0..CHANGES {
        world.write();
    }
    sleep(Duration::from_secs(2)).await;
    world.around.redis.keys(|space| {
        let stream = pointer(space).map(|epoch| Keys::new(NAMESPACE).feed(epoch));
        if let Some(Ok(Some(stream))) = stream.map(|name| space.stream(&name)) {
            stream.entries.clear();
        }
    });
    link.set(way);
}
