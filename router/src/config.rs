//! Every setting: its flag, environment variable, default and reason. All are checked before a port is bound.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::provider::PROVIDERS;
use dialplane_common::provider::public_url::PublicUrl;
use dialplane_common::rest::base;

use crate::events;
use crate::network::Network;
use crate::outbound::settings::{self, Settings};
use crate::telemetry::LogFormat;
use crate::tls::{self, watched::Watched};
use crate::webhook::Origins;

/// Answers telephony and voice-AI webhooks from memory.
#[derive(Parser, Debug)]
#[command(name = "dialplane-router", version)]
pub struct Arguments {
    /// Address for webhooks. Port 0: any free one.
    #[arg(long, env = "ROUTER_LISTEN", default_value = "127.0.0.1:8080")]
    listen: String,

    /// Address for webhooks over TLS, like 0.0.0.0:8443. Without one there is no TLS.
    #[arg(long, env = "ROUTER_TLS_LISTEN")]
    tls_listen: Option<String>,

    /// Folder of certificates (NAME.crt) and their keys (NAME.key), in PEM. Which one is shown follows from the host
    /// names in them. Read again when they change.
    #[arg(long, env = "ROUTER_TLS_CERTIFICATES")]
    tls_certificates: Option<OsString>,

    /// Address for /metrics, /healthz, /readyz, /debug/explain and /debug/live. Not for the public.
    #[arg(long, env = "ROUTER_OPS_LISTEN", default_value = "127.0.0.1:8081")]
    ops_listen: String,

    /// File that the router starts from and keeps fresh. Without one it needs Redis to start.
    #[arg(long, env = "ROUTER_SNAPSHOT_FILE")]
    snapshot_file: Option<OsString>,

    /// Proxies whose X-Forwarded-Proto and X-Forwarded-Host count: addresses or ranges, comma-separated.
    #[arg(long, env = "ROUTER_TRUSTED_PROXIES", default_value = "")]
    trusted_proxies: String,

    /// Base URLs by which providers call, comma-separated: signatures cover them. Default: from the request.
    #[arg(long, env = "PUBLIC_URLS", default_value = "")]
    public_urls: String,

    /// Keys that sign and seal the feed and the snapshot file, comma-separated: the first signs, all verify.
    #[arg(long, env = "FEED_KEY", hide_env_values = true)]
    feed_key: Option<String>,

    /// Redis. Without it the router serves its snapshot file and learns of no changes.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,

    /// Prefix of all keys and channels in Redis.
    #[arg(long, env = "REDIS_NAMESPACE", default_value = "dialplane")]
    redis_namespace: String,

    /// The router's name in the fleet; the same after a restart. Default: host name and webhook port.
    #[arg(long, env = "ROUTER_ID")]
    id: Option<String>,

    /// Whether the admin plane is told what happens to calls, over Redis: on or off.
    #[arg(long, env = "ROUTER_EVENTS", default_value = "on")]
    events: String,

    /// Batches of events that the stream in Redis may hold before routers keep the next ones themselves.
    #[arg(long, env = "ROUTER_EVENTS_STREAM_MAX", default_value = "100000")]
    events_stream_max: String,

    /// Folder where events wait that Redis doesn't take, also for the next router to send. Without one they wait in memory.
    #[arg(long, env = "ROUTER_EVENTS_FOLDER")]
    events_folder: Option<OsString>,

    /// Bytes of all files in that folder.
    #[arg(long, env = "ROUTER_EVENTS_FOLDER_BYTES_MAX", default_value = "268435456")]
    events_folder_bytes_max: String,

    /// Threads that answer. Default: one for each processor.
    #[arg(long, env = "ROUTER_WORKERS")]
    workers: Option<String>,

    /// Connections open at once. More are closed as they come.
    #[arg(long, env = "ROUTER_CONNECTIONS_MAX", default_value = "20000")]
    connections_max: String,

    /// Connections open at once from one address, trusted proxies excepted.
    #[arg(long, env = "ROUTER_CONNECTIONS_PER_PEER_MAX", default_value = "10000")]
    connections_per_peer_max: String,

    /// How long a request may wait for its turn, in milliseconds: one that would wait longer is refused. Only what goes on
    /// is refused: a burst is answered, however long it takes.
    #[arg(long, env = "ROUTER_LAG_MAX_MS", default_value = "100")]
    lag_max_ms: String,

