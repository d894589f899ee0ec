//! What a job does next: pure. Workers obey it, and a test walks all of it.
//!
//! ```text
//! make_agent → choose → buy → look → wait → link → configure → activate → end
//!                ▲       │     │                │        │          │
//!                └───────┴─────┘ (next offer,   └────────┴──────────┴─▶ unlink → put_back → unmake_agent → end
//!                                 next strategy)                         (what was done, in reverse)
//! ```
//!
//! **Buying never repeats itself blindly.** Whoever performs [`Stage::Buy`] first commits [`Stage::Look`] with the purchase
//! marked as sent, then sends. So a crash, and any answer that leaves doubt, lead to looking for the purchase by its
//! tag, after it has had time to come about; only what is not there then is given up, and bought anew under another tag.
//! What comes about later still carries the old tag, by which the reconciler finds it.

use std::time::Duration;

use dialplane_common::rest::Fault;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How often a stage is tried again that only needs time.
const TRIES_MAX: u32 = 8;
/// How often a purchase is looked for before it is given up.
const LOOKS: u32 = 3;
/// How many purchases one strategy may record: an area code whose numbers are all snatched away is left to the next.
const PURCHASES_MAX: u32 = 3;
/// How often a number that its provider isn't done with is asked for: with the longest delay, half an hour.
const WAITS_MAX: u32 = 40;
const DELAY: Duration = Duration::from_secs(2);
const DELAY_MAX: Duration = Duration::from_secs(300);
/// Between two looks for a purchase.
const LOOK_DELAY: Duration = Duration::from_secs(5);
const WAIT_DELAY_MAX: Duration = Duration::from_secs(60);

/// What a job is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The agent is made at its provider, unless it is there.
    MakeAgent,
    /// A number is found: one that nobody uses, or an offer that is recorded as a purchase.
    Choose,
    /// The recorded purchase is made.
    Buy,
    /// It may have been made: it is looked for.
    Look,
    /// The provider isn't done with the number.
    Wait,
    /// The number is made known to the agent's provider.
    Link,
    /// The number is pointed at us.
    Configure,
    /// Its calls are routed.
    Activate,
    /// The number is forgotten at the agent's provider.
    Unlink,
    /// The number goes to the pool, or stays unused with its tenant.
    PutBack,
    /// The number is given back to its provider, or what stood on it before is put back.
    GiveBack,
    /// The agent is deleted at its provider.
    UnmakeAgent,
    /// The agent's provider is told how the agent is now.
    UpdateAgent,
    /// An account of the tenant's own is made below one of the platform's, unless it is there.
    MakeAccount,
    /// Nothing more.
    End,
}

impl Stage {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MakeAgent => "make_agent",
            Self::Choose => "choose",
            Self::Buy => "buy",
            Self::Look => "look",
            Self::Wait => "wait",
            Self::Link => "link",
            Self::Configure => "configure",
            Self::Activate => "activate",
            Self::Unlink => "unlink",
            Self::PutBack => "put_back",
            Self::GiveBack => "give_back",
            Self::UnmakeAgent => "unmake_agent",
            Self::UpdateAgent => "update_agent",
            Self::MakeAccount => "make_account",
            Self::End => "end",
        }
    }

    /// Whether it undoes something.
    const fn undoes(self) -> bool {
        matches!(self, Self::Unlink | Self::PutBack | Self::UnmakeAgent)
    }
}

/// How a job stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on.
    Running,
    /// It goes on once somebody agrees to the price.
    Confirming,
    /// A person has to see to it.
    Manual,
    /// It did what was asked.
    Done,
    /// It can't be done.
    Failed,
    /// Somebody called it off.
    Canceled,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Confirming => "confirming",
            Self::Manual => "manual",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// What a job was asked for, as far as the order of its stages depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// A number for a tenant, and an agent where one is to be made.
    Number,
    /// An agent alone.
    Agent,
    /// A number for the pool.
    Refill,
    /// A number that an account has already: taken over.
    Import,
    /// A number that comes from another carrier.
    PortIn,
    /// A number is pointed at us anew.
    Configure,
    /// A number that is in use leads to another agent now: its provider is told.
    Relink,
    /// An agent that we made was changed: its provider is told.
    Update,
    /// A tenant gets an account of its own below one of the platform's.
    Subaccount,
    /// A number is given back.
    Release,
    /// An agent that is gone here is deleted at its provider.
    Forget,
}

