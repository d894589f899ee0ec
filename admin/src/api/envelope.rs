//! What every request goes through: an id, a time limit, one log line, metrics; panics and refusals become problems.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::error::Problem;
use crate::metrics::Metrics;

/// Longer than the longest wait that a request may ask for (`timeout_ms`).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);

/// Requests whose bodies are files. They take as long as they take; a sender that says nothing is cut off by the handler.
const UPLOADS: [&str; 2] = ["/api/v2/imports", "/api/v2/imports/{import_id}/content"];
/// Longer than anybody sends a file.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);
/// A request's id, among its extensions: the caller's, else one of ours.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Wraps one request.
pub async fn wrap(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = given_id(&request).unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    let limit = if UPLOADS.contains(&&*route) { UPLOAD_TIMEOUT } else { REQUEST_TIMEOUT };
    let response = match tokio::time::timeout(limit, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => Problem::internal().into_response(),
        Err(_) => {
            let detail = "the request took too long; it may have happened all the same";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail).into_response()
        }
    };
    let code = response.extensions().get::<Problem>().map(Problem::code);
    let mut response = with_problem(response, &id);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let status = response.status().as_u16();
    // Methods are a small set here: any other was refused before a route matched.
    metrics.answered(method_label(&method), &route, status, began.elapsed());
    let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(request_id = id, %method, route, status, code, took_us, "answered a request");
    response
}

/// The id that the caller gave the request; `None` when it gave none that could stand in a log.
fn given_id(request: &Request) -> Option<String> {
    let given = request.headers().get("x-request-id")?.to_str().ok()?;
    let is_plain = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    (is_plain && (1..=128).contains(&given.len())).then(|| given.to_owned())
}

fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Writes the problem that the answer is marked with, or that its bare status stands for.
fn with_problem(response: Response, id: &str) -> Response {
    let status = response.status();
    let (parts, body) = response.into_parts();
    let problem = match parts.extensions.get::<Problem>() {
        Some(problem) => problem.clone(),
        None if status.is_client_error() || status.is_server_error() => Problem::of_status(status),
        None => return Response::from_parts(parts, body),
    };
    let mut headers = parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    problem.render(Some(id), headers)
}
