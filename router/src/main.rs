//! The router: reads its settings, serves, drains.

use std::process::ExitCode;

use clap::Parser;
use dialplane_router::config::Arguments;
use dialplane_router::{app, telemetry};

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
