//! What came together of a month's calls, over REST.

use dialplane_bench::usage::{self, Options};

#[test]
fn a_month_has_all_its_calls_however_it_is_put_together() {
    usage::run(&Options::of(2_000, 1)).unwrap();
}
