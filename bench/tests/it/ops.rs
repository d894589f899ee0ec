//! What a router's operations port says.

use std::net::SocketAddr;

use dialplane_bench::http::{self, Response};
use serde_json::Value;

/// GET of a path.
pub fn get(ops: SocketAddr, target: &str) -> Response {
    http::request(ops, "GET", target, &[], b"").expect("the operations port answers")
}

/// The value of a series, written as `/metrics` writes it, without the prefix `dialplane_`.
pub fn metric(ops: SocketAddr, series: &str) -> f64 {
    let text = get(ops, "/metrics").body;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("dialplane_")?.strip_prefix(series)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no series {series} in\n{text}"))
}

/// How many webhooks of a kind ended so.
pub fn outcomes(ops: SocketAddr, kind: &str, outcome: &str) -> f64 {
    metric(
        ops,
        &format!("router_webhooks_total{{kind=\"{kind}\",outcome=\"{outcome}\",provider=\"twilio\"}}"),
    )
}

/// Whether the router is ready, and what it says of itself.
pub fn readiness(ops: SocketAddr) -> (u16, Value) {
    let response = get(ops, "/readyz");
    (response.status, serde_json::from_str(&response.body).expect("readiness is JSON"))
}

/// The revision that is served.
pub fn revision(ops: SocketAddr) -> u64 {
    readiness(ops).1["serving"]["revision"].as_u64().unwrap_or_default()
}
