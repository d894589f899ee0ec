//! Where an issuer's keys come from: fetched in the background before they age, and at once, but rarely, when a token
//! names one that isn't known. The last good set serves while the issuer is away, for [`KEEP`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::{StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::jwk::KeySet;
use crate::rate::{Limiter, Rate};

/// How often the keys are fetched: a key that the issuer withdrew is good for so long.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(300);
/// How long the last good set serves while the issuer is away. Longer than an outage; a key that leaked and was withdrawn
/// is good for so long at most.
pub const KEEP: Duration = Duration::from_secs(24 * 3_600);
const RETRY_DELAY_MIN: Duration = Duration::from_secs(1);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(60);
/// Fetches for unknown keys: a rotation, or a few at once, are seen without delay, and nobody makes us flood the issuer.
const UNKNOWN_KEY_RATE: Rate = Rate::new(Duration::from_secs(10), 5);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Issuers' documents have some KiB.
const DOCUMENT_BYTES_MAX: usize = 256 << 10;
/// Source: OpenID Connect Discovery 1.0, section 4.
const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// The keys, and when the issuer said them.
#[derive(Debug)]
pub struct Held {
    /// The keys.
    pub keys: KeySet,
    at: Instant,
}

/// An issuer and its keys.
pub struct Issuer {
    name: String,
    jwks_url: Option<Url>,
    http: reqwest::Client,
    held: RwLock<Option<Arc<Held>>>,
    /// Held by whoever fetches.
    fetching: Mutex<()>,
    /// Fetches that ended, well or not.
    fetches: AtomicU64,
    unknown_keys: Limiter<()>,
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

/// Why the keys couldn't be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("GET {0}: {1}")]
    Request(Url, #[source] reqwest::Error),
    #[error("GET {0}: status {1}")]
    Status(Url, StatusCode),
    #[error("GET {0}: more than 256 KiB")]
    TooLarge(Url),
    #[error("GET {0}: {1}")]
    Content(Url, &'static str),
    #[error("the issuer isn't a URL")]
    NoUrl,
    #[error("no answer within 5 s")]
    TimedOut,
}

impl Issuer {
    /// An issuer that hasn't been asked yet.
    #[must_use]
    pub fn new(name: String, jwks_url: Option<Url>, http: reqwest::Client) -> Self {
        Self {
            name,
            jwks_url,
            http,
            held: RwLock::new(None),
            fetching: Mutex::new(()),
            fetches: AtomicU64::new(0),
            unknown_keys: Limiter::default(),
        }
    }

    /// The keys, unless the issuer hasn't said them for [`KEEP`].
    #[must_use]
    pub fn keys(&self, now: Instant) -> Option<Arc<Held>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        held.filter(|held| now.saturating_duration_since(held.at) < KEEP)
    }

    /// Asks the issuer again, since `seen` doesn't do: the keys that are then known. At most one asks at a time, the
    /// others wait for it; where the issuer was asked much lately, it isn't asked.
    pub async fn refreshed(&self, seen: Option<&Arc<Held>>) -> Option<Arc<Held>> {
        let fetches = self.fetches.load(Ordering::Acquire);
        let _fetching = self.fetching.lock().await;
        let held = self.keys(Instant::now());
        let is_newer = match (&held, seen) {
            (Some(held), Some(seen)) => !Arc::ptr_eq(held, seen),
            (held, _) => held.is_some(),
        };
        let was_asked = self.fetches.load(Ordering::Acquire) != fetches;
        if is_newer || was_asked || !self.unknown_keys.take(&(), UNKNOWN_KEY_RATE, Instant::now()).is_taken {
            return held;
        }
        self.fetch().await;
        self.keys(Instant::now())
    }

    /// Keeps the keys fresh for ever.
    pub async fn keep_fresh(&self, fetched: impl Fn(bool)) {
        let mut retry_delay = RETRY_DELAY_MIN;
        loop {
            let fetching = self.fetching.lock().await;
            let is_good = self.fetch().await;
            drop(fetching);
            fetched(is_good);
            let pause = if is_good { REFRESH_INTERVAL } else { retry_delay };
            retry_delay = if is_good { RETRY_DELAY_MIN } else { (retry_delay * 2).min(RETRY_DELAY_MAX) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Fetches the keys and tells whether that went well. By the holder of `fetching` alone.
    async fn fetch(&self) -> bool {
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, self.fetch_keys()).await;
        let outcome = match fetched.unwrap_or(Err(FetchError::TimedOut)) {
            Ok(keys) => {
                let held = Arc::new(Held { keys, at: Instant::now() });
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
                true
            }
            Err(error) => {
                tracing::warn!(issuer = self.name, %error, "couldn't fetch the issuer's keys; the last ones serve on");
                false
            }
        };
        self.fetches.fetch_add(1, Ordering::Release);
        outcome
    }

    async fn fetch_keys(&self) -> Result<KeySet, FetchError> {
        let url = match &self.jwks_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let document = self.get(&url).await?;
        KeySet::parse(&document).map_err(|why| FetchError::Content(url, why))
    }

    /// Where the issuer says that its keys are. Asked each time: they may move.
    async fn discover(&self) -> Result<Url, FetchError> {
        let url = format!("{}{CONFIGURATION}", self.name.trim_end_matches('/'));
        let url: Url = url.parse().map_err(|_| FetchError::NoUrl)?;
        let wrong = |why| FetchError::Content(url.clone(), why);
        let document = self.get(&url).await?;
        let configuration: Configuration = serde_json::from_slice(&document)
            .map_err(|_| wrong("it isn't a configuration with issuer and jwks_uri"))?;
        if configuration.issuer != self.name {
            return Err(wrong("it is the configuration of another issuer"));
        }
        let keys = configuration.jwks_uri.parse().ok().filter(is_trustworthy);
        keys.ok_or_else(|| wrong("its jwks_uri isn't an https URL"))
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let failed = |error: reqwest::Error| FetchError::Request(url.clone(), error.without_url());
        let mut response = self.http.get(url.clone()).send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(url.clone(), response.status()));
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if document.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLarge(url.clone()));
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

/// Whether what comes from there is the issuer's: over TLS, or from this very machine.
#[must_use]
pub fn is_trustworthy(url: &Url) -> bool {
    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let has_password = !url.username().is_empty() || url.password().is_some();
    (url.scheme() == "https" || (url.scheme() == "http" && is_here)) && url.has_host() && !has_password
}
