//! Notifications of Postgres, as bells within this process.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::Notify;

use super::Store;

/// How long a lost connection is left alone.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Rings each bell when its channel is notified, by any process: all over one connection. Whoever waits for a bell also
/// looks by itself now and then, since a notification can get lost.
pub async fn ring(store: Store, bells: Vec<(&'static str, Arc<Notify>)>) {
    loop {
        if let Ok(mut listener) = PgListener::connect_with(store.pool()).await
            && listener.listen_all(bells.iter().map(|(channel, _)| *channel)).await.is_ok()
        {
            while let Ok(notification) = listener.recv().await {
                let rung = bells.iter().filter(|(channel, _)| *channel == notification.channel());
                rung.for_each(|(_, bell)| bell.notify_one());
            }
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}
