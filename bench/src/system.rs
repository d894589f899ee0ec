//! The real programs as child processes, each on ports of its own, with a Redis of its own.
//!
//! Dropping a process kills it. What a program prints on standard error is kept and shown when it doesn't start.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

/// Keys for tests and measurements; nobody else's.
pub const FEED_KEY: &str = "a-feed-key-for-tests-only-0123456789";
/// The key that seals credentials in Postgres.
pub const ENCRYPTION_KEY: &str = "an-encryption-key-for-tests-0123456789";
/// The first operator key.
pub const OPERATOR_KEY: &str = "an-operator-key-for-tests-0123456789";

const START_TIMEOUT: Duration = Duration::from_secs(60);
/// An autovacuum, which takes its time, is done with a table of a million rows.
const VACUUM_TIMEOUT: Duration = Duration::from_secs(600);

/// A directory that is removed again.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// A new one.
    ///
    /// # Panics
    /// When the system has no place for it: nothing can be measured then.
    #[must_use]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("dialplane-{}", Uuid::now_v7().simple()));
        must(fs::create_dir_all(&path), "create a temporary directory");
        Self(path)
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Default for TempDir {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A child process with what it printed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    _dir: TempDir,
}

impl Process {
    fn spawn(mut command: Command) -> (Self, BufReader<std::process::ChildStdout>) {
        let mut process = Self::spawn_quiet(command.stdout(Stdio::piped()));
        let stdout = process.child.stdout.take();
        (process, BufReader::new(must(stdout.ok_or("no pipe"), "read standard output")))
    }

    /// Starts a program that says nothing that anybody reads. What it prints goes where the command says.
    fn spawn_quiet(command: &mut Command) -> Self {
        let dir = TempDir::new();
        let log = dir.path("stderr.log");
        let file = must(File::create(&log), "create a log");
        let child = command.stdin(Stdio::null()).stderr(file).spawn();
        let child = must(
            child,
            &format!("start {:?}; build it first: cargo build --workspace", command.get_program()),
        );
        Self { child, log, _dir: dir }
    }

    /// Starts a program that prints one address, behind the word `name`.
    #[must_use]
    pub fn start(command: Command, name: &str) -> (Self, SocketAddr) {
        let (process, mut stdout) = Self::spawn(command);
        let [address] = announced(&process, &mut stdout, [name]);
        (process, address)
    }

