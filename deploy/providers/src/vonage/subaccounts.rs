//! Subaccounts, and numbers that move between an account and its own.

use serde_json::{Value, json};

use super::{NAME, not_found, problem};
use crate::account::{Account, Status};
use crate::clock;
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    own(turn)?;
    let invalid = |detail: &str| problem(422, "validation", "Validation error", detail);
    let body = turn.request.json().map_err(|error| invalid(&error))?;
    let text = |field: &str| body.get(field).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").ok_or_else(|| invalid("name: is required"))?;
    let key = format!("{:08x}", turn.world.draw.bits() & 0xffff_ffff);
    let mut account = Account::new(NAME, &key, turn.world.turn.now);
    account.name.clone_from(&name);
    account.parent = Some(turn.account.clone());
    account.secret = Some(text("secret").unwrap_or_else(|| turn.world.draw.letters(16)));
    let document = document(&account);
    turn.world.accounts.push(account);
    turn.world.note(NAME, &turn.account, "create", "subaccount", &key, &name);
    Ok(Reply::json(201, &document))
}

/// Lists them.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    own(turn)?;
    let is_child =
        |account: &&Account| account.provider == NAME && account.parent.as_ref() == Some(&turn.account);
    let found: Vec<_> = turn.world.accounts.iter().filter(is_child).map(document).collect();
    Ok(Reply::json(200, &json!({"total_items": found.len(), "_embedded": {"subaccounts": found}})))
}

/// Moves a number.
pub fn transfer(turn: &mut Turn<'_>) -> Outcome {
    own(turn)?;
    let body = turn.request.json().map_err(|error| problem(422, "validation", "Validation error", &error))?;
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (from, to, digits) = (text("from"), text("to"), text("number"));
    let is_ours = |key: &str| {
        let account = turn.world.account(NAME, key);
        key == turn.account || account.is_some_and(|account| account.parent.as_ref() == Some(&turn.account))
    };
    if !is_ours(&from) || !is_ours(&to) {
        return Err(problem(
            403,
            "forbidden",
            "Invalid Transfer",
            "Invalid Number Transfer. These accounts are not yours.",
        ));
    }
    let number = turn.world.number_mut(NAME, &from, &digits).ok_or_else(not_found)?;
    number.account = to;
    Ok(Reply::json(200, &Value::from(body)))
}

fn own(turn: &Turn<'_>) -> Result<(), Reply> {
    if turn.param("key") == turn.account { Ok(()) } else { Err(not_found()) }
}

fn document(account: &Account) -> Value {
    json!({"api_key": account.id, "secret": account.secret, "name": account.name,
        "primary_account_api_key": account.parent, "use_primary_account_balance": true,
        "created_at": clock::millis(account.created), "suspended": account.status != Status::Active})
}
