//! What to do with an entry of the stream. Pure.

use dialplane_common::feed::Revision;

/// What to do with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It is the one that follows.
    Apply,
    /// It is in the snapshot already.
    Skip,
    /// Something between is missing: load a checkpoint.
    Reload,
}

/// Judges an entry by its revision.
#[must_use]
pub fn decide(have: Revision, entry: Revision) -> Step {
    if entry <= have {
        Step::Skip
    } else if entry == have.next() {
        Step::Apply
    } else {
        Step::Reload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_next_is_applied() {
        let check = |have, entry, expected| assert_eq!(decide(Revision(have), Revision(entry)), expected);
        check(7, 6, Step::Skip);
        check(7, 7, Step::Skip);
        check(7, 8, Step::Apply);
        check(7, 9, Step::Reload);
        check(0, 1, Step::Apply);
        check(u64::MAX - 1, u64::MAX, Step::Apply);
    }
}
