//! The admin plane as a process, against real Postgres and Redis: `DATABASE_URL` and `REDIS_URL` say where.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod accounts;
mod agents;
mod commands;
mod feed;
mod harness;
mod imports;
mod intents;
mod numbers;
mod records;
mod routing;
mod settings;
mod tenancy;
mod tokens;
mod tool_server;
