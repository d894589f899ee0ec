//! How often what goes wrong: `429=0.02,twilio.buy:late=0.5`.

use std::fmt;

use super::{Fault, means};

/// How often what goes wrong.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan(Vec<Part>);

#[derive(Clone, PartialEq, Debug)]
struct Part {
    operation: String,
    fault: Fault,
    share: f64,
}

impl Plan {
    /// Reads a plan: parts with commas between them, each a fault and its share of the requests, perhaps after an
    /// operation (or a provider) and a colon. An empty one is no faults.
    ///
    /// # Errors
    /// Which part isn't so, or that an operation's shares come to more than one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let plan = Self(parts.map(part).collect::<Result<_, _>>()?);
        let too_many =
            plan.0.iter().find(|part| plan.of(&part.operation).map(|part| part.share).sum::<f64>() > 1.0);
        match too_many {
            Some(part) => Err(format!("{}: the shares come to more than 1", part.operation)),
            None => Ok(plan),
        }
    }

    /// The fault that befalls a request of this operation, of which `share` was drawn.
    pub fn fault(&self, operation: &str, share: f64) -> Option<Fault> {
        let mut above = share;
        self.of(operation).find_map(|part| {
            above -= part.share;
            (above < 0.0).then_some(part.fault)
        })
    }

    fn of(&self, operation: &str) -> impl Iterator<Item = &Part> {
        self.0.iter().filter(move |part| means(&part.operation, operation))
    }
}

fn part(text: &str) -> Result<Part, String> {
    let wanted = || format!("{text}: wanted FAULT=SHARE or OPERATION:FAULT=SHARE, with a share from 0 to 1");
    let (what, share) = text.split_once('=').ok_or_else(wanted)?;
    let (operation, fault) = what.rsplit_once(':').unwrap_or(("*", what));
    let fault = Fault::named(fault).ok_or_else(wanted)?;
    let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wanted)?;
    Ok(Part { operation: operation.to_owned(), fault, share })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let operation =
                if part.operation == "*" { String::new() } else { format!("{}:", part.operation) };
            write!(f, "{comma}{operation}{}={}", part.fault.name(), part.share)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_and_written_alike() {
        let text = "429=0.02,twilio.buy:timeout-after=0.5,vapi:late=0.1";
        let plan = Plan::parse(text).unwrap();
        assert_eq!(plan.to_string(), text);
        assert_eq!(plan.fault("twilio.buy", 0.01), Some(Fault::TooMany));
        assert_eq!(plan.fault("twilio.buy", 0.3), Some(Fault::TimeoutAfter));
        assert_eq!(plan.fault("twilio.list", 0.3), None);
        assert_eq!(plan.fault("vapi.buy", 0.1), Some(Fault::Late));
        assert_eq!(Plan::parse(" ").unwrap(), Plan::default());
        for wrong in ["429", "429=2", "nothing=0.1", "429=0.6,late=0.6", "x.y:429"] {
            assert!(Plan::parse(wrong).is_err(), "{wrong}");
        }
    }
}
