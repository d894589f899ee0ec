//! What goes wrong, and for how long.

use std::time::Duration;

use bytes::Bytes;
use dialplane_common::feed::keys::Keys;
use tokio::time::{Instant, sleep, sleep_until};

use super::NAMESPACE;
use super::link::{Link, Way};
use super::postgres::Tables;
use super::redis::keyspace::{Held, Keyspace};
use super::router::Found;
use super::world::{World, pointer};

/// What ends later.
enum Later {
    Redis,
    Postgres,
    Admin(usize),
    Router(usize, Found),
    Link(Link, Way),
    /// The replica that takes over stopped hearing of the other one some time ago.
    Failover(Box<Keyspace>),
}

/// The faults of one run.
pub struct Faults {
    later: Vec<(Instant, Later)>,
    /// Of Postgres, and of Redis at the same instant.
    backup: Option<(Tables, Keyspace)>,
    /// What went wrong, for whoever replays a seed.
    pub log: Vec<String>,
    began: Instant,
}

impl Faults {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { later: Vec::new(), backup: None, log: Vec::new(), began: Instant::now() }
    }

    /// Faults and changes for so long.
    pub async fn rage(&mut self, world: &mut World, length: Duration) {
        let end = Instant::now() + length;
        let (mut fault, mut write) = (Instant::now(), Instant::now());
        let (between_faults, between_writes) = (world.dice.of(300..3_000), world.dice.of(20..1_000));
        while Instant::now() < end {
            let due = self.later.iter().map(|(at, _)| *at).min().unwrap_or(end);
            sleep_until(due.min(fault).min(write).min(end)).await;
            let now = Instant::now();
            self.undo(world, |at| at <= now);
            if write <= now {
                world.write();
                write = now + world.dice.ms(1..between_writes * 2);
            }
            if fault <= now {
                self.strike(world);
                fault = now + world.dice.ms(1..between_faults * 2);
                world.around.redis.keys(|space| world.truth.look_through(space, &world.around.keys));
            }
        }
        self.undo(world, |_| true);
        self.note("everything is well again");
        world.heal();
        sleep(Duration::from_millis(1)).await;
    }

    fn undo(&mut self, world: &mut World, is_due: impl Fn(Instant) -> bool) {
        while let Some(index) = self.later.iter().position(|(at, _)| is_due(*at)) {
            match self.later.remove(index).1 {
                Later::Redis => world.around.redis.start_again(),
                Later::Postgres => world.around.postgres.start_again(),
                Later::Admin(index) => {
                    world.admins[index].kill();
                    world.start_admin(index);
                }
                Later::Router(index, found) => world.start_router(index, found),
                Later::Link(link, way) => link.set(way),
                Later::Failover(replica) => {
                    self.note("the replica takes over");
                    world.around.redis.stop();
                    world.around.redis.keys(|space| *space = *replica);
                    world.around.redis.keys(Keyspace::forget_scripts);
                    world.around.redis.start_again();
                }
            }
        }
    }

    /// Writes down what goes wrong now.
    pub fn note(&mut self, what: &str) {
        self.log.push(format!("{:>9.3} s  {what}", self.began.elapsed().as_secs_f64()));
    }

    fn after(&mut self, length: Duration, later: Later) {
        self.later.push((Instant::now() + length, later));
    }

    fn strike(&mut self, world: &mut World) {
        match world.dice.of(0..100) {
            0..20 => self.kill_routers(world),
            20..45 => self.worsen_link(world),
            45..60 => self.end_admin(world),
            60..80 => self.strike_redis(world),
            80..92 => self.strike_postgres(world),
            _ => self.meddle(world),
        }
    }

    fn kill_routers(&mut self, world: &mut World) {
        let share = if world.dice.chance(0.2) { 1.0 } else { 0.2 };
        let mut killed = 0;
        for index in 0..world.routers.len() {
            if world.dice.chance(share) && world.routers[index].is_running() {
                world.routers[index].kill();
                let found = match world.dice.of(0..10) {
                    0..6 => Found::Newest,
                    6..8 => Found::Previous,
                    _ => Found::Nothing,
                };
                let length = world.dice.ms(1..6_000);
                self.after(length, Later::Router(index, found));
                killed += 1;
            }
        }
        self.note(&format!("{killed} routers are killed"));
    }

    /// Slow, blocked in one direction or both, or losing bells.
    fn worsen_link(&mut self, world: &mut World) {
        let count = world.routers.len() as u64;
        let (link, name) = match world.dice.of(0..count.min(6) + 4) {
            0..2 => (world.admins[world.dice.of(0..2) as usize].to_redis.clone(), "an admin's to Redis"),
            2..4 => {
                (world.admins[world.dice.of(0..2) as usize].to_postgres.clone(), "an admin's to Postgres")
            }
            _ => (world.routers[world.dice.place(count as usize)].link.clone(), "a router's"),
        };
        let mut way = link.way();
        let mut worse = way;
        let what = match world.dice.of(0..6) {
            0 => {
                (worse.latency_ms, worse.jitter_ms) =
                    (way.latency_ms + world.dice.of(0..900), world.dice.of(0..900));
                "is slow"
            }
            1 => {
                worse.blocked_there = true;
                "lets nothing through there"
            }
            2 => {
                worse.blocked_back = true;
                "lets nothing through back"
            }
            3 => {
                (worse.blocked_there, worse.blocked_back) = (true, true);
                "lets nothing through"
            }
            4 => {
                (worse.blocked_there, worse.blocked_back) = (true, true);
                way.forgotten += 1;
                "lets nothing through, and forgets its connections"
            }
            _ => {
                worse.bells_lost = 0.1 + 0.9 * world.dice.of(0..100) as f64 / 100.0;
                "loses and repeats bells"
            }
        };
        link.set(worse);
        self.note(&format!("a way ({name}) {what}"));
        let length = world.dice.ms(100..15_000);
        self.after(length, Later::Link(link, way));
    }

    fn end_admin(&mut self, world: &mut World) {
        let index = world.dice.place(world.admins.len());
        if !world.admins[index].is_running() {
            return;
        }
        if world.dice.chance(0.3) {
            world.admins[index].stop();
            self.note(&format!("admin {index} is told to stop, and started again later"));
            let length = world.dice.ms(1..3_000);
            self.after(length, Later::Admin(index));
            return;
        }
        world.admins[index].kill();
        self.note(&format!("admin {index} is killed"));
        let length = world.dice.ms(1..5_000);
        self.after(length, Later::Admin(index));
    }

    fn strike_redis(&mut self, world: &mut World) {
        let redis = world.around.redis.clone();
        match world.dice.of(0..10) {
            0..3 => {
                redis.cut();
                self.note("Redis ends all connections");
            }
            3..5 => {
                redis.stop();
                self.note("Redis is away");
                let length = world.dice.ms(1..8_000);
                self.after(length, Later::Redis);
            }
            5..7 => {
                redis.stop();
                redis.keys(|space| *space = Keyspace::default());
                self.note("Redis is away, and comes back empty");
                let length = world.dice.ms(1..4_000);
                self.after(length, Later::Redis);
            }
            _ => {
                let replica = Box::new(redis.keys(|space| space.clone()));
                self.note("Redis's replica hears no more");
                let length = world.dice.ms(1..3_000);
                self.after(length, Later::Failover(replica));
            }
        }
    }

    fn strike_postgres(&mut self, world: &mut World) {
        let postgres = world.around.postgres.clone();
        match world.dice.of(0..10) {
            0..2 => {
                postgres.end_lease();
                self.note("Postgres ends the session that has the lease");
            }
            2..5 => {
                postgres.stop();
                self.note("Postgres is away");
                let length = world.dice.ms(1..8_000);
                self.after(length, Later::Postgres);
            }
            5..8 => {
                self.backup = Some((postgres.tables(), world.around.redis.keys(|space| space.clone())));
                self.note("a backup is made");
            }
            _ => {
                let Some((tables, keys)) = self.backup.take() else { return };
                postgres.stop();
                if world.dice.chance(0.4) {
                    // The disk of one machine with both: nothing there contradicts it, only the routers can.
                    postgres.roll_back(tables);
                    world.truth.put_back();
                    world.around.redis.stop();
                    world.around.redis.keys(|space| *space = keys);
                    world.around.redis.start_again();
                    self.note("Redis comes back from the backup that Postgres comes back from");
                } else {
                    postgres.restore(tables);
                }
                self.note("Postgres is away, and comes back from its backup");
                let length = world.dice.ms(1..4_000);
                self.after(length, Later::Postgres);
            }
        }
    }

    /// Somebody's hand in Redis, or an operator's wish.
    fn meddle(&mut self, world: &mut World) {
        let keys = Keys::new(NAMESPACE);
        if world.dice.chance(0.2) {
            world.around.postgres.want_new_epoch();
            return self.note("an operator asks for a new epoch");
        }
        let Some(epoch) = world.around.redis.keys(pointer) else { return };
        let choice = world.dice.of(0..6);
        let what = world.around.redis.keys(|space| match choice {
            0 => {
                let chunk = space.names().find(|name| name.contains(":checkpoint:")).map(str::to_owned);
                if let Some(name) = chunk {
                    space.remove(&name);
                    world.truth.deleted(name);
                }
                "a chunk of a checkpoint is deleted"
            }
            1 => {
                space.remove(&keys.checkpoint(epoch));
                "the checkpoint's manifest is deleted"
            }
            2 => {
                if let Ok(Some(stream)) = space.stream(&keys.feed(epoch)) {
                    let last = stream.last;
                    stream.trim(last);
                }
                "the stream is trimmed to its last entry"
            }
            3 => {
                if let Ok(Some(stream)) = space.stream(&keys.feed(epoch)) {
                    stream.entries.clear();
                }
                "the stream is trimmed to nothing"
            }
            4 => {
                space.remove(&keys.feed(epoch));
                "the stream is deleted"
            }
            _ => {
                space.put(&keys.epoch(), Held::Text(Bytes::from_static(b"0190c5a47b1e70008000000000000001")));
                "the pointer names an epoch that never was"
            }
        });
        self.note(what);
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}
