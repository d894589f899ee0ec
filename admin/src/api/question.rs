//! A call that nobody makes, as a query.

use dialplane_common::explain::Question;
use dialplane_common::time::UnixSeconds;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::invalid::Invalid;

/// A call that nobody makes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// The called address: an E.164 number, its plus written `%2B`, or a SIP URI.
    to: String,
    /// The caller; absent: one who withholds the number.
    from: Option<String>,
    /// When, as `2026-12-24T20:00:00Z`; absent: now.
    at: Option<String>,
    /// The provider's name of the call, on which shares of the calls depend.
    call_id: Option<String>,
}

impl ExplainQuery {
    /// The question.
    ///
    /// # Errors
    /// When the instant isn't one.
    pub fn question(self) -> Result<Question, Invalid> {
        let at = match self.at.as_deref() {
            None => Timestamp::now(),
            Some(text) => {
                text.parse().map_err(|_| Invalid::new("at", "wanted an instant like 2026-12-24T20:00:00Z"))?
            }
        };
        // In a query a plus is a space, and people forget.
        let number = |text: String| match text.strip_prefix(' ') {
            Some(digits) => format!("+{digits}"),
            None => text,
        };
        Ok(Question {
            to: number(self.to),
            from: self.from.map(number),
            at: UnixSeconds(at.as_second()),
            call_id: self.call_id,
        })
    }
}
