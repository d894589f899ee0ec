//! Numbers at a provider: how they are found, bought, pointed at us and given back.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Account, Exchange, Fault};
use crate::country::calling_code;
use crate::e164::E164;
use crate::provider::Api;

/// Which numbers are looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Where: ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// What they begin with behind the country's code: digits.
    pub area_code: Option<String>,
    /// What they have somewhere: digits.
    pub contains: Option<String>,
    /// What kind they are.
    pub number_type: NumberType,
    /// Whether they take text messages, too; they always take calls.
    pub sms: bool,
    /// How many offers are enough.
    pub offers_max: u8,
}

impl Wanted {
    /// Whether a number is what is looked for, by its digits: what a provider offers besides is left out.
    #[must_use]
    pub fn fits(&self, number: E164) -> bool {
        let national = calling_code::national(number);
        let begins = self.area_code.as_ref().is_none_or(|area_code| national.starts_with(area_code));
        begins && self.contains.as_ref().is_none_or(|digits| number.to_string().contains(digits))
    }
}

/// A kind of number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberType {
    /// Of a place.
    #[default]
    Local,
    /// Free for who calls.
    TollFree,
    /// A mobile one.
    Mobile,
}

/// A number to be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Which; absent: the provider chooses when it is bought.
    pub number: Option<E164>,
    /// What it costs.
    pub price: Option<Price>,
    /// Whether it takes text messages.
    pub sms: bool,
    /// What a person has to provide first (an address, a bundle of documents), in the provider's words.
    pub requires: Option<String>,
}

/// What a number costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Price {
    /// Once, as a decimal: `1.00`.
    pub upfront: String,
    /// Each month, as a decimal.
    pub monthly: String,
    /// ISO 4217, upper case.
    pub currency: String,
}

/// The name of one purchase, which goes with it to the provider, so that what was bought is found by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag(pub Uuid);

impl Tag {
    /// Reads a tag in a name that a provider holds; `None` when there is none of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.strip_prefix("dp:").or_else(|| text.strip_prefix("dp-"))?;
        if id.len() == 32 { Uuid::try_parse(id).ok().map(Self) } else { None }
    }
}

/// `dp:` and 32 hexadecimal digits: 35 characters, as Vapi takes 40.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dp:{}", self.0.simple())
    }
}

/// Where a number's calls and messages are sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhooks {
    /// Our base URLs, without a slash at the end: the first is called, the second is the provider's own fallback.
    pub public_urls: Vec<String>,
    /// Who is called when nobody answers for us, where the provider can call by itself.
    pub fallback: Option<E164>,
}

impl Webhooks {
    /// The URL of an account's webhook of this kind.
    #[must_use]
    pub fn url(&self, provider: &str, kind: &str, account: &Account<'_>) -> String {
        below(self.public_urls.first().map_or("", String::as_str), provider, kind, account)
    }

    /// The same at another place, for when the first doesn't answer; `None` when there is no other.
    #[must_use]
    pub fn fallback_url(&self, provider: &str, kind: &str, account: &Account<'_>) -> Option<String> {
        self.public_urls.get(1).map(|base| below(base, provider, kind, account))
    }
}

fn below(base: &str, provider: &str, kind: &str, account: &Account<'_>) -> String {
    format!("{base}/webhooks/{provider}/{kind}/{}", account.id)
}

/// A purchase.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Its name.
    pub tag: Tag,
    /// Which number; absent: one as [`Order::wanted`] says, which the provider chooses.
    pub number: Option<E164>,
    /// What was looked for.
    pub wanted: Wanted,
    /// Where its calls are sent.
    pub webhooks: Webhooks,
}

impl Order {
    /// The number, where a provider sells exact ones alone.
    ///
    /// # Errors
    /// [`Fault::Stop`] when the order leaves it to the provider.
    pub fn exact(&self) -> Result<E164, Fault> {
        let reason = "the provider sells exact numbers alone, and the order names none: look for one first";
        self.number.ok_or_else(|| Fault::stop("number_missing", reason))
    }
}

/// A number that an account holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The provider's name of it, as requests want it.
    pub id: String,
    /// Its address: E.164, or absent while the provider hasn't given it one, or never will (a SIP URI alone).
    pub number: Option<E164>,
    /// Its SIP URI, where it has one.
    pub sip_uri: Option<String>,
    /// What it is called there: a [`Tag`] where we bought it.
    pub name: String,
    /// How far it is.
    pub state: HeldState,
    /// What is set there of where its calls go, in the provider's own words: what [`Numbers::restore`] puts back.
    pub setup: Map<String, Value>,
    /// The hosted agent that answers it, where the provider hosts agents.
    pub agent_id: Option<String>,
    /// Whether the account has it for nothing.
    pub is_free: bool,
}