    /// How long a request's head may take, a TLS handshake, an answer may lie unread, and a connection may be idle, in
    /// milliseconds; it is closed at most a quarter later.
    #[arg(long, env = "ROUTER_HEADER_TIMEOUT_MS", default_value = "15000")]
    header_timeout_ms: String,

    /// How long a body may take, in milliseconds. Providers wait some 15 s for the whole answer.
    #[arg(long, env = "ROUTER_BODY_TIMEOUT_MS", default_value = "5000")]
    body_timeout_ms: String,

    /// How long a call counts towards its limit without a sign of life, in seconds: the longest that a call lasts. Heals
    /// a limit where the word that a call ended was lost.
    #[arg(long, env = "ROUTER_CALL_MAX_S", default_value = "14400")]
    call_max_s: String,

    /// Addresses that tenants' tool servers may have though they aren't public, and that may be asked without TLS:
    /// addresses or ranges, comma-separated. For development.
    #[arg(long, env = "ROUTER_TOOL_PRIVATE_NETWORKS", default_value = "")]
    tool_private_networks: String,

    /// File of certificates (PEM) of authorities that tool servers may have theirs from, beside the public ones.
    #[arg(long, env = "ROUTER_TOOL_CA_FILE")]
    tool_ca_file: Option<OsString>,

    /// Path at which a router hands its listening sockets over to the one that replaces it: start the new one beside the
    /// old one, with the same path. Without one a port has one router, and starting another fails.
    #[arg(long, env = "ROUTER_HANDOVER_SOCKET")]
    handover_socket: Option<OsString>,

    /// How long to go on accepting after SIGTERM while /readyz already says no, in milliseconds: the time that a load
    /// balancer takes to notice.
    #[arg(long, env = "ROUTER_DRAIN_DELAY_MS", default_value = "0")]
    drain_delay_ms: String,

    /// How long connections stay open after that though nothing comes, in milliseconds. Each answer meanwhile says that
    /// it is the connection's last, so that clients in use go away by themselves.
    #[arg(long, env = "ROUTER_DRAIN_GRACE_MS", default_value = "1000")]
    drain_grace_ms: String,

    /// How long open requests may take, grace included, in milliseconds.
    #[arg(long, env = "ROUTER_DRAIN_TIMEOUT_MS", default_value = "10000")]
    drain_timeout_ms: String,

    /// text or json.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    log_format: String,

    /// What is logged: error, warn, info, debug, trace, or a filter by module.
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    log_level: String,
}

/// The settings, checked.
#[derive(Debug)]
pub struct Config {
    /// Address for webhooks.
    pub listen: SocketAddr,
    /// TLS.
    pub tls: Option<tls::Settings>,
    /// Address for operations.
    pub ops_listen: SocketAddr,
    /// The snapshot file.
    pub snapshot_file: Option<PathBuf>,
    /// How the public URL is found.
    pub origins: Origins,
    /// The feed's keys.
    pub keys: Arc<Keyring>,
    /// Redis.
    pub redis: Option<redis::Client>,
    /// Prefix in Redis.
    pub redis_namespace: String,
    /// The router's name, if one was given.
    pub id: Option<String>,
    /// What becomes of events; absent when they are off.
    pub events: Option<events::Settings>,
    /// Threads that answer.
    pub workers: usize,
    /// Limits on connections and requests.
    pub limits: Limits,
    /// Requests that the router makes.
    pub outbound: Settings,
    /// Where sockets are handed over.
    pub handover_socket: Option<PathBuf>,
    /// How the process ends.
    pub drain: Drain,
    /// How logs are written.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_level: String,
}

/// Limits on connections and requests.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once.
    pub connections_max: usize,
    /// Connections open at once from one address.
    pub connections_per_peer_max: usize,
    /// How long a request may wait for its turn.
    pub lag_max: Duration,
    /// Time for a request's head, for a TLS handshake, for an answer to be taken, and for idleness.
    pub header_timeout: Duration,
    /// Time for a request's body.
    pub body_timeout: Duration,
    /// Time for which a call counts towards its limit without a sign of life.
    pub call_max: Duration,
}

/// How the process ends.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Time until it stops accepting.
    pub delay: Duration,
    /// Time for which idle connections stay open after that.
    pub grace: Duration,
    /// Time for open requests, grace included.
    pub timeout: Duration,
}

/// A setting that can't be used: one line that names it, its value and what is wanted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}{value}: {wanted}", value = value.as_ref().map(|value| format!("={value:?}")).unwrap_or_default())]
pub struct ConfigError {
    setting: &'static str,
    /// Absent for secrets, and for what isn't there.
    value: Option<String>,
    wanted: String,
}

