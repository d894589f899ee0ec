//! Calls that people make.

use http::Method;

use super::{body, no_such_method, refused};
use crate::calls;
use crate::reply::Reply;
use crate::request::Request;
use crate::simulator::Simulator;

/// Makes a call, and tells what came of it.
pub async fn make(simulator: &Simulator, request: &Request) -> Result<Reply, Reply> {
    if request.method != Method::POST {
        return Err(no_such_method());
    }
    let report = calls::place(simulator, body(request)?).await;
    report.map(|report| Reply::json(200, &report)).ok_or_else(|| refused(404, "nobody has this number"))
}
