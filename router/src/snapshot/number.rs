//! One number, or block of numbers, as a call sees it.

use dialplane_common::feed::frame::{Unreadable, encode};
use dialplane_common::feed::record::{AgentRecord, AgentTarget, Binding, NumberRecord};
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use dialplane_common::location::{Place, Sms, StoredPlace};
use dialplane_common::route::{Hours, Rule, Step};
use jiff::tz::TimeZone;

use super::Snapshot;
use super::numbers::{Entry, Own};
use super::plan::{OwnRouting, Plan};
use super::prefetch::prefetch;
use super::prepared::Tenant;
use super::slots::{Slot, SlotIndex};

/// A number of a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Number<'s> {
    snapshot: &'s Snapshot,
    entry: &'s Entry,
    plan: Option<&'s Plan>,
    text: &'s [u8],
}

impl<'s> Number<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, (entry, own): (&'s Entry, Own<'s>)) -> Self {
        Self { snapshot, entry, plan: own.plan.map(|plan| &**plan), text: own.place }
    }

    /// Asks for the memory that says whose number it is and who answers.
    pub fn prefetch_slots(self) {
        self.snapshot.tenants.prefetch(self.entry.tenant());
        self.entry.agent().into_iter().for_each(|agent| self.snapshot.agents.prefetch(agent));
    }

    /// Asks for the memory of tenant and agent themselves.
    pub fn prefetch_records(self) {
        self.snapshot.tenants.prefetch_record(self.entry.tenant());
        self.entry.agent().into_iter().for_each(|agent| self.snapshot.agents.prefetch_record(agent));
    }

    /// Asks for how its agent is reached.
    pub fn prefetch_target(self) {
        if let Some(AgentTarget::Stream { url }) = self.default_agent().map(|agent| &agent.target) {
            let url = url.as_bytes();
            [url.first(), url.last()].into_iter().flatten().for_each(prefetch);
        }
    }

    fn default_agent(self) -> Option<&'s AgentRecord> {
        self.snapshot.agents.at(self.entry.agent()?)
    }

    /// Its id.
    #[must_use]
    pub const fn id(self) -> PhoneNumberId {
        self.entry.id()
    }

    fn tenant_slot(self) -> Option<&'s Slot<TenantId, Tenant>> {
        self.snapshot.tenants.slot(self.entry.tenant())
    }

    /// Whose number it is.
    #[must_use]
    pub fn tenant_id(self) -> TenantId {
        // An entry's slots are given out before it is made.
        self.tenant_slot().map_or(TenantId(uuid::Uuid::nil()), |slot| slot.key)
    }

    /// Whose number it is, with what is known of them.
    #[must_use]
    pub fn tenant(self) -> Option<(TenantId, &'s Tenant)> {
        let slot = self.tenant_slot()?;
        Some((slot.key, slot.value.as_deref()?))
    }

    /// Whoever answers where a rule names nobody.
    #[must_use]
    pub fn agent_id(self) -> Option<AgentId> {
        Some(self.snapshot.agents.slot(self.entry.agent()?)?.key)
    }

    /// The same, when it is there and its tenant's calls may go to it.
    #[must_use]
    pub fn agent(self) -> Option<&'s AgentRecord> {
        self.default_agent().filter(|agent| agent.serves(self.tenant_id()))
    }

    /// Whether its calls are routed.
    #[must_use]
    pub fn active(self) -> bool {
        self.plan.is_none_or(|plan| plan.own.active)
    }

    /// The location's own time zone; absent: its tenant's.
    #[must_use]
    pub fn zone(self) -> Option<&'s TimeZone> {
        self.plan?.zone.as_ref()
    }

    /// The IANA name of [`Number::zone`].
    #[must_use]
    pub fn timezone(self) -> Option<&'s str> {
        self.plan?.own.timezone.as_deref()
    }

    /// Its own rules; absent: its tenant's.
    #[must_use]
    pub fn rules(self) -> Option<&'s [Rule]> {
        self.plan?.own.rules.as_deref()
    }

    /// Its own opening hours.
    #[must_use]
    pub fn hours(self) -> Option<&'s Hours> {
        self.plan?.own.hours.as_ref()
    }

    /// What is done with a call that is one too many, as it says itself.
    #[must_use]
    pub fn over_limit(self) -> Option<&'s [Step]> {
        self.plan?.own.over_limit.as_deref()
    }

    /// How many calls it may have at a time.
    #[must_use]
    pub fn calls_max(self) -> Option<u16> {
        self.plan?.own.calls_max
    }

    /// What agents say of the location; absent when nothing is set.
    #[must_use]
    pub fn place(self) -> Option<StoredPlace<'s>> {
        (!self.text.is_empty()).then(|| StoredPlace::new(OwnText::read(self.text).place))
    }

    /// How text messages to it are answered; absent when nothing is set.
    #[must_use]
    pub fn sms(self) -> Option<Sms> {
        (!self.text.is_empty()).then(|| OwnText::read(self.text).sms())
    }

    /// The accounts whose webhooks may speak of it.
    pub fn accounts(self) -> impl Iterator<Item = AccountId> + use<'s> {
        let several = self.plan.and_then(|plan| plan.own.accounts.as_deref()).unwrap_or_default();
        let slots = self.entry.account().into_iter().chain(several.iter().copied().map(SlotIndex));
        slots.filter_map(move |slot| Some(self.snapshot.accounts.slot(slot)?.key))
    }

    /// Whether webhooks of this account may speak of it.
    #[must_use]
    pub fn is_bound_to(self, account: AccountId) -> bool {
        self.accounts().any(|bound| bound == account)
    }

    /// The providers' names of it, with the accounts that use them.
    pub(super) fn number_ids(self) -> impl Iterator<Item = (AccountId, String)> {
        let ids = OwnText::read(self.text).number_ids;
        self.accounts().zip(ids).filter_map(|(account, id)| Some((account, id?)))
    }

    /// The record that it was prepared from.
    pub(super) fn record(self) -> NumberRecord {
        let mut ids = OwnText::read(self.text).number_ids.into_iter();
        let binding = |account| Binding { account, number_id: ids.next().flatten() };
        NumberRecord {
            id: self.id(),
            tenant_id: self.tenant_id(),
            active: self.active(),
            place: self.place().map(|place| place.get().clone()).unwrap_or_default(),
            timezone: self.timezone().map(str::to_owned),
            agent_id: self.agent_id(),
            bindings: self.accounts().map(binding).collect(),
            hours: self.hours().cloned(),
            rules: self.rules().map(<[Rule]>::to_vec),
            calls_max: self.calls_max(),
            sms: self.sms().unwrap_or_default(),
            over_limit: self.over_limit().map(<[Step]>::to_vec),
        }
    }
}

