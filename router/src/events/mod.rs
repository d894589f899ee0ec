//! What happens to calls, on its way to the admin plane.
//!
//! A worker puts an event into its own buffer of the [`queue`], which costs some hundred nanoseconds and waits for nothing.
//! The [`writer`], a thread of its own, empties the buffers, cuts what was in them into batches ([`frames`]), numbers and signs
//! these, and keeps each ([`unstored`]) until the admin plane says that it is stored. Meanwhile it lies in Redis's stream
//! ([`link`]); where Redis doesn't take it, or too many wait, in a file ([`spill`]) that the next router goes on with.
//!
//! What there is no room for is dropped before it has a number, the newest first, and counted. So a writer's numbers have
//! no hole, and what was taken in is worth as much as what comes later.

mod frames;
mod link;
pub mod metrics;
pub mod queue;
mod spill;
pub mod text;
mod unstored;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dialplane_common::calls::event::CallEvent;
use dialplane_common::feed::keys::Keys;
use link::Link;
use queue::{QUEUE_BYTES, Queue};
use spill::Spill;
use tokio::sync::oneshot;
use writer::{MEMORY_BYTES_MAX, Parts, Writer};

use crate::webhook::Webhooks;

/// What becomes of events.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Batches that the stream in Redis may hold.
    pub stream_max: usize,
    /// Where what Redis doesn't take waits.
    pub folder: Option<PathBuf>,
    /// Bytes of all files in it.
    pub folder_bytes_max: u64,
}

/// Takes events in, unless they are off.
#[derive(Clone, Debug, Default)]
pub struct Events(Option<Arc<Queue>>);

impl Events {
    /// For so many workers. What is taken in waits for [`start`].
    #[must_use]
    pub fn on(workers: usize) -> Self {
        Self(Some(Arc::new(Queue::new(workers, QUEUE_BYTES))))
    }

    /// Whether anybody wants to know.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes an event in, or counts it where there is no room.
    pub fn offer(&self, event: &CallEvent<'_>) {
        if let Some(queue) = &self.0 {
            queue.offer(event);
        }
    }

    /// What waits.
    #[must_use]
    pub const fn queue(&self) -> Option<&Arc<Queue>> {
        self.0.as_ref()
    }
}

/// The thread that sees to it that events are stored.
#[derive(Debug)]
pub struct Running {
    thread: JoinHandle<()>,
    stop: oneshot::Sender<Duration>,
}

impl Running {
    /// Waits until what was taken in is sent, at most so long, or lies in a file.
    pub fn stop(self, limit: Duration) {
        // When it has ended already, there is nothing to tell.
        let _ = self.stop.send(limit);
        if self.thread.join().is_err() {
            tracing::error!("the writer of events panicked");
        }
    }
}

/// Begins to send what `webhooks` takes in; `None` when events are off.
///
/// # Errors
/// When the system has no thread or descriptor left.
pub fn start(
    settings: &Settings,
    webhooks: &Arc<Webhooks>,
    redis: Option<(redis::Client, &str)>,
) -> std::io::Result<Option<Running>> {
    let Some(queue) = webhooks.events.queue().cloned() else { return Ok(None) };
    let link = redis.map(|(client, namespace)| Link::new(client, &Keys::new(namespace), settings.stream_max));
    let keys = Arc::clone(&webhooks.keys);
    let spill = settings.folder.clone().map(|folder| Spill::new(folder, settings.folder_bytes_max, keys));
    let (webhooks, memory_bytes_max) = (Arc::clone(webhooks), MEMORY_BYTES_MAX);
    let writer = Writer::new(Parts { webhooks, queue, link, spill, memory_bytes_max });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("events".into())
        .spawn(move || runtime.block_on(writer.run(stopped)))?;
    Ok(Some(Running { thread, stop }))
}

#[cfg(test)]
pub(crate) mod samples {
    use dialplane_common::calls::event::{CallEvent, What};
    use dialplane_common::ids::AccountId;
    use uuid::Uuid;

    /// A text message of this id.
    pub fn event(id: &str) -> CallEvent<'_> {
        CallEvent {
            at_ms: 1_800_000_000_000,
            provider: "twilio".into(),
            account: AccountId(Uuid::from_u128(1)),
            tenant: None,
            number: None,
            call_id: id.into(),
            carrier_call_id: None,
            to: "+12125550001".into(),
            from: "+15105550198".into(),
            what: What::Message,
        }
    }
}
