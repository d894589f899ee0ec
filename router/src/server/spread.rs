//! Spreads connections evenly over the workers.
//!
//! Whichever worker is awake takes what comes, and connections stay for long: left to themselves, sixteen connections
//! opened one after the other all lie with one of two workers, most of the time (bench/BASELINES.md, "Listeners"). So
//! whoever accepts passes on to the worker that has the fewest.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::peers::Admission;
use crate::tls::Acceptor;
use crate::webhook::Peer;

/// A connection that is begun elsewhere than where it was accepted. How many there are is bounded by what is admitted.
#[derive(Debug)]
pub struct Passed {
    /// Its socket.
    pub stream: TcpStream,
    /// The rest of it.
    pub begun: Begun,
}

/// What a connection has besides its socket.
#[derive(Debug)]
pub struct Begun {
    /// What shakes hands; absent for a plain one.
    pub tls: Option<Acceptor>,
    /// The other end.
    pub peer: Peer,
    /// Its place among those that may be open.
    pub admission: Admission,
    /// Its place with the worker.
    pub place: Place,
}

/// All workers, as each of them sees them.
#[derive(Clone, Debug)]
pub struct Spread(Arc<[Worker]>);

#[derive(Debug)]
struct Worker {
    open: AtomicUsize,
    inbox: UnboundedSender<Passed>,
}

/// A connection's place with a worker. Dropping it counts it out.
#[derive(Debug)]
pub struct Place {
    spread: Spread,
    worker: usize,
}

impl Place {
    /// The worker's index.
    #[must_use]
    pub const fn worker(&self) -> usize {
        self.worker
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.spread.0[self.worker].open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Spread {
    /// So many workers without a connection, and what each is passed.
    #[must_use]
    pub fn new(workers: usize) -> (Self, Vec<UnboundedReceiver<Passed>>) {
        let (workers, inboxes): (Vec<_>, _) = std::iter::repeat_with(mpsc::unbounded_channel)
            .take(workers)
            .map(|(inbox, passed)| (Worker { open: AtomicUsize::new(0), inbox }, passed))
            .unzip();
        (Self(workers.into()), inboxes)
    }

    /// A place with the worker that has the fewest connections: with this one, if no other has fewer.
    #[must_use]
    pub fn place(&self, own: usize) -> Place {
        let open = |worker: usize| self.0[worker].open.load(Ordering::Relaxed);
        let fewest = (0..self.0.len()).min_by_key(|worker| (open(*worker), *worker != own)).unwrap_or(own);
        self.0[fewest].open.fetch_add(1, Ordering::Relaxed);
        Place { spread: self.clone(), worker: fewest }
    }

    /// Passes a connection to the worker of its place. Gives it back when that one has ended.
    ///
    /// # Errors
    /// The connection.
    pub fn pass(&self, passed: Passed) -> Result<(), Box<Passed>> {
        let inbox = &self.0[passed.begun.place.worker].inbox;
        inbox.send(passed).map_err(|refused| Box::new(refused.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_first_and_ones_own_among_equals() {
        let (spread, _inboxes) = Spread::new(3);
        let mut places: Vec<Place> = (0..9).map(|_| spread.place(1)).collect();
        let workers: Vec<usize> = places.iter().map(Place::worker).collect();
        assert_eq!(workers, [1, 0, 2, 1, 0, 2, 1, 0, 2]);
        places.retain(|place| place.worker() != 2);
        assert_eq!([spread.place(1).worker(), spread.place(0).worker()], [2, 2], "it has none");
    }
}
