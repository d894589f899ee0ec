//! One leg of a call: all that one account told of it.

use std::collections::BTreeMap;

use dialplane_common::calls::event::{CallEvent, Decided, What};
use dialplane_common::calls::report::{Cost, Progress, Report};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::amount::Amount;
use super::names::{self, Name};
use super::register::{Earliest, Join, Latest, Moment, Told, is_false};
use super::words::{Action, End, Refusal};

/// The last millisecond that all the parts of this program can write: in the year 9999.
const AT_MAX: i64 = 253_370_764_800_000;

/// A leg. What isn't known is left out of its document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Leg {
    /// The provider's name.
    pub provider: String,
    /// The account that told of it.
    pub account: Uuid,
    /// The provider's name of the call.
    pub call_id: String,
    /// When a router first heard of it: milliseconds since 1970.
    pub heard: i64,
    /// Whether it is a text message.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_message: bool,
    /// Whether the call was made by us.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_outbound: bool,
    /// Whether a decision asked if the location is open, and it wasn't.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_closed: bool,
    /// Whether a decision met a limit of calls.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_over_limit: bool,
    /// Whether it was offered: a decision was made when it came in.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_offered: bool,
    /// The rest, as far as it was told.
    pub told: Values,
}

macro_rules! values {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// What is told of a leg, at one time or another.
        #[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
        pub struct Values {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $name: Option<$kind>,)*
        }

        impl Values {
            fn join(&mut self, other: &Self) {
                $(Join::join(&mut self.$name, &other.$name);)*
            }
        }
    };
}

values! {
    /// The carrier's name of the call.
    carrier: Earliest<String>,
    /// Whose call it is.
    tenant: Earliest<Uuid>,
    /// The called number.
    number: Earliest<Uuid>,
    /// The calling address.
    from: Earliest<String>,
    /// The called address.
    to: Earliest<String>,
    /// What was decided last.
    action: Latest<Action>,
    /// The agent of the last decision that had one.
    agent: Latest<Uuid>,
    /// Why it wasn't routed.
    refused: Earliest<Refusal>,
    /// It rang.
    ringing: Moment,
    /// It was answered.
    answered: Moment,
    /// It was handed over to a person.
    transferred: Moment,
    /// A message was left.
    voicemail: Moment,
    /// It was over.
    ended: Moment,
    /// How it ended.
    end: Earliest<EndTold>,
    /// How long it lasted, as told: milliseconds.
    duration: Earliest<i64>,
    /// What it cost.
    cost: Earliest<CostTold>,
}

impl Told for Refusal {}

