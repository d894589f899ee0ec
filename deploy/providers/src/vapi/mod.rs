//! Vapi's REST API: assistants and what they use, and phone numbers.

mod buy;
pub mod call;
mod import;
mod numbers;
mod resources;
mod server;

use http::Method;
use serde_json::{Map, Value, json};

use crate::account::{Account, Denied};
use crate::api::{Api, Refusal, Route};
use crate::reply::Reply;
use crate::request::Request;
use crate::turn::Turn;

/// Its name here.
pub const NAME: &str = "vapi";

/// Where Twilio sends the calls of numbers that are imported.
pub const INBOUND_CALL: &str = "https://api.vapi.ai/twilio/inbound_call";

/// `https://api.vapi.ai`.
pub static API: Api = Api { base: NAME, provider: NAME, routes: ROUTES, admit, refuse, credentials };

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::buying("/assistant", "vapi.create_assistant", resources::create),
    Route::new(Method::GET, "/assistant", "vapi.list_assistants", resources::list),
    Route::new(Method::GET, "/assistant/{id}", "vapi.get_assistant", resources::get),
    Route::new(Method::PATCH, "/assistant/{id}", "vapi.update_assistant", resources::update),
    Route::new(Method::DELETE, "/assistant/{id}", "vapi.delete_assistant", resources::delete),
    Route::new(Method::POST, "/tool", "vapi.create_tool", resources::create),
    Route::new(Method::GET, "/tool", "vapi.list_tools", resources::list),
    Route::new(Method::GET, "/tool/{id}", "vapi.get_tool", resources::get),
    Route::new(Method::PATCH, "/tool/{id}", "vapi.update_tool", resources::update),
    Route::new(Method::DELETE, "/tool/{id}", "vapi.delete_tool", resources::delete),
    Route::new(Method::POST, "/credential", "vapi.create_credential", resources::create),
    Route::new(Method::GET, "/credential", "vapi.list_credentials", resources::list),
    Route::new(Method::GET, "/credential/{id}", "vapi.get_credential", resources::get),
    Route::new(Method::PATCH, "/credential/{id}", "vapi.update_credential", resources::update),
    Route::new(Method::DELETE, "/credential/{id}", "vapi.delete_credential", resources::delete),
    Route::buying("/phone-number", "vapi.buy", numbers::create),
    Route::new(Method::GET, "/phone-number", "vapi.list", numbers::list),
    Route::new(Method::GET, "/v2/phone-number", "vapi.list", numbers::pages),
    Route::new(Method::GET, "/phone-number/{id}", "vapi.get", numbers::get),
    Route::new(Method::PATCH, "/phone-number/{id}", "vapi.update", numbers::update),
    Route::new(Method::DELETE, "/phone-number/{id}", "vapi.release", numbers::delete),
];

const HINT: &str =
    "Invalid Key. Hot tip, you may be using the private key instead of the public key, or vice versa.";

fn admit(turn: &mut Turn<'_>) -> Result<String, Reply> {
    let key = turn.request.bearer().unwrap_or_default();
    turn.world.admit_key(NAME, key).map_err(|why| match why {
        Denied::Credentials => error(401, HINT),
        Denied::Inactive => error(403, "Your organization is suspended."),
    })
}

fn credentials(account: &Account) -> Value {
    json!({"org_id": account.id, "api_key": account.secret})
}

fn refuse(refusal: &Refusal, request: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => error(404, &format!("Cannot {} {}", request.method, request.path)),
        Refusal::TooMany => error(429, "ThrottlerException: Too Many Requests").with("retry-after", "1"),
        Refusal::OutOfOrder => error(500, "Internal server error"),
        Refusal::Limit => buy::limit_reached(5),
    }
}

/// An error of one sentence.
pub fn error(status: u16, message: &str) -> Reply {
    said(status, json!(message))
}

/// What isn't as it must be: a list of sentences.
pub fn invalid(messages: &[String]) -> Reply {
    said(400, json!(messages))
}

fn said(status: u16, message: Value) -> Reply {
    let word = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        _ => "Internal Server Error",
    };
    Reply::json(status, &json!({"message": message, "error": word, "statusCode": status}))
}

/// The body, when it is a JSON object whose name isn't too long.
fn body(turn: &Turn<'_>) -> Result<Map<String, Value>, Reply> {
    let body = turn.request.json().map_err(|error| self::error(400, &error))?;
    match body.get("name") {
        Some(Value::String(name)) if name.chars().count() > 40 => {
            Err(invalid(&["name must be shorter than or equal to 40 characters".to_owned()]))
        }
        Some(Value::String(_) | Value::Null) | None => Ok(body),
        Some(_) => Err(invalid(&["name must be a string".to_owned()])),
    }
}
