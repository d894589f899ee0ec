//! Provisioning: from "give them a number" to a call that is answered, with money at stake.
//!
//! A **job** is a row that a request writes ([`request`]). Any admin process takes it on ([`worker`]): it holds a lease,
//! performs one step after the other, and commits each with what came of it. What follows which outcome is decided in
//! one pure place ([`workflow`]). Steps speak to providers in values ([`dialplane_common::rest`]), which [`client`] sends.
//!
//! Three rules keep the money:
//! 1. A purchase is a row before it is a request ([`buy`]), and counts against limits from then on.
//! 2. It is marked as sent, and the job as looking for it, before it is sent; the lease outlives the request.
//! 3. In doubt, it is looked for by its tag before another is made; what comes later still has its tag, by which
//!    [`reconcile`] finds it.

pub mod account;
pub mod activate;
pub mod adopt;
pub mod agent;
pub mod buy;
pub mod choose;
pub mod client;
pub mod free_numbers;
pub mod link;
mod offers;
pub mod performed;
pub mod plan;
mod porting;
pub mod reconcile;
pub mod request;
pub mod settings;
pub mod subaccount;
pub mod undo;
pub mod upkeep;
pub mod wait;
pub mod watch;
pub mod worker;
pub mod workflow;
#[cfg(test)]
mod workflow_model;

use std::sync::Arc;

use tokio::sync::Notify;

use self::client::Client;
use self::settings::ProvisioningSettings;
use crate::metrics::Metrics;
use crate::store::Store;

/// What provisioning works with.
#[derive(Clone)]
pub struct Provisioner {
    /// Postgres.
    pub store: Store,
    /// Who speaks to providers.
    pub client: Arc<Client>,
    /// What the platform wants.
    pub settings: Arc<ProvisioningSettings>,
    /// Wakes the publisher.
    pub wake: Arc<Notify>,
    /// Rung when there is a job to take on.
    pub bell: Arc<Notify>,
    /// Counts steps.
    pub metrics: Arc<Metrics>,
}
