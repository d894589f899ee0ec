//! Services, and who gives them.

use super::arguments::{Argument, Arguments, SERVICE, STAFF};
use super::same_name;
use super::speech::{clock, day, list, spans};
use super::when::{When, today, wall_date};
use super::windows::{Window, of_person};
use crate::location::{Location, Person, Service};
use crate::time::UnixSeconds;

/// As much of what was said as is said back.
const SAID_CHARS_MAX: usize = 60;

pub fn get_services(arguments: &Arguments<'_>, location: &Location<'_>) -> Result<String, String> {
    if let Some(service) = wanted_service(arguments, location)? {
        return Ok(format!("{}.", described(service, true)));
    }
    let services = location.services();
    if services.is_empty() {
        return Ok("No services are listed.".to_owned());
    }
    Ok(format!("Services: {}.", joined(services.iter().map(|service| described(service, false)))))
}

/// `Manicure (45 minutes, 30 USD): hands and nails`.
fn described(service: &Service, in_full: bool) -> String {
    let duration = service.duration_minutes.map(|minutes| format!("{minutes} minutes"));
    let facts: Vec<String> = duration.into_iter().chain(service.price.clone()).collect();
    let mut text = service.name.clone();
    if !facts.is_empty() {
        text.push_str(&format!(" ({})", facts.join(", ")));
    }
    if let Some(description) = service.description.as_deref().filter(|_| in_full) {
        text.push_str(&format!(": {}", description.trim_end_matches('.')));
    }
    text
}

pub fn get_staff(arguments: &Arguments<'_>, location: &Location<'_>) -> Result<String, String> {
    let service = wanted_service(arguments, location)?;
    let staff: Vec<&Person> = location.staff().iter().filter(|person| gives(person, service)).collect();
    Ok(match (staff.is_empty(), service) {
        (false, None) => format!("Staff: {}.", joined(staff.into_iter().map(introduced))),
        (false, Some(service)) => {
            format!("For {}: {}.", service.name, list(staff.iter().map(|person| person.name.clone()), "and"))
        }
        (true, None) => "No staff is listed.".to_owned(),
        (true, Some(service)) => format!("Nobody is listed for {}.", service.name),
    })
}

/// `Anna, stylist (Manicure and Pedicure)`.
fn introduced(person: &Person) -> String {
    let mut text = named(person);
    if !person.services.is_empty() {
        text.push_str(&format!(" ({})", list(person.services.iter().cloned(), "and")));
    }
    text
}

fn named(person: &Person) -> String {
    person.role.as_ref().map_or_else(|| person.name.clone(), |role| format!("{}, {role}", person.name))
}

pub fn staff_on_duty(arguments: &Arguments<'_>, location: &Location<'_>) -> Result<String, String> {
    let when = When::read(arguments, location)?;
    if location.staff().is_empty() {
        return Ok("No staff is listed.".to_owned());
    }
    Ok(match when.instant(location) {
        Some(instant) => on_duty_at(location, instant, when.time.is_none()),
        None => on_duty_on(location, when.date.unwrap_or_else(|| today(location))),
    })
}

fn on_duty_at(location: &Location<'_>, instant: UnixSeconds, now: bool) -> String {
    let date = wall_date(location, instant);
    let time = match now {
        true => "now".to_owned(),
        false => format!("{} at {}", day(location, date), clock(location, instant)),
    };
    let at_work = |person: &&Person| {
        of_person(location, person, date).iter().any(|window: &Window| window.holds(instant, 0))
    };
    let staff: Vec<String> = location.staff().iter().filter(at_work).map(named).collect();
    if staff.is_empty() {
        return format!("Nobody is on duty {time}.");
    }
    format!("On duty {time}: {}.", joined(staff))
}

fn on_duty_on(location: &Location<'_>, date: jiff::civil::Date) -> String {
    let staff: Vec<String> = location
        .staff()
        .iter()
        .filter_map(|person| {
            let windows = of_person(location, person, date);
            (!windows.is_empty()).then(|| format!("{} {}", person.name, spans(location, date, &windows)))
        })
        .collect();
    let day = day(location, date);
    let day = day.trim_end_matches(',');
    if staff.is_empty() {
        return format!("Nobody is on duty {day}.");
    }
    format!("On duty {day}: {}.", joined(staff))
}

/// Items that hold commas themselves.
fn joined(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join("; ")
}

/// Whether a person gives a service, if one is wanted.
pub fn gives(person: &Person, service: Option<&Service>) -> bool {
    let Some(service) = service else { return true };
    person.services.is_empty() || person.services.iter().any(|name| same_name(name, &service.name))
}

/// The service that the arguments name.
pub fn wanted_service<'a>(
    arguments: &Arguments<'_>,
    location: &Location<'a>,
) -> Result<Option<&'a Service>, String> {
    wanted(arguments, SERVICE, location.services(), |service| &service.name)
}

/// The person that the arguments name.
pub fn wanted_person<'a>(
    arguments: &Arguments<'_>,
    location: &Location<'a>,
) -> Result<Option<&'a Person>, String> {
    wanted(arguments, STAFF, location.staff(), |person| &person.name)
}

/// The item that an argument names: by its whole name, else by a part of it that only one has.
fn wanted<'a, T>(
    arguments: &Arguments<'_>,
    argument: Argument,
    items: &'a [T],
    name: impl Fn(&T) -> &str,
) -> Result<Option<&'a T>, String> {
    let Some(said) = arguments.text(argument)? else { return Ok(None) };
    if let Some(item) = items.iter().find(|item| same_name(name(item), &said)) {
        return Ok(Some(item));
    }
    let lower = said.to_lowercase();
    let mut alike = items.iter().filter(|item| name(item).to_lowercase().contains(&lower));
    if let (Some(item), None) = (alike.next(), alike.next()) {
        return Ok(Some(item));
    }
    if items.is_empty() {
        return Err(format!("No {} is listed here.", argument.spoken));
    }
    let said: String = said.chars().take(SAID_CHARS_MAX).collect();
    let names = list(items.iter().map(|item| name(item).to_owned()), "or");
    Err(format!("Which {} do you mean by {said}? Please say {names}.", argument.spoken))
}
