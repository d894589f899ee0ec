//! When a customer could come: while it is open, and while somebody works who gives the service. What others have booked
//! isn't known here.

use jiff::ToSpan;
use jiff::civil::Date;

use super::arguments::Arguments;
use super::people::{gives, wanted_person, wanted_service};
use super::speech::{clock, day, day_at_end, list, spans};
use super::when::When;
use super::windows::{Window, of_location, of_person};
use crate::location::{Location, Person, Service};
use crate::time::UnixSeconds;

/// How many days ahead another day is looked for.
const OTHER_DAYS: i64 = 14;

/// What is wanted, and of whom.
struct Wanted<'a> {
    location: &'a Location<'a>,
    service: Option<&'a Service>,
    person: Option<&'a Person>,
}

/// Somebody who has time; nobody where no staff is listed and the place itself is.
struct Free<'a> {
    person: Option<&'a Person>,
    windows: Vec<Window>,
}

pub fn check(arguments: &Arguments<'_>, location: &Location<'_>) -> Result<String, String> {
    let when = When::read(arguments, location)?;
    let date = when.wanted_date(location)?;
    let service = wanted_service(arguments, location)?;
    let wanted = Wanted { location, service, person: wanted_person(arguments, location)? };
    if let (Some(person), Some(service)) = (wanted.person, service)
        && !gives(person, Some(service))
    {
        return Ok(format!("{} does not give {}.", person.name, service.name));
    }
    match when.instant(location).filter(|_| when.time.is_some()) {
        Some(instant) if instant < location.now => {
            Err("That time is over. Which later time do you mean?".to_owned())
        }
        Some(instant) => Ok(wanted.at(date, instant)),
        None => Ok(wanted.on(date)),
    }
}

impl<'a> Wanted<'a> {
    fn on(&self, date: Date) -> String {
        let free = self.free(date);
        if free.is_empty() {
            let day = day_at_end(self.location, date);
            return format!("Nothing is available {day}{}.{}", self.purpose(), self.other_day(date));
        }
        format!("Available {}{}.", self.times(date, &free), self.purpose())
    }

    fn at(&self, date: Date, instant: UnixSeconds) -> String {
        let free = self.free(date);
        let time = format!("{} at {}", day(self.location, date), clock(self.location, instant));
        let duration_s = self.duration_s();
        let has_time = |free: &&Free<'a>| free.windows.iter().any(|window| window.holds(instant, duration_s));
        let mut with = free.iter().filter(has_time).peekable();
        if with.peek().is_some() {
            let names = list(with.filter_map(|free| Some(free.person?.name.clone())), "or");
            let names = if names.is_empty() { names } else { format!(" with {names}") };
            return format!("Available {time}{names}{}.", self.purpose());
        }
        let instead = match free.is_empty() {
            true => self.other_day(date),
            false => format!(" Available {}.", self.times(date, &free)),
        };
        format!("Not available {time}{}.{instead}", self.purpose())
    }

    /// Who has time on a date, from now on.
    fn free(&self, date: Date) -> Vec<Free<'a>> {
        let long_enough = |windows: Vec<Window>| -> Vec<Window> {
            let left = windows.into_iter().filter_map(|window| window.after(self.location.now));
            left.filter(|window| window.fits(self.duration_s())).collect()
        };
        let staff = self.location.staff();
        let mut free: Vec<Free<'a>> = staff
            .iter()
            .filter(|person| self.person.is_none_or(|wanted| std::ptr::eq(wanted, *person)))
            .filter(|person| gives(person, self.service))
            .map(|person| Free {
                person: Some(person),
                windows: long_enough(of_person(self.location, person, date)),
            })
            .collect();
        if staff.is_empty() {
            free.push(Free { person: None, windows: long_enough(of_location(self.location, date)) });
        }
        free.retain(|free| !free.windows.is_empty());
        free
    }

    /// `today, Monday 23 November 2026, from 09:00 to 17:00`, and with whom.
    fn times(&self, date: Date, free: &[Free<'_>]) -> String {
        let times = free.iter().map(|free| {
            let spans = spans(self.location, date, &free.windows);
            free.person.map_or(spans.clone(), |person| format!("{spans} with {}", person.name))
        });
        format!("{} {}", day(self.location, date), times.collect::<Vec<_>>().join("; "))
    }

    /// The next day with time, as a sentence of its own.
    fn other_day(&self, date: Date) -> String {
        let others = (1..=OTHER_DAYS).filter_map(|ahead| date.checked_add(ahead.days()).ok());
        let mut free = others.map(|date| (date, self.free(date))).filter(|(_, free)| !free.is_empty());
        let next = free.next();
        next.map(|(date, free)| format!(" Available {}.", self.times(date, &free))).unwrap_or_default()
    }

    /// ` for Manicure, 45 minutes`.
    fn purpose(&self) -> String {
        let Some(service) = self.service else { return String::new() };
        let duration = service.duration_minutes.map(|minutes| format!(", {minutes} minutes"));
        format!(" for {}{}", service.name, duration.unwrap_or_default())
    }

    fn duration_s(&self) -> i64 {
        self.service.and_then(|service| service.duration_minutes).map_or(0, |minutes| i64::from(minutes) * 60)
    }
}
