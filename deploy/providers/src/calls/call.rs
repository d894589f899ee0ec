//! One call: who calls whom, and what was asked for it.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Asked, Patience};
use crate::account::Account;
use crate::number::Number;
use crate::simulator::Simulator;

/// A call.
pub struct Call<'s> {
    /// Where things are looked up.
    pub simulator: &'s Simulator,
    /// The number that is dialled.
    pub to: String,
    /// Who calls.
    pub from: String,
    /// The carrier's name of the call.
    pub id: String,
    /// The number at its carrier.
    pub number: Number,
    /// Whose it is.
    pub account: Account,
    /// What was tried and how it ended.
    pub steps: Vec<Value>,
    /// What was asked of webhooks, and what they said.
    pub requests: Vec<Value>,
    /// When it began.
    pub began: Timestamp,
    outcomes: VecDeque<String>,
}

/// A request to a webhook.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Where; what stands behind `#` isn't sent.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Outgoing {
    /// A POST of JSON.
    pub fn json(url: &str, body: &Value) -> Self {
        Self {
            method: "POST",
            url: url.to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What a webhook said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type` without its parameters, lower case.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Whether it is 2xx.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl<'s> Call<'s> {
    /// A call that begins now.
    pub fn new(simulator: &'s Simulator, asked: Asked, number: Number, account: Account) -> Self {
        let began = Timestamp::now();
        let id = simulator.world().draw.uuid().to_string();
        let (steps, requests) = (Vec::new(), Vec::new());
        let Asked { to, from, outcomes, .. } = asked;
        Self { simulator, to, from, id, number, account, steps, requests, began, outcomes }
    }

    /// Notes what is tried, and tells how it ends.
    pub fn attempt(&mut self, mut step: Value) -> String {
        let outcome = self.outcomes.pop_front().unwrap_or_else(|| "completed".to_owned());
        step["outcome"] = outcome.as_str().into();
        self.steps.push(step);
        outcome
    }

    /// Notes what is done.
    pub fn did(&mut self, step: Value) {
        self.steps.push(step);
    }

    /// Asks a webhook, again as often as the carrier does.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&mut self, request: &Outgoing, patience: &Patience) -> Result<Answer, String> {
        let mut tries = 0;
        loop {
            let outcome = self.once(request, patience).await;
            tries += 1;
            if tries > patience.retries || !patience.wants_another(&outcome) {
                return outcome;
            }
        }
    }

    async fn once(&mut self, request: &Outgoing, patience: &Patience) -> Result<Answer, String> {
        let url = request.url.split('#').next().unwrap_or_default();
        let method = if request.method == "GET" { reqwest::Method::GET } else { reqwest::Method::POST };
        let mut sent = self.simulator.http.request(method, url).timeout(patience.read);
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        let outcome = receive(sent.body(request.body.clone())).await;
        let (status, said) = match &outcome {
            Ok(answer) => (Some(answer.status), answer.body.clone()),
            Err(error) => (None, error.clone()),
        };
        let headers: serde_json::Map<_, _> =
            request.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        self.requests.push(json!({
            "method": request.method, "url": url, "headers": headers, "body": request.body, "status": status,
            "answer": said,
        }));
        outcome
    }
}

async fn receive(sent: reqwest::RequestBuilder) -> Result<Answer, String> {
    let failed = |error: reqwest::Error| {
        let kind = if error.is_timeout() { "timeout" } else { "connection" };
        format!("{kind}: {}", error.without_url())
    };
    let reply = sent.send().await.map_err(failed)?;
    let status = reply.status().as_u16();
    let content_type = reply.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let content_type = content_type.to_ascii_lowercase();
    let body = reply.text().await.map_err(failed)?;
    Ok(Answer { status, content_type, body })
}
