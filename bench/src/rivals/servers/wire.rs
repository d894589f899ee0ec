//! HTTP/1.1 by hand, as much of it as the requests of the measurement need.

use super::webhook::MEDIA_TYPE;

/// A request that has arrived whole.
pub struct Request<'a> {
    pub target: &'a str,
    pub signature: &'a [u8],
    pub body: &'a [u8],
    /// How many bytes it has.
    pub length: usize,
}

impl<'a> Request<'a> {
    /// The first request of these bytes. `None` until it is there.
    ///
    /// # Errors
    /// When they aren't one with a length.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, httparse::Error> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(body_at) = head.parse(bytes)? else { return Ok(None) };
        let header = |name: &str| {
            let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map_or(&b""[..], |header| header.value)
        };
        let length = std::str::from_utf8(header("content-length")).ok().and_then(|text| text.parse().ok());
        let length = body_at + length.unwrap_or(0_usize);
        let Some(body) = bytes.get(body_at..length) else { return Ok(None) };
        let signature = header("x-twilio-signature");
        Ok(Some(Self { target: head.path.unwrap_or_default(), signature, body, length }))
    }
}

/// Appends an answer.
pub fn answer(status: u16, body: &[u8], out: &mut Vec<u8>) {
    let reason = match status {
        200 => "OK",
        403 => "Forbidden",
        _ => "Not Found",
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {length}\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body);
}