/// Where a job is: all that its next step depends on.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// What it was asked for.
    pub course: Course,
    /// What it is doing.
    pub stage: Stage,
    /// How it stands.
    pub state: State,
    /// Which of its strategies it is at.
    pub strategy: usize,
    /// The purchase that it is about.
    pub purchase: Option<Uuid>,
    /// How many purchases this strategy has recorded.
    pub purchases: u32,
    /// How often this stage was tried.
    pub tries: u32,
    /// It made the agent.
    pub has_agent: bool,
    /// It holds a number.
    pub has_number: bool,
    /// The number is known at the agent's provider.
    pub is_linked: bool,
    /// Where it ends once all is undone.
    pub ending: Option<State>,
}

/// What came of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was done.
    Done,
    /// A number that was there already is reserved.
    Reserved,
    /// An offer is recorded as this purchase.
    Recorded(Uuid),
    /// An offer that costs more than somebody has agreed to.
    Costs,
    /// This strategy has no number to offer.
    Nothing,
    /// No strategy is left, or the one that is left is a person.
    Exhausted,
    /// The number is ours; the provider isn't done with it.
    Pending,
    /// A person has to do something, in which programs have no part.
    Person,
    /// The purchase that was looked for isn't there.
    Absent,
    /// The provider didn't do it.
    Fault(Fault),
}

/// What follows a step: where the job is then, and how long it rests first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Next {
    /// Where it is.
    pub progress: Progress,
    /// How long it rests.
    pub rest: Duration,
}

impl Progress {
    /// Where a job begins.
    #[must_use]
    pub const fn begin(course: Course, makes_agent: bool) -> Self {
        let stage = match course {
            Course::Agent => Stage::MakeAgent,
            Course::Number if makes_agent => Stage::MakeAgent,
            Course::Number | Course::Refill => Stage::Choose,
            Course::Import | Course::PortIn => Stage::Wait,
            Course::Configure => Stage::Configure,
            Course::Relink => Stage::Link,
            Course::Update => Stage::UpdateAgent,
            Course::Subaccount => Stage::MakeAccount,
            Course::Release => Stage::Unlink,
            Course::Forget => Stage::UnmakeAgent,
        };
        Self {
            course,
            stage,
            state: State::Running,
            strategy: 0,
            purchase: None,
            purchases: 0,
            tries: 0,
            has_agent: false,
            has_number: matches!(course, Course::Configure | Course::Relink | Course::Release),
            is_linked: matches!(course, Course::Release),
            ending: None,
        }
    }

    /// Whether nothing more happens by itself.
    #[must_use]
    pub const fn rests(&self) -> bool {
        !matches!(self.state, State::Running)
    }

    /// What follows `outcome` of this stage. Somebody may have called the job off meanwhile.
    #[must_use]
    pub fn advance(&self, outcome: &Outcome, is_canceled: bool) -> Next {
        let next = self.after(outcome);
        let is_over = matches!(next.progress.state, State::Done | State::Failed | State::Canceled);
        if !is_canceled || is_over || next.progress.ending.is_some() {
            return next;
        }
        next.progress.cancel().map_or(next, Next::at_once)
    }

    /// This job called off: it undoes what it did. `None` while a purchase is in doubt, which has to be settled first, or
    /// where what it does can't be called off.
    #[must_use]
    pub fn cancel(&self) -> Option<Self> {
        let in_doubt = self.stage == Stage::Look;
        let is_final = matches!(self.course, Course::Release | Course::Forget)
            || self.ending.is_some()
            || self.stage == Stage::End;
        if in_doubt || is_final { None } else { Some(self.clone().undo(State::Canceled)) }
    }

