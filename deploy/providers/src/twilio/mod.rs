//! Twilio's REST API, 2010-04-01, and its prices. SignalWire's Compatibility API has the same shape and the same handlers
//! here; where they differ, [`dialect`] says so.

pub mod addresses;
pub mod buy;
pub mod call;
pub mod dialect;
pub mod errors;
mod fields;
pub mod list;
pub mod numbers;
mod porting;
mod pricing;
pub mod search;
pub mod signature;
pub mod subaccounts;
pub mod twiml;

use http::Method;
use serde_json::{Value, json};

use crate::account::{Account, Denied};
use crate::api::{Api, Refusal, Route};
use crate::reply::Reply;
use crate::request::Request;
use crate::turn::Turn;
use errors::{denied, error, not_found};

/// Its name here.
pub const NAME: &str = "twilio";

/// `https://api.twilio.com`.
pub static API: Api = Api { base: "twilio", provider: NAME, routes: ROUTES, admit, refuse, credentials };

/// `https://pricing.twilio.com`.
pub static PRICING: Api =
    Api { base: "twilio-pricing", provider: NAME, routes: PRICES, admit, refuse, credentials };

/// `https://numbers.twilio.com`.
pub static NUMBERS: Api =
    Api { base: "twilio-numbers", provider: NAME, routes: PORTING, admit, refuse, credentials };

const PORTING: &[Route] = &[Route::new(
    Method::GET,
    "/v1/Porting/Portability/PhoneNumber/{number}",
    "twilio.portability",
    porting::portability,
)];

const PRICES: &[Route] =
    &[Route::new(Method::GET, "/v1/PhoneNumbers/Countries/{country}", "twilio.prices", pricing::country)];

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/2010-04-01/Accounts.json", "twilio.list_subaccounts", subaccounts::list),
    Route::buying("/2010-04-01/Accounts.json", "twilio.create_subaccount", subaccounts::create),
    Route::new(Method::GET, "/2010-04-01/Accounts/{sid}.json", "twilio.get_subaccount", subaccounts::get),
    Route::new(Method::POST, "/2010-04-01/Accounts/{sid}.json", "twilio.update_subaccount", subaccounts::update),
    Route::new(Method::GET, "/2010-04-01/Accounts/{account}/Balance.json", "twilio.balance", subaccounts::balance),
    Route::new(Method::GET, "/2010-04-01/Accounts/{account}/Addresses.json", "twilio.list_addresses", addresses::list),
    Route::new(Method::POST, "/2010-04-01/Accounts/{account}/Addresses.json", "twilio.create_address", addresses::create),
    Route::new(Method::GET, "/2010-04-01/Accounts/{account}/AvailablePhoneNumbers.json", "twilio.countries", search::countries),
    Route::new(Method::GET, "/2010-04-01/Accounts/{account}/AvailablePhoneNumbers/{country}/{kind}.json", "twilio.search", search::search),
    Route::buying("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json", "twilio.buy", buy::buy),
    Route::buying("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/Local.json", "twilio.buy", buy::buy_exact),
    Route::buying("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/TollFree.json", "twilio.buy", buy::buy_exact),
    Route::buying("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/Mobile.json", "twilio.buy", buy::buy_exact),
    Route::new(Method::GET, "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json", "twilio.list", list::all),
    Route::new(Method::GET, "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/Local.json", "twilio.list", list::local),
    Route::new(Method::GET, "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/TollFree.json", "twilio.list", list::toll_free),
    Route::new(Method::GET, "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/Mobile.json", "twilio.list", list::mobile),
    Route::new(Method::GET, "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}.json", "twilio.get", numbers::get),
    Route::new(Method::POST, "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}.json", "twilio.update", numbers::update),
    Route::new(Method::DELETE, "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}.json", "twilio.release", numbers::release),
];

/// The account of the path, or the asker's own where the path names none: an account comes with its own credentials, with a
/// key of its own, or with its parent's.
pub fn admit(turn: &mut Turn<'_>) -> Result<String, Reply> {
    let provider = turn.provider;
    let (user, secret) = turn.request.basic().ok_or_else(|| denied(provider, Denied::Credentials))?;
    let asked = turn.param("account");
    let is_key = user.starts_with("SK");
    let account = match asked.as_str() {
        "" if is_key => owner(turn, &user).ok_or_else(|| denied(provider, Denied::Credentials))?,
        "" => user.clone(),
        asked => asked.to_owned(),
    };
    if is_key || account == user {
        let admitted = turn.world.admit(provider, &account, &user, &secret);
        return admitted.map(|()| account).map_err(|why| denied(provider, why));
    }
    turn.world.admit(provider, &user, &user, &secret).map_err(|why| denied(provider, why))?;
    let is_child = turn.world.account(provider, &account).is_some_and(|it| it.parent.as_ref() == Some(&user));
    if is_child { Ok(account) } else { Err(not_found(provider, turn.request)) }
}

/// The account that a key belongs to.
fn owner(turn: &Turn<'_>, key: &str) -> Option<String> {
    let holds = |account: &&Account| account.provider == turn.provider && account.keys.contains_key(key);
    turn.world.accounts.iter().find(holds).map(|account| account.id.clone())
}

fn credentials(account: &Account) -> Value {
    json!({"account_sid": account.id, "auth_token": account.secret})
}

fn refuse(refusal: &Refusal, request: &Request) -> Reply {
    refuse_for(NAME, refusal, request)
}

/// Says no in the words of Twilio or of a provider of its shape.
pub fn refuse_for(provider: &'static str, refusal: &Refusal, request: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => not_found(provider, request),
        Refusal::TooMany => error(provider, 429, 20429, "Too Many Requests").with("retry-after", "1"),
        Refusal::OutOfOrder => error(provider, 500, 20500, "An internal server error has occurred"),
        Refusal::Limit if request.path.contains("IncomingPhoneNumbers") => errors::number_limit(provider),
        Refusal::Limit => errors::subaccount_limit(provider),
    }
}
