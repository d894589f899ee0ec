//! SignalWire's Compatibility API: Twilio's shape and handlers, with names, paths and prices of its own.

use http::Method;
use serde_json::{Value, json};

use crate::account::Account;
use crate::api::{Api, Refusal, Route};
use crate::draw::digest;
use crate::reply::Reply;
use crate::request::Request;
use crate::secrets::hex;
use crate::twilio::{self, addresses, buy, list, numbers, search, subaccounts};

/// Its name here.
pub const NAME: &str = "signalwire";

/// `https://{space}.signalwire.com`.
pub static API: Api =
    Api { base: NAME, provider: NAME, routes: ROUTES, admit: twilio::admit, refuse, credentials };

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/api/laml/2010-04-01/Accounts", "signalwire.list_subaccounts", subaccounts::list),
    Route::buying("/api/laml/2010-04-01/Accounts", "signalwire.create_subaccount", subaccounts::create),
    Route::new(Method::GET, "/api/laml/2010-04-01/Accounts/{sid}", "signalwire.get_subaccount", subaccounts::get),
    Route::new(Method::POST, "/api/laml/2010-04-01/Accounts/{sid}", "signalwire.update_subaccount", subaccounts::update),
    Route::new(Method::GET, "/api/laml/2010-04-01/Accounts/{account}/Addresses", "signalwire.list_addresses", addresses::list),
    Route::new(Method::GET, "/api/laml/2010-04-01/Accounts/{account}/AvailablePhoneNumbers", "signalwire.countries", search::countries),
    Route::new(Method::GET, "/api/laml/2010-04-01/Accounts/{account}/AvailablePhoneNumbers/{country}/{kind}", "signalwire.search", search::search),
    Route::buying("/api/laml/2010-04-01/Accounts/{account}/IncomingPhoneNumbers", "signalwire.buy", buy::buy),
    Route::new(Method::GET, "/api/laml/2010-04-01/Accounts/{account}/IncomingPhoneNumbers", "signalwire.list", list::all),
    Route::new(Method::GET, "/api/laml/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}", "signalwire.get", numbers::get),
    Route::new(Method::POST, "/api/laml/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}", "signalwire.update", numbers::update),
    Route::new(Method::DELETE, "/api/laml/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}", "signalwire.release", numbers::release),
];

/// What the project signs webhooks with: its own where one was declared, else always the same for the project.
pub fn signing_key(account: &Account) -> String {
    let declared = account.signing.get("signing_key").cloned();
    declared.unwrap_or_else(|| format!("PSK_{}", &hex(&digest(&format!("{NAME} {}", account.id)))[..24]))
}

fn credentials(account: &Account) -> Value {
    json!({"project_id": account.id, "api_token": account.secret, "signing_key": signing_key(account)})
}

fn refuse(refusal: &Refusal, request: &Request) -> Reply {
    twilio::refuse_for(NAME, refusal, request)
}
