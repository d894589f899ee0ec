//! `explain`: why a call goes where it goes.

use clap::Args;

use super::remote::RemoteArguments;
use super::table;
use crate::Failure;

/// Settings of `explain`.
#[derive(Args)]
pub struct ExplainArguments {
    /// The called number or SIP URI: +12125550001.
    #[arg(long)]
    to: String,
    /// The caller; absent: one who withholds the number.
    #[arg(long)]
    from: Option<String>,
    /// When, as 2026-12-24T20:00:00Z; absent: now.
    #[arg(long)]
    at: Option<String>,
    /// The provider's name of the call, on which shares of the calls depend.
    #[arg(long)]
    call_id: Option<String>,
    #[command(flatten)]
    remote: RemoteArguments,
}

/// Runs the command.
///
/// # Errors
/// When the admin plane refuses or can't be reached.
pub async fn run(arguments: ExplainArguments) -> Result<(), Failure> {
    let remote = arguments.remote.remote()?;
    let optional = [("from", &arguments.from), ("at", &arguments.at), ("call_id", &arguments.call_id)];
    let mut query = vec![("to", arguments.to.as_str())];
    query.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
    let answer = remote.get("/explain", &query).await.map_err(|error| Failure::new("explain", &error))?;
    table::print(&serde_json::to_string_pretty(&answer).unwrap_or_default());
    Ok(())
}
