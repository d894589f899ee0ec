//! `fleet`: where the feed is, and which routers serve it.

use clap::Args;
use serde_json::{Value, json};

use super::remote::RemoteArguments;
use super::table;
use crate::Failure;

/// Settings of `fleet`.
#[derive(Args)]
pub struct FleetArguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArguments,
}

/// Runs the command.
///
/// # Errors
/// When the admin plane refuses or can't be reached; when a live router is degraded, so that a script notices.
pub async fn run(arguments: FleetArguments) -> Result<(), Failure> {
    let remote = arguments.remote.remote()?;
    let failed = |error| Failure::new("ask for the fleet", &error);
    let feed = remote.get("/feed", &[]).await.map_err(failed)?;
    let routers = remote.get("/routers", &[]).await.map_err(failed)?;
    let routers = routers["items"].as_array().cloned().unwrap_or_default();
    if arguments.json {
        let both = json!({"feed": feed, "routers": routers});
        table::print(&serde_json::to_string_pretty(&both).unwrap_or_default());
    } else {
        let (revision, published) = (&feed["revision"], &feed["published_revision"]);
        table::print(&format!("feed at {revision}, published {published}, Redis {}", word(&feed["redis"])));
        let columns =
            ["id", "version", "live", "current", "revision", "lag", "delay_us", "seen_ms_ago", "state"];
        let rows: Vec<Value> = routers.iter().cloned().map(row).collect();
        table::print_rows(false, &columns, &rows);
    }
    let degraded: Vec<&str> = routers
        .iter()
        .filter(|router| router["live"] == true && state(router) != "ok")
        .filter_map(|router| router["id"].as_str())
        .collect();
    if degraded.is_empty() { Ok(()) } else { Err(Failure::new("routers are degraded", &degraded.join(", "))) }
}

fn row(mut router: Value) -> Value {
    router["revision"] = router["serving"]["revision"].clone();
    router["state"] = state(&router).into();
    router
}

fn state(router: &Value) -> &'static str {
    if router["digest_alarm"] == true {
        "digest alarm"
    } else if router["unreadable_records"] != 0 {
        "unreadable records"
    } else if router["wants_checkpoint"] == true {
        "wants a checkpoint"
    } else {
        "ok"
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