impl Arguments {
    /// Checks all settings.
    ///
    /// # Errors
    /// [`ConfigError`], for the first that can't be used.
    pub fn check(self) -> Result<Config, ConfigError> {
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let trusted_proxies = list(&self.trusted_proxies)
            .iter()
            .map(|text| setting::<Network>("ROUTER_TRUSTED_PROXIES", text, ""))
            .collect::<Result<_, _>>()?;
        let public_urls = list(&self.public_urls)
            .iter()
            .map(|text| setting::<PublicUrl>("PUBLIC_URLS", text, ""))
            .collect::<Result<_, _>>()?;
        let key_wanted = |wanted: String| ConfigError { setting: "FEED_KEY", value: None, wanted };
        let feed_key = self.feed_key.ok_or_else(|| {
            key_wanted(
                "wanted the key that signs the feed and the snapshot file, the same as the admin plane's"
                    .into(),
            )
        })?;
        let keys = Keyring::feed(&feed_key).map(Arc::new).map_err(|error| key_wanted(error.to_string()))?;
        let redis = self.redis_url.filter(|url| !url.is_empty()).map(|url| {
            redis::Client::open(url).map_err(|error| ConfigError {
                setting: "REDIS_URL",
                value: None,
                wanted: format!("wanted a URL like redis://127.0.0.1:6379 ({error})"),
            })
        });
        let redis = redis.transpose()?;
        let snapshot_file = self.snapshot_file.filter(|path| !path.is_empty()).map(PathBuf::from);
        if redis.is_none() && snapshot_file.is_none() {
            let wanted = "wanted REDIS_URL or ROUTER_SNAPSHOT_FILE: there is nothing to serve without either";
            return Err(ConfigError { setting: "REDIS_URL", value: None, wanted: wanted.into() });
        }
        let folder = self.events_folder.filter(|path| !path.is_empty()).map(PathBuf::from);
        let on_way = redis.is_some() || folder.is_some();
        let events = events::Settings {
            stream_max: within("ROUTER_EVENTS_STREAM_MAX", &self.events_stream_max, 1, 100_000_000)?,
            folder,
            folder_bytes_max: within(
                "ROUTER_EVENTS_FOLDER_BYTES_MAX",
                &self.events_folder_bytes_max,
                0,
                1 << 50,
            )? as u64,
        };
        let events = match &*self.events {
            "on" => on_way.then_some(events),
            "off" => None,
            text => {
                let value = Some(text.to_owned());
                return Err(ConfigError {
                    setting: "ROUTER_EVENTS",
                    value,
                    wanted: "wanted on or off".into(),
                });
            }
        };
        let outbound = outbound(&list(&self.tool_private_networks), self.tool_ca_file)?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Config {
            listen: setting("ROUTER_LISTEN", &self.listen, "wanted an address like 127.0.0.1:8080")?,
            tls: tls(self.tls_listen, self.tls_certificates)?,
            ops_listen: setting(
                "ROUTER_OPS_LISTEN",
                &self.ops_listen,
                "wanted an address like 127.0.0.1:8081",
            )?,
            snapshot_file,
            origins: Origins { public_urls, trusted_proxies },
            keys,
            redis,
            redis_namespace: namespace(&self.redis_namespace)?,
            id: self.id.filter(|id| !id.is_empty()),
            events,
            workers: self.workers.map_or(Ok(processors), |text| within("ROUTER_WORKERS", &text, 1, 1024))?,
            limits: Limits {
                connections_max: within("ROUTER_CONNECTIONS_MAX", &self.connections_max, 1, 10_000_000)?,
                connections_per_peer_max: within(
                    "ROUTER_CONNECTIONS_PER_PEER_MAX",
                    &self.connections_per_peer_max,
                    1,
                    10_000_000,
                )?,
                lag_max: milliseconds("ROUTER_LAG_MAX_MS", &self.lag_max_ms, 1)?,
                header_timeout: milliseconds("ROUTER_HEADER_TIMEOUT_MS", &self.header_timeout_ms, 1)?,
                body_timeout: milliseconds("ROUTER_BODY_TIMEOUT_MS", &self.body_timeout_ms, 1)?,
                call_max: Duration::from_secs(
                    within("ROUTER_CALL_MAX_S", &self.call_max_s, 1, 14_400)? as u64
                ),
            },
            outbound,
            handover_socket: self.handover_socket.filter(|path| !path.is_empty()).map(PathBuf::from),
            drain: Drain {
                delay: milliseconds("ROUTER_DRAIN_DELAY_MS", &self.drain_delay_ms, 0)?,
                grace: milliseconds("ROUTER_DRAIN_GRACE_MS", &self.drain_grace_ms, 0)?,
                timeout: milliseconds("ROUTER_DRAIN_TIMEOUT_MS", &self.drain_timeout_ms, 0)?,
            },
            log_format: setting("LOG_FORMAT", &self.log_format, "")?,
            log_level: self.log_level,
        })
    }
}

