//! The router: reads its settings, serves, drains.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dialplane_router::config::Arguments;
use dialplane_router::inspect::{self, SnapshotCommand};
use dialplane_router::{app, telemetry};

// The system's own allocator puts less than half of a large snapshot on huge pages, and only when its environment says so.
// What is asked of this one stands in .cargo/config.toml.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Answers telephony and voice-AI webhooks from memory. Without a command it serves.
#[derive(Parser)]
#[command(name = "dialplane-router", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    arguments: Arguments,
}

/// What to do instead of serving.
#[derive(Subcommand)]
enum Command {
    /// Look into a snapshot file.
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
}

fn main() -> ExitCode {
    let run = || {
        let cli = Cli::parse();
        if let Some(Command::Snapshot(command)) = &cli.command {
            #[expect(clippy::print_stdout, reason = "what a command answers goes to standard output")]
            return inspect::run(command).map(|found| println!("{found}"));
        }
        let config = cli.arguments.check().map_err(|error| error.to_string())?;
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