    /// Starts a program that announces nothing, and waits until it listens on the port that it was told.
    ///
    /// # Errors
    /// When it ends instead: what it said on standard error.
    pub fn listening(mut command: Command, port: u16) -> Result<(Self, SocketAddr), String> {
        let mut process = Self::spawn_quiet(command.stdout(Stdio::null()));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut ended = false;
        wait_for("a program to listen", || {
            ended = process.child.try_wait().is_ok_and(|status| status.is_some());
            ended || TcpStream::connect(address).is_ok()
        });
        if ended { Err(process.log()) } else { Ok((process, address)) }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed on standard error.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`, and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name: `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status();
        must(status, "run kill");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it doesn't end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("a process to end", || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        must(status.ok_or("still running"), "wait for a process")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until `ready` holds: asks again and again, up to a deadline that only a fault reaches.
///
/// # Panics
/// At the deadline.
pub fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + START_TIMEOUT;
    while !ready() {
        assert!(Instant::now() < deadline, "waited {START_TIMEOUT:?} for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[expect(clippy::panic, reason = "without the system there is nothing to measure or to test")]
fn must<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// A program of this workspace, built in the same profile as this one.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let own = must(std::env::current_exe(), "find this program");
    let folder = own.parent().unwrap_or(Path::new("."));
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    folder.join(name)
}

/// A command for a program with nothing of this process's settings.
fn command(name: &str) -> Command {
    command_of(&program(name))
}

fn command_of(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command.envs(["PATH", "HOME", "TMPDIR"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.env("FEED_KEY", FEED_KEY);
    command
}

/// The addresses that a program announces on its first line.
fn announced<const N: usize>(
    process: &Process,
    stdout: &mut impl BufRead,
    names: [&str; N],
) -> [SocketAddr; N] {
    let line = first_line(stdout);
    names.map(|name| must(address(&line, name).ok_or_else(|| process.log()), "start"))
}

fn first_line(stdout: &mut impl BufRead) -> String {
    let mut line = String::new();
    must(stdout.read_line(&mut line), "read the first line");
    line
}

/// The address behind a word of a line.
fn address(line: &str, name: &str) -> Option<SocketAddr> {
    let url = line.split_whitespace().skip_while(|word| *word != name).nth(1)?;
    url.split_once("://")?.1.parse().ok()
}

/// A port that nothing listens on. Below those that the system gives out by itself, so that no connection of another
/// test takes it in the meantime, nor while what listens there is restarted.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let own = std::process::id().wrapping_mul(101);
    let mut ports = std::iter::repeat_with(|| {
        let place = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        FIRST + u16::try_from(place).unwrap_or_default()
    });
    let free = ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    must(free.ok_or("all are taken"), "find a free port")
}

/// A Redis of one's own.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    port: u16,
}

impl Redis {
    /// Starts one on a free port.
    #[must_use]
    pub fn start() -> Self {
        let mut redis = Self { process: None, port: free_port() };
        redis.restart();
        redis
    }

    /// Starts it again, empty, on the same port.
    pub fn restart(&mut self) {
        self.stop();
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.args(["--maxmemory-policy", "noeviction", "--daemonize", "no"]);
        // A pipe that nobody reads would end it at its first word.
        let process = Process::spawn_quiet(command.stdout(Stdio::null()));
        wait_for("Redis", || TcpStream::connect(self.address()).is_ok());
        self.process = Some(process);
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Lets it hang, or go on: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            process.signal(name);
        }
    }

    /// Its process id; absent while it is stopped.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// A connection.
    #[must_use]
    pub fn connection(&self) -> redis::Connection {
        let client = must(redis::Client::open(self.url()), "connect to Redis");
        must(client.get_connection(), "connect to Redis")
    }
}

/// A database of one's own, on the server that `DATABASE_URL` names.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Creates an empty one.
    #[must_use]
    pub fn create() -> Self {
        let wanted = "wanted DATABASE_URL; run this under: deploy/services exec --ephemeral -- COMMAND";
        let server = must(std::env::var("DATABASE_URL").map_err(|_| wanted), "find Postgres");
        let name = format!("dialplane_{}", Uuid::now_v7().simple());
        let database = Self { server, name };
        psql(&database.server, &format!("create database {}", database.name));
        database
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        let (before, options) =
            self.server.split_once('?').map_or((&*self.server, ""), |(url, rest)| (url, rest));
        let base = before.rsplit_once('/').map_or(before, |(base, _)| base);
        let question = if options.is_empty() { "" } else { "?" };
        format!("{base}/{}{question}{options}", self.name)
    }

    /// Its URL for connections that PostgreSQL knows by a name.
    #[must_use]
    pub fn url_as(&self, application: &str) -> String {
        let url = self.url();
        let sign = if url.contains('?') { '&' } else { '?' };
        format!("{url}{sign}application_name={application}")
    }

    /// The processes that serve the connections of such a name.
    #[must_use]
    pub fn backends(&self, application: &str) -> Vec<u32> {
        let of = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{application}'"
        );
        self.query(&of).lines().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Ends all its connections and takes no new ones.
    pub fn leave(&self) {
        psql(&self.server, &format!("alter database {} allow_connections false", self.name));
        let ended =
            format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'", self.name);
        psql(&self.server, &ended);
    }

    /// Takes connections again.
    pub fn come_back(&self) {
        psql(&self.server, &format!("alter database {} allow_connections true", self.name));
    }

    /// Runs SQL in it as the login role; the rows as unaligned text.
    #[must_use]
    pub fn query(&self, sql: &str) -> String {
        psql(&self.url(), sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("drop database if exists {} with (force)", self.name);
        // An autovacuum that is at a large table belongs to nobody whom we may end: it ends by itself.
        let is_vacuumed = |error: &String| error.contains("pg_signal_backend");
        let deadline = Instant::now() + VACUUM_TIMEOUT;
        let mut dropped = try_psql(&self.server, &sql);
        while dropped.as_ref().is_err_and(is_vacuumed) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
            dropped = try_psql(&self.server, &sql);
        }
        assert!(dropped.is_ok() || std::thread::panicking(), "{dropped:?}");
    }
}

fn psql(url: &str, sql: &str) -> String {
    let done = try_psql(url, sql);
    assert!(done.is_ok() || std::thread::panicking(), "{done:?}");
    done.unwrap_or_default()
}

fn try_psql(url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new("psql")
        .args([
            url,
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set",
            "ON_ERROR_STOP=1",
            "--command",
            sql,
        ])
        .env("PGOPTIONS", "--client-min-messages=warning")
        .output();
    let output = must(output, "run psql");
    let error = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("psql: {sql}: {error}"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A running router.
#[derive(Debug)]
pub struct Router {
    /// The process.
    pub process: Process,
    /// Where webhooks go.
    pub address: SocketAddr,
    /// Where they go over TLS.
    pub tls: Option<SocketAddr>,
    /// Where operations go.
    pub ops: SocketAddr,
}

impl Router {
    /// Starts one with these settings beside the common ones. `on` is the webhooks' port, 0 for any.
    #[must_use]
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_program(&program("dialplane-router"), settings)
    }

    /// The same of another build of it.
    #[must_use]
    pub fn start_program(program: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = command_of(program);
        command.envs([("ROUTER_LISTEN", "127.0.0.1:0"), ("ROUTER_OPS_LISTEN", "127.0.0.1:0")]);
        command.envs(settings.iter().copied());
        let (process, mut stdout) = Process::spawn(command);
        let line = first_line(&mut stdout);
        let [webhooks, ops] =
            ["webhooks", "ops"].map(|name| must(address(&line, name).ok_or_else(|| process.log()), "start"));
        Self { process, address: webhooks, tls: address(&line, "tls"), ops }
    }

    /// Starts one that is meant to fail; its exit status and what it says.
    #[must_use]
    pub fn fail(settings: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut command = command("dialplane-router");
        command.envs([("ROUTER_LISTEN", "127.0.0.1:0"), ("ROUTER_OPS_LISTEN", "127.0.0.1:0")]);
        command.envs(settings.iter().copied());
        let mut process = Process::spawn_quiet(command.stdout(Stdio::null()));
        let status = process.wait();
        (status.code(), process.log().trim_end().to_owned())
    }
}

/// The simulated providers.
#[derive(Debug)]
pub struct Providers {
    /// The process.
    pub process: Process,
    /// Where they all are.
    pub address: SocketAddr,
}

impl Providers {
    /// Starts them with these settings.
    #[must_use]
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        let mut command = command("dialplane-providers");
        command.env("PROVIDERS_LISTEN", format!("127.0.0.1:{port}")).envs(settings.iter().copied());
        let (process, address) = must(Process::listening(command, port), "start the simulated providers");
        Self { process, address }
    }

    /// The settings by which the planes find them.
    #[must_use]
    pub fn bases(&self) -> Vec<(&'static str, String)> {
        [
            ("TWILIO_API_BASE", "twilio"),
            ("TWILIO_PRICING_API_BASE", "twilio-pricing"),
            ("TWILIO_NUMBERS_API_BASE", "twilio-numbers"),
            ("VAPI_API_BASE", "vapi"),
            ("ELEVENLABS_API_BASE", "elevenlabs"),
            ("RETELL_API_BASE", "retell"),
            ("TELNYX_API_BASE", "telnyx/v2"),
            ("PLIVO_API_BASE", "plivo"),
            ("VONAGE_API_BASE", "vonage"),
            ("VONAGE_REST_API_BASE", "vonage-rest"),
            ("SIGNALWIRE_API_BASE", "signalwire"),
            ("BANDWIDTH_API_BASE", "bandwidth"),
            ("LIVEKIT_API_BASE", "livekit"),
        ]
        .map(|(setting, path)| (setting, format!("http://{}/{path}", self.address)))
        .to_vec()
    }

    /// Asks for something besides the providers' own APIs.
    ///
    /// # Panics
    /// When it isn't done.
    pub fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("Content-Type", "application/json")];
        let answer = must(
            crate::http::request(self.address, method, path, &headers, text.as_bytes()),
            "ask the simulated providers",
        );
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
        serde_json::from_str(&answer.body).unwrap_or_default()
    }
}

