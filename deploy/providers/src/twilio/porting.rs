//! Whether numbers can be brought over: `https://numbers.twilio.com/v1/Porting/Portability/PhoneNumber/{number}`.

use serde_json::json;

use super::errors;
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};

/// Numbers of the United States and Canada can be ported, with a PIN; but for toll-free ones, and those of other countries.
pub fn portability(turn: &mut Turn<'_>) -> Outcome {
    let number = turn.param("number");
    let is_number =
        number.strip_prefix('+').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_number {
        return Err(errors::not_found(turn.provider, turn.request));
    }
    let is_toll_free = ["+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888"]
        .iter()
        .any(|prefix| number.starts_with(prefix));
    let reason = match (number.starts_with("+1"), is_toll_free) {
        (true, false) => None,
        (true, true) => Some("The phone number type is not supported for porting."),
        (false, _) => Some("Port-ins for this country are not supported."),
    };
    Ok(Reply::json(
        200,
        &json!({
            "phone_number": number, "portable": reason.is_none(), "pin_and_account_number_required": reason.is_none(),
            "not_portable_reason": reason, "not_portable_reason_code": reason.map(|_| 22130),
            "number_type": "LOCAL", "country": if number.starts_with("+1") { "US" } else { "" },
            "url": format!("https://numbers.twilio.com/v1/Porting/Portability/PhoneNumber/{number}"),
        }),
    ))
}
