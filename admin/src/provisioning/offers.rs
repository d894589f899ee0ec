//! What the accounts of a strategy have to offer, and which offer is taken: found out alike for jobs ([`super::choose`]),
//! which take it, and for dry runs ([`super::plan`]), which only tell.

use dialplane_common::feed::record::AgentTarget;
use dialplane_common::ids::TenantId;
use dialplane_common::provider::reply::Action;
use dialplane_common::rest::Fault;
use dialplane_common::rest::numbers::Offer;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::Provisioner;
use super::account::OpenAccount;
use super::performed;
use super::request::{JobRequest, Wish};
use super::workflow::Outcome;
use crate::business::provisioning::Strategy;
use crate::store::agents::Agent;
use crate::store::purchases::{self, Cost, Passed};
use crate::store::{Scope, StoreError, holdings};
use crate::target::{self, TargetDocument};

/// Enough that two jobs which choose at once don't run out of different ones.
const OFFERS_MAX: u8 = 20;

/// Who looks for a number, and for which.
pub(super) struct Seeker<'a> {
    /// For whom; absent: for the pool.
    pub tenant: Option<TenantId>,
    /// Who is to answer it.
    pub agent: Option<&'a Agent>,
    /// Which number is wanted.
    pub request: &'a JobRequest,
}

/// An account of a strategy, and what came of it.
pub(super) struct Asked {
    /// The account.
    pub account: OpenAccount,
    /// What came of it.
    pub found: Found,
}

/// What came of an account.
pub(super) enum Found {
    /// These are to be had there: one at least.
    Offers(Vec<Offer>),
    /// Calls of its numbers don't come to the agent: it isn't asked.
    Unreachable,
    /// It has so many free numbers, as many as it may.
    Full(i64),
    /// It has no such number.
    Bare,
    /// It couldn't be asked.
    Fault(Fault),
}

impl Found {
    /// What it means for the strategy, if no account behind it has anything; absent: nothing, as though the account weren't
    /// there.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Offers(_) | Self::Unreachable => None,
            Self::Full(_) | Self::Bare => Some(Outcome::Nothing),
            Self::Fault(fault) => Some(Outcome::Fault(fault.clone())),
        }
    }
}

impl Asked {
    /// Why there is no offer, for programs and people.
    pub fn why(&self) -> Option<(String, String)> {
        let provider = &self.account.row.provider;
        let (code, detail) = match &self.found {
            Found::Offers(_) => return None,
            Found::Unreachable => ("unreachable", format!("calls at {provider} don't come to this agent")),
            Found::Full(used) => {
                ("free_numbers_limit", format!("the account at {provider} has its {used} free numbers"))
            }
            Found::Bare => ("no_such_number", format!("{provider} has no such number")),
            Found::Fault(fault) => return Some((performed::code(fault), performed::said(fault))),
        };
        Some((code.to_owned(), detail))
    }
}

/// Which of an account's offers is taken.
pub(super) enum Choice {
    /// This one, at this cost.
    Take(Offer, Cost),
    /// This one, once somebody agrees to what it costs.
    Costs(Offer, Cost),
    /// This one would pass a limit.
    Limited(Offer, Cost, Passed),
    /// All are being bought by others.
    Gone,
}

impl Provisioner {
    /// Asks a strategy's accounts, in order, until one has something to offer, which then is the last.
    pub(super) async fn ask_accounts(
        &self,
        strategy: Strategy,
        seeker: &Seeker<'_>,
    ) -> Result<Vec<Asked>, StoreError> {
        let owner = if strategy == Strategy::TenantAccount { seeker.tenant } else { None };
        if strategy == Strategy::TenantAccount && owner.is_none() {
            return Ok(Vec::new());
        }
        let mut tx = self.store.read(Scope::Operator).await?;
        let accounts = self.accounts_of(tx.conn(), owner, None).await?;
        let free_used = holdings::free_by_account(tx.conn()).await?;
        drop(tx);
        let mut asked = Vec::new();
        for account in accounts {
            let is_wanted = seeker.request.account_id.is_none_or(|wanted| wanted == account.row.id);
            if !is_wanted || !sells(&account, strategy) {
                continue;
            }
            let used =
                free_used.iter().find(|free| free.account_id == account.row.id).map_or(0, |free| free.total);
            let found = match strategy {
                _ if !reaches(&account, seeker.agent) => Found::Unreachable,
                Strategy::Free if used >= self.settings.free_numbers_max => Found::Full(used),
                _ => match self.offers(&account, &seeker.request.wish).await {
                    Ok(offers) if offers.is_empty() => Found::Bare,
                    Ok(offers) => Found::Offers(offers),
                    Err(fault) => Found::Fault(fault),
                },
            };
            let is_last = matches!(found, Found::Offers(_));
            asked.push(Asked { account, found });
            if is_last {
                break;
            }
        }
        Ok(asked)
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
        without_papers(offers?)
    }

