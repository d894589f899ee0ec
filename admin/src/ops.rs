//! The operations listener: `/healthz`, `/readyz`, `/metrics`. No key is asked for: it isn't for the outside.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::metrics::Metrics;
use crate::store::Store;

/// Sooner than whoever asks gives up.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// What the operations endpoints look at.
#[derive(Clone)]
pub struct Ops {
    /// Postgres.
    pub store: Store,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

/// The operations endpoints.
pub fn router(ops: Ops) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(ops)
}

/// Ready: Postgres answers and has this program's schema.
async fn readyz(State(ops): State<Ops>) -> (StatusCode, String) {
    let Ok(is_migrated) = tokio::time::timeout(READY_TIMEOUT, ops.store.is_migrated()).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: no answer from Postgres\n".into());
    };
    match is_migrated {
        Ok(true) => (StatusCode::OK, "ready\n".into()),
        Ok(false) => {
            let why = "not ready: the schema is older than this program: run dialplane-admin migrate\n";
            (StatusCode::SERVICE_UNAVAILABLE, why.into())
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {error}\n")),
    }
}

async fn metrics(State(ops): State<Ops>) -> impl IntoResponse {
    match ops.metrics.text(ops.store.pool()) {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], error.to_string())
        }
    }
}
