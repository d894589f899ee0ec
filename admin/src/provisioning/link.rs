//! Leads a number's calls to an agent that a provider hosts.

use dialplane_common::ids::{AgentId, PhoneNumberId, TenantId};
use dialplane_common::rest::Fault;
use dialplane_common::rest::agents::{Carrier, Import, Link};
use dialplane_common::rest::numbers::Held;
use dialplane_common::secret::Secret;

use super::Provisioner;
use super::account::OpenAccount;
use super::choose::number_of;
use super::performed::Performed;
use super::workflow::Outcome;
use crate::store::agents::Agent;
use crate::store::bindings::Binding;
use crate::store::holdings::{self, Holding};
use crate::store::jobs::Job;
use crate::store::{Scope, StoreError, WriteTx, accounts, agents, bindings, numbers};

impl Provisioner {
    /// Makes the number known to its agent's provider, where that is wanted: it asks us for each call where it can.
    pub(super) async fn link(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let number = number_of(job)?;
        let Some(tenant) = job.tenant() else { return self.step(job, Outcome::Done).await };
        let agent = self.agent_of(job, tenant).await?;
        let Some(carrier) = self.carrier_of(job).await? else { return self.step(job, Outcome::Done).await };
        let carrier_account = self.open_account(carrier.account_id).await?;
        let hosted = agent.filter(|agent| agent.provider != "custom");
        let Some(agent) = hosted else {
            // A number that its provider would answer by itself is made to ask us.
            return match carrier_account.provider.agents() {
                Some(_) => self.link_there(job, &carrier_account, &carrier, None).await,
                None => self.step(job, Outcome::Done).await,
            };
        };
        if agent.provider == carrier_account.row.provider {
            return self.link_there(job, &carrier_account, &carrier, Some(&agent)).await;
        }
        if agent.target.as_ref().is_some_and(|target| target.0.sip_uri.is_some()) {
            // Its provider takes calls by SIP, known number or not.
            return self.step(job, Outcome::Done).await;
        }
        self.import_at(job, tenant, number, &agent, &carrier_account).await
    }

    /// The number is at the agent's own provider.
    async fn link_there(
        &self,
        job: &Job,
        account: &OpenAccount,
        carrier: &Holding,
        agent: Option<&Agent>,
    ) -> Result<Performed, StoreError> {
        let linked = match account.agents() {
            Ok(agents) => {
                let link = link_to(agents.asks(), agent);
                let webhooks = self.settings.webhooks();
                self.ask(account, agents.link(&account.account(), &carrier.held_id, &link, &webhooks)).await
            }
            Err(fault) => Err(fault),
        };
        let outcome = linked.map_or_else(Outcome::Fault, |_| Outcome::Done);
        Ok(self.step(job, outcome).await?.at(account.row.id))
    }

    /// The number stays at its carrier, and the agent's provider is told of it.
    async fn import_at(
        &self,
        job: &Job,
        tenant: TenantId,
        number: PhoneNumberId,
        agent: &Agent,
        carrier: &OpenAccount,
    ) -> Result<Performed, StoreError> {
        let Some(account) = self.host_of(tenant, agent).await? else {
            let reason = format!("neither the tenant nor the platform has an account at {}", agent.provider);
            return self.step(job, Outcome::Fault(Fault::stop("no_account", reason))).await;
        };
        let imported = self.ask_import(job, tenant, number, agent, carrier, &account).await?;
        let held = match imported {
            Ok(held) => held,
            Err(fault) => return Ok(self.step(job, Outcome::Fault(fault)).await?.at(account.row.id)),
        };
        let mut tx = self.begin(job).await?;
        self.note_import(&mut tx, tenant, number, &account, &held).await?;
        Ok(Performed::new(tx, Outcome::Done).at(account.row.id))
    }

