//! Bulk: files of numbers, tenants and settings, as CSV or JSON lines, into the tables and out of them.
//!
//! **In.** A file is cut between its records as it arrives ([`split`]) and kept in pieces. Any admin process then
//! validates it ([`worker`]): each line is read ([`mod@line`]), checked by itself ([`numbers`], [`tenants`],
//! [`settings`]) and against what is there. Nothing lasting is held in memory: a process that ends leaves the rest to
//! the others. Pieces are then applied, each in one transaction that also deletes it and counts its lines, so that each
//! is applied once whatever happens; two at a time, as the database is what takes the time.
//!
//! **Out.** [`export`] writes one state of the database in the form that import takes.
//!
//! What a line does: it creates what isn't there, and sets of what is there the columns that it has. A CSV column that
//! the header lacks, or a JSON field that is absent, stays as it is; an empty cell, or null, unsets it.

pub mod apply;
pub mod check;
pub mod export;
pub mod line;
pub mod numbers;
pub mod settings;
pub mod split;
pub mod tenants;
pub mod upload;
pub mod worker;

use clap::ValueEnum;

/// What lines are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Kind {
    /// Phone numbers.
    Numbers,
    /// Tenants.
    Tenants,
    /// Settings of numbers and tenants.
    Settings,
}

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// A JSON object a line.
    Jsonl,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Numbers, Self::Tenants, Self::Settings];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Tenants => "tenants",
            Self::Settings => "settings",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The columns that its files may have.
    #[must_use]
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Numbers => numbers::COLUMNS,
            Self::Tenants => tenants::COLUMNS,
            Self::Settings => settings::COLUMNS,
        }
    }

    /// The columns that export writes, in their order.
    #[must_use]
    pub const fn exported(self) -> &'static [&'static str] {
        match self {
            Self::Numbers => numbers::EXPORTED,
            Self::Tenants => tenants::EXPORTED,
            Self::Settings => settings::EXPORTED,
        }
    }
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Csv, Self::Jsonl];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Jsonl => "application/jsonl",
        }
    }
}
