//! How long a carrier waits for a webhook, and how often it tries again: its own measures, or what stands in the fragment
//! of the URL, which is never sent.

use std::time::Duration;

use super::Answer;

/// How long, and how often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patience {
    /// Until the whole answer is there.
    pub read: Duration,
    /// How often it is tried again.
    pub retries: u32,
    /// When: `4xx`, `5xx`, `ct`, `rt`, `all`.
    pub retry_on: Vec<String>,
}

impl Patience {
    /// Waits so long, and tries again so often when there is no connection.
    pub fn new(read_ms: u64, retries: u32) -> Self {
        Self { read: Duration::from_millis(read_ms), retries, retry_on: vec!["ct".to_owned()] }
    }

    /// The same, as the URL's fragment has it.
    pub fn of(mut self, url: &str) -> Self {
        let fragment = url.split_once('#').map(|(_, fragment)| fragment).unwrap_or_default();
        for (name, value) in fragment.split('&').filter_map(|part| part.split_once('=')) {
            let millis = value.parse().ok().map(Duration::from_millis);
            match name {
                "rt" | "tt" => self.read = millis.map_or(self.read, |limit| limit.min(self.read)),
                "rc" => self.retries = value.parse().map_or(self.retries, |count: u32| count.min(5)),
                "rp" => self.retry_on = value.split(',').map(str::to_owned).collect(),
                _ => {}
            }
        }
        self
    }

    /// Whether this end is one to try again after.
    pub fn wants_another(&self, outcome: &Result<Answer, String>) -> bool {
        let kind = match outcome {
            Ok(answer) if answer.status >= 500 => "5xx",
            Ok(answer) if answer.status >= 400 => "4xx",
            Ok(_) => return false,
            Err(error) if error.starts_with("timeout") => "rt",
            Err(_) => "ct",
        };
        self.retry_on.iter().any(|on| on == kind || on == "all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fragment_says_otherwise() {
        let usual = Patience::new(15_000, 1);
        assert_eq!(usual.clone().of("https://x.example/a"), usual);
        let patience = usual.of("https://x.example/a#ct=1000&rt=3000&rc=2&rp=5xx,ct,rt");
        assert_eq!((patience.read, patience.retries), (Duration::from_secs(3), 2));
        let answer = |status| Ok(Answer { status, content_type: String::new(), body: String::new() });
        assert!(patience.wants_another(&answer(503)) && patience.wants_another(&Err("timeout: x".into())));
        assert!(!patience.wants_another(&answer(404)) && !patience.wants_another(&answer(200)));
    }
}
