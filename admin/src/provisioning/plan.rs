//! What a job would do: a dry run.
//!
//! It asks the same questions as the job (`offers.rs`, `choose.rs`), and what follows each answer is what
//! [`super::workflow`] says, so that the plan is what the deed would be now. Nothing is written and nothing bought; only
//! searches are asked of providers. Strategies behind the one that would be taken are shown as well.

use dialplane_common::ids::TenantId;
use futures_util::future::try_join_all;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Provisioner;
use super::agent::no_host;
use super::choose::{self, Pooled, last, reserve_pooled};
use super::offers::{Asked, Choice, Found, Seeker, costs};
use super::request::JobRequest;
use super::workflow::{Course, Outcome, Progress, Stage, State};
use crate::business::provisioning::Strategy;
use crate::store::agents::Agent;
use crate::store::purchases::{self, Cost};
use crate::store::{Origin, Scope, StoreError, tenants};

const ORIGIN: Origin = Origin::system("provisioning");

/// What a job would do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Plan {
    /// Where the agent would be made; null: it is there.
    pub agent: Option<PlannedAgent>,
    /// What each strategy has to offer, in their order: an item for each account that was asked, or would be.
    pub considered: Vec<Considered>,
    /// Which of these would be taken, from 0; null: none.
    pub takes: Option<usize>,
    /// What the job would come to by itself.
    pub ends: Ends,
    /// What might still be spent this month once that is done.
    pub left: Left,
}

/// Where an agent would be made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct PlannedAgent {
    /// Who would host it.
    pub provider: String,
    /// The account; null: there is none.
    pub account_id: Option<Uuid>,
    /// Why it couldn't be made, for programs; null: it could.
    pub code: Option<String>,
    /// The same for people.
    pub reason: Option<String>,
}

/// What a strategy has to offer at an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Considered {
    /// The strategy.
    pub strategy: Strategy,
    /// The account; null: none is asked.
    pub account_id: Option<Uuid>,
    /// Where it is.
    pub provider: Option<String>,
    /// Whether calls there come to the agent.
    pub reaches_agent: bool,
    /// The first offer; null: there is none.
    pub offer: Option<PlannedOffer>,
    /// Why it isn't to be had, or not without a word of somebody's, for programs; null: it is.
    pub code: Option<String>,
    /// The same for people.
    pub reason: Option<String>,
}

/// A number to be had, and what it costs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct PlannedOffer {
    /// Which; null: the provider chooses.
    pub phone_number: Option<String>,
    /// What it costs once, a decimal.
    pub upfront: String,
    /// What it costs each month, a decimal.
    pub monthly: String,
    /// ISO 4217.
    pub currency: String,
    /// Whether the price is the platform's estimate, as the provider names none.
    pub is_estimated: bool,
}

/// What a job would come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// A number that is there is used.
    Reserves,
    /// A number is bought.
    Buys,
    /// It waits until somebody agrees to the price.
    Confirms,
    /// It waits until the provider can be asked.
    Waits,
    /// It waits for a person.
    Manual,
}

/// What may still be spent in this calendar month (UTC).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Left {
    /// ISO 4217.
    pub currency: String,
    /// For the tenant, a decimal.
    pub tenant: Option<String>,
    /// By the platform, a decimal; null: it isn't for tenants to know.
    pub platform: Option<String>,
}

/// What a strategy comes to.
struct Weighed {
    items: Vec<Considered>,
    outcome: Outcome,
    /// The item that would be taken.
    taken: Option<usize>,
    cost: Option<Cost>,
}

impl Provisioner {
    /// What a job of this request would do now for a tenant, whose `agent` is to answer.
    ///
    /// # Errors
    /// When Postgres can't be asked; [`StoreError::NotFound`] when there is no such tenant.
    pub async fn plan(
        &self,
        tenant: TenantId,
        agent: Option<&Agent>,
        request: &JobRequest,
        is_operator: bool,
    ) -> Result<Plan, StoreError> {
        let seeker = Seeker { tenant: Some(tenant), agent, request };
        let planned = match agent {
            Some(agent) if agent.target.is_none() => Some(self.plan_agent(tenant, agent).await?),
            _ => None,
        };
        // All at once: one that is slow doesn't make the others late.
        let weighing = request.strategies.iter().map(|strategy| self.weigh(*strategy, tenant, &seeker));
        let weighed = try_join_all(weighing).await?;
        let is_agent_had = planned.as_ref().is_none_or(|planned| planned.code.is_none());
        let (at, ends) = if is_agent_had { walk(&weighed) } else { (None, Ends::Manual) };
        let taken = at.and_then(|at| weighed.get(at).map(|weighed| (at, weighed)));
        let before = |at: usize| weighed.iter().take(at).map(|weighed| weighed.items.len()).sum::<usize>();
        let takes = taken.and_then(|(at, weighed)| weighed.taken.map(|item| before(at) + item));
        let cost = taken.and_then(|(_, weighed)| weighed.cost.clone());
        let mut tx = self.store.read(Scope::Operator).await?;
        let left = purchases::left(tx.conn(), Some(tenant.0), &self.settings.limits, cost.as_ref()).await?;
        Ok(Plan {
            agent: planned,
            takes,
            ends,
            left: Left {
                currency: self.settings.limits.currency.clone(),
                tenant: left.tenant,
                platform: is_operator.then_some(left.platform),
            },
            considered: weighed.into_iter().flat_map(|weighed| weighed.items).collect(),
        })
    }

