//! An account's subaccounts: made, suspended, closed for ever. A closed one's numbers are given back.

use serde_json::{Value, json};

use super::errors::{invalid, not_found, subaccount_limit};
use super::{NAME, dialect};
use crate::account::{Account, Status};
use crate::clock;
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};

const SUBACCOUNTS_MAX: usize = 1000;

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let provider = turn.provider;
    let max = turn.world.account(provider, &turn.account).and_then(|own| own.subaccounts_max);
    if children(turn).count() >= max.unwrap_or(SUBACCOUNTS_MAX) {
        return Err(subaccount_limit(provider));
    }
    let sid = dialect::of(provider).sid(&mut turn.world.draw, "AC");
    let token = turn.world.draw.uuid().simple().to_string();
    let name = turn.request.form().filled("FriendlyName").unwrap_or("SubAccount").to_owned();
    let mut account = Account::new(provider, &sid, turn.world.turn.now);
    account.name.clone_from(&name);
    account.parent = Some(turn.account.clone());
    account.secret = Some(token);
    let document = document(&account);
    turn.world.accounts.push(account);
    turn.world.note(provider, &turn.account, "create", "subaccount", &sid, &name);
    Ok(Reply::json(201, &document))
}

/// Lists the account itself and its subaccounts.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let own = turn.world.account(turn.provider, &turn.account);
    let fits = |account: &&Account| {
        query.filled("FriendlyName").is_none_or(|name| account.name == name)
            && query.filled("Status").is_none_or(|status| account.status.name() == status)
    };
    let found: Vec<_> = own.into_iter().chain(children(turn)).filter(fits).map(document).collect();
    let shown = json!({
        "accounts": found, "page": 0, "page_size": found.len().max(50), "start": 0,
        "end": found.len().saturating_sub(1), "first_page_uri": turn.request.path, "next_page_uri": Value::Null,
        "previous_page_uri": Value::Null, "uri": turn.request.path,
    });
    Ok(Reply::json(200, &shown))
}

/// Reads the account itself or a subaccount.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let sid = own_or_child(turn)?;
    let account = turn.world.account(turn.provider, &sid).map(document);
    account.map(|document| Reply::json(200, &document)).ok_or_else(|| not_found(turn.provider, turn.request))
}

/// Names, suspends, revives or closes a subaccount.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let provider = turn.provider;
    let sid = own_or_child(turn)?;
    let form = turn.request.form();
    let status = match form.filled("Status") {
        None => None,
        Some(_) if sid == turn.account => {
            return Err(invalid(provider, "Status of the main account is not yours to set"));
        }
        Some("active") => Some(Status::Active),
        Some("suspended") => Some(Status::Suspended),
        Some("closed") => Some(Status::Closed),
        Some(other) => return Err(invalid(provider, &format!("Status is not valid: {other}"))),
    };
    let missing = not_found(provider, turn.request);
    let account = turn.world.account_mut(provider, &sid).ok_or(missing)?;
    if account.status == Status::Closed {
        return Err(invalid(provider, "Account is closed"));
    }
    if let Some(name) = form.filled("FriendlyName") {
        name.clone_into(&mut account.name);
    }
    account.status = status.unwrap_or(account.status);
    let document = document(account);
    if status == Some(Status::Closed) {
        close(turn, &sid);
    }
    Ok(Reply::json(200, &document))
}

/// What the account has left.
pub fn balance(turn: &mut Turn<'_>) -> Outcome {
    let account = turn.world.account(turn.provider, &turn.account);
    let balance =
        account.and_then(|account| account.balance).map_or_else(|| "1000.00".to_owned(), |it| it.to_string());
    Ok(Reply::json(200, &json!({"account_sid": turn.account, "balance": balance, "currency": "USD"})))
}

fn close(turn: &mut Turn<'_>, sid: &str) {
    let provider = turn.provider;
    let numbers: Vec<_> = turn.world.numbers_of(provider, sid).map(|number| number.id.clone()).collect();
    for id in numbers {
        turn.world.give_back(provider, sid, &id);
    }
    turn.world.note(provider, &turn.account, "delete", "subaccount", sid, "");
}

fn children<'t>(turn: &'t Turn<'_>) -> impl Iterator<Item = &'t Account> {
    turn.world
        .accounts
        .iter()
        .filter(|account| account.provider == turn.provider && account.parent.as_ref() == Some(&turn.account))
}

fn own_or_child(turn: &Turn<'_>) -> Result<String, Reply> {
    let sid = turn.param("sid");
    let known = sid == turn.account || children(turn).any(|child| child.id == sid);
    if known { Ok(sid) } else { Err(not_found(turn.provider, turn.request)) }
}

fn document(account: &Account) -> Value {
    let dialect = dialect::of(&account.provider);
    let place = format!("{}/Accounts/{}", dialect.root, account.id);
    let mut document = json!({
        "sid": account.id, "friendly_name": account.name, "status": account.status.name(), "type": "Full",
        "auth_token": account.secret, "owner_account_sid": account.parent.as_ref().unwrap_or(&account.id),
        "date_created": clock::rfc2822(account.created), "date_updated": clock::rfc2822(account.created),
        "uri": format!("{place}{}", dialect.suffix),
        "subresource_uris": {"incoming_phone_numbers": format!("{place}/IncomingPhoneNumbers{}", dialect.suffix)},
    });
    if account.provider != NAME
        && let Some(fields) = document.as_object_mut()
    {
        fields.insert("subproject".to_owned(), account.parent.is_some().into());
        fields.insert("signing_key".to_owned(), account.signing.get("signing_key").cloned().into());
    }
    document
}
