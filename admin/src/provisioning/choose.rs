//! Finds a number: one that is there already, or an offer that is recorded as a purchase.

use dialplane_common::e164::Prefix;
use dialplane_common::ids::{AgentId, PhoneNumberId};
use dialplane_common::rest::Fault;
use dialplane_common::rest::numbers::Offer;

use super::Provisioner;
use super::account::OpenAccount;
use super::performed::Performed;
use super::request::Wish;
use super::workflow::{Course, Outcome};
use crate::business::provisioning::Strategy;
use crate::numbering;
use crate::store::agents::Agent;
use crate::store::jobs::Job;
use crate::store::pool::{self, Wanted};
use crate::store::purchases::{self, Cost, NewPurchase, Passed};
use crate::store::{Scope, StoreError, agents, holdings, numbers, tenants};

/// Enough that two jobs which choose at once don't run out of different ones.
const OFFERS_MAX: u8 = 20;

impl Provisioner {
    /// What this job's strategy has to offer.
    pub(super) async fn choose(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let strategy = job.request.strategies.get(job.progress.strategy).copied();
        match strategy {
            None => {
                let performed = self.step(job, Outcome::Exhausted).await?;
                Ok(performed.because("no_number", "no strategy has a number to offer; see the steps for why"))
            }
            Some(Strategy::Pool) => self.choose_pooled(job).await,
            Some(Strategy::Manual) => {
                let performed = self.step(job, Outcome::Person).await?;
                let wanted =
                    "give the tenant a number (resolve the job with phone_number and account_id), or retry";
                Ok(performed.because("manual", wanted))
            }
            Some(strategy) => self.choose_offer(job, strategy).await,
        }
    }

    /// One that the tenant has and doesn't use, then one from the pool: reserved for the tenant.
    async fn choose_pooled(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let mut tx = self.begin(job).await?;
        let (Some(tenant), Some(prefix)) = (job.tenant(), prefix(&job.request.wish)) else {
            return Ok(Performed::new(tx, Outcome::Nothing));
        };
        tenants::lock(tx.conn(), tenant).await?;
        let mut wishes = vec![prefix];
        if !job.request.wish.area_code_required {
            wishes.extend(prefix_of_country(&job.request.wish));
        }
        for wish in wishes {
            let unused = numbers::take_unused(tx.conn(), tenant, wish).await?;
            let taken = match unused {
                Some(id) => Some(id),
                None => match pool::pick(tx.conn(), Wanted::Beginning(wish)).await? {
                    Some(id) => {
                        pool::reserve(tx.conn(), tenant, id).await?;
                        Some(id)
                    }
                    None => None,
                },
            };
            if let Some(id) = taken {
                let row = tx.record_number(tenant, id).await?;
                job.phone_number_id = Some(id.0);
                return Ok(Performed::new(tx, Outcome::Reserved).saying(row.phone_number));
            }
        }
        Ok(Performed::new(tx, Outcome::Nothing).saying("neither the tenant nor the pool has such a number"))
    }

    /// An offer at one of the strategy's accounts.
    async fn choose_offer(&self, job: &mut Job, strategy: Strategy) -> Result<Performed, StoreError> {
        let mut tx = self.store.read(Scope::Operator).await?;
        let owner = if strategy == Strategy::TenantAccount { job.tenant() } else { None };
        if strategy == Strategy::TenantAccount && owner.is_none() {
            drop(tx);
            return self.step(job, Outcome::Nothing).await;
        }
        let agent = match (job.tenant(), job.agent_id) {
            (Some(tenant), Some(id)) => Some(agents::find(tx.conn(), tenant, AgentId(id)).await?),
            _ => None,
        };
        let accounts = self.accounts_of(tx.conn(), owner, None).await?;
        let free_used = holdings::free_by_account(tx.conn()).await?;
        drop(tx);
        let mut last = None;
        for account in accounts {
            let is_wanted = job.request.account_id.is_none_or(|wanted| wanted == account.row.id);
            if !is_wanted || !sells(&account, strategy) || !reaches(&account, agent.as_ref()) {
                continue;
            }
            let used = free_used.iter().find(|(id, ..)| *id == account.row.id).map_or(0, |row| row.3);
            if strategy == Strategy::Free && used >= self.settings.free_numbers_max {
                let detail = format!("{} has its {used} free numbers", account.row.label);
                last = Some((account.row.id, Outcome::Nothing, Some(("free_numbers_limit", detail))));
                continue;
            }
            match self.offers(&account, &job.request.wish).await {
                Ok(offers) if offers.is_empty() => {
                    let detail = format!("{} has no such number", account.row.provider);
                    last = Some((account.row.id, Outcome::Nothing, Some(("no_such_number", detail))));
                }
                Ok(offers) => return self.record(job, &account, strategy, offers).await,
                Err(fault) => last = Some((account.row.id, Outcome::Fault(fault), None)),
            }
        }
        let Some((account, outcome, why)) = last else {
            let performed = self.step(job, Outcome::Nothing).await?;
            return Ok(performed.because("no_account", "no account of this strategy can reach the agent"));
        };
        let performed = self.step(job, outcome).await?.at(account);
        Ok(match why {
            Some((code, detail)) => performed.because(code, detail),
            None => performed,
        })
    }

