//! What a tenant says of itself beside what its agents are told: the documents, and what is wanted of them.

pub mod address;
pub mod integrations;
pub mod provisioning;

use address::PostalAddress;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::{self, Invalid};
use crate::{numbering, url};

const EMAIL_BYTES_MAX: usize = 254;
const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// The business behind a tenant, for people and for the forms of carriers. Agents aren't told of it: what they are told
/// stands in the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileDocument {
    /// Its name in law.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_name: Option<String>,
    /// What kind of business it is: `nail salon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_type: Option<String>,
    /// An absolute URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// Whom to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whom to call, in the E.164 form; not one of the numbers that are routed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Its seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<PostalAddress>,
    /// What it does: 1 to 2000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl ProfileDocument {
    /// Refuses what isn't what it says it is.
    ///
    /// # Errors
    /// What is wanted where: `profile.address.country`.
    pub fn check(&self) -> Result<(), Invalid> {
        for (field, text) in
            [("profile.legal_name", &self.legal_name), ("profile.business_type", &self.business_type)]
        {
            text.as_deref().map_or(Ok(()), |text| invalid::name(field, text))?;
        }
        if let Some(website) = &self.website {
            url::absolute("profile.website", website, &["https", "http"])?;
        }
        if let Some(email) = &self.email {
            check_email("profile.email", email)?;
        }
        if let Some(phone) = &self.phone {
            numbering::possible("profile.phone", phone)?;
        }
        if let Some(address) = &self.address {
            address.check("profile.address")?;
        }
        if let Some(description) = &self.description {
            invalid::spoken("profile.description", description, DESCRIPTION_CHARS_MAX)?;
        }
        Ok(())
    }
}

/// The shape alone: whether mail arrives, only mail tells.
fn check_email(field: &str, text: &str) -> Result<(), Invalid> {
    let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
    let is_address = text.rsplit_once('@').is_some_and(|(user, host)| {
        is_plain(user)
            && is_plain(host)
            && host.contains('.')
            && !host.starts_with('.')
            && !host.ends_with('.')
    });
    if is_address && text.len() <= EMAIL_BYTES_MAX {
        Ok(())
    } else {
        Err(Invalid::new(field, "wanted a mail address such as desk@salon.example"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_place() {
        let check = |json: &str, field: &str| {
            let document: ProfileDocument = serde_json::from_str(json).unwrap();
            assert_eq!(document.check().map_err(|invalid| invalid.field).unwrap_err(), field, "{json}");
        };
        check(r#"{"legal_name":""}"#, "profile.legal_name");
        check(r#"{"website":"salon.example"}"#, "profile.website");
        check(r#"{"email":"desk"}"#, "profile.email");
        check(r#"{"email":"desk@salon"}"#, "profile.email");
        check(r#"{"phone":"555"}"#, "profile.phone");
        check(r#"{"address":{"country":"USA"}}"#, "profile.address.country");
        check(r#"{"description":" "}"#, "profile.description");
        let whole = r#"{"legal_name":"Sparkle Nails LLC","business_type":"nail salon",
            "website":"https://sparkle.example","email":"desk@sparkle.example","phone":"+12125550147",
            "address":{"line1":"21 Broadway","city":"New York","country":"US"},"description":"Nails."}"#;
        assert!(serde_json::from_str::<ProfileDocument>(whole).unwrap().check().is_ok());
    }
}
