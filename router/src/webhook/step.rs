//! A step of a route becomes an action that the provider can do.

use dialplane_common::call::InboundCall;
use dialplane_common::calls::event::Decided;
use dialplane_common::feed::record::{AgentRecord, AgentTarget, HostedAgent};
use dialplane_common::ids::AgentId;
use dialplane_common::provider::public_url::PublicUrl;
use dialplane_common::provider::reply::{Action, After, Refusal, Reply};
use dialplane_common::provider::{AFTER, provider};
use dialplane_common::route::{Step, choose};

use super::after::{self, Remainder};
use super::call::{Owner, Source, Webhook, first_dialable};
use super::tell::decided;
use crate::outcome::{Answer, Outcome};

/// What a step is for a call, and the agent that it reaches.
pub struct Resolved<'s> {
    pub action: Action<'s>,
    pub agent: Option<&'s AgentRecord>,
    agent_id: Option<AgentId>,
}

/// A step that was taken.
pub struct Taken {
    pub answer: Answer,
    pub decided: Decided,
}

impl<'a> Webhook<'a> {
    /// Renders the first step that can be taken. What is left of the chain goes into the URL by which the provider
    /// asks what follows.
    pub(super) fn take_step(
        &self,
        source: &Source<'a>,
        owner: &Owner<'a>,
        call: &InboundCall<'_>,
        chain: &[Step],
    ) -> Result<Taken, Answer> {
        let (taken, Resolved { action, agent, agent_id }) = chain
            .iter()
            .enumerate()
            .find_map(|(index, step)| Some((index, self.resolve(owner, call, step)?)))
            .ok_or_else(|| self.refuse(call, Refusal::NoRoute))?;
        let rest = &chain[taken + 1..];
        let asks_after = !rest.is_empty() || self.endpoint.provider.asks_within(&action);
        let after = if asks_after { self.after(source, owner, call, rest) } else { None };
        let location = self.location(owner, agent);
        let reply = Reply { call, location: &location, action, after, fallback: first_dialable(rest) };
        let answer = Answer::document(Outcome::Answered, self.endpoint.provider.render(&reply));
        Ok(Taken { answer, decided: decided(&chain[taken], agent_id) })
    }

    /// What a step is for this owner; `None` when it can't be done: its agent is gone, or the provider has no way.
    pub(super) fn resolve<'s>(
        &'s self,
        owner: &Owner<'a>,
        call: &InboundCall<'_>,
        step: &'s Step,
    ) -> Option<Resolved<'s>> {
        let resolved = match step {
            Step::Agent { agent: None } => {
                let number = owner.number?;
                self.reach(number.agent_id()?, number.agent()?, None)?
            }
            Step::Agent { agent: Some(id) } => {
                self.reach(*id, self.snapshot.agent(owner.tenant_id, *id)?, None)?
            }
            Step::Split { agents } => {
                let share = choose(agents, &call.call_id)?;
                let agent = self.snapshot.agent(owner.tenant_id, share.agent)?;
                self.reach(share.agent, agent, share.version.as_deref())?
            }
            other => Resolved { action: without_agent(other)?, agent: None, agent_id: None },
        };
        self.endpoint.provider.can(&resolved.action).then_some(resolved)
    }

    /// How the call reaches an agent.
    fn reach<'s>(
        &self,
        id: AgentId,
        agent: &'s AgentRecord,
        version: Option<&'s str>,
    ) -> Option<Resolved<'s>> {
        let action = match &agent.target {
            AgentTarget::Stream { url } => Action::Stream(url),
            AgentTarget::Sip { uri } => Action::AgentSip(uri),
            AgentTarget::Redirect { url } => Action::Redirect(url),
            AgentTarget::Hosted(hosted) => self.reach_hosted(hosted, version)?,
        };
        Some(Resolved { action, agent: Some(agent), agent_id: Some(id) })
    }

    /// An agent answers natively at its own provider; elsewhere by SIP, or where its provider takes over calls of
    /// this carrier.
    fn reach_hosted<'s>(&self, hosted: &'s HostedAgent, version: Option<&'s str>) -> Option<Action<'s>> {
        let here = self.endpoint.provider.name();
        if hosted.provider == here {
            return Some(Action::Hosted { agent: hosted, version: version.or(hosted.version.as_deref()) });
        }
        let by_sip = hosted.sip_uri.as_deref().map(Action::AgentSip);
        by_sip.or_else(|| provider(&hosted.provider)?.entry(here).map(Action::Redirect))
    }

    fn after(
        &self,
        source: &Source<'a>,
        owner: &Owner<'a>,
        call: &InboundCall<'_>,
        rest: &[Step],
    ) -> Option<After> {
        let provider = self.endpoint.provider;
        provider.kinds().iter().find(|kind| kind.name == AFTER)?;
        let remainder = Remainder {
            account: source.account_id,
            tenant: owner.tenant_id,
            number: owner.number.and(owner.called),
            asked_at: self.now.seconds(),
            rest: rest.to_vec(),
        };
        let state = remainder.seal(&call.call_id, &self.router.keys)?;
        let base = self.request.public_urls.first().map_or("", PublicUrl::as_str);
        let (provider, account) = (provider.name(), source.account_id);
        let url = format!("{base}/webhooks/{provider}/{AFTER}/{account}?{}={state}", after::PARAMETER);
        Some(After { url, state })
    }
}

/// What a step is that reaches no agent; `None` for those that do.
fn without_agent(step: &Step) -> Option<Action<'_>> {
    Some(match step {
        Step::Agent { .. } | Step::Split { .. } => return None,
        Step::Forward { to, timeout_s } => {
            Action::Dial { to: std::slice::from_ref(to), timeout_s: *timeout_s }
        }
        Step::Ring { to, timeout_s } => Action::Dial { to, timeout_s: *timeout_s },
        Step::Voicemail { prompt, length_max_s } => Action::Voicemail { prompt, length_max_s: *length_max_s },
        Step::Message { prompt } => Action::Message(prompt),
        Step::Reject { busy } => Action::Reject { busy: *busy },
        Step::Redirect { url } => Action::Redirect(url),
    })
}
