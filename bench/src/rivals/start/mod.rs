//! How each server is started, with the same numbers.

pub mod haproxy;
pub mod nginx;
pub mod ours;
pub mod postgres;

use std::cell::OnceCell;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::calls::{AUTH_TOKEN, PUBLIC_URL};
use crate::load::server::Server;
use crate::signing::mac;
use crate::system::{Process, TempDir, free_port};
use crate::workload;

/// What servers are started with.
pub struct Setup {
    /// How many numbers each holds.
    pub numbers: u64,
    /// A line for each number: it, a blank, its stream's URL.
    map: PathBuf,
    dir: TempDir,
    database: OnceCell<postgres::Numbers>,
}

/// Why a server isn't measured.
#[derive(Debug)]
pub enum Absent {
    /// It isn't here; says what would bring it.
    Missing(String),
    /// It is, and doesn't do what it should.
    Broken(String),
}

impl Setup {
    /// Writes the numbers down.
    ///
    /// # Errors
    /// When there is no place for them.
    pub fn new(numbers: u64) -> Result<Self, String> {
        let dir = TempDir::new();
        let map = dir.path("numbers");
        let mut lines = String::new();
        for location in (0..numbers).map_while(workload::location) {
            let _ = writeln!(lines, "{} {}", location.number, location.stream_url);
        }
        fs::write(&map, lines).map_err(|error| format!("{}: {error}", map.display()))?;
        Ok(Self { numbers, map, dir, database: OnceCell::new() })
    }

    /// Writes a file of `bench/rivals` with its `@PLACES@` filled in, and says where.
    fn fill(&self, source: &str, port: u16) -> Result<PathBuf, Absent> {
        let text = fs::read_to_string(folder().join(source));
        let text = text.map_err(|error| Absent::Broken(format!("{source}: {error}")))?;
        let places = [
            ("@PORT@", port.to_string()),
            ("@DICTIONARY_KIB@", (self.numbers / 4 + 1024).to_string()),
            ("@MAP@", self.map.to_string_lossy().into_owned()),
            ("@DIR@", self.dir.path("").to_string_lossy().trim_end_matches('/').to_owned()),
            ("@AUTH_TOKEN@", AUTH_TOKEN.to_owned()),
            ("@AUTH_TOKEN_BASE64@", mac::base64(AUTH_TOKEN.as_bytes())),
            ("@PUBLIC_URL@", PUBLIC_URL.to_owned()),
        ];
        let text = places.iter().fold(text, |text, (place, value)| text.replace(place, value));
        let path = self.dir.path(&source.replace('/', "-"));
        fs::write(&path, text).map_err(|error| Absent::Broken(format!("{}: {error}", path.display())))?;
        Ok(path)
    }
}

/// Starts a command on a port that it was told.
fn listening(command: Command, port: u16) -> Result<Server, Absent> {
    let (process, address) = Process::listening(command, port).map_err(Absent::Broken)?;
    Ok(Server::new(process, address, "<Response>"))
}

/// Configurations and programs of the others.
fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/rivals"))
}

/// What isn't installed, with the command that does it.
fn missing(install: &str) -> Absent {
    Absent::Missing(format!("not installed; to have it: {install}"))
}

/// A program of the system's.
fn program(name: &str, install: &str) -> Result<PathBuf, Absent> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&paths).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()));
    found.ok_or_else(|| missing(install))
}
