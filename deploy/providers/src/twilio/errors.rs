//! Errors in Twilio's words. Source of the codes: its error dictionary.

use serde_json::json;

use super::dialect;
use crate::account::Denied;
use crate::reply::Reply;
use crate::request::Request;

/// An error.
pub fn error(provider: &str, status: u16, code: u32, message: &str) -> Reply {
    let more_info = format!("{}{code}", dialect::of(provider).errors);
    Reply::json(status, &json!({"code": code, "message": message, "more_info": more_info, "status": status}))
}

/// What isn't there, or is another account's.
pub fn not_found(provider: &str, request: &Request) -> Reply {
    error(provider, 404, 20404, &format!("The requested resource {} was not found", request.path))
}

/// Somebody isn't let in.
pub fn denied(provider: &str, why: Denied) -> Reply {
    let message = if provider == super::NAME { "Authenticate" } else { "Authentication failed" };
    // A suspended account's credentials are as bad as wrong ones.
    let (Denied::Credentials | Denied::Inactive) = why;
    error(provider, 401, 20003, message)
}

/// The account has as many numbers as it may have.
pub fn number_limit(provider: &str) -> Reply {
    match dialect::of(provider).plain_ids {
        false => error(
            provider,
            400,
            21404,
            "You have reached the maximum number of phone numbers for this account",
        ),
        true => error(provider, 422, 21404, "Phone number limit reached for this project"),
    }
}

/// The account has as many subaccounts as it may have.
pub fn subaccount_limit(provider: &str) -> Reply {
    error(provider, 400, 21480, "You have reached the maximum number of subaccounts")
}

/// Its money isn't enough.
pub fn balance(provider: &str) -> Reply {
    match dialect::of(provider).plain_ids {
        false => error(provider, 403, 20005, "Account is not active: its balance is too low"),
        true => error(provider, 400, 4001, "Account balance is too low"),
    }
}

/// A parameter isn't as it must be.
pub fn invalid(provider: &str, message: &str) -> Reply {
    let status = if dialect::of(provider).plain_ids { 422 } else { 400 };
    error(provider, status, 20001, message)
}
