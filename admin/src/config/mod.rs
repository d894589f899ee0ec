//! Every command and every setting: flag, environment variable, default, and why that default.
//!
//! Settings are read as text and checked here, before anything is connected or bound, so that a bad one is one line
//! that names it.

mod access;
mod provisioning;

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::{Keys, NAMESPACE};
use dialplane_common::provider::public_url::PublicUrl;
use dialplane_common::secret::Secret;

pub use access::RateSettings;

use crate::commands::check::CheckArguments;
use crate::commands::explain::ExplainArguments;
use crate::commands::export::ExportArguments;
use crate::commands::fleet::FleetArguments;
use crate::commands::import::ImportArguments;
use crate::commands::keys::KeysCommand;
use crate::commands::reconcile::ReconcileArguments;
use crate::commands::rotate_keys::RotateArguments;
use crate::oidc::OidcSettings;
use crate::provisioning::client::bases::Bases;
use crate::provisioning::settings::ProvisioningSettings;
use crate::store::audit::Head;
use crate::telemetry::{LogFormat, LogSettings};

/// Loopback: whoever opens the API to a network decides so.
const LISTEN: &str = "127.0.0.1:8000";
const OPS_LISTEN: &str = "127.0.0.1:8001";
/// Postgres's own notices and each lost connection of the pool say nothing that isn't said better elsewhere.
const LOG_LEVEL: &str = "info,sqlx=warn";
/// A router that starts reads the checkpoint and at most this many entries behind it.
const CHECKPOINT_ENTRIES: &str = "10000";
/// As long as a mistake may take to be noticed: a month.
const NUMBER_QUARANTINE_DAYS: &str = "30";
const NUMBER_QUARANTINE_DAYS_MAX: u64 = 365;
/// A client that repeats a request after a day has another reason than a lost answer.
const IDEMPOTENCY_HOURS: &str = "24";
const IDEMPOTENCY_HOURS_MAX: u64 = 24 * 365;
/// A year's bills, and a month to look at the last.
const CALLS_RETENTION_DAYS: &str = "400";
const CALLS_RETENTION_DAYS_MIN: u32 = 31;
const CALLS_RETENTION_DAYS_MAX: u32 = 36_500;
const BOOTSTRAP_KEY_CHARS_MIN: usize = 16;

const IMPORT_EXAMPLES: &str = "Examples:
  dialplane-admin import --kind numbers --dry-run numbers.csv
  dialplane-admin import --kind numbers --all-or-nothing numbers.csv
  dialplane-admin import --kind settings --tenant 0198... settings.jsonl

A file of numbers, one that needs no more than its tenant:
  phone_number,tenant_external_id,display_name,timezone,agent,account
  +12125550001,salon-1,Broadway,America/New_York,Front desk,main";

/// The control plane of Dialplane.
#[derive(Parser)]
#[command(name = "dialplane-admin", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Serve the REST API and publish the feed.
    Serve(Box<ServeArguments>),
    /// Bring the database's schema to this program's version.
    Migrate(MigrateArguments),
    /// Print the OpenAPI document.
    Openapi,
    /// The same as feed republish.
    #[command(hide = true)]
    Republish(StoreArguments),
    /// Say whether the settings of serve are good, and what they name can be reached.
    Check(Box<CheckArguments>),
    /// Make, list and revoke keys of the API, directly in Postgres.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Seal stored credentials anew with the first key of ADMIN_ENCRYPTION_KEY. Stopped, it goes on when run again.
    RotateKeys(RotateArguments),
    /// Import a file of numbers, tenants or settings through a running admin plane.
    ///
    /// A line creates what isn't there, and sets of what is there the columns that the file has: an empty cell, or
    /// null, unsets. Numbers are known by phone_number or prefix, tenants by tenant_id or external_id.
    ///
    /// Ends with 1 when a line is bad, though the others are applied.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArguments),
    /// Export numbers, tenants or settings into a file that import takes.
    Export(ExportArguments),
    /// Explain a call that nobody makes: where it goes, by which rule, and why none before.
    Explain(ExplainArguments),
    /// Show where the feed is, and which routers serve it. Ends with 1 while a live router is degraded.
    Fleet(FleetArguments),
    /// Compare what accounts hold at their providers with what is believed here, and mend what differs as the settings
    /// say. Ends with 1 when a person has to see to something.
    Reconcile(ReconcileArguments),
    /// What concerns the feed of changes.
    #[command(subcommand)]
    Feed(FeedCommand),
    /// Look after the audit log.
    Audit {
        /// What to do with it.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Create a demo tenant over REST, once, and print a signed call to it.
    Demo(DemoArguments),
}