    async fn plan_agent(&self, tenant: TenantId, agent: &Agent) -> Result<PlannedAgent, StoreError> {
        let account = self.host_of(tenant, agent).await?;
        let fault = match &account {
            None => Some(no_host(agent)),
            Some(account) => account.agents().err(),
        };
        Ok(PlannedAgent {
            provider: agent.provider.clone(),
            account_id: account.map(|account| account.row.id),
            code: fault.as_ref().map(super::performed::code),
            reason: fault.as_ref().map(super::performed::said),
        })
    }

    async fn weigh(
        &self,
        strategy: Strategy,
        tenant: TenantId,
        seeker: &Seeker<'_>,
    ) -> Result<Weighed, StoreError> {
        match strategy {
            Strategy::Pool => self.weigh_pool(tenant, seeker.request).await,
            Strategy::Manual => Ok(nobody(strategy, Outcome::Person, "manual", choose::BY_HAND)),
            strategy => self.weigh_accounts(strategy, tenant, seeker).await,
        }
    }

    async fn weigh_pool(&self, tenant: TenantId, request: &JobRequest) -> Result<Weighed, StoreError> {
        // What is reserved in it isn't, as it is never committed.
        let mut tx = self.store.write(Scope::Operator, &ORIGIN).await?;
        let pooled = reserve_pooled(&mut tx, tenant, &request.wish).await?;
        drop(tx);
        let strategy = Strategy::Pool;
        Ok(match pooled {
            Pooled::Nothing => nobody(strategy, Outcome::Nothing, "no_such_number", choose::NOT_POOLED),
            Pooled::NoRoom => nobody(strategy, Outcome::Person, "phone_numbers_limit", choose::NO_ROOM),
            Pooled::Reserved(row) => {
                // It has been paid for.
                let cost = Cost { monthly: "0".to_owned(), is_estimated: false, ..self.settings.estimate() };
                let item = Considered {
                    offer: Some(offered(Some(row.phone_number), &cost)),
                    ..considered(strategy, None)
                };
                Weighed { items: vec![item], outcome: Outcome::Reserved, taken: Some(0), cost: None }
            }
        })
    }

    async fn weigh_accounts(
        &self,
        strategy: Strategy,
        tenant: TenantId,
        seeker: &Seeker<'_>,
    ) -> Result<Weighed, StoreError> {
        let mut tx = self.store.read(Scope::Operator).await?;
        let has_room = tenants::has_room(tx.conn(), tenant).await?;
        drop(tx);
        if !has_room {
            return Ok(nobody(strategy, Outcome::Person, "phone_numbers_limit", choose::NO_ROOM));
        }
        let mut asked = self.ask_accounts(strategy, seeker).await?;
        let offering = asked.pop_if(|last| matches!(last.found, Found::Offers(_)));
        let mut items: Vec<_> = asked.iter().map(|asked| refused(strategy, asked)).collect();
        let Some(Asked { account, found: Found::Offers(offers) }) = offering else {
            let Some((_, outcome)) = last(&asked) else {
                let nobody = nobody(strategy, Outcome::Nothing, "no_account", choose::NO_ACCOUNT);
                items.extend(nobody.items);
                return Ok(Weighed { items, ..nobody });
            };
            return Ok(Weighed { items, outcome, taken: None, cost: None });
        };
        let mut tx = self.store.read(Scope::Operator).await?;
        let choice = self.choice(tx.conn(), strategy, seeker, account.row.id, offers).await?;
        let provider = account.row.provider.clone();
        let (offer, cost, outcome, why) = match choice {
            Choice::Take(offer, cost) => (Some(offer), Some(cost), Outcome::Recorded(Uuid::nil()), None),
            Choice::Costs(offer, cost) => {
                let why = costs(&cost, &provider);
                (Some(offer), Some(cost), Outcome::Costs, Some(why))
            }
            Choice::Limited(offer, cost, passed) => {
                (Some(offer), Some(cost), Outcome::Person, Some(self.limit(passed)))
            }
            Choice::Gone => (None, None, Outcome::Nothing, Some(("no_such_number", choose::GONE.to_owned()))),
        };
        let number = offer.and_then(|offer| offer.number).map(|number| number.to_string());
        let offer = cost.as_ref().map(|cost| offered(number, cost));
        let (code, reason) = why.map(|(code, reason)| (code.to_owned(), reason)).unzip();
        let is_had = matches!(outcome, Outcome::Recorded(_) | Outcome::Costs);
        let taken = is_had.then_some(items.len());
        items.push(Considered { offer, code, reason, ..considered(strategy, Some(&account)) });
        Ok(Weighed { items, outcome, taken, cost: cost.filter(|_| is_had) })
    }
}

