//! The admin plane as a process, against real Postgres and Redis: `DATABASE_URL` and `REDIS_URL` say where.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod access;
mod accounts;
mod agents;
mod audit;
mod calls;
mod commands;
mod events;
mod feed;
mod gathered;
mod harness;
mod idempotency;
mod imports;
mod intents;
mod lists;
mod numbers;
mod origin;
mod outages;
mod people;
mod plans;
mod pool;
mod preconditions;
mod primary;
mod provisioning;
mod reconcile;
mod records;
mod releases;
mod routing;
mod settings;
mod tenancy;
mod tenants;
mod tokens;
mod told;
mod tool_server;
mod usage;
