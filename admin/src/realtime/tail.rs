//! Reads what is sealed, once for all readers of this process, while there are any.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::event::Event;
use super::hub::Hub;
use crate::store::audit::{self, Sealed};
use crate::store::{Scope, Store, StoreError};

/// A lost notification costs no more than this.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const ROWS_MAX: i64 = 200;

/// Hands out what is sealed. `sealed` is rung whenever something was.
pub async fn follow(store: Store, hub: Hub, sealed: Arc<Notify>) {
    let mut is_away = false;
    loop {
        let _ = tokio::time::timeout(LOOK_INTERVAL, sealed.notified()).await;
        let read = read_all(&store, &hub).await;
        if let Err(error) = &read
            && !is_away
        {
            // Once an outage, not once a try.
            tracing::warn!(%error, "events can't be read; trying again until they can");
        }
        is_away = read.is_err();
    }
}

async fn read_all(store: &Store, hub: &Hub) -> Result<(), StoreError> {
    while let Some(position) = hub.position() {
        let mut tx = store.read(Scope::Operator).await?;
        let entries = audit::behind(tx.conn(), position, ROWS_MAX).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        hub.hand_out(entries.iter().filter_map(Event::of), last.seq);
        // Only then: whoever looks at its key again does so after what it may still see.
        if entries.iter().any(takes_keys) {
            hub.keys_changed();
        }
    }
    Ok(())
}

/// Whether some key may be good no longer.
fn takes_keys(sealed: &Sealed) -> bool {
    sealed.entry.resource == "api_key" && sealed.entry.action != "insert"
}