/// Which strategy a job would stop at, and what that comes to.
fn walk(weighed: &[Weighed]) -> (Option<usize>, Ends) {
    let mut progress = Progress::begin(Course::Number, false);
    loop {
        let at = progress.strategy;
        let outcome = weighed.get(at).map_or(&Outcome::Exhausted, |weighed| &weighed.outcome);
        progress = progress.advance(outcome, false).progress;
        match (progress.stage, progress.state) {
            (Stage::Choose, State::Running) if progress.strategy > at => {}
            (_, State::Confirming) => return (Some(at), Ends::Confirms),
            (Stage::Buy, _) => return (Some(at), Ends::Buys),
            (Stage::Link, _) => return (Some(at), Ends::Reserves),
            (Stage::Choose, State::Running) => return (Some(at), Ends::Waits),
            _ => return (Some(at), Ends::Manual),
        }
    }
}

/// An item about an account, of which nothing is said yet.
fn considered(strategy: Strategy, account: Option<&super::account::OpenAccount>) -> Considered {
    Considered {
        strategy,
        account_id: account.map(|account| account.row.id),
        provider: account.map(|account| account.row.provider.clone()),
        reaches_agent: true,
        offer: None,
        code: None,
        reason: None,
    }
}

/// An account that has nothing.
fn refused(strategy: Strategy, asked: &Asked) -> Considered {
    let (code, reason) = asked.why().unzip();
    let reaches_agent = !matches!(asked.found, Found::Unreachable);
    Considered { reaches_agent, code, reason, ..considered(strategy, Some(&asked.account)) }
}

/// A strategy that asks no account.
fn nobody(strategy: Strategy, outcome: Outcome, code: &str, reason: &str) -> Weighed {
    let (code, reason) = (Some(code.to_owned()), Some(reason.to_owned()));
    let item = Considered { code, reason, ..considered(strategy, None) };
    Weighed { items: vec![item], outcome, taken: None, cost: None }
}

fn offered(phone_number: Option<String>, cost: &Cost) -> PlannedOffer {
    PlannedOffer {
        phone_number,
        upfront: cost.upfront.clone(),
        monthly: cost.monthly.clone(),
        currency: cost.currency.clone(),
        is_estimated: cost.is_estimated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialplane_common::rest::Fault;

    fn weighed(outcome: Outcome) -> Weighed {
        Weighed { items: Vec::new(), outcome, taken: None, cost: None }
    }

    #[test]
    fn goes_from_strategy_to_strategy_as_a_job_does() {
        let check = |outcomes: &[Outcome], at: usize, ends: Ends| {
            let all: Vec<_> = outcomes.iter().cloned().map(weighed).collect();
            assert_eq!(walk(&all), (Some(at), ends), "{outcomes:?}");
        };
        let bought = Outcome::Recorded(Uuid::nil());
        let stop = Outcome::Fault(Fault::stop("20003", "Authenticate"));
        let elsewhere = Outcome::Fault(Fault::elsewhere("21452", "no numbers there"));
        let retry = Outcome::Fault(Fault::retry("too many requests"));
        check(&[Outcome::Reserved, bought.clone()], 0, Ends::Reserves);
        check(&[Outcome::Nothing, bought.clone()], 1, Ends::Buys);
        check(&[Outcome::Nothing, stop.clone(), elsewhere, bought.clone()], 3, Ends::Buys);
        check(&[Outcome::Nothing, Outcome::Costs, bought.clone()], 1, Ends::Confirms);
        check(&[retry, bought.clone()], 0, Ends::Waits);
        check(&[Outcome::Person, bought], 0, Ends::Manual);
        check(&[Outcome::Nothing, stop], 2, Ends::Manual);
        check(&[], 0, Ends::Manual);
    }
}
