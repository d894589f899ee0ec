//! What a call allocates, compared with the committed figures. The only test of its program: it counts all that the
//! program allocates.

use dialplane_bench::counts::Counts;
use dialplane_bench::counts::allocator::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_step_allocates_more_than_the_committed_figure() {
    let worse = Counts::of_this_program().unwrap().worse_than(&Counts::committed().unwrap());
    assert!(worse.is_empty(), "worse than bench/counts.json:\n{}", worse.join("\n"));
}
