//! Numbers: who has them, who may have one more, and what is written down of it.

use super::World;
use crate::ledger::Line;
use crate::money::Money;
use crate::number::{Number, Origin};

/// Why an account can't have one more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unaffordable {
    /// It has as many as it may have.
    Limit,
    /// Its money isn't enough.
    Balance,
}

impl World {
    /// A number by the provider's name of it.
    pub fn number(&self, provider: &str, account: &str, id: &str) -> Option<&Number> {
        self.numbers
            .iter()
            .find(|number| number.provider == provider && number.account == account && number.id == id)
    }

    /// A number, to change it.
    pub fn number_mut(&mut self, provider: &str, account: &str, id: &str) -> Option<&mut Number> {
        self.changed = true;
        let now = self.turn.now;
        let found = self
            .numbers
            .iter_mut()
            .find(|number| number.provider == provider && number.account == account && number.id == id)?;
        found.updated = now;
        Some(found)
    }

    /// The numbers of an account, in the order in which they came.
    pub fn numbers_of(&self, provider: &str, account: &str) -> impl Iterator<Item = &Number> {
        self.numbers.iter().filter(move |number| number.provider == provider && number.account == account)
    }

    /// Who has this number at a provider.
    pub fn holder(&self, provider: &str, number: &str) -> Option<&Number> {
        self.numbers.iter().find(|held| held.provider == provider && held.number.as_deref() == Some(number))
    }

    /// Whether an account may have one more number at this price.
    ///
    /// # Errors
    /// [`Unaffordable`].
    pub fn affords(&self, provider: &str, id: &str, price: Money) -> Result<(), Unaffordable> {
        let Some(account) = self.account(provider, id) else { return Ok(()) };
        if account.numbers_max.is_some_and(|max| self.numbers_of(provider, id).count() >= max) {
            return Err(Unaffordable::Limit);
        }
        let left = account.balance.map(|balance| balance.less(price));
        if left == Some(None) { Err(Unaffordable::Balance) } else { Ok(()) }
    }

    /// Gives a number to its account, takes its price and writes it down.
    pub fn take(&mut self, number: Number, upfront: Money, currency: &str) {
        let (provider, account) = (number.provider.clone(), number.account.clone());
        if number.origin == Origin::Bought
            && let Some(account) = self.account_mut(&provider, &account)
        {
            let cost = upfront.plus(number.monthly);
            account.balance = account.balance.map(|balance| balance.less(cost).unwrap_or_default());
        }
        let action = if number.origin == Origin::Imported { "import" } else { "buy" };
        let subject = number.number.clone().or_else(|| number.sip_uri.clone()).unwrap_or_default();
        self.write(Line {
            provider: &number.provider,
            account: &number.account,
            action,
            what: "number",
            subject: &subject,
            id: &number.id,
            tag: &number.name,
            upfront,
            monthly: number.monthly,
            currency,
        });
        self.numbers.push(number);
    }

    /// Takes a number from its account and writes it down; tells it as it was.
    pub fn give_back(&mut self, provider: &str, account: &str, id: &str) -> Option<Number> {
        let place = self
            .numbers
            .iter()
            .position(|number| number.provider == provider && number.account == account && number.id == id)?;
        let number = self.numbers.remove(place);
        let action = if number.origin == Origin::Imported { "forget" } else { "release" };
        let subject = number.number.clone().or_else(|| number.sip_uri.clone()).unwrap_or_default();
        self.write(Line {
            provider,
            account,
            action,
            what: "number",
            subject: &subject,
            id,
            tag: &number.name,
            upfront: Money::ZERO,
            monthly: number.monthly,
            currency: "",
        });
        Some(number)
    }
}
