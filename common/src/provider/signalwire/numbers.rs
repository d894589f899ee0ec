//! SignalWire's numbers: how its [API](crate::rest::incoming_phone_numbers) differs from its like.
//!
//! Sources, read 2026-11: <https://signalwire.com/docs/compatibility-api/rest/incoming-phone-numbers>,
//! <https://signalwire.com/docs/platform> (time-outs of webhooks).

use std::time::Duration;

use http::Method;

use super::api::{API, below_project, fault};
use crate::provider::Api;
use crate::rest::incoming_phone_numbers::{Dialect, Field, IncomingPhoneNumbers, Operations};
use crate::rest::numbers::{NumberType, Wanted};
use crate::rest::{Account, Fault, Reply, Request};

/// SignalWire's numbers.
pub static NUMBERS: IncomingPhoneNumbers<SignalWire> = IncomingPhoneNumbers(SignalWire);

/// When a number that was bought lately is tried to be given back again. SignalWire doesn't say how long it takes.
const COOLING_TIME: Duration = Duration::from_secs(3_600);

/// How SignalWire speaks it.
#[derive(Clone, Copy, Debug)]
pub struct SignalWire;

impl Dialect for SignalWire {
    const PROVIDER: &'static str = "signalwire";
    const APIS: &'static [Api] = &[API];
    const OPERATIONS: Operations = Operations {
        search: "signalwire.numbers.search",
        buy: "signalwire.numbers.buy",
        bought: "signalwire.numbers.bought",
        get: "signalwire.numbers.get",
        list: "signalwire.numbers.list",
        configure: "signalwire.numbers.configure",
        restore: "signalwire.numbers.restore",
        release: "signalwire.numbers.release",
    };
    const SUFFIX: &'static str = "";
    // A connection in 1 s and an answer in 3 s, then the fallback: SignalWire repeats nothing.
    const VOICE_FRAGMENT: &'static str = "#ot=1000&rt=3000";
    const FIELDS: &'static [Field] = &[
        Field::new("voice_url", "VoiceUrl"),
        Field::new("voice_method", "VoiceMethod"),
        Field::new("voice_fallback_url", "VoiceFallbackUrl"),
        Field::new("voice_fallback_method", "VoiceFallbackMethod"),
        Field::new("voice_application_sid", "VoiceApplicationSid"),
        Field::new("status_callback", "StatusCallback"),
        Field::new("status_callback_method", "StatusCallbackMethod"),
        Field::new("sms_url", "SmsUrl"),
        Field::new("sms_method", "SmsMethod"),
        Field::new("sms_fallback_url", "SmsFallbackUrl"),
        Field::new("sms_fallback_method", "SmsFallbackMethod"),
        Field::new("sms_application_sid", "SmsApplicationSid"),
    ];
    const REQUESTS_PER_SECOND: u32 = 20;

    fn request(
        self,
        account: &Account<'_>,
        operation: &'static str,
        method: Method,
        below: &str,
    ) -> Result<Request, Fault> {
        below_project(account, operation, method, below)
    }

    fn fault(self, reply: &Reply) -> Fault {
        fault(reply)
    }

    fn number_type(self, wanted: &Wanted) -> Option<&'static str> {
        match wanted.number_type {
            NumberType::Local => Some("Local"),
            NumberType::TollFree => Some("TollFree"),
            NumberType::Mobile => None,
        }
    }

    /// No code says that a number is somebody else's by now: it is refused as not valid, like whatever is wrong.
    fn purchase_fault(self, reply: &Reply) -> Fault {
        match (reply.status, fault(reply)) {
            (409 | 422, Fault::Stop { code, reason }) if code != "4001" => Fault::Elsewhere { code, reason },
            (_, fault) => fault,
        }
    }

    fn release_fault(self, reply: &Reply) -> Fault {
        match (reply.status, fault(reply)) {
            (409 | 422, Fault::Stop { reason, .. }) => {
                Fault::Retry { reason, after: reply.retry_after.or(Some(COOLING_TIME)) }
            }
            (_, fault) => fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Provider;
    use crate::rest::incoming_phone_numbers::vectors::{self, Sample};
    use crate::rest::numbers::Numbers;
    use crate::rest::samples;
    use crate::rest::script::{check_replies, talk};

    const CREDENTIALS: &str = r#"{"project_id":"6bfbbe86","api_token":"PT1","space":"acme"}"#;

    #[test]
    fn numbers_are_had_as_documented() {
        vectors::check(&Sample {
            numbers: super::super::SignalWire.numbers().unwrap(),
            account: samples::account(CREDENTIALS),
            authorization: "Basic NmJmYmJlODY6UFQx",
            root: "/api/laml/2010-04-01/Accounts/6bfbbe86",
            suffix: "",
            provider: "signalwire",
            fragment: "#ot=1000&rt=3000",
            trunk: false,
        });
    }

    #[test]
    fn mobile_numbers_are_had_elsewhere() {
        let wanted = Wanted { number_type: NumberType::Mobile, ..samples::wanted() };
        assert_eq!(
            talk(NUMBERS.search(&samples::account(CREDENTIALS), &wanted)).fault().label(),
            "elsewhere"
        );
    }

    #[test]
    fn a_refused_purchase_is_tried_elsewhere_and_a_refused_release_later() {
        let account = samples::account(CREDENTIALS);
        let invalid = r#"{"code":"invalid","message":"phone number is not available"}"#;
        let poor = r#"{"code":4001,"message":"balance too low"}"#;
        check_replies(
            || NUMBERS.buy(&account, &samples::order()),
            &[(422, invalid, "elsewhere"), (422, poor, "stop"), (400, invalid, "stop")],
        );
        let held = talk(NUMBERS.get(&account, "s")).gets(200, r#"{"sid":"s"}"#).done();
        check_replies(|| NUMBERS.release(&account, &held), &[(422, invalid, "retry"), (409, "", "retry")]);
        let fault = talk(NUMBERS.release(&account, &held)).gets(422, invalid).fault();
        assert!(matches!(fault, Fault::Retry { after: Some(after), .. } if after == COOLING_TIME));
    }
}