    async fn ask_import(
        &self,
        job: &Job,
        tenant: TenantId,
        number: PhoneNumberId,
        agent: &Agent,
        carrier: &OpenAccount,
        account: &OpenAccount,
    ) -> Result<Result<Held, Fault>, StoreError> {
        let agents = match account.agents() {
            Ok(agents) => agents,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut tx = self.store.read(Scope::Operator).await?;
        let row = numbers::find(tx.conn(), tenant, number).await?;
        drop(tx);
        let e164 = row.phone_number.parse().map_err(|_| StoreError::Malformed("phone number"))?;
        let carrier = match carrier_of(carrier) {
            Ok(carrier) => carrier,
            Err(fault) => return Ok(Err(fault)),
        };
        let import = Import {
            number: e164,
            name: format!("dp:{}", job.id.simple()),
            carrier,
            link: link_to(agents.asks(), Some(agent)),
            webhooks: self.settings.webhooks(),
        };
        Ok(self.ask(account, agents.import(&account.account(), &import)).await)
    }

    async fn note_import(
        &self,
        tx: &mut WriteTx,
        tenant: TenantId,
        number: PhoneNumberId,
        account: &OpenAccount,
        held: &Held,
    ) -> Result<(), StoreError> {
        numbers::lock(tx.conn(), tenant, number).await?;
        let holding = Holding {
            phone_number_id: number.0,
            account_id: account.row.id,
            role: "agent".to_owned(),
            held_id: held.id.clone(),
            origin: "imported".to_owned(),
            former: None,
            purchase_id: None,
            public_url: None,
        };
        holdings::put(tx.conn(), &holding).await?;
        accounts::grant(tx.conn(), account.id(), tenant).await?;
        let mut bound: Vec<Binding> = numbers::find(tx.conn(), tenant, number).await?.bindings.0;
        bound.retain(|binding| binding.account_id != account.row.id);
        let number_id = Some(held.id.clone());
        bound.push(Binding { account_id: account.row.id, role: "agent".to_owned(), number_id });
        bindings::replace(tx.conn(), tenant, number, &bound).await?;
        tx.record_number(tenant, number).await?;
        Ok(())
    }

    /// A job's agent.
    pub(super) async fn agent_of(&self, job: &Job, tenant: TenantId) -> Result<Option<Agent>, StoreError> {
        let Some(id) = job.agent_id else { return Ok(None) };
        let mut tx = self.store.read(Scope::Operator).await?;
        match agents::find(tx.conn(), tenant, AgentId(id)).await {
            Ok(agent) => Ok(Some(agent)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The account at an agent's provider in which the agent is: where it was made, else the tenant's own for its own
    /// agents, else the platform's.
    pub(super) async fn host_of(
        &self,
        tenant: TenantId,
        agent: &Agent,
    ) -> Result<Option<OpenAccount>, StoreError> {
        if let Some(id) = agent.account_id {
            return self.open_account(id).await.map(Some);
        }
        let mut tx = self.store.read(Scope::Operator).await?;
        let owner = (agent.kind == "own").then_some(tenant);
        Ok(self.accounts_of(tx.conn(), owner, Some(&agent.provider)).await?.into_iter().next())
    }
}

fn link_to(asks: bool, agent: Option<&Agent>) -> Link {
    let id = agent.and_then(|agent| agent.target.as_ref()).and_then(|target| target.0.id.clone());
    match (asks, id) {
        (true, or) => Link::Ask { or },
        (false, Some(id)) => Link::Agent(id),
        (false, None) => Link::None,
    }
}

/// How an agents' provider reaches a carrier.
fn carrier_of(account: &OpenAccount) -> Result<Carrier, Fault> {
    if account.row.provider != "twilio" {
        let reason = format!(
            "numbers of {} can't be made known to the agent's provider by REST: give the agent a sip_uri, or import the \
             number there by hand and retry",
            account.row.provider
        );
        return Err(Fault::stop("import_by_hand", reason));
    }
    let rest = account.account();
    Ok(Carrier::Twilio {
        account_sid: rest.wanted("account_sid")?.to_owned(),
        auth_token: Secret::new(rest.wanted("auth_token")?),
    })
}
