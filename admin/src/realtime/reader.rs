//! One reader's events, without a hole and without a repeat: from the log until it has caught up, then as they are handed
//! out, and from the log again when it was too slow for that.

use std::collections::VecDeque;
use std::sync::Arc;

use dialplane_common::ids::TenantId;

use super::event::Event;
use super::hub::{Hub, Subscription};
use crate::store::audit;
use crate::store::{Scope, Store, StoreError};

/// Entries read at once.
const ROWS_MAX: i64 = 200;

/// One reader.
pub struct Reader {
    store: Store,
    hub: Hub,
    scope: Scope,
    /// Whose events; absent: the platform's.
    owner: Option<TenantId>,
    /// All of the owner's events up to here have been given out, or wait in `read`.
    position: u64,
    read: VecDeque<Arc<Event>>,
    source: Source,
}

/// Where the next event comes from.
enum Source {
    /// The log, up to its end.
    Log,
    /// The log, up to where the subscription begins.
    Bridge(Subscription),
    /// What is handed out.
    Live(Subscription),
}

impl Reader {
    /// Reads a tenant's events, or the platform's, behind `position`, as `scope` sees them.
    #[must_use]
    pub fn new(store: Store, hub: Hub, scope: Scope, owner: Option<TenantId>, position: u64) -> Self {
        Self { store, hub, scope, owner, position, read: VecDeque::new(), source: Source::Log }
    }

    /// The next event, whenever it comes. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn next(&mut self) -> Result<Arc<Event>, StoreError> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Ok(event);
            }
            if let Source::Live(subscription) = &mut self.source {
                match subscription.next().await {
                    Some(event) if event.seq > self.position => {
                        self.position = event.seq;
                        return Ok(event);
                    }
                    Some(_) => {}
                    None => self.source = Source::Log,
                }
            } else {
                self.read_log().await?;
            }
        }
    }

    /// Reads a page of the log; where there is none, goes over to what is handed out.
    async fn read_log(&mut self) -> Result<(), StoreError> {
        let upto = match &self.source {
            Source::Bridge(subscription) => subscription.position,
            _ => end(&self.store).await?,
        };
        let mut tx = self.store.read(self.scope).await?;
        let entries = audit::of_owner(tx.conn(), self.owner, self.position, upto, ROWS_MAX).await?;
        drop(tx);
        if let Some(last) = entries.last() {
            self.position = last.seq;
            self.read.extend(entries.iter().filter_map(Event::of).map(Arc::new));
            return Ok(());
        }
        self.position = self.position.max(upto);
        self.source = match std::mem::replace(&mut self.source, Source::Log) {
            Source::Bridge(subscription) => Source::Live(subscription),
            _ => Source::Bridge(self.hub.subscribe(self.owner, upto)),
        };
        Ok(())
    }
}

/// The last place of the chain, whosever entry stands there.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn end(store: &Store) -> Result<u64, StoreError> {
    let mut tx = store.read(Scope::Operator).await?;
    Ok(audit::head(tx.conn()).await?.seq)
}
