//! A body, up to a limit and within a time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// The most bytes of a body that a decision is made from.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// Why there is no body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BodyError {
    /// Larger than the limit.
    #[error("the body is larger than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// It didn't come whole within the time, or the connection broke.
    #[error("the body did not arrive whole in time")]
    Incomplete,
}

/// Reads a body whole.
///
/// # Errors
/// See [`BodyError`]. A body whose announced length is over the limit isn't read at all.
pub async fn read(mut body: Incoming, within: Duration) -> Result<Bytes, BodyError> {
    let announced = body.size_hint();
    if announced.lower() > BODY_BYTES_MAX as u64 {
        return Err(BodyError::TooLarge);
    }
    let read = async {
        let Some(first) = next(&mut body).await? else { return Ok(Bytes::new()) };
        // A webhook comes in one piece nearly always; then nothing is copied.
        let Some(second) = next(&mut body).await? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity(announced.lower() as usize);
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(data) = next(&mut body).await? {
            whole.extend_from_slice(&data);
            if whole.len() > BODY_BYTES_MAX {
                return Err(BodyError::TooLarge);
            }
        }
        Ok(whole.freeze())
    };
    let whole = tokio::time::timeout(within, read).await.unwrap_or(Err(BodyError::Incomplete))?;
    if whole.len() > BODY_BYTES_MAX { Err(BodyError::TooLarge) } else { Ok(whole) }
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
