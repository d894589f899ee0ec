//! Accounts, purchases and webhooks, for tests.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::Account;
use super::numbers::{NumberType, Order, Tag, Wanted, Webhooks};
use crate::ids::AccountId;

/// Our id of [`account`], as it stands in the paths of its webhooks.
pub const ACCOUNT: &str = "00000000-0000-0000-0000-0000000000ac";

/// The tag of [`order`].
pub const TAG: &str = "dp:0123456789abcdef0123456789abcdef";

/// An account with these credentials. It lives as long as the tests do.
pub fn account(credentials: &str) -> Account<'static> {
    let credentials: Map<String, Value> = serde_json::from_str(credentials).unwrap();
    Account { id: AccountId(ACCOUNT.parse().unwrap()), credentials: Box::leak(Box::new(credentials)) }
}

/// A local number in New York with text messages.
pub fn wanted() -> Wanted {
    Wanted {
        country: "US".into(),
        area_code: Some("212".into()),
        contains: None,
        number_type: NumberType::Local,
        sms: true,
        offers_max: 3,
    }
}

/// Two public URLs and a person.
pub fn webhooks() -> Webhooks {
    Webhooks {
        public_urls: vec!["https://a.example".into(), "https://b.example".into()],
        fallback: "+12125550199".parse().ok(),
    }
}

/// One public URL alone.
pub fn webhooks_without_fallback() -> Webhooks {
    Webhooks { public_urls: vec!["https://a.example".into()], fallback: None }
}

/// A purchase of +12125550001.
pub fn order() -> Order {
    Order {
        tag: Tag(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)),
        number: "+12125550001".parse().ok(),
        wanted: wanted(),
        webhooks: webhooks(),
    }
}
