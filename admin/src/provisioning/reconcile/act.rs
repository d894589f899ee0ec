//! Does what is to be done about a finding. Each looks again first: what a list showed may have passed.

use dialplane_common::ids::PhoneNumberId;
use dialplane_common::rest::Fault;
use dialplane_common::rest::numbers::{Held, HeldState, Tag};
use uuid::Uuid;

use super::finding::{Action, Came, Finding};
use super::read;
use super::take_in::{self, Brought, Taken};
use crate::provisioning::Provisioner;
use crate::provisioning::account::OpenAccount;
use crate::provisioning::performed::said;
use crate::store::numbers::NumberFields;
use crate::store::{Origin, Scope, StoreError, WriteTx, books, holdings, numbers, pool, purchases, tenants};

/// What came of an action, and what it changed here, in a transaction that is still open.
pub(super) struct Acted {
    pub came: Came,
    pub tx: Option<WriteTx>,
}

impl From<Came> for Acted {
    fn from(came: Came) -> Self {
        Self { came, tx: None }
    }
}

impl From<Fault> for Acted {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Gone { .. } => Came::Passed.into(),
            other => Came::Failed(said(&other)).into(),
        }
    }
}

/// Who acts, where, and whose doing it is.
pub(super) struct Actor<'a> {
    pub provisioner: &'a Provisioner,
    pub account: &'a OpenAccount,
    pub origin: &'a Origin,
}