/// What to do with the feed.
#[derive(Subcommand)]
pub enum FeedCommand {
    /// Encode and seal every record anew with the first keys, and begin a new epoch of the feed.
    Republish(StoreArguments),
}

/// What to do with the audit log.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Walk the whole chain; print its length and its last hash, or fail at the first entry that isn't as it was sealed.
    Verify(VerifyArguments),
}

/// Settings of `serve`.
#[derive(Args)]
pub struct ServeArguments {
    /// Migrate the schema before serving.
    #[arg(long)]
    migrate: bool,
    /// Address of the REST API; port 0 takes a free one.
    #[arg(long, env = "ADMIN_LISTEN", default_value = LISTEN)]
    listen: String,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "ADMIN_OPS_LISTEN", default_value = OPS_LISTEN)]
    ops_listen: String,
    /// First operator key, at least 16 characters: kept (hashed) when it isn't known yet.
    #[arg(long, env = "ADMIN_BOOTSTRAP_KEY", hide_env_values = true)]
    bootstrap_key: Option<String>,
    /// Base URLs that providers call, separated by commas.
    #[arg(long, env = "PUBLIC_URLS")]
    public_urls: Option<String>,
    /// Entries of the feed after which a new checkpoint is written.
    #[arg(long, env = "ADMIN_CHECKPOINT_ENTRIES", default_value = CHECKPOINT_ENTRIES)]
    checkpoint_entries: String,
    /// How many days a phone number that its tenant deleted rests before it is released.
    #[arg(long, env = "ADMIN_NUMBER_QUARANTINE_DAYS", default_value = NUMBER_QUARANTINE_DAYS)]
    number_quarantine_days: String,
    /// Hours for which answers to requests with an Idempotency-Key are kept.
    #[arg(long, env = "ADMIN_IDEMPOTENCY_HOURS", default_value = IDEMPOTENCY_HOURS)]
    idempotency_hours: String,
    /// Days for which records of calls are kept; they go a month at a time.
    #[arg(long, env = "CALLS_RETENTION_DAYS", default_value = CALLS_RETENTION_DAYS)]
    calls_retention_days: String,
    #[command(flatten)]
    access: access::AccessArguments,
    #[command(flatten)]
    provisioning: provisioning::ProvisioningArguments,
    #[command(flatten)]
    redis: RedisArguments,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    log: LogArguments,
}

/// Settings of `migrate`.
#[derive(Args)]
pub struct MigrateArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    log: LogArguments,
}

/// Settings of `audit verify`.
#[derive(Args)]
pub struct VerifyArguments {
    /// An entry that the chain is known to have had: with --expect-hash, shows whether later ones were cut off or all was
    /// written anew.
    #[arg(long, requires = "expect_hash", value_name = "SEQ")]
    expect_seq: Option<u64>,
    /// That entry's hash, as an earlier run printed it.
    #[arg(long, requires = "expect_seq", value_name = "HASH")]
    expect_hash: Option<String>,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    log: LogArguments,
}

/// Settings of `demo`.
#[derive(Args)]
pub struct DemoArguments {
    /// Give the platform accounts at the simulated providers, to buy numbers and make agents with.
    #[arg(long)]
    pub simulated_providers: bool,
    /// The admin plane.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    pub admin_url: String,
    /// The router's webhook listener.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub router_url: String,
    /// An operator key.
    #[arg(long, env = "ADMIN_BOOTSTRAP_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Base URLs that providers call: the signature covers the first.
    #[arg(long, env = "PUBLIC_URLS")]
    pub public_urls: Option<String>,
}

/// Settings of commands that work in Postgres.
#[derive(Args)]
pub struct StoreArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    log: LogArguments,
}

#[derive(Args)]
struct RedisArguments {
    /// Redis, as a URL.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// What all keys and channels in Redis begin with.
    #[arg(long, env = "REDIS_NAMESPACE", default_value = NAMESPACE)]
    redis_namespace: String,
}

