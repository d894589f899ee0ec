//! Numbers and where their agents listen, in as little memory as the standard map allows.

use std::collections::HashMap;
use std::path::Path;

/// Numbers and their streams.
pub struct Numbers {
    /// All URLs, one after the other.
    text: String,
    /// Where a number's URL stands, and its length.
    places: HashMap<u64, (u32, u32)>,
}

impl Numbers {
    /// Reads lines of a number, a blank and a URL.
    ///
    /// # Errors
    /// When there is no such file, or a line is something else.
    pub fn read(path: &Path) -> Result<Self, String> {
        let lines = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut numbers = Self { text: String::new(), places: HashMap::new() };
        for line in lines.lines() {
            numbers.add(line).ok_or_else(|| format!("not a number and its URL: {line}"))?;
        }
        numbers.text.shrink_to_fit();
        numbers.places.shrink_to_fit();
        Ok(numbers)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let (number, url) = line.split_once(' ')?;
        let place = (u32::try_from(self.text.len()).ok()?, u32::try_from(url.len()).ok()?);
        self.places.insert(key(number.as_bytes())?, place);
        self.text.push_str(url);
        Some(())
    }

    /// Where a number's agent listens.
    pub fn stream_url(&self, number: &[u8]) -> Option<&str> {
        let (start, length) = *self.places.get(&key(number)?)?;
        self.text.get(start as usize..)?.get(..length as usize)
    }
}

/// The digits of an E.164 number as one integer.
fn key(number: &[u8]) -> Option<u64> {
    std::str::from_utf8(number).ok()?.strip_prefix('+')?.parse().ok()
}
