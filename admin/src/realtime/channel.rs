//! What can be listened to.

use std::fmt;
use std::str::FromStr;

use dialplane_common::ids::{PhoneNumberId, TenantId};

/// A channel, written as it is named over REST and in Redis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Channel {
    /// `platform`: every change of what is no tenant's, such as the pool, shared agents and free numbers. For operators.
    Platform,
    /// `business:{tenant_id}`: every change of a tenant.
    Business(TenantId),
    /// `phone:{phone_number_id}:settings`: every setting of a number, its routing, staff and services included.
    Settings(PhoneNumberId),
    /// `phone:{phone_number_id}:voice`: how its agents sound.
    Voice(PhoneNumberId),
    /// `phone:{phone_number_id}:hours`: its opening hours.
    Hours(PhoneNumberId),
}

/// A text that names no channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("wanted platform, business:{{tenant_id}} or phone:{{phone_number_id}}:settings, :voice or :hours")]
pub struct NoChannel;

impl Channel {
    /// The number that it is about; absent: the tenant or the platform.
    #[must_use]
    pub const fn phone_number(self) -> Option<PhoneNumberId> {
        match self {
            Self::Platform | Self::Business(_) => None,
            Self::Settings(id) | Self::Voice(id) | Self::Hours(id) => Some(id),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Business(id) => write!(f, "business:{id}"),
            Self::Settings(id) => write!(f, "phone:{id}:settings"),
            Self::Voice(id) => write!(f, "phone:{id}:voice"),
            Self::Hours(id) => write!(f, "phone:{id}:hours"),
        }
    }
}

impl FromStr for Channel {
    type Err = NoChannel;

    fn from_str(text: &str) -> Result<Self, NoChannel> {
        if text == "platform" {
            return Ok(Self::Platform);
        }
        if let Some(id) = text.strip_prefix("business:") {
            return id.parse().map(Self::Business).map_err(|_| NoChannel);
        }
        let (id, kind) =
            text.strip_prefix("phone:").and_then(|rest| rest.split_once(':')).ok_or(NoChannel)?;
        let id = id.parse().map_err(|_| NoChannel)?;
        match kind {
            "settings" => Ok(Self::Settings(id)),
            "voice" => Ok(Self::Voice(id)),
            "hours" => Ok(Self::Hours(id)),
            _ => Err(NoChannel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_it_is_read() {
        let id = "0190aaaa-0000-7000-8000-000000000001";
        let names = ["platform".to_owned(), format!("business:{id}"), format!("phone:{id}:voice")];
        for text in names.into_iter().chain([format!("phone:{id}:settings")]) {
            assert_eq!(text.parse::<Channel>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "platform:",
            "business:",
            "business:x",
            "phone:x:hours",
            &format!("phone:{id}"),
            &format!("phone:{id}:sms"),
        ] {
            assert_eq!(text.parse::<Channel>(), Err(NoChannel), "{text}");
        }
    }
}
