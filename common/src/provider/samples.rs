//! A call to render answers to, for the providers' tests and for [documents](super::documents).

use jiff::tz::TimeZone;
use uuid::Uuid;

use super::reply::{Action, After, Rendered, Reply};
use crate::call::InboundCall;
use crate::e164::E164;
use crate::ids::{PhoneNumberId, TenantId};
use crate::location::{Business, Conversation, Intent, Location, Percent, Place, Profile, Voice};
use crate::route::Dialable;
use crate::time::UnixSeconds;

/// The person to whom agents hand calls over.
pub const PERSON: E164 = number(12_025_550_147);

const FALLBACK: E164 = number(12_025_550_199);

/// A number known when this is compiled; one that isn't valid doesn't compile.
const fn number(digits: u64) -> E164 {
    match E164::from_u64(digits) {
        Some(number) => number,
        None => panic!("not a number"),
    }
}

/// Calls `render` with the answer to a call from a withheld number to the Broadway location of Sparkle Nails, on
/// 2026-11-23 at 12:00 in New York.
pub fn with_reply(
    action: Action<'_>,
    after_url: Option<&str>,
    render: impl FnOnce(&Reply<'_>) -> Rendered,
) -> Rendered {
    with_reply_in("", action, after_url, render)
}

/// As [`with_reply`], to a call with this context.
pub fn with_reply_in(
    context: &str,
    action: Action<'_>,
    after_url: Option<&str>,
    render: impl FnOnce(&Reply<'_>) -> Rendered,
) -> Rendered {
    let call = InboundCall {
        call_id: "CA1".into(),
        to: "+12125550001".into(),
        from: "anonymous".into(),
        number_id: None,
        carrier_call_id: None,
        context: context.into(),
    };
    let business = Business {
        name: "Sparkle Nails".into(),
        intents: vec![Intent {
            name: "book".into(),
            phrases: vec!["I want an appointment".into()],
            responses: [("en".to_owned(), "When would you like to come?".to_owned())].into(),
        }],
        ..Business::default()
    };
    let place = Place {
        display_name: "Broadway \"21\" <East> & Co".into(),
        address: Some("21 Broadway, New York".into()),
        profile: Profile {
            voice: Voice {
                provider: Some("11labs".into()),
                voice_id: Some("voice-1".into()),
                model: None,
                language: Some("en-US".into()),
                greeting: Some("Sparkle Nails, \"Broadway\"!".into()),
                speed: Some(Percent(110)),
                stability: Some(Percent(50)),
                similarity: None,
            },
            conversation: Conversation {
                prompt: Some("You answer the phone of {{tenant_name}}.".into()),
                rules: Some(vec!["Never quote prices.".into(), "Be brief.".into()]),
                transfer_to: Some(Dialable::Number(PERSON)),
                duration_max_s: Some(600),
                variables: [("parking".to_owned(), "in the yard".to_owned())].into(),
            },
        },
        ..Place::default()
    };
    let zone = TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC);
    let location = Location {
        tenant_id: TenantId(Uuid::from_u128(1)),
        phone_number_id: Some(PhoneNumberId(Uuid::from_u128(2))),
        number: "+12125550001".parse().ok(),
        business: &business,
        place: Some(&place.into()),
        agent: None,
        agent_intents: &[],
        intent_ids: &[],
        platform: None,
        hours: [None; 3],
        zone: &zone,
        now: UnixSeconds(1_795_453_200),
    };
    let after = after_url.map(|url| After { url: url.to_owned(), state: "c3RhdGU".to_owned() });
    let fallback = Dialable::Number(FALLBACK);
    render(&Reply { call: &call, location: &location, action, after, fallback: Some(&fallback) })
}
