//! What comes while the same kind of thing is being stored is stored together: one message, one transaction and one commit
//! for all of it. Nobody waits for company: what comes when nothing is being stored goes at once. Two batches at a time were
//! no faster than one, and what both have of one row would be in each other's way.
//!
//! Each batch is a task of its own, so that a request that is given up takes nobody's change with it; and whatever way the
//! task ends, its end starts the next.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// A batch that takes longer is waited for by its own changes alone: a lock on a whole table, or a server that fell silent,
/// is no reason for others not to try another connection.
const PATIENCE: Duration = Duration::from_secs(1);
/// Changes in one batch: more would hold the rows of the first for the time that the last takes.
const CHANGES_MAX: usize = 64;
/// Bytes of all that is in one batch, unless its first alone has more.
const BYTES_MAX: usize = 1 << 20;

/// Stores changes of one kind together.
pub(super) trait Storing: Send + Sync + 'static {
    /// What is to be stored.
    type Change: Send;
    /// What came of it.
    type Outcome: Send;

    /// About how many bytes a change has.
    fn bytes(change: &Self::Change) -> usize;

    /// Stores them. Their outcomes, in the same order.
    fn store(&self, changes: Vec<Self::Change>) -> impl Future<Output = Vec<Self::Outcome>> + Send;
}

/// Changes that wait, and whether a batch is under way.
pub(super) struct Gathering<S: Storing> {
    storing: S,
    queue: Mutex<Queue<S>>,
}

struct Queue<S: Storing> {
    waiting: VecDeque<Waiting<S>>,
    /// Until it ends, or takes too long.
    is_under_way: bool,
}

struct Waiting<S: Storing> {
    change: S::Change,
    outcome: oneshot::Sender<S::Outcome>,
}

struct Batch<S: Storing> {
    changes: Vec<S::Change>,
    /// Who waits for each.
    outcomes: Vec<oneshot::Sender<S::Outcome>>,
}

/// The one batch that is under way. Its end starts the next.
struct Place<S: Storing>(Arc<Gathering<S>>);

impl<S: Storing> Gathering<S> {
    pub fn new(storing: S) -> Arc<Self> {
        Arc::new(Self { storing, queue: Mutex::new(Queue { waiting: VecDeque::new(), is_under_way: false }) })
    }

    pub const fn storing(&self) -> &S {
        &self.storing
    }

    /// Stores a change with those that wait as well. `None`: the task that stored it came to a sudden end. Given up before
    /// its batch is under way, it isn't stored.
    pub async fn store(self: &Arc<Self>, change: S::Change) -> Option<S::Outcome> {
        let (sender, outcome) = oneshot::channel();
        self.queue().waiting.push_back(Waiting { change, outcome: sender });
        self.start();
        outcome.await.ok()
    }

    fn start(self: &Arc<Self>) {
        let mut queue = self.queue();
        if queue.is_under_way {
            return;
        }
        let batch = queue.take();
        if batch.changes.is_empty() {
            return;
        }
        queue.is_under_way = true;
        // A runtime that is going drops the task, and the place with it, at once.
        drop(queue);
        tokio::spawn(Place(Arc::clone(self)).store(batch));
    }

    fn queue(&self) -> MutexGuard<'_, Queue<S>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Storing> Queue<S> {
    /// The first that wait, less those that were given up.
    fn take(&mut self) -> Batch<S> {
        let mut batch = Batch { changes: Vec::new(), outcomes: Vec::new() };
        let mut bytes = 0;
        while batch.changes.len() < CHANGES_MAX {
            let Some(next) = self.waiting.pop_front() else { break };
            if next.outcome.is_closed() {
                continue;
            }
            bytes += S::bytes(&next.change);
            if bytes > BYTES_MAX && !batch.changes.is_empty() {
                self.waiting.push_front(next);
                break;
            }
            batch.changes.push(next.change);
            batch.outcomes.push(next.outcome);
        }
        batch
    }
}

impl<S: Storing> Place<S> {
    async fn store(self, batch: Batch<S>) {
        let gathering = Arc::clone(&self.0);
        let mut storing = pin!(gathering.storing.store(batch.changes));
        let in_time = tokio::time::timeout(PATIENCE, &mut storing).await;
        // The next goes on its way before this one's are told.
        drop(self);
        let outcomes = match in_time {
            Ok(outcomes) => outcomes,
            Err(_) => storing.await,
        };
        for (waiting, outcome) in batch.outcomes.into_iter().zip(outcomes) {
            // Whoever gave it up meanwhile has what it asked for all the same.
            let _ = waiting.send(outcome);
        }
    }
}

