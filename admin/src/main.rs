//! `dialplane-admin`: serves the control plane, migrates its schema, and does what operators do in a terminal.

use std::process::ExitCode;

use clap::Parser;
use dialplane_admin::commands::{check, explain, export, fleet, import, keys, reconcile, rotate_keys};
use dialplane_admin::config::{AuditCommand, Cli, Command, FeedCommand};
use dialplane_admin::{Failure, api, app, audit, demo, republish};

fn main() -> ExitCode {
    let outcome = run(Cli::parse().command);
    if let Err(failure) = &outcome {
        eprintln!("dialplane-admin: {failure}");
    }
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("start the runtime", &error))?;
    match command {
        Command::Serve(arguments) => runtime.block_on(app::serve(arguments.settings()?)),
        Command::Migrate(arguments) => runtime.block_on(app::migrate(arguments.settings()?)),
        Command::Openapi => {
            #[expect(clippy::print_stdout, reason = "printing it is what the command is for")]
            {
                print!("{}", api::openapi::document_text());
            }
            Ok(())
        }
        Command::Check(arguments) => runtime.block_on(check::run(*arguments)),
        Command::Keys(command) => runtime.block_on(keys::run(command)),
        Command::RotateKeys(arguments) => runtime.block_on(rotate_keys::run(arguments)),
        Command::Import(arguments) => runtime.block_on(import::run(arguments)),
        Command::Export(arguments) => runtime.block_on(export::run(arguments)),
        Command::Explain(arguments) => runtime.block_on(explain::run(arguments)),
        Command::Reconcile(arguments) => runtime.block_on(reconcile::run(arguments)),
        Command::Fleet(arguments) => runtime.block_on(fleet::run(arguments)),
        Command::Republish(arguments) | Command::Feed(FeedCommand::Republish(arguments)) => {
            runtime.block_on(republish::run(arguments.settings()?))
        }
        Command::Audit { command: AuditCommand::Verify(arguments) } => {
            runtime.block_on(audit::verify::run(arguments.settings()?))
        }
        Command::Demo(arguments) => runtime.block_on(demo::run(arguments)),
    }
}
