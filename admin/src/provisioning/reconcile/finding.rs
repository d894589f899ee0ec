//! What a run finds.

use uuid::Uuid;

/// Where an account and what is believed here differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A purchase came about that had been given up, or twice.
    LatePurchase,
    /// The account holds a number that nobody here knows.
    Orphan,
    /// The account doesn't hold a number that is believed to be there.
    Ghost,
    /// A number isn't set as it is to be.
    Drift,
    /// The account couldn't be asked.
    Unreachable,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::LatePurchase, Self::Orphan, Self::Ghost, Self::Drift, Self::Unreachable];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LatePurchase => "late_purchase",
            Self::Orphan => "orphan",
            Self::Ghost => "ghost",
            Self::Drift => "drift",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What is to be done about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Nothing: a person sees to it.
    Report,
    /// Nothing yet: the provider isn't done with it.
    Wait,
    /// It goes to the pool, or to the tenant whose account it is in.
    Pool,
    /// It is given back.
    Release,
    /// It is taken over.
    Adopt,
    /// It is taken out of use.
    Deactivate,
    /// It is set anew.
    Repair,
}

impl Action {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Wait => "wait",
            Self::Pool => "pool",
            Self::Release => "release",
            Self::Adopt => "adopt",
            Self::Deactivate => "deactivate",
            Self::Repair => "repair",
        }
    }
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Came {
    /// Nothing yet: a dry run.
    Planned,
    /// It was done.
    Done,
    /// A person has to see to it.
    Person,
    /// A later run sees to it.
    Waiting,
    /// Looked at again, it was no more so.
    Passed,
    /// It couldn't be done, and why.
    Failed(String),
}

impl Came {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Done => "done",
            Self::Person => "person",
            Self::Waiting => "waiting",
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
        }
    }

    /// What comes of an action that isn't taken: in a dry run, or as it is none.
    #[must_use]
    pub const fn untaken(action: Action) -> Self {
        match action {
            Action::Report => Self::Person,
            Action::Wait => Self::Waiting,
            _ => Self::Planned,
        }
    }
}

/// A difference, and what is to be done about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What kind of difference.
    pub kind: Kind,
    /// What is to be done.
    pub action: Action,
    /// The number, as far as it has one.
    pub phone_number: Option<String>,
    /// The provider's name of it; empty: it is about the account.
    pub held_id: String,
    /// More of it, for people.
    pub detail: String,
    /// The number's id here, where it has one.
    pub number: Option<Uuid>,
    /// The purchase that it is about.
    pub purchase: Option<Uuid>,
}

impl Finding {
    /// An account that couldn't be asked.
    #[must_use]
    pub fn unreachable(reason: String) -> Self {
        Self {
            kind: Kind::Unreachable,
            action: Action::Report,
            phone_number: None,
            held_id: String::new(),
            detail: reason,
            number: None,
            purchase: None,
        }
    }
}