/// A running admin plane.
#[derive(Debug)]
pub struct Admin {
    /// The process.
    pub process: Process,
    /// Where the API is.
    pub address: SocketAddr,
    /// Where operations go.
    pub ops: SocketAddr,
}

impl Admin {
    /// Starts one on a database and a Redis.
    #[must_use]
    pub fn start(database: &Database, redis: &Redis) -> Self {
        Self::start_with(database, redis, &[])
    }

    /// The same with more settings.
    #[must_use]
    pub fn start_with(database: &Database, redis: &Redis, settings: &[(&str, &str)]) -> Self {
        let mut command = command("dialplane-admin");
        command.args(["serve", "--migrate"]);
        command.envs([
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("ADMIN_OPS_LISTEN", "127.0.0.1:0"),
            ("ADMIN_BOOTSTRAP_KEY", OPERATOR_KEY),
            ("ADMIN_ENCRYPTION_KEY", ENCRYPTION_KEY),
        ]);
        command.env("DATABASE_URL", database.url()).env("REDIS_URL", redis.url());
        command.envs(settings.iter().copied());
        let (process, mut stdout) = Process::spawn(command);
        let [address, ops] = announced(&process, &mut stdout, ["api", "ops"]);
        Self { process, address, ops }
    }

    /// Starts one that is meant to fail, with nothing but these settings; its exit status and what it says.
    #[must_use]
    pub fn fail(settings: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut command = command("dialplane-admin");
        command.arg("serve").envs(settings.iter().copied());
        let mut process = Process::spawn_quiet(command.stdout(Stdio::null()));
        let status = process.wait();
        (status.code(), process.log().trim_end().to_owned())
    }
}
