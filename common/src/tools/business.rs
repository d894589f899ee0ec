//! Who and where the business is.

use super::arguments::Arguments;
use super::hours::{opening, until};
use crate::location::Location;

pub fn get_tenant_info(_: &Arguments<'_>, location: &Location<'_>) -> Result<String, String> {
    let (business, place) = (&*location.business.name, location.name());
    let mut text = if business == place { format!("{business}.") } else { format!("{business}, {place}.") };
    if let Some(address) = location.address() {
        text.push_str(&format!(" Address: {address}."));
    }
    if let Some(number) = location.number {
        text.push_str(&format!(" Telephone: {number}."));
    }
    let state = if location.open().open {
        format!(" Open now{}.", until(location, location.now))
    } else {
        format!(" Closed now.{}", opening(location, location.now))
    };
    text.push_str(&state);
    Ok(text)
}
