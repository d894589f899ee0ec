//! Where SignalWire's Compatibility API differs from Twilio's.

use crate::draw::Draw;

/// How a provider of Twilio's shape has it.
pub struct Dialect {
    /// What the paths of its answers begin with.
    pub root: &'static str,
    /// What they end with.
    pub suffix: &'static str,
    /// Where its errors are explained.
    pub errors: &'static str,
    /// Whether names of things are UUIDs, without a prefix that tells what they are of.
    pub plain_ids: bool,
    /// Whether a number can be bought by area code alone.
    pub buys_by_area: bool,
    /// Whether some countries' numbers want an address or documents.
    pub wants_addresses: bool,
    /// What a local number costs each month, in US cents.
    pub local_cents: i64,
    /// What a toll-free one does.
    pub toll_free_cents: i64,
}

const TWILIO: Dialect = Dialect {
    root: "/2010-04-01",
    suffix: ".json",
    errors: "https://www.twilio.com/docs/errors/",
    plain_ids: false,
    buys_by_area: true,
    wants_addresses: true,
    local_cents: 115,
    toll_free_cents: 215,
};

const SIGNALWIRE: Dialect = Dialect {
    root: "/api/laml/2010-04-01",
    suffix: "",
    errors: "https://signalwire.com/docs/compatibility-api/rest/error-codes#",
    plain_ids: true,
    buys_by_area: false,
    wants_addresses: false,
    local_cents: 50,
    toll_free_cents: 100,
};

/// How this provider has it.
pub fn of(provider: &str) -> &'static Dialect {
    if provider == super::NAME { &TWILIO } else { &SIGNALWIRE }
}

impl Dialect {
    /// A new name, of this kind of thing.
    pub fn sid(&self, draw: &mut Draw, prefix: &str) -> String {
        if self.plain_ids { draw.uuid().to_string() } else { draw.sid(prefix) }
    }
}
