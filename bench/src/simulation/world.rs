//! All processes and both servers of one run.

use std::sync::Arc;
use std::time::Duration;

use dialplane_common::feed::Epoch;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::record::{NumberRecord, Record, TenantRecord};
use dialplane_common::ids::{PhoneNumberId, TenantId};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::NAMESPACE;
use super::admin::{Admin, Surroundings};
use super::dice::Dice;
use super::link::{Link, Way};
use super::postgres::{Change, Postgres};
use super::redis::keyspace::Keyspace;
use super::redis::server::Server;
use super::router::{Found, Router};
use super::truth::{Truth, ms};
use crate::workload;

const TENANT: TenantId = TenantId(Uuid::from_u128(7));
/// So many numbers are written again and again.
const NUMBERS: u64 = 40;
/// How often it is looked whether all agree.
const LOOK: Duration = Duration::from_millis(50);

/// How big and how far apart.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Routers.
    pub followers: usize,
    /// From a router to Redis, one way, in milliseconds.
    pub router_ms: u64,
    /// From an admin process to Redis and Postgres, one way, in milliseconds.
    pub admin_ms: u64,
}

/// Everything.
pub struct World {
    /// What all admin processes share.
    pub around: Surroundings,
    /// Two admin processes.
    pub admins: Vec<Admin>,
    /// The routers.
    pub routers: Vec<Router>,
    /// What was ever true.
    pub truth: Truth,
    /// What chance decides.
    pub dice: Dice,
    shape: Shape,
    written: u128,
}

impl World {
    /// One where nothing runs yet.
    #[must_use]
    pub fn new(shape: Shape, mut dice: Dice, keys: Arc<Keyring>) -> Self {
        let tenant = Record::Tenant(TENANT, TenantRecord::new("A tenant", "Europe/Berlin"));
        let around = Surroundings {
            redis: Server::start(),
            postgres: Postgres::start(),
            keys,
            first: Change::Put(Box::new(tenant)),
            checkpoint_entries: dice.of(5..60),
            chunk_bytes: dice.of(200..2_000) as usize,
        };
        let link = |ms| Link::new(Way::good(ms));
        let admins =
            (0..2).map(|_| Admin::new(link(shape.admin_ms), link(shape.admin_ms), dice.fork())).collect();
        let routers = (0..shape.followers)
            .map(|index| Router::new(index, link(shape.router_ms), dice.fork()))
            .collect();
        let truth = Truth::default();
        around.redis.watch(truth.clone(), Arc::clone(&around.keys));
        Self { around, admins, routers, truth, dice, shape, written: 0 }
    }

    /// The first records.
    pub fn begin(&mut self) {
        let first = self.around.first.clone();
        let state = self.around.postgres.commit(&[first]);
        state.into_iter().for_each(|state| self.truth.committed(state));
        for _ in 0..20 {
            self.write();
        }
    }

    /// How long after `instant` each router came to what it serves, in milliseconds.
    #[must_use]
    pub fn since(&self, instant: Instant) -> Vec<f64> {
        let shown = self.routers.iter().filter_map(Router::shown);
        shown.map(|shown| ms(shown.since.saturating_duration_since(instant))).collect()
    }

    /// What a router that differs serves, beside what Postgres has.
    #[must_use]
    pub fn disagreement(&self) -> String {
        let state = self.around.postgres.tables().state();
        let epoch = self.around.redis.keys(pointer);
        let differs = |router: &&Router| {
            let shown = router.shown().map(|shown| shown.serving);
            shown.is_none_or(|shown| (Some(shown.epoch), shown.digest) != (epoch, state.digest))
        };
        let routers: Vec<_> = self.routers.iter().filter(differs).collect();
        let one = routers.first().map(|router| (router.index, router.shown().map(|shown| shown.serving)));
        format!("{} routers differ, as {one:?}; Postgres has {state:?}, the pointer {epoch:?}", routers.len())
    }

