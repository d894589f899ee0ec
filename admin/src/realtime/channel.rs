//! What can be listened to.

use std::fmt;
use std::str::FromStr;

use dialplane_common::ids::{PhoneNumberId, TenantId};

/// A channel, written as it is named over REST and in Redis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Channel {
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
#[error("wanted business:{{tenant_id}} or phone:{{phone_number_id}}:settings, :voice or :hours")]
pub struct NoChannel;

impl Channel {
    /// The number that it is about; absent: the tenant.
    #[must_use]
    pub const fn phone_number(self) -> Option<PhoneNumberId> {
        match self {
            Self::Business(_) => None,
            Self::Settings(id) | Self::Voice(id) | Self::Hours(id) => Some(id),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
        for text in [format!("business:{id}"), format!("phone:{id}:voice"), format!("phone:{id}:settings")] {
            assert_eq!(text.parse::<Channel>().unwrap().to_string(), text);
        }
        for text in [
            "",
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
