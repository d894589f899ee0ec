//! Where something is: taken apart, or in one line.

use std::fmt;

use dialplane_common::country::Country;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::{self, Invalid};

const LINE_CHARS_MAX: usize = 300;
const PART_CHARS_MAX: usize = 100;

/// An address taken apart. Each part is one line of 1 to 100 characters.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostalAddress {
    /// Street and house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line1: Option<String>,
    /// Floor, suite, entrance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// The town.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// The state or province, as it is written on mail: `NY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

impl PostalAddress {
    /// Refuses one that nothing could be sent to.
    ///
    /// # Errors
    /// What is wanted where: `address.country`.
    pub fn check(&self, field: &str) -> Result<(), Invalid> {
        let parts = [
            ("line1", &self.line1),
            ("line2", &self.line2),
            ("city", &self.city),
            ("region", &self.region),
            ("postal_code", &self.postal_code),
        ];
        for (name, part) in parts {
            if let Some(part) = part {
                invalid::line(&format!("{field}.{name}"), part, PART_CHARS_MAX)?;
            }
        }
        if let Some(country) = &self.country {
            let place = || format!("{field}.country");
            country.parse::<Country>().map_err(|error| Invalid::new(place(), error.to_string()))?;
        }
        if *self == Self::default() {
            return Err(Invalid::new(field, "wanted one part of the address at least"));
        }
        Ok(())
    }
}

/// In one line, as agents say it: `21 Broadway, Suite 5, New York, NY 10004, US`.
impl fmt::Display for PostalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = [&self.region, &self.postal_code].into_iter().flatten();
        let region = region.map(|part| part.trim()).collect::<Vec<_>>().join(" ");
        let parts = [&self.line1, &self.line2, &self.city].into_iter().flatten().map(|part| part.trim());
        let parts = parts.chain([region.as_str()]).chain(self.country.as_deref());
        f.write_str(&parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "))
    }
}

/// Where a location is, as people gave it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LocationAddress {
    /// One line of 1 to 300 characters.
    Line(String),
    /// Taken apart.
    Parts(PostalAddress),
}

impl LocationAddress {
    /// Refuses what no agent could say.
    ///
    /// # Errors
    /// What is wanted where.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Line(line) => invalid::line("address", line, LINE_CHARS_MAX),
            Self::Parts(parts) => parts.check("address"),
        }
    }

    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Line(line) => line.clone(),
            Self::Parts(parts) => parts.to_string(),
        }
    }

    /// Taken apart, where it was given so.
    #[must_use]
    pub const fn parts(&self) -> Option<&PostalAddress> {
        match self {
            Self::Line(_) => None,
            Self::Parts(parts) => Some(parts),
        }
    }
}

/// By hand, so that a refusal names the part that is wrong.
impl<'de> Deserialize<'de> for LocationAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = LocationAddress;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address: one line, or its parts")
            }

            fn visit_str<E>(self, line: &str) -> Result<Self::Value, E> {
                Ok(LocationAddress::Line(line.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, parts: A) -> Result<Self::Value, A::Error> {
                PostalAddress::deserialize(MapAccessDeserializer::new(parts)).map(LocationAddress::Parts)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_said_in_one_line() {
        let check = |json: &str, expected: &str| {
            let address: LocationAddress = serde_json::from_str(json).unwrap();
            assert!(address.check().is_ok(), "{json}");
            assert_eq!(address.line(), expected);
            assert_eq!(
                serde_json::to_value(&address).unwrap(),
                serde_json::from_str::<serde_json::Value>(json).unwrap()
            );
        };
        check(r#""21 Broadway, New York""#, "21 Broadway, New York");
        check(
            r#"{"line1":"21 Broadway","line2":"Suite 5","city":"New York","region":"NY","postal_code":"10004","country":"US"}"#,
            "21 Broadway, Suite 5, New York, NY 10004, US",
        );
        check(r#"{"city":"Berlin","postal_code":"10115"}"#, "Berlin, 10115");
    }

    #[test]
    fn refusals_name_the_part() {
        let check = |json: &str, field: &str| {
            let address: LocationAddress = serde_json::from_str(json).unwrap();
            assert_eq!(address.check().unwrap_err().field, field, "{json}");
        };
        check(r#""""#, "address");
        check("{}", "address");
        check(r#"{"line1":""}"#, "address.line1");
        check(r#"{"country":"us"}"#, "address.country");
        assert!(serde_json::from_str::<LocationAddress>(r#"{"street":"x"}"#).is_err());
        assert!(serde_json::from_str::<LocationAddress>("7").is_err());
    }
}
