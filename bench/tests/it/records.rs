//! What is recorded of calls, beside what routers were told.

use dialplane_bench::records::{self, Options};

#[test]
fn whatever_is_lost_comes_again_or_is_killed_records_say_what_was_told() {
    records::run(&Options::of(3_000, 4, 11)).unwrap();
}
