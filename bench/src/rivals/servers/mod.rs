//! The rivals that are written here, each run as `dialplane-bench rival NAME`.
//!
//! `limit` does nothing but HTTP; the others verify Twilio's signature and look the number up: `ring` and `plain` by one
//! `webhook`, `handlers` as one writes it with a framework. They answer the same document of some 300 bytes. None escapes
//! what it puts there, and none limits, counts or logs: what they leave out is in their favour.

mod handlers;
mod limit;
mod numbers;
mod plain;
mod ring;
mod webhook;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

use self::numbers::Numbers;
use self::webhook::Webhook;

/// Which to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Its name.
    name: Name,
    /// Where it listens.
    #[arg(long)]
    listen: SocketAddr,
    /// Its numbers: a line each, the number and its stream's URL.
    #[arg(long)]
    numbers: PathBuf,
}

/// The rivals that are written here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Name {
    /// tokio and httparse by hand, a fixed answer.
    Limit,
    /// `io_uring` by hand.
    IoUring,
    /// hyper.
    HyperRouter,
    /// axum with serde.
    Axum,
}

/// Serves until the process ends.
///
/// # Errors
/// When the numbers can't be read, the address is taken, or the system has no `io_uring`.
pub fn serve(options: &Options) -> Result<(), String> {
    let Options { name, listen, numbers } = options;
    let served = match name {
        Name::Limit => on_tokio(*listen, limit::serve),
        Name::IoUring => ring::serve(*listen, &Webhook::new(Numbers::read(numbers)?)?),
        Name::HyperRouter => {
            let webhook = Webhook::new(Numbers::read(numbers)?)?;
            on_tokio(*listen, |listener| plain::serve(listener, webhook))
        }
        Name::Axum => {
            let numbers = handlers::read(numbers)?;
            on_tokio(*listen, |listener| handlers::serve(listener, numbers))
        }
    };
    served.map_err(|error| error.to_string())
}

/// One thread, as each server has one core.
fn on_tokio<F: Future<Output = io::Result<()>>>(
    listen: SocketAddr,
    serve: impl FnOnce(TcpListener) -> F,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { serve(TcpListener::bind(listen).await?).await })
}
