//! Times as providers write them.

use jiff::Timestamp;

/// `Thu, 30 Jul 2015 23:19:04 +0000`.
pub fn rfc2822(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// `2026-11-20T18:13:42.521Z`.
pub fn millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `2026-11-20 18:13:42`, in UTC without saying so.
pub fn plain(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_providers_write_them() {
        let at: Timestamp = "2026-11-20T18:13:42.5219Z".parse().unwrap();
        assert_eq!(rfc2822(at), "Fri, 20 Nov 2026 18:13:42 +0000");
        assert_eq!(millis(at), "2026-11-20T18:13:42.521Z");
        assert_eq!(plain(at), "2026-11-20 18:13:42");
    }
}
