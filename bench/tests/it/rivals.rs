//! Servers that the router is compared with: they do what is said of them, and one that didn't wouldn't be measured.

use dialplane_bench::load;
use dialplane_bench::rivals::{self, Does};

const NUMBERS: u64 = 25;

#[test]
fn the_router_and_the_rivals_that_are_written_here_do_what_they_say() {
    for name in ["router", "hyper", "limit", "hyper-router", "axum"] {
        rivals::check(name, NUMBERS).unwrap();
    }
}

#[test]
fn the_rival_on_io_uring_does_where_the_system_has_it() {
    let broken = rivals::check("io-uring", NUMBERS).err().filter(|left_out| left_out.broken);
    assert!(broken.is_none(), "{broken:?}");
}

#[test]
fn a_server_that_only_seems_to_do_it_is_found_out() {
    let constant = load::start_bare();
    Does::Answers.check(&constant, NUMBERS).unwrap();
    assert!(Does::LooksUp.check(&constant, NUMBERS).unwrap_err().starts_with("wanted the stream wss://"));
    assert!(Does::Verifies.check(&constant, NUMBERS).is_err());
}
