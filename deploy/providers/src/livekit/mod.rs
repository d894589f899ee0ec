//! LiveKit's SIP API: inbound trunks say which calls are taken, dispatch rules where they go. Twirp: each method is a POST of
//! JSON.

pub mod call;
mod names;
mod rules;
mod trunks;

use serde_json::{Map, Value, json};

use crate::account::Account;
use crate::api::{Api, Refusal, Route};
use crate::reply::Reply;
use crate::request::Request;
use crate::secrets::jwt_claims;
use crate::turn::Turn;

/// Its name here.
pub const NAME: &str = "livekit";

/// `https://{project}.livekit.cloud`.
pub static API: Api = Api { base: NAME, provider: NAME, routes: ROUTES, admit, refuse, credentials };

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route::buying("/twirp/livekit.SIP/CreateSIPInboundTrunk", "livekit.create_trunk", trunks::create),
    Route::new(http::Method::POST, "/twirp/livekit.SIP/ListSIPInboundTrunk", "livekit.list_trunks", trunks::list),
    Route::new(http::Method::POST, "/twirp/livekit.SIP/GetSIPInboundTrunk", "livekit.get_trunk", trunks::get),
    Route::new(http::Method::POST, "/twirp/livekit.SIP/UpdateSIPInboundTrunk", "livekit.update_trunk", trunks::update),
    Route::new(http::Method::POST, "/twirp/livekit.SIP/DeleteSIPTrunk", "livekit.delete_trunk", trunks::delete),
    Route::buying("/twirp/livekit.SIP/CreateSIPDispatchRule", "livekit.create_rule", rules::create),
    Route::new(http::Method::POST, "/twirp/livekit.SIP/ListSIPDispatchRule", "livekit.list_rules", rules::list),
    Route::new(http::Method::POST, "/twirp/livekit.SIP/UpdateSIPDispatchRule", "livekit.update_rule", rules::update),
    Route::new(http::Method::POST, "/twirp/livekit.SIP/DeleteSIPDispatchRule", "livekit.delete_rule", rules::delete),
];

/// Who signed the token. A secret is never seen: the token is checked once the account is declared.
fn admit(turn: &mut Turn<'_>) -> Result<String, Reply> {
    let refused = |message| error("unauthenticated", message);
    let token = turn.request.bearer().ok_or_else(|| refused("permissions denied"))?;
    let claims = jwt_claims(token, None).ok_or_else(|| refused("invalid token"))?;
    let key =
        claims["iss"].as_str().filter(|key| !key.is_empty()).ok_or_else(|| refused("invalid API key"))?;
    let declared =
        turn.world.account(NAME, key).and_then(|account| account.signing.get("api_secret").cloned());
    match declared {
        Some(secret) if jwt_claims(token, Some(secret.as_bytes())).is_none() => {
            return Err(refused("invalid token"));
        }
        Some(_) => {}
        // A key stands for its secret, so that an account that isn't declared comes into being.
        None => turn.world.admit(NAME, key, "api_key", key).map_err(|_| refused("invalid API key"))?,
    }
    let now = turn.world.turn.now.as_second();
    if claims["exp"].as_i64().is_none_or(|until| until < now) {
        return Err(refused("token is expired"));
    }
    if claims["sip"]["admin"] != true {
        return Err(error("permission_denied", "requires SIP admin"));
    }
    Ok(key.to_owned())
}

fn credentials(account: &Account) -> Value {
    json!({"api_key": account.id, "api_secret": account.signing.get("api_secret")})
}

fn refuse(refusal: &Refusal, request: &Request) -> Reply {
    match refusal {
        Refusal::NotFound => error("bad_route", &format!("no handler for path {:?}", request.path)),
        Refusal::TooMany | Refusal::Limit => error("resource_exhausted", "limit exceeded"),
        Refusal::OutOfOrder => error("internal", "internal error"),
    }
}

/// An error, with the status that its code has.
fn error(code: &str, message: &str) -> Reply {
    let status = match code {
        "invalid_argument" | "malformed" => 400,
        "unauthenticated" => 401,
        "permission_denied" => 403,
        "not_found" | "bad_route" => 404,
        "already_exists" => 409,
        "resource_exhausted" => 429,
        _ => 500,
    };
    Reply::json(status, &json!({"code": code, "msg": message}))
}

/// The body, with names as the protocol's definition has them.
fn body(turn: &Turn<'_>) -> Result<Map<String, Value>, Reply> {
    let body = turn.request.json().map_err(|message| error("malformed", &message))?;
    Ok(names::snake(body))
}
