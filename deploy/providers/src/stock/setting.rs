//! How many numbers there are, as `--stock` says.

const DEFAULT_PER_AREA: u32 = 200;

/// A number has four digits for its place in its area.
const PER_AREA_MAX: u32 = 9_000;

/// How many numbers a provider has in an area.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stock {
    default: u32,
    areas: Vec<Area>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Area {
    provider: Option<String>,
    area: String,
    count: u32,
}

impl Default for Stock {
    /// So many that none runs out, but in the area that Twilio's own test credentials have nothing in.
    fn default() -> Self {
        let nothing = Area { provider: None, area: "533".to_owned(), count: 0 };
        Self { default: DEFAULT_PER_AREA, areas: vec![nothing] }
    }
}

impl Stock {
    /// Reads `default=100,212=0,vapi:415=2`: how many there are everywhere, in an area, and in an area at one provider.
    ///
    /// # Errors
    /// Which part isn't so.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut stock = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wanted = || format!("{part}: wanted default=COUNT, AREA=COUNT or PROVIDER:AREA=COUNT");
            let (area, count) = part.split_once('=').ok_or_else(wanted)?;
            let count = count.parse().ok().filter(|count| *count <= PER_AREA_MAX).ok_or_else(wanted)?;
            match area.split_once(':') {
                None if area == "default" => stock.default = count,
                None => stock.areas.push(Area { provider: None, area: area.to_owned(), count }),
                Some((provider, area)) => {
                    let provider = Some(provider.to_owned());
                    stock.areas.push(Area { provider, area: area.to_owned(), count });
                }
            }
        }
        Ok(stock)
    }

    /// How many numbers the provider has there; what was said last counts.
    pub fn count(&self, provider: &str, area: &str) -> u32 {
        let named = self.areas.iter().rev().find(|limit| {
            limit.area == area && limit.provider.as_deref().is_none_or(|only| only == provider)
        });
        named.map_or(self.default, |limit| limit.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_fits_counts() {
        let stock = Stock::parse("default=5, 212=0,vapi:212=2").unwrap();
        assert_eq!(stock.count("vapi", "212"), 2);
        assert_eq!(stock.count("twilio", "212"), 0);
        assert_eq!(stock.count("twilio", "415"), 5);
        assert_eq!(stock.count("twilio", "533"), 0);
        for wrong in ["212", "212=x", "212=9001"] {
            assert!(Stock::parse(wrong).unwrap_err().starts_with(wrong), "{wrong}");
        }
    }
}
