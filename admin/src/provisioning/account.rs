//! Accounts as they are asked: with their credentials opened.

use dialplane_common::ids::{AccountId, TenantId};
use dialplane_common::provider::{Provider, provider};
use dialplane_common::rest::agents::Agents;
use dialplane_common::rest::numbers::Numbers;
use dialplane_common::rest::subaccounts::Subaccounts;
use dialplane_common::rest::{Account, Exchange, Fault};
use dialplane_common::time::UnixSeconds;
use serde_json::{Map, Value};
use sqlx::postgres::PgConnection;

use super::Provisioner;
use crate::config::SealKeys;
use crate::store::accounts::{self, AccountRow};
use crate::store::{Scope, StoreError};

/// So many accounts of one owner at one provider are considered: more is a mistake of somebody's.
const ACCOUNTS_MAX: i64 = 100;

/// An account whose credentials are opened.
pub struct OpenAccount {
    /// Its row.
    pub row: AccountRow,
    /// Where it is.
    pub provider: &'static dyn Provider,
    credentials: Map<String, Value>,
}

impl OpenAccount {
    /// Opens an account's credentials.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when no key opens them; [`StoreError::Malformed`] for a provider that is none.
    pub fn open(row: AccountRow, keys: &SealKeys) -> Result<Self, StoreError> {
        let provider = provider(&row.provider).ok_or(StoreError::Malformed("provider"))?;
        let credentials = row.credentials(keys)?.into_document();
        Ok(Self { row, provider, credentials })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        AccountId(self.row.id)
    }

    /// Whether it is the platform's.
    #[must_use]
    pub const fn is_platform(&self) -> bool {
        self.row.tenant_id.is_none()
    }

    /// As its provider's REST API wants to know it, now.
    #[must_use]
    pub fn account(&self) -> Account<'_> {
        let now = UnixSeconds(jiff::Timestamp::now().as_second());
        Account { id: self.id(), credentials: &self.credentials, now }
    }

    /// How numbers are had there.
    ///
    /// # Errors
    /// [`Fault::Stop`] where they aren't.
    pub fn numbers(&self) -> Result<&'static dyn Numbers, Fault> {
        self.provider.numbers().ok_or_else(|| {
            Fault::stop("provider_has_no_numbers", format!("{} has no numbers by REST", self.row.provider))
        })
    }

    /// How accounts below it are had there.
    ///
    /// # Errors
    /// [`Fault::Stop`] where they aren't.
    pub fn subaccounts(&self) -> Result<&'static dyn Subaccounts, Fault> {
        self.provider.subaccounts().ok_or_else(|| {
            Fault::stop("no_subaccounts", format!("{} has no accounts below an account", self.row.provider))
        })
    }

    /// How agents are had there.
    ///
    /// # Errors
    /// [`Fault::Stop`] where they aren't.
    pub fn agents(&self) -> Result<&'static dyn Agents, Fault> {
        self.provider.agents().ok_or_else(|| {
            Fault::stop("provider_has_no_agents", format!("{} hosts no agents by REST", self.row.provider))
        })
    }
}

impl Provisioner {
    /// An account of anybody's.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; as [`OpenAccount::open`].
    pub async fn open_account(&self, id: uuid::Uuid) -> Result<OpenAccount, StoreError> {
        let mut tx = self.store.read(Scope::Operator).await?;
        OpenAccount::open(accounts::any(tx.conn(), AccountId(id)).await?, self.store.keys())
    }

    /// The accounts of a tenant, or the platform's, oldest first.
    ///
    /// # Errors
    /// As [`OpenAccount::open`].
    pub async fn accounts_of(
        &self,
        conn: &mut PgConnection,
        owner: Option<TenantId>,
        provider: Option<&str>,
    ) -> Result<Vec<OpenAccount>, StoreError> {
        let rows = accounts::list(conn, owner, provider, None, ACCOUNTS_MAX).await?;
        rows.into_iter().map(|row| OpenAccount::open(row, self.store.keys())).collect()
    }

    /// Asks an account's provider.
    ///
    /// # Errors
    /// Why it isn't done.
    pub async fn ask<T: Send + 'static>(
        &self,
        account: &OpenAccount,
        exchange: Result<Exchange<T>, Fault>,
    ) -> Result<T, Fault> {
        let rate = account.provider.numbers().map_or(RATE, |numbers| numbers.requests_per_second());
        let deadline = tokio::time::Instant::now() + self.settings.exchange_timeout();
        self.client.run(account.id(), rate, exchange?, deadline).await
    }
}

/// Requests a second to providers that have no numbers.
const RATE: u32 = 5;
