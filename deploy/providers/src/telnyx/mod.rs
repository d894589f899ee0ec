//! Telnyx's REST API, version 2: numbers are ordered, and point to a connection, which is an application that has URLs.

mod applications;
pub mod call;
mod commands;
mod lists;
mod numbers;
mod orders;
mod search;
mod signature;

use http::Method;
use serde_json::{Value, json};

use crate::account::{Account, Denied};
use crate::api::{Api, Refusal, Route};
use crate::reply::Reply;
use crate::request::Request;
use crate::turn::Turn;

/// Its name here.
pub const NAME: &str = "telnyx";

/// `https://api.telnyx.com`; the version stands in the paths.
pub static API: Api = Api { base: NAME, provider: NAME, routes: ROUTES, admit, refuse, credentials };

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v2/available_phone_numbers", "telnyx.search", search::search),
    Route::new(Method::POST, "/v2/number_reservations", "telnyx.reserve", orders::reserve),
    Route::buying("/v2/number_orders", "telnyx.buy", orders::create),
    Route::new(Method::GET, "/v2/number_orders", "telnyx.list_orders", orders::list),
    Route::new(Method::GET, "/v2/number_orders/{id}", "telnyx.get_order", orders::get),
    Route::new(Method::GET, "/v2/phone_numbers", "telnyx.list", numbers::list),
    Route::new(Method::GET, "/v2/phone_numbers/{id}", "telnyx.get", numbers::get),
    Route::new(Method::PATCH, "/v2/phone_numbers/{id}", "telnyx.update", numbers::update),
    Route::new(Method::PATCH, "/v2/phone_numbers/{id}/voice", "telnyx.update_voice", numbers::update),
    Route::new(Method::DELETE, "/v2/phone_numbers/{id}", "telnyx.release", numbers::release),
    Route::new(Method::POST, "/v2/texml_applications", "telnyx.create_application", applications::create),
    Route::new(Method::GET, "/v2/texml_applications", "telnyx.list_applications", applications::list),
    Route::new(Method::GET, "/v2/texml_applications/{id}", "telnyx.get_application", applications::get),
    Route::new(Method::PATCH, "/v2/texml_applications/{id}", "telnyx.update_application", applications::update),
    Route::new(Method::DELETE, "/v2/texml_applications/{id}", "telnyx.delete_application", applications::delete),
    Route::new(Method::POST, "/v2/call_control_applications", "telnyx.create_application", applications::create),
    Route::new(Method::GET, "/v2/call_control_applications", "telnyx.list_applications", applications::list),
    Route::new(Method::GET, "/v2/call_control_applications/{id}", "telnyx.get_application", applications::get),
    Route::new(Method::PATCH, "/v2/call_control_applications/{id}", "telnyx.update_application", applications::update),
    Route::new(Method::DELETE, "/v2/call_control_applications/{id}", "telnyx.delete_application", applications::delete),
    Route::new(Method::POST, "/v2/calls/{id}/actions/{command}", "telnyx.command", commands::take),
];

fn admit(turn: &mut Turn<'_>) -> Result<String, Reply> {
    let key = turn.request.bearer().unwrap_or_default();
    turn.world.admit_key(NAME, key).map_err(|why| match why {
        Denied::Inactive => error(403, "10010", "Authorization failed", "The account is not active."),
        _ => error(401, "10009", "Authentication failed", "Could not understand the provided credentials."),
    })
}

fn credentials(account: &Account) -> Value {
    json!({"api_key": account.secret, "ed25519_public_key": signature::public_key(account)})
}

fn refuse(refusal: &Refusal, _: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => not_found(),
        Refusal::TooMany => error(
            429,
            "10011",
            "Too many requests",
            "You have exceeded the maximum number of allowed requests.",
        )
        .with("retry-after", "1")
        .with("x-ratelimit-reset", "1"),
        Refusal::OutOfOrder => error(500, "10007", "Unexpected error", "An unexpected error occurred."),
        Refusal::Limit => limit(),
    }
}

/// An error; codes are text.
pub fn error(status: u16, code: &str, title: &str, detail: &str) -> Reply {
    let meta = json!({"url": format!("https://developers.telnyx.com/docs/overview/errors/{code}")});
    Reply::json(status, &json!({"errors": [{"code": code, "title": title, "detail": detail, "meta": meta}]}))
}

fn not_found() -> Reply {
    error(404, "10005", "Resource not found", "The requested resource or URL could not be found.")
}

fn invalid(detail: &str) -> Reply {
    error(422, "10027", "Unprocessable entity", detail)
}

fn limit() -> Reply {
    error(
        403,
        "10038",
        "Feature not permitted at your account level",
        "You have reached the maximum of phone numbers for your account.",
    )
}
