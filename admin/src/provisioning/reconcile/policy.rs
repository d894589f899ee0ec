//! What a run does with what it finds, as the platform wants it.

/// What is done with each kind of finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policies {
    /// With purchases that came about after they were given up.
    pub late: Late,
    /// With numbers that an account of the platform's holds and nobody here knows.
    pub orphans: Orphans,
    /// With numbers that aren't there any more.
    pub ghosts: Ghosts,
    /// With numbers that aren't set as they are to be.
    pub drift: Drift,
}

/// What is done with a late purchase.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Late {
    /// The platform's goes to the pool, a tenant's own account's to the tenant, unused.
    #[default]
    Pool,
    /// It is given back.
    Release,
}

/// What is done with a number that nobody here knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Orphans {
    /// A person sees to it.
    #[default]
    Report,
    /// It goes to the pool; what stood on it is kept, and put back when it goes.
    Adopt,
}

/// What is done with a number that is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ghosts {
    /// A person sees to it.
    #[default]
    Report,
    /// A tenant's becomes inactive; one that nobody has is released.
    Deactivate,
}

/// What is done with a number that isn't set as it is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Drift {
    /// It is set anew.
    #[default]
    Repair,
    /// A person sees to it.
    Report,
}

impl Late {
    /// What the setting says; `None` for what it can't say.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "pool" => Some(Self::Pool),
            "release" => Some(Self::Release),
            _ => None,
        }
    }
}

impl Orphans {
    /// As [`Late::from_name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "report" => Some(Self::Report),
            "adopt" => Some(Self::Adopt),
            _ => None,
        }
    }
}

impl Ghosts {
    /// As [`Late::from_name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "report" => Some(Self::Report),
            "deactivate" => Some(Self::Deactivate),
            _ => None,
        }
    }
}

impl Drift {
    /// As [`Late::from_name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "repair" => Some(Self::Repair),
            "report" => Some(Self::Report),
            _ => None,
        }
    }
}
