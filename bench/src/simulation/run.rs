//! One seed's run: a start, quiet changes, faults, and the way back.

use std::sync::Arc;
use std::time::Duration;

use dialplane_common::feed::keyring::Keyring;
use tokio::time::{Instant, sleep};

use super::dice::Dice;
use super::faults::Faults;
use super::scenes::Scene;
use super::world::{Shape, World};

/// All agree again within this, or never. Twice the longest pause that the planes make between two tries to help.
const AGREE_LIMIT: Duration = Duration::from_secs(600);
/// Once all agree they still do after this.
const HOLD: Duration = Duration::from_secs(3);
const QUIET_CHANGES: usize = 30;

/// What came of a seed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What wasn't as it must be.
    pub violations: Vec<String>,
    /// What went wrong, in order.
    pub faults: Vec<String>,
    /// From the first start, all at once, to serving, in milliseconds, each router.
    pub start_ms: Vec<f64>,
    /// From commit to serving without faults, in milliseconds, each router and change.
    pub propagation_ms: Vec<f64>,
    /// From the end of the faults to the last state, in milliseconds, each router.
    pub catch_up_ms: Vec<f64>,
    /// A sum over all that was served: two runs of a seed have the same.
    pub trace: u64,
}

/// Runs one seed on virtual time.
#[must_use]
pub fn run(seed: u64, shape: Shape, keys: &Arc<Keyring>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        Ok(runtime) => runtime.block_on(scenario(seed, shape, Arc::clone(keys))),
        Err(error) => Outcome { violations: vec![error.to_string()], ..Outcome::default() },
    }
}

async fn scenario(seed: u64, shape: Shape, keys: Arc<Keyring>) -> Outcome {
    let mut world = World::new(shape, Dice::new(seed), keys);
    let mut outcome = Outcome::default();
    world.begin();
    let began = Instant::now();
    world.heal();
    if !world.agree(AGREE_LIMIT).await {
        world.truth.violated("routers didn't start".into());
    }
    outcome.start_ms = world.since(began);

    world.truth.time(true);
    for _ in 0..QUIET_CHANGES {
        world.write();
        let pause = world.dice.ms(1..400);
        sleep(pause).await;
    }
    if !world.agree(AGREE_LIMIT).await {
        world.truth.violated("quiet changes didn't reach all".into());
    }
    world.truth.time(false);
    outcome.propagation_ms = world.truth.propagation_ms();

    let mut faults = Faults::new();
    let length = world.dice.ms(5_000..40_000);
    faults.rage(&mut world, length).await;
    let mut healed = Instant::now();
    // Often nothing is written afterwards: what only the next change would put right stays wrong.
    if world.dice.chance(0.3) {
        for _ in 0..world.dice.of(1..10) {
            let pause = world.dice.ms(1..500);
            sleep(pause).await;
            world.write();
        }
        healed = Instant::now();
    }
    let is_agreed = world.agree(AGREE_LIMIT).await;
    outcome.catch_up_ms = world.since(healed);
    sleep(HOLD).await;
    if !is_agreed || !world.agree(AGREE_LIMIT).await {
        world.truth.violated(format!("no agreement: {}", world.disagreement()));
    }
    world.compare_records();
    if let Some(scene) = Scene::of(seed) {
        faults.note(&format!("{scene:?}"));
        scene.play(&mut world).await;
        if !world.agree(AGREE_LIMIT).await {
            world.truth.violated(format!("no agreement after {scene:?}: {}", world.disagreement()));
        }
        world.compare_records();
    }
    world.around.redis.keys(|space| world.truth.look_through(space, &world.around.keys));
    outcome.violations = world.truth.violations();
    outcome.faults = faults.log;
    outcome.trace = world.truth.trace();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Arc<Keyring> {
        Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap())
    }

    const FEW: Shape = Shape { followers: 3, router_ms: 1, admin_ms: 1 };

    /// A few of the seeds; `dialplane-bench simulate` runs ten thousand.
    #[test]
    fn routers_agree_with_postgres_whatever_went_wrong() {
        for seed in 0..25 {
            let outcome = run(seed, FEW, &keys());
            assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}", outcome.violations);
            assert!(outcome.propagation_ms.len() >= 3, "seed {seed}: nothing was served");
        }
    }

    /// Postgres was restored together with Redis, and there is no whole checkpoint to reload from just then.
    #[test]
    fn a_reload_that_fails_is_none() {
        for seed in [2213, 4133, 5899, 9425] {
            let outcome = run(seed, Shape { followers: 5, ..FEW }, &keys());
            assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}", outcome.violations);
        }
    }

    /// Postgres was restored: the stream's last entry was gone; or Redis had lost as much before, so that both agreed.
    #[test]
    fn a_restored_postgres_begins_an_epoch_whatever_redis_still_says() {
        for seed in [3588, 5361] {
            let outcome = run(seed, Shape { followers: 5, ..FEW }, &keys());
            assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}", outcome.violations);
        }
    }

    #[test]
    fn a_seed_is_one_run() {
        let (one, other) = (run(7, FEW, &keys()), run(7, FEW, &keys()));
        assert_eq!((one.trace, one.catch_up_ms, one.faults), (other.trace, other.catch_up_ms, other.faults));
        assert_ne!(one.trace, run(8, FEW, &keys()).trace);
    }
}
