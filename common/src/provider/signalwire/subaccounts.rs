//! SignalWire's subprojects. What verifies their webhooks, the signing key, stands in the dashboard alone.
//!
//! Source, read 2026-11: <https://signalwire.com/docs/compatibility-api/rest/accounts>.

use http::Method;
use serde::Deserialize;
use serde_json::Map;

use super::api::{API, fault, in_space};
use crate::rest::subaccounts::{Subaccount, SubaccountState, Subaccounts};
use crate::rest::{Account, Exchange, Fault, Reply, Request};

/// SignalWire's subprojects.
pub struct SignalWireSubaccounts;

const PATH: &str = "/api/laml/2010-04-01/Accounts";

#[derive(Deserialize)]
struct Shown {
    sid: String,
    friendly_name: String,
    status: Option<String>,
    auth_token: Option<String>,
}

impl Shown {
    fn subaccount(self, space: &str) -> Subaccount {
        let state = match self.status.as_deref() {
            Some("suspended") => SubaccountState::Suspended,
            Some("closed") => SubaccountState::Closed,
            _ => SubaccountState::Active,
        };
        let mut credentials = Map::new();
        credentials.insert("project_id".to_owned(), self.sid.as_str().into());
        credentials.insert("space".to_owned(), space.into());
        credentials.extend(self.auth_token.map(|token| ("api_token".to_owned(), token.into())));
        Subaccount { id: self.sid, name: self.friendly_name, state, credentials }
    }
}

impl Subaccounts for SignalWireSubaccounts {
    fn create(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Subaccount>, Fault> {
        let space = account.wanted("space")?.to_owned();
        let request = Request::new("signalwire.subaccounts.create", Method::POST, API, PATH);
        let request = in_space(account, request)?.form([("FriendlyName", name)]);
        Ok(Exchange::last(request, move |reply| Ok(success(&reply)?.json::<Shown>()?.subaccount(&space))))
    }

    /// The project itself is in the list, too.
    fn named(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Vec<Subaccount>>, Fault> {
        #[derive(Deserialize)]
        struct Answer {
            accounts: Vec<Shown>,
        }
        let [own, space] = [account.wanted("project_id")?, account.wanted("space")?].map(str::to_owned);
        let request = Request::new("signalwire.subaccounts.find", Method::GET, API, PATH);
        let request = in_space(account, request)?.query([("FriendlyName", name), ("PageSize", "1000")]);
        let name = name.to_owned();
        Ok(Exchange::last(request, move |reply| {
            let shown = success(&reply)?.json::<Answer>()?.accounts.into_iter();
            let named = shown.filter(|shown| shown.friendly_name == name && shown.sid != own);
            let named = named.map(|shown| shown.subaccount(&space));
            Ok(named.filter(|found| found.state != SubaccountState::Closed).collect())
        }))
    }

    fn set(&self, _: &Account<'_>, _: &str, _: SubaccountState) -> Result<Exchange<()>, Fault> {
        let reason = "SignalWire's API neither suspends nor closes subprojects: do it in the dashboard";
        Err(Fault::stop("by_hand", reason))
    }
}

fn success(reply: &Reply) -> Result<&Reply, Fault> {
    if reply.is_success() { Ok(reply) } else { Err(fault(reply)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::samples;
    use crate::rest::script::{check_meaningless, talk};

    fn account() -> Account<'static> {
        samples::account(r#"{"project_id":"p","api_token":"PT1","space":"acme"}"#)
    }

    #[test]
    fn is_made_and_found_by_its_exact_name() {
        let create = || SignalWireSubaccounts.create(&account(), "nails");
        let made = talk(create())
            .sends_once("POST /api/laml/2010-04-01/Accounts")
            .with_form(&[("FriendlyName", "nails")])
            .gets(201, r#"{"sid":"q","friendly_name":"nails","auth_token":"PT2"}"#)
            .done();
        assert_eq!((&*made.id, made.state), ("q", SubaccountState::Active));
        let credentials = serde_json::to_string(&made.credentials).unwrap();
        assert_eq!(credentials, r#"{"api_token":"PT2","project_id":"q","space":"acme"}"#);
        check_meaningless(create);
        let named = || SignalWireSubaccounts.named(&account(), "nails");
        let list = r#"{"accounts":[{"sid":"p","friendly_name":"nails"},{"sid":"q","friendly_name":"nails","status":"active"},
            {"sid":"r","friendly_name":"nails","status":"closed"},{"sid":"s","friendly_name":"other"}]}"#;
        let found = talk(named())
            .sends("GET /api/laml/2010-04-01/Accounts?FriendlyName=nails&PageSize=1000")
            .gets(200, list)
            .done();
        assert_eq!(found.iter().map(|found| &*found.id).collect::<Vec<_>>(), ["q"]);
        check_meaningless(named);
    }

    #[test]
    fn is_closed_by_hand() {
        let fault = talk(SignalWireSubaccounts.set(&account(), "q", SubaccountState::Closed)).fault();
        assert!(fault.label() == "stop" && fault.to_string().contains("dashboard"));
    }
}
