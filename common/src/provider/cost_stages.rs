//! What of a call's cost is for what, in the provider's own names: no more of them than an event has room for.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json_text::optional;

const STAGES_MAX: usize = 16;

/// A stage with a longer name is left out.
const NAME_BYTES_MAX: usize = 64;

/// A stage of this name that costs this; `None` where one of them isn't said.
pub fn stage<'a>(
    name: Option<&'a RawValue>,
    amount: Option<Cow<'a, str>>,
) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    let name = optional(name).filter(|name| name.len() <= NAME_BYTES_MAX)?;
    Some((name, amount?))
}

/// The first parts of a list; the others are passed over unbuilt.
pub fn parts<'a, T: Deserialize<'a>>(list: Option<&'a RawValue>) -> Vec<T> {
    let few = list.and_then(|raw| serde_json::from_str::<FirstFew<T>>(raw.get()).ok());
    few.map(|FirstFew(parts)| parts).unwrap_or_default()
}

struct FirstFew<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for FirstFew<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = FirstFew<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while parts.len() < STAGES_MAX {
                    let Some(part) = list.next_element()? else { return Ok(FirstFew(parts)) };
                    parts.push(part);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FirstFew(parts))
            }
        }
        deserializer.deserialize_seq(Parts(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn only_the_first_parts_are_read() {
        let list = raw(&format!("[{}\"x\"]", "1,".repeat(1_000)));
        assert_eq!(parts::<u8>(Some(&list)), [1; STAGES_MAX]);
        assert_eq!(parts::<u8>(Some(&raw("[1,2]"))), [1, 2]);
        for json in ["{}", "7", "[\"x\"]", "null"] {
            assert!(parts::<u8>(Some(&raw(json))).is_empty(), "{json}");
        }
        assert!(parts::<u8>(None).is_empty());
    }

    #[test]
    fn a_stage_has_a_name_of_moderate_length_and_an_amount() {
        let check = |name: &str, amount: Option<&'static str>, is_one: bool| {
            assert_eq!(stage(Some(&raw(name)), amount.map(Cow::Borrowed)).is_some(), is_one, "{name}");
        };
        check("\"tts\"", Some("1"), true);
        check("\"tts\"", None, false);
        check("\"\"", Some("1"), false);
        check("7", Some("1"), false);
        check(&format!("\"{}\"", "x".repeat(64)), Some("1"), true);
        check(&format!("\"{}\"", "x".repeat(65)), Some("1"), false);
    }
}