    fn after(&self, outcome: &Outcome) -> Next {
        match outcome {
            Outcome::Done => Next::at_once(self.clone().done()),
            Outcome::Reserved => Next::at_once(Self { has_number: true, ..self.at(Stage::Link) }),
            Outcome::Recorded(id) => Next::at_once(Self {
                purchase: Some(*id),
                purchases: self.purchases + 1,
                ..self.at(Stage::Buy)
            }),
            Outcome::Costs => Next::at_once(Self { state: State::Confirming, ..self.clone() }),
            Outcome::Person => Next::at_once(Self { state: State::Manual, ..self.clone() }),
            Outcome::Nothing => Next::at_once(self.clone().next_strategy()),
            Outcome::Exhausted => Next::at_once(self.clone().undo(State::Manual)),
            Outcome::Pending => self.clone().pending(),
            Outcome::Absent => self.clone().absent(),
            Outcome::Fault(fault) => self.clone().faulted(fault),
        }
    }

    /// At another stage, tried for the first time.
    fn at(&self, stage: Stage) -> Self {
        Self { stage, tries: 0, ..self.clone() }
    }

    fn done(self) -> Self {
        match self.stage {
            Stage::MakeAgent if self.course == Course::Agent => {
                Self { has_agent: true, ..self.end(State::Done) }
            }
            Stage::MakeAgent => Self { has_agent: true, ..self.at(Stage::Choose) },
            Stage::Choose => self.next_strategy(),
            Stage::Buy | Stage::Look => Self { has_number: true, ..self.owned() },
            Stage::Wait => Self { has_number: true, ..self.owned() },
            Stage::Link => Self { is_linked: true, ..self.at(Stage::Configure) },
            Stage::Configure if self.is_touch_up() => self.end(State::Done),
            Stage::Configure => self.at(Stage::Activate),
            Stage::Activate | Stage::GiveBack | Stage::UpdateAgent | Stage::MakeAccount | Stage::End => {
                self.end(State::Done)
            }
            Stage::Unlink if self.course == Course::Release => {
                Self { is_linked: false, ..self.at(Stage::GiveBack) }
            }
            Stage::Unlink => Self { is_linked: false, ..self }.undo_next(),
            Stage::PutBack => Self { has_number: false, ..self }.undo_next(),
            Stage::UnmakeAgent if self.course == Course::Forget => self.end(State::Done),
            Stage::UnmakeAgent => Self { has_agent: false, ..self }.undo_next(),
        }
    }

    /// With a number that the provider is done with.
    fn owned(self) -> Self {
        let stage = if self.course == Course::Refill { Stage::Configure } else { Stage::Link };
        self.at(stage)
    }

    fn pending(self) -> Next {
        let tries = if self.stage == Stage::Wait { self.tries + 1 } else { 0 };
        let waiting = Self { stage: Stage::Wait, tries, has_number: true, ..self };
        if tries > WAITS_MAX {
            return Next::at_once(Self { state: State::Manual, ..waiting });
        }
        Next { rest: backoff(tries).min(WAIT_DELAY_MAX), progress: waiting }
    }

    fn absent(self) -> Next {
        if self.tries + 1 < LOOKS {
            return Next { rest: LOOK_DELAY, progress: Self { tries: self.tries + 1, ..self } };
        }
        Next::at_once(self.another_offer())
    }

    /// After a purchase that came to nothing.
    fn another_offer(self) -> Self {
        let given_up = Self { purchase: None, ..self };
        if given_up.purchases >= PURCHASES_MAX {
            given_up.next_strategy()
        } else {
            given_up.at(Stage::Choose)
        }
    }

    fn next_strategy(self) -> Self {
        Self { strategy: self.strategy + 1, purchases: 0, ..self.at(Stage::Choose) }
    }

