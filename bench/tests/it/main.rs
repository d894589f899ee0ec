//! The whole of it: the real programs with real Postgres and Redis, each test with its own.
//!
//! Run them with `make test`, or one with
//! `cargo build --workspace --bins && deploy/services exec --ephemeral -- cargo test -p dialplane-bench --test it -- NAME`.

mod agents;
mod alone;
mod answers;
mod bad_input;
mod call;
mod events;
mod explain;
mod faults;
mod feed;
mod handover;
mod hours;
mod installation;
mod lifecycle;
mod limits;
mod messages;
mod moving;
mod ops;
mod personalisation;
mod pressure;
mod propagation;
mod providers;
mod provisioning;
mod published;
mod records;
mod rest_refusals;
mod rivals;
mod rls;
mod rules;
mod simulation;
mod tls;
mod tools;
mod usage;
mod vectors;
