//! How long ago a request was signed: too long is a replay, too far ahead a clock that is wrong.

use super::request::VerifyError;
use crate::time::{UnixMillis, UnixSeconds};

/// For protocols that sign whole seconds: at most `age_s_max` of them either way.
///
/// # Errors
/// [`VerifyError::Stale`].
pub fn check_seconds(signed_at: UnixSeconds, now: UnixMillis, age_s_max: i64) -> Result<(), VerifyError> {
    let age_s = now.seconds().0.saturating_sub(signed_at.0);
    if age_s.unsigned_abs() > age_s_max.unsigned_abs() {
        return Err(VerifyError::Stale { age_s, age_s_max });
    }
    Ok(())
}

/// For those that count milliseconds: at most `age_s_max` seconds either way, and not a millisecond more.
///
/// # Errors
/// [`VerifyError::Stale`].
pub fn check_millis(signed_at: UnixMillis, now: UnixMillis, age_s_max: i64) -> Result<(), VerifyError> {
    let age_ms = now.0.saturating_sub(signed_at.0);
    if age_ms.unsigned_abs() > age_s_max.unsigned_abs() * 1000 {
        return Err(VerifyError::Stale { age_s: age_ms / 1000, age_s_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_and_the_last_millisecond_still_count() {
        for (now_ms, seconds, millis) in [
            (1_300_000, true, true),
            (1_300_001, true, false),
            (1_301_000, false, false),
            (700_000, true, true),
            (699_999, false, false),
            (i64::MAX, false, false),
            (i64::MIN, false, false),
        ] {
            let (now, at) = (UnixMillis(now_ms), UnixSeconds(1_000));
            assert_eq!(check_seconds(at, now, 300).is_ok(), seconds, "{now_ms}");
            assert_eq!(check_millis(at.into(), now, 300).is_ok(), millis, "{now_ms}");
        }
    }
}
