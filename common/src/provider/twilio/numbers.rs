//! Twilio's numbers: how its [API](crate::rest::incoming_phone_numbers) differs from its like, and what numbers cost.
//!
//! Sources, read 2026-11: <https://www.twilio.com/docs/phone-numbers/api>,
//! <https://www.twilio.com/docs/phone-numbers/pricing>,
//! <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>.

use http::Method;
use serde::Deserialize;

use super::api::{API, PRICING, authorized, below_account, fault};
use super::porting;
use crate::provider::Api;
use crate::rest::incoming_phone_numbers::{Dialect, Field, IncomingPhoneNumbers, Operations};
use crate::rest::numbers::{NumberType, Price, Wanted};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Reply, Request};

/// Twilio's numbers.
pub static NUMBERS: IncomingPhoneNumbers<Twilio> = IncomingPhoneNumbers(Twilio);

/// How Twilio speaks it.
#[derive(Clone, Copy, Debug)]
pub struct Twilio;

impl Dialect for Twilio {
    const PROVIDER: &'static str = "twilio";
    const APIS: &'static [Api] = &[API, PRICING, porting::API];
    const OPERATIONS: Operations = Operations {
        search: "twilio.numbers.search",
        buy: "twilio.numbers.buy",
        bought: "twilio.numbers.bought",
        get: "twilio.numbers.get",
        list: "twilio.numbers.list",
        configure: "twilio.numbers.configure",
        restore: "twilio.numbers.restore",
        release: "twilio.numbers.release",
    };
    const SUFFIX: &'static str = ".json";
    // A connection in 1 s, an answer in 3 s, two repetitions: all of it within Twilio's 15 s.
    const VOICE_FRAGMENT: &'static str = "#ct=1000&rt=3000&rc=2&rp=5xx,ct,rt";
    const FIELDS: &'static [Field] = &[
        Field::new("voice_url", "VoiceUrl"),
        Field::new("voice_method", "VoiceMethod"),
        Field::new("voice_fallback_url", "VoiceFallbackUrl"),
        Field::new("voice_fallback_method", "VoiceFallbackMethod"),
        Field::new("voice_application_sid", "VoiceApplicationSid"),
        Field::new("trunk_sid", "TrunkSid"),
        Field::new("status_callback", "StatusCallback"),
        Field::new("status_callback_method", "StatusCallbackMethod"),
        Field::new("sms_url", "SmsUrl"),
        Field::new("sms_method", "SmsMethod"),
        Field::new("sms_fallback_url", "SmsFallbackUrl"),
        Field::new("sms_fallback_method", "SmsFallbackMethod"),
        Field::new("sms_application_sid", "SmsApplicationSid"),
    ];
    // Twilio names no figure; requests beyond it are answered 429.
    const REQUESTS_PER_SECOND: u32 = 20;

    fn request(
        self,
        account: &Account<'_>,
        operation: &'static str,
        method: Method,
        below: &str,
    ) -> Result<Request, Fault> {
        below_account(account, operation, method, below)
    }

    fn fault(self, reply: &Reply) -> Fault {
        fault(reply)
    }

    fn number_type(self, wanted: &Wanted) -> Option<&'static str> {
        Some(match wanted.number_type {
            NumberType::Local => "Local",
            NumberType::TollFree => "TollFree",
            NumberType::Mobile => "Mobile",
        })
    }

    fn purchase(self, account: &Account<'_>) -> Vec<(&'static str, String)> {
        let fields = [("AddressSid", "address_sid"), ("BundleSid", "bundle_sid")];
        let pairs =
            fields.into_iter().filter_map(|(form, field)| Some((form, account.field(field)?.to_owned())));
        pairs.collect()
    }

    /// What Twilio doesn't say isn't known: numbers are offered without a price then.
    fn price(self, account: &Account<'_>, wanted: &Wanted) -> Result<Option<Exchange<Option<Price>>>, Fault> {
        let path = format!("/v1/PhoneNumbers/Countries/{}", segment(&wanted.country));
        let request = Request::new("twilio.numbers.price", Method::GET, PRICING, path);
        let request = authorized(account, request)?;
        let number_type = wanted.number_type;
        Ok(Some(Exchange::last(request, move |reply| Ok(price(&reply, number_type)))))
    }
}

