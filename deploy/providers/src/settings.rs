//! What the program is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// Providers' REST APIs and calls, simulated.
#[derive(Clone, Debug, Parser)]
#[command(name = "dialplane-providers", version)]
pub struct Settings {
    /// Where to listen; port 0 is any that is free
    #[arg(long, env = "PROVIDERS_LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// File that keeps accounts, numbers and the ledger, so that a restart goes on; absent: memory alone
    #[arg(long, env = "PROVIDERS_STATE")]
    pub state: Option<PathBuf>,
    /// What goes wrong and how often: 429=0.02,500-after=0.02,twilio.buy:late=0.1
    #[arg(long, env = "PROVIDERS_FAULTS", default_value = "")]
    pub faults: String,
    /// What ids and faults are drawn from, to repeat a run; absent: another each time
    #[arg(long, env = "PROVIDERS_SEED")]
    pub seed: Option<u64>,
    /// How many numbers there are: default=100,212=0,vapi:415=2
    #[arg(long, env = "PROVIDERS_STOCK", default_value = "")]
    pub stock: String,
    /// Accounts that weren't declared by PUT /control/accounts don't exist
    #[arg(long, env = "PROVIDERS_STRICT")]
    pub strict: bool,
    /// How long orders, activations and the like take, in milliseconds
    #[arg(long, env = "PROVIDERS_SETTLE_MS", default_value_t = 1_000)]
    pub settle_ms: u64,
    /// How long slow answers take, in milliseconds
    #[arg(long, env = "PROVIDERS_SLOW_MS", default_value_t = 3_000)]
    pub slow_ms: u64,
    /// How long what lands late takes, in milliseconds
    #[arg(long, env = "PROVIDERS_LATE_MS", default_value_t = 4_000)]
    pub late_ms: u64,
}
