//! Accounts, purchases and webhooks, for tests.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::Account;
use super::numbers::{NumberType, Order, Tag, Wanted, Webhooks};
use crate::ids::AccountId;
use crate::time::UnixSeconds;

/// Our id of [`account`], as it stands in the paths of its webhooks.
pub const ACCOUNT: &str = "00000000-0000-0000-0000-0000000000ac";

/// When it is asked.
pub const NOW: UnixSeconds = UnixSeconds(1_793_534_400);

/// The tag of [`order`].
pub const TAG: &str = "dp:0123456789abcdef0123456789abcdef";

/// An account with these credentials. It lives as long as the tests do.
pub fn account(credentials: &str) -> Account<'static> {
    let credentials: Map<String, Value> = serde_json::from_str(credentials).unwrap();
    let credentials = Box::leak(Box::new(credentials));
    Account { id: AccountId(ACCOUNT.parse().unwrap()), credentials, now: NOW }
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
