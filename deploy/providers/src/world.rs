//! All that the simulated providers know.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::account::{Account, Denied, Status};
use crate::draw::Draw;
use crate::ledger::{Entry, Line};
use crate::money::Money;
use crate::number::{Number, Origin};
use crate::stock::Stock;
use crate::thing::Thing;

/// All of it. What is serialized is kept in the state file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct World {
    /// Who buys.
    pub accounts: Vec<Account>,
    /// What they have.
    pub numbers: Vec<Number>,
    /// What else they made.
    pub things: Vec<Thing>,
    /// What happened.
    pub ledger: Vec<Entry>,
    /// Where names come from.
    pub draw: Draw,
    /// What the simulator was started with.
    #[serde(skip)]
    pub terms: Terms,
    /// The request that is being done.
    #[serde(skip)]
    pub turn: Context,
    /// Whether the state file is older than this.
    #[serde(skip)]
    pub changed: bool,
}

/// What the simulator was started with.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Accounts that aren't declared don't exist.
    pub strict: bool,
    /// How long what providers do by and by takes.
    pub settle: Duration,
    /// What numbers are to be had.
    pub stock: Stock,
}

/// The request that is being done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    /// When.
    pub now: Timestamp,
    /// Which, counted from the start.
    pub request: u64,
    /// The fault that it meets.
    pub fault: Option<&'static str>,
}

/// Why an account can't have one more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unaffordable {
    /// It has as many as it may have.
    Limit,
    /// Its money isn't enough.
    Balance,
}

impl World {
    /// When the provider will be done with what is begun now.
    pub fn settled(&self) -> Timestamp {
        self.turn.now.checked_add(self.terms.settle).unwrap_or(self.turn.now)
    }

    /// An account.
    pub fn account(&self, provider: &str, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.provider == provider && account.id == id)
    }

    /// An account, to change it.
    pub fn account_mut(&mut self, provider: &str, id: &str) -> Option<&mut Account> {
        self.changed = true;
        self.accounts.iter_mut().find(|account| account.provider == provider && account.id == id)
    }

    /// Lets somebody in who shows an account's own secret, or a key of it, and makes the account when it is first seen.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn admit(&mut self, provider: &str, id: &str, user: &str, secret: &str) -> Result<(), Denied> {
        if id.is_empty() || secret.is_empty() {
            return Err(Denied::Credentials);
        }
        let known = self.accounts.iter().position(|held| held.provider == provider && held.id == id);
        let account = match known.and_then(|at| self.accounts.get_mut(at)) {
            Some(account) => account,
            None if self.terms.strict => return Err(Denied::Credentials),
            None => {
                self.accounts.push(Account::new(provider, id, self.turn.now));
                self.changed = true;
                self.accounts.last_mut().ok_or(Denied::Credentials)?
            }
        };
        let held = if user == id { account.secret.as_ref() } else { account.keys.get(user) };
        match held {
            Some(held) if held == secret => {}
            Some(_) => return Err(Denied::Credentials),
            None if self.terms.strict => return Err(Denied::Credentials),
            None => {
                let secret = secret.to_owned();
                if user == id {
                    account.secret = Some(secret);
                } else {
                    account.keys.insert(user.to_owned(), secret);
                }
                self.changed = true;
            }
        }
        if account.status == Status::Active { Ok(()) } else { Err(Denied::Inactive) }
    }

    /// Lets somebody in who shows an API key, which is all that requests have of the account; tells its id, which is a
    /// UUID made of the key where nobody declared another.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn admit_key(&mut self, provider: &str, key: &str) -> Result<String, Denied> {
        let known = self.accounts.iter().find(|account| {
            account.provider == provider && account.secret.as_deref() == Some(key) && !key.is_empty()
        });
        let id = known
            .map_or_else(|| crate::draw::uuid_of(&format!("{provider} {key}")).to_string(), |a| a.id.clone());
        self.admit(provider, &id, &id, key).map(|()| id)
    }

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

    /// Writes into the ledger.
    pub fn write(&mut self, line: Line<'_>) {
        self.changed = true;
        self.ledger.push(Entry {
            seq: self.ledger.last().map_or(1, |entry| entry.seq + 1),
            at: self.turn.now,
            provider: line.provider.to_owned(),
            account: line.account.to_owned(),
            action: line.action.to_owned(),
            what: line.what.to_owned(),
            subject: line.subject.to_owned(),
            id: line.id.to_owned(),
            tag: line.tag.to_owned(),
            upfront: line.upfront,
            monthly: line.monthly,
            currency: line.currency.to_owned(),
            fault: self.turn.fault.map(str::to_owned),
            request: self.turn.request,
        });
    }

    /// Makes a thing.
    pub fn make(
        &mut self,
        provider: &str,
        kind: &str,
        account: &str,
        id: &str,
        body: Map<String, Value>,
    ) -> Thing {
        self.changed = true;
        let thing = Thing {
            provider: provider.to_owned(),
            kind: kind.to_owned(),
            account: account.to_owned(),
            id: id.to_owned(),
            created: self.turn.now,
            updated: self.turn.now,
            ready: self.settled(),
            body,
        };
        self.things.push(thing.clone());
        thing
    }

    /// A thing.
    pub fn thing(&self, provider: &str, kind: &str, account: &str, id: &str) -> Option<&Thing> {
        self.things_of(provider, kind, account).find(|thing| thing.id == id)
    }

    /// A thing, to change it.
    pub fn thing_mut(&mut self, provider: &str, kind: &str, account: &str, id: &str) -> Option<&mut Thing> {
        self.changed = true;
        let now = self.turn.now;
        let found =
            self.things.iter_mut().find(|thing| is(thing, provider, kind, account) && thing.id == id)?;
        found.updated = now;
        Some(found)
    }

    /// An account's things of a kind, in the order in which they were made.
    pub fn things_of(&self, provider: &str, kind: &str, account: &str) -> impl Iterator<Item = &Thing> {
        self.things.iter().filter(move |thing| is(thing, provider, kind, account))
    }

    /// Does away with a thing; tells it as it was.
    pub fn unmake(&mut self, provider: &str, kind: &str, account: &str, id: &str) -> Option<Thing> {
        let place =
            self.things.iter().position(|thing| is(thing, provider, kind, account) && thing.id == id)?;
        self.changed = true;
        Some(self.things.remove(place))
    }

    /// Writes that a thing was made or done away with.
    pub fn note(&mut self, provider: &str, account: &str, action: &str, what: &str, id: &str, tag: &str) {
        let (upfront, monthly) = (Money::ZERO, Money::ZERO);
        let subject = id;
        self.write(Line {
            provider,
            account,
            action,
            what,
            subject,
            id,
            tag,
            upfront,
            monthly,
            currency: "",
        });
    }
}

fn is(thing: &Thing, provider: &str, kind: &str, account: &str) -> bool {
    thing.provider == provider && thing.kind == kind && thing.account == account
}
