//! Accounts: who buys, with which secrets, and how far.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::money::Money;

/// An account at a provider. It comes into being when its credentials are first seen, or when it is declared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Where.
    pub provider: String,
    /// The provider's name of it: a SID, a key, or for providers whose requests name none a UUID made of the API key.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The account that it belongs to.
    pub parent: Option<String>,
    /// Its auth token or API key, as first seen or declared.
    pub secret: Option<String>,
    /// Further keys by which its owner is known: user and secret.
    pub keys: BTreeMap<String, String>,
    /// What webhooks are signed with, where that isn't the secret itself, and what else its owner has to enter
    /// somewhere.
    pub signing: BTreeMap<String, String>,
    /// Whether it may do anything.
    pub status: Status,
    /// What it has left; absent: it never ends.
    pub balance: Option<Money>,
    /// How many numbers it may have; absent: as many as it likes.
    pub numbers_max: Option<usize>,
    /// How many free numbers it may have, where the provider gives some away; absent: as many as the provider says.
    pub free_max: Option<usize>,
    /// How many subaccounts it may have.
    pub subaccounts_max: Option<usize>,
    /// Since when it is there.
    pub created: Timestamp,
}

/// Whether an account may do anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It may.
    #[default]
    Active,
    /// Not for now.
    Suspended,
    /// Never again.
    Closed,
}

impl Status {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

impl Account {
    /// An account of which nothing but its name is known.
    pub fn new(provider: &str, id: &str, created: Timestamp) -> Self {
        Self {
            provider: provider.to_owned(),
            id: id.to_owned(),
            name: String::new(),
            parent: None,
            secret: None,
            keys: BTreeMap::new(),
            signing: BTreeMap::new(),
            status: Status::Active,
            balance: None,
            numbers_max: None,
            free_max: None,
            subaccounts_max: None,
            created,
        }
    }
}

/// Why somebody isn't let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// Nobody is known by these credentials.
    Credentials,
    /// The account is suspended or closed.
    Inactive,
}