impl<S: Storing> Drop for Place<S> {
    fn drop(&mut self) {
        self.0.queue().is_under_way = false;
        if tokio::runtime::Handle::try_current().is_ok() {
            self.0.start();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;
    use tokio::task::JoinHandle;

    use super::*;

    /// Tells what batches there were. A batch needs a turn of `turns` to end; whatever is `dies` ends the task.
    struct Told {
        batches: Mutex<Vec<Vec<(u32, usize)>>>,
        turns: Semaphore,
    }

    const DIES: u32 = u32::MAX;

    impl Storing for Told {
        type Change = (u32, usize);
        type Outcome = u32;

        fn bytes(change: &(u32, usize)) -> usize {
            change.1
        }

        async fn store(&self, changes: Vec<(u32, usize)>) -> Vec<u32> {
            self.batches.lock().unwrap().push(changes.clone());
            self.turns.acquire().await.unwrap().forget();
            assert!(changes.iter().all(|(name, _)| *name != DIES), "as it is told to");
            changes.iter().map(|(name, _)| name * 2).collect()
        }
    }

    type Submitted = JoinHandle<Option<u32>>;

    fn told() -> Arc<Gathering<Told>> {
        Gathering::new(Told { batches: Mutex::default(), turns: Semaphore::new(0) })
    }

    /// Submits changes, each once what the last started has begun.
    async fn submit(gathering: &Arc<Gathering<Told>>, changes: &[(u32, usize)]) -> Vec<Submitted> {
        let mut submitted = Vec::new();
        for change in changes.iter().copied() {
            let gathering = Arc::clone(gathering);
            submitted.push(tokio::spawn(async move { gathering.store(change).await }));
            settle().await;
        }
        submitted
    }

    /// Lets all tasks of this test's one thread come as far as they can.
    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn batches(gathering: &Gathering<Told>) -> Vec<Vec<u32>> {
        let batches = gathering.storing().batches.lock().unwrap();
        batches.iter().map(|batch| batch.iter().map(|(name, _)| *name).collect()).collect()
    }

    async fn outcomes(submitted: Vec<Submitted>) -> Vec<Option<u32>> {
        join_all(submitted).await.into_iter().map(Result::unwrap).collect()
    }

    #[tokio::test]
    async fn the_first_goes_at_once_and_what_comes_meanwhile_goes_together() {
        let gathering = told();
        let submitted = submit(&gathering, &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]).await;
        assert_eq!(batches(&gathering), [vec![1]]);
        gathering.storing().turns.add_permits(1);
        settle().await;
        assert_eq!(batches(&gathering), [vec![1], vec![2, 3, 4, 5]]);
        gathering.storing().turns.add_permits(1);
        assert_eq!(outcomes(submitted).await, [2, 4, 6, 8, 10].map(Some));
        assert!(!gathering.queue().is_under_way);
    }

    #[tokio::test]
    async fn a_batch_has_only_so_much() {
        let gathering = told();
        let big = BYTES_MAX / 2;
        let all = [(1, 1), (2, 1), (3, big), (4, big - 1), (5, 1), (6, BYTES_MAX * 2), (7, 1)];
        let submitted = submit(&gathering, &all).await;
        gathering.storing().turns.add_permits(all.len());
        assert_eq!(outcomes(submitted).await, [2, 4, 6, 8, 10, 12, 14].map(Some));
        assert_eq!(batches(&gathering), [vec![1], vec![2, 3, 4], vec![5], vec![6], vec![7]]);

        let gathering = told();
        let all: Vec<_> = (0..200).map(|name| (name, 1)).collect();
        let submitted = submit(&gathering, &all).await;
        gathering.storing().turns.add_permits(all.len());
        let answered: HashMap<_, _> = (0..).zip(outcomes(submitted).await).collect();
        assert!((0..200).all(|name| answered[&name] == Some(name * 2)), "{answered:?}");
        let sizes: Vec<_> = batches(&gathering).iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, CHANGES_MAX, CHANGES_MAX, CHANGES_MAX, 200 - 1 - 3 * CHANGES_MAX]);
    }

    #[tokio::test]
    async fn who_gives_up_takes_nobody_along() {
        let gathering = told();
        let submitted = submit(&gathering, &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]).await;
        // One whose batch is under way, and one that waits: the first is stored all the same, the other isn't.
        submitted[0].abort();
        submitted[3].abort();
        settle().await;
        gathering.storing().turns.add_permits(2);
        let mut left = Vec::new();
        for task in submitted {
            left.push(task.await.ok().flatten());
        }
        assert_eq!(left, [None, Some(4), Some(6), None, Some(10)]);
        assert_eq!(batches(&gathering), [vec![1], vec![2, 3, 5]]);
    }

    #[tokio::test]
    async fn a_batch_that_dies_stops_nothing() {
        let gathering = told();
        let submitted = submit(&gathering, &[(1, 1), (2, 1), (DIES, 1)]).await;
        gathering.storing().turns.add_permits(3);
        assert_eq!(outcomes(submitted).await, [Some(2), None, None]);
        let submitted = submit(&gathering, &[(5, 1)]).await;
        assert_eq!(outcomes(submitted).await, [Some(10)]);
        assert!(!gathering.queue().is_under_way);
    }

    #[test]
    fn a_runtime_that_ends_takes_all_along() {
        let gathering = told();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let submitted = runtime.block_on(submit(&gathering, &[(1, 1), (2, 1), (3, 1)]));
        while batches(&gathering).is_empty() {
            std::thread::yield_now();
        }
        drop((runtime, submitted));
        assert!(!gathering.queue().is_under_way);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_hangs_holds_nobody_up() {
        let gathering = told();
        let submitted = submit(&gathering, &[(1, 1), (2, 1), (3, 1)]).await;
        assert_eq!(batches(&gathering), [vec![1]]);
        tokio::time::sleep(PATIENCE * 2).await;
        assert_eq!(batches(&gathering), [vec![1], vec![2, 3]]);
        gathering.storing().turns.add_permits(2);
        assert_eq!(outcomes(submitted).await, [2, 4, 6].map(Some));
        assert!(!gathering.queue().is_under_way);
    }
}
