//! Durations as Postgres has them: in whole microseconds.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;

use super::StoreError;

/// A duration, without what is less than a microsecond.
///
/// # Errors
/// [`StoreError::Malformed`] beyond 292,000 years.
pub fn interval(duration: Duration) -> Result<PgInterval, StoreError> {
    let microseconds = i64::try_from(duration.as_micros()).map_err(|_| StoreError::Malformed("interval"))?;
    Ok(PgInterval { months: 0, days: 0, microseconds })
}
