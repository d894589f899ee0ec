//! Numbers of any amount, a share of them with settings of their own, as records in the order in which a checkpoint
//! holds them: so that what a number costs can be told apart from what its tenant costs.

use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::{NumberRecord, Record};
use dialplane_common::location::{Conversation, Place, Profile, Voice};
use dialplane_common::route::{Condition, Hours, Interval, Prompt, Rule, Step};
use dialplane_router::snapshot::Snapshot;

use crate::calls::{ACCOUNT_SID, AUTH_TOKEN};
use crate::snapshot_file::Builder;
use crate::workload::{ACCOUNT, Location, NUMBERS_PER_TENANT, account_record, location, number};

/// How many different weeks and lists of rules there are among numbers that have their own: businesses keep usual
/// hours, and write rules from the same few forms.
const PLANS: u64 = 100;

/// So many numbers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Population {
    /// How many.
    pub numbers: u64,
    /// How many each tenant has; each tenant has one agent.
    pub numbers_per_tenant: u64,
    /// The share of them, 0 to 1, that set their place, hours and rules themselves.
    pub own_settings: f64,
}

impl Population {
    /// So many, ten a tenant, none with settings of its own: [`location`] at each place.
    #[must_use]
    pub const fn of(numbers: u64) -> Self {
        Self { numbers, numbers_per_tenant: NUMBERS_PER_TENANT, own_settings: 0.0 }
    }

    /// The number at a place with its tenant and agent.
    ///
    /// # Errors
    /// Beyond E.164.
    pub fn location(&self, index: u64) -> Result<Location, String> {
        let tenant = index / self.numbers_per_tenant * NUMBERS_PER_TENANT;
        let beyond = || "more numbers than E.164 has".to_owned();
        let location = location(tenant).ok_or_else(beyond)?;
        Ok(Location { number: number(index).ok_or_else(beyond)?, ..location })
    }

    /// The record of the number at a place.
    ///
    /// # Errors
    /// Beyond E.164.
    pub fn number_record(&self, index: u64) -> Result<Record, String> {
        let record = self.location(index)?.number_record(ACCOUNT);
        Ok(match record {
            Record::Number(number, record) if self.has_own_settings(index) => {
                Record::Number(number, with_own_settings(record, index))
            }
            record => record,
        })
    }

    /// The tenants that the numbers have, and their agents.
    pub fn owners(&self) -> impl Iterator<Item = Result<Record, String>> {
        let locations =
            || (0..self.numbers).step_by(self.numbers_per_tenant as usize).map(|i| self.location(i));
        let tenants = locations().map(|location| Ok(location?.tenant_record()));
        tenants.chain(locations().map(|location| Ok(location?.agent_record())))
    }

    /// The numbers.
    pub fn number_records(&self) -> impl Iterator<Item = Result<Record, String>> {
        (0..self.numbers).map(|index| self.number_record(index))
    }

    /// How many bytes the strings have that numbers set themselves.
    #[must_use]
    pub fn own_string_bytes(&self) -> u64 {
        let own = (0..self.numbers).filter(|index| self.has_own_settings(*index));
        own.map(|index| strings(index).iter().map(String::len).sum::<usize>() as u64).sum()
    }

    /// A snapshot of the account, the tenants and agents and, `with_numbers`, the numbers.
    ///
    /// # Errors
    /// When a record can't be read back: a mistake of the workload.
    pub fn snapshot(&self, keys: &Keyring, with_numbers: bool) -> Result<Snapshot, String> {
        let mut builder = Builder::new(keys);
        let account = account_record(ACCOUNT, ACCOUNT_SID, AUTH_TOKEN, keys);
        let numbers = self.number_records().take(if with_numbers { usize::MAX } else { 0 });
        for record in std::iter::once(Ok(account)).chain(self.owners()).chain(numbers) {
            builder.add(&record?)?;
        }
        builder.finish()
    }

    fn has_own_settings(&self, index: u64) -> bool {
        // Spread evenly, and the same for every run.
        let place = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        (place as f64) < self.own_settings * (1_u64 << 24) as f64
    }
}

/// What a number says of itself: name, address, first sentence.
fn strings(index: u64) -> [String; 3] {
    [
        format!("Branch {index}"),
        format!("{index} Market Street, San Francisco, CA 94105"),
        format!("Thank you for calling branch {index}, how may I help you today?"),
    ]
}

fn with_own_settings(record: NumberRecord, index: u64) -> NumberRecord {
    let [display_name, address, greeting] = strings(index);
    let voice = Voice { greeting: Some(greeting), ..Voice::default() };
    let place = Place {
        display_name,
        address: Some(address),
        profile: Profile { voice, conversation: Conversation::default() },
        ..Place::default()
    };
    let plan = index % PLANS;
    let day = || Interval::new(7 * 60 + plan as u16, 18 * 60).into_iter().collect();
    let hours = Hours { weekly: Some(std::array::from_fn(|_| day())), ..Hours::default() };
    let text = format!("We are closed now. Please leave a message for team {plan}.");
    let closed = Step::Voicemail { prompt: Prompt::Say { text, language: None }, length_max_s: 120 };
    let rules = vec![
        Rule { when: Condition { open: Some(false), ..Condition::default() }, then: vec![closed] },
        Rule { when: Condition::default(), then: vec![Step::Agent { agent: None }] },
    ];
    NumberRecord { place, hours: Some(hours), rules: Some(rules), ..record }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_share_has_settings_of_its_own() {
        let population = Population { own_settings: 0.3, ..Population::of(10_000) };
        let own = population
            .number_records()
            .filter(|record| matches!(record, Ok(Record::Number(_, record)) if record.rules.is_some()));
        assert!((2_900..3_100).contains(&own.count()));
        assert_eq!(Population::of(10_000).own_string_bytes(), 0);
        assert!(population.own_string_bytes() > 3_000 * 100);
    }

    #[test]
    fn a_tenant_has_as_many_numbers_as_asked_for() {
        let population = Population { numbers_per_tenant: 100, ..Population::of(1_000) };
        assert_eq!(population.owners().count(), 20);
        let tenant = |index| population.location(index).unwrap().tenant_id();
        assert_eq!((tenant(0), tenant(100)), (tenant(99), tenant(199)));
        assert_ne!(tenant(99), tenant(100));
        assert_eq!(Population::of(50).location(37).ok(), location(37));
    }
}
