//! Sets of callers.

use serde::{Deserialize, Serialize};

use crate::call::Caller;
use crate::country::Country;
use crate::e164::E164;

/// A set of callers: who is in any part of it is in it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Callers {
    /// These numbers, in ascending order.
    pub numbers: Vec<E164>,
    /// Numbers that begin with these digits (without the plus).
    pub prefixes: Vec<u64>,
    /// Numbers of these countries.
    pub countries: Vec<Country>,
    /// Callers who withhold their number.
    pub withheld: bool,
}

impl Callers {
    /// Whether the caller is one of the set.
    #[must_use]
    pub fn contains(&self, caller: Caller) -> bool {
        match caller {
            Caller::Number(number) => {
                self.numbers.binary_search(&number).is_ok()
                    || self.prefixes.iter().any(|prefix| number.starts_with(*prefix))
                    || (!self.countries.is_empty()
                        && Country::of(number).is_some_and(|country| self.countries.contains(&country)))
            }
            Caller::Withheld => self.withheld,
            Caller::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_found_by_number_prefix_country_and_silence() {
        let number = |text: &str| Caller::Number(text.parse().unwrap());
        let callers = Callers {
            numbers: vec!["+12125550001".parse().unwrap()],
            prefixes: vec![44],
            countries: vec!["CA".parse().unwrap()],
            withheld: true,
        };
        assert!(callers.contains(number("+12125550001")));
        assert!(callers.contains(number("+442071838750")));
        assert!(callers.contains(number("+14165550001")));
        assert!(callers.contains(Caller::Withheld));
        assert!(!callers.contains(number("+12125550002")));
        assert!(!callers.contains(number("+4912345678")));
        assert!(!callers.contains(Caller::Other));
        assert!(!Callers::default().contains(Caller::Withheld));
    }
}
