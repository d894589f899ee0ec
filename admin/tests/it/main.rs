//! The admin plane as a process, against real Postgres and Redis: `DATABASE_URL` and `REDIS_URL` say where.

mod feed;
mod harness;
mod tenancy;