#[derive(Args)]
struct DatabaseArguments {
    /// Postgres, as a URL.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

#[derive(Args)]
struct KeyArguments {
    /// Keys that seal stored credentials: the first seals, all open.
    #[arg(long, env = "ADMIN_ENCRYPTION_KEY", hide_env_values = true)]
    encryption_key: Option<String>,
    /// Keys that seal and sign the feed: the first seals and signs, all open and verify.
    #[arg(long, env = "FEED_KEY", hide_env_values = true)]
    feed_key: Option<String>,
}

#[derive(Args)]
struct LogArguments {
    /// `text` or `json`.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    log_format: String,
    /// Least level, or a filter such as `info,sqlx=debug`.
    #[arg(long, env = "LOG_LEVEL", default_value = LOG_LEVEL)]
    log_level: String,
}

/// A setting that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}{}: {wanted}", shown(.value.as_deref()))]
pub struct SettingError {
    name: &'static str,
    /// Absent for secrets and for settings that aren't set.
    value: Option<String>,
    wanted: String,
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(String::new, |value| format!("={}", value.escape_debug()))
}

impl SettingError {
    fn new(name: &'static str, value: &str, wanted: impl Display) -> Self {
        Self { name, value: Some(value.to_owned()), wanted: wanted.to_string() }
    }

    /// Without the value: it is a secret, or isn't there.
    fn unshown(name: &'static str, wanted: impl Display) -> Self {
        Self { name, value: None, wanted: wanted.to_string() }
    }
}

/// What `serve` needs, checked.
pub struct ServeSettings {
    /// Whether to migrate first.
    pub migrate: bool,
    /// Address of the REST API.
    pub listen: SocketAddr,
    /// Address of the operations endpoints.
    pub ops_listen: SocketAddr,
    /// First operator key.
    pub bootstrap_key: Option<Secret>,
    /// Base URLs that providers call.
    pub public_urls: Vec<PublicUrl>,
    /// What is wanted of provisioning.
    pub provisioning: ProvisioningSettings,
    /// Entries after which a new checkpoint is written.
    pub checkpoint_entries: u64,
    /// How long a phone number that its tenant deleted rests.
    pub number_quarantine: Duration,
    /// How long answers to requests with an `Idempotency-Key` are kept.
    pub keep_answers: Duration,
    /// For how many days records of calls are kept.
    pub keep_calls_days: u32,
    /// Where providers' APIs are.
    pub provider_bases: Bases,
    /// How often somebody may ask.
    pub rates: RateSettings,
    /// The issuer whose tokens are taken beside keys.
    pub oidc: Option<OidcSettings>,
    /// Redis.
    pub redis: redis::Client,
    /// Names in Redis.
    pub redis_keys: Keys,
    /// Postgres, as a URL.
    pub database_url: String,
    /// The keys that seal.
    pub seal_keys: SealKeys,
    /// How to log.
    pub log: LogSettings,
}

/// What `migrate` needs, checked.
pub struct MigrateSettings {
    /// Postgres, as a URL.
    pub database_url: String,
    /// How to log.
    pub log: LogSettings,
}

/// What commands that work in Postgres need, checked.
pub struct StoreSettings {
    /// Postgres, as a URL.
    pub database_url: String,
    /// The keys that seal.
    pub seal_keys: SealKeys,
    /// How to log.
    pub log: LogSettings,
}

/// What `audit verify` needs, checked.
pub struct VerifySettings {
    /// An end that the chain is known to have had.
    pub expected: Option<Head>,
    /// Postgres, as a URL.
    pub database_url: String,
    /// How to log.
    pub log: LogSettings,
}

/// The keys that seal secrets.
pub struct SealKeys {
    /// Seals credentials in the database.
    pub at_rest: Keyring,
    /// Seals credentials in the feed and signs it.
    pub feed: Keyring,
}

impl ServeArguments {
    /// Checks all settings.
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn settings(self) -> Result<ServeSettings, SettingError> {
        let (redis, redis_keys) = self.redis.settings()?;
        let (rates, oidc) = self.access.settings()?;
        let public_urls = public_urls(self.public_urls.as_deref())?;
        Ok(ServeSettings {
            migrate: self.migrate,
            listen: address("ADMIN_LISTEN", &self.listen)?,
            ops_listen: address("ADMIN_OPS_LISTEN", &self.ops_listen)?,
            bootstrap_key: bootstrap_key(self.bootstrap_key)?,
            provisioning: self.provisioning.settings(&public_urls)?,
            public_urls,
            checkpoint_entries: checkpoint_entries(&self.checkpoint_entries)?,
            number_quarantine: number_quarantine(&self.number_quarantine_days)?,
            keep_answers: keep_answers(&self.idempotency_hours)?,
            keep_calls_days: keep_calls_days(&self.calls_retention_days)?,
            provider_bases: provider_bases(|name| std::env::var(name).ok())?,
            rates,
            oidc,
            redis,
            redis_keys,
            database_url: self.database.settings()?,
            seal_keys: self.keys.settings()?,
            log: self.log.settings()?,
        })
    }
}

impl MigrateArguments {
    /// Checks all settings.
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn settings(self) -> Result<MigrateSettings, SettingError> {
        Ok(MigrateSettings { database_url: self.database.settings()?, log: self.log.settings()? })
    }
}

impl StoreArguments {
    /// Checks all settings.
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn settings(self) -> Result<StoreSettings, SettingError> {
        Ok(StoreSettings {
            database_url: self.database.settings()?,
            seal_keys: self.keys.settings()?,
            log: self.log.settings()?,
        })
    }

