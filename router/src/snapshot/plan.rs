//! What numbers set themselves of how their calls are routed, prepared once for all that set the same.

use std::sync::Arc;

use dialplane_common::feed::frame::{Unreadable, encode};
use dialplane_common::feed::record::NumberRecord;
use dialplane_common::route::{Hours, Rule, Step};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::map::Map;
use super::prepared::zone;
use super::slots::SlotIndex;
use crate::key::key_of;

/// What a number may set itself. Most set nothing and have none.
#[derive(Debug)]
pub struct Plan {
    /// What it was prepared from.
    pub own: OwnRouting,
    /// Its time zone.
    pub zone: Option<TimeZone>,
}

/// The fields of a number's record that decide about its calls and that most numbers leave as they are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OwnRouting {
    /// Whether calls are routed.
    pub active: bool,
    /// The IANA time zone.
    pub timezone: Option<String>,
    /// Own rules.
    pub rules: Option<Vec<Rule>>,
    /// Own opening hours.
    pub hours: Option<Hours>,
    /// How many calls it may have at a time.
    pub calls_max: Option<u16>,
    /// The accounts whose webhooks may speak of it, unless it is one, as it is nearly always.
    pub accounts: Option<Vec<u32>>,
    /// What is done with a call that is one too many. Files of earlier versions end before it.
    pub over_limit: Option<Vec<Step>>,
}

impl Default for OwnRouting {
    /// What a number has that sets nothing.
    fn default() -> Self {
        Self {
            active: true,
            timezone: None,
            rules: None,
            hours: None,
            calls_max: None,
            accounts: None,
            over_limit: None,
        }
    }
}

impl OwnRouting {
    /// Takes the fields out of a record.
    pub fn take(record: &mut NumberRecord, accounts: Option<Vec<SlotIndex>>) -> Self {
        Self {
            active: record.active,
            timezone: record.timezone.take(),
            rules: record.rules.take(),
            hours: record.hours.take(),
            calls_max: record.calls_max,
            accounts: accounts.map(|slots| slots.into_iter().map(|slot| slot.0).collect()),
            over_limit: record.over_limit.take(),
        }
    }

    /// # Errors
    /// When nobody knows its time zone.
    pub fn prepare(self) -> Result<Plan, Unreadable> {
        let zone = self.timezone.as_deref().map(zone).transpose()?;
        Ok(Plan { own: self, zone })
    }
}

/// All plans, by a hash of what they were prepared from, each with how many numbers have it.
#[derive(Clone, Debug, Default)]
pub struct Plans(Map<u128, (Arc<Plan>, u32)>);

impl Plans {
    /// The plan for what a number sets; `None` when it sets nothing.
    ///
    /// # Errors
    /// When it can't be prepared.
    pub fn get(&mut self, own: OwnRouting) -> Result<Option<Arc<Plan>>, Unreadable> {
        if own == OwnRouting::default() {
            return Ok(None);
        }
        let key = key(&own);
        let (plan, count) = match self.0.get(&key) {
            Some((plan, count)) if plan.own == own => (Arc::clone(plan), *count),
            // Two that differ never meet here by chance; should they, the second stands alone.
            Some(_) => return own.prepare().map(Arc::new).map(Some),
            None => (Arc::new(own.prepare()?), 0),
        };
        self.0.insert(key, (Arc::clone(&plan), count + 1));
        Ok(Some(plan))
    }

    /// A number doesn't have this plan any more.
    pub fn release(&mut self, plan: &Arc<Plan>) {
        let key = key(&plan.own);
        match self.0.get(&key) {
            Some((known, 1)) if Arc::ptr_eq(known, plan) => self.0.remove(&key),
            Some((known, count)) if Arc::ptr_eq(known, plan) => {
                self.0.insert(key, (Arc::clone(plan), count - 1));
            }
            _ => {}
        }
    }

    /// Plans, each with how many numbers have it. `None` when two are the same.
    pub fn build(plans: impl Iterator<Item = (Arc<Plan>, u32)>) -> Option<Self> {
        Some(Self(Map::build(plans.map(|(plan, count)| (key(&plan.own), (plan, count))).collect())?))
    }

    /// How many different ones there are.
    #[cfg(test)]
    pub const fn len(&self) -> usize {
        self.0.len()
    }
}

fn key(own: &OwnRouting) -> u128 {
    key_of(&encode(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(calls_max: u16) -> OwnRouting {
        OwnRouting { calls_max: Some(calls_max), ..OwnRouting::default() }
    }

    #[test]
    fn numbers_that_set_the_same_share_a_plan_until_none_has_it() {
        let mut plans = Plans::default();
        assert!(plans.get(OwnRouting::default()).unwrap().is_none());
        let [first, second, other] = [3, 3, 4].map(|most| plans.get(own(most)).unwrap().unwrap());
        assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &other));
        plans.release(&first);
        assert_eq!(plans.len(), 2);
        plans.release(&second);
        plans.release(&other);
        assert_eq!(plans.len(), 0);
        plans.release(&other);
    }

    #[test]
    fn a_zone_that_nobody_knows_makes_no_plan() {
        let own = OwnRouting { timezone: Some("Mars/Olympus_Mons".into()), ..OwnRouting::default() };
        let mut plans = Plans::default();
        assert!(plans.get(own).is_err());
        assert_eq!(plans.len(), 0);
    }
}