/// What a number sets itself and few calls ask for: the providers' names of it, in the order of its accounts, its place,
/// and behind it how text messages are answered, all encoded. Empty when it has none of them.
struct OwnText<'a> {
    number_ids: Vec<Option<String>>,
    place: &'a [u8],
}

impl<'a> OwnText<'a> {
    fn read(text: &'a [u8]) -> Self {
        let (number_ids, place) = match text {
            // No names, nearly always.
            [0, place @ ..] => (Vec::new(), place),
            _ => postcard::take_from_bytes(text).unwrap_or_default(),
        };
        Self { number_ids, place }
    }

    /// What stands behind the place, if anything does.
    fn sms(&self) -> Sms {
        let behind = postcard::take_from_bytes::<Place>(self.place).map(|(_, behind)| behind);
        behind.and_then(postcard::from_bytes).unwrap_or_default()
    }

    fn write(bindings: &[Binding], place: &Place, sms: &Sms) -> Vec<u8> {
        let named = bindings.iter().any(|binding| binding.number_id.is_some());
        let number_ids: Vec<Option<&str>> =
            bindings.iter().filter(|_| named).map(|binding| binding.number_id.as_deref()).collect();
        match sms.is_empty() {
            true if !named && place.is_empty() => Vec::new(),
            true => encode(&(number_ids, place)),
            false => encode(&(number_ids, place, sms)),
        }
    }
}

/// Whether the text of a number holds providers' names.
pub(super) fn has_number_ids(text: &[u8]) -> bool {
    text.first().is_some_and(|count| *count != 0)
}

/// A record taken apart into what a snapshot keeps of it.
#[derive(Debug)]
pub(super) struct Parts {
    pub id: PhoneNumberId,
    pub tenant: TenantId,
    pub agent: Option<AgentId>,
    pub accounts: Vec<AccountId>,
    pub routing: OwnRouting,
    pub text: Vec<u8>,
}