fn tls(listen: Option<String>, certificates: Option<OsString>) -> Result<Option<tls::Settings>, ConfigError> {
    let Some(listen) = listen.filter(|text| !text.is_empty()) else { return Ok(None) };
    let listen = setting("ROUTER_TLS_LISTEN", &listen, "wanted an address like 0.0.0.0:8443")?;
    let certificates = certificates.filter(|path| !path.is_empty()).map(PathBuf::from);
    let folder = certificates.ok_or_else(|| ConfigError {
        setting: "ROUTER_TLS_CERTIFICATES",
        value: None,
        wanted: "wanted a folder with NAME.crt and NAME.key, as ROUTER_TLS_LISTEN is set".into(),
    })?;
    let certificates = Watched::open(folder.clone()).map_err(|unusable| ConfigError {
        setting: "ROUTER_TLS_CERTIFICATES",
        value: Some(folder.join(unusable.file).to_string_lossy().into_owned()),
        wanted: unusable.wanted,
    })?;
    Ok(Some(tls::Settings { listen, certificates }))
}

fn outbound(private_networks: &[String], ca_file: Option<OsString>) -> Result<Settings, ConfigError> {
    let private_networks = private_networks
        .iter()
        .map(|text| setting::<Network>("ROUTER_TOOL_PRIVATE_NETWORKS", text, ""))
        .collect::<Result<_, _>>()?;
    let extra_roots = ca_file.filter(|path| !path.is_empty()).map(|path| {
        let read = std::fs::read(&path).map_err(|error| error.to_string()).and_then(|pem| {
            settings::certificates(&pem).ok_or_else(|| "it holds none, or one that can't be read".to_owned())
        });
        read.map_err(|reason| ConfigError {
            setting: "ROUTER_TOOL_CA_FILE",
            value: Some(path.to_string_lossy().into_owned()),
            wanted: format!("wanted a file with certificates in PEM ({reason})"),
        })
    });
    let apis = PROVIDERS.iter().filter_map(|provider| provider.api());
    // No flags: which there are, the providers say.
    let bases = base::bases(apis, |name| std::env::var(name).ok()).map_err(|error| {
        let wanted = error.to_string();
        ConfigError { setting: error.setting, value: Some(error.value), wanted }
    })?;
    Ok(Settings { private_networks, extra_roots: extra_roots.transpose()?.unwrap_or_default(), bases })
}

/// Reads a setting; `wanted` says what it should be where the type's own error doesn't.
fn setting<T: std::str::FromStr<Err: std::fmt::Display>>(
    setting: &'static str,
    text: &str,
    wanted: &str,
) -> Result<T, ConfigError> {
    text.parse().map_err(|error: T::Err| {
        let wanted = if wanted.is_empty() { error.to_string() } else { wanted.to_owned() };
        ConfigError { setting, value: Some(text.to_owned()), wanted }
    })
}

fn within(name: &'static str, text: &str, min: usize, max: usize) -> Result<usize, ConfigError> {
    let wanted = format!("wanted a number from {min} to {max}");
    let number = setting(name, text, &wanted)?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(ConfigError { setting: name, value: Some(text.to_owned()), wanted })
    }
}

fn milliseconds(name: &'static str, text: &str, min: usize) -> Result<Duration, ConfigError> {
    within(name, text, min, 3_600_000).map(|ms| Duration::from_millis(ms as u64))
}