    /// The first key of `ADMIN_ENCRYPTION_KEY` by itself: it opens what it has sealed, and nothing else.
    ///
    /// # Errors
    /// When it is none.
    pub fn first_encryption_key(&self) -> Result<Keyring, SettingError> {
        let list = self.keys.encryption_key.as_deref().unwrap_or_default();
        let first = list.split(',').next().unwrap_or_default();
        Keyring::parse("admin", first).map_err(|error| SettingError::unshown("ADMIN_ENCRYPTION_KEY", error))
    }
}

impl VerifyArguments {
    /// Checks all settings.
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn settings(self) -> Result<VerifySettings, SettingError> {
        let expected = match self.expect_seq.zip(self.expect_hash) {
            Some((seq, text)) => Some(Head { seq, hash: expected_hash(&text)? }),
            None => None,
        };
        Ok(VerifySettings { expected, database_url: self.database.settings()?, log: self.log.settings()? })
    }
}

impl RedisArguments {
    fn settings(self) -> Result<(redis::Client, Keys), SettingError> {
        const URL: &str = "REDIS_URL";
        let wanted = "wanted a URL such as redis://127.0.0.1:6379/0";
        let url = given(self.redis_url).ok_or_else(|| SettingError::unshown(URL, wanted))?;
        // The URL may carry a password: it isn't shown.
        let client = redis::Client::open(url).map_err(|_| SettingError::unshown(URL, wanted))?;
        let namespace = self.redis_namespace;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        if namespace.is_empty() || namespace.len() > 100 || !namespace.bytes().all(plain) {
            let wanted = "wanted 1 to 100 letters, digits, - _ . or :";
            return Err(SettingError::new("REDIS_NAMESPACE", &namespace, wanted));
        }
        Ok((client, Keys::new(&namespace)))
    }
}

impl DatabaseArguments {
    fn settings(self) -> Result<String, SettingError> {
        const URL: &str = "DATABASE_URL";
        let wanted = "wanted a URL such as postgres://user:password@127.0.0.1:5432/dialplane";
        let url = given(self.database_url).ok_or_else(|| SettingError::unshown(URL, wanted))?;
        let parsed = url.parse::<sqlx::postgres::PgConnectOptions>();
        match parsed {
            Ok(_) if url.starts_with("postgres://") || url.starts_with("postgresql://") => Ok(url),
            _ => Err(SettingError::unshown(URL, wanted)),
        }
    }
}

impl KeyArguments {
    fn settings(self) -> Result<SealKeys, SettingError> {
        let keyring = |name: &'static str, domain: &'static str, value: Option<String>| {
            Keyring::parse(domain, value.as_deref().unwrap_or_default())
                .map_err(|error| SettingError::unshown(name, error))
        };
        Ok(SealKeys {
            at_rest: keyring("ADMIN_ENCRYPTION_KEY", "admin", self.encryption_key)?,
            feed: keyring("FEED_KEY", "feed", self.feed_key)?,
        })
    }
}

impl LogArguments {
    fn settings(self) -> Result<LogSettings, SettingError> {
        let format = match self.log_format.as_str() {
            "text" | "" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => return Err(SettingError::new("LOG_FORMAT", other, "wanted text or json")),
        };
        let level = if self.log_level.is_empty() { LOG_LEVEL } else { &self.log_level };
        let filter = tracing_subscriber::EnvFilter::try_new(level).map_err(|_| {
            SettingError::new("LOG_LEVEL", level, "wanted a level or a filter such as info,sqlx=debug")
        })?;
        Ok(LogSettings { format, filter })
    }
}

/// A setting that is there but empty counts as not set, as in files of settings it often is.
fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

fn address(name: &'static str, value: &str) -> Result<SocketAddr, SettingError> {
    value.parse().map_err(|_| SettingError::new(name, value, "wanted an address and a port: 127.0.0.1:8000"))
}

fn bootstrap_key(value: Option<String>) -> Result<Option<Secret>, SettingError> {
    let Some(key) = given(value) else { return Ok(None) };
    let plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.len() < BOOTSTRAP_KEY_CHARS_MIN || !plain {
        let wanted = format!("wanted at least {BOOTSTRAP_KEY_CHARS_MIN} characters, ASCII, no blanks");
        return Err(SettingError::unshown("ADMIN_BOOTSTRAP_KEY", wanted));
    }
    Ok(Some(Secret::new(key)))
}

/// Reads a comma-separated list of base URLs.
///
/// # Errors
/// The first that is none.
pub fn public_urls(list: Option<&str>) -> Result<Vec<PublicUrl>, SettingError> {
    list.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(|error| SettingError::new("PUBLIC_URLS", text, error)))
        .collect()
}

