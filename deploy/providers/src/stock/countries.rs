//! The countries that there are numbers of, and how their numbers are made up. Invented, but for codes and lengths.

use crate::number::Kind;

/// A country.
#[derive(Debug, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub iso: &'static str,
    /// Its name in English, as Plivo writes it.
    pub name: &'static str,
    /// Its calling code.
    pub calling: &'static str,
    /// How many digits a number has behind that.
    pub digits: usize,
    /// Area codes that are offered when none is asked for.
    pub local: &'static [&'static str],
    /// What mobile numbers begin with.
    pub mobile: &'static [&'static str],
    /// What toll-free numbers begin with.
    pub toll_free: &'static [&'static str],
    /// What a person must provide before a number is sold.
    pub needs: Needs,
}

/// What a person must provide before a number is sold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// An address, anywhere.
    Address,
    /// An address there.
    LocalAddress,
    /// Documents.
    Documents,
}

const TOLL_FREE: &[&str] = &["833", "844", "855", "866", "877", "888"];
const CANADA: &[&str] = &["416", "604", "514", "403", "613", "647", "778", "902", "905", "204", "306", "250"];

/// Area codes of North America that belong to no place.
const NOWHERE: &[&str] =
    &["500", "521", "522", "533", "544", "566", "577", "588", "600", "700", "710", "900"];

/// All of them.
pub static ALL: &[Country] = &[
    Country {
        iso: "US",
        name: "UNITED STATES",
        calling: "1",
        digits: 10,
        local: &["415", "212", "312", "213", "646", "808", "919", "702"],
        mobile: &[],
        toll_free: TOLL_FREE,
        needs: Needs::Nothing,
    },
    Country {
        iso: "CA",
        name: "CANADA",
        calling: "1",
        digits: 10,
        local: CANADA,
        mobile: &[],
        toll_free: &[],
        needs: Needs::Nothing,
    },
    elsewhere("GB", "UNITED KINGDOM", "44", 10, &["20", "161"], &["79"], &["800"], Needs::Address),
    elsewhere("IE", "IRELAND", "353", 8, &["1"], &[], &[], Needs::Nothing),
    elsewhere("NL", "NETHERLANDS", "31", 9, &["20"], &["6"], &["800"], Needs::Nothing),
    elsewhere("FR", "FRANCE", "33", 9, &["1"], &["7"], &["80"], Needs::LocalAddress),
    elsewhere("DE", "GERMANY", "49", 10, &["30", "89"], &["15"], &["800"], Needs::Documents),
    elsewhere("AU", "AUSTRALIA", "61", 9, &["2", "3"], &["4"], &[], Needs::Address),
];

#[expect(clippy::too_many_arguments, reason = "the table's columns")]
const fn elsewhere(
    iso: &'static str,
    name: &'static str,
    calling: &'static str,
    digits: usize,
    local: &'static [&'static str],
    mobile: &'static [&'static str],
    toll_free: &'static [&'static str],
    needs: Needs,
) -> Country {
    Country { iso, name, calling, digits, local, mobile, toll_free, needs }
}

/// The country of this code, if there are numbers of it.
pub fn country(iso: &str) -> Option<&'static Country> {
    ALL.iter().find(|country| country.iso.eq_ignore_ascii_case(iso))
}

/// Whether these three digits are an area code in the United States.
pub fn is_us(area: &str) -> bool {
    let bytes = area.as_bytes();
    let shaped = bytes.len() == 3 && bytes.iter().all(u8::is_ascii_digit) && bytes[0] >= b'2';
    let service = area.ends_with("11");
    let elsewhere = [CANADA, TOLL_FREE, NOWHERE].iter().any(|list| list.contains(&area));
    shaped && !service && !elsewhere
}

impl Country {
    /// Whether it shares North America's plan, where an area code has three digits.
    pub fn is_north_american(&self) -> bool {
        self.calling == "1"
    }

    /// The areas where numbers of this kind, which begin so, lie.
    pub fn areas(&self, kind: Kind, begins: Option<&str>) -> Vec<String> {
        let listed = match kind {
            Kind::Local => self.local,
            Kind::Mobile => self.mobile,
            Kind::TollFree => self.toll_free,
        };
        let Some(begins) = begins else { return listed.iter().map(ToString::to_string).collect() };
        if self.iso == "US" && kind == Kind::Local && begins.get(..3).is_some_and(is_us) {
            return begins.get(..3).map(ToString::to_string).into_iter().collect();
        }
        let fits = |area: &&&str| area.starts_with(begins) || begins.starts_with(**area);
        listed.iter().filter(fits).map(ToString::to_string).collect()
    }

    /// The number at a place of an area.
    pub fn number(&self, area: &str, seller: usize, index: u32) -> Option<String> {
        let width = self.digits.checked_sub(area.len() + self.marks())?;
        let mark = if self.is_north_american() { "55" } else { "7" };
        let place = 100 + index;
        Some(format!("+{}{area}{mark}{seller}{place:0width$}", self.calling))
    }

    /// Area, kind and place of a number's digits, if it is one of ours.
    pub fn read(&self, national: &str, seller: usize) -> Option<(String, Kind, u32)> {
        if national.len() != self.digits || !national.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        [Kind::Local, Kind::Mobile, Kind::TollFree].into_iter().find_map(|kind| {
            self.areas(kind, Some(national)).into_iter().find_map(|area| {
                let place: u32 = national.get(area.len() + self.marks()..)?.parse().ok()?;
                let index = place.checked_sub(100)?;
                let made = self.number(&area, seller, index)?;
                (made.get(1 + self.calling.len()..) == Some(national)).then_some((area, kind, index))
            })
        })
    }

    /// How many digits stand for us and for the seller.
    fn marks(&self) -> usize {
        if self.is_north_american() { 3 } else { 2 }
    }
}
