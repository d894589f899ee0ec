//! Why a provider didn't do what it was asked: told apart by what can be done about it.

use std::time::Duration;

/// Why a provider didn't do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// It wasn't done; the same request may succeed later.
    #[error("{reason}")]
    Retry {
        /// What the provider said.
        reason: String,
        /// How long the provider asks to wait, where it says so.
        after: Option<Duration>,
    },
    /// Whether it was done isn't known: no answer, a server's error, an answer that can't be read. What may have cost
    /// something is looked for before it is asked for again.
    #[error("{reason}")]
    Unclear {
        /// What happened.
        reason: String,
    },
    /// It can't be had so: another number, area code, account or provider may do.
    #[error("{reason} ({code})")]
    Elsewhere {
        /// The provider's code of it, or ours where it has none.
        code: String,
        /// What the provider said.
        reason: String,
    },
    /// The thing that was asked about isn't there (any more), or is somebody else's.
    #[error("{reason}")]
    Gone {
        /// What the provider said.
        reason: String,
    },
    /// It can't be had until a person does something: credentials, payment, an address, a mistake in a request.
    #[error("{reason} ({code})")]
    Stop {
        /// The provider's code of it, or ours where it has none.
        code: String,
        /// What the provider said, and what is wanted.
        reason: String,
    },
}

impl Fault {
    /// [`Fault::Retry`] without a time.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None }
    }

    /// [`Fault::Unclear`].
    pub fn unclear(reason: impl Into<String>) -> Self {
        Self::Unclear { reason: reason.into() }
    }

    /// [`Fault::Elsewhere`].
    pub fn elsewhere(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Elsewhere { code: code.into(), reason: reason.into() }
    }

    /// [`Fault::Gone`].
    pub fn gone(reason: impl Into<String>) -> Self {
        Self::Gone { reason: reason.into() }
    }

    /// [`Fault::Stop`].
    pub fn stop(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Stop { code: code.into(), reason: reason.into() }
    }

    /// Its kind, as a metric's label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Unclear { .. } => "unclear",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Gone { .. } => "gone",
            Self::Stop { .. } => "stop",
        }
    }
}
