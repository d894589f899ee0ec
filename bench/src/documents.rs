//! The answers that every provider renders, for checking them with the providers' own libraries: `make conformance`.

use std::io::{self, Write};

use dialplane_common::provider::documents::{self, Document};
use dialplane_common::provider::{PROVIDERS, Provider};
use serde_json::{Value, json};

/// Writes each answer to standard output as a line of JSON: `provider`, `action`, `case`, `content_type`, `body` and
/// `commands`, each with its `path` and `body`.
///
/// # Errors
/// Says what couldn't be written.
pub fn print() -> Result<(), String> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for provider in PROVIDERS {
        for document in documents::of(*provider) {
            writeln!(out, "{}", line(*provider, &document)).map_err(|error| error.to_string())?;
        }
    }
    out.flush().map_err(|error| error.to_string())
}

fn line(provider: &dyn Provider, document: &Document) -> Value {
    let commands = document.rendered.commands.iter().map(|command| {
        json!({"path": command.path, "body": serde_json::from_slice::<Value>(&command.body).unwrap_or_default()})
    });
    json!({
        "provider": provider.name(),
        "action": document.action,
        "case": document.case,
        "content_type": document.rendered.content_type,
        "body": String::from_utf8_lossy(&document.rendered.body),
        "commands": commands.collect::<Vec<_>>(),
    })
}