/// No flags: which there are, the providers say.
fn provider_bases(environment: impl Fn(&str) -> Option<String>) -> Result<Bases, SettingError> {
    Bases::from_environment(environment)
        .map_err(|error| SettingError::new(error.setting, &error.value, &error))
}

fn expected_hash(text: &str) -> Result<[u8; 32], SettingError> {
    let refuse = || SettingError::new("--expect-hash", text, "wanted 64 hexadecimal digits");
    if text.len() != 64 || !text.is_ascii() {
        return Err(refuse());
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| refuse())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| refuse())?;
    }
    Ok(hash)
}

fn checkpoint_entries(value: &str) -> Result<u64, SettingError> {
    match value.parse() {
        Ok(entries) if entries > 0 => Ok(entries),
        _ => Err(SettingError::new("ADMIN_CHECKPOINT_ENTRIES", value, "wanted a number, at least 1")),
    }
}

fn number_quarantine(days: &str) -> Result<Duration, SettingError> {
    match days.parse::<u64>() {
        Ok(days) if days <= NUMBER_QUARANTINE_DAYS_MAX => Ok(Duration::from_secs(days * 86_400)),
        _ => {
            let wanted = format!("wanted a number of days, at most {NUMBER_QUARANTINE_DAYS_MAX}");
            Err(SettingError::new("ADMIN_NUMBER_QUARANTINE_DAYS", days, wanted))
        }
    }
}

fn keep_answers(hours: &str) -> Result<Duration, SettingError> {
    match hours.parse() {
        Ok(hours) if (1..=IDEMPOTENCY_HOURS_MAX).contains(&hours) => Ok(Duration::from_secs(hours * 3_600)),
        _ => Err(SettingError::new("ADMIN_IDEMPOTENCY_HOURS", hours, "wanted a number of hours, 1 to 8760")),
    }
}

