//! One number: read, changed, given back.

use super::errors::{invalid, not_found};
use super::{dialect, fields};
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};

/// Reads it.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let number = turn.number(&turn.param("sid")).ok_or_else(|| not_found(turn.provider, turn.request))?;
    Ok(Reply::json(200, &fields::document(number)))
}

/// Changes what the form names; `AccountSid` moves it to another account of the same owner.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let form = turn.request.form();
    let sid = turn.param("sid");
    let missing = not_found(turn.provider, turn.request);
    let setup = fields::read(&form).map_err(|message| invalid(turn.provider, &message))?;
    if turn.number(&sid).is_none() {
        return Err(missing);
    }
    let target = form.filled("AccountSid").unwrap_or(&turn.account).to_owned();
    if !is_related(turn, &target) {
        return Err(invalid(turn.provider, "AccountSid is not an account of yours"));
    }
    let number = turn.number_mut(&sid).ok_or(missing)?;
    number.setup.extend(setup);
    if let Some(name) = form.filled("FriendlyName") {
        name.clone_into(&mut number.name);
    }
    number.account = target;
    Ok(Reply::json(200, &fields::document(number)))
}

/// Gives it back.
pub fn release(turn: &mut Turn<'_>) -> Outcome {
    let sid = turn.param("sid");
    let (provider, now) = (turn.provider, turn.world.turn.now);
    let number = turn.number(&sid).ok_or_else(|| not_found(provider, turn.request))?;
    let rests = number.created.checked_add(turn.world.terms.settle).is_ok_and(|until| until > now);
    if dialect::of(provider).plain_ids && rests {
        return Err(invalid(provider, "Phone number was purchased too recently to be released"));
    }
    turn.world.give_back(provider, &turn.account, &sid);
    Ok(Reply::empty(204))
}

/// Whether the other account is this one, its parent, its child, or a child of the same parent.
fn is_related(turn: &Turn<'_>, other: &str) -> bool {
    let root = |id: &str| {
        let account = turn.world.account(turn.provider, id)?;
        Some(account.parent.clone().unwrap_or_else(|| account.id.clone()))
    };
    other == turn.account || root(other).is_some_and(|other| Some(other) == root(&turn.account))
}
