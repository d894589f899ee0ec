//! The same events in Redis, published on channels of the same names: what a listener there misses, it reads over REST.

use std::sync::Arc;

use dialplane_common::feed::keys::Keys;
use redis::Pipeline;
use tokio::sync::mpsc;

use super::event::Event;
use crate::metrics::Metrics;
use crate::redis_link::RedisLink;
use crate::store::audit::Sealed;

/// Batches that wait for Redis; sealing doesn't wait for it.
pub const BATCHES_MAX: usize = 64;

/// Publishes what was sealed, until whoever seals is gone.
pub async fn run(
    mut sealed: mpsc::Receiver<Vec<Sealed>>,
    link: RedisLink,
    keys: Keys,
    metrics: Arc<Metrics>,
) {
    let mut is_away = false;
    while let Some(entries) = sealed.recv().await {
        let events: Vec<_> = entries.iter().filter_map(Event::of).collect();
        if events.is_empty() {
            continue;
        }
        let published = link.pipe::<()>(&pipeline(&keys, &events)).await;
        match &published {
            Err(error) => {
                metrics.events_unsent(events.len() as u64);
                // Once an outage, not once a try.
                if !is_away {
                    tracing::warn!(%error, "events can't be published in Redis; they are over REST");
                }
            }
            Ok(()) if is_away => tracing::info!("events are published in Redis again"),
            Ok(()) => {}
        }
        is_away = published.is_err();
    }
}

fn pipeline(keys: &Keys, events: &[Event]) -> Pipeline {
    let mut pipeline = redis::pipe();
    for event in events {
        for channel in &event.channels {
            pipeline.publish(keys.realtime(&channel.to_string()), &event.json).ignore();
        }
    }
    pipeline
}