impl Actor<'_> {
    /// Does what is to be done. What can't be done is told, and keeps nothing else from being done.
    pub async fn act(&self, finding: &Finding) -> Result<Acted, StoreError> {
        let acted = match (finding.action, finding.purchase, finding.number) {
            (Action::Pool, Some(purchase), _) => self.take_in(finding, Brought::Late(purchase)).await,
            (Action::Adopt, ..) => self.take_in(finding, Brought::Unknown).await,
            (Action::Release, Some(purchase), _) => self.release(finding, purchase).await,
            (Action::Deactivate, _, Some(number)) => self.deactivate(finding, PhoneNumberId(number)).await,
            (Action::Deactivate, Some(purchase), None) => self.write_off(finding, purchase).await,
            (Action::Repair, _, Some(number)) => self.repair(finding, PhoneNumberId(number)).await,
            (action, ..) => Ok(Came::untaken(action).into()),
        };
        match acted {
            Err(refused @ (StoreError::PhoneNumbersMax | StoreError::AddressOverlaps)) => {
                Ok(Came::Failed(refused.to_string()).into())
            }
            // Somebody else was faster.
            Err(StoreError::NumberTaken | StoreError::NotFound) => Ok(Came::Passed.into()),
            acted => acted,
        }
    }

    async fn get(&self, finding: &Finding) -> Result<Held, Fault> {
        let numbers = self.account.numbers()?;
        self.provisioner.ask(self.account, numbers.get(&self.account.account(), &finding.held_id)).await
    }

    async fn begin(&self) -> Result<WriteTx, StoreError> {
        self.provisioner.store.write(Scope::Operator, self.origin).await
    }

    async fn take_in(&self, finding: &Finding, brought: Brought) -> Result<Acted, StoreError> {
        let held = match self.get(finding).await {
            Ok(held) => held,
            Err(fault) => return Ok(fault.into()),
        };
        if held.state != HeldState::Active || held.number.is_none() {
            return Ok(Came::Waiting.into());
        }
        let mut tx = self.begin().await?;
        let taken = take_in::take_in(&mut tx, &self.account.row, &held, brought, self.origin).await?;
        Ok(match taken {
            Taken::In(_) => Acted { came: Came::Done, tx: Some(tx) },
            Taken::Passed => Came::Passed.into(),
            Taken::Known => Came::Person.into(),
        })
    }

    async fn release(&self, finding: &Finding, purchase: Uuid) -> Result<Acted, StoreError> {
        if !self.is_ours_to_release(finding, purchase).await? {
            return Ok(Came::Passed.into());
        }
        let held = match self.get(finding).await {
            Ok(held) => held,
            Err(fault) => return Ok(fault.into()),
        };
        let released = match self.account.numbers() {
            Ok(numbers) => {
                self.provisioner.ask(self.account, numbers.release(&self.account.account(), &held)).await
            }
            Err(fault) => Err(fault),
        };
        match released {
            Ok(()) | Err(Fault::Gone { .. }) => {}
            Err(fault) => return Ok(fault.into()),
        }
        let mut tx = self.begin().await?;
        let is_kept = books::lock_bought(tx.conn(), purchase).await?.is_kept;
        take_in::settle(&mut tx, purchase, is_kept, held.number, &held.id, "returned").await?;
        Ok(Acted { came: Came::Done, tx: Some(tx) })
    }

    /// Still no job looks for what the purchase brought, and no number here is this one.
    async fn is_ours_to_release(&self, finding: &Finding, purchase: Uuid) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let bought = books::lock_bought(tx.conn(), purchase).await?;
        let is_had = holdings::by_held_id(tx.conn(), self.account.row.id, &finding.held_id).await?.is_some();
        Ok((bought.is_kept || !bought.is_looked_for) && !is_had)
    }

    /// Takes a number that is gone out of use. Its provider is asked once more: a list that fell short would cost calls.
    async fn deactivate(&self, finding: &Finding, number: PhoneNumberId) -> Result<Acted, StoreError> {
        match self.get(finding).await {
            Err(Fault::Gone { .. }) => {}
            Ok(_) => return Ok(Came::Passed.into()),
            Err(fault) => return Ok(fault.into()),
        }
        let mut tx = self.begin().await?;
        let holder = numbers::holder(tx.conn(), number).await?;
        match holder {
            Some(tenant) => {
                tenants::lock(tx.conn(), tenant).await?;
                numbers::lock(tx.conn(), tenant, number).await?;
            }
            None => pool::lock(tx.conn(), number).await?,
        }
        let kept = books::kept(tx.conn(), self.account.row.id, Some(number.0)).await?;
        if !kept.iter().any(|kept| kept.is_settled && kept.held_id == finding.held_id) {
            return Ok(Came::Passed.into());
        }
        let Some(tenant) = holder else {
            // The job that gives it back finds it gone, and forgets what is left of it.
            pool::part_with(tx.conn(), number).await?;
            return Ok(Acted { came: Came::Done, tx: Some(tx) });
        };
        let fields = numbers::find(tx.conn(), tenant, number).await?.fields();
        if fields.status == "inactive" {
            return Ok(Came::Person.into());
        }
        let inactive = NumberFields { status: "inactive".to_owned(), ..fields };
        numbers::update(tx.conn(), tenant, number, &inactive).await?;
        tx.record_number(tenant, number).await?;
        Ok(Acted { came: Came::Done, tx: Some(tx) })
    }

    /// Says of a purchase that what it brought is gone.
    async fn write_off(&self, finding: &Finding, purchase: Uuid) -> Result<Acted, StoreError> {
        match self.get(finding).await {
            Err(Fault::Gone { .. }) => {}
            Ok(_) => return Ok(Came::Passed.into()),
            Err(fault) => return Ok(fault.into()),
        }
        let mut tx = self.begin().await?;
        let bought = books::lock_bought(tx.conn(), purchase).await?;
        if bought.is_kept || bought.is_looked_for || bought.state != "owned" {
            return Ok(Came::Passed.into());
        }
        purchases::settle(tx.conn(), purchase, "returned", None).await?;
        Ok(Acted { came: Came::Done, tx: Some(tx) })
    }

    /// Sets a number at its provider as it is to be. To do so twice does no harm.
    async fn repair(&self, finding: &Finding, number: PhoneNumberId) -> Result<Acted, StoreError> {
        let mut tx = self.provisioner.store.read(Scope::Operator).await?;
        let row = books::kept(tx.conn(), self.account.row.id, Some(number.0)).await?.pop();
        drop(tx);
        let Some(kept) = row.map(|row| read::kept(row, self.account)) else {
            return Ok(Came::Passed.into());
        };
        if !kept.is_settled || kept.held_id != finding.held_id {
            return Ok(Came::Passed.into());
        }
        let set = async {
            let held = self.get(finding).await?;
            if kept.is_carrier {
                self.configure(&held, kept.purchase).await?;
            }
            match (self.account.provider.agents(), &kept.link) {
                (Some(agents), Some(link)) => {
                    let webhooks = self.provisioner.settings.webhooks();
                    let linked = agents.link(&self.account.account(), &held.id, link, &webhooks);
                    self.provisioner.ask(self.account, linked).await.map(drop)
                }
                _ => Ok(()),
            }
        };
        if let Err(fault) = set.await {
            return Ok(fault.into());
        }
        let mut tx = self.begin().await?;
        if let Some(url) = self.provisioner.settings.public_urls.first().filter(|_| kept.is_carrier) {
            holdings::pointed(tx.conn(), number, self.account.row.id, url).await?;
        }
        Ok(Acted { came: Came::Done, tx: Some(tx) })
    }

    async fn configure(&self, held: &Held, purchase: Option<Uuid>) -> Result<(), Fault> {
        let numbers = self.account.numbers()?;
        let name = purchase.map_or_else(|| held.name.clone(), |purchase| Tag(purchase).to_string());
        let webhooks = self.provisioner.settings.webhooks();
        let configured = numbers.configure(&self.account.account(), held, &name, &webhooks);
        self.provisioner.ask(self.account, configured).await.map(drop)
    }
}
