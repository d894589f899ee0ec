//! A body, up to a limit and within a time.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dialplane_common::provider::Size;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::Semaphore;

use crate::outcome::Outcome;

/// The most bytes of a body that a decision is made from.
const DECISION_BYTES_MAX: usize = 64 << 10;

/// The most bytes of a body that may hold a whole conversation.
const EVENT_BYTES_MAX: usize = 8 << 20;

/// How many bodies larger than [`DECISION_BYTES_MAX`] arrive at a time: those that are whole are answered at once, so
/// that this bounds the memory that bodies take.
const LARGE_MAX: usize = 32;

/// Places for large bodies.
#[derive(Debug)]
pub struct LargeBodies(Semaphore);

impl Default for LargeBodies {
    fn default() -> Self {
        Self(Semaphore::new(LARGE_MAX))
    }
}

/// Why there is no body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BodyError {
    /// Larger than the limit.
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// It didn't come whole within the time, or the connection broke.
    #[error("the body did not arrive whole in time")]
    Incomplete,
}

impl BodyError {
    /// How the request ended.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::TooLarge { .. } => Outcome::TooLarge,
            Self::Incomplete => Outcome::Incomplete,
        }
    }
}

/// Reads a body whole.
///
/// # Errors
/// See [`BodyError`]. A body whose announced length is over the limit isn't read at all.
pub async fn read(
    mut body: Incoming,
    size: Size,
    within: Duration,
    large: &LargeBodies,
) -> Result<Bytes, BodyError> {
    let bytes_max = match size {
        Size::Decision => DECISION_BYTES_MAX,
        Size::Event => EVENT_BYTES_MAX,
    };
    let too_large = BodyError::TooLarge { bytes_max };
    let announced = body.size_hint();
    if announced.lower() > bytes_max as u64 {
        return Err(too_large);
    }
    let read = async {
        let Some(first) = next(&mut body).await? else { return Ok(Bytes::new()) };
        // A webhook comes in one piece nearly always; then nothing is copied.
        let Some(second) = next(&mut body).await? else { return Ok(first) };
        let small = usize::try_from(announced.lower()).unwrap_or(0).min(DECISION_BYTES_MAX);
        let mut whole = BytesMut::with_capacity(small);
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        let mut place = None;
        loop {
            if whole.len() > bytes_max {
                return Err(too_large);
            }
            if whole.len() > DECISION_BYTES_MAX && place.is_none() {
                // The semaphore is never closed. Whoever waits here too long is told that the body came too late.
                place = large.0.acquire().await.ok();
            }
            let Some(data) = next(&mut body).await? else { return Ok(whole.freeze()) };
            whole.extend_from_slice(&data);
        }
    };
    let mut read = pin!(read);
    // Most bodies are there already: only one that isn't needs a clock.
    let whole = match read.as_mut().now_or_never() {
        Some(whole) => whole,
        None => tokio::time::timeout(within, read).await.unwrap_or(Err(BodyError::Incomplete)),
    }?;
    if whole.len() > bytes_max { Err(too_large) } else { Ok(whole) }
}

/// The next piece of data; trailers are passed over.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Incomplete)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
