//! `import`: a file of numbers, tenants or settings into a running admin plane, with its progress.
//!
//! The file goes in parts, so that a connection that breaks off costs one part; `--resume` goes on with an import that
//! this command was stopped at.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::remote::{Remote, RemoteArguments, RemoteError, with_query};
use super::table;
use crate::Failure;
use crate::bulk::{Format, Kind};

const PART_BYTES: u64 = 8 << 20;
const ATTEMPTS_MAX: u32 = 10;
const RETRY_DELAY: Duration = Duration::from_secs(1);
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Where nobody watches a bar, a line now and then.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
const BAR_CHARS: usize = 30;
const ERRORS_SHOWN: &str = "20";

/// Settings of `import`.
#[derive(Args)]
pub struct ImportArguments {
    /// The file.
    file: PathBuf,
    /// What its lines are about.
    #[arg(long)]
    kind: Kind,
    /// How it is written; absent: by the file's ending.
    #[arg(long)]
    format: Option<Format>,
    /// Apply nothing unless all lines are good; else good lines are applied and bad ones reported.
    #[arg(long)]
    all_or_nothing: bool,
    /// Check all lines and apply none.
    #[arg(long)]
    dry_run: bool,
    /// The tenant that all lines are about, by its id.
    #[arg(long)]
    tenant: Option<String>,
    /// Go on with this import of the same file.
    #[arg(long, value_name = "ID")]
    resume: Option<String>,
    /// Print the import as JSON at its end.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArguments,
}

/// The format that is said, else the file's ending's.
///
/// # Errors
/// When neither says it.
pub fn format_of(said: Option<Format>, file: &Path) -> Result<Format, Failure> {
    let by_ending = match file.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Some(Format::Csv),
        Some("jsonl" | "ndjson") => Some(Format::Jsonl),
        _ => None,
    };
    said.or(by_ending)
        .ok_or_else(|| Failure::new("--format", &"wanted csv or jsonl, as the file's ending is neither"))
}

/// Runs the command.
///
/// # Errors
/// When the file can't be read, the admin plane refuses it, or a line of it is bad.
pub async fn run(arguments: ImportArguments) -> Result<(), Failure> {
    let format = format_of(arguments.format, &arguments.file)?;
    let what = format!("read {}", arguments.file.display());
    let read = |error: std::io::Error| Failure::new(&what, &error);
    let file = File::open(&arguments.file).map_err(read)?;
    let length = file.metadata().map_err(read)?.len();
    let json = arguments.json;
    let mut query = vec![("kind", arguments.kind.name()), ("format", format.name())];
    query.push(("mode", if arguments.all_or_nothing { "all_or_nothing" } else { "best_effort" }));
    query.extend(arguments.dry_run.then_some(("dry_run", "true")));
    query.extend(arguments.tenant.as_deref().map(|tenant| ("tenant_id", tenant)));
    let remote = arguments.remote.remote()?;
    let failed = |error: RemoteError| Failure::new("import", &error);
    let id = match arguments.resume {
        Some(id) => id,
        None => create(&remote, &query).await.map_err(failed)?,
    };
    let mut progress = Progress::new();
    progress.say(&format!("import {id}: stopped, it goes on with --resume {id}"));
    let mut sending = Sending { remote: &remote, id: &id, file, length };
    sending.all(&mut progress).await?;
    let import = follow(&remote, &id, &mut progress).await?;
    progress.end();
    report(&remote, &import, json).await
}

async fn create(remote: &Remote, query: &[(&str, &str)]) -> Result<String, RemoteError> {
    let request = remote.request(Method::POST, &with_query("/imports", query));
    let import: Value = remote.send(request.header("Upload-Complete", "?0")).await?.json().await?;
    Ok(import["id"].as_str().unwrap_or_default().to_owned())
}

/// A file on its way.
struct Sending<'a> {
    remote: &'a Remote,
    id: &'a str,
    file: File,
    length: u64,
}

impl Sending<'_> {
    /// Sends what the admin plane doesn't have, again from where it is when the connection breaks off.
    async fn all(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        let mut attempts = 0;
        loop {
            match self.rest(progress, &mut attempts).await {
                Ok(()) => return Ok(()),
                Err(Stop::Broken(error)) if attempts < ATTEMPTS_MAX => {
                    attempts += 1;
                    progress.say(&format!("{error}; trying again"));
                    tokio::time::sleep(RETRY_DELAY).await;
                }
                Err(Stop::Broken(error) | Stop::Failed(error)) => return Err(Failure::new("import", &error)),
            }
        }
    }

    async fn rest(&mut self, progress: &mut Progress, attempts: &mut u32) -> Result<(), Stop> {
        let path = format!("/imports/{}/content", self.id);
        let head = self.remote.send(self.remote.request(Method::HEAD, &path)).await?;
        let header = |name: &str| head.headers().get(name).and_then(|value| value.to_str().ok());
        if header("upload-complete") == Some("?1") {
            return Ok(());
        }
        let offset = |value: Option<&str>| value.and_then(|offset| offset.parse::<u64>().ok());
        let mut at = offset(header("upload-offset")).unwrap_or_default();
        let mut part_bytes = PART_BYTES;
        loop {
            let part = self.part(at, part_bytes).map_err(|error| Stop::Failed(error.to_string()))?;
            let is_last = at + part.len() as u64 >= self.length;
            let request = self.remote.request(Method::PATCH, &path);
            let request = request
                .header("Content-Type", "application/partial-upload")
                .header("Upload-Offset", at.to_string())
                .header("Upload-Complete", if is_last { "?1" } else { "?0" })
                .body(part);
            let answer = self.remote.send(request).await?;
            let kept = answer.headers().get("upload-offset").and_then(|value| value.to_str().ok());
            let kept = offset(kept).unwrap_or(at);
            if is_last {
                return Ok(());
            }
            // A record that no part holds whole.
            part_bytes = if kept == at { part_bytes * 2 } else { PART_BYTES };
            if kept > at {
                *attempts = 0;
            }
            at = kept;
            progress.bar("uploading", at, self.length, "bytes", 0);
        }
    }

    fn part(&mut self, at: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut part = Vec::new();
        (&self.file).take(bytes).read_to_end(&mut part)?;
        Ok(part)
    }
}

