//! Bringing numbers over from another carrier: whether it can be done, and who does it.
//!
//! The request itself is a person's everywhere: it wants a signed letter of authorisation and the last bill, and a
//! mistake in it takes days to come back.

use super::{Account, Exchange, Fault};
use crate::e164::E164;

/// Whether a number can be brought to a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Portability {
    /// It can.
    Portable {
        /// What is wanted beside the letter and the bill, in words.
        wants: Option<String>,
    },
    /// It can't.
    NotPortable {
        /// Why, in the provider's words.
        reason: String,
    },
}

/// How numbers are brought to a provider.
pub trait Porting: Sync {
    /// Whether a number can be brought to this provider.
    ///
    /// # Errors
    /// [`Fault::Stop`] when the account's credentials lack something; [`Fault::Elsewhere`] for what the provider never
    /// takes.
    fn check(&self, account: &Account<'_>, number: E164) -> Result<Exchange<Portability>, Fault>;

    /// What a person does to have a number brought there.
    fn by_hand(&self) -> &'static str;
}

/// Why a provider refused a number, where it doesn't say.
pub const NO_REASON: &str = "the provider says no more than that it can't be ported";