fn keep_calls_days(days: &str) -> Result<u32, SettingError> {
    let range = CALLS_RETENTION_DAYS_MIN..=CALLS_RETENTION_DAYS_MAX;
    days.parse().ok().filter(|days| range.contains(days)).ok_or_else(|| {
        let wanted =
            format!("wanted a number of days, {CALLS_RETENTION_DAYS_MIN} to {CALLS_RETENTION_DAYS_MAX}");
        SettingError::new("CALLS_RETENTION_DAYS", days, wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("--database-url", "postgres://u@127.0.0.1/d"),
        ("--redis-url", "redis://127.0.0.1"),
        ("--encryption-key", "an-encryption-key-that-is-long"),
        ("--feed-key", "a-feed-key-that-is-long"),
    ];

    fn settings(changed: &[(&'static str, &'static str)]) -> Result<ServeSettings, SettingError> {
        let mut all: std::collections::BTreeMap<_, _> = GOOD.into_iter().collect();
        all.extend(changed.iter().copied());
        let flags = all.into_iter().flat_map(|(name, value)| [name, value]);
        let cli = Cli::parse_from(["dialplane-admin", "serve"].into_iter().chain(flags));
        let Command::Serve(arguments) = cli.command else { panic!("not serve") };
        arguments.settings()
    }

    #[test]
    fn takes_good_settings() {
        let settings = settings(&[("--public-urls", "https://a.example, https://b.example/x/")]).unwrap();
        assert_eq!(settings.public_urls.len(), 2);
        assert!(!settings.migrate);
    }

    #[test]
    fn bad_settings_are_one_line_that_names_them() {
        let check = |name: &'static str, value: &'static str, begin: &str| {
            let error = settings(&[(name, value)]).err().unwrap().to_string();
            assert!(error.starts_with(begin) && !error.contains('\n'), "{error}");
        };
        check("--listen", "8000", "ADMIN_LISTEN=8000: wanted an address");
        check("--public-urls", "ftp://a", "PUBLIC_URLS=ftp://a: wanted http");
        check("--redis-namespace", "a*", "REDIS_NAMESPACE=a*: wanted");
        check("--log-format", "xml", "LOG_FORMAT=xml: wanted text or json");
        check("--checkpoint-entries", "0", "ADMIN_CHECKPOINT_ENTRIES=0: wanted");
        check("--number-quarantine-days", "x", "ADMIN_NUMBER_QUARANTINE_DAYS=x: wanted");
        check("--calls-retention-days", "30", "CALLS_RETENTION_DAYS=30: wanted a number of days, 31");
        check("--idempotency-hours", "0", "ADMIN_IDEMPOTENCY_HOURS=0: wanted");
        check("--rate-limit", "1.5", "ADMIN_RATE_LIMIT=1.5: wanted a number, 0 to");
        check("--rate-burst", "0", "ADMIN_RATE_BURST=0: wanted a number, 1 to");
        check("--failure-limit", "many", "ADMIN_FAILURE_LIMIT=many: wanted a number");
        check(
            "--oidc-issuer",
            "http://issuer.example",
            "OIDC_ISSUER=http://issuer.example: wanted an https URL",
        );
        check("--oidc-issuer", "https://issuer.example", "OIDC_AUDIENCE: wanted with OIDC_ISSUER");
        check("--oidc-audience", "dialplane", "OIDC_ISSUER: wanted");
    }

    #[test]
    fn bad_settings_of_the_issuer_are_one_line_that_names_them() {
        let with = |name: &'static str, value: &'static str| {
            settings(&[
                ("--oidc-issuer", "https://issuer.example"),
                ("--oidc-audience", "dialplane"),
                (name, value),
            ])
        };
        let oidc = with("--oidc-algorithms", "PS256, EdDSA").unwrap().oidc.unwrap();
        assert_eq!((oidc.algorithms.len(), oidc.role_claim.as_str(), oidc.operators), (2, "role", false));
        let check = |name: &'static str, value: &'static str, begin: &str| {
            let error = with(name, value).err().unwrap().to_string();
            assert!(error.starts_with(begin) && !error.contains('\n'), "{error}");
        };
        for value in ["none", "HS256", "RS256,none", "rs256", "RS256,"] {
            check("--oidc-algorithms", value, &format!("OIDC_ALGORITHMS={value}: wanted a list of RS256"));
        }
        check(
            "--oidc-issuer",
            "https://issuer.example?a=b",
            "OIDC_ISSUER=https://issuer.example?a=b: wanted",
        );
        check("--oidc-jwks-url", "https://u:p@issuer.example/keys", "OIDC_JWKS_URL=");
        check("--oidc-role-claim", "", "OIDC_ROLE_CLAIM: wanted");
        check("--oidc-operators", "yes", "OIDC_OPERATORS=yes: wanted true or false");
    }

    #[test]
    fn a_rate_of_nothing_is_none() {
        let rates = settings(&[("--rate-limit", "0"), ("--failure-limit", "1")]).unwrap().rates;
        assert!(rates.requests.is_none() && rates.failures.is_some());
    }

    #[test]
    fn a_hash_is_64_digits() {
        assert_eq!(expected_hash(&"0a".repeat(32)).unwrap(), [10; 32]);
        for text in ["", "0a", &"0g".repeat(32), &"+1".repeat(31), &"\u{e9}".repeat(32)] {
            assert!(expected_hash(text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let check = |name: &'static str, value: &'static str| {
            let error = settings(&[(name, value)]).err().unwrap().to_string();
            assert!(!error.contains(value), "{error}");
        };
        check("--feed-key", "hunter2");
        check("--encryption-key", "hunter2");
        check("--bootstrap-key", "hunter2");
        check("--database-url", "mysql://u:hunter2@h/d");
        check("--redis-url", "hunter2");
    }
}
