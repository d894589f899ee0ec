//! Subaccounts.

use serde_json::{Value, json};

use super::{NAME, error, not_found, page, said};
use crate::account::{Account, Status};
use crate::clock;
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|message| error(400, &message))?;
    let name =
        body.get("name").and_then(Value::as_str).ok_or_else(|| error(400, "name is required"))?.to_owned();
    let id = format!("SA{}", turn.world.draw.letters(18));
    let token = turn.world.draw.uuid().simple().to_string();
    let mut account = Account::new(NAME, &id, turn.world.turn.now);
    account.name.clone_from(&name);
    account.parent = Some(turn.account.clone());
    account.secret = Some(token.clone());
    account.status = status(body.get("enabled"));
    turn.world.accounts.push(account);
    turn.world.note(NAME, &turn.account, "create", "subaccount", &id, &name);
    Ok(said(turn, 201, json!({"message": "created", "auth_id": id, "auth_token": token})))
}

/// Lists them.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let is_child =
        |account: &&Account| account.provider == NAME && account.parent.as_ref() == Some(&turn.account);
    let found: Vec<_> = turn.world.accounts.iter().filter(is_child).map(document).collect();
    Ok(page(turn, &query, &found))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let id = child(turn)?;
    let found = turn.world.account(NAME, &id).map(document).ok_or_else(not_found)?;
    Ok(said(turn, 200, found))
}

/// Names, enables or disables one.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|message| error(400, &message))?;
    let id = child(turn)?;
    let account = turn.world.account_mut(NAME, &id).ok_or_else(not_found)?;
    if let Some(name) = body.get("name").and_then(Value::as_str) {
        name.clone_into(&mut account.name);
    }
    if body.contains_key("enabled") {
        account.status = status(body.get("enabled"));
    }
    Ok(said(turn, 202, json!({"message": "changed"})))
}

/// Does away with one; the parent keeps its numbers.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    let id = child(turn)?;
    turn.world.accounts.retain(|account| account.provider != NAME || account.id != id);
    turn.world.note(NAME, &turn.account, "delete", "subaccount", &id, "");
    Ok(Reply::empty(204))
}

fn status(enabled: Option<&Value>) -> Status {
    if enabled == Some(&Value::Bool(false)) { Status::Suspended } else { Status::Active }
}

fn child(turn: &Turn<'_>) -> Result<String, Reply> {
    let id = turn.param("id");
    let account =
        turn.world.account(NAME, &id).filter(|account| account.parent.as_ref() == Some(&turn.account));
    account.map(|account| account.id.clone()).ok_or_else(not_found)
}

fn document(account: &Account) -> Value {
    json!({"account": format!("/v1/Account/{}/", account.parent.as_deref().unwrap_or_default()),
        "auth_id": account.id, "auth_token": account.secret, "name": account.name,
        "enabled": account.status == Status::Active, "created": clock::plain(account.created).get(..10),
        "resource_uri": format!("/v1/Account/{}/Subaccount/{}/", account.parent.as_deref().unwrap_or_default(), account.id)})
}
