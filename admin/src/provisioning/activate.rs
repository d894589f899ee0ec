//! Points a number at us, and has its calls routed.

use dialplane_common::ids::AgentId;
use dialplane_common::rest::Fault;

use super::Provisioner;
use super::choose::number_of;
use super::performed::Performed;
use super::workflow::{Course, Outcome};
use crate::store::holdings::{self, Holding};
use crate::store::jobs::Job;
use crate::store::{Scope, StoreError, agents, numbers, tenants};

impl Provisioner {
    /// Points a job's number at us: voice, fallback, status and messages.
    pub(super) async fn configure(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let number = number_of(job)?;
        let Some(holding) = self.carrier_of(job).await? else {
            // Somebody else sees to it.
            return self.step(job, Outcome::Done).await;
        };
        let account = self.open_account(holding.account_id).await?;
        let webhooks = self.settings.webhooks();
        let configured = match account.numbers() {
            _ if webhooks.public_urls.is_empty() => Err(Fault::stop(
                "public_urls_unset",
                "the admin plane doesn't know by which URL providers call: set PUBLIC_URLS, then retry",
            )),
            Ok(numbers) => {
                match self.ask(&account, numbers.get(&account.account(), &holding.held_id)).await {
                    Ok(held) => {
                        let name = numbers_name(&holding, &held.name, job);
                        self.ask(&account, numbers.configure(&account.account(), &held, &name, &webhooks))
                            .await
                    }
                    Err(fault) => Err(fault),
                }
            }
            Err(fault) => Err(fault),
        };
        let outcome = configured.map_or_else(Outcome::Fault, |_| Outcome::Done);
        let mut performed = self.step(job, outcome).await?.at(holding.account_id);
        if performed.outcome == Outcome::Done
            && let Some(url) = webhooks.public_urls.first()
        {
            holdings::pointed(performed.tx.conn(), number, holding.account_id, url).await?;
        }
        Ok(performed)
    }

    /// Has a job's number's calls routed; the pool's is there to be had.
    pub(super) async fn activate(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let number = number_of(job)?;
        let mut tx = self.begin(job).await?;
        let Some(tenant) = job.tenant() else {
            numbers::set_lifecycle(tx.conn(), number, "available").await?;
            return Ok(Performed::new(tx, Outcome::Done));
        };
        tenants::lock(tx.conn(), tenant).await?;
        numbers::lock(tx.conn(), tenant, number).await?;
        let mut fields = numbers::find(tx.conn(), tenant, number).await?.fields();
        if let Some(agent) = job.agent_id.map(AgentId) {
            if agents::hold(tx.conn(), tenant, &[agent]).await?.is_empty() {
                let fault = Fault::stop("agent_gone", "the agent was deleted meanwhile: retry with another");
                return Ok(Performed::new(tx, Outcome::Fault(fault)));
            }
            fields.agent_id = Some(agent);
        }
        fields.status = "active".to_owned();
        if let Some(name) = &job.request.display_name {
            fields.display_name.clone_from(name);
        }
        if job.request.timezone.is_some() {
            fields.timezone.clone_from(&job.request.timezone);
        }
        numbers::update(tx.conn(), tenant, number, &fields).await?;
        // This job has told its provider.
        holdings::link_is_seen_to(tx.conn(), number).await?;
        let lifecycle = if job.progress.course == Course::PortIn { "porting" } else { "active" };
        numbers::set_lifecycle(tx.conn(), number, lifecycle).await?;
        let row = tx.record_number(tenant, number).await?;
        Ok(Performed::new(tx, Outcome::Done).saying(row.phone_number))
    }

    /// Where the carrier holds a job's number; absent: nobody here bought or imported it.
    pub(super) async fn carrier_of(&self, job: &Job) -> Result<Option<Holding>, StoreError> {
        let mut tx = self.store.read(Scope::Operator).await?;
        let held = holdings::of_number(tx.conn(), number_of(job)?).await?;
        Ok(held.into_iter().find(|holding| holding.role == "carrier"))
    }
}

/// What a number is called at its provider: bought ones keep their tag, by which they are found again.
fn numbers_name(holding: &Holding, name: &str, job: &Job) -> String {
    match holding.purchase_id {
        Some(purchase) => dialplane_common::rest::numbers::Tag(purchase).to_string(),
        None if name.is_empty() => {
            job.request.display_name.clone().unwrap_or_default().chars().take(40).collect()
        }
        None => name.to_owned(),
    }
}
