//! The control plane: owns everything that changes, and proves that every router has it.
//!
//! In the order of a change: [`api`] asks who wants it ([`oidc`] knows the issuer's tokens) and checks it ([`hours`],
//! [`routing`], [`profile`], [`people`], [`messages`], [`business`], [`credentials`] know the documents),
//! [`store`] writes it and its delta in one transaction, [`publisher`] brings the delta to Redis, [`fleet`] knows
//! which routers serve it; [`live`] which calls they have; [`audit`] seals what the log says of it, and [`realtime`] tells
//! those who listen. [`bulk`] takes files in and gives them out. [`calls`] keeps what routers tell of calls, [`usage`] is
//! what came together of them, [`plans`] what tenants pay for.
//! [`provisioning`] has numbers and agents at providers. [`app`] wires the parts, [`commands`]
//! are what operators do in a terminal.

pub mod api;
pub mod app;
pub mod audit;
pub mod bindings;
pub mod bulk;
pub mod business;
pub mod calls;
pub mod commands;
pub mod config;
pub mod credentials;
pub mod demo;
pub mod fleet;
pub mod hours;
pub mod invalid;
pub mod listener;
pub mod live;
pub mod messages;
pub mod metrics;
pub mod numbering;
pub mod oidc;
pub mod ops;
pub mod outbound;
pub mod people;
pub mod plans;
pub mod profile;
pub mod provisioning;
pub mod publisher;
pub mod rate;
pub mod realtime;
pub mod redis_link;
pub mod republish;
pub mod role;
pub mod routing;
pub mod store;
pub mod sweep;
pub mod target;
pub mod telemetry;
pub mod url;
pub mod usage;

use std::fmt::Display;

/// Why a command ended: one line for the one who started it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// What couldn't be done, as verb and object, and why.
    pub fn new(what: &str, why: &impl Display) -> Self {
        Self(format!("{what}: {why}").replace('\n', " "))
    }
}

impl From<config::SettingError> for Failure {
    fn from(error: config::SettingError) -> Self {
        Self(error.to_string())
    }
}
