//! `snapshot inspect` and `snapshot verify`: what a snapshot file holds, and whether a router could start from it.
//!
//! The file alone is looked at, not the one before it that a router would fall back to.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dialplane_common::feed::keyring::Keyring;
use serde_json::{Value, json};

use crate::snapshot::Snapshot;
use crate::snapshot::file;

/// What to do with a snapshot file.
#[derive(Subcommand, Debug)]
pub enum SnapshotCommand {
    /// Show which state the file holds, and how many records of each kind.
    Inspect(FileArguments),
    /// Check all signatures, the digest, and that every record can be read. Ends with 1 when a router couldn't start
    /// from it, or would be degraded.
    Verify(FileArguments),
}

/// A snapshot file.
#[derive(Args, Debug)]
pub struct FileArguments {
    /// The file, as ROUTER_SNAPSHOT_FILE names it.
    file: PathBuf,
    /// The key that signed it, or a list of keys: the routers' FEED_KEY.
    #[arg(long, env = "FEED_KEY", hide_env_values = true)]
    feed_key: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command; what it prints.
///
/// # Errors
/// One line that names the file and what is wrong with it.
pub fn run(command: &SnapshotCommand) -> Result<String, String> {
    match command {
        SnapshotCommand::Inspect(arguments) => {
            let found = describe(&arguments.file, &read(arguments)?)?;
            Ok(show(arguments, &found))
        }
        SnapshotCommand::Verify(arguments) => {
            let snapshot = read(arguments)?;
            let unreadable = snapshot.unreadable_records();
            if unreadable > 0 {
                let wrong = format!("{unreadable} records are of a newer version than this router reads");
                return Err(format!("{}: {wrong}", arguments.file.display()));
            }
            if arguments.json {
                return Ok(show(arguments, &describe(&arguments.file, &snapshot)?));
            }
            let (serving, records) = (snapshot.serving(), total(&snapshot));
            let file = arguments.file.display();
            Ok(format!("{file}: whole, {records} records at revision {}", serving.revision))
        }
    }
}

fn read(arguments: &FileArguments) -> Result<Snapshot, String> {
    let keys = Keyring::feed(&arguments.feed_key).map_err(|error| format!("FEED_KEY: {error}"))?;
    file::read_one(&arguments.file, &keys).map_err(|error| format!("{}: {error}", arguments.file.display()))
}

fn total(snapshot: &Snapshot) -> usize {
    snapshot.record_counts().iter().map(|(_, count)| count).sum()
}

fn describe(path: &Path, snapshot: &Snapshot) -> Result<Value, String> {
    let bytes = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len();
    let serving = snapshot.serving();
    let counts: serde_json::Map<String, Value> =
        snapshot.record_counts().into_iter().map(|(kind, count)| (kind.to_owned(), count.into())).collect();
    Ok(json!({
        "file": path.display().to_string(),
        "bytes": bytes,
        "epoch": serving.epoch.to_string(),
        "revision": serving.revision.0,
        "digest": serving.digest.to_string(),
        "records": counts,
        "unreadable_records": snapshot.unreadable_records(),
    }))
}

fn show(arguments: &FileArguments, found: &Value) -> String {
    if arguments.json {
        return serde_json::to_string_pretty(found).unwrap_or_default();
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let head = ["file", "bytes", "epoch", "revision", "digest"].map(|name| (name, text(&found[name])));
    let counts = found["records"].as_object().into_iter().flatten();
    let lines = head.into_iter().map(|(name, value)| format!("{name:<9}{value}"));
    let counted = counts.map(|(kind, count)| format!("{kind:<9}{count}"));
    let unreadable = format!("{:<9}{}", "unread", found["unreadable_records"]);
    lines.chain(counted).chain([unreadable]).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use dialplane_common::feed::Epoch;

    use super::*;

    const KEY: &str = "a-feed-key-of-some-length";

    fn arguments(file: &Path, feed_key: &str, json: bool) -> FileArguments {
        FileArguments { file: file.to_owned(), feed_key: feed_key.to_owned(), json }
    }

    #[test]
    fn tells_whole_files_from_damaged_and_strange_ones() {
        let name = format!("dialplane-inspect-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let keys = Keyring::feed(KEY).unwrap();
        let epoch = Epoch(uuid::Uuid::from_u128(1));
        file::write(&path, &Snapshot::empty(epoch), &keys, || ()).unwrap();
        let verify = |key: &str| run(&SnapshotCommand::Verify(arguments(&path, key, false)));
        assert_eq!(verify(KEY), Ok(format!("{}: whole, 0 records at revision 0", path.display())));
        let inspected = run(&SnapshotCommand::Inspect(arguments(&path, KEY, true))).unwrap();
        let found: Value = serde_json::from_str(&inspected).unwrap();
        assert_eq!((&found["epoch"], &found["records"]["number"]), (&json!(epoch.to_string()), &json!(0)));
        assert!(verify("another-key-of-some-length").is_err());
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let refused = verify(KEY).unwrap_err();
        assert!(refused.starts_with(&path.display().to_string()), "{refused}");
        std::fs::remove_file(&path).unwrap();
        assert!(verify(KEY).is_err());
    }
}