    fn faulted(self, fault: &Fault) -> Next {
        let again = |progress: Self, after: Option<Duration>| Next {
            rest: after.unwrap_or_else(|| backoff(progress.tries)),
            progress: Self { tries: progress.tries + 1, ..progress },
        };
        match (self.stage, fault) {
            // What was sent may have had its effect.
            (Stage::Buy, Fault::Unclear { .. }) => Next { rest: LOOK_DELAY, progress: self.at(Stage::Look) },
            (Stage::Buy, Fault::Elsewhere { .. } | Fault::Gone { .. }) => Next::at_once(self.another_offer()),
            (Stage::Buy | Stage::Choose, Fault::Stop { .. }) => {
                Next::at_once(Self { purchase: None, ..self }.next_strategy())
            }
            (Stage::Choose, Fault::Elsewhere { .. } | Fault::Gone { .. }) => {
                Next::at_once(self.next_strategy())
            }
            // A purchase in doubt is never given up for want of an answer.
            (Stage::Look, Fault::Retry { .. } | Fault::Unclear { .. }) => {
                let after = match fault {
                    Fault::Retry { after, .. } => *after,
                    _ => None,
                };
                let tries = self.tries;
                Next { rest: after.unwrap_or_else(|| backoff(tries).max(LOOK_DELAY)), progress: self }
            }
            (_, Fault::Retry { after, .. }) if self.tries < TRIES_MAX => again(self, *after),
            (_, Fault::Unclear { .. }) if self.tries < TRIES_MAX => again(self, None),
            (stage, _) if stage.undoes() || matches!(stage, Stage::GiveBack | Stage::Look) => {
                Next::at_once(Self { state: State::Manual, ..self })
            }
            (Stage::Choose, _) => Next::at_once(self.next_strategy()),
            (Stage::Buy, _) => Next::at_once(self.another_offer()),
            (_, _) if self.is_touch_up() => Next::at_once(self.end(State::Manual)),
            (_, _) => Next::at_once(self.undo(State::Manual)),
        }
    }

    /// Undoes what was done, and ends so. What this stage does at a provider may have been done, though nobody here was
    /// told: it is undone as well.
    fn undo(self, ending: State) -> Self {
        if self.is_touch_up() {
            return self.end(ending);
        }
        let has_agent = self.has_agent || self.stage == Stage::MakeAgent;
        let is_linked = self.is_linked || self.stage == Stage::Link;
        Self { ending: Some(ending), has_agent, is_linked, ..self }.undo_next()
    }

    fn undo_next(self) -> Self {
        let ending = self.ending.unwrap_or(State::Failed);
        // What is waited for is the number's provider, who has it already.
        let stage = match () {
            () if self.is_linked => Stage::Unlink,
            () if self.has_number => Stage::PutBack,
            () if self.has_agent => Stage::UnmakeAgent,
            () => return self.end(ending),
        };
        self.at(stage)
    }

    /// Whether there is nothing to undo: it sees to a number or an agent that is in use, and stays so whatever comes of it,
    /// or makes an account, which costs nothing and which the next job finds.
    const fn is_touch_up(&self) -> bool {
        matches!(self.course, Course::Configure | Course::Relink | Course::Update | Course::Subaccount)
    }

    fn end(self, state: State) -> Self {
        Self { state, ending: None, ..self.at(Stage::End) }
    }

    /// This import of a number that is on its way from another carrier.
    #[must_use]
    pub fn ported(self) -> Self {
        Self { course: Course::PortIn, ..self }
    }

    /// This job begun anew by a person, with what it has already.
    #[must_use]
    pub fn again(&self) -> Self {
        if self.stage != Stage::End {
            return Self { state: State::Running, tries: 0, ..self.clone() };
        }
        Self::begin(self.course, matches!(self.course, Course::Number | Course::Agent) && !self.has_agent)
    }
}

impl Next {
    const fn at_once(progress: Progress) -> Self {
        Self { progress, rest: Duration::ZERO }
    }
}

/// How long a job rests after so many tries.
fn backoff(tries: u32) -> Duration {
    DELAY.saturating_mul(1 << tries.min(16)).min(DELAY_MAX)
}
