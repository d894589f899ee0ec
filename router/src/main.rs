//! The router: reads its settings, serves, drains.

use std::process::ExitCode;

use clap::Parser;
use dialplane_router::config::Arguments;
use dialplane_router::{app, telemetry};

// The system's own allocator puts less than half of a large snapshot on huge pages, and only when its environment says so.
// What is asked of this one stands in .cargo/config.toml.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let run = || {
        let config = Arguments::parse().check().map_err(|error| error.to_string())?;
        telemetry::start(config.log_format, &config.log_level)?;
        app::run(config).map_err(|error| error.to_string())
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("dialplane-router: {line}");
            ExitCode::FAILURE
        }
    }
}