fn price(reply: &Reply, number_type: NumberType) -> Option<Price> {
    #[derive(Deserialize)]
    struct Answer {
        phone_number_prices: Vec<Entry>,
        price_unit: String,
    }
    #[derive(Deserialize)]
    struct Entry {
        number_type: String,
        current_price: String,
    }
    let answer: Answer = reply.is_success().then(|| reply.json().ok()).flatten()?;
    let wanted = match number_type {
        NumberType::Local => "local",
        NumberType::TollFree => "toll free",
        NumberType::Mobile => "mobile",
    };
    let entry = answer.phone_number_prices.into_iter().find(|entry| entry.number_type == wanted)?;
    let currency = answer.price_unit.to_ascii_uppercase();
    Some(Price { upfront: "0".to_owned(), monthly: entry.current_price, currency })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provider::Provider;
    use crate::rest::incoming_phone_numbers::vectors::{self, Sample};
    use crate::rest::numbers::Numbers;
    use crate::rest::samples;
    use crate::rest::script::talk;

    const CREDENTIALS: &str = r#"{"account_sid":"AC1","auth_token":"t"}"#;

    fn sample() -> Sample {
        Sample {
            numbers: super::super::Twilio.numbers().unwrap(),
            account: samples::account(CREDENTIALS),
            authorization: "Basic QUMxOnQ=",
            root: "/2010-04-01/Accounts/AC1",
            suffix: ".json",
            provider: "twilio",
            fragment: "#ct=1000&rt=3000&rc=2&rp=5xx,ct,rt",
            trunk: true,
        }
    }

    #[test]
    fn numbers_are_had_as_documented() {
        vectors::check(&sample());
    }

    #[test]
    fn offers_have_the_price_of_their_kind() {
        let found = json!({"available_phone_numbers": [{"phone_number": "+12125550001",
            "address_requirements": "none", "capabilities": {"sms": true, "voice": true}}]});
        let prices = json!({"country": "US", "price_unit": "usd", "phone_number_prices": [
            {"number_type": "toll free", "base_price": "2.15", "current_price": "2.15"},
            {"number_type": "local", "base_price": "1.15", "current_price": "1.10"}]});
        let searched = || {
            talk(NUMBERS.search(&samples::account(CREDENTIALS), &samples::wanted()))
                .sends("GET /2010-04-01/Accounts/AC1/AvailablePhoneNumbers/US/Local.json?AreaCode=212&VoiceEnabled=true&SmsEnabled=true&PageSize=50")
                .gets_json(200, found.clone())
                .sends("GET /v1/PhoneNumbers/Countries/US")
                .with_header("authorization", "Basic QUMxOnQ=")
        };
        assert_eq!(searched().request().api, PRICING);
        let offers = searched().gets_json(200, prices.clone()).done();
        let price = Price { upfront: "0".into(), monthly: "1.10".into(), currency: "USD".into() };
        assert_eq!((offers.len(), &offers[0].price), (1, &Some(price)));
        for (status, body) in [
            (404, ""),
            (500, "<html>"),
            (200, "{}"),
            (200, r#"{"phone_number_prices":[],"price_unit":"USD"}"#),
        ] {
            assert_eq!(searched().gets(status, body).done()[0].price, None, "{status} {body}");
        }
    }

    #[test]
    fn what_regulation_wants_goes_with_the_purchase() {
        let account = samples::account(
            r#"{"account_sid":"AC1","auth_token":"t","address_sid":"AD1","bundle_sid":"BU1"}"#,
        );
        let buying = NUMBERS.buy(&account, &samples::order()).unwrap();
        let (_, body) = buying.request.body.unwrap();
        assert!(String::from_utf8(body).unwrap().ends_with("&AddressSid=AD1&BundleSid=BU1"));
    }
}
