//! Undoes what a job did, and gives numbers back.

use dialplane_common::rest::Fault;
use dialplane_common::rest::agents::Link;

use super::Provisioner;
use super::account::OpenAccount;
use super::choose::number_of;
use super::performed::Performed;
use super::workflow::Outcome;
use crate::store::holdings::{self, Holding};
use crate::store::jobs::Job;
use crate::store::numbers::NumberFields;
use crate::store::pool::{self, Leaving};
use crate::store::{Scope, StoreError, bindings, numbers, purchases, tenants};

impl Provisioner {
    /// Has the agents' providers forget the number.
    pub(super) async fn unlink(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let number = number_of(job)?;
        let mut tx = self.store.read(Scope::Operator).await?;
        let held = holdings::of_number(tx.conn(), number).await?;
        drop(tx);
        for holding in &held {
            let account = self.open_account(holding.account_id).await?;
            if let Err(fault) = self.unlink_at(&account, holding).await
                && !matches!(fault, Fault::Gone { .. })
            {
                return Ok(self.step(job, Outcome::Fault(fault)).await?.at(account.row.id));
            }
        }
        if let Err((account, fault)) = self.forget_unnoted(job, &held).await? {
            return Ok(self.step(job, Outcome::Fault(fault)).await?.at(account));
        }
        let mut tx = self.begin(job).await?;
        for holding in held.iter().filter(|holding| holding.role == "agent") {
            holdings::remove(tx.conn(), number, holding.account_id).await?;
        }
        if let Some(tenant) = numbers::holder(tx.conn(), number).await? {
            numbers::lock(tx.conn(), tenant, number).await?;
            let mut bound = numbers::find(tx.conn(), tenant, number).await?.bindings.0;
            bound.retain(|binding| binding.role == "carrier");
            bindings::replace(tx.conn(), tenant, number, &bound).await?;
            tx.record_number(tenant, number).await?;
        }
        Ok(Performed::new(tx, Outcome::Done))
    }

    /// An import of which nobody here was told: the agent's provider may know the number all the same.
    async fn forget_unnoted(
        &self,
        job: &Job,
        held: &[Holding],
    ) -> Result<Result<(), (uuid::Uuid, Fault)>, StoreError> {
        let Some(tenant) = job.tenant() else { return Ok(Ok(())) };
        let agent = self.agent_of(job, tenant).await?.filter(|agent| agent.provider != "custom");
        let Some(agent) = agent else { return Ok(Ok(())) };
        let Some(account) = self.host_of(tenant, &agent).await? else { return Ok(Ok(())) };
        if held.iter().any(|holding| holding.account_id == account.row.id) {
            return Ok(Ok(()));
        }
        let mut tx = self.store.read(Scope::Operator).await?;
        let number = numbers::e164(tx.conn(), number_of(job)?).await?;
        drop(tx);
        let forgotten = match (account.agents(), self.held(&account, number).await) {
            (Ok(agents), Ok(Some(found))) => {
                self.ask(&account, agents.forget(&account.account(), &found.id)).await
            }
            (Ok(_), Ok(None)) => Ok(()),
            (Err(fault), _) | (_, Err(fault)) => Err(fault),
        };
        Ok(forgotten.map_err(|fault| (account.row.id, fault)))
    }