/// Why sending stopped.
enum Stop {
    /// It may go on.
    Broken(String),
    /// It won't.
    Failed(String),
}

impl From<RemoteError> for Stop {
    fn from(error: RemoteError) -> Self {
        match &error {
            RemoteError::Refused { status, .. }
                if !status.is_server_error() && *status != StatusCode::CONFLICT =>
            {
                Self::Failed(error.to_string())
            }
            _ => Self::Broken(error.to_string()),
        }
    }
}

/// Shows the import's progress until it is over, or ready after a dry run.
async fn follow(remote: &Remote, id: &str, progress: &mut Progress) -> Result<Value, Failure> {
    let mut attempts = 0;
    loop {
        let import = match remote.get(&format!("/imports/{id}"), &[]).await {
            Ok(import) => import,
            Err(RemoteError::Unreachable(_)) if attempts < ATTEMPTS_MAX => {
                attempts += 1;
                tokio::time::sleep(RETRY_DELAY).await;
                continue;
            }
            Err(error) => return Err(Failure::new("follow the import", &error)),
        };
        attempts = 0;
        let count = |name: &str| import[name].as_u64().unwrap_or_default();
        let applied = count("lines_created") + count("lines_changed") + count("lines_unchanged");
        let (lines, bad) = (count("lines_received"), count("lines_bad"));
        match import["state"].as_str().unwrap_or_default() {
            "validating" => progress.bar("validating", count("lines_checked"), lines, "lines", bad),
            "applying" => progress.bar("applying", applied + bad, lines, "lines", bad),
            _ => return Ok(import),
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

async fn report(remote: &Remote, import: &Value, json: bool) -> Result<(), Failure> {
    let state = import["state"].as_str().unwrap_or_default();
    let bad = import["lines_bad"].as_u64().unwrap_or_default();
    if json {
        table::print(&serde_json::to_string_pretty(import).unwrap_or_default());
    } else {
        let count = |name: &str| import[format!("lines_{name}")].to_string();
        table::print(&format!(
            "{state}: {} lines, {} created, {} changed, {} unchanged, {bad} bad",
            count("received"),
            count("created"),
            count("changed"),
            count("unchanged"),
        ));
    }
    if bad > 0 {
        let path = format!("/imports/{}/errors", import["id"].as_str().unwrap_or_default());
        let page = remote.get(&path, &[("limit", ERRORS_SHOWN)]).await.unwrap_or_default();
        for error in page["items"].as_array().into_iter().flatten() {
            eprintln!("line {}: {}", error["line"], error["message"].as_str().unwrap_or_default());
        }
        if page["next"].is_string() {
            eprintln!("and more: GET /api/v2{path}");
        }
    }
    match (state, bad) {
        ("done" | "ready", 0) => Ok(()),
        ("done" | "ready", bad) => Err(Failure::new("import", &format!("{bad} lines are bad"))),
        _ => Err(Failure::new("import", &import["failure"].as_str().unwrap_or(state))),
    }
}

/// A bar on a terminal; elsewhere, lines.
struct Progress {
    is_terminal: bool,
    said: Option<(String, Instant)>,
    is_open: bool,
}

impl Progress {
    fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), said: None, is_open: false }
    }

    fn say(&mut self, line: &str) {
        self.end();
        eprintln!("{line}");
    }

    fn bar(&mut self, doing: &str, done: u64, of: u64, unit: &str, bad: u64) {
        let text = bar(doing, done, of, unit, bad);
        if self.is_terminal {
            eprint!("\r\x1b[K{text}");
            self.is_open = true;
            return;
        }
        let is_new =
            self.said.as_ref().is_none_or(|(said, at)| said != doing || at.elapsed() >= LINE_INTERVAL);
        if is_new {
            self.said = Some((doing.to_owned(), Instant::now()));
            eprintln!("{text}");
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_open) {
            eprintln!();
        }
    }
}

fn bar(doing: &str, done: u64, of: u64, unit: &str, bad: u64) -> String {
    let share = if of == 0 { 1.0 } else { (done as f64 / of as f64).min(1.0) };
    let full = (share * BAR_CHARS as f64) as usize;
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR_CHARS - full));
    let bad = if bad == 0 { String::new() } else { format!(", {bad} bad") };
    format!("{doing:10} [{bar}] {:3.0} % {done}/{of} {unit}{bad}", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill() {
        assert_eq!(
            bar("applying", 5, 10, "lines", 1),
            "applying   [###############---------------]  50 % 5/10 lines, 1 bad"
        );
        assert!(bar("validating", 0, 0, "lines", 0).contains("100 %"));
    }

    #[test]
    fn formats_follow_the_files_ending() {
        let name = |file: &str| format_of(None, Path::new(file)).map(Format::name).ok();
        assert_eq!((name("a.csv"), name("a.jsonl"), name("-")), (Some("csv"), Some("jsonl"), None));
    }
}
