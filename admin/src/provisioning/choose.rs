//! Finds a number: one that is there already, or an offer that is recorded as a purchase.

use dialplane_common::ids::{AgentId, PhoneNumberId, TenantId};
use dialplane_common::rest::numbers::Offer;

use super::Provisioner;
use super::account::OpenAccount;
use super::offers::{Asked, Choice, Found, Seeker, costs};
use super::performed::Performed;
use super::request::Wish;
use super::workflow::Outcome;
use crate::business::provisioning::Strategy;
use crate::numbering;
use crate::store::jobs::Job;
use crate::store::numbers::NumberRow;
use crate::store::purchases::{self, NewPurchase};
use crate::store::{Scope, StoreError, WriteTx, agents, numbers, pool, tenants};

/// What a person does for a job whose strategies have come to their end.
pub(super) const BY_HAND: &str =
    "give the tenant a number (resolve the job with phone_number and account_id), or retry";
/// Why no strategy is left.
pub(super) const EXHAUSTED: &str = "no strategy has a number to offer; see the steps for why";
/// Why a strategy asks nobody.
pub(super) const NO_ACCOUNT: &str = "no account of this strategy can reach the agent";
/// Why the first strategy has nothing.
pub(super) const NOT_POOLED: &str = "neither the tenant nor the pool has such a number";
/// Why a tenant gets no number, wherever there are some.
pub(super) const NO_ROOM: &str =
    "the tenant has as many phone numbers as it may: raise its phone_numbers_max, then retry";

/// What the first strategy has.
pub(super) enum Pooled {
    /// This number, which is reserved in the transaction.
    Reserved(Box<NumberRow>),
    /// None.
    Nothing,
    /// The tenant may have no more.
    NoRoom,
}

impl Provisioner {
    /// What this job's strategy has to offer.
    pub(super) async fn choose(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let strategy = job.request.strategies.get(job.progress.strategy).copied();
        match strategy {
            None => {
                let performed = self.step(job, Outcome::Exhausted).await?;
                Ok(performed.because("no_number", EXHAUSTED))
            }
            Some(Strategy::Pool) => self.choose_pooled(job).await,
            Some(Strategy::Manual) => Ok(self.step(job, Outcome::Person).await?.because("manual", BY_HAND)),
            Some(strategy) => self.choose_offer(job, strategy).await,
        }
    }

    async fn choose_pooled(&self, job: &mut Job) -> Result<Performed, StoreError> {
        let mut tx = self.begin(job).await?;
        let Some(tenant) = job.tenant() else { return Ok(Performed::new(tx, Outcome::Nothing)) };
        Ok(match reserve_pooled(&mut tx, tenant, &job.request.wish).await? {
            Pooled::Reserved(row) => {
                job.phone_number_id = Some(row.id);
                Performed::new(tx, Outcome::Reserved).saying(row.phone_number)
            }
            Pooled::Nothing => Performed::new(tx, Outcome::Nothing).saying(NOT_POOLED),
            Pooled::NoRoom => Performed::new(tx, Outcome::Person).because("phone_numbers_limit", NO_ROOM),
        })
    }

    /// An offer at one of the strategy's accounts.
    async fn choose_offer(&self, job: &mut Job, strategy: Strategy) -> Result<Performed, StoreError> {
        let mut tx = self.store.read(Scope::Operator).await?;
        let agent = match (job.tenant(), job.agent_id) {
            (Some(tenant), Some(id)) => Some(agents::find(tx.conn(), tenant, AgentId(id)).await?),
            _ => None,
        };
        let has_room = match job.tenant() {
            Some(tenant) => tenants::has_room(tx.conn(), tenant).await?,
            None => true,
        };
        drop(tx);
        if !has_room {
            let performed = self.step(job, Outcome::Person).await?;
            return Ok(performed.because("phone_numbers_limit", NO_ROOM));
        }
        let seeker = Seeker { tenant: job.tenant(), agent: agent.as_ref(), request: &job.request };
        let mut asked = self.ask_accounts(strategy, &seeker).await?;
        if let Some(Asked { account, found: Found::Offers(offers) }) =
            asked.pop_if(|last| matches!(last.found, Found::Offers(_)))
        {
            return self.record(job, &seeker, &account, strategy, offers).await;
        }
        let Some((last, outcome)) = last(&asked) else {
            return Ok(self.step(job, Outcome::Nothing).await?.because("no_account", NO_ACCOUNT));
        };
        let performed = self.step(job, outcome).await?.at(last.account.row.id);
        Ok(match last.why() {
            Some((code, detail)) => performed.because(&code, detail),
            None => performed,
        })
    }

