//! What a provider's REST API said.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Fault;

const EXCERPT_CHARS_MAX: usize = 300;

/// What a provider's REST API said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// How long the provider asks to wait before anything else: `Retry-After`, or its own header of that sense.
    pub retry_after: Option<Duration>,
    /// The `Location` header, where providers put the name of what was made.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A reply without headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, retry_after: None, location: None, body: body.into() }
    }

    /// Whether the status says that it was done: 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The body as JSON of this shape. What stands there beside it is passed over: providers add to their answers.
    ///
    /// # Errors
    /// [`Fault::Unclear`] when it is something else, a success that says nothing included.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Fault::unclear(format!("status {} with an answer that isn't as documented: {error}", self.status))
        })
    }

    /// What a provider said, as the beginning of a fault's reason that goes on with what a person does about it.
    #[must_use]
    pub fn reason(&self, said: &str) -> String {
        format!("status {}: {}", self.status, excerpt(said))
    }

    /// What a status that is no success means where the provider's own codes say nothing: `said` is the provider's
    /// words.
    #[must_use]
    pub fn fault(&self, code: &str, said: &str) -> Fault {
        let reason = self.reason(said);
        let code = if code.is_empty() { self.status.to_string() } else { code.to_owned() };
        match self.status {
            429 => Fault::Retry { reason, after: self.retry_after },
            408 | 500..=599 => Fault::Unclear { reason },
            404 | 410 => Fault::Gone { reason },
            200..=299 => Fault::Unclear { reason },
            _ => Fault::Stop { code, reason },
        }
    }
}

/// The beginning of what a provider said, on one line.
fn excerpt(said: &str) -> String {
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "no explanation".to_owned() } else { line.chars().take(EXCERPT_CHARS_MAX).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_told_apart_by_what_can_be_done() {
        let label = |status| Reply::new(status, "").fault("", "no").label();
        assert_eq!(
            [429, 408, 500, 503, 599].map(label),
            ["retry", "unclear", "unclear", "unclear", "unclear"]
        );
        assert_eq!([400, 401, 402, 403, 422].map(label), ["stop"; 5]);
        assert_eq!([404, 410].map(label), ["gone"; 2]);
        assert_eq!([200, 204].map(label), ["unclear"; 2]);
        // A gateway may say so of what was done behind it.
        let wait = Some(Duration::from_secs(7));
        let busy = Reply { retry_after: wait, ..Reply::new(503, "") };
        assert_eq!(busy.fault("", "").label(), "unclear");
        let many = Reply { retry_after: wait, ..Reply::new(429, "") };
        assert!(matches!(many.fault("", ""), Fault::Retry { after, .. } if after == wait));
    }

    #[test]
    fn an_answer_that_is_something_else_is_unclear() {
        let read = |body: &str| Reply::new(200, body).json::<std::collections::BTreeMap<String, u8>>();
        assert_eq!(read(r#"{"a":1}"#).unwrap()["a"], 1);
        for body in ["", "<html>", r#"{"a":"#, r#"{"a":"x"}"#, "[]"] {
            assert_eq!(read(body).unwrap_err().label(), "unclear", "{body}");
        }
    }

    #[test]
    fn what_a_provider_said_is_one_short_line() {
        let fault = Reply::new(400, "").fault("21421", &format!("not\n a number {}", "x".repeat(1000)));
        let text = fault.to_string();
        assert!(text.starts_with("status 400: not a number xxx") && text.ends_with("(21421)"), "{text}");
        assert!(text.len() < 350);
    }
}
