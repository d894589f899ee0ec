//! What is answered to the messages that we have no answer for: honestly, in the form that each wants.

use std::borrow::Cow;

use crate::provider::reply::{JSON, Rendered};

/// Which assistant goes on is decided by the tenant's own assistants, not by us.
pub fn no_handoff() -> Rendered {
    fixed(r#"{"error":"Nobody is there to hand over to."}"#)
}

/// We know no documents. The model answers without.
pub fn no_knowledge() -> Rendered {
    fixed(r#"{"documents":[]}"#)
}

/// How long a caller pauses is nothing that we can hear: Vapi's own example.
pub fn endpointing() -> Rendered {
    fixed(r#"{"timeoutSeconds":0.5}"#)
}

/// Anything with status 200 would be played as audio.
pub const fn no_voice() -> Rendered {
    Rendered::empty(501)
}

/// A JSON document that is always the same.
pub fn fixed(json: &'static str) -> Rendered {
    Rendered {
        status: 200,
        content_type: Some(JSON),
        body: Cow::Borrowed(json.as_bytes()),
        commands: Vec::new(),
    }
}
