//! Numbers that come from another carrier. A person has them ported: a signed letter and a bill are wanted everywhere. What
//! is said here is to which accounts they can be brought, and what is wanted there.

use dialplane_common::e164::E164;
use dialplane_common::rest::porting::Portability;

use super::Provisioner;
use super::account::OpenAccount;
use super::performed::Performed;
use super::workflow::Outcome;
use crate::store::jobs::Job;
use crate::store::{Scope, StoreError};

impl Provisioner {
    /// Waits for a person to have a number ported, and tells what is to be done.
    pub(super) async fn await_porting(&self, job: &mut Job) -> Result<Performed, StoreError> {
        if job.phone_number_id.is_some() {
            return self.step(job, Outcome::Done).await;
        }
        let number = job.request.phone_number.clone().unwrap_or_default();
        let places = match number.parse() {
            Ok(number) => self.portability(job, number).await?,
            Err(_) => String::new(),
        };
        let wanted = format!(
            "have {number} ported: send the provider the letter of authorisation and the last bill, and resolve the job \
             with the account_id that it comes to once the provider has a date{places}"
        );
        Ok(self.step(job, Outcome::Person).await?.because("port_in", wanted))
    }

    /// Which of the tenant's and the platform's accounts a number can be brought to, in words that go on with a sentence.
    async fn portability(&self, job: &Job, number: E164) -> Result<String, StoreError> {
        let mut tx = self.store.read(Scope::Operator).await?;
        let mut accounts = Vec::new();
        if let Some(tenant) = job.tenant() {
            accounts = self.accounts_of(tx.conn(), Some(tenant), None).await?;
        }
        accounts.extend(self.accounts_of(tx.conn(), None, None).await?);
        drop(tx);
        let mut places = String::new();
        // Only those whose provider can be asked count.
        let askable = accounts.iter().filter(|account| account.provider.porting().is_some());
        for account in askable.take(ACCOUNTS_MAX) {
            if let Some(said) = self.portability_to(account, number).await {
                places.push_str(&format!(
                    "; to the account {} ({}): {said}",
                    account.row.id, account.row.provider
                ));
            }
        }
        Ok(places)
    }

    /// What an account's provider says of bringing a number there; absent where it can't be asked.
    async fn portability_to(&self, account: &OpenAccount, number: E164) -> Option<String> {
        let porting = account.provider.porting()?;
        let asked = self.ask(account, porting.check(&account.account(), number)).await;
        Some(match asked {
            Ok(Portability::Portable { wants: None }) => format!("it can be, {}", porting.by_hand()),
            Ok(Portability::Portable { wants: Some(wants) }) => {
                format!("it can be, with {wants}, {}", porting.by_hand())
            }
            Ok(Portability::NotPortable { reason }) => format!("it can't be: {reason}"),
            Err(fault) => format!("it wasn't said whether it can be ({fault})"),
        })
    }
}

/// So many accounts are asked: what is said is for a person to read.
const ACCOUNTS_MAX: usize = 5;
