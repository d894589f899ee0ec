//! Measures Dialplane, and holds what its system tests share.
//!
//! [`workload`] makes routing data of any size and requests about it, [`signing`] signs them as the providers do; [`system`] starts the real
//! programs with a Redis and a database of their own; [`http`] asks them,
//! [`operator`] as one who holds the operator key. [`load`] and [`propagation`] are the
//! measurements that need processes; the others are in `benches/`.

pub mod documents;
pub mod http;
pub mod load;
pub mod operator;
pub mod propagation;
pub mod signing;
pub mod simulation;
pub mod snapshot_file;
pub mod stats;
pub mod system;
pub mod workload;
