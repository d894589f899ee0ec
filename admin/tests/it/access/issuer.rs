//! An OIDC issuer, over real HTTP.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::signer::{Signer, now};
use crate::harness::Admin;

/// What tokens are meant for.
pub const AUDIENCE: &str = "https://api.dialplane.example";

/// An issuer that listens.
pub struct Issuer {
    /// Its name, which is its URL.
    pub url: String,
    says: Arc<Mutex<Says>>,
    serving: JoinHandle<()>,
}

/// What it says.
#[derive(Default)]
pub struct Says {
    /// Its keys.
    pub keys: Vec<Value>,
    /// In place of its configuration.
    pub configuration: Option<Value>,
    /// In place of its keys: another status, or another body.
    pub answer: Option<(StatusCode, String)>,
    /// Where to instead.
    pub redirect: Option<String>,
    /// How often it was asked for its keys.
    pub asked: usize,
}

impl Issuer {
    /// Starts one with these keys.
    pub async fn start(keys: &[&Signer]) -> Self {
        Self::at("127.0.0.1:0", keys).await
    }

    /// Starts one at an address.
    pub async fn at(address: &str, keys: &[&Signer]) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let says = Says { keys: keys.iter().map(|key| key.public()).collect(), ..Says::default() };
        let says = Arc::new(Mutex::new(says));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys_document))
            .with_state((url.clone(), Arc::clone(&says)));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, says, serving }
    }

    /// Has it say something else from now on.
    pub fn change(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }

    /// Replaces its keys.
    pub fn rotate(&self, keys: &[&Signer]) {
        self.change(|says| says.keys = keys.iter().map(|key| key.public()).collect());
    }

    /// How often it was asked for its keys.
    pub fn asked(&self) -> usize {
        self.says.lock().unwrap().asked
    }

    /// Settings of an admin process that takes its tokens, and these.
    pub fn settings_and<'a>(&'a self, others: &[(&'static str, &'a str)]) -> Vec<(&'static str, &'a str)> {
        let own = [("OIDC_ISSUER", self.url.as_str()), ("OIDC_AUDIENCE", AUDIENCE)];
        own.into_iter().chain(others.iter().copied()).collect()
    }

    /// What a good token says.
    pub fn claims(&self, tenant: &str, role: &str) -> Value {
        json!({
            "iss": self.url, "aud": AUDIENCE, "sub": "ada@example.com", "exp": now() + 300, "iat": now(),
            "tenant_id": tenant, "role": role,
        })
    }

    /// Waits until a process has its keys.
    pub async fn known_to(&self, admin: &Admin, token: &str) {
        for _ in 0..200 {
            let answer = admin.ask(Some(token), reqwest::Method::GET, "/api/v2/tenants", &Value::Null).await;
            if answer.status() == StatusCode::OK {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the issuer's keys never came");
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Shared = State<(String, Arc<Mutex<Says>>)>;

async fn configuration(State((url, says)): Shared) -> Response {
    let configuration = says.lock().unwrap().configuration.clone();
    let configuration =
        configuration.unwrap_or_else(|| json!({"issuer": url, "jwks_uri": format!("{url}/keys")}));
    axum::Json(configuration).into_response()
}

async fn keys_document(State((_, says)): Shared) -> Response {
    let mut says = says.lock().unwrap();
    says.asked += 1;
    if let Some(place) = &says.redirect {
        return (StatusCode::FOUND, [(header::LOCATION, place.clone())]).into_response();
    }
    match &says.answer {
        Some(answer) => answer.clone().into_response(),
        None => axum::Json(json!({"keys": says.keys})).into_response(),
    }
}
