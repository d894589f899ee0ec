//! How tests and people look at the simulated providers, and interfere. None of it meets faults.

mod accounts;
mod calls;
mod faults;
mod numbers;

use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::APIS;
use crate::reply::Reply;
use crate::request::Request;
use crate::simulator::Simulator;

/// Answers a request whose first segment is no API's base.
pub async fn answer(simulator: &Simulator, base: &str, request: &Request) -> Reply {
    let segments = request.segments();
    let segments: Vec<_> =
        segments.iter().map(String::as_str).filter(|segment| !segment.is_empty()).collect();
    let get = request.method == Method::GET;
    let outcome = match (base, segments.as_slice()) {
        ("" | "health", []) if get => Ok(overview(simulator)),
        ("ledger", []) if get => Ok(ledger(simulator, request)),
        ("control", ["accounts"]) => accounts::answer(simulator, request),
        ("control", ["numbers"]) if get => Ok(numbers::list(simulator, request)),
        ("control", ["numbers", provider, number]) => numbers::change(simulator, request, provider, number),
        ("control", ["faults"]) => faults::plan(simulator, request),
        ("control", ["next"]) => faults::next(simulator, request),
        ("control", ["calls"]) => calls::make(simulator, request).await,
        ("control", ["operations"]) if get => Ok(operations()),
        _ => Err(refused(404, "there is nothing here; GET / tells what there is")),
    };
    outcome.unwrap_or_else(|refused| refused)
}

/// What there is.
fn overview(simulator: &Simulator) -> Reply {
    let bases: Vec<_> =
        APIS.iter().map(|api| json!({"provider": api.provider, "base": format!("/{}", api.base)})).collect();
    let world = simulator.world();
    let shown = json!({
        "seed": simulator.seed, "faults": simulator.faults().plan.to_string(), "apis": bases,
        "accounts": world.accounts.len(), "numbers": world.numbers.len(), "entries": world.ledger.len(),
        "control": ["GET /ledger?provider=&account=&action=", "GET, PUT /control/accounts",
            "GET /control/numbers?provider=&number=", "PATCH /control/numbers/{provider}/{number}",
            "GET, PUT /control/faults", "GET, POST, DELETE /control/next", "GET /control/operations",
            "POST /control/calls"],
    });
    Reply::json(200, &shown)
}

/// The ledger, or what the query leaves of it.
fn ledger(simulator: &Simulator, request: &Request) -> Reply {
    let query = request.query();
    let world = simulator.world();
    let entries = world.ledger.iter().filter(|entry| {
        let asked = [("provider", &entry.provider), ("account", &entry.account), ("action", &entry.action)];
        let more = [("what", &entry.what), ("subject", &entry.subject), ("tag", &entry.tag)];
        asked.iter().chain(&more).all(|(name, is)| query.get(name).is_none_or(|want| want == is.as_str()))
    });
    Reply::json(200, &json!({"entries": entries.collect::<Vec<_>>()}))
}

/// What faults can be chosen for.
fn operations() -> Reply {
    let routes = APIS.iter().flat_map(|api| api.routes.iter().map(move |route| (api.base, route)));
    let shown: Vec<_> = routes
        .map(|(base, route)| {
            let path = format!("/{base}{}", route.path);
            json!({"operation": route.operation, "method": route.method.as_str(), "path": path})
        })
        .collect();
    Reply::json(200, &json!({"operations": shown}))
}

/// A body of this shape.
fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Reply> {
    serde_json::from_slice(&request.body).map_err(|error| refused(400, &error.to_string()))
}

/// Says no.
fn refused(status: u16, why: &str) -> Reply {
    Reply::json(status, &json!({"error": Value::from(why)}))
}

/// There is such a path, but nothing is done there so.
fn no_such_method() -> Reply {
    refused(405, "not with this method")
}
