//! `check`: are the settings good, can what they name be reached, is the schema this program's.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::table;
use crate::Failure;
use crate::config::{ServeArguments, ServeSettings};
use crate::store::Store;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Settings of `check`: those of `serve`.
#[derive(Args)]
pub struct CheckArguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    serve: ServeArguments,
}

/// Runs the command.
///
/// # Errors
/// A setting that can't be used; something that isn't as it should be.
pub async fn run(arguments: CheckArguments) -> Result<(), Failure> {
    let settings = arguments.serve.settings()?;
    let bases = bases(&settings);
    let redis = redis(&settings).await;
    let (postgres, schema) = postgres(settings).await;
    let mut rows = vec![row("settings", &Ok("can be used".to_owned()))];
    rows.extend(bases);
    rows.extend(
        [("postgres", postgres), ("schema", schema), ("redis", redis)].map(|(what, found)| row(what, &found)),
    );
    table::print_rows(arguments.json, &["what", "ok", "found"], &rows);
    let bad: Vec<&str> =
        rows.iter().filter(|row| row["ok"] == false).filter_map(|row| row["what"].as_str()).collect();
    if bad.is_empty() { Ok(()) } else { Err(Failure::new("check", &format!("not good: {}", bad.join(", ")))) }
}

fn row(what: &str, found: &Result<String, String>) -> Value {
    let text = found.as_ref().unwrap_or_else(|wrong| wrong).replace('\n', " ");
    json!({"what": what, "ok": found.is_ok(), "found": text})
}

/// Where providers' APIs aren't at their usual place: nobody wants to find that out by a purchase.
fn bases(settings: &ServeSettings) -> Vec<Value> {
    let named = settings.provider_bases.named().iter();
    named.map(|base| row(base.setting, &Ok(format!("the provider's API is asked at {}", base.url)))).collect()
}

async fn postgres(settings: ServeSettings) -> (Result<String, String>, Result<String, String>) {
    let unreached = || Err("not looked at".to_owned());
    let store = match Store::new(&settings.database_url, Arc::new(settings.seal_keys)) {
        Ok(store) => store,
        Err(error) => return (Err(error.to_string()), unreached()),
    };
    let version = tokio::time::timeout(TIMEOUT, store.server_version()).await;
    let reached = match version {
        Ok(Ok(version)) => Ok(format!("PostgreSQL {version}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    };
    if reached.is_err() {
        return (reached, unreached());
    }
    let schema = match store.is_migrated().await {
        Ok(true) => Ok("as this program wants it".to_owned()),
        Ok(false) => Err("older than this program: run dialplane-admin migrate".to_owned()),
        Err(error) => Err(format!("{error}: run dialplane-admin migrate")),
    };
    (reached, schema)
}

async fn redis(settings: &ServeSettings) -> Result<String, String> {
    let ask = async {
        let mut connection = settings.redis.get_multiplexed_async_connection().await?;
        let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
        Ok::<_, redis::RedisError>(info)
    };
    let info = tokio::time::timeout(TIMEOUT, ask).await;
    let info = info.map_err(|_| format!("no answer within {} s", TIMEOUT.as_secs()))?;
    let info = info.map_err(|error| error.to_string())?;
    let value =
        |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("?");
    match value("maxmemory_policy").trim() {
        "noeviction" | "?" => Ok(format!("Redis {}", value("redis_version").trim())),
        policy => Err(format!("maxmemory-policy is {policy}: wanted noeviction, or the feed loses entries")),
    }
}
