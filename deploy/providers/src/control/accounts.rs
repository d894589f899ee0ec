//! Accounts: what they show to their owners, and declaring them.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{body, no_such_method, refused};
use crate::account::{Account, Status};
use crate::api::APIS;
use crate::draw::uuid_of;
use crate::money::Money;
use crate::reply::Reply;
use crate::request::Request;
use crate::simulator::Simulator;

/// An account as it is to be. What is left out has no limit; secrets that are left out stay.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    provider: String,
    /// Absent: as it follows from the secret, for providers whose requests name no account.
    id: Option<String>,
    secret: Option<String>,
    parent: Option<String>,
    name: Option<String>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
    #[serde(default)]
    signing: BTreeMap<String, String>,
    #[serde(default)]
    status: Status,
    balance: Option<Money>,
    numbers_max: Option<usize>,
    free_max: Option<usize>,
    subaccounts_max: Option<usize>,
}

/// Lists accounts, or declares one.
pub fn answer(simulator: &Simulator, request: &Request) -> Result<Reply, Reply> {
    match request.method {
        Method::GET => {
            let world = simulator.world();
            let shown: Vec<_> = world.accounts.iter().map(document).collect();
            Ok(Reply::json(200, &json!({"accounts": shown})))
        }
        Method::PUT => declare(simulator, body(request)?),
        _ => Err(no_such_method()),
    }
}

fn declare(simulator: &Simulator, declared: Declared) -> Result<Reply, Reply> {
    let provider = declared.provider.as_str();
    if !APIS.iter().any(|api| api.provider == provider) {
        return Err(refused(400, "provider: there is none of this name"));
    }
    let made = declared.secret.as_ref().map(|secret| uuid_of(&format!("{provider} {secret}")).to_string());
    let id = declared.id.or(made).ok_or_else(|| refused(400, "id or secret: one is wanted"))?;
    let mut world = simulator.world();
    if world.account(provider, &id).is_none() {
        let account = Account::new(provider, &id, world.turn.now);
        world.accounts.push(account);
    }
    let account = world.account_mut(provider, &id).ok_or_else(|| refused(500, "the account is gone"))?;
    account.secret = declared.secret.or_else(|| account.secret.take());
    account.parent = declared.parent.or_else(|| account.parent.take());
    account.name = declared.name.unwrap_or_else(|| std::mem::take(&mut account.name));
    account.keys.extend(declared.keys);
    account.signing.extend(declared.signing);
    account.status = declared.status;
    account.balance = declared.balance;
    account.numbers_max = declared.numbers_max;
    account.free_max = declared.free_max;
    account.subaccounts_max = declared.subaccounts_max;
    let shown = document(account);
    simulator.keep(&mut world);
    Ok(Reply::json(200, &shown))
}

/// The account, and what its owner enters where webhooks are verified.
fn document(account: &Account) -> Value {
    let mut shown = serde_json::to_value(account).unwrap_or_default();
    let api = APIS.iter().find(|api| api.provider == account.provider);
    shown["credentials"] = api.map(|api| (api.credentials)(account)).unwrap_or_default();
    shown
}