impl Parts {
    /// Takes a record apart. The routing lacks the accounts when there isn't just one: they have no slots yet.
    pub fn of(mut record: NumberRecord) -> Self {
        let text = OwnText::write(&record.bindings, &record.place, &record.sms);
        Self {
            id: record.id,
            tenant: record.tenant_id,
            agent: record.agent_id,
            accounts: record.bindings.iter().map(|binding| binding.account).collect(),
            routing: OwnRouting::take(&mut record, None),
            text,
        }
    }

    /// # Errors
    /// When a snapshot has no slots left.
    pub fn slots(&mut self, snapshot: &mut Snapshot) -> Result<NumberSlots, Unreadable> {
        let accounts: Option<Vec<SlotIndex>> =
            self.accounts.iter().map(|account| snapshot.accounts.assign(*account)).collect();
        let accounts = accounts.ok_or(Unreadable::Malformed)?;
        let account = match *accounts {
            [one] => Some(one),
            _ => {
                self.routing.accounts = Some(accounts.iter().map(|slot| slot.0).collect());
                None
            }
        };
        let agent = self.agent.map(|agent| snapshot.agents.assign(agent).ok_or(Unreadable::Malformed));
        let tenant = snapshot.tenants.assign(self.tenant).ok_or(Unreadable::Malformed)?;
        Ok(NumberSlots { tenant, agent: agent.transpose()?, account })
    }
}

/// Where the records are that a number refers to.
pub(super) struct NumberSlots {
    pub tenant: SlotIndex,
    pub agent: Option<SlotIndex>,
    pub account: Option<SlotIndex>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialplane_common::e164::E164;
    use dialplane_common::feed::record::Record;
    use dialplane_common::feed::{Epoch, RecordHash};
    use dialplane_common::route::Condition;
    use uuid::Uuid;

    #[test]
    fn a_numbers_record_comes_back_as_it_was() {
        let id = Uuid::from_u128;
        let called: E164 = "+12125550001".parse().unwrap();
        let binding = |number, number_id: Option<&str>| Binding {
            account: AccountId(id(number)),
            number_id: number_id.map(str::to_owned),
        };
        let rules = vec![Rule { when: Condition::default(), then: vec![Step::Reject { busy: true }] }];
        let plain = NumberRecord {
            agent_id: Some(AgentId(id(3))),
            bindings: vec![binding(4, None)],
            ..NumberRecord::new(PhoneNumberId(id(1)), TenantId(id(2)))
        };
        let full = NumberRecord {
            active: false,
            timezone: Some("Europe/Berlin".into()),
            place: Place { display_name: "Mitte".into(), ..Place::default() },
            hours: Some(Hours::default()),
            rules: Some(rules),
            calls_max: Some(3),
            sms: Sms { forward_to: Some(called), ..Sms::default() },
            over_limit: Some(vec![Step::Reject { busy: false }]),
            bindings: vec![binding(4, None), binding(5, Some("5a5a"))],
            ..plain.clone()
        };
        let records = [
            plain.clone(),
            NumberRecord { bindings: vec![binding(4, Some("PN1"))], ..plain.clone() },
            NumberRecord { bindings: vec![], agent_id: None, ..plain.clone() },
            NumberRecord { place: full.place.clone(), ..plain.clone() },
            NumberRecord { sms: full.sms.clone(), ..plain.clone() },
            full,
            plain,
        ];
        let mut snapshot = Snapshot::empty(Epoch(id(9)));
        let keys = dialplane_common::feed::keyring::Keyring::feed("a-feed-key-of-some-length").unwrap();
        for record in records {
            let set = Record::Number(called, record.clone());
            snapshot.put_record(&set, &keys);
            let number = snapshot.number(called).unwrap();
            assert_eq!(number.record(), record);
            let named = |account, name: &str| snapshot.number_named(AccountId(id(account)), name);
            let names = |name: Option<&str>| record.bindings.iter().any(|b| b.number_id.as_deref() == name);
            assert_eq!(named(4, "PN1").is_some(), names(Some("PN1")));
            assert_eq!(named(5, "5a5a").is_some(), names(Some("5a5a")));
        }
        let entry = snapshot.numbers.get(called.to_u64()).unwrap();
        assert_ne!(entry.0.hash(), RecordHash(0));
        assert!(entry.1.plan.is_none() && entry.1.place.is_empty(), "nothing set costs nothing");
        assert_eq!(snapshot.plans.len(), 0, "and what was set before is gone");
    }
}
