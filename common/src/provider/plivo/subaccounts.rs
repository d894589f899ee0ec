//! Plivo's subaccounts. Their webhooks name the main account: see the credentials.
//!
//! Source, read 2026-11: <https://www.plivo.com/docs/account/api/>.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{request, success};
use crate::rest::request::segment;
use crate::rest::subaccounts::{Subaccount, SubaccountState, Subaccounts};
use crate::rest::{Account, Effect, Exchange, Fault, Step};

/// Plivo's subaccounts.
pub struct PlivoSubaccounts;

/// So many are looked through for a name: 20 on a page.
const PAGES_MAX: u32 = 100;

#[derive(Deserialize)]
struct Shown {
    auth_id: String,
    auth_token: Option<String>,
    name: String,
    enabled: bool,
}

impl Shown {
    fn subaccount(self, main: &str) -> Subaccount {
        let state = if self.enabled { SubaccountState::Active } else { SubaccountState::Suspended };
        let credentials = credentials(&self.auth_id, self.auth_token, main);
        Subaccount { id: self.auth_id, name: self.name, state, credentials }
    }
}

fn credentials(id: &str, token: Option<String>, main: &str) -> Map<String, Value> {
    let mut credentials = Map::new();
    credentials.insert("auth_id".to_owned(), id.into());
    credentials.insert("parent_auth_id".to_owned(), main.into());
    credentials.extend(token.map(|token| ("auth_token".to_owned(), token.into())));
    credentials
}

impl Subaccounts for PlivoSubaccounts {
    fn create(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Subaccount>, Fault> {
        #[derive(Deserialize)]
        struct Made {
            auth_id: String,
            auth_token: String,
        }
        let main = account.wanted("auth_id")?.to_owned();
        let request = request(account, "plivo.subaccounts.create", Method::POST, "Subaccount/")?;
        let (request, name) = (request.json(&json!({"name": name, "enabled": true})), name.to_owned());
        Ok(Exchange::last(request, move |reply| {
            let made: Made = success(&reply)?.json()?;
            let credentials = credentials(&made.auth_id, Some(made.auth_token), &main);
            Ok(Subaccount { id: made.auth_id, name, state: SubaccountState::Active, credentials })
        }))
    }

    fn named(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Vec<Subaccount>>, Fault> {
        look(account, name.to_owned(), 0, Vec::new())
    }

    /// A change wants the name as well, so that it is read first.
    fn set(&self, account: &Account<'_>, id: &str, state: SubaccountState) -> Result<Exchange<()>, Fault> {
        let below = format!("Subaccount/{}/", segment(id));
        if state == SubaccountState::Closed {
            let close = request(account, "plivo.subaccounts.close", Method::DELETE, &below)?;
            return Ok(Exchange::last(close, |reply| success(&reply).map(drop)).or_gone(()));
        }
        let read = request(account, "plivo.subaccounts.get", Method::GET, &below)?;
        let kept = account.keep();
        Ok(Exchange::new(read, move |reply| {
            let shown: Shown = success(&reply)?.json()?;
            let enabled = state == SubaccountState::Active;
            let set = request(&kept.account(), "plivo.subaccounts.set", Method::POST, &below)?;
            let set = set.effect(Effect::Repeatable).json(&json!({"name": shown.name, "enabled": enabled}));
            Ok(Step::Next(Exchange::last(set, |reply| success(&reply)?.json::<Value>().map(drop))))
        }))
    }
}

fn look(
    account: &Account<'_>,
    name: String,
    page: u32,
    mut found: Vec<Subaccount>,
) -> Result<Exchange<Vec<Subaccount>>, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        meta: Meta,
        objects: Vec<Shown>,
    }
    #[derive(Deserialize)]
    struct Meta {
        next: Option<String>,
    }
    let (main, offset) = (account.wanted("auth_id")?.to_owned(), (page * 20).to_string());
    let request = request(account, "plivo.subaccounts.find", Method::GET, "Subaccount/")?;
    let request = request.query([("limit", "20"), ("offset", &*offset)]);
    let kept = account.keep();
    Ok(Exchange::new(request, move |reply| {
        let Answer { meta, objects } = success(&reply)?.json()?;
        let named = objects.into_iter().filter(|shown| shown.name == name);
        found.extend(named.map(|shown| shown.subaccount(&main)));
        match meta.next.is_none() {
            true => Ok(Step::Done(found)),
            // Not to be found isn't not to be there: another of the same name would be made each time.
            false if page + 1 >= PAGES_MAX => {
                Err(Fault::stop("subaccounts", "the account has too many subaccounts to look through"))
            }
            false => look(&kept.account(), name, page + 1, found).map(Step::Next),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::samples;
    use crate::rest::script::{check_meaningless, talk};

    fn account() -> Account<'static> {
        samples::account(r#"{"auth_id":"MA1","auth_token":"t"}"#)
    }

    #[test]
    fn is_made_and_found_by_its_exact_name() {
        let create = || PlivoSubaccounts.create(&account(), "acme");
        let made = talk(create())
            .sends_once("POST /v1/Account/MA1/Subaccount/")
            .with_json(json!({"name": "acme", "enabled": true}))
            .gets(201, r#"{"api_id":"1","message":"created","auth_id":"SA1","auth_token":"u"}"#)
            .done();
        let credentials = serde_json::to_string(&made.credentials).unwrap();
        assert_eq!(credentials, r#"{"auth_id":"SA1","auth_token":"u","parent_auth_id":"MA1"}"#);
        check_meaningless(create);
        let named = || PlivoSubaccounts.named(&account(), "acme");
        let found = talk(named())
            .sends("GET /v1/Account/MA1/Subaccount/?limit=20&offset=0")
            .gets(200, r#"{"meta":{"next":"more"},"objects":[{"auth_id":"SA0","name":"other","enabled":true}]}"#)
            .sends("GET /v1/Account/MA1/Subaccount/?limit=20&offset=20")
            .gets(200, r#"{"meta":{"next":null},"objects":[{"auth_id":"SA1","auth_token":"u","name":"acme","enabled":false}]}"#)
            .done();
        assert_eq!(found, [Subaccount { state: SubaccountState::Suspended, ..made }]);
        check_meaningless(named);
    }

    #[test]
    fn is_suspended_under_its_name_and_closed() {
        let set = |state| PlivoSubaccounts.set(&account(), "SA1", state);
        talk(set(SubaccountState::Suspended))
            .sends("GET /v1/Account/MA1/Subaccount/SA1/")
            .gets(200, r#"{"auth_id":"SA1","name":"acme","enabled":true}"#)
            .sends("POST /v1/Account/MA1/Subaccount/SA1/")
            .with_json(json!({"name": "acme", "enabled": false}))
            .gets(202, r#"{"message":"changed"}"#)
            .done();
        talk(set(SubaccountState::Closed))
            .sends("DELETE /v1/Account/MA1/Subaccount/SA1/")
            .gets(404, "")
            .done();
        check_meaningless(|| set(SubaccountState::Active));
    }
}