/// How a leg ended.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct EndTold {
    /// In our words.
    pub kind: End,
    /// In the provider's. Whoever gives a reason knows better than who gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Told for EndTold {
    fn rank(&self) -> u8 {
        u8::from(self.reason.is_none())
    }

    fn agrees(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What a leg cost.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct CostTold {
    /// In all.
    pub amount: Amount,
    /// ISO 4217.
    pub currency: String,
    /// What of it is for what. Whoever says so goes before who gives one amount alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<String, Amount>,
}

impl Told for CostTold {
    fn rank(&self) -> u8 {
        u8::from(self.stages.is_empty())
    }

    fn agrees(&self, other: &Self) -> bool {
        (self.amount, &self.currency) == (other.amount, &other.currency)
    }
}

impl CostTold {
    /// `None` where the amount is none: a cost that can't be read is no cost of zero.
    fn read(cost: &Cost<'_>) -> Option<Self> {
        let stage = |(name, amount): &(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            Some((clean(name), Amount::read(amount)?))
        };
        Some(Self {
            amount: Amount::read(&cost.amount)?,
            currency: clean(&cost.currency),
            stages: cost.stages.iter().filter_map(stage).collect(),
        })
    }
}

impl Leg {
    /// What one event says.
    #[must_use]
    pub fn of(event: &CallEvent<'_>) -> Self {
        let at = event.at_ms.clamp(0, AT_MAX);
        let text = |text: &str| {
            Some(clean(text)).filter(|text| !text.is_empty()).map(|text| Earliest::new(at, text))
        };
        let told = Values {
            carrier: event.carrier_call_id.as_deref().and_then(text),
            tenant: event.tenant.map(|id| Earliest::new(at, id.0)),
            number: event.number.map(|id| Earliest::new(at, id.0)),
            from: text(&event.from),
            to: text(&event.to),
            ..Values::default()
        };
        let mut leg = Self {
            provider: clean(&event.provider),
            account: event.account.0,
            call_id: clean(&event.call_id),
            heard: at,
            is_message: false,
            is_outbound: false,
            is_closed: false,
            is_over_limit: false,
            is_offered: false,
            told,
        };
        match &event.what {
            What::Offered(decided) => {
                leg.is_offered = true;
                leg.decided(at, decided);
            }
            What::Continued(decided) => {
                if let Some(decided) = decided {
                    leg.decided(at, decided);
                }
            }
            What::Reported(report) => leg.reported(at, report),
            What::Message => leg.is_message = true,
            What::Refused(refused) => leg.told.refused = Some(Earliest::new(at, (*refused).into())),
        }
        leg
    }

    fn decided(&mut self, at: i64, decided: &Decided) {
        self.told.action = Some(Latest { at, value: decided.action.into() });
        self.told.agent = decided.agent.map(|agent| Latest { at, value: agent.0 });
        self.is_closed = decided.is_closed;
        self.is_over_limit = decided.is_over_limit;
    }

    fn reported(&mut self, at: i64, report: &Report<'_>) {
        let moment = || Some(Moment::new(at, report.at_ms));
        match report.progress {
            Progress::Other => {}
            Progress::Ringing => self.told.ringing = moment(),
            Progress::Answered => self.told.answered = moment(),
            Progress::Transferred => self.told.transferred = moment(),
            Progress::Voicemail => self.told.voicemail = moment(),
            Progress::Ended(kind) => {
                self.told.ended = moment();
                let reason = report.reason.as_deref().map(clean).filter(|reason| !reason.is_empty());
                self.told.end = Some(Earliest::new(at, EndTold { kind: kind.into(), reason }));
            }
        }
        self.is_outbound = report.is_outbound;
        self.told.duration = report.duration_ms.map(|duration| Earliest::new(at, duration));
        let cost = report.cost.as_ref().and_then(CostTold::read);
        self.told.cost = cost.map(|cost| Earliest::new(at, cost));
    }

    /// Takes in all that was told of the same leg elsewhere.
    pub fn join(&mut self, other: &Self) {
        self.heard = self.heard.min(other.heard);
        for (own, others) in [
            (&mut self.is_message, other.is_message),
            (&mut self.is_outbound, other.is_outbound),
            (&mut self.is_closed, other.is_closed),
            (&mut self.is_over_limit, other.is_over_limit),
            (&mut self.is_offered, other.is_offered),
        ] {
            own.join(&others);
        }
        self.told.join(&other.told);
    }

    /// Its own name.
    #[must_use]
    pub fn name(&self) -> Name {
        names::own(self.account, &self.call_id)
    }

    /// All names by which it is known.
    pub fn names(&self) -> impl Iterator<Item = Name> + use<'_> {
        let tenant = self.told.tenant.as_ref().map(|tenant| tenant.value);
        let ids = [Some(&self.call_id), self.told.carrier.as_ref().map(|carrier| &carrier.value)];
        let met = move |tenant| ids.into_iter().flatten().map(move |id| names::met(tenant, id));
        std::iter::once(self.name()).chain(tenant.into_iter().flat_map(met))
    }

    /// Whether it was made for a call that was there: to whom that was put through.
    #[must_use]
    pub fn is_child(&self) -> bool {
        self.is_outbound && self.told.carrier.as_ref().is_some_and(|carrier| carrier.value != self.call_id)
    }
}

/// Without what Postgres doesn't take.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}
