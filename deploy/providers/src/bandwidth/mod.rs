//! Bandwidth's REST API for numbers, in XML: numbers are ordered into a location, whose application has the URLs.

mod applications;
mod bxml;
pub mod call;
mod numbers;
mod orders;
mod places;
mod xml;

use http::Method;
use serde_json::{Value, json};

use crate::account::Account;
use crate::api::{Api, Refusal, Route};
use crate::reply::Reply;
use crate::request::Request;
use crate::turn::Turn;

/// Its name here.
pub const NAME: &str = "bandwidth";

/// `https://dashboard.bandwidth.com/api`.
pub static API: Api = Api { base: NAME, provider: NAME, routes: ROUTES, admit, refuse, credentials };

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/accounts/{account}/availableNumbers", "bandwidth.search", numbers::search),
    Route::buying("/accounts/{account}/orders", "bandwidth.buy", orders::create),
    Route::new(Method::GET, "/accounts/{account}/orders", "bandwidth.list_orders", orders::list),
    Route::new(Method::GET, "/accounts/{account}/orders/{id}", "bandwidth.get_order", orders::get),
    Route::new(Method::POST, "/accounts/{account}/disconnects", "bandwidth.release", orders::disconnect),
    Route::new(Method::GET, "/accounts/{account}/disconnects/{id}", "bandwidth.get_release", orders::get_disconnect),
    Route::new(Method::GET, "/accounts/{account}/inserviceNumbers", "bandwidth.list", numbers::list),
    Route::new(Method::GET, "/accounts/{account}/inserviceNumbers/{number}", "bandwidth.get", numbers::get),
    Route::new(Method::POST, "/accounts/{account}/applications", "bandwidth.create_application", applications::create),
    Route::new(Method::GET, "/accounts/{account}/applications", "bandwidth.list_applications", applications::list),
    Route::new(Method::GET, "/accounts/{account}/applications/{id}", "bandwidth.get_application", applications::get),
    Route::new(Method::PUT, "/accounts/{account}/applications/{id}", "bandwidth.update_application", applications::update),
    Route::new(Method::DELETE, "/accounts/{account}/applications/{id}", "bandwidth.delete_application", applications::delete),
    Route::new(Method::GET, "/accounts/{account}/applications/{id}/associatedsippeers", "bandwidth.get_associated", applications::associated),
    Route::new(Method::POST, "/accounts/{account}/sites", "bandwidth.create_site", places::create_site),
    Route::new(Method::GET, "/accounts/{account}/sites", "bandwidth.list_sites", places::list_sites),
    Route::new(Method::POST, "/accounts/{account}/sites/{site}/sippeers", "bandwidth.create_location", places::create_location),
    Route::new(Method::GET, "/accounts/{account}/sites/{site}/sippeers", "bandwidth.list_locations", places::list_locations),
    Route::new(Method::GET, "/accounts/{account}/sites/{site}/sippeers/{id}/products/origination/settings", "bandwidth.get_location", places::settings),
    Route::new(Method::PUT, "/accounts/{account}/sites/{site}/sippeers/{id}/products/origination/settings", "bandwidth.set_location", places::set),
    Route::new(Method::POST, "/accounts/{account}/sites/{site}/sippeers/{id}/products/origination/settings", "bandwidth.set_location", places::set),
];

fn admit(turn: &mut Turn<'_>) -> Result<String, Reply> {
    let refused =
        || xml::error(401, "UserCredentials", "The user's credentials aren't right for this account");
    let (user, password) = turn.request.basic().ok_or_else(refused)?;
    let account = turn.param("account");
    turn.world.admit(NAME, &account, &user, &password).map(|()| account).map_err(|_| refused())
}

fn credentials(account: &Account) -> Value {
    let user = account.keys.iter().next();
    json!({"account_id": account.id, "user": user.map(|(user, _)| user), "password": user.map(|(_, secret)| secret)})
}

fn refuse(refusal: &Refusal, _: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => xml::error(404, "404", "The resource doesn't exist"),
        Refusal::TooMany => xml::error(429, "429", "Too many requests").with("retry-after", "1"),
        Refusal::OutOfOrder => xml::error(500, "1004", "An internal error occurred"),
        Refusal::Limit => xml::error(400, "5080", "The account may have no more telephone numbers"),
    }
}
