//! Whether numbers can be ported to Telnyx.
//!
//! Source, read 2026-11: <https://developers.telnyx.com/api-reference/phone-number-porting/run-a-portability-check>.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::{data, request};
use crate::e164::E164;
use crate::rest::porting::{NO_REASON, Portability, Porting};
use crate::rest::{Account, Effect, Exchange, Fault};

/// Porting to Telnyx.
pub struct TelnyxPorting;

impl Porting for TelnyxPorting {
    fn check(&self, account: &Account<'_>, number: E164) -> Result<Exchange<Portability>, Fault> {
        #[derive(Deserialize)]
        struct Checked {
            phone_number: E164,
            portable: bool,
            not_portable_reason: Option<String>,
        }
        let request = request(account, "telnyx.porting.check", Method::POST, "/portability_checks")?;
        let request = request.effect(Effect::Repeatable).json(&json!({"phone_numbers": [number]}));
        Ok(Exchange::last(request, move |reply| {
            let checked: Vec<Checked> = data(&reply)?;
            let checked = checked.into_iter().find(|checked| checked.phone_number == number);
            let checked =
                checked.ok_or_else(|| Fault::unclear(format!("the answer says nothing of {number}")))?;
            let reason = checked.not_portable_reason.filter(|reason| !reason.is_empty());
            Ok(match checked.portable {
                true => Portability::Portable { wants: None },
                false => Portability::NotPortable { reason: reason.unwrap_or_else(|| NO_REASON.to_owned()) },
            })
        }))
    }

    fn by_hand(&self) -> &'static str {
        "in Telnyx's portal: Numbers → Port Numbers"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::samples;
    use crate::rest::script::{check_meaningless, check_replies, talk};

    #[test]
    fn says_whether() {
        let account = samples::account(r#"{"api_key":"KEY1"}"#);
        let check = || TelnyxPorting.check(&account, "+12125550001".parse().unwrap());
        let asked = |body: &str| {
            talk(check())
                .sends("POST /portability_checks")
                .with_json(json!({"phone_numbers": ["+12125550001"]}))
                .gets(201, body)
                .done()
        };
        let yes =
            asked(r#"{"data":[{"phone_number":"+12125550001","portable":true,"not_portable_reason":""}]}"#);
        assert_eq!(yes, Portability::Portable { wants: None });
        let no =
            asked(r#"{"data":[{"phone_number":"+12125550001","portable":false,"not_portable_reason":""}]}"#);
        assert_eq!(no, Portability::NotPortable { reason: NO_REASON.into() });
        check_meaningless(check);
        check_replies(check, &[(200, r#"{"data":[]}"#, "unclear")]);
    }
}
