//! What a change costs whoever applies it, and whoever answers meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::Delta;
use dialplane_router::snapshot::Snapshot;

use crate::counts::steps::Fixture;
use crate::feed::{Feed, SignedDelta};
use crate::histogram::Histogram;
use crate::population::Population;
use crate::report::say;

const CHANGES: u64 = 20_000;
const CALLS: u64 = 20_000;
/// How long answers are watched in each state.
const WATCHED: Duration = Duration::from_secs(3);
/// 1,000 changes a second while answers are watched.
const CHANGE_EVERY: Duration = Duration::from_millis(1);
/// How many numbers inherit what a tenant's change sets.
const HEIRS: u64 = 100_000;

/// Times changes one by one; then answers: alone, beside changes, and beside the swap and the drop of a whole snapshot.
pub fn measure(snapshot: Snapshot, population: Population, keys: &Arc<Keyring>) -> Result<(), String> {
    let mut another = Some(population.snapshot(keys, true)?);
    let mut changes = Changes::of(snapshot, population, keys, CALLS)?;
    let mut one = Histogram::default();
    for index in 0..CHANGES {
        let delta = changes.feed.rename(place(index, population.numbers))?;
        one.record(changes.apply(&delta)?);
    }
    say("| us | p50 | p99 | p99.9 | max |\n| --- | --- | --- | --- | --- |");
    row("one change (wanted: 100): verified, applied, served, the state before dropped", &one);

    let fixture = Arc::clone(&changes.fixture);
    row("one answer, nothing else going on", &watch(&fixture, || Ok(()))?);
    let mut index = 0;
    let renaming = || {
        index += 1;
        let delta = changes.feed.rename(place(index, population.numbers))?;
        changes.apply(&delta).map(|_| ())
    };
    row("one answer, 1,000 changes/s", &watch(&fixture, renaming)?);
    let mut swap = Histogram::default();
    let swapping = || {
        let before = Instant::now();
        match another.take() {
            Some(another) => fixture.webhooks.store.store(another),
            // A request may have held the old one when the new one came.
            None => fixture.webhooks.store.sweep(),
        }
        swap.record(before.elapsed().as_nanos() as u64);
        Ok(())
    };
    row("one answer, a whole snapshot swapped and the old one dropped", &watch(&fixture, swapping)?);
    say(&format!(
        "swap and drop of the whole snapshot, where no call waits: {:.1} ms",
        swap.max() as f64 / 1e6
    ));
    Ok(())
}

/// Times a change of a tenant that so many numbers inherit from, beside a change of one number.
pub fn tenant_wide(numbers: u64, keys: &Arc<Keyring>) -> Result<(), String> {
    let population = Population { numbers_per_tenant: HEIRS, ..Population::of(numbers.max(HEIRS)) };
    let mut changes = Changes::of(population.snapshot(keys, true)?, population, keys, 1)?;
    let [mut tenant, mut number] = [Histogram::default(), Histogram::default()];
    for index in 0..CHANGES / 10 {
        let delta = changes.feed.rename_tenant(0)?;
        tenant.record(changes.apply(&delta)?);
        let delta = changes.feed.rename(place(index, population.numbers))?;
        number.record(changes.apply(&delta)?);
    }
    say(&format!(
        "\n| us, {HEIRS} numbers a tenant | p50 | p99 | p99.9 | max |\n| --- | --- | --- | --- | --- |"
    ));
    row("a change of the tenant", &tenant);
    row("a change of one number", &number);
    Ok(())
}

/// Changes one after the other to what is served.
struct Changes {
    fixture: Arc<Fixture>,
    feed: Feed,
}

impl Changes {
    fn of(
        snapshot: Snapshot,
        population: Population,
        keys: &Arc<Keyring>,
        calls: u64,
    ) -> Result<Self, String> {
        let feed = Feed::behind(snapshot.serving(), Arc::clone(keys), population);
        let fixture = Fixture::serving(snapshot, population, Arc::clone(keys), calls)?;
        Ok(Self { fixture: Arc::new(fixture), feed })
    }

    /// Does with a delta what a follower does. Nanoseconds.
    fn apply(&self, delta: &SignedDelta) -> Result<u64, String> {
        let webhooks = &self.fixture.webhooks;
        let before = Instant::now();
        let served = webhooks.store.load_full().ok_or("no snapshot")?;
        let delta = Delta::verify(delta.bytes(), &webhooks.keys).map_err(|error| error.to_string())?;
        let (next, agrees) = served.apply(&delta, &webhooks.keys).map_err(|error| error.to_string())?;
        drop(served);
        webhooks.store.store(next);
        let elapsed = before.elapsed();
        if agrees {
            Ok(elapsed.as_nanos() as u64)
        } else {
            Err("the delta doesn't lead where it says".into())
        }
    }
}

/// Spreads changes over the numbers.
fn place(index: u64, numbers: u64) -> u64 {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % numbers
}

/// Answers on one thread, one call after the other, while this one does something each millisecond. How long each answer
/// took, in nanoseconds.
fn watch(fixture: &Fixture, mut meanwhile: impl FnMut() -> Result<(), String>) -> Result<Histogram, String> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let mut answers = Histogram::default();
            for index in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let before = Instant::now();
                fixture.answer_served(index);
                answers.record(before.elapsed().as_nanos() as u64);
            }
            answers
        });
        let started = Instant::now();
        let mut done = Ok(());
        while done.is_ok() && started.elapsed() < WATCHED {
            std::thread::sleep(CHANGE_EVERY);
            done = meanwhile();
        }
        stop.store(true, Ordering::Relaxed);
        let answers = answering.join().map_err(|_| "a call wasn't answered")?;
        done.map(|()| answers)
    })
}

fn row(what: &str, histogram: &Histogram) {
    let us = |ns: u64| ns as f64 / 1e3;
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| us(histogram.percentile(share)));
    say(&format!("| {what} | {p50:.1} | {p99:.1} | {p999:.1} | {:.0} |", us(histogram.max())));
}
