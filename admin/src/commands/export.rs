//! `export`: numbers, tenants or settings into a file that `import` takes.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;

use super::import::format_of;
use super::remote::{RemoteArguments, with_query};
use crate::Failure;
use crate::bulk::{Format, Kind};

/// Settings of `export`.
#[derive(Args)]
pub struct ExportArguments {
    /// Where to write; `-`: standard output. A file is there when it is whole.
    file: PathBuf,
    /// What lines are about.
    #[arg(long)]
    kind: Kind,
    /// How it is written; absent: by the file's ending.
    #[arg(long)]
    format: Option<Format>,
    /// This tenant's alone, by its id.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    remote: RemoteArguments,
}

/// Runs the command.
///
/// # Errors
/// When the admin plane refuses or goes away, or the file can't be written: none is left then.
pub async fn run(arguments: ExportArguments) -> Result<(), Failure> {
    let format = format_of(arguments.format, &arguments.file)?;
    let remote = arguments.remote.remote()?;
    let mut query = vec![("kind", arguments.kind.name()), ("format", format.name())];
    query.extend(arguments.tenant.as_deref().map(|tenant| ("tenant_id", tenant)));
    let failed = |error: &dyn std::fmt::Display| Failure::new("export", &error.to_string());
    let mut response = remote
        .send(remote.request(Method::GET, &with_query("/exports", &query)))
        .await
        .map_err(|error| failed(&error))?;
    let mut out = Out::create(&arguments.file).map_err(|error| failed(&error))?;
    let mut bytes: u64 = 0;
    while let Some(part) = response.chunk().await.map_err(|error| failed(&error))? {
        out.write(&part).map_err(|error| failed(&error))?;
        bytes += part.len() as u64;
        if std::io::stderr().is_terminal() {
            eprint!("\r{:.1} MB", bytes as f64 / 1e6);
        }
    }
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    out.finish().map_err(|error| failed(&error))
}

/// Standard output, or a file beside its name until it is whole.
enum Out {
    Stdout(std::io::Stdout),
    File { file: std::fs::File, beside: PathBuf, name: PathBuf },
}

impl Out {
    fn create(name: &Path) -> std::io::Result<Self> {
        if name == Path::new("-") {
            return Ok(Self::Stdout(std::io::stdout()));
        }
        let mut beside = name.as_os_str().to_owned();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        Ok(Self::File { file: std::fs::File::create(&beside)?, beside, name: name.to_owned() })
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Stdout(out) => out.write_all(bytes),
            Self::File { file, .. } => file.write_all(bytes),
        }
    }

    fn finish(self) -> std::io::Result<()> {
        match self {
            Self::Stdout(mut out) => out.flush(),
            Self::File { file, beside, name } => {
                file.sync_all()?;
                std::fs::rename(beside, name)
            }
        }
    }
}
