//! How long a provider asks to wait, by its reply's headers.

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};

/// Longer isn't believed: whoever waits asks again after an hour. It also keeps sums of times within what clocks can
/// say.
pub const WAIT_MAX: Duration = Duration::from_secs(3_600);
const RATE_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
/// Some providers tell seconds to wait there, some a moment in seconds or milliseconds since 1970: the former are never
/// as many as these, nor the seconds as many as the milliseconds.
const EPOCH_S_MIN: u64 = 1_000_000_000;
const EPOCH_MS_MIN: u64 = 1_000_000_000_000;

/// How long the provider asks to wait: `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3), else, when
/// there were too many requests, `x-ratelimit-reset`. That one stands in other replies too, where it asks for nothing.
///
/// `now` is what our clock says; where the reply tells the provider's (`Date`), a date is compared with that.
#[must_use]
pub fn asked_wait(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let header = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let until_date = |text: &str| {
        let now = header(DATE).and_then(date).unwrap_or(now);
        Some(date(text)?.duration_since(now).unwrap_or_default())
    };
    let retry_after = header(RETRY_AFTER).and_then(|text| match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => until_date(text),
    });
    let reset = || {
        let too_many = status == StatusCode::TOO_MANY_REQUESTS;
        header(RATE_RESET).filter(|_| too_many)?.parse().ok().map(|reset| until(reset, now))
    };
    retry_after.or_else(reset).map(|wait| wait.min(WAIT_MAX))
}

fn until(reset: u64, now: SystemTime) -> Duration {
    let moment = match reset {
        EPOCH_MS_MIN.. => Duration::from_millis(reset),
        EPOCH_S_MIN.. => Duration::from_secs(reset),
        seconds => return Duration::from_secs(seconds),
    };
    moment.saturating_sub(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_in_every_form_that_providers_use() {
        // Fri, 20 Nov 2026 10:00:00 GMT.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_168_800);
        let check = |status: u16, headers: &[(&str, &str)], expected: Option<u64>| {
            let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let found = asked_wait(StatusCode::from_u16(status).unwrap(), &pairs.collect(), now);
            assert_eq!(found, expected.map(Duration::from_secs), "{status} {headers:?}");
        };
        check(429, &[], None);
        check(429, &[("retry-after", "7")], Some(7));
        check(503, &[("retry-after", " 0 ")], Some(0));
        check(429, &[("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT")], Some(30));
        check(429, &[("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT")], Some(0));
        // A provider whose clock is an hour ahead.
        let ahead =
            [("retry-after", "Fri, 20 Nov 2026 11:00:30 GMT"), ("date", "Fri, 20 Nov 2026 11:00:00 GMT")];
        check(429, &ahead, Some(30));
        for malformed in ["", "soon", "-1", "1.5", "99999999999999999999", "\u{7f}"] {
            let Ok(value) = malformed.parse::<http::HeaderValue>() else { continue };
            check(429, &[("retry-after", value.to_str().unwrap())], None);
        }
        check(429, &[("retry-after", "18446744073709551615")], Some(3_600));
        check(429, &[("x-ratelimit-reset", "12")], Some(12));
        check(429, &[("x-ratelimit-reset", "1795168812")], Some(12));
        check(429, &[("x-ratelimit-reset", "1795168812000")], Some(12));
        check(429, &[("x-ratelimit-reset", "1795168000")], Some(0));
        check(429, &[("x-ratelimit-reset", "12"), ("retry-after", "3")], Some(3));
        // Not an overload: it only tells how the account stands.
        check(200, &[("x-ratelimit-reset", "12")], None);
        check(503, &[("x-ratelimit-reset", "12")], None);
    }
}
