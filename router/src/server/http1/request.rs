//! The requests that are answered without hyper: those that nearly all webhooks are.
//!
//! Read here is only what leaves no doubt about where a request ends and what it says: HTTP/1.1, a path of plain
//! characters, a body of an announced length that fits in the buffer, nothing asked of the connection. Anything else is
//! hyper's to read or to refuse. Source: RFC 9112.

use std::mem::MaybeUninit;

use hyper::Method;

use super::HEAD_BYTES_MAX;

/// The longest body that is read here: that of a webhook on which a call is decided.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// The most headers that are read here: Twilio sends a dozen, proxies add some.
pub const HEADERS_MAX: usize = 32;

/// The most bytes that a request takes here.
pub const BYTES_MAX: usize = HEAD_BYTES_MAX + BODY_BYTES_MAX;

/// A header: its name as written, and its value.
pub type Header<'a> = (&'a str, &'a [u8]);

/// What the bytes of a connection begin with.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A whole request.
    Request(Request<'a>),
    /// The beginning of a head.
    Head,
    /// A `POST`'s head, and not all of its body.
    Body {
        /// Path and query, as written.
        target: &'a str,
        /// How many bytes the request takes.
        length: usize,
    },
    /// Something for hyper.
    Other,
}

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: Method,
    /// Path and query, as written.
    pub target: &'a str,
    /// The headers, as written.
    pub headers: &'a [Header<'a>],
    /// The body.
    pub body: &'a [u8],
    /// How many bytes the request takes.
    pub length: usize,
    /// Whether it is the connection's last.
    pub last: bool,
}

/// Reads what `bytes` begin with. `headers` is room for a request's headers.
pub fn read<'a>(bytes: &'a [u8], headers: &'a mut [Header<'a>; HEADERS_MAX]) -> Found<'a> {
    let mut parsed = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut []);
    let head_length = match head.parse_with_uninit_headers(bytes, &mut parsed) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Found::Head,
        _ => return Found::Other,
    };
    let (Some(1), Some(method), Some(target)) = (head.version, head.method, head.path) else {
        return Found::Other;
    };
    if !is_plain(target) {
        return Found::Other;
    }
    let Some(framing) = Framing::of(head.headers) else { return Found::Other };
    let (method, body_length) = match (method, framing.body_length) {
        ("POST", Some(length)) if length <= BODY_BYTES_MAX => (Method::POST, length),
        ("GET", None | Some(0)) => (Method::GET, 0),
        _ => return Found::Other,
    };
    let length = head_length + body_length;
    let Some(body) = bytes.get(head_length..length) else { return Found::Body { target, length } };
    let count = head.headers.len();
    for (own, header) in headers.iter_mut().zip(head.headers.iter()) {
        *own = (header.name, header.value);
    }
    Found::Request(Request { method, target, headers: &headers[..count], body, length, last: framing.last })
}

/// Whether a target is a path, of characters that nobody reads in two ways.
fn is_plain(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| PLAIN[byte as usize])
}

/// The characters of paths and queries, RFC 3986, section 3.3 and 3.4.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        plain[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"/?%&=+-._~:@!$'()*,;";
    let mut index = 0;
    while index < others.len() {
        plain[others[index] as usize] = true;
        index += 1;
    }
    plain
};

/// What headers say about where a request ends, and whether another follows.
#[derive(Default)]
struct Framing {
    /// As announced; absent: not announced.
    body_length: Option<usize>,
    last: bool,
}

impl Framing {
    /// `None`: hyper has to look.
    fn of(headers: &[httparse::Header<'_>]) -> Option<Self> {
        let mut framing = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            match header.name.len() {
                14 if is("content-length") => {
                    if framing.body_length.is_some() {
                        return None;
                    }
                    framing.body_length = Some(decimal(header.value)?);
                }
                10 if is("connection") => match header.value {
                    value if value.eq_ignore_ascii_case(b"keep-alive") => {}
                    value if value.eq_ignore_ascii_case(b"close") => framing.last = true,
                    _ => return None,
                },
                17 if is("transfer-encoding") => return None,
                6 if is("expect") => return None,
                7 if is("upgrade") => return None,
                _ => {}
            }
        }
        Some(framing)
    }
}

fn decimal(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 7 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| Some(value * 10 + char::from(*digit).to_digit(10)? as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str =
        "POST /webhooks/twilio/voice?a=%20b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na=b";

    fn found(text: &str) -> String {
        let mut headers = [("", &b""[..]); HEADERS_MAX];
        match read(text.as_bytes(), &mut headers) {
            Found::Request(request) => {
                let body = std::str::from_utf8(request.body).unwrap();
                let last = if request.last { " last" } else { "" };
                format!("{} {} {} {body}{last}", request.method, request.target, request.headers.len())
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_webhook_is_read_once_it_is_whole() {
        let head = POST.find("\r\n\r\n").unwrap() + 4;
        for end in 0..POST.len() {
            let body =
                format!("Body {{ target: \"/webhooks/twilio/voice?a=%20b\", length: {} }}", POST.len());
            let expected = if end < head { "Head" } else { &body };
            assert_eq!(found(&POST[..end]), expected, "{end}");
        }
        let whole = "POST /webhooks/twilio/voice?a=%20b 2 a=b";
        assert_eq!(found(POST), whole);
        assert_eq!(found(&format!("{POST}POST / HTTP")), whole, "the next one's beginning isn't its body");
        assert_eq!(found("GET /a HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n"), "GET /a 2 ");
        assert_eq!(found("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "GET /a 2  last");
    }

    #[test]
    fn where_two_could_read_differently_hyper_reads() {
        let with = |from: &str, to: &str| {
            assert!(POST.contains(from));
            POST.replace(from, to)
        };
        for text in [
            with("HTTP/1.1", "HTTP/1.0"),
            with("POST", "PUT"),
            with("POST", "get"),
            with("POST /", "POST http://h/"),
            with("POST /", "POST *"),
            with("a=%20b", "a=#b"),
            with("a=%20b", "a={b}"),
            with("a=%20b", "a=\u{e4}"),
            with("Content-Length: 3", "Content-Length: 3\r\nContent-Length: 3"),
            with("Content-Length: 3", "Content-Length: +3"),
            with("Content-Length: 3", "Content-Length: 3, 3"),
            with("Content-Length: 3", "Content-Length:"),
            with("Content-Length: 3", "Content-Length: 65537"),
            with("Content-Length: 3", "Content-Length: 99999999999999999999"),
            with("Content-Length: 3", "Content-Length: 3\r\nTransfer-Encoding: chunked"),
            with("Content-Length: 3", "Transfer-Encoding: chunked"),
            with("Content-Length: 3", "Content-Length : 3"),
            with("Content-Length: 3\r\n", ""),
            with("Host: h", "Expect: 100-continue"),
            with("Host: h", "Upgrade: h2c"),
            with("Host: h", "Connection: keep-alive, upgrade"),
            with("Host: h", " folded: h"),
            with("Host: h", &"A: b\r\n".repeat(HEADERS_MAX)),
            with("Host: h", &format!("A: {}", "b".repeat(HEAD_BYTES_MAX))),
            "GET /a HTTP/1.1\r\nContent-Length: 1\r\n\r\na".into(),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
            "\u{16}\u{3}\u{1}".into(),
            "A".repeat(HEAD_BYTES_MAX),
        ] {
            assert_eq!(found(&text), "Other", "{text}");
        }
    }
}
