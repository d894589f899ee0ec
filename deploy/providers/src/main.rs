//! `dialplane-providers`: the simulated providers, on one port.

use std::process::ExitCode;

use clap::Parser;
use dialplane_providers::server::Server;
use dialplane_providers::settings::Settings;
use dialplane_providers::simulator::Simulator;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Settings::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dialplane-providers: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
    let listen = settings.listen;
    let server = Server::bind(Simulator::new(settings)?, listen).await?;
    eprintln!("dialplane-providers: listening on http://{}, seed {}", server.address()?, server.seed());
    tokio::select! {
        () = server.serve() => {}
        () = stopped() => {}
    }
    Ok(())
}

/// Until somebody asks the program to end.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