    /// Numbers that can be had without a person's doing, in the area that is wished, else anywhere.
    async fn offers(&self, account: &OpenAccount, wish: &Wish) -> Result<Vec<Offer>, Fault> {
        let numbers = account.numbers()?;
        let mut offers =
            self.ask(account, numbers.search(&account.account(), &wish.search(OFFERS_MAX))).await;
        let is_bare = matches!(&offers, Ok(offers) if offers.is_empty())
            || matches!(&offers, Err(Fault::Elsewhere { .. }));
        if is_bare && wish.area_code.is_some() && !wish.area_code_required {
            let anywhere = wish.anywhere().search(OFFERS_MAX);
            offers = self.ask(account, numbers.search(&account.account(), &anywhere)).await;
        }
        let offers = offers?;
        let needs = offers.iter().find_map(|offer| offer.requires.clone());
        let free: Vec<_> = offers.into_iter().filter(|offer| offer.requires.is_none()).collect();
        match needs {
            Some(requires) if free.is_empty() => Err(Fault::stop(
                "documents_required",
                format!("these numbers want {requires}: give it to the provider, then retry"),
            )),
            _ => Ok(free),
        }
    }

    /// Records a purchase of the first offer that nobody else is buying.
    async fn record(
        &self,
        job: &Job,
        account: &OpenAccount,
        strategy: Strategy,
        offers: Vec<Offer>,
    ) -> Result<Performed, StoreError> {
        let mut tx = self.begin(job).await?;
        for offer in offers {
            let cost = self.cost(strategy, &offer);
            if job.progress.course == Course::Number
                && !job.request.is_confirmed
                && purchases::exceeds(tx.conn(), &cost, job.request.cost_max.as_deref()).await?
            {
                let detail = format!(
                    "the number costs {} {} a month and {} once at {}; confirm the job to buy it",
                    cost.currency, cost.monthly, cost.upfront, account.row.provider
                );
                return Ok(Performed::new(tx, Outcome::Costs).at(account.row.id).because("cost", detail));
            }
            let new = NewPurchase {
                tenant: job.tenant_id,
                job: job.id,
                account: account.row.id,
                provider: &account.row.provider,
                country: &job.request.wish.country,
                phone_number: offer.number.map(|number| number.to_string()),
                cost: &cost,
                wanted: &job.request.wish,
            };
            match purchases::record(tx.conn(), &new, &self.settings.limits).await? {
                Ok(id) => {
                    let what = new.phone_number.as_deref().unwrap_or("a number that the provider chooses");
                    let detail = format!("{what}, {} {} a month", cost.currency, cost.monthly);
                    return Ok(Performed::new(tx, Outcome::Recorded(id)).at(account.row.id).saying(detail));
                }
                Err(Passed::Number) => {}
                Err(passed) => {
                    let (code, detail) = self.limit(passed);
                    return Ok(Performed::new(tx, Outcome::Person).at(account.row.id).because(code, detail));
                }
            }
        }
        Ok(Performed::new(tx, Outcome::Nothing)
            .at(account.row.id)
            .saying("all that is offered is being bought"))
    }

    fn cost(&self, strategy: Strategy, offer: &Offer) -> Cost {
        match &offer.price {
            Some(price) => Cost {
                upfront: price.upfront.clone(),
                monthly: price.monthly.clone(),
                currency: price.currency.clone(),
                is_estimated: false,
            },
            None if strategy == Strategy::Free => {
                Cost { monthly: "0".to_owned(), is_estimated: false, ..self.settings.estimate() }
            }
            None => self.settings.estimate(),
        }
    }

    fn limit(&self, passed: Passed) -> (&'static str, String) {
        let limits = &self.settings.limits;
        match passed {
            Passed::Platform => {
                let detail = format!(
                    "the platform's spending limit of {} {} a month would be passed: raise PROVISIONING_SPEND_MAX, or \
                     wait for the next month, then retry",
                    limits.currency, limits.platform
                );
                ("spending_limit", detail)
            }
            Passed::Tenant => {
                let detail = "the tenant's spending limit of this month would be passed: raise its limits.spend_max, \
                              or wait for the next month, then retry";
                ("spending_limit", detail.to_owned())
            }
            Passed::Currency | Passed::Number => {
                let detail = format!("the offer isn't in {}, in which the limits are", limits.currency);
                ("currency", detail)
            }
        }
    }
}

/// What the number is to begin with.
fn prefix(wish: &Wish) -> Option<Prefix> {
    let code = numbering::calling_code(wish.country.parse().ok()?)?;
    format!("+{code}{}", wish.area_code.as_deref().unwrap_or_default())
        .parse()
        .ok()
        .or_else(|| prefix_of_country(wish))
}

fn prefix_of_country(wish: &Wish) -> Option<Prefix> {
    let code = numbering::calling_code(wish.country.parse().ok()?)?;
    format!("+{code}").parse().ok()
}

fn sells(account: &OpenAccount, strategy: Strategy) -> bool {
    let Some(numbers) = account.provider.numbers() else { return false };
    let abilities = numbers.abilities();
    if strategy == Strategy::Free { abilities.free } else { abilities.sells }
}

/// Whether calls of a number there come to this agent.
fn reaches(account: &OpenAccount, agent: Option<&Agent>) -> bool {
    let carrier = account.provider.name();
    let Some(agent) = agent.filter(|agent| agent.provider != "custom") else { return true };
    let has_sip = agent.target.as_ref().is_some_and(|target| target.0.sip_uri.is_some());
    let host = dialplane_common::provider::provider(&agent.provider);
    agent.provider == carrier || has_sip || host.is_some_and(|host| host.entry(carrier).is_some())
}

/// The number that a job is about.
pub(super) fn number_of(job: &Job) -> Result<PhoneNumberId, StoreError> {
    job.phone_number_id.map(PhoneNumberId).ok_or(StoreError::Malformed("job without a number"))
}
