//! What a server has to show before it is measured.

use crate::calls;
use crate::http::{self, Response};
use crate::load::server::Server;
use crate::workload;

/// What a server does with a webhook.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// Reads it and answers what it always answers.
    Answers,
    /// Looks its number up and answers with that number's stream; its signature isn't read.
    LooksUp,
    /// Verifies its signature, and then the same.
    Verifies,
}

impl Does {
    /// As a word of the table.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::LooksUp => "looks up",
            Self::Verifies => "verifies, looks up",
        }
    }

    /// Asks a server for what it says to do, among the workload's first `numbers`.
    ///
    /// # Errors
    /// Says what it was asked and what it answered.
    pub fn check(self, server: &Server, numbers: u64) -> Result<(), String> {
        if self == Self::Answers {
            let (signature, body) = call(0)?;
            let response = ask(server, &signature, &body)?;
            return wanted("a fixed answer", response.status == 200, &response);
        }
        for index in [0, numbers / 2, numbers.saturating_sub(1)] {
            let url = workload::location(index).ok_or("more numbers than E.164 has")?.stream_url;
            let (signature, body) = call(index)?;
            let response = ask(server, &signature, &body)?;
            let right = response.status == 200 && response.body.contains(&format!("\"{url}\""));
            wanted(&format!("the stream {url}"), right, &response)?;
        }
        let (signature, body) = call(numbers)?;
        let response = ask(server, &signature, &body)?;
        wanted("no stream for a number that isn't there", !response.body.contains("<Stream"), &response)?;
        if self == Self::Verifies { verifies(server) } else { Ok(()) }
    }
}

/// A form in any order is signed as the sorted one; another call's signature, none, and a form that was altered behind
/// its signature are refused.
fn verifies(server: &Server) -> Result<(), String> {
    let (signature, body) = call(0)?;
    let reversed: Vec<&str> = body.split('&').rev().collect();
    let response = ask(server, &signature, &reversed.join("&"))?;
    wanted("200 for a form in another order", response.status == 200, &response)?;
    let (other, _) = call(1)?;
    let altered = body.replace("OAKLAND", "OAKLAN%44X");
    for (what, signature, body) in [
        ("a wrong signature", &*other, &body),
        ("no signature", "", &body),
        ("an altered form", &signature, &altered),
    ] {
        let response = ask(server, signature, body)?;
        wanted(&format!("403 for {what}"), response.status == 403, &response)?;
    }
    Ok(())
}

/// Signature and form of a call to the number at a place.
fn call(index: u64) -> Result<(String, String), String> {
    let number = workload::number(index).ok_or("more numbers than E.164 has")?;
    Ok(calls::signed("CA00000000000000000000000000000000", &number.to_string()))
}

fn ask(server: &Server, signature: &str, body: &str) -> Result<Response, String> {
    http::raw(server.address, &calls::request(signature, body)).map_err(|error| format!("no answer: {error}"))
}

fn wanted(what: &str, right: bool, response: &Response) -> Result<(), String> {
    if right { Ok(()) } else { Err(format!("wanted {what}, got {}: {}", response.status, response.body)) }
}
