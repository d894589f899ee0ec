//! Faults: how often, and the next one.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{body, no_such_method, refused};
use crate::api::APIS;
use crate::faults::{Next, Plan};
use crate::reply::Reply;
use crate::request::Request;
use crate::simulator::Simulator;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    plan: String,
}

/// Tells or sets how often what goes wrong.
pub fn plan(simulator: &Simulator, request: &Request) -> Result<Reply, Reply> {
    if request.method == Method::PUT {
        let wanted: Wanted = body(request)?;
        simulator.faults().plan = Plan::parse(&wanted.plan).map_err(|error| refused(400, &error))?;
    } else if request.method != Method::GET {
        return Err(no_such_method());
    }
    Ok(Reply::json(200, &json!({"plan": simulator.faults().plan.to_string()})))
}

/// Tells, adds to or clears what is forced.
pub fn next(simulator: &Simulator, request: &Request) -> Result<Reply, Reply> {
    let mut faults = simulator.faults();
    match request.method {
        Method::GET => {}
        Method::DELETE => faults.clear(),
        Method::POST => {
            let next: Next = body(request)?;
            if !is_known(&next.operation) {
                return Err(refused(
                    400,
                    "operation: there is none of this name; GET /control/operations lists them",
                ));
            }
            faults.force(next);
        }
        _ => return Err(no_such_method()),
    }
    Ok(Reply::json(200, &json!({"next": faults.forced()})))
}

fn is_known(operation: &str) -> bool {
    let known = |api: &&crate::api::Api| {
        api.provider == operation || api.routes.iter().any(|route| route.operation == operation)
    };
    operation == "*" || APIS.iter().any(known)
}
