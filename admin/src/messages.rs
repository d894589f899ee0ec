//! How text messages are answered: the document of kind `sms`, and what it compiles to.

use dialplane_common::location::Sms;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::{self, Invalid};
use crate::numbering;

/// What carriers take as one message.
const REPLY_CHARS_MAX: usize = 1_600;

/// Text messages. A field that is absent or null is inherited: from the tenant, then the platform.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsDocument {
    /// Whether anything is done with them; set nowhere: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What is sent back while the location is open: 1 to 1600 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_open: Option<String>,
    /// What is sent back while it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_closed: Option<String>,
    /// Whom they are passed on to: a number in the E.164 form. Whoever writes from it gets no reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_to: Option<String>,
}

impl SmsDocument {
    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where.
    pub fn compile(&self) -> Result<Sms, Invalid> {
        for (field, text) in [("reply_open", &self.reply_open), ("reply_closed", &self.reply_closed)] {
            text.as_deref().map_or(Ok(()), |text| invalid::spoken(field, text, REPLY_CHARS_MAX))?;
        }
        let forward_to = self.forward_to.as_deref().map(|text| numbering::possible("forward_to", text));
        Ok(Sms {
            enabled: self.enabled,
            reply_open: self.reply_open.clone(),
            reply_closed: self.reply_closed.clone(),
            forward_to: forward_to.transpose()?,
        })
    }

    /// This document, with what it lacks from `behind`.
    #[must_use]
    pub fn over(self, behind: &Self) -> Self {
        Self {
            enabled: self.enabled.or(behind.enabled),
            reply_open: self.reply_open.or_else(|| behind.reply_open.clone()),
            reply_closed: self.reply_closed.or_else(|| behind.reply_closed.clone()),
            forward_to: self.forward_to.or_else(|| behind.forward_to.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_place() {
        for (json, field) in [
            (r#"{"reply_open":" "}"#, "reply_open"),
            (r#"{"reply_closed":"a\u0000"}"#, "reply_closed"),
            (r#"{"forward_to":"555"}"#, "forward_to"),
        ] {
            let document: SmsDocument = serde_json::from_str(json).unwrap();
            assert_eq!(document.compile().unwrap_err().field, field, "{json}");
        }
    }
}
