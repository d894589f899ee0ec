//! Who works at a location, and what it offers.

use serde::{Deserialize, Serialize};

use crate::route::Weekly;

/// Somebody who works there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Person {
    /// The name that callers know.
    pub name: String,
    /// What the person does there.
    pub role: Option<String>,
    /// When the person works, in the location's wall time; absent: whenever it is open.
    pub weekly: Option<Weekly>,
    /// The names of the services that the person gives; empty: all.
    pub services: Vec<String>,
}

/// Something that is offered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// How long it takes, in minutes.
    pub duration_minutes: Option<u16>,
    /// What it costs, as callers are told: `45 USD`, `from 30 €`.
    pub price: Option<String>,
}
