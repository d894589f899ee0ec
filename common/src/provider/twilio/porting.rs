//! Whether numbers can be ported to Twilio.
//!
//! Source, read 2026-11: <https://www.twilio.com/docs/phone-numbers/port-in/portability-api>.

use http::Method;
use serde::Deserialize;

use super::api::{authorized, fault};
use crate::e164::E164;
use crate::provider::Api;
use crate::rest::porting::{NO_REASON, Portability, Porting};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Request};

/// Porting.
pub const API: Api = Api { base_setting: "TWILIO_NUMBERS_API_BASE", base: "https://numbers.twilio.com" };

/// Porting to Twilio.
pub struct TwilioPorting;

impl Porting for TwilioPorting {
    fn check(&self, account: &Account<'_>, number: E164) -> Result<Exchange<Portability>, Fault> {
        #[derive(Deserialize)]
        struct Answer {
            phone_number: E164,
            portable: bool,
            pin_and_account_number_required: Option<bool>,
            not_portable_reason: Option<String>,
        }
        let path = format!("/v1/Porting/Portability/PhoneNumber/{}", segment(&number.to_string()));
        let request = Request::new("twilio.porting.check", Method::GET, API, path);
        Ok(Exchange::last(authorized(account, request)?, move |reply| {
            if !reply.is_success() {
                return Err(fault(&reply));
            }
            let answer: Answer = reply.json()?;
            let pin = "the account number and the PIN at the carrier that has it";
            match answer.portable {
                _ if answer.phone_number != number => {
                    Err(Fault::unclear(format!("asked about {number}, and was told of another")))
                }
                true => Ok(Portability::Portable {
                    wants: (answer.pin_and_account_number_required == Some(true)).then(|| pin.to_owned()),
                }),
                false => Ok(Portability::NotPortable {
                    reason: answer.not_portable_reason.unwrap_or_else(|| NO_REASON.to_owned()),
                }),
            }
        }))
    }

    fn by_hand(&self) -> &'static str {
        "in Twilio's console: Phone Numbers → Port & Host → Port a number"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::samples;
    use crate::rest::script::{check_meaningless, check_replies, talk};

    #[test]
    fn says_whether_and_what_is_wanted() {
        let account = samples::account(r#"{"account_sid":"AC1","auth_token":"t"}"#);
        let check = || TwilioPorting.check(&account, "+12125550001".parse().unwrap());
        let asked = |body: &str| {
            talk(check())
                .sends("GET /v1/Porting/Portability/PhoneNumber/%2B12125550001")
                .with_header("authorization", "Basic QUMxOnQ=")
                .gets(200, body)
                .done()
        };
        let portable = asked(
            r#"{"phone_number":"+12125550001","portable":true,"pin_and_account_number_required":true}"#,
        );
        assert!(matches!(portable, Portability::Portable { wants: Some(wants) } if wants.contains("PIN")));
        let other =
            asked(r#"{"phone_number":"+12125550001","portable":false,"not_portable_reason":"already ours"}"#);
        assert_eq!(other, Portability::NotPortable { reason: "already ours".into() });
        check_meaningless(check);
        check_replies(
            check,
            &[
                (200, r#"{"phone_number":"+12125550002","portable":true}"#, "unclear"),
                (200, r#"{"phone_number":"+12125550001","portable":null}"#, "unclear"),
                (401, r#"{"code":20003}"#, "stop"),
            ],
        );
    }
}