    /// Starts all that doesn't run, and makes all ways good.
    pub fn heal(&mut self) {
        self.around.postgres.start_again();
        self.around.redis.start_again();
        for index in 0..self.admins.len() {
            self.admins[index].to_redis.heal(self.shape.admin_ms);
            self.admins[index].to_postgres.heal(self.shape.admin_ms);
            self.start_admin(index);
        }
        for index in 0..self.routers.len() {
            self.routers[index].link.heal(self.shape.router_ms);
            self.start_router(index, Found::Newest);
        }
    }

    /// Starts an admin process, unless it runs.
    pub fn start_admin(&mut self, index: usize) {
        if !self.admins[index].is_running() {
            self.admins[index].start(&self.around);
        }
    }

    /// Starts a router, unless it runs.
    pub fn start_router(&mut self, index: usize, found: Found) {
        if !self.routers[index].is_running() {
            self.routers[index].start(&self.around.redis, &self.around.keys, &self.truth, found);
        }
    }

    /// One to four numbers are written or removed, in one transaction. Admin processes may hear of it.
    pub fn write(&mut self) {
        let mut numbers: Vec<_> = (0..self.dice.of(1..5)).map(|_| self.dice.of(0..NUMBERS)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let changes: Vec<_> = numbers.into_iter().filter_map(|number| self.change(number)).collect();
        let Some(state) = self.around.postgres.commit(&changes) else { return };
        self.truth.committed(state);
        for admin in &self.admins {
            // Postgres tells of commits as reliably as Redis does.
            if !self.dice.chance(admin.to_postgres.way().bells_lost) {
                admin.wake();
            }
        }
    }

    fn change(&mut self, number: u64) -> Option<Change> {
        let address = workload::number(number)?;
        if self.dice.chance(0.2) {
            return Some(Change::Remove(dialplane_common::feed::frame::RecordKey::Number(address)));
        }
        self.written += 1;
        let id = PhoneNumberId(Uuid::from_u128(self.written));
        Some(Change::Put(Box::new(Record::Number(address, NumberRecord::new(id, TENANT)))))
    }

    /// Whether the routers that run serve what Postgres has, of the feed's present life.
    #[must_use]
    pub fn is_agreed(&self) -> bool {
        let state = self.around.postgres.tables().state();
        let Some(epoch) = self.around.redis.keys(pointer) else { return false };
        self.routers.iter().filter(|router| router.is_running()).all(|router| {
            router.shown().is_some_and(|shown| {
                let serving = shown.serving;
                (serving.epoch, serving.revision, serving.digest) == (epoch, state.revision, state.digest)
            })
        })
    }

    /// Waits until all agree. `false`: not within `limit`.
    pub async fn agree(&self, limit: Duration) -> bool {
        let began = Instant::now();
        while !self.is_agreed() {
            if began.elapsed() > limit {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }

    /// Compares what routers answer from with what Postgres holds, record by record.
    pub fn compare_records(&self) {
        let mut stored: Vec<Option<PhoneNumberId>> = vec![None; NUMBERS as usize];
        for record in self.around.postgres.tables().records() {
            if let Record::Number(address, number) = record {
                stored[(address.to_u64() - workload::FIRST_NUMBER) as usize] = Some(number.id);
            }
        }
        for router in self.routers.iter().filter(|router| router.is_running()) {
            let Some(snapshot) = router.snapshot() else { continue };
            let served = (0..NUMBERS).map(|number| {
                workload::number(number)
                    .and_then(|address| snapshot.number(address))
                    .map(|number| number.id())
            });
            if !served.eq(stored.iter().copied()) || snapshot.tenant(TENANT).is_none() {
                self.truth
                    .violated(format!("router {} serves other records than Postgres has", router.index));
            }
        }
    }
}

/// The feed's present life, by the pointer in Redis.
pub fn pointer(space: &mut Keyspace) -> Option<Epoch> {
    let text = space.get(&Keys::new(NAMESPACE).epoch()).ok().flatten()?;
    std::str::from_utf8(&text).ok()?.parse().ok()
}