fn namespace(text: &str) -> Result<String, ConfigError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if !text.is_empty() && text.len() <= 100 && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    let wanted = "wanted 1 to 100 letters, digits, or any of - _ . :".to_owned();
    Err(ConfigError { setting: "REDIS_NAMESPACE", value: Some(text.to_owned()), wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks usable settings with one of them changed. All that a usual environment has are given, so that the one
    /// that the tests run in changes nothing.
    fn check(changed: &[&str; 2]) -> Result<Config, ConfigError> {
        let usual = [
            ["--feed-key", "a-feed-key-of-some-length"],
            ["--snapshot-file", "x"],
            ["--redis-url", ""],
            ["--public-urls", ""],
            ["--tool-private-networks", ""],
            ["--tool-ca-file", ""],
            ["--tls-listen", ""],
            ["--events", "on"],
            ["--events-folder", ""],
            ["--log-format", "text"],
        ];
        let usual = usual.iter().filter(|[flag, _]| *flag != changed[0]).chain([changed]).flatten();
        Arguments::try_parse_from(["dialplane-router"].iter().chain(usual)).unwrap().check()
    }

    #[test]
    fn a_bad_setting_is_named_with_its_value_and_what_is_wanted() {
        let line = |changed: &[&str; 2]| check(changed).unwrap_err().to_string();
        assert_eq!(
            line(&["--listen", "here"]),
            "ROUTER_LISTEN=\"here\": wanted an address like 127.0.0.1:8080"
        );
        assert_eq!(line(&["--workers", "0"]), "ROUTER_WORKERS=\"0\": wanted a number from 1 to 1024");
        assert_eq!(
            line(&["--public-urls", "https://a.example,b"]),
            "PUBLIC_URLS=\"b\": wanted http:// or https:// in front"
        );
        assert_eq!(line(&["--log-format", "xml"]), "LOG_FORMAT=\"xml\": wanted text or json");
        assert!(
            line(&["--trusted-proxies", "10.0.0.0/99"])
                .starts_with("ROUTER_TRUSTED_PROXIES=\"10.0.0.0/99\": ")
        );
        assert!(
            line(&["--tool-private-networks", "10.0.0.0/8,x"])
                .starts_with("ROUTER_TOOL_PRIVATE_NETWORKS=\"x\": ")
        );
        assert!(
            line(&["--tool-ca-file", "/nowhere/ca.pem"])
                .starts_with("ROUTER_TOOL_CA_FILE=\"/nowhere/ca.pem\": wanted a file with certificates")
        );
        assert_eq!(
            line(&["--tls-listen", "8443"]),
            "ROUTER_TLS_LISTEN=\"8443\": wanted an address like 0.0.0.0:8443"
        );
        assert!(line(&["--redis-namespace", "a b"]).starts_with("REDIS_NAMESPACE=\"a b\": "));
    }

    #[test]
    fn events_want_somewhere_to_go() {
        let is_on = |changed: &[&str; 2]| check(changed).unwrap().events.is_some();
        assert!(!is_on(&["--events", "on"]), "there is neither Redis nor a folder");
        assert!(is_on(&["--redis-url", "redis://127.0.0.1:6379"]));
        assert!(is_on(&["--events-folder", "x"]));
        let line = check(&["--events", "maybe"]).unwrap_err().to_string();
        assert_eq!(line, "ROUTER_EVENTS=\"maybe\": wanted on or off");
    }

    #[test]
    fn secrets_are_never_in_a_message() {
        let line = check(&["--redis-url", "redis:/hunter2@"]).unwrap_err().to_string();
        assert!(line.starts_with("REDIS_URL: wanted") && !line.contains("hunter2"), "{line}");
        let line = check(&["--feed-key", "hunter2"]).unwrap_err().to_string();
        assert!(line.starts_with("FEED_KEY: ") && !line.contains("hunter2"), "{line}");
    }

    #[test]
    fn an_address_for_tls_wants_certificates() {
        let flags = ["--feed-key", "a-feed-key-of-some-length", "--snapshot-file", "x"];
        let tls = ["--tls-listen", "0.0.0.0:8443", "--tls-certificates"];
        let line = |folder: &str| {
            let flags = ["dialplane-router"].iter().chain(&flags).chain(&tls).chain([&folder]);
            Arguments::try_parse_from(flags).unwrap().check().unwrap_err().to_string()
        };
        assert!(line("").starts_with("ROUTER_TLS_CERTIFICATES: wanted a folder"), "{}", line(""));
        assert!(line("/nowhere").starts_with("ROUTER_TLS_CERTIFICATES=\"/nowhere"), "{}", line("/nowhere"));
    }

    #[test]
    fn there_has_to_be_something_to_serve() {
        let error = check(&["--snapshot-file", ""]).unwrap_err();
        assert!(error.to_string().contains("ROUTER_SNAPSHOT_FILE"));
    }
}
