//! Makes a recorded purchase, and looks for one that may have been made.

use std::time::Duration;

use dialplane_common::rest::Fault;
use dialplane_common::rest::numbers::{Held, HeldState, Order, Tag};
use uuid::Uuid;

use super::Provisioner;
use super::account::OpenAccount;
use super::adopt::Adopted;
use super::performed::Performed;
use super::workflow::{Next, Outcome, Progress, Stage};
use crate::store::jobs::{self, Job, Note};
use crate::store::purchases::{self, Purchase};
use crate::store::{Scope, StoreError};

impl Provisioner {
    /// Makes the recorded purchase. Before anything is sent, the purchase is marked as sent and the job as looking for
    /// it; the lease that is renewed with this outlives the request.
    pub(super) async fn buy(&self, job: &mut Job, lease: Uuid) -> Result<Option<Performed>, StoreError> {
        let purchase = self.purchase(job).await?;
        let account = self.open_account(purchase.account_id).await?;
        if !self.mark(job, lease, &purchase).await? {
            return Ok(None);
        }
        let order = order(&purchase, self)?;
        let bought = match account.numbers() {
            Ok(numbers) => self.ask(&account, numbers.buy(&account.account(), &order)).await,
            Err(fault) => Err(fault),
        };
        let performed = match bought {
            Ok(held) => self.bought(job, &account, &purchase, held).await?,
            Err(fault) => {
                let mut performed = self.step(job, Outcome::Fault(fault.clone())).await?;
                let state = match fault {
                    Fault::Unclear { .. } => None,
                    Fault::Retry { .. } => Some("recorded"),
                    Fault::Elsewhere { .. } | Fault::Gone { .. } | Fault::Stop { .. } => Some("refused"),
                };
                if let Some(state) = state {
                    purchases::settle(performed.tx.conn(), purchase.id, state, None).await?;
                }
                performed
            }
        };
        Ok(Some(performed.at(account.row.id)))
    }

    /// Commits that the purchase may be made from now on: `false` when somebody else has the job.
    async fn mark(&self, job: &Job, lease: Uuid, purchase: &Purchase) -> Result<bool, StoreError> {
        let mut tx = self.begin(job).await?;
        // So long the job isn't touched should we die now: the request's deadline, and the time that it may take to come
        // about.
        let rest = self.settings.exchange_timeout() + self.settings.settle;
        let progress = Progress { stage: Stage::Look, tries: 0, ..job.progress.0.clone() };
        let note = Note { outcome: "sending", account: Some(purchase.account_id), ..Note::default() };
        purchases::mark_sent(tx.conn(), purchase.id, rest).await?;
        let marked = jobs::advance(tx.conn(), job, lease, &Next { progress, rest: Duration::ZERO }, &note)
            .await?
            && jobs::defer(tx.conn(), job.id, lease, rest, self.settings.lease).await?;
        if marked {
            tx.commit().await?;
        }
        Ok(marked)
    }

    /// Looks for a purchase that may have been made.
    pub(super) async fn look(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let purchase = self.purchase(job).await?;
        let account = self.open_account(purchase.account_id).await?;
        let order = order(&purchase, self)?;
        let found = match account.numbers() {
            Ok(numbers) => self.ask(&account, numbers.bought(&account.account(), &order)).await,
            Err(fault) => Err(fault),
        };
        let performed = match found {
            // The first is kept; others that carry the same tag are the reconciler's.
            Ok(found) => match found.into_iter().next() {
                Some(held) => self.bought(job, &account, &purchase, held).await?,
                None => self.step(job, Outcome::Absent).await?,
            },
            Err(fault) => self.step(job, Outcome::Fault(fault)).await?,
        };
        Ok(performed.at(account.row.id))
    }

    /// Takes in what a purchase brought.
    async fn bought(
        &self,
        job: &mut Job,
        account: &OpenAccount,
        purchase: &Purchase,
        held: Held,
    ) -> Result<Performed, StoreError> {
        let mut tx = self.begin(job).await?;
        purchases::settle(tx.conn(), purchase.id, "owned", Some(&held.id)).await?;
        if held.number.is_none() {
            // Its provider hasn't given it one yet.
            return Ok(Performed::new(tx, Outcome::Pending));
        }
        let outcome = match self.adopt(&mut tx, job, account, &held, Some(purchase)).await? {
            Adopted::Kept(id) => {
                job.phone_number_id = Some(id.0);
                match held.state {
                    HeldState::Active => Outcome::Done,
                    HeldState::Pending | HeldState::Blocked => Outcome::Pending,
                }
            }
            Adopted::Taken => Outcome::Fault(Fault::stop("phone_number_taken", TAKEN)),
        };
        Ok(Performed::new(tx, outcome)
            .saying(held.number.map(|number| number.to_string()).unwrap_or_default()))
    }

    /// The purchase that a job is about.
    pub(super) async fn purchase(&self, job: &Job) -> Result<Purchase, StoreError> {
        let id = job.progress.purchase.ok_or(StoreError::Malformed("job without a purchase"))?;
        let mut tx = self.store.read(Scope::Operator).await?;
        purchases::find(tx.conn(), id).await
    }
}

/// Why a number that was bought isn't kept for the job.
pub(super) const TAKEN: &str =
    "the number that was bought is somebody's here already: see who has it, then retry";

/// What was, or is to be, sent.
fn order(purchase: &Purchase, provisioner: &Provisioner) -> Result<Order, StoreError> {
    let number = purchase.phone_number.as_deref().map(str::parse).transpose();
    Ok(Order {
        tag: Tag(purchase.id),
        number: number.map_err(|_| StoreError::Malformed("purchase"))?,
        wanted: purchase.wanted.0.search(1),
        webhooks: provisioner.settings.webhooks(),
    })
}
