//! What a job is asked for.

use dialplane_common::rest::numbers::{NumberType, Wanted};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::business::provisioning::{AgentMode, Strategy};

/// What a job is asked for, with the tenant's preferences and the platform's where it said nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct JobRequest {
    /// Which number is wanted.
    #[serde(default)]
    pub wish: Wish,
    /// Where it may come from: in this order.
    #[serde(default)]
    pub strategies: Vec<Strategy>,
    /// Whose agent answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_mode: Option<AgentMode>,
    /// Only this account is asked; null: those that the strategies name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Uuid>,
    /// The number, where it is known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The location's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The location's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The most that the number may cost a month without anybody being asked, as a decimal; null: what the limits allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_max: Option<String>,
    /// The agent at its provider that is deleted there, as it is gone here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosted: Option<Hosted>,
    /// What the account that is made is to be called; null: as its tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether somebody has agreed to what it costs.
    #[serde(default)]
    pub is_confirmed: bool,
}

/// An agent at its provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Hosted {
    /// The account in which it is.
    pub account_id: Uuid,
    /// The provider's id of it.
    pub id: String,
}

/// Which number is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Wish {
    /// ISO 3166-1 alpha-2.
    #[serde(default)]
    pub country: String,
    /// What it begins with behind the country's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_code: Option<String>,
    /// Whether none is better than one with another area code.
    #[serde(default)]
    pub area_code_required: bool,
    /// What it has somewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// What kind it is.
    #[serde(default)]
    pub number_type: Kind,
    /// Whether it takes text messages, too.
    #[serde(default)]
    pub sms: bool,
}

/// A kind of number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NumberKind)]
pub enum Kind {
    /// Of a place.
    #[default]
    Local,
    /// Free for who calls.
    TollFree,
    /// A mobile one.
    Mobile,
}

impl Wish {
    /// The same as a search.
    #[must_use]
    pub fn search(&self, offers_max: u8) -> Wanted {
        Wanted {
            country: self.country.clone(),
            area_code: self.area_code.clone(),
            contains: self.contains.clone(),
            number_type: match self.number_type {
                Kind::Local => NumberType::Local,
                Kind::TollFree => NumberType::TollFree,
                Kind::Mobile => NumberType::Mobile,
            },
            sms: self.sms,
            offers_max,
        }
    }

    /// The same wherever it is.
    #[must_use]
    pub fn anywhere(&self) -> Self {
        Self { area_code: None, ..self.clone() }
    }
}
