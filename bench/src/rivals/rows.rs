//! Who is measured.

use clap::builder::PossibleValuesParser;

use super::check::Does;
use super::start::{Absent, Setup, haproxy, nginx, ours, postgres};
use crate::load::server::Server;

/// One row of the table.
pub struct Row {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What it has to show before it is measured.
    pub does: Does,
    /// Starts it with the setup's numbers.
    pub start: fn(&Setup) -> Result<Server, Absent>,
}

/// The row that all others are compared with.
pub const BASELINE: &str = "hyper";

/// All, in the order of the table.
pub const ROWS: [Row; 12] = [
    row("router", "Dialplane", Does::Verifies, ours::router),
    row(BASELINE, "hyper, reads the body, fixed answer", Does::Answers, ours::hyper),
    row("limit", "tokio + httparse by hand, fixed answer", Does::Answers, |setup| {
        ours::rival("limit", setup)
    }),
    row("io-uring", "io_uring by hand", Does::Verifies, ours::io_uring),
    row("hyper-router", "a plain router on hyper", Does::Verifies, |setup| {
        ours::rival("hyper-router", setup)
    }),
    row("axum", "axum with serde, hmac, HashMap", Does::Verifies, |setup| ours::rival("axum", setup)),
    row("nginx", "nginx, return 200 of a constant", Does::Answers, nginx::constant),
    row("nginx-lua", "nginx with Lua", Does::Verifies, nginx::lua),
    row("haproxy", "HAProxy with a map", Does::LooksUp, haproxy::map),
    row("haproxy-lua", "HAProxy with a map, signature in Lua", Does::Verifies, haproxy::lua),
    row("express", "Express + PostgreSQL", Does::Verifies, postgres::express),
    row("fastapi", "FastAPI + PostgreSQL", Does::Verifies, postgres::fastapi),
];

const fn row(
    name: &'static str,
    what: &'static str,
    does: Does,
    start: fn(&Setup) -> Result<Server, Absent>,
) -> Row {
    Row { name, what, does, start }
}

/// The names, for the command line.
pub fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(ROWS.map(|row| row.name))
}
