//! What ties a number to accounts, as people give it: a list, or the carrier's account alone.

use std::collections::HashSet;

use dialplane_common::ids::AccountId;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::invalid::Invalid;
use crate::store::bindings::Binding;

const BINDINGS_MAX: usize = 10;
const NUMBER_ID_CHARS_MAX: usize = 200;
const CARRIER: &str = "carrier";

/// What ties a number to an account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBinding {
    /// The account, the tenant's own or one granted to it.
    #[schema(value_type = Uuid)]
    account_id: AccountId,
    /// Absent: `carrier`.
    role: Option<BindingRole>,
    /// The provider's own name of the number (Vapi's `phoneNumberId`), where its webhooks use one: 1 to 200 characters,
    /// ASCII, no blanks. No two numbers of an account have the same.
    number_id: Option<String>,
}

/// What an account is to a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BindingRole {
    /// It brings the calls.
    Carrier,
    /// Its agents answer them.
    Agent,
}

/// Bindings that are wanted, and where the request says so.
#[derive(Debug)]
pub struct Wanted {
    /// All of the number's, each account once.
    pub bindings: Vec<Binding>,
    /// Whether they were given as a list.
    pub is_list: bool,
}

/// All bindings that a number shall have, of which `current` are there; `None`: these stay.
///
/// `account_id` is the short form: it replaces the carriers' accounts and leaves the agents'.
///
/// # Errors
/// What is wanted where: `bindings[1].account_id`.
pub fn wanted(
    account_id: Option<Option<AccountId>>,
    list: Option<&[NewBinding]>,
    current: &[Binding],
) -> Result<Option<Wanted>, Invalid> {
    match (account_id, list) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Invalid::new("bindings", "wanted account_id or bindings, not both")),
        (None, Some(list)) => Ok(Some(Wanted { bindings: read(list)?, is_list: true })),
        (Some(account), None) => {
            let is_carrier =
                |binding: &&Binding| Some(binding.account_id) == account.map(|account| account.0);
            let named = current.iter().find(is_carrier).and_then(|binding| binding.number_id.clone());
            let others = current.iter().filter(|binding| binding.role != CARRIER && !is_carrier(binding));
            let carrier = account.map(|account| Binding {
                account_id: account.0,
                role: CARRIER.to_owned(),
                number_id: named,
            });
            Ok(Some(Wanted {
                bindings: carrier.into_iter().chain(others.cloned()).collect(),
                is_list: false,
            }))
        }
    }
}

fn read(list: &[NewBinding]) -> Result<Vec<Binding>, Invalid> {
    if list.len() > BINDINGS_MAX {
        return Err(Invalid::new("bindings", format!("wanted at most {BINDINGS_MAX}")));
    }
    let mut accounts = HashSet::new();
    let read = |(index, binding): (usize, &NewBinding)| {
        let place = |field: &str| format!("bindings[{index}].{field}");
        if !accounts.insert(binding.account_id) {
            return Err(Invalid::new(place("account_id"), "wanted each account once"));
        }
        let is_plain = |text: &String| {
            (1..=NUMBER_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if binding.number_id.as_ref().is_some_and(|text| !is_plain(text)) {
            let wanted = format!("wanted 1 to {NUMBER_ID_CHARS_MAX} characters, ASCII, no blanks");
            return Err(Invalid::new(place("number_id"), wanted));
        }
        let role = match binding.role {
            None | Some(BindingRole::Carrier) => CARRIER,
            Some(BindingRole::Agent) => "agent",
        };
        Ok(Binding {
            account_id: binding.account_id.0,
            role: role.to_owned(),
            number_id: binding.number_id.clone(),
        })
    };
    list.iter().enumerate().map(read).collect()
}

/// The carrier's account among a number's bindings: the first, where there are several.
#[must_use]
pub fn carrier(bindings: &[Binding]) -> Option<uuid::Uuid> {
    bindings.iter().find(|binding| binding.role == CARRIER).map(|binding| binding.account_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn binding(account: u128, role: &str, number_id: Option<&str>) -> Binding {
        Binding {
            account_id: Uuid::from_u128(account),
            role: role.into(),
            number_id: number_id.map(str::to_owned),
        }
    }

    #[test]
    fn the_short_form_replaces_the_carriers_alone() {
        let current = [binding(1, "carrier", Some("PN1")), binding(2, "agent", Some("a2"))];
        let check = |account: Option<u128>, expected: &[Binding]| {
            let account = account.map(|account| AccountId(Uuid::from_u128(account)));
            assert_eq!(wanted(Some(account), None, &current).unwrap().unwrap().bindings, expected);
        };
        check(None, &[binding(2, "agent", Some("a2"))]);
        check(Some(1), &current);
        check(Some(2), &[binding(2, "carrier", Some("a2"))]);
        check(Some(3), &[binding(3, "carrier", None), binding(2, "agent", Some("a2"))]);
        assert!(wanted(None, None, &current).unwrap().is_none());
    }

    #[test]
    fn errors_name_the_place() {
        let check = |json: &str, expected: Result<usize, &str>| {
            let list: Vec<NewBinding> = serde_json::from_str(json).unwrap();
            let read = wanted(None, Some(&list), &[]).map(|wanted| wanted.unwrap().bindings.len());
            assert_eq!(read.map_err(|invalid| invalid.field), expected.map_err(str::to_owned), "{json}");
        };
        let one =
            |account: u128, rest: &str| format!(r#"{{"account_id":"{}"{rest}}}"#, Uuid::from_u128(account));
        check("[]", Ok(0));
        check(&format!("[{},{}]", one(1, ""), one(2, r#","role":"agent","number_id":"pn-1""#)), Ok(2));
        check(&format!("[{},{}]", one(1, ""), one(1, r#","role":"agent""#)), Err("bindings[1].account_id"));
        check(&format!("[{}]", one(1, r#","number_id":"""#)), Err("bindings[0].number_id"));
        check(&format!("[{}]", one(1, r#","number_id":"a b""#)), Err("bindings[0].number_id"));
        let many: Vec<String> = (0..11).map(|account| one(account, "")).collect();
        check(&format!("[{}]", many.join(",")), Err("bindings"));
        let account = Some(Some(AccountId(Uuid::nil())));
        assert_eq!(wanted(account, Some(&[]), &[]).unwrap_err().field, "bindings");
    }
}
