//! Looks at provisioning as a whole every few seconds: metrics, and a word when an account is running out of free
//! numbers. Done by the process that publishes, so that one of them does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Provisioner;
use super::free_numbers::{Level, Used, concerns};
use crate::metrics::{Metrics, ProvisioningGauges};
use crate::store::holdings::{FreeNumbers, NewLevel};
use crate::store::{Origin, Scope, StoreError, holdings, jobs, purchases};

/// As often as metrics are usually fetched.
const INTERVAL: Duration = Duration::from_secs(5);
const ORIGIN: Origin = Origin::system("provisioning");

/// What looks.
pub struct Watch {
    /// With Postgres and the settings.
    pub provisioner: Provisioner,
    /// Where it is told.
    pub metrics: Arc<Metrics>,
    /// Whether this process publishes.
    pub is_publishing: Arc<AtomicBool>,
}

impl Watch {
    /// Goes on for ever.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if !self.is_publishing.load(Ordering::Relaxed) {
                self.metrics.provisioning(None);
            } else if let Err(error) = self.once().await {
                tracing::warn!(%error, "couldn't look at provisioning; trying again");
            }
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn once(&self) -> Result<(), StoreError> {
        let settings = &self.provisioner.settings;
        let mut tx = self.provisioner.store.read(Scope::Operator).await?;
        let jobs = jobs::open_by_state(tx.conn()).await?;
        let spent = purchases::spent(tx.conn(), &settings.limits).await?;
        let mut free = holdings::free_by_account(tx.conn()).await?;
        drop(tx);
        // All of them: one that had free numbers, and has none any more, isn't running out any more either.
        self.note_levels(&free).await?;
        free.retain(concerns);
        let amount = |text: &str| text.parse().unwrap_or_default();
        self.metrics.provisioning(Some(&ProvisioningGauges {
            jobs: &jobs,
            free: &free,
            free_limit: settings.free_numbers_max,
            spent: amount(&spent.spent),
            spend_limit: amount(&spent.limit),
        }));
        Ok(())
    }

    async fn note_levels(&self, free: &[FreeNumbers]) -> Result<(), StoreError> {
        let limit = self.provisioner.settings.free_numbers_max;
        let used = |account: &FreeNumbers| Used { total: account.total, limit };
        let level = |account: &FreeNumbers| NewLevel {
            account: account.account_id,
            level: used(account).level().name(),
            total: account.total,
        };
        let levels: Vec<_> = free.iter().map(level).collect();
        let mut tx = self.provisioner.store.write(Scope::Operator, &ORIGIN).await?;
        let changed = holdings::note_levels(tx.conn(), &levels, limit).await?;
        tx.commit().await?;
        for account in free.iter().filter(|account| changed.contains(&account.account_id)) {
            let (used, level) = (used(account), used(account).level());
            let (id, label) = (account.account_id, &account.label);
            let (total, percent) = (used.total, used.percent());
            match level {
                Level::Ok => {
                    tracing::info!(account = %id, label, total, limit, "enough free numbers are left again")
                }
                Level::Warning | Level::Critical => {
                    tracing::warn!(account = %id, label, total, limit, percent, "free numbers are running out");
                }
            }
        }
        Ok(())
    }
}
