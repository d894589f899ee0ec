//! What numbers are to be had. Nothing is kept of it: which numbers there are follows from provider, country and area, and
//! those that somebody has are gone.
//!
//! Two providers never have the same number: one digit of it stands for the provider.

pub mod countries;
mod setting;

use countries::Country;
pub use setting::Stock;

use crate::number::Kind;

/// Which providers have numbers of their own; the place is a digit of them.
const SELLERS: &[&str] =
    &["twilio", "signalwire", "telnyx", "plivo", "vonage", "bandwidth", "vapi", "retell"];

/// A number to be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// `+` and its digits.
    pub number: String,
    /// Where.
    pub country: &'static Country,
    /// Its first digits behind the country's code.
    pub area: String,
    /// What kind it is.
    pub kind: Kind,
}

impl Offer {
    /// Its digits behind the country's code.
    pub fn national(&self) -> &str {
        self.number.get(1 + self.country.calling.len()..).unwrap_or_default()
    }
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// What the number begins with behind the country's code.
    pub area: Option<&'a str>,
    /// Digits that it has somewhere; `*` is any digit.
    pub contains: Option<&'a str>,
    /// How many are enough.
    pub limit: usize,
}

impl Stock {
    /// Numbers that a provider has to sell, but for those that are `taken`.
    pub fn offers(
        &self,
        provider: &str,
        country: &'static Country,
        kind: Kind,
        wanted: &Wanted<'_>,
        taken: impl Fn(&str) -> bool,
    ) -> Vec<Offer> {
        let pattern = wanted.contains.map(|text| text.replace(['+', '-', ' '], "")).unwrap_or_default();
        let areas = country.areas(kind, wanted.area);
        let all = areas.into_iter().flat_map(|area| {
            let (count, seller) = (self.count(provider, &area), seller(provider));
            (0..count).filter_map(move |index| {
                let number = country.number(&area, seller?, index)?;
                Some(Offer { number, country, area: area.clone(), kind })
            })
        });
        let wanted_here = |offer: &Offer| {
            let begins = wanted.area.is_none_or(|area| offer.national().starts_with(area));
            begins && holds(&offer.number, &pattern) && !taken(&offer.number)
        };
        all.filter(wanted_here).take(wanted.limit).collect()
    }

    /// The offer of exactly this number, whoever has it; `None` when the provider never had it.
    pub fn offer(&self, provider: &str, number: &str) -> Option<Offer> {
        let digits = number.strip_prefix('+')?;
        let seller = seller(provider)?;
        countries::ALL.iter().find_map(|country| {
            let national = digits.strip_prefix(country.calling)?;
            let (area, kind, index) = country.read(national, seller)?;
            let offered = index < self.count(provider, &area);
            offered.then(|| Offer { number: number.to_owned(), country, area, kind })
        })
    }

    /// Area codes beside `area` that the provider has numbers of.
    pub fn neighbours(&self, provider: &str, area: &str, count: usize) -> Vec<String> {
        let near = area.parse().unwrap_or(400);
        let others = (1..200).flat_map(|step: u32| [near + step, near.saturating_sub(step)]);
        let is_area = |area: &String| countries::is_us(area) && self.count(provider, area) > 0;
        others.map(|area: u32| area.to_string()).filter(is_area).take(count).collect()
    }
}

fn seller(provider: &str) -> Option<usize> {
    SELLERS.iter().position(|name| *name == provider)
}

/// Whether digits hold a pattern, in which `*` is any digit.
fn holds(number: &str, pattern: &str) -> bool {
    let (digits, pattern) = (number.trim_start_matches('+').as_bytes(), pattern.as_bytes());
    if pattern.is_empty() {
        return true;
    }
    let same = |window: &[u8]| window.iter().zip(pattern).all(|(digit, want)| *want == b'*' || digit == want);
    digits.windows(pattern.len()).any(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(provider: &str, country: &str, kind: Kind, wanted: &Wanted<'_>) -> Vec<String> {
        let stock = Stock::parse("default=3,212=0,vapi:415=0").unwrap();
        let offers = stock.offers(provider, countries::country(country).unwrap(), kind, wanted, |_| false);
        for offer in &offers {
            assert_eq!(stock.offer(provider, &offer.number).as_ref(), Some(offer));
        }
        offers.into_iter().map(|offer| offer.number).collect()
    }

    #[test]
    fn what_is_found_can_be_bought_and_nothing_else() {
        let area = |area| Wanted { area: Some(area), contains: None, limit: 10 };
        let check = |provider, country, kind, wanted: &Wanted<'_>, numbers: &[&str]| {
            assert_eq!(found(provider, country, kind, wanted), numbers, "{provider} {country} {wanted:?}");
        };
        check("twilio", "US", Kind::Local, &area("415"), &["+14155500100", "+14155500101", "+14155500102"]);
        check("twilio", "US", Kind::Local, &area("212"), &[]);
        check("vapi", "US", Kind::Local, &area("415"), &[]);
        check("twilio", "US", Kind::Local, &area("416"), &[]);
        check("twilio", "CA", Kind::Local, &Wanted { limit: 1, ..area("416") }, &["+14165500100"]);
        check("twilio", "US", Kind::TollFree, &Wanted { limit: 1, ..area("833") }, &["+18335500100"]);
        check("plivo", "GB", Kind::Local, &Wanted { limit: 1, ..Wanted::default() }, &["+442073000100"]);
        let pattern = Wanted { contains: Some("01*2"), limit: 1, ..area("415") };
        check("telnyx", "US", Kind::Local, &pattern, &["+14155520102"]);
        let stock = Stock::parse("default=3").unwrap();
        for number in
            ["+14155500103", "+14155500099", "+14155510100", "+14155509", "14155500100", "+999", "+"]
        {
            assert_eq!(stock.offer("twilio", number), None, "{number}");
        }
        let others = stock.neighbours("vapi", "415", 3);
        assert!(others.len() == 3 && !others.contains(&"416".to_owned()), "{others:?}");
    }
}
