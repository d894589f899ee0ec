//! Who works at a location and what it offers: the documents, and what they compile to.

use std::collections::BTreeSet;

use dialplane_common::location::{Person, Service};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::hours::WeeklyDocument;
use crate::invalid::{self, Invalid};

const STAFF_MAX: usize = 200;
const SERVICES_MAX: usize = 200;
const DESCRIPTION_CHARS_MAX: usize = 500;
const DURATION_MINUTES_MAX: u16 = 24 * 60;

/// Who works there. A list replaces the list behind it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffDocument {
    /// The people.
    pub staff: Vec<PersonDocument>,
}

/// Somebody who works there.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonDocument {
    /// Its id, given when it is first written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The name that callers know.
    pub name: String,
    /// What the person does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// When the person works; absent: whenever it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<WeeklyDocument>,
    /// The names of the services that the person gives; absent: all. Where services are set, here or behind, each is
    /// one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
}

/// What is offered. A list replaces the list behind it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicesDocument {
    /// The services.
    pub services: Vec<ServiceDocument>,
}

/// Something that is offered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceDocument {
    /// Its id, given when it is first written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How long it takes, 1 to 1440 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<u16>,
    /// What it costs, as callers are told: `45 USD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
}

impl StaffDocument {
    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where: `staff[2].weekly.fri[0]`.
    pub fn compile(&self) -> Result<Vec<Person>, Invalid> {
        if self.staff.len() > STAFF_MAX {
            return Err(Invalid::new("staff", format!("wanted at most {STAFF_MAX}")));
        }
        once_each("staff", self.staff.iter().map(|person| person.id))?;
        let mut names = BTreeSet::new();
        let person = |(index, person): (usize, &PersonDocument)| {
            let place = format!("staff[{index}]");
            once(&mut names, &place, &person.name)?;
            if let Some(role) = &person.role {
                invalid::name(&format!("{place}.role"), role)?;
            }
            for (index, service) in person.services.iter().enumerate() {
                invalid::name(&format!("{place}.services[{index}]"), service)?;
            }
            let weekly = person.weekly.as_ref().map(WeeklyDocument::compile).transpose();
            Ok(Person {
                name: person.name.clone(),
                role: person.role.clone(),
                weekly: weekly
                    .map_err(|invalid| Invalid::new(format!("{place}.{}", invalid.field), invalid.wanted))?,
                services: person.services.clone(),
            })
        };
        self.staff.iter().enumerate().map(person).collect()
    }
}

impl StaffDocument {
    /// Refuses a person who gives what isn't offered at the same place.
    ///
    /// Only the writing of staff is checked: a service that is dropped later is left with people who no longer give it.
    ///
    /// # Errors
    /// The place that names it: `staff[2].services[0]`.
    pub fn check_offered(&self, offered: &ServicesDocument) -> Result<(), Invalid> {
        let offered: BTreeSet<_> = offered.services.iter().map(|service| folded(&service.name)).collect();
        for (index, person) in self.staff.iter().enumerate() {
            for (service, name) in person.services.iter().enumerate() {
                if !offered.contains(&folded(name)) {
                    let place = format!("staff[{index}].services[{service}]");
                    return Err(Invalid::new(place, "wanted the name of a service that is offered here"));
                }
            }
        }
        Ok(())
    }
}

