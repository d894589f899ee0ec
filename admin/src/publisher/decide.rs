//! What to do about what lies in Redis. Pure.

use dialplane_common::feed::{Digest, Epoch, Revision};

/// Where the stream ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The feed's life.
    pub epoch: Epoch,
    /// The last entry's revision.
    pub revision: Revision,
    /// Its digest.
    pub digest: Digest,
}

/// Why the feed begins a new life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EpochReason {
    /// Redis has no pointer: it is new, or was emptied.
    NoPointer,
    /// The pointer names an epoch that this Postgres has never had: it was restored, or a standby took over.
    UnknownEpoch,
    /// The epoch's stream isn't there, or its last entry isn't, so that nobody knows what it ended with.
    NoStream,
    /// The stream is ahead of Postgres, which was restored from a backup.
    Ahead,
    /// The stream says something else at a revision than Postgres.
    Digest,
    /// Postgres no longer has what Redis lacks.
    Hole,
    /// A router reports a state that Postgres never had, or keeps computing another digest.
    Report,
    /// Somebody asked for it.
    Asked,
}

impl EpochReason {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::NoPointer,
        Self::UnknownEpoch,
        Self::NoStream,
        Self::Ahead,
        Self::Digest,
        Self::Hole,
        Self::Report,
        Self::Asked,
    ];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoPointer => "no_pointer",
            Self::UnknownEpoch => "unknown_epoch",
            Self::NoStream => "no_stream",
            Self::Ahead => "ahead",
            Self::Digest => "digest",
            Self::Hole => "hole",
            Self::Report => "report",
            Self::Asked => "asked",
        }
    }
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Append behind this.
    GoOn(Position),
    /// Begin a new epoch.
    NewEpoch(EpochReason),
}

/// A stream of an epoch that this Postgres began ends at `last` with the digest `found` (absent: somebody trimmed that
/// entry away). Postgres recorded `recorded` for that revision (absent: pruned, or never had) and is at `newest`.
///
/// A stream that ends before `newest` lacks what a crash or a failover kept back: it is filled in from there.
#[must_use]
pub fn resume(
    epoch: Epoch,
    last: Revision,
    found: Option<Digest>,
    recorded: Option<Digest>,
    newest: Revision,
) -> Next {
    if last > newest {
        return Next::NewEpoch(EpochReason::Ahead);
    }
    match (found, recorded) {
        (None, _) => Next::NewEpoch(EpochReason::NoStream),
        (_, None) => Next::NewEpoch(EpochReason::Hole),
        (Some(found), Some(recorded)) if found != recorded => Next::NewEpoch(EpochReason::Digest),
        (Some(digest), Some(_)) => Next::GoOn(Position { epoch, revision: last, digest }),
    }
}

/// Whether what a router reports of this epoch can't have come from Postgres, which is at `newest` with a digest.
/// `recorded` is the digest there at the router's revision.
///
/// Another digest at the newest revision is a state that a restored backup took back, written over since: until the
/// next change nothing tells the router.
#[must_use]
pub fn is_impossible(
    reported: (Revision, Digest),
    digest_alarm: bool,
    recorded: Option<Digest>,
    newest: (Revision, Digest),
) -> bool {
    let (revision, digest) = reported;
    if revision >= newest.0 {
        return reported != newest;
    }
    // Another digest, met by the next delta, makes the router reload by itself; again after that it raises the alarm.
    digest_alarm && recorded.is_some_and(|recorded| recorded != digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Epoch = Epoch(uuid::Uuid::from_u128(1));

    fn check(last: u64, found: Option<u128>, recorded: Option<u128>, newest: u64, expected: Next) {
        let next = resume(EPOCH, Revision(last), found.map(Digest), recorded.map(Digest), Revision(newest));
        assert_eq!(next, expected);
    }

    fn at(revision: u64, digest: u128) -> Next {
        Next::GoOn(Position { epoch: EPOCH, revision: Revision(revision), digest: Digest(digest) })
    }

    #[test]
    fn goes_on_where_the_stream_ends() {
        check(7, Some(1), Some(1), 7, at(7, 1));
        check(5, Some(1), Some(1), 7, at(5, 1));
    }

    #[test]
    fn begins_anew_where_nobody_can_tell_what_the_stream_ended_with() {
        for recorded in [Some(1), None] {
            check(5, None, recorded, 7, Next::NewEpoch(EpochReason::NoStream));
            check(7, None, recorded, 7, Next::NewEpoch(EpochReason::NoStream));
        }
    }

    #[test]
    fn begins_anew_when_postgres_never_said_that() {
        check(8, Some(1), None, 7, Next::NewEpoch(EpochReason::Ahead));
        check(7, Some(2), Some(1), 7, Next::NewEpoch(EpochReason::Digest));
        check(3, Some(2), None, 7, Next::NewEpoch(EpochReason::Hole));
    }

    #[test]
    fn believes_routers_that_are_behind() {
        let check = |revision, digest, alarm, recorded: Option<u128>, expected| {
            let reported = (Revision(revision), Digest(digest));
            let newest = (Revision(7), Digest(1));
            assert_eq!(is_impossible(reported, alarm, recorded.map(Digest), newest), expected);
        };
        check(7, 1, false, Some(1), false);
        check(7, 2, false, None, true);
        check(6, 2, false, Some(1), false);
        check(6, 2, true, Some(1), true);
        check(6, 2, true, None, false);
        check(8, 1, false, None, true);
    }
}
