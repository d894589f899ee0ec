//! Waits for a number: for its provider to be done with it, for an account to show it.

use dialplane_common::e164::E164;
use dialplane_common::ids::PhoneNumberId;
use dialplane_common::rest::Fault;
use dialplane_common::rest::numbers::{Held, HeldState};

use super::Provisioner;
use super::account::OpenAccount;
use super::adopt::Adopted;
use super::buy::TAKEN;
use super::performed::Performed;
use super::workflow::Outcome;
use crate::store::jobs::Job;
use crate::store::purchases::{self, Purchase};
use crate::store::{StoreError, WriteTx, bindings, holdings, numbers};

/// So many pages of an account's list are read for one number: with the smallest pages, 20 to a page, 40,000 numbers.
const PAGES_MAX: usize = 2_000;

impl Provisioner {
    /// Whether the provider is done with a number that was bought.
    pub(super) async fn wait_for_number(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let purchase = self.purchase(job).await?;
        let account = self.open_account(purchase.account_id).await?;
        let Some(held_id) = purchase.held_id.clone() else { return Err(StoreError::Malformed("purchase")) };
        let got = match account.numbers() {
            Ok(numbers) => self.ask(&account, numbers.get(&account.account(), &held_id)).await,
            Err(fault) => Err(fault),
        };
        let held = match got {
            Ok(held) => held,
            Err(fault) => return Ok(self.step(job, Outcome::Fault(fault)).await?.at(account.row.id)),
        };
        let mut tx = self.begin(job).await?;
        if held.number.is_some() && job.phone_number_id.is_none() {
            match self.adopt(&mut tx, job, &account, &held, Some(&purchase)).await? {
                Adopted::Kept(id) => job.phone_number_id = Some(id.0),
                Adopted::Taken => {
                    let fault = Fault::stop("phone_number_taken", TAKEN);
                    return Ok(Performed::new(tx, Outcome::Fault(fault)).at(account.row.id));
                }
            }
        }
        if purchase.held_id.as_deref() != Some(&*held.id) {
            self.rename(&mut tx, job, &account, &purchase, &held.id).await?;
        }
        let outcome = match held.state {
            HeldState::Active if held.number.is_some() => Outcome::Done,
            HeldState::Blocked => {
                let reason = "the provider has blocked the number: ask its support, then retry";
                Outcome::Fault(Fault::stop("number_blocked", reason))
            }
            HeldState::Active | HeldState::Pending => Outcome::Pending,
        };
        Ok(Performed::new(tx, outcome).at(account.row.id))
    }

    /// The provider calls the number otherwise than the order that brought it.
    async fn rename(
        &self,
        tx: &mut WriteTx,
        job: &Job,
        account: &OpenAccount,
        purchase: &Purchase,
        held_id: &str,
    ) -> Result<(), StoreError> {
        purchases::settle(tx.conn(), purchase.id, "owned", Some(held_id)).await?;
        let Some(number) = job.phone_number_id.map(PhoneNumberId) else { return Ok(()) };
        holdings::rename(tx.conn(), number, account.row.id, held_id).await?;
        let Some(tenant) = job.tenant() else { return Ok(()) };
        numbers::lock(tx.conn(), tenant, number).await?;
        let mut bound = numbers::find(tx.conn(), tenant, number).await?.bindings.0;
        for binding in bound.iter_mut().filter(|binding| binding.account_id == account.row.id) {
            binding.number_id = Some(held_id.to_owned());
        }
        bindings::replace(tx.conn(), tenant, number, &bound).await?;
        tx.record_number(tenant, number).await?;
        Ok(())
    }

    /// Takes over a number that an account has already, and keeps what stands on it.
    pub(super) async fn take_over(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let wanted: Option<E164> = job.request.phone_number.as_deref().and_then(|number| number.parse().ok());
        let (Some(number), Some(account)) = (wanted, job.request.account_id) else {
            return Err(StoreError::Malformed("import"));
        };
        if job.phone_number_id.is_some() {
            return self.step(job, Outcome::Done).await;
        }
        let account = self.open_account(account).await?;
        let held = match self.held(&account, number).await {
            Ok(Some(held)) => held,
            Ok(None) => {
                let reason = format!("the account {} doesn't hold {number}", account.row.label);
                let fault = Fault::stop("number_not_held", reason);
                return Ok(self.step(job, Outcome::Fault(fault)).await?.at(account.row.id));
            }
            Err(fault) => return Ok(self.step(job, Outcome::Fault(fault)).await?.at(account.row.id)),
        };
        let mut tx = self.begin(job).await?;
        let outcome = match self.adopt(&mut tx, job, &account, &held, None).await? {
            Adopted::Kept(id) => {
                job.phone_number_id = Some(id.0);
                Outcome::Done
            }
            Adopted::Taken => {
                let reason = "somebody here has the number already";
                Outcome::Fault(Fault::stop("phone_number_taken", reason))
            }
        };
        Ok(Performed::new(tx, outcome).at(account.row.id))
    }

    /// The number of an account, where it holds it.
    pub(super) async fn held(&self, account: &OpenAccount, number: E164) -> Result<Option<Held>, Fault> {
        let numbers = account.numbers()?;
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = self.ask(account, numbers.list(&account.account(), cursor.as_deref())).await?;
            if let Some(held) = page.numbers.into_iter().find(|held| held.number == Some(number)) {
                return Ok(Some(held));
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        Ok(None)
    }
}
