//! Vonage's APIs: the old one for numbers, which speaks forms and says errors at status 200, and the newer one for
//! applications, which have the URLs.

mod applications;
pub mod call;
mod ncco;
mod numbers;
mod search;
mod signature;
mod subaccounts;

use http::Method;
use serde_json::{Value, json};

use crate::account::{Account, Denied};
use crate::api::{Api, Refusal, Route};
use crate::reply::Reply;
use crate::request::Request;
use crate::turn::Turn;

/// Its name here.
pub const NAME: &str = "vonage";

/// `https://api.nexmo.com`.
pub static API: Api = Api { base: NAME, provider: NAME, routes: ROUTES, admit, refuse, credentials };

/// `https://rest.nexmo.com`.
pub static REST: Api = Api {
    base: "vonage-rest",
    provider: NAME,
    routes: REST_ROUTES,
    admit: admit_rest,
    refuse: refuse_rest,
    credentials,
};

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::new(Method::POST, "/v2/applications", "vonage.create_application", applications::create),
    Route::new(Method::GET, "/v2/applications", "vonage.list_applications", applications::list),
    Route::new(Method::GET, "/v2/applications/{id}", "vonage.get_application", applications::get),
    Route::new(Method::PUT, "/v2/applications/{id}", "vonage.update_application", applications::update),
    Route::new(Method::DELETE, "/v2/applications/{id}", "vonage.delete_application", applications::delete),
    Route::buying("/accounts/{key}/subaccounts", "vonage.create_subaccount", subaccounts::create),
    Route::new(Method::GET, "/accounts/{key}/subaccounts", "vonage.list_subaccounts", subaccounts::list),
    Route::new(Method::POST, "/accounts/{key}/transfer-number", "vonage.transfer_number", subaccounts::transfer),
];

#[rustfmt::skip]
const REST_ROUTES: &[Route] = &[
    Route::new(Method::GET, "/number/search", "vonage.search", search::search),
    Route::buying("/number/buy", "vonage.buy", numbers::buy),
    Route::new(Method::POST, "/number/update", "vonage.update", numbers::update),
    Route::new(Method::POST, "/number/cancel", "vonage.release", numbers::cancel),
    Route::new(Method::GET, "/account/numbers", "vonage.list", numbers::list),
    Route::new(Method::GET, "/account/get-balance", "vonage.balance", numbers::balance),
];

/// Key and secret by Basic, or in the query.
fn enter(turn: &mut Turn<'_>) -> Result<String, Denied> {
    let query = turn.request.query();
    let named = query.get("api_key").zip(query.get("api_secret"));
    let named = named.map(|(key, secret)| (key.to_owned(), secret.to_owned()));
    let (key, secret) = turn.request.basic().or(named).ok_or(Denied::Credentials)?;
    turn.world.admit(NAME, &key, &key, &secret).map(|()| key)
}

fn admit(turn: &mut Turn<'_>) -> Result<String, Reply> {
    enter(turn)
        .map_err(|_| problem(401, "unauthorized", "Unauthorized", "You did not provide correct credentials."))
}

fn admit_rest(turn: &mut Turn<'_>) -> Result<String, Reply> {
    enter(turn).map_err(|_| coded(401, "401", "authentication failed"))
}

fn credentials(account: &Account) -> Value {
    json!({"api_key": account.id, "api_secret": account.secret, "signature_secret": signature::secret(account)})
}

fn refuse(refusal: &Refusal, _: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => not_found(),
        Refusal::TooMany => {
            problem(429, "rate-limit", "Rate Limit Hit", "Please wait, then retry your request")
                .with("retry-after", "1")
        }
        Refusal::OutOfOrder => {
            problem(500, "internal-error", "Internal Error", "There was an internal error")
        }
        Refusal::Limit => problem(422, "limit", "Limit reached", "The account has as many as it may have"),
    }
}

fn refuse_rest(refusal: &Refusal, _: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => Reply::empty(404),
        Refusal::TooMany => coded(429, "429", "Too Many Requests").with("retry-after", "1"),
        Refusal::OutOfOrder => coded(500, "500", "internal error"),
        Refusal::Limit => failed("maximum of numbers for this account reached"),
    }
}

/// An error of the newer API.
fn problem(status: u16, kind: &str, title: &str, detail: &str) -> Reply {
    let kind = format!("https://developer.nexmo.com/api-errors#{kind}");
    Reply::json(
        status,
        &json!({"type": kind, "title": title, "detail": detail, "instance": uuid::Uuid::nil()}),
    )
}

fn not_found() -> Reply {
    problem(
        404,
        "not-found",
        "Not Found",
        "The requested resource does not exist, or you do not have access to it.",
    )
}

/// What the older API says of how it went.
fn coded(status: u16, code: &str, label: &str) -> Reply {
    Reply::json(status, &json!({"error-code": code, "error-code-label": label}))
}

/// It didn't do it; the label alone tells why, and the status is 200.
fn failed(label: &str) -> Reply {
    coded(200, "420", label)
}
