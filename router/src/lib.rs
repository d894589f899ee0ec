//! The data plane: answers webhooks from memory.
//!
//! In the order of a call: [`server`] accepts a connection, counted by [`peers`], over [`tls`] or not; [`webhook`] answers a request from the
//! one [`snapshot`] that it loads, with one [`outcome`]; what it can't answer itself, [`outbound`] asks of others; what happened to a call,
//! [`events`] tell the admin plane. In the order of a change: [`follower`] reads the feed and stores the next snapshot;
//! [`keeper`] writes it to the file from which the router starts when everything else is gone.
//! [`inspect`] tells what such a file holds.
//! [`ops`] shows [`metrics`], readiness and what [`explain`] says of a call that nobody makes. [`app`] knows everyone.

pub mod app;
pub mod config;
pub mod events;
pub mod explain;
pub mod follower;
pub mod inspect;
pub mod keeper;
mod key;
pub mod live;
pub mod metrics;
pub mod network;
pub mod ops;
pub mod outbound;
pub mod outcome;
pub mod peers;
pub mod server;
pub mod snapshot;
pub mod telemetry;
pub mod tls;
pub mod v1;
pub mod webhook;
