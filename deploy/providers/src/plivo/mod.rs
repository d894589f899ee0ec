//! Plivo's REST API: exact numbers are bought, and point to an application, which has URLs.

mod applications;
pub mod call;
mod numbers;
mod search;
mod signature;
mod subaccounts;
mod xml;

use http::Method;
use serde_json::{Value, json};

use crate::account::{Account, Denied};
use crate::api::{Api, Refusal, Route};
use crate::reply::Reply;
use crate::request::{Params, Request};
use crate::turn::Turn;

/// Its name here.
pub const NAME: &str = "plivo";

/// `https://api.plivo.com`.
pub static API: Api = Api { base: NAME, provider: NAME, routes: ROUTES, admit, refuse, credentials };

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/Account/{account}/PhoneNumber", "plivo.search", search::search),
    Route::buying("/v1/Account/{account}/PhoneNumber/{number}", "plivo.buy", numbers::buy),
    Route::new(Method::GET, "/v1/Account/{account}/Number", "plivo.list", numbers::list),
    Route::new(Method::GET, "/v1/Account/{account}/Number/{number}", "plivo.get", numbers::get),
    Route::new(Method::POST, "/v1/Account/{account}/Number/{number}", "plivo.update", numbers::update),
    Route::new(Method::DELETE, "/v1/Account/{account}/Number/{number}", "plivo.release", numbers::release),
    Route::new(Method::POST, "/v1/Account/{account}/Application", "plivo.create_application", applications::create),
    Route::new(Method::GET, "/v1/Account/{account}/Application", "plivo.list_applications", applications::list),
    Route::new(Method::GET, "/v1/Account/{account}/Application/{id}", "plivo.get_application", applications::get),
    Route::new(Method::POST, "/v1/Account/{account}/Application/{id}", "plivo.update_application", applications::update),
    Route::new(Method::DELETE, "/v1/Account/{account}/Application/{id}", "plivo.delete_application", applications::delete),
    Route::buying("/v1/Account/{account}/Subaccount", "plivo.create_subaccount", subaccounts::create),
    Route::new(Method::GET, "/v1/Account/{account}/Subaccount", "plivo.list_subaccounts", subaccounts::list),
    Route::new(Method::GET, "/v1/Account/{account}/Subaccount/{id}", "plivo.get_subaccount", subaccounts::get),
    Route::new(Method::POST, "/v1/Account/{account}/Subaccount/{id}", "plivo.update_subaccount", subaccounts::update),
    Route::new(Method::DELETE, "/v1/Account/{account}/Subaccount/{id}", "plivo.delete_subaccount", subaccounts::delete),
];

const PAGE_MAX: usize = 20;

/// An account with its own credentials, or a subaccount with its parent's.
fn admit(turn: &mut Turn<'_>) -> Result<String, Reply> {
    let refused = || {
        Reply::text(
            401,
            "Could not verify your access level for that URL. You have to login with proper credentials",
        )
    };
    let (user, token) = turn.request.basic().ok_or_else(refused)?;
    let account = turn.param("account");
    turn.world.admit(NAME, &user, &user, &token).map_err(|why| match why {
        Denied::Inactive => error(403, "account is not active"),
        _ => refused(),
    })?;
    let is_child = turn.world.account(NAME, &account).is_some_and(|it| it.parent.as_ref() == Some(&user));
    if account == user || is_child { Ok(account) } else { Err(refused()) }
}

fn credentials(account: &Account) -> Value {
    match &account.parent {
        Some(parent) => {
            json!({"auth_id": account.id, "auth_token": account.secret, "parent_auth_id": parent})
        }
        None => json!({"auth_id": account.id, "auth_token": account.secret}),
    }
}

fn refuse(refusal: &Refusal, _: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => not_found(),
        Refusal::TooMany => error(429, "too many requests").with("retry-after", "1"),
        Refusal::OutOfOrder => error(500, "internal server error"),
        Refusal::Limit => error(403, "maximum of numbers for this account reached"),
    }
}

/// An error; there are no codes.
fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"api_id": uuid::Uuid::nil(), "error": message}))
}

fn not_found() -> Reply {
    error(404, "not found")
}

/// An answer with its `api_id`.
fn said(turn: &mut Turn<'_>, status: u16, mut body: Value) -> Reply {
    body["api_id"] = turn.world.draw.uuid().to_string().into();
    Reply::json(status, &body)
}

/// A page of a list: `limit` (at most 20) and `offset`.
fn page(turn: &mut Turn<'_>, query: &Params, found: &[Value]) -> Reply {
    let limit = query.count("limit", PAGE_MAX).clamp(1, PAGE_MAX);
    let offset = query.count("offset", 0);
    let shown: Vec<_> = found.iter().skip(offset).take(limit).collect();
    let next = (offset + shown.len() < found.len()).then(|| {
        let path = format!("{}/", turn.request.path.trim_end_matches('/'));
        format!("{path}?limit={limit}&offset={}", offset + limit)
    });
    let meta =
        json!({"limit": limit, "offset": offset, "next": next, "previous": null, "total_count": found.len()});
    let body = json!({"meta": meta, "objects": shown});
    said(turn, 200, body)
}
