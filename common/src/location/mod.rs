//! A location: what a voice agent is told of the place that is called.
//!
//! What is set nearer replaces what is set further away, field by field: the number's own, the agent's, the tenant's,
//! the platform's.

mod effective;
mod people;
mod profile;
mod sms;
mod stored_place;
mod variables;

pub use effective::{EffectiveConversation, EffectiveVoice};
use jiff::tz::TimeZone;
pub use people::{Person, Service};
pub use profile::{Conversation, Intent, Percent, Profile, SparseProfile, Voice};
use serde::{Deserialize, Serialize};
pub use sms::{MessageAnswer, Sms};
pub use stored_place::StoredPlace;
pub use variables::{NAMES as VARIABLE_NAMES, Variables};

use crate::e164::E164;
use crate::ids::{IntentId, PhoneNumberId, TenantId};
use crate::route::{Dialable, Hours, OpenState, next_opening, open_at};
use crate::time::UnixSeconds;

/// The days of the week in English, Monday first.
pub(crate) const DAY_NAMES: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A business, as its agents speak of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Business {
    /// Its name.
    pub name: String,
    /// How its agents speak where neither number nor agent says.
    pub profile: SparseProfile,
    /// What callers may want.
    pub intents: Vec<Intent>,
    /// Who works there, at locations that name nobody.
    pub staff: Vec<Person>,
    /// What it offers, at locations that name nothing.
    pub services: Vec<Service>,
}

/// One of a business's places.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// Its name.
    pub display_name: String,
    /// Where it is, in one line.
    pub address: Option<String>,
    /// How agents speak there.
    pub profile: Profile,
    /// Who works there; absent: the business's list.
    pub staff: Option<Vec<Person>>,
    /// What it offers; absent: the business's list.
    pub services: Option<Vec<Service>>,
}

impl Place {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A location as it stands when a call comes.
#[derive(Clone, Copy, Debug)]
pub struct Location<'a> {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its id; absent when nobody has the called number and the tenant takes such calls.
    pub phone_number_id: Option<PhoneNumberId>,
    /// The called number, when it is one.
    pub number: Option<E164>,
    /// The business.
    pub business: &'a Business,
    /// The place; absent when nothing is set for it.
    pub place: Option<&'a StoredPlace<'a>>,
    /// How the agent speaks that answers, where one does.
    pub agent: Option<&'a Profile>,
    /// Which of the business's intents that agent knows; empty: all.
    pub agent_intents: &'a [IntentId],
    /// The ids of the business's intents, in their order.
    pub intent_ids: &'a [IntentId],
    /// How agents of all tenants speak where nobody says.
    pub platform: Option<&'a Profile>,
    /// The number's hours, its tenant's, the platform's.
    pub hours: [Option<&'a Hours>; 3],
    /// Its time zone.
    pub zone: &'a TimeZone,
    /// When the call comes.
    pub now: UnixSeconds,
}

impl<'a> Location<'a> {
    /// What applies of the voice.
    #[must_use]
    pub fn voice(&self) -> EffectiveVoice<'a> {
        EffectiveVoice::of(self.profiles())
    }

    /// What applies of the conversation's rules.
    #[must_use]
    pub fn conversation(&self) -> EffectiveConversation<'a> {
        EffectiveConversation::of(self.profiles())
    }

    /// Where running calls are handed over to.
    #[must_use]
    pub fn transfer_to(&self) -> Option<&'a Dialable> {
        self.profiles().find_map(|profile| profile.conversation.transfer_to.as_ref())
    }

    /// The profiles that apply, the nearest first.
    fn profiles(&self) -> impl Iterator<Item = &'a Profile> + use<'a> {
        let nearer = [self.place().map(|place| &place.profile), self.agent];
        let further = [Some(&*self.business.profile), self.platform];
        nearer.into_iter().chain(further).flatten()
    }

    fn place(&self) -> Option<&'a Place> {
        self.place.map(StoredPlace::get)
    }

    /// Who works there.
    #[must_use]
    pub fn staff(&self) -> &'a [Person] {
        self.place().and_then(|place| place.staff.as_deref()).unwrap_or(&self.business.staff)
    }

    /// What it offers.
    #[must_use]
    pub fn services(&self) -> &'a [Service] {
        self.place().and_then(|place| place.services.as_deref()).unwrap_or(&self.business.services)
    }

    /// What callers may want of the agent that answers.
    pub fn intents(&self) -> impl Iterator<Item = &'a Intent> + use<'a> {
        let (known, ids) = (self.agent_intents, self.intent_ids);
        let is_known =
            move |index: usize| known.is_empty() || ids.get(index).is_some_and(|id| known.contains(id));
        self.business.intents.iter().enumerate().filter_map(move |(index, it)| is_known(index).then_some(it))
    }

    /// The place's name; the business's where it has none.
    #[must_use]
    pub fn name(&self) -> &'a str {
        let own = self.place().map(|place| place.display_name.as_str()).filter(|name| !name.is_empty());
        own.unwrap_or(&self.business.name)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> Option<&'a str> {
        self.place().and_then(|place| place.address.as_deref())
    }

    /// Whether it is open now.
    #[must_use]
    pub fn open(&self) -> OpenState {
        open_at(&self.hours, self.zone, self.now)
    }

    /// When it opens next; now, when it is open.
    #[must_use]
    pub fn next_opening(&self) -> Option<UnixSeconds> {
        next_opening(&self.hours, self.zone, self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_agent_knows_the_intents_that_it_names_or_all() {
        let ids = [1, 2, 3].map(|id| IntentId(Uuid::from_u128(id)));
        let intent = |name: &str| Intent { name: name.into(), phrases: vec![], responses: [].into() };
        let business = Business { intents: ["a", "b", "c"].map(intent).into(), ..Business::default() };
        let check = |known: &[IntentId], expected: &[&str]| {
            let location = Location {
                tenant_id: TenantId(Uuid::nil()),
                phone_number_id: None,
                number: None,
                business: &business,
                place: None,
                agent: None,
                agent_intents: known,
                intent_ids: &ids,
                platform: None,
                hours: [None; 3],
                zone: &TimeZone::UTC,
                now: UnixSeconds(0),
            };
            assert_eq!(location.intents().map(|intent| &*intent.name).collect::<Vec<_>>(), expected);
        };
        check(&[], &["a", "b", "c"]);
        check(&[ids[2], ids[0]], &["a", "c"]);
        check(&[IntentId(Uuid::from_u128(9))], &[]);
    }
}
