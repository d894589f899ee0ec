//! Retell's REST API: agents and what answers for them, and numbers, which are bought or brought along.

mod agents;
pub mod call;
mod numbers;

use http::Method;
use serde_json::{Value, json};

use crate::account::{Account, Denied};
use crate::api::{Api, Refusal, Route};
use crate::reply::Reply;
use crate::request::Request;
use crate::turn::Turn;

/// Its name here.
pub const NAME: &str = "retell";

/// `https://api.retellai.com`.
pub static API: Api = Api { base: NAME, provider: NAME, routes: ROUTES, admit, refuse, credentials };

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::new(Method::POST, "/create-retell-llm", "retell.create_llm", agents::create_llm),
    Route::new(Method::GET, "/list-retell-llms", "retell.list_llms", agents::list_llms),
    Route::new(Method::GET, "/get-retell-llm/{id}", "retell.get_llm", agents::get_llm),
    Route::new(Method::PATCH, "/update-retell-llm/{id}", "retell.update_llm", agents::update_llm),
    Route::new(Method::DELETE, "/delete-retell-llm/{id}", "retell.delete_llm", agents::delete_llm),
    Route::buying("/create-agent", "retell.create_agent", agents::create),
    Route::new(Method::GET, "/list-agents", "retell.list_agents", agents::list),
    Route::new(Method::POST, "/v2/list-agents", "retell.list_agents", agents::pages),
    Route::new(Method::GET, "/v2/list-agents", "retell.list_agents", agents::pages),
    Route::new(Method::GET, "/get-agent/{id}", "retell.get_agent", agents::get),
    Route::new(Method::PATCH, "/update-agent/{id}", "retell.update_agent", agents::update),
    Route::new(Method::DELETE, "/delete-agent/{id}", "retell.delete_agent", agents::delete),
    Route::new(Method::POST, "/publish-agent/{id}", "retell.publish_agent", agents::publish),
    Route::new(Method::POST, "/publish-agent-version/{id}", "retell.publish_agent", agents::publish),
    Route::buying("/create-phone-number", "retell.buy", numbers::create),
    Route::new(Method::POST, "/import-phone-number", "retell.import", numbers::import),
    Route::new(Method::GET, "/list-phone-numbers", "retell.list", numbers::list),
    Route::new(Method::GET, "/v2/list-phone-numbers", "retell.list", numbers::pages),
    Route::new(Method::GET, "/get-phone-number/{number}", "retell.get", numbers::get),
    Route::new(Method::PATCH, "/update-phone-number/{number}", "retell.update", numbers::update),
    Route::new(Method::DELETE, "/delete-phone-number/{number}", "retell.release", numbers::delete),
    Route::new(Method::GET, "/get-concurrency", "retell.concurrency", agents::concurrency),
];

fn admit(turn: &mut Turn<'_>) -> Result<String, Reply> {
    let key = turn.request.bearer().unwrap_or_default();
    turn.world.admit_key(NAME, key).map_err(|why| match why {
        Denied::Inactive => error(402, "Trial has ended, please add a payment method."),
        _ => error(401, "API key is missing or invalid."),
    })
}

fn credentials(account: &Account) -> Value {
    json!({"api_key": account.secret})
}

fn refuse(refusal: &Refusal, request: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => error(404, &format!("Cannot {} {}", request.method, request.path)),
        Refusal::TooMany => {
            error(429, "Account rate limited, please throttle your requests.").with("retry-after", "1")
        }
        Refusal::OutOfOrder => error(500, "An unexpected server error occurred."),
        Refusal::Limit => error(402, "You have reached the limit of your plan."),
    }
}

fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"status": "error", "message": message}))
}

/// What isn't there: 404 for a number, 422 for what is named in a path by its id.
fn missing() -> Reply {
    error(422, "Cannot find requested asset under given api key.")
}

/// A page of a list: `limit` and `pagination_key`, the id that the page before ended with.
fn page(turn: &Turn<'_>, found: &[Value], id: &str) -> Value {
    let query = turn.request.query();
    let body = turn.request.json().unwrap_or_default();
    let asked = |name: &str| {
        let told =
            body.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        query.get(name).map(str::to_owned).or(told)
    };
    let limit = asked("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50).clamp(1, 1000);
    let key = asked("pagination_key");
    let begin =
        key.map_or(0, |key| found.iter().position(|it| it[id] == *key).map_or(found.len(), |at| at + 1));
    let shown: Vec<_> = found.iter().skip(begin).take(limit).collect();
    let more = begin + shown.len() < found.len();
    let next = shown.last().filter(|_| more).map(|last| last[id].clone());
    json!({"items": shown, "has_more": more, "pagination_key": next})
}
