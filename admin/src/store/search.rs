//! Searching in texts.
//!
//! No index serves it: below row-level security Postgres reads a row's text only once it knows that the row may be seen,
//! so a search reads the rows of the list that it is in.

/// Texts that hold another, in capitals or not. As a pattern of `ILIKE`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(String);

impl Pattern {
    /// Those that hold `text`.
    #[must_use]
    pub fn containing(text: &str) -> Self {
        let escaped: String = text
            .chars()
            .flat_map(|c| matches!(c, '\\' | '%' | '_').then_some('\\').into_iter().chain([c]))
            .collect();
        Self(format!("%{escaped}%"))
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_patterns_stand_for_themselves() {
        for (text, expected) in [("Nails", "%Nails%"), (r"50%_\", r"%50\%\_\\%")] {
            assert_eq!(Pattern::containing(text).as_str(), expected);
        }
    }
}