impl ServicesDocument {
    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where: `services[2].price`.
    pub fn compile(&self) -> Result<Vec<Service>, Invalid> {
        if self.services.len() > SERVICES_MAX {
            return Err(Invalid::new("services", format!("wanted at most {SERVICES_MAX}")));
        }
        once_each("services", self.services.iter().map(|service| service.id))?;
        let mut names = BTreeSet::new();
        let service = |(index, service): (usize, &ServiceDocument)| {
            let place = format!("services[{index}]");
            once(&mut names, &place, &service.name)?;
            if let Some(description) = &service.description {
                invalid::spoken(&format!("{place}.description"), description, DESCRIPTION_CHARS_MAX)?;
            }
            if let Some(price) = &service.price {
                invalid::name(&format!("{place}.price"), price)?;
            }
            let minutes = service.duration_minutes;
            if minutes.is_some_and(|minutes| !(1..=DURATION_MINUTES_MAX).contains(&minutes)) {
                let wanted = format!("wanted 1 to {DURATION_MINUTES_MAX} minutes");
                return Err(Invalid::new(format!("{place}.duration_minutes"), wanted));
            }
            Ok(Service {
                name: service.name.clone(),
                description: service.description.clone(),
                duration_minutes: minutes,
                price: service.price.clone(),
            })
        };
        self.services.iter().enumerate().map(service).collect()
    }
}

/// Ids stand once.
fn once_each(list: &str, ids: impl Iterator<Item = Option<Uuid>>) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    for (index, id) in ids.enumerate() {
        if id.is_some_and(|id| !seen.insert(id)) {
            return Err(Invalid::new(format!("{list}[{index}].id"), "wanted each id once"));
        }
    }
    Ok(())
}

/// A name that callers can tell from the others.
fn once(names: &mut BTreeSet<String>, place: &str, name: &str) -> Result<(), Invalid> {
    let place = format!("{place}.name");
    invalid::name(&place, name)?;
    if names.insert(folded(name)) { Ok(()) } else { Err(Invalid::new(place, "wanted each name once")) }
}

/// A name without what callers don't hear.
fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_give_what_is_offered() {
        let offered: ServicesDocument =
            serde_json::from_str(r#"{"services":[{"name":"Manicure"}]}"#).unwrap();
        let check = |services: &str, expected: Result<(), &str>| {
            let staff = format!(r#"{{"staff":[{{"name":"Ana"}},{{"name":"Bo","services":{services}}}]}}"#);
            let staff: StaffDocument = serde_json::from_str(&staff).unwrap();
            let checked = staff.check_offered(&offered).map_err(|invalid| invalid.field);
            assert_eq!(checked, expected.map_err(str::to_owned), "{services}");
        };
        check("[]", Ok(()));
        check(r#"["manicure "]"#, Ok(()));
        check(r#"["Manicure","Pedicure"]"#, Err("staff[1].services[1]"));
    }

    #[test]
    fn refusals_name_the_place() {
        let staff =
            |json: &str| serde_json::from_str::<StaffDocument>(json).unwrap().compile().unwrap_err().field;
        for (json, field) in [
            (r#"{"staff":[{"name":""}]}"#, "staff[0].name"),
            (r#"{"staff":[{"name":"Ana"},{"name":"ana "}]}"#, "staff[1].name"),
            (r#"{"staff":[{"name":"Ana","role":""}]}"#, "staff[0].role"),
            (
                r#"{"staff":[{"name":"Ana","id":"019ad000-0000-7000-8000-000000000001"},
                    {"name":"Bo","id":"019ad000-0000-7000-8000-000000000001"}]}"#,
                "staff[1].id",
            ),
            (r#"{"staff":[{"name":"Ana","services":[""]}]}"#, "staff[0].services[0]"),
            (r#"{"staff":[{"name":"Ana","weekly":{"fri":[["9"]]}}]}"#, "staff[0].weekly.fri[0]"),
        ] {
            assert_eq!(staff(json), field, "{json}");
        }
        let services =
            |json: &str| serde_json::from_str::<ServicesDocument>(json).unwrap().compile().unwrap_err().field;
        for (json, field) in [
            (r#"{"services":[{"name":"a"},{"name":"A"}]}"#, "services[1].name"),
            (r#"{"services":[{"name":"a","duration_minutes":0}]}"#, "services[0].duration_minutes"),
            (r#"{"services":[{"name":"a","price":""}]}"#, "services[0].price"),
        ] {
            assert_eq!(services(json), field, "{json}");
        }
    }
}
