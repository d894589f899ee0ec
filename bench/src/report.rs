//! What a measurement prints.

use std::io::Write;

/// Prints a line at once, so that a long measurement shows how far it is. Whoever reads no further is no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
