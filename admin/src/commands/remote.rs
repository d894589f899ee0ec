//! A running admin plane, over its REST API.

use clap::Args;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::{Failure, outbound};

/// Which admin plane, and who asks.
#[derive(Args)]
pub struct RemoteArguments {
    /// The admin plane.
    #[arg(long, env = "ADMIN_URL", default_value = "http://127.0.0.1:8000")]
    url: String,
    /// An operator key.
    #[arg(long, env = "ADMIN_BOOTSTRAP_KEY", hide_env_values = true)]
    key: Option<String>,
}

/// An admin plane.
pub struct Remote {
    base: String,
    key: String,
    http: reqwest::Client,
}

/// Why a request had no good answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nobody answered: it may be tried again.
    #[error("{0}")]
    Unreachable(#[from] reqwest::Error),
    /// It was refused.
    #[error("{detail}")]
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// Why, for people.
        detail: String,
    },
}

impl RemoteArguments {
    /// The admin plane.
    ///
    /// # Errors
    /// Without a key.
    pub fn remote(self) -> Result<Remote, Failure> {
        let key = self.key.filter(|key| !key.is_empty());
        let key =
            key.ok_or_else(|| Failure::new("--key", &"wanted an operator's key, or ADMIN_BOOTSTRAP_KEY"))?;
        let base = format!("{}/api/v2", self.url.trim_end_matches('/'));
        Ok(Remote { base, key, http: outbound::client()? })
    }
}

impl Remote {
    /// A request below the API's base.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    /// Sends a request; its answer, when it isn't refused.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, RemoteError> {
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem: Value = response.json().await.unwrap_or_default();
        let detail = problem["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        Err(RemoteError::Refused { status, detail })
    }

    /// The JSON of a GET.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, RemoteError> {
        Ok(self.send(self.request(Method::GET, &with_query(path, query))).await?.json().await?)
    }
}

/// A path with its query, encoded.
#[must_use]
pub fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}
