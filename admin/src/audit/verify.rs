//! `audit verify`: walks the whole chain and names the first entry that isn't as it was sealed.

use futures_util::TryStreamExt;

use super::chain;
use crate::Failure;
use crate::config::VerifySettings;
use crate::store::audit::{self, Head, Sealed};
use crate::store::{self, StoreError};
use crate::telemetry;

/// What was found wrong first.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry isn't where it was.
    #[error("entry {missing} is missing: the next is {found}")]
    Missing {
        /// The place that nothing stands in.
        missing: u64,
        /// The place that was found instead.
        found: u64,
    },
    /// The hash isn't that of the entry and what is before it.
    #[error(
        "entry {seq} was altered, or isn't the one that was sealed there: {action} of {resource} {resource_id} at {at}"
    )]
    Altered {
        /// Its place.
        seq: u64,
        /// What it says was done.
        action: String,
        /// To what kind of thing.
        resource: String,
        /// To which one.
        resource_id: String,
        /// When.
        at: String,
    },
    /// The chain ends before the entry that is known to have been there.
    #[error("entries behind {last} are missing: the chain had {expected}")]
    Short {
        /// The last entry.
        last: u64,
        /// One that was there.
        expected: u64,
    },
    /// The chain is whole, and not the one that is known.
    #[error("entry {seq} has another hash than it had: the chain was written anew")]
    Another {
        /// The entry whose hash is known.
        seq: u64,
    },
}

/// Walks a chain, an entry at a time.
pub struct Walk {
    head: Head,
    expected: Option<Head>,
}

impl Walk {
    /// Begins before the first entry. `expected` is an end that the chain is known to have had.
    #[must_use]
    pub const fn new(expected: Option<Head>) -> Self {
        Self { head: Head { seq: 0, hash: [0; 32] }, expected }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn step(&mut self, sealed: &Sealed) -> Result<(), Broken> {
        let head = chain::next(self.head, &sealed.entry);
        if sealed.seq != head.seq {
            return Err(Broken::Missing { missing: head.seq, found: sealed.seq });
        }
        if sealed.hash != head.hash {
            let entry = &sealed.entry;
            return Err(Broken::Altered {
                seq: head.seq,
                action: entry.action.clone(),
                resource: entry.resource.clone(),
                resource_id: entry.resource_id.clone(),
                at: entry.at.0.to_string(),
            });
        }
        match self.expected {
            Some(expected) if expected.seq == head.seq && expected.hash != head.hash => {
                Err(Broken::Another { seq: head.seq })
            }
            _ => {
                self.head = head;
                Ok(())
            }
        }
    }

    /// Where the chain ends.
    ///
    /// # Errors
    /// When it is known to have been longer.
    pub fn end(self) -> Result<Head, Broken> {
        match self.expected {
            Some(expected) if expected.seq > self.head.seq => {
                Err(Broken::Short { last: self.head.seq, expected: expected.seq })
            }
            _ => Ok(self.head),
        }
    }
}

/// Why a walk ended early.
#[derive(Debug, thiserror::Error)]
enum WalkError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Runs the command.
///
/// # Errors
/// When the chain is broken, or can't be read.
pub async fn run(settings: VerifySettings) -> Result<(), Failure> {
    telemetry::start(settings.log);
    let (head, unsealed) =
        walk(&settings.database_url, settings.expected).await.map_err(|error| match error {
            WalkError::Store(error) => Failure::new("read the audit log", &error),
            WalkError::Broken(broken) => Failure::new("the audit log is broken", &broken),
        })?;
    let (seq, hash) = (head.seq, chain::digits(&head.hash));
    #[expect(clippy::print_stdout, reason = "the one who ran the command reads it")]
    {
        println!(
            "dialplane-admin: the audit log is whole: {seq} entries, seq {seq} hash {hash}, {unsealed} not sealed"
        );
    }
    Ok(())
}

/// Where the chain ends, and how many entries aren't in it yet, of one state.
async fn walk(database_url: &str, expected: Option<Head>) -> Result<(Head, i64), WalkError> {
    let pool = store::open(database_url)?;
    let mut tx = audit::begin_walk(&pool).await?;
    let mut walk = Walk::new(expected);
    {
        let mut chain = std::pin::pin!(audit::chain(&mut tx));
        while let Some(sealed) = chain.try_next().await? {
            walk.step(&sealed)?;
        }
    }
    Ok((walk.end()?, audit::count_unsealed(&mut tx).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::audit::Entry;
    use crate::store::instant::Instant;

    fn chain_of(length: i64) -> Vec<Sealed> {
        let mut head = Head { seq: 0, hash: [0; 32] };
        (1..=length)
            .map(|id| {
                let entry = Entry {
                    id,
                    tenant_id: None,
                    at: Instant(jiff::Timestamp::UNIX_EPOCH),
                    actor: None,
                    request_id: None,
                    address: None,
                    action: "insert".into(),
                    resource: "tenant".into(),
                    resource_id: id.to_string(),
                    before: None,
                    after: None,
                };
                head = chain::next(head, &entry);
                Sealed { seq: head.seq, hash: head.hash.to_vec(), entry }
            })
            .collect()
    }

    fn walk(chain: &[Sealed], expected: Option<Head>) -> Result<Head, Broken> {
        let mut walk = Walk::new(expected);
        chain.iter().try_for_each(|sealed| walk.step(sealed))?;
        walk.end()
    }

    fn head_of(sealed: &Sealed) -> Head {
        Head { seq: sealed.seq, hash: sealed.hash.clone().try_into().unwrap() }
    }

    #[test]
    fn a_whole_chain_ends_where_it_is_expected_to() {
        let chain = chain_of(5);
        assert_eq!(walk(&chain, None).unwrap(), head_of(&chain[4]));
        // It may have grown since.
        assert_eq!(walk(&chain, Some(head_of(&chain[2]))).unwrap().seq, 5);
        assert_eq!(walk(&[], None).unwrap().seq, 0);
    }

    #[test]
    fn names_the_first_entry_that_is_wrong() {
        let altered = |at: usize, change: fn(&mut Sealed)| {
            let mut chain = chain_of(5);
            change(&mut chain[at]);
            walk(&chain, None).unwrap_err()
        };
        let is_altered =
            |broken: &Broken, at: u64| matches!(broken, Broken::Altered { seq, .. } if *seq == at);
        assert!(is_altered(&altered(2, |sealed| sealed.entry.resource = "agent".into()), 3));
        assert!(is_altered(&altered(4, |sealed| sealed.hash[0] ^= 1), 5));
        let mut removed = chain_of(5);
        removed.remove(1);
        assert_eq!(walk(&removed, None), Err(Broken::Missing { missing: 2, found: 3 }));
        let mut exchanged = chain_of(5);
        exchanged.swap(1, 3);
        (exchanged[1].seq, exchanged[3].seq) = (2, 4);
        assert!(is_altered(&walk(&exchanged, None).unwrap_err(), 2));
    }

    #[test]
    fn a_known_end_shows_what_the_chain_alone_cant() {
        let chain = chain_of(5);
        let known = head_of(&chain[4]);
        assert_eq!(walk(&chain[..3], Some(known)), Err(Broken::Short { last: 3, expected: 5 }));
        let other = Head { hash: [7; 32], ..known };
        assert_eq!(walk(&chain, Some(other)), Err(Broken::Another { seq: 5 }));
    }
}
