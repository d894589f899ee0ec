//! Makes and deletes agents at the providers that host them.

use dialplane_common::feed::frame::RecordKey;
use dialplane_common::ids::{AgentId, TenantId};
use dialplane_common::rest::Fault;
use dialplane_common::rest::agents::AgentSpec;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::Provisioner;
use super::account::OpenAccount;
use super::performed::Performed;
use super::workflow::Outcome;
use crate::store::agents::{self, Agent};
use crate::store::jobs::Job;
use crate::store::{StoreError, accounts, hosted_agents};

impl Provisioner {
    /// Makes a job's agent at its provider, unless it is there: it is looked for by its name first, as a request that
    /// wasn't answered may have made it.
    pub(super) async fn make_agent(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let (Some(tenant), Some(id)) = (job.tenant(), job.agent_id) else {
            return self.step(job, Outcome::Done).await;
        };
        let Some(agent) = self.agent_of(job, tenant).await? else {
            let fault = Fault::stop("agent_gone", "the agent was deleted meanwhile");
            return self.step(job, Outcome::Fault(fault)).await;
        };
        if agent.target.is_some() {
            return self.step(job, Outcome::Done).await;
        }
        let Some(account) = self.host_of(tenant, &agent).await? else {
            return self.step(job, Outcome::Fault(no_host(&agent))).await;
        };
        match self.ask_agent(&account, &agent).await {
            Ok(hosted) => self.keep_agent(job, tenant, id, &account, &hosted).await,
            Err(fault) => Ok(self.step(job, Outcome::Fault(fault)).await?.at(account.row.id)),
        }
    }

    async fn ask_agent(&self, account: &OpenAccount, agent: &Agent) -> Result<String, Fault> {
        let host = account.agents()?;
        let spec = self.spec(agent);
        let named = self.ask(account, host.named(&account.account(), &spec.name)).await?;
        match named.into_iter().next() {
            Some(hosted) => Ok(hosted.id),
            None => self.ask(account, host.create(&account.account(), &spec)).await,
        }
    }

    async fn keep_agent(
        &self,
        job: &Job,
        tenant: TenantId,
        id: Uuid,
        account: &OpenAccount,
        hosted: &str,
    ) -> Result<Performed, StoreError> {
        let mut tx = self.begin(job).await?;
        agents::lock(tx.conn(), Some(tenant), AgentId(id)).await?;
        accounts::grant(tx.conn(), account.id(), tenant).await?;
        let agent = agents::made(tx.conn(), AgentId(id), account.row.id, hosted).await?;
        self.note_told(tx.conn(), AgentId(id)).await?;
        tx.record_agent(&agent)?;
        Ok(Performed::new(tx, Outcome::Done).at(account.row.id).saying(hosted))
    }

    /// Tells the provider of an agent that we made how it is now.
    pub(super) async fn update_agent(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let agent = match job.tenant() {
            Some(tenant) => self.agent_of(job, tenant).await?,
            None => None,
        };
        let made = agent.as_ref().and_then(|agent| {
            let hosted = agent.target.as_ref()?.0.id.as_deref()?;
            Some((agent, hosted, agent.account_id.filter(|_| agent.is_made)?))
        });
        // It is gone, or its provider has it no more: nobody is to be told.
        let Some((agent, hosted, account)) = made else { return self.step(job, Outcome::Done).await };
        let account = self.open_account(account).await?;
        let updated = match account.agents() {
            Ok(host) => self.ask(&account, host.update(&account.account(), hosted, &self.spec(agent))).await,
            Err(fault) => Err(fault),
        };
        let outcome = updated.map_or_else(Outcome::Fault, |()| Outcome::Done);
        let mut performed = self.step(job, outcome).await?.at(account.row.id);
        if performed.outcome == Outcome::Done {
            self.note_told(performed.tx.conn(), AgentId(agent.id)).await?;
        }
        Ok(performed)
    }

    /// Notes that an agent's provider knows it, and where to send what it has to say.
    async fn note_told(&self, conn: &mut PgConnection, agent: AgentId) -> Result<(), StoreError> {
        hosted_agents::told(conn, agent, self.settings.public_urls.first().map(String::as_str)).await
    }

    /// Deletes an agent that a job made, or may have made though nobody here was told.
    pub(super) async fn unmake_agent(&self, job: &mut Job) -> Result<Performed, StoreError> {
        if let Some(hosted) = &job.request.hosted {
            let account = self.open_account(hosted.account_id).await?;
            let deleted = match account.agents() {
                Ok(host) => self.ask(&account, host.delete(&account.account(), &hosted.id)).await,
                Err(fault) => Err(fault),
            };
            let outcome = deleted.map_or_else(Outcome::Fault, |()| Outcome::Done);
            return Ok(self.step(job, outcome).await?.at(account.row.id));
        }
        let agent = match job.tenant() {
            Some(tenant) => self.agent_of(job, tenant).await?.map(|agent| (tenant, agent)),
            None => None,
        };
        let made = agent.filter(|(_, agent)| agent.is_made || agent.target.is_none());
        let Some((tenant, agent)) = made else { return self.step(job, Outcome::Done).await };
        let Some(account) = self.host_of(tenant, &agent).await? else {
            return self.step(job, Outcome::Done).await;
        };
        let deleted = self.delete_agent(&account, &agent).await;
        let outcome = deleted.map_or_else(Outcome::Fault, |()| Outcome::Done);
        let mut performed = self.step(job, outcome).await?.at(account.row.id);
        if performed.outcome == Outcome::Done {
            agents::unmade(performed.tx.conn(), AgentId(agent.id)).await?;
            performed.tx.remove(RecordKey::Agent(AgentId(agent.id)));
        }
        Ok(performed)
    }

    async fn delete_agent(&self, account: &OpenAccount, agent: &Agent) -> Result<(), Fault> {
        let host = account.agents()?;
        let known = agent.target.as_ref().and_then(|target| target.0.id.clone());
        let ids = match known {
            Some(id) => vec![id],
            None => {
                let named = host.named(&account.account(), &self.spec(agent).name);
                self.ask(account, named).await?.into_iter().map(|hosted| hosted.id).collect()
            }
        };
        for id in ids {
            self.ask(account, host.delete(&account.account(), &id)).await?;
        }
        Ok(())
    }

    /// What an agent is to be at its provider.
    pub(super) fn spec(&self, agent: &Agent) -> AgentSpec {
        AgentSpec {
            name: format!("dp:{}", agent.id.simple()),
            language: agent.language.clone(),
            greeting: agent.greeting.clone(),
            prompt: agent.prompt.clone(),
            voice_id: agent.voice_id.clone(),
            config: agent.config.0.clone(),
            webhooks: self.settings.webhooks(),
        }
    }
}

/// Why an agent can't be made where it is to be.
pub(super) fn no_host(agent: &Agent) -> Fault {
    let whose = if agent.kind == "own" { "the tenant has" } else { "the platform has" };
    Fault::stop("no_account", format!("{whose} no account at {}: add one, then retry", agent.provider))
}
