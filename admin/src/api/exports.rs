//! Exports: one state of numbers, tenants or settings, as a file that import takes.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dialplane_common::ids::TenantId;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::Api;
use super::auth::Operator;
use super::error::Problem;
use super::imports::{ImportFormat, ImportKind, unknown_tenant};
use super::parameters::Query;
use crate::bulk::export;
use crate::store::{Scope, StoreError, tenants};

/// Parts that wait for a slow reader.
const PARTS_AHEAD: usize = 4;

/// What is exported, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// What lines are about.
    #[param(inline)]
    kind: ImportKind,
    /// How the file is written.
    #[param(inline)]
    format: ImportFormat,
    /// This tenant's alone; absent: everybody's.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
}

/// Export numbers, tenants or settings: one state, in the form that import takes. Operators only.
#[utoipa::path(get, path = "/exports", tag = "Bulk", params(ExportQuery),
    responses((status = 200, content(
        (String = "text/csv", example = json!("tenant_id,external_id,name,timezone,status,calls_max\n")),
        (String = "application/jsonl", example = json!("{\"tenant_id\":\"0197c3a8-5b1e-7c42-8d10-3c5f7a9b1e20\"}\n")),
    ))))]
pub async fn get(
    State(api): State<Api>,
    _operator: Operator,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let (kind, format) = (query.kind.kind(), query.format.format());
    let scope = query.tenant_id.map_or(Scope::Operator, Scope::Tenant);
    let mut tx = api.store.read(scope).await?;
    if let Some(tenant) = query.tenant_id {
        tenants::find(tx.conn(), tenant).await.map_err(|error| match error {
            StoreError::NotFound => unknown_tenant(),
            other => other.into(),
        })?;
    }
    let (sender, receiver) = mpsc::channel(PARTS_AHEAD);
    let writing =
        tokio::spawn(async move { export::write(tx, kind, format, query.tenant_id, &sender).await });
    // A file that ends before its end breaks the connection off, so that nobody takes it for whole.
    let parts = stream::unfold((receiver, Some(writing)), |(mut receiver, mut writing)| async move {
        if let Some(part) = receiver.recv().await {
            return Some((Ok::<Bytes, std::io::Error>(part), (receiver, writing)));
        }
        match writing.take()?.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::warn!(%error, "an export broke off");
                Some((Err(std::io::Error::other(error)), (receiver, None)))
            }
            Err(error) => Some((Err(std::io::Error::other(error)), (receiver, None))),
        }
    });
    let name = format!("attachment; filename=\"{}.{}\"", kind.name(), format.name());
    let headers =
        [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(parts)).into_response())
}
