//! Why a request to somebody else's server came to nothing.

/// Why a request came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// As many as its tenant's server takes are under way, or as many as this program makes.
    Busy,
    /// The server failed too often lately.
    Open,
    /// Its URL is none that can be asked.
    Url,
    /// Its name leads to no address.
    Resolve,
    /// Its name leads to addresses only that may not be asked.
    Address,
    /// It takes no connection.
    Connect,
    /// It doesn't prove to be who it should be.
    Tls,
    /// The connection ended before the answer did, or what came is no HTTP.
    Lost,
    /// The deadline is over.
    Timeout,
    /// It answered with a redirect, which isn't followed.
    Redirect,
    /// It has had too many requests.
    Throttled,
    /// It refused: another 4xx.
    Refused,
    /// It failed: 5xx.
    Server,
    /// Its answer is too large.
    TooLarge,
    /// Its answer can't be read.
    Unreadable,
    /// This program is ending.
    Stopped,
}

impl Failure {
    /// All, for metrics: every series starts at zero.
    pub const ALL: [Self; 16] = [
        Self::Busy,
        Self::Open,
        Self::Url,
        Self::Resolve,
        Self::Address,
        Self::Connect,
        Self::Tls,
        Self::Lost,
        Self::Timeout,
        Self::Redirect,
        Self::Throttled,
        Self::Refused,
        Self::Server,
        Self::TooLarge,
        Self::Unreadable,
        Self::Stopped,
    ];

    /// The label in metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Open => "circuit_open",
            Self::Url => "bad_url",
            Self::Resolve => "resolve",
            Self::Address => "address_refused",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Lost => "lost",
            Self::Timeout => "timeout",
            Self::Redirect => "redirect",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Server => "server_error",
            Self::TooLarge => "too_large",
            Self::Unreadable => "unreadable",
            Self::Stopped => "stopped",
        }
    }

    /// What an agent can say to a caller.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Busy | Self::Throttled => "Our system is busy just now. Please try again in a moment.",
            Self::Open | Self::Stopped => "Our system isn't available just now.",
            Self::Url | Self::Address | Self::Redirect => "That isn't set up here yet.",
            Self::Resolve | Self::Connect | Self::Tls | Self::Lost => "I couldn't reach our system just now.",
            Self::Timeout => "Our system took too long to answer.",
            Self::Refused => "Our system didn't accept that.",
            Self::Server => "Our system had a problem with that.",
            Self::TooLarge | Self::Unreadable => "I couldn't understand our system's answer.",
        }
    }

    /// Whether the server failed, in a way that asking it again soon would only make worse.
    #[must_use]
    pub const fn is_outage(self) -> bool {
        matches!(
            self,
            Self::Resolve
                | Self::Address
                | Self::Connect
                | Self::Tls
                | Self::Lost
                | Self::Timeout
                | Self::Server
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_own_label_and_a_sentence() {
        let labels: std::collections::BTreeSet<_> = Failure::ALL.map(Failure::label).into();
        assert_eq!(labels.len(), Failure::ALL.len());
        for (index, failure) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(failure as usize, index);
            assert!(failure.words().ends_with('.'), "{failure:?}");
        }
    }
}
