//! Measures Dialplane, and holds what its system tests share.
//!
//! [`workload`] makes routing data of any size and requests about it, [`signing`] signs them as the providers do;
//! [`system`] starts the real programs with a Redis and a database of their own; [`http`] asks them, [`operator`] as one who
//! holds the operator key. [`population`] makes numbers with settings of their own, [`calls`] signed calls to them, [`feed`]
//! what the admin plane would publish of them. [`load`], [`listeners`], [`rivals`], [`latency`], [`pressure`], [`limits`], [`tls`], [`start`],
//! [`propagation`], [`api`] and [`usage`] are the measurements that need processes; [`crash`] and [`records`] compare what is believed
//! with what was done while programs are killed; [`counts`] and [`footprint`] measure the router's parts in this one; the
//! others are in `benches/`. [`plots`] draws what they found.

pub mod api;
pub mod calls;
pub mod cores;
pub mod counts;
pub mod crash;
pub mod documents;
pub mod events;
pub mod feed;
pub mod footprint;
pub mod histogram;
pub mod http;
pub mod import;
pub mod latency;
pub mod limits;
pub mod listeners;
pub mod load;
pub mod operator;
pub mod others;
pub mod plots;
pub mod population;
pub mod pressure;
pub mod propagation;
pub mod records;
pub mod report;
pub mod rivals;
pub mod signing;
pub mod simulation;
pub mod snapshot_file;
pub mod start;
pub mod stats;
pub mod system;
pub mod tls;
pub mod usage;
pub mod workload;
