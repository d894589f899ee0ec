//! Who listens in this process, and up to which event all of them have been told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dialplane_common::ids::TenantId;
use tokio::sync::{mpsc, watch};

use super::event::Event;

/// Events that wait for one reader. One that is further behind reads the log instead: the buffer bounds memory, not what
/// is told.
const BUFFER: usize = 64;

/// Hands out events.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    keys_changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// All up to here have been handed out.
    position: u64,
    /// By whose events they get; absent: the platform's.
    owners: HashMap<Option<TenantId>, Vec<mpsc::Sender<Arc<Event>>>>,
}

/// One reader's part of what is handed out.
pub struct Subscription {
    /// Of the events up to here it gets none, of those behind all.
    pub position: u64,
    events: mpsc::Receiver<Arc<Event>>,
    owner: Option<TenantId>,
    hub: Hub,
}

impl Default for Hub {
    fn default() -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), keys_changed: watch::channel(()).0 }))
    }
}

impl Hub {
    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic could leave is a position that is too small: events come again, and readers pass over them.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to listen to a tenant's events, or the platform's. `seen` is a place that the chain has reached.
    #[must_use]
    pub fn subscribe(&self, owner: Option<TenantId>, seen: u64) -> Subscription {
        let (sender, events) = mpsc::channel(BUFFER);
        let mut state = self.state();
        // While nobody listens nothing is read, so that the position stays behind.
        if state.owners.is_empty() {
            state.position = seen;
        }
        state.owners.entry(owner).or_default().push(sender);
        Subscription { position: state.position, events, owner, hub: self.clone() }
    }

    /// Up to where all was handed out; `None` while nobody listens.
    #[must_use]
    pub fn position(&self) -> Option<u64> {
        let state = self.state();
        (!state.owners.is_empty()).then_some(state.position)
    }

    /// Hands out events, `upto` being the last place that was read. What was handed out already is passed over.
    pub fn hand_out(&self, events: impl Iterator<Item = Event>, upto: u64) {
        let mut state = self.state();
        let before = state.position;
        for event in events.filter(|event| event.seq > before) {
            let owner = event.tenant;
            let Some(senders) = state.owners.get_mut(&owner) else { continue };
            let event = Arc::new(event);
            // Whoever has no room left is let go of, and reads the log.
            senders.retain(|sender| sender.try_send(Arc::clone(&event)).is_ok());
            if senders.is_empty() {
                state.owners.remove(&owner);
            }
        }
        state.position = before.max(upto);
    }

    /// Tells that some key is no longer what it was.
    pub fn keys_changed(&self) {
        self.0.keys_changed.send_replace(());
    }

    /// Changes whenever some key is no longer what it was.
    #[must_use]
    pub fn watch_keys(&self) -> watch::Receiver<()> {
        self.0.keys_changed.subscribe()
    }
}

impl Subscription {
    /// The next event; `None` when this reader fell behind.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        self.events.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.events.close();
        let mut state = self.hub.state();
        if let Some(senders) = state.owners.get_mut(&self.owner) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                state.owners.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use uuid::Uuid;

    const MINE: Option<TenantId> = Some(TenantId(Uuid::from_u128(1)));
    const THEIRS: Option<TenantId> = Some(TenantId(Uuid::from_u128(2)));

    fn event(tenant: Option<TenantId>, seq: u64) -> Event {
        Event { seq, tenant, resource: "agent".into(), channels: Vec::new(), json: String::new() }
    }

    fn received(subscription: &mut Subscription) -> Vec<u64> {
        let next = || subscription.next().now_or_never().flatten().map(|event| event.seq);
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn an_owners_readers_get_its_events_once() {
        let hub = Hub::default();
        assert_eq!(hub.position(), None);
        let mut mine = hub.subscribe(MINE, 10);
        let mut theirs = hub.subscribe(THEIRS, 10);
        let mut platforms = hub.subscribe(None, 10);
        hub.hand_out([event(MINE, 11), event(THEIRS, 12), event(None, 13)].into_iter(), 13);
        // What was read twice, since the position had moved meanwhile.
        hub.hand_out([event(MINE, 11), event(MINE, 14)].into_iter(), 14);
        assert_eq!(received(&mut mine), [11, 14]);
        assert_eq!(received(&mut theirs), [12]);
        assert_eq!(received(&mut platforms), [13]);
        assert_eq!(hub.position(), Some(14));
    }

    #[test]
    fn who_comes_later_begins_where_the_others_are() {
        let hub = Hub::default();
        let first = hub.subscribe(MINE, 10);
        // The chain is further, but the others haven't been told yet.
        assert_eq!(hub.subscribe(MINE, 20).position, 10);
        drop(first);
        assert_eq!(hub.position(), None);
        assert_eq!(hub.subscribe(MINE, 20).position, 20);
    }

    #[test]
    fn who_has_no_room_is_let_go_of_and_keeps_what_came() {
        let hub = Hub::default();
        let mut slow = hub.subscribe(MINE, 0);
        let all = BUFFER as u64 + 5;
        hub.hand_out((1..=all).map(|seq| event(MINE, seq)), all);
        assert_eq!(received(&mut slow).len(), BUFFER);
        assert!(slow.next().now_or_never().is_some_and(|event| event.is_none()));
        assert_eq!(hub.position(), None);
    }
}
