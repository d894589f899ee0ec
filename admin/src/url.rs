//! What is wanted of a URL that a router hands on.

use crate::invalid::Invalid;

/// The most bytes of a URL.
const BYTES_MAX: usize = 2_000;

/// Checks that `text` is an absolute URL of one of `schemes`, with a host and no byte that ends it early.
///
/// # Errors
/// What is wanted at `field`.
pub fn absolute(field: &str, text: &str, schemes: &[&str]) -> Result<(), Invalid> {
    let refuse = |wanted: String| Err(Invalid::new(field, wanted));
    let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)?.strip_prefix("://")) else {
        let wanted: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
        return refuse(format!("wanted an absolute URL that begins with {}", wanted.join(" or ")));
    };
    let stray = |byte: u8| !byte.is_ascii_graphic() || b"\"<>\\^`{|}".contains(&byte);
    if text.len() > BYTES_MAX || rest.bytes().any(stray) {
        return refuse(format!(
            "wanted at most {BYTES_MAX} characters, none of them a blank, a control, \" < > \\ ^ ` {{ | }} \
             or beyond ASCII"
        ));
    }
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if host.is_empty()
        || !host.bytes().all(host_byte)
        || port.is_some_and(|port| port.parse::<u16>().is_err())
    {
        return refuse("wanted a host, perhaps a port, and no user or password".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wants_scheme_and_host_and_nothing_strange() {
        for text in ["https://a", "https://a.example:8443/x?y=1&z=2#w", "https://[::1]:80/"] {
            assert!(absolute("url", text, &["https"]).is_ok(), "{text}");
        }
        for text in [
            "",
            "https://",
            "http://a",
            "//a",
            "https:///x",
            "https://u@a",
            "https://a:x",
            "https://a b",
            "https://a/\n",
            "https://a/<x>",
            "https://?x",
            "HTTPS://a",
            "https://é",
        ] {
            assert!(absolute("url", text, &["https"]).is_err(), "{text:?}");
        }
    }
}
