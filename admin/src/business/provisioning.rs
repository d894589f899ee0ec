//! How a tenant wants its numbers and agents to be provisioned.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::Invalid;
use crate::numbering;

/// How numbers and agents are provisioned for a tenant. What is absent, the platform chooses.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvisioningDocument {
    /// Where a number comes from: in this order, each once; the first that can, does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategies: Option<Vec<Strategy>>,
    /// Which agent answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_mode: Option<AgentMode>,
    /// The country of its numbers: ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What its numbers begin with behind the country's code, where there are such: 2 to 5 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_code: Option<String>,
    /// Whether no number is better than one with another area code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_code_required: Option<bool>,
}

/// Where a number may come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One that the tenant has and doesn't use, then one from the pool.
    Pool,
    /// A free one of the agents' provider.
    Free,
    /// Bought with the tenant's own carrier account.
    TenantAccount,
    /// Bought with the platform's.
    PlatformAccount,
    /// A person sees to it.
    Manual,
}

/// Which agent answers a tenant's calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentMode {
    /// One that tenants share.
    Shared,
    /// One made for the tenant, at the platform's account.
    Dedicated,
    /// One at the tenant's own account.
    Own,
}

impl ProvisioningDocument {
    /// Refuses what nobody could follow.
    ///
    /// # Errors
    /// What is wanted where: `provisioning.strategies[1]`.
    pub fn check(&self) -> Result<(), Invalid> {
        if let Some(strategies) = &self.strategies {
            if strategies.is_empty() {
                return Err(Invalid::new("provisioning.strategies", "wanted one at least"));
            }
            let mut seen = HashSet::new();
            if let Some(again) = strategies.iter().position(|strategy| !seen.insert(*strategy)) {
                let place = format!("provisioning.strategies[{again}]");
                return Err(Invalid::new(place, "wanted each strategy once"));
            }
        }
        if let Some(country) = &self.country {
            numbering::country("provisioning.country", country)?;
        }
        if let Some(code) = &self.area_code
            && !((2..=5).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(Invalid::new("provisioning.area_code", "wanted 2 to 5 digits"));
        }
        if self.area_code_required == Some(true) && self.area_code.is_none() {
            return Err(Invalid::new("provisioning.area_code", "wanted, as it is required"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_place() {
        let read = |json: &str| serde_json::from_str::<ProvisioningDocument>(json).unwrap().check();
        let refused = |json: &str, field: &str| assert_eq!(read(json).unwrap_err().field, field, "{json}");
        let whole = r#"{"strategies":["pool","tenant_account"],"agent_mode":"shared","country":"US","area_code":"212",
            "area_code_required":true}"#;
        assert!(read(whole).is_ok() && read("{}").is_ok());
        refused(r#"{"strategies":[]}"#, "provisioning.strategies");
        refused(r#"{"strategies":["pool","pool"]}"#, "provisioning.strategies[1]");
        refused(r#"{"country":"XX"}"#, "provisioning.country");
        refused(r#"{"area_code":"2x"}"#, "provisioning.area_code");
        refused(r#"{"area_code_required":true}"#, "provisioning.area_code");
    }
}