    async fn unlink_at(&self, account: &OpenAccount, holding: &Holding) -> Result<(), Fault> {
        match (holding.role.as_str(), account.provider.agents()) {
            ("agent", Some(agents)) => {
                self.ask(account, agents.forget(&account.account(), &holding.held_id)).await
            }
            ("carrier", Some(agents)) if holding.origin != "imported" => {
                let webhooks = self.settings.webhooks();
                let link = agents.link(&account.account(), &holding.held_id, &Link::None, &webhooks);
                self.ask(account, link).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Puts a number back that a job had: to the pool where the platform pays for it; one of the tenant's own account
    /// stays with the tenant, unused; what stood on an imported one is put back.
    pub(super) async fn put_back(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let Some(number) = job.phone_number_id.map(dialplane_common::ids::PhoneNumberId) else {
            // Its provider never gave it one.
            return self.release_unnumbered(job).await;
        };
        let carrier = self.carrier_of(job).await?;
        if let Some(holding) = carrier.as_ref().filter(|holding| holding.origin == "imported") {
            return self.give_up(job, holding).await;
        }
        let is_platforms = match &carrier {
            Some(holding) => self.open_account(holding.account_id).await?.is_platform(),
            None => true,
        };
        let mut tx = self.begin(job).await?;
        match numbers::holder(tx.conn(), number).await? {
            None => numbers::set_lifecycle(tx.conn(), number, "available").await?,
            Some(tenant) => {
                tenants::lock(tx.conn(), tenant).await?;
                numbers::lock(tx.conn(), tenant, number).await?;
                if is_platforms {
                    let address = pool::leave(tx.conn(), tenant, number, Leaving::Pool).await?;
                    tx.remove(address.key());
                } else {
                    let fields = numbers::find(tx.conn(), tenant, number).await?.fields();
                    let unused = NumberFields { status: "inactive".to_owned(), agent_id: None, ..fields };
                    numbers::update(tx.conn(), tenant, number, &unused).await?;
                    numbers::set_lifecycle(tx.conn(), number, "active").await?;
                    tx.record_number(tenant, number).await?;
                }
            }
        }
        job.phone_number_id = None;
        Ok(Performed::new(tx, Outcome::Done))
    }

    /// A purchase whose number never came is given back by its provider's name alone.
    async fn release_unnumbered(&self, job: &Job) -> Result<Performed, StoreError> {
        let purchase = self.purchase(job).await?;
        let account = self.open_account(purchase.account_id).await?;
        let released = self.release_held(&account, purchase.held_id.as_deref()).await;
        let outcome = released.map_or_else(Outcome::Fault, |()| Outcome::Done);
        let mut performed = self.step(job, outcome).await?.at(account.row.id);
        if performed.outcome == Outcome::Done {
            purchases::settle(performed.tx.conn(), purchase.id, "returned", None).await?;
        }
        Ok(performed)
    }

    async fn release_held(&self, account: &OpenAccount, held_id: Option<&str>) -> Result<(), Fault> {
        let Some(held_id) = held_id else { return Ok(()) };
        let numbers = account.numbers()?;
        match self.ask(account, numbers.get(&account.account(), held_id)).await {
            Ok(held) => self.ask(account, numbers.release(&account.account(), &held)).await,
            Err(Fault::Gone { .. }) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Gives a number that nobody has any more back to its provider.
    pub(super) async fn give_back(&self, job: &mut Job) -> Result<Performed, StoreError> {
        match self.carrier_of(job).await? {
            Some(holding) => self.give_up(job, &holding).await,
            None => {
                let mut performed = self.step(job, Outcome::Done).await?;
                forget(pool::release(performed.tx.conn(), number_of(job)?).await)?;
                Ok(performed)
            }
        }
    }

    /// The platform has the number no more: it is released, or what stood on it before is put back.
    async fn give_up(&self, job: &Job, holding: &Holding) -> Result<Performed, StoreError> {
        let number = number_of(job)?;
        let account = self.open_account(holding.account_id).await?;
        let given = match (account.numbers(), &holding.former) {
            (Ok(numbers), Some(former)) => {
                self.ask(&account, numbers.restore(&account.account(), &holding.held_id, &former.0)).await
            }
            (Ok(_), None) => self.release_held(&account, Some(&holding.held_id)).await,
            (Err(fault), _) => Err(fault),
        };
        let given = given.or_else(|fault| match fault {
            Fault::Gone { .. } => Ok(()),
            other => Err(other),
        });
        let outcome = given.map_or_else(Outcome::Fault, |()| Outcome::Done);
        let mut performed = self.step(job, outcome).await?.at(account.row.id);
        if performed.outcome != Outcome::Done {
            return Ok(performed);
        }
        let tx = &mut performed.tx;
        if let Some(purchase) = holding.purchase_id {
            purchases::settle(tx.conn(), purchase, "returned", None).await?;
        }
        holdings::remove(tx.conn(), number, holding.account_id).await?;
        match numbers::holder(tx.conn(), number).await? {
            Some(tenant) => {
                tenants::lock(tx.conn(), tenant).await?;
                numbers::lock(tx.conn(), tenant, number).await?;
                let address = pool::leave(tx.conn(), tenant, number, Leaving::Release).await?;
                tx.remove(address.key());
            }
            None => forget(pool::release(tx.conn(), number).await)?,
        }
        Ok(performed)
    }
}

/// What isn't there any more is gone.
fn forget(released: Result<(), StoreError>) -> Result<(), StoreError> {
    match released {
        Err(StoreError::NotFound) => Ok(()),
        other => other,
    }
}