/// How far a number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeldState {
    /// Calls come.
    Active,
    /// The provider isn't done with it.
    Pending,
    /// The provider doesn't let it take calls.
    Blocked,
}

/// Some of an account's numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// These.
    pub numbers: Vec<Held>,
    /// Where the next begin; absent: these were the last.
    pub next: Option<String>,
}

/// What a provider can do with numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abilities {
    /// It sells numbers.
    pub sells: bool,
    /// It gives numbers away, up to a limit of the account's.
    pub free: bool,
    /// What is bought carries its tag from the first moment. Otherwise it is found by its exact number alone, and two
    /// purchases never choose the same.
    pub tags: bool,
    /// A search tells exact numbers. Otherwise each purchase that is repeated buys another.
    pub exact: bool,
}

/// How numbers are had at a provider. All of it is values: see [`Exchange`].
pub trait Numbers: Sync {
    /// The APIs that are asked.
    fn apis(&self) -> &'static [Api];

    /// What the provider can do.
    fn abilities(&self) -> Abilities;

    /// How many requests a second an account may send.
    fn requests_per_second(&self) -> u32;

    /// Looks for numbers to be had; none is an empty list, not an error.
    ///
    /// # Errors
    /// [`Fault::Stop`] when the account's credentials lack something; [`Fault::Elsewhere`] for what the provider never
    /// has.
    fn search(&self, account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault>;

    /// Buys a number and, where the provider can in one request, points it at us. The number may be
    /// [pending](HeldState::Pending), and [`Held::id`] may be another when it isn't any more: [`Numbers::get`] tells.
    ///
    /// The purchase is the exchange's last request: a fault of one behind it would be taken for the purchase's own.
    ///
    /// # Errors
    /// As [`Numbers::search`].
    fn buy(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Held>, Fault>;

    /// What a purchase brought: the numbers that carry its tag or, where the provider has no tags, its exact number.
    /// Those of orders that the provider isn't done with as well.
    ///
    /// # Errors
    /// As [`Numbers::search`].
    fn bought(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault>;

    /// The account's number of this id. [`Fault::Gone`] when there is none.
    ///
    /// # Errors
    /// As [`Numbers::search`].
    fn get(&self, account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault>;

    /// The account's numbers from `cursor` on.
    ///
    /// # Errors
    /// As [`Numbers::search`].
    fn list(&self, account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault>;

    /// Points a number at us, names it, and tells what it is then. What it was before is in [`Held::setup`] of what
    /// was read before.
    ///
    /// # Errors
    /// As [`Numbers::search`].
    fn configure(
        &self,
        account: &Account<'_>,
        number: &Held,
        name: &str,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault>;

    /// What of a number isn't as [`Numbers::configure`] sets it: names of the provider's fields, none when all is
    /// well.
    fn drift(&self, account: &Account<'_>, number: &Held, webhooks: &Webhooks) -> Vec<String>;

    /// Puts back what stood on a number before.
    ///
    /// # Errors
    /// As [`Numbers::search`].
    fn restore(
        &self,
        account: &Account<'_>,
        id: &str,
        setup: &Map<String, Value>,
    ) -> Result<Exchange<()>, Fault>;

    /// Gives a number back. One that isn't there any more is given back.
    ///
    /// # Errors
    /// As [`Numbers::search`].
    fn release(&self, account: &Account<'_>, number: &Held) -> Result<Exchange<()>, Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::samples;

    #[test]
    fn numbers_fit_by_their_area_code_and_by_what_they_contain() {
        let check = |area_code: Option<&str>, contains: Option<&str>, number: &str, expected: bool| {
            let (area_code, contains) = (area_code.map(str::to_owned), contains.map(str::to_owned));
            let wanted = Wanted { area_code, contains, ..samples::wanted() };
            assert_eq!(wanted.fits(number.parse().unwrap()), expected, "{number}");
        };
        check(Some("212"), None, "+12125550001", true);
        check(Some("212"), None, "+13125552125", false);
        check(Some("20"), None, "+442079460958", true);
        check(Some("20"), None, "+441202946095", false);
        check(Some("1"), None, "+35319605860", true);
        check(None, Some("555"), "+12125550001", true);
        check(None, Some("777"), "+12125550001", false);
        check(None, None, "+12125550001", true);
    }

    #[test]
    fn tags_are_read_back_and_nothing_else_is() {
        let tag = Tag(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        assert_eq!(tag.to_string(), "dp:0123456789abcdef0123456789abcdef");
        assert_eq!(Tag::parse(&tag.to_string()), Some(tag));
        assert_eq!(Tag::parse(&tag.to_string().replace(':', "-")), Some(tag));
        for other in ["", "dp:", "dp:0123", "Main line", "dp:01234567-89ab-cdef-0123-456789abcdef"] {
            assert_eq!(Tag::parse(other), None, "{other}");
        }
    }
}
