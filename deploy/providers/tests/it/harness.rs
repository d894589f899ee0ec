//! A simulator on a port of its own, and a client of it.

use clap::Parser;
use dialplane_providers::server::Server;
use dialplane_providers::settings::Settings;
use dialplane_providers::simulator::Simulator;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A simulator that ends with the test.
pub struct Providers {
    pub url: String,
    pub http: reqwest::Client,
    serving: JoinHandle<()>,
}

impl Drop for Providers {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// What stands at this place of it, as text.
    pub fn at(&self, pointer: &str) -> String {
        let value = self.json().pointer(pointer).cloned().unwrap_or_default();
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    /// The same answer, which must have this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// Starts a simulator whose orders are done at once.
pub async fn start(arguments: &[&str]) -> Providers {
    let base = ["dialplane-providers", "--listen", "127.0.0.1:0", "--seed", "7", "--settle-ms", "0"];
    let settings = Settings::parse_from(base.iter().chain(arguments));
    let listen = settings.listen;
    let server = Server::bind(Simulator::new(settings).unwrap(), listen).await.unwrap();
    let url = format!("http://{}", server.address().unwrap());
    let http = reqwest::Client::builder().tls_backend_preconfigured(tls()).no_proxy().build().unwrap();
    Providers { url, http, serving: tokio::spawn(server.serve()) }
}

/// Settings for a client that never uses them: all is plain HTTP here.
fn tls() -> tokio_rustls::rustls::ClientConfig {
    let provider = std::sync::Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    tokio_rustls::rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(tokio_rustls::rustls::RootCertStore::empty())
        .with_no_client_auth()
}

impl Providers {
    /// A request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Reads from control.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// Tells control something.
    pub async fn tell(&self, method: Method, path: &str, body: &Value) -> Answer {
        send(self.request(method, path).json(body)).await
    }

    /// Forces the next fault of an operation.
    pub async fn force(&self, operation: &str, fault: &str) {
        self.tell(Method::POST, "/control/next", &json!({"operation": operation, "fault": fault}))
            .await
            .is(200);
    }

    /// The ledger as lines: `buy number +14155500100`.
    pub async fn ledger(&self) -> Vec<String> {
        let entries = self.get("/ledger").await.json();
        let line = |entry: &Value| {
            let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", word("action"), word("what"), word("subject"))
        };
        entries["entries"].as_array().unwrap().iter().map(line).collect()
    }
}

/// Sends a request that must have an answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let reply = request.send().await.unwrap();
    Answer { status: reply.status().as_u16(), text: reply.text().await.unwrap() }
}
