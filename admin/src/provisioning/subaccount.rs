//! Makes an account below one of the platform's, a tenant's own.

use dialplane_common::ids::TenantId;
use dialplane_common::rest::Fault;
use dialplane_common::rest::subaccounts::{Subaccount, SubaccountState};

use super::Provisioner;
use super::account::OpenAccount;
use super::performed::Performed;
use super::workflow::Outcome;
use crate::credentials::Credentials;
use crate::store::accounts::{self, AccountFields};
use crate::store::jobs::Job;
use crate::store::{Scope, StoreError, tenants};

impl Provisioner {
    /// Makes a job's subaccount, unless it is there: it is looked for by its name first, as a request that wasn't answered
    /// may have made it.
    pub(super) async fn make_account(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let (Some(tenant), Some(above)) = (job.tenant(), job.request.account_id) else {
            return self.step(job, Outcome::Done).await;
        };
        let above = match self.open_account(above).await {
            Ok(above) => above,
            Err(StoreError::NotFound) => {
                let fault = Fault::stop("account_gone", "the account above it was deleted meanwhile");
                return self.step(job, Outcome::Fault(fault)).await;
            }
            Err(error) => return Err(error),
        };
        let made = match self.ask_account(&above, tenant).await {
            Ok(made) => read(&above, made),
            Err(fault) => Err(fault),
        };
        match made {
            Ok(credentials) => self.keep_account(job, tenant, &above, &credentials).await,
            Err(fault) => Ok(self.step(job, Outcome::Fault(fault)).await?.at(above.row.id)),
        }
    }

    async fn ask_account(&self, above: &OpenAccount, tenant: TenantId) -> Result<Subaccount, Fault> {
        let (host, name) = (above.subaccounts()?, format!("dp:{}", tenant.0.simple()));
        let named = self.ask(above, host.named(&above.account(), &name)).await?;
        match named.into_iter().find(|found| found.state == SubaccountState::Active) {
            Some(found) => Ok(found),
            None => self.ask(above, host.create(&above.account(), &name)).await,
        }
    }

    async fn keep_account(
        &self,
        job: &Job,
        tenant: TenantId,
        above: &OpenAccount,
        credentials: &Credentials,
    ) -> Result<Performed, StoreError> {
        let label = match &job.request.label {
            Some(label) => label.clone(),
            None => tenants::find(self.store.read(Scope::Operator).await?.conn(), tenant).await?.name,
        };
        let fields = AccountFields {
            label: &label,
            credentials,
            signature_policy: &above.row.signature_policy,
            country: above.row.country.as_deref(),
        };
        let mut tx = self.begin(job).await?;
        let provider = &above.row.provider;
        match accounts::insert(tx.conn(), self.store.keys(), Some(tenant), provider, &fields).await {
            Ok(row) => {
                tx.record_account(&row)?;
                Ok(Performed::new(tx, Outcome::Done).at(row.id).saying(&credentials.external_id))
            }
            // An earlier job's, or somebody wrote it down by hand.
            Err(StoreError::AccountExists) => {
                drop(tx);
                let performed = self.step(job, Outcome::Done).await?.at(above.row.id);
                Ok(performed.saying(&credentials.external_id))
            }
            Err(error) => Err(error),
        }
    }
}

/// A subaccount's credentials as accounts have them here. Where the provider doesn't tell all, a person has to add the rest.
fn read(above: &OpenAccount, made: Subaccount) -> Result<Credentials, Fault> {
    Credentials::parse(&above.row.provider, made.credentials).map_err(|invalid| {
        let at = format!("the subaccount {} is made; {invalid}", made.id);
        Fault::stop(
            "credentials_incomplete",
            format!("{at}: create an account of the tenant with all of them"),
        )
    })
}
