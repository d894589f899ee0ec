//! Twilio's subaccounts. At most 1000; one that is closed is gone for good, its numbers given back.
//!
//! Source, read 2026-11: <https://www.twilio.com/docs/iam/api/subaccounts>.

use http::Method;
use serde::Deserialize;
use serde_json::Map;

use super::api::{API, authorized, fault};
use crate::rest::request::segment;
use crate::rest::subaccounts::{Subaccount, SubaccountState, Subaccounts};
use crate::rest::{Account, Effect, Exchange, Fault, Reply, Request};

/// Twilio's subaccounts.
pub struct TwilioSubaccounts;

const PATH: &str = "/2010-04-01/Accounts";

#[derive(Deserialize)]
struct Shown {
    sid: String,
    friendly_name: String,
    status: String,
    auth_token: Option<String>,
}

impl TryFrom<Shown> for Subaccount {
    type Error = Fault;

    fn try_from(shown: Shown) -> Result<Self, Fault> {
        let state = match &*shown.status {
            "active" => SubaccountState::Active,
            "suspended" => SubaccountState::Suspended,
            "closed" => SubaccountState::Closed,
            other => return Err(Fault::unclear(format!("the subaccount {} is {other}", shown.sid))),
        };
        let mut credentials = Map::new();
        credentials.insert("account_sid".to_owned(), shown.sid.as_str().into());
        credentials.extend(shown.auth_token.map(|token| ("auth_token".to_owned(), token.into())));
        Ok(Self { id: shown.sid, name: shown.friendly_name, state, credentials })
    }
}

impl Subaccounts for TwilioSubaccounts {
    fn create(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Subaccount>, Fault> {
        let request = Request::new("twilio.subaccounts.create", Method::POST, API, format!("{PATH}.json"));
        let request = authorized(account, request)?.form([("FriendlyName", name)]);
        Ok(Exchange::last(request, |reply| success(&reply)?.json::<Shown>()?.try_into()))
    }

    /// The account itself is in the list, too.
    fn named(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Vec<Subaccount>>, Fault> {
        #[derive(Deserialize)]
        struct Answer {
            accounts: Vec<Shown>,
        }
        let own = account.wanted("account_sid")?.to_owned();
        let request = Request::new("twilio.subaccounts.find", Method::GET, API, format!("{PATH}.json"));
        let request = authorized(account, request)?.query([("FriendlyName", name), ("PageSize", "1000")]);
        let name = name.to_owned();
        Ok(Exchange::last(request, move |reply| {
            let shown = success(&reply)?.json::<Answer>()?.accounts.into_iter();
            let named = shown
                .filter(|shown| shown.friendly_name == name && shown.sid != own && shown.status != "closed");
            named.map(Subaccount::try_from).collect()
        }))
    }

    fn set(&self, account: &Account<'_>, id: &str, state: SubaccountState) -> Result<Exchange<()>, Fault> {
        if account.field("account_sid") == Some(id) {
            return Err(Fault::stop("own_account", "that is the account itself, not one below it"));
        }
        let status = match state {
            SubaccountState::Active => "active",
            SubaccountState::Suspended => "suspended",
            SubaccountState::Closed => "closed",
        };
        let path = format!("{PATH}/{}.json", segment(id));
        let request = Request::new("twilio.subaccounts.set", Method::POST, API, path);
        let request = authorized(account, request)?.effect(Effect::Repeatable).form([("Status", status)]);
        let id = id.to_owned();
        Ok(Exchange::last(request, move |reply| {
            let shown: Shown = success(&reply)?.json()?;
            match shown.sid == id && shown.status == status {
                true => Ok(()),
                false => Err(Fault::unclear(format!("the subaccount {} is {} now", shown.sid, shown.status))),
            }
        }))
    }
}

fn success(reply: &Reply) -> Result<&Reply, Fault> {
    if reply.is_success() { Ok(reply) } else { Err(fault(reply)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::samples;
    use crate::rest::script::{check_meaningless, check_replies, talk};

    fn account() -> Account<'static> {
        samples::account(r#"{"account_sid":"AC1","auth_token":"t"}"#)
    }

    fn shown(sid: &str, name: &str, status: &str) -> String {
        format!(r#"{{"sid":"{sid}","friendly_name":"{name}","status":"{status}","auth_token":"secret"}}"#)
    }

    #[test]
    fn is_made_with_its_credentials() {
        let create = || TwilioSubaccounts.create(&account(), "acme");
        let made = talk(create())
            .sends_once("POST /2010-04-01/Accounts.json")
            .with_header("authorization", "Basic QUMxOnQ=")
            .with_form(&[("FriendlyName", "acme")])
            .gets(201, &shown("AC2", "acme", "active"))
            .done();
        assert_eq!((&*made.id, made.state), ("AC2", SubaccountState::Active));
        assert_eq!(
            serde_json::to_string(&made.credentials).unwrap(),
            r#"{"account_sid":"AC2","auth_token":"secret"}"#
        );
        assert!(!format!("{made:?}").contains("secret"));
        check_meaningless(create);
        check_replies(
            create,
            &[
                (400, r#"{"code":21480,"message":"limit"}"#, "elsewhere"),
                (201, &shown("AC2", "acme", "?"), "unclear"),
            ],
        );
    }

    #[test]
    fn is_found_by_its_exact_name() {
        let named = || TwilioSubaccounts.named(&account(), "acme");
        let list = [
            shown("AC1", "acme", "active"),
            shown("AC2", "acme", "closed"),
            shown("AC3", "acme 2", "active"),
            shown("AC4", "acme", "suspended"),
        ];
        let found = talk(named())
            .sends("GET /2010-04-01/Accounts.json?FriendlyName=acme&PageSize=1000")
            .gets(200, &format!(r#"{{"accounts":[{}]}}"#, list.join(",")))
            .done();
        assert_eq!(found.iter().map(|found| &*found.id).collect::<Vec<_>>(), ["AC4"]);
        check_meaningless(named);
    }

    #[test]
    fn is_suspended_and_closed() {
        let set = |state| TwilioSubaccounts.set(&account(), "AC2", state);
        for (state, status) in [
            (SubaccountState::Active, "active"),
            (SubaccountState::Suspended, "suspended"),
            (SubaccountState::Closed, "closed"),
        ] {
            talk(set(state))
                .sends("POST /2010-04-01/Accounts/AC2.json")
                .with_form(&[("Status", status)])
                .gets(200, &shown("AC2", "acme", status))
                .done();
        }
        check_meaningless(|| set(SubaccountState::Closed));
        check_replies(
            || set(SubaccountState::Closed),
            &[(200, &shown("AC2", "acme", "active"), "unclear"), (404, "", "gone")],
        );
        let own = TwilioSubaccounts.set(&account(), "AC1", SubaccountState::Closed);
        assert_eq!(talk(own).fault().label(), "stop");
    }
}
