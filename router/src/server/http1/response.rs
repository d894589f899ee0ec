//! An answer's bytes.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use hyper::StatusCode;

use crate::outcome::{Answer, Outcome};

/// All that is said where there is no time to answer, and that the connection ends.
pub static OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
    dialplane-outcome: overloaded\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 11\r\n\r\noverloaded\n";

/// The same on a connection that stays open.
static OVERLOADED_NOW: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
    dialplane-outcome: overloaded\r\nretry-after: 1\r\ncontent-length: 11\r\n\r\noverloaded\n";

/// What is said where there is no time to answer. `last`: the connection ends with it.
pub fn overloaded(last: bool) -> &'static [u8] {
    if last { OVERLOADED } else { OVERLOADED_NOW }
}

/// Appends an answer. `last`: the connection ends with it. `now` is its date.
pub fn write(answer: &Answer, last: bool, now: SystemTime, out: &mut Vec<u8>) {
    let rendered = &answer.rendered;
    let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::OK);
    out.extend_from_slice(match status {
        StatusCode::OK => b"HTTP/1.1 200 OK\r\n",
        StatusCode::NO_CONTENT => b"HTTP/1.1 204 No Content\r\n",
        _ => b"HTTP/1.1 ",
    });
    if !matches!(status, StatusCode::OK | StatusCode::NO_CONTENT) {
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if let Some(content_type) = rendered.content_type {
        field(b"content-type: ", content_type.as_bytes(), out);
    }
    if answer.outcome != Outcome::Answered {
        field(b"dialplane-outcome: ", answer.outcome.label().as_bytes(), out);
    }
    if last {
        out.extend_from_slice(b"connection: close\r\n");
    }
    field(b"date: ", &date(now), out);
    // RFC 9110, section 8.6: never with 204.
    let body: &[u8] = if status == StatusCode::NO_CONTENT { &[] } else { &rendered.body };
    if status != StatusCode::NO_CONTENT {
        let mut digits = [0; 20];
        field(b"content-length: ", decimal(body.len(), &mut digits), out);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn decimal(mut value: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &digits[at..];
        }
    }
}

/// A time as RFC 9110, section 5.6.7, writes it; written once a second.
fn date(now: SystemTime) -> [u8; 29] {
    thread_local! {
        static DATE: Cell<(u64, [u8; 29])> = const { Cell::new((u64::MAX, [b' '; 29])) };
    }
    let second = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (written_at, text) = DATE.get();
    if written_at == second {
        return text;
    }
    let mut text = [b' '; 29];
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
    let written = httpdate::fmt_http_date(time);
    if let Some(written) = written.as_bytes().first_chunk() {
        text = *written;
    }
    DATE.set((second, text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    use dialplane_common::provider::reply::Rendered;

    fn written(answer: &Answer, last: bool) -> String {
        let mut out = Vec::new();
        write(answer, last, SystemTime::now(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let (before, after) = text.split_once("date: ").unwrap();
        let (date, after) = after.split_once("\r\n").unwrap();
        assert!(httpdate::parse_http_date(date).is_ok(), "{date}");
        format!("{before}{after}")
    }

    fn answer(outcome: Outcome, status: u16, body: &'static str) -> Answer {
        let (content_type, commands) = ((!body.is_empty()).then_some("text/xml"), Vec::new());
        let body = Cow::Borrowed(body.as_bytes());
        Answer::document(outcome, Rendered { status, content_type, body, commands })
    }

    #[test]
    fn answers_as_they_go_over_the_wire() {
        assert_eq!(
            written(&answer(Outcome::Answered, 200, "<Response/>"), false),
            "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 11\r\n\r\n<Response/>"
        );
        assert_eq!(written(&answer(Outcome::Answered, 204, ""), false), "HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(
            written(&Answer::refusal(Outcome::SignatureWrong, "no\n"), true),
            "HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain; charset=utf-8\r\n\
             dialplane-outcome: signature_wrong\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno\n"
        );
        assert_eq!(
            written(&answer(Outcome::Answered, 200, ""), false),
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        );
    }

    #[test]
    fn lengths_are_decimal() {
        for value in [0, 7, 10, 65_535, usize::MAX] {
            assert_eq!(decimal(value, &mut [0; 20]), value.to_string().as_bytes());
        }
    }
}