    /// The first offer that nobody else is buying, and whether it may be bought.
    pub(super) async fn choice(
        &self,
        conn: &mut PgConnection,
        strategy: Strategy,
        seeker: &Seeker<'_>,
        account: Uuid,
        offers: Vec<Offer>,
    ) -> Result<Choice, StoreError> {
        let tenant = seeker.tenant.map(|tenant| tenant.0);
        for offer in offers {
            let cost = self.cost(strategy, &offer);
            if !seeker.request.is_confirmed
                && purchases::exceeds(conn, &cost, seeker.request.cost_max.as_deref()).await?
            {
                return Ok(Choice::Costs(offer, cost));
            }
            let number = offer.number.map(|number| number.to_string());
            let limits = &self.settings.limits;
            match purchases::passed(conn, tenant, account, number.as_deref(), &cost, limits).await? {
                None => return Ok(Choice::Take(offer, cost)),
                Some(Passed::Number) => {}
                Some(passed) => return Ok(Choice::Limited(offer, cost, passed)),
            }
        }
        Ok(Choice::Gone)
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

    /// Which limit a purchase would pass, for programs and people.
    pub(super) fn limit(&self, passed: Passed) -> (&'static str, String) {
        let limits = &self.settings.limits;
        match passed {
            Passed::Platform => {
                // Without the figure, which isn't a tenant's business.
                let detail = "the platform's spending limit of this month would be passed: raise \
                              PROVISIONING_SPEND_MAX, or wait for the next month, then retry";
                ("spending_limit", detail.to_owned())
            }
            Passed::Tenant => {
                let detail = "the tenant's spending limit of this month would be passed: raise its spend_max, or wait \
                              for the next month, then retry";
                ("spending_limit", detail.to_owned())
            }
            Passed::Currency | Passed::Number => {
                let detail = format!("the offer isn't in {}, in which the limits are", limits.currency);
                ("currency", detail)
            }
        }
    }
}

/// Why a number isn't bought without a word of somebody's.
pub(super) fn costs(cost: &Cost, provider: &str) -> (&'static str, String) {
    let detail = format!(
        "the number costs {} {} a month and {} once at {provider}; confirm the job to buy it",
        cost.currency, cost.monthly, cost.upfront
    );
    ("cost", detail)
}

/// The offers that want no papers; a fault when all do.
fn without_papers(offers: Vec<Offer>) -> Result<Vec<Offer>, Fault> {
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

fn sells(account: &OpenAccount, strategy: Strategy) -> bool {
    let Some(numbers) = account.provider.numbers() else { return false };
    let abilities = numbers.abilities();
    if strategy == Strategy::Free { abilities.free } else { abilities.sells }
}

/// Whether calls of a number there come to this agent.
fn reaches(account: &OpenAccount, agent: Option<&Agent>) -> bool {
    let carrier = account.provider.name();
    let Some(agent) = agent else { return true };
    if agent.provider == target::CUSTOM {
        return agent.target.as_ref().is_some_and(|target| takes_calls_to(account, &target.0));
    }
    let has_sip = agent.target.as_ref().is_some_and(|target| target.0.sip_uri.is_some());
    let host = dialplane_common::provider::provider(&agent.provider);
    agent.provider == carrier || has_sip || host.is_some_and(|host| host.entry(carrier).is_some())
}

/// Whether the account's provider has a way to a custom agent.
fn takes_calls_to(account: &OpenAccount, target: &TargetDocument) -> bool {
    match target.compile(target::CUSTOM) {
        Ok(AgentTarget::Stream { url }) => account.provider.can(&Action::Stream(&url)),
        Ok(AgentTarget::Sip { uri }) => account.provider.can(&Action::AgentSip(&uri)),
        Ok(AgentTarget::Redirect { url }) => account.provider.can(&Action::Redirect(&url)),
        Ok(_) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(requires: Option<&str>) -> Offer {
        Offer { number: None, price: None, sms: false, requires: requires.map(str::to_owned) }
    }

    #[test]
    fn numbers_that_want_papers_are_passed_over_unless_all_do() {
        let found = without_papers(vec![offer(Some("an address")), offer(None)]).unwrap();
        assert_eq!(found, [offer(None)]);
        assert_eq!(without_papers(Vec::new()), Ok(Vec::new()));
        let fault = without_papers(vec![offer(Some("an address"))]).unwrap_err();
        assert!(matches!(&fault, Fault::Stop { code, .. } if code == "documents_required"), "{fault}");
    }

    #[test]
    fn what_isnt_asked_counts_for_nothing() {
        assert_eq!(Found::Unreachable.outcome(), None);
        assert_eq!(Found::Full(5).outcome(), Some(Outcome::Nothing));
        let fault = Fault::stop("20003", "Authenticate");
        assert_eq!(Found::Fault(fault.clone()).outcome(), Some(Outcome::Fault(fault)));
    }
}
