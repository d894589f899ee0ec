//! ElevenLabs' REST API for agents: agents, numbers that stay at their carrier, and the workspace's webhooks.

mod agents;
pub mod call;
mod numbers;
mod settings;

use http::Method;
use serde_json::{Value, json};

use crate::account::{Account, Denied};
use crate::api::{Api, Refusal, Route};
use crate::reply::Reply;
use crate::request::Request;
use crate::turn::Turn;

/// Its name here.
pub const NAME: &str = "elevenlabs";

/// Where Twilio sends the calls of numbers that are imported.
pub const INBOUND_CALL: &str = "https://api.elevenlabs.io/twilio/inbound_call";

/// `https://api.elevenlabs.io`.
pub static API: Api = Api { base: NAME, provider: NAME, routes: ROUTES, admit, refuse, credentials };

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::buying("/v1/convai/agents/create", "elevenlabs.create_agent", agents::create),
    Route::new(Method::GET, "/v1/convai/agents", "elevenlabs.list_agents", agents::list),
    Route::new(Method::GET, "/v1/convai/agents/{id}", "elevenlabs.get_agent", agents::get),
    Route::new(Method::PATCH, "/v1/convai/agents/{id}", "elevenlabs.update_agent", agents::update),
    Route::new(Method::DELETE, "/v1/convai/agents/{id}", "elevenlabs.delete_agent", agents::delete),
    Route::new(Method::POST, "/v1/convai/phone-numbers", "elevenlabs.import", numbers::import),
    Route::new(Method::GET, "/v1/convai/phone-numbers", "elevenlabs.list", numbers::list),
    Route::new(Method::GET, "/v1/convai/v2/phone-numbers", "elevenlabs.list", numbers::pages),
    Route::new(Method::GET, "/v1/convai/phone-numbers/{id}", "elevenlabs.get", numbers::get),
    Route::new(Method::PATCH, "/v1/convai/phone-numbers/{id}", "elevenlabs.update", numbers::update),
    Route::new(Method::DELETE, "/v1/convai/phone-numbers/{id}", "elevenlabs.release", numbers::delete),
    Route::new(Method::GET, "/v1/convai/settings", "elevenlabs.get_settings", settings::get),
    Route::new(Method::PATCH, "/v1/convai/settings", "elevenlabs.update_settings", settings::update),
    Route::new(Method::POST, "/v1/convai/secrets", "elevenlabs.create_secret", settings::create_secret),
    Route::new(Method::POST, "/v1/workspace/webhooks", "elevenlabs.create_webhook", settings::create_webhook),
    Route::new(Method::GET, "/v1/workspace/webhooks", "elevenlabs.list_webhooks", settings::list_webhooks),
    Route::new(Method::PATCH, "/v1/workspace/webhooks/{id}", "elevenlabs.update_webhook", settings::update_webhook),
    Route::new(Method::DELETE, "/v1/workspace/webhooks/{id}", "elevenlabs.delete_webhook", settings::delete_webhook),
    Route::new(Method::POST, "/v1/convai/twilio/register-call", "elevenlabs.register_call", agents::register_call),
];

fn admit(turn: &mut Turn<'_>) -> Result<String, Reply> {
    let key = turn.request.header("xi-api-key").unwrap_or_default();
    turn.world.admit_key(NAME, key).map_err(|why| match why {
        Denied::Inactive => error(401, "quota_exceeded", "This workspace has no quota left."),
        _ => error(401, "invalid_api_key", "Invalid API key"),
    })
}

fn credentials(account: &Account) -> Value {
    json!({"api_key": account.secret})
}

fn refuse(refusal: &Refusal, _: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => Reply::json(404, &json!({"detail": "Not Found"})),
        Refusal::TooMany => error(429, "too_many_concurrent_requests", "Too many concurrent requests")
            .with("retry-after", "1"),
        Refusal::OutOfOrder => error(500, "internal_error", "An unexpected error occurred"),
        Refusal::Limit => {
            error(401, "quota_exceeded", "The workspace has as many agents as its plan allows.")
        }
    }
}

/// An error with its word.
fn error(status: u16, word: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"detail": {"status": word, "message": message}}))
}

/// What isn't there, or is another workspace's.
fn not_found(what: &str, id: &str) -> Reply {
    error(404, &format!("{what}_not_found"), &format!("Document with id {id} not found."))
}

/// A field of the body that isn't as it must be.
fn invalid(field: &str, message: &str) -> Reply {
    Reply::json(422, &json!({"detail": [{"loc": ["body", field], "msg": message, "type": "value_error"}]}))
}

/// A page of a list: `page_size` and `cursor`, which is the place where the page begins.
fn page<'v>(turn: &Turn<'_>, found: &'v [Value]) -> (Vec<&'v Value>, Option<String>) {
    let query = turn.request.query();
    let size = query.count("page_size", 30).clamp(1, 100);
    let from = query.count("cursor", 0);
    let shown: Vec<_> = found.iter().skip(from).take(size).collect();
    let next = (from + shown.len() < found.len()).then(|| (from + shown.len()).to_string());
    (shown, next)
}
