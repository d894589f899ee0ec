//! HTTP Basic: Bandwidth signs nothing. Sources: RFC 7617,
//! <https://dev.bandwidth.com/docs/account/applications>.

use super::mac;

/// The `Authorization` header of an application's callback credentials.
#[must_use]
pub fn authorization(username: &str, password: &str) -> String {
    format!("Basic {}", mac::base64(format!("{username}:{password}").as_bytes()))
}
