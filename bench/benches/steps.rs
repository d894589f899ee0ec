//! One benchmark for each step of a call and of a change, named as the step's module.
//!
//! `cargo bench -p dialplane-bench --bench steps`, and a name to run only some. Lookups go to random numbers among a
//! million, so that caches are as cold as they are in use.

#![expect(clippy::unwrap_used, reason = "a benchmark whose workload is wrong can only stop")]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use dialplane_bench::counts::steps::{self, Fixture, Measure};
use dialplane_bench::population::Population;

const NUMBERS: u64 = 1_000_000;
const CALLS: u64 = 50_000;

struct Timed<'a>(&'a mut Criterion);

impl Measure for Timed<'_> {
    fn step(&mut self, name: &'static str, mut run: impl FnMut()) {
        self.0.bench_function(name, |bencher| bencher.iter(&mut run));
    }
}

fn all(criterion: &mut Criterion) {
    let fixture = Fixture::new(Population::of(NUMBERS), CALLS).unwrap();
    let mut timed = Timed(criterion);
    fixture.call(&mut timed).unwrap();
    fixture.change(&mut timed).unwrap();
    steps::hours(&mut timed).unwrap();
}

criterion_group! {
    name = steps;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = all
}
criterion_main!(steps);
