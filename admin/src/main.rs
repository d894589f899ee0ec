//! `dialplane-admin`: serves the control plane, migrates its schema, prints its OpenAPI document.

use std::process::ExitCode;

use clap::Parser;
use dialplane_admin::config::{AuditCommand, Cli, Command};
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
        Command::Republish(arguments) => runtime.block_on(republish::run(arguments.settings()?)),
        Command::Audit { command: AuditCommand::Verify(arguments) } => {
            runtime.block_on(audit::verify::run(arguments.settings()?))
        }
        Command::Demo(arguments) => runtime.block_on(demo::run(arguments)),
    }
}