    /// Records a purchase of the first offer that nobody else is buying.
    async fn record(
        &self,
        job: &Job,
        seeker: &Seeker<'_>,
        account: &OpenAccount,
        strategy: Strategy,
        offers: Vec<Offer>,
    ) -> Result<Performed, StoreError> {
        let mut tx = self.begin(job).await?;
        purchases::hold(tx.conn()).await?;
        let (outcome, code, detail) =
            match self.choice(tx.conn(), strategy, seeker, account.row.id, offers).await? {
                Choice::Take(offer, cost) => {
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
                    let id = purchases::record(tx.conn(), &new).await?;
                    let what = new.phone_number.as_deref().unwrap_or("a number that the provider chooses");
                    let detail = format!("{what}, {} {} a month", cost.currency, cost.monthly);
                    (Outcome::Recorded(id), None, detail)
                }
                Choice::Costs(_, cost) => {
                    let (code, detail) = costs(&cost, &account.row.provider);
                    (Outcome::Costs, Some(code), detail)
                }
                Choice::Limited(_, _, passed) => {
                    let (code, detail) = self.limit(passed);
                    (Outcome::Person, Some(code), detail)
                }
                Choice::Gone => (Outcome::Nothing, None, GONE.to_owned()),
            };
        let performed = Performed::new(tx, outcome).at(account.row.id);
        Ok(match code {
            Some(code) => performed.because(code, detail),
            None => performed.saying(detail),
        })
    }
}

/// Why an account that has offers comes to nothing.
pub(super) const GONE: &str = "all that is offered is being bought";

/// The account that decides what becomes of a strategy in which nothing is offered: the last that could be asked.
pub(super) fn last(asked: &[Asked]) -> Option<(&Asked, Outcome)> {
    asked.iter().rev().find_map(|asked| asked.found.outcome().map(|outcome| (asked, outcome)))
}

/// Reserves a number for a tenant: one that it has and doesn't use, else one from the pool.
pub(super) async fn reserve_pooled(
    tx: &mut WriteTx,
    tenant: TenantId,
    wish: &Wish,
) -> Result<Pooled, StoreError> {
    tenants::lock(tx.conn(), tenant).await?;
    let has_room = tenants::has_room(tx.conn(), tenant).await?;
    let mut is_pooled = false;
    for like in likes(wish) {
        let mut taken = numbers::take_unused(tx.conn(), tenant, &like).await?;
        if taken.is_none() {
            let pooled = pool::pick_like(tx.conn(), &like).await?;
            is_pooled |= pooled.is_some();
            if let Some(id) = pooled.filter(|_| has_room) {
                pool::reserve(tx.conn(), tenant, id).await?;
                taken = Some(id);
            }
        }
        if let Some(id) = taken {
            return Ok(Pooled::Reserved(Box::new(tx.record_number(tenant, id).await?)));
        }
    }
    Ok(if is_pooled { Pooled::NoRoom } else { Pooled::Nothing })
}

/// Which numbers are wanted, in the words of `LIKE`: those in the area, then those anywhere in the country, where they
/// do as well. Checked wishes have digits alone.
fn likes(wish: &Wish) -> Vec<String> {
    let Some(code) = wish.country.parse().ok().and_then(numbering::calling_code) else { return Vec::new() };
    let contained = wish.contains.as_deref().map(|digits| format!("{digits}%")).unwrap_or_default();
    let country = format!("+{code}%{contained}");
    match &wish.area_code {
        None => vec![country],
        Some(area) => {
            let area = format!("+{code}{area}%{contained}");
            if wish.area_code_required { vec![area] } else { vec![area, country] }
        }
    }
}

/// The number that a job is about.
pub(super) fn number_of(job: &Job) -> Result<PhoneNumberId, StoreError> {
    job.phone_number_id.map(PhoneNumberId).ok_or(StoreError::Malformed("job without a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_looked_for_in_its_area_first() {
        let check = |area: Option<&str>, required: bool, contains: Option<&str>, expected: &[&str]| {
            let wish = Wish {
                country: "US".to_owned(),
                area_code: area.map(str::to_owned),
                area_code_required: required,
                contains: contains.map(str::to_owned),
                ..Wish::default()
            };
            assert_eq!(likes(&wish), expected);
        };
        check(None, false, None, &["+1%"]);
        check(Some("212"), false, None, &["+1212%", "+1%"]);
        check(Some("212"), true, Some("55"), &["+1212%55%"]);
        assert!(likes(&Wish::default()).is_empty());
    }
}
