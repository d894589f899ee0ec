//! Accounts: found, and let in.

use super::World;
use crate::account::{Account, Denied, Status};

impl World {
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
}
