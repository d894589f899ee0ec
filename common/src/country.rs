//! Stub
#![allow(missing_docs)]
use crate::e164::E164;
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Country([u8; 2]);
impl Country {
    pub fn of(n: E164) -> Option<Self> {
        n.starts_with(1416).then_some(Self(*b"CA"))
    }
}
impl std::str::FromStr for Country {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.as_bytes().try_into().map(Self).map_err(|_| "x")
    }
}
