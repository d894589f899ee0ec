//! Accounts below an account: how a tenant gets one of its own at a provider without being asked for credentials.

use std::fmt;

use serde_json::{Map, Value};

use super::{Account, Exchange, Fault};

/// An account below another.
#[derive(Clone, PartialEq, Eq)]
pub struct Subaccount {
    /// The provider's id of it.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whether it may do anything.
    pub state: SubaccountState,
    /// What is known of its credentials, as an account of ours has them. What its webhooks are verified with may be
    /// missing: a person adds it.
    pub credentials: Map<String, Value>,
}

/// Without its credentials.
impl fmt::Debug for Subaccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subaccount")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Whether an account below another may do anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubaccountState {
    /// It may.
    Active,
    /// It may not for now; it keeps what it has.
    Suspended,
    /// It is gone for good, and its numbers with it.
    Closed,
}

/// How accounts below an account are had. All of it is values: see [`Exchange`].
pub trait Subaccounts: Sync {
    /// Makes one of this name.
    ///
    /// # Errors
    /// [`Fault::Stop`] when the account's credentials lack something.
    fn create(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Subaccount>, Fault>;

    /// Those of exactly this name, closed ones left out: what a doubtful request brought.
    ///
    /// # Errors
    /// As [`Subaccounts::create`].
    fn named(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Vec<Subaccount>>, Fault>;

    /// Suspends one, wakes it, or closes it for good.
    ///
    /// # Errors
    /// As [`Subaccounts::create`]; [`Fault::Stop`] where the provider's API can't.
    fn set(&self, account: &Account<'_>, id: &str, state: SubaccountState) -> Result<Exchange<()>, Fault>;
}
