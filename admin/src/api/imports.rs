//! Imports: files of numbers, tenants or settings.
//!
//! A file comes as the body of the request that creates the import, however long it is. One that may break off comes by
//! the resumable uploads of the IETF's HTTP working group (draft-ietf-httpbis-resumable-upload): create with
//! `Upload-Complete: ?0` and no body, append with PATCH at the offset that HEAD tells.

use std::time::Duration;

use axum::Json;
use axum::body::Body as RawBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use dialplane_common::ids::TenantId;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{ImportId, Operator, PathId};
use super::error::Problem;
use super::order::Order;
use super::page::{List, Page, PageQuery};
use super::writes::Answered;
use crate::bulk::Format;
use crate::bulk::upload::{Upload, UploadError};
use crate::store::imports::{self, BadLine, ERRORS_MAX, Import, NewImport};
use crate::store::{Scope, StoreError};

const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const PARTIAL_UPLOAD: &str = "application/partial-upload";
/// A sender that says nothing for so long has gone: what came is kept.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// So long, the rest of a file that is refused is taken.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often progress is looked at.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// What a file holds, and what is done with it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// What its lines are about.
    #[param(inline)]
    kind: ImportKind,
    /// How it is written.
    #[param(inline)]
    format: ImportFormat,
    /// What is done when lines are bad; absent: `best_effort`.
    #[param(inline)]
    mode: Option<ImportMode>,
    /// The tenant that all lines are about, which they needn't name then.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
    /// Check all lines, then stop: `ready`.
    #[serde(default)]
    dry_run: bool,
}

/// What lines are about.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportKind {
    /// Phone numbers.
    Numbers,
    /// Tenants.
    Tenants,
    /// Settings of numbers and tenants.
    Settings,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportFormat {
    /// Comma-separated values with a header.
    Csv,
    /// A JSON object a line.
    Jsonl,
}

/// What is done when lines are bad.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportMode {
    /// Good ones are applied, bad ones reported.
    BestEffort,
    /// Nothing is applied unless all are good.
    AllOrNothing,
}

impl ImportKind {
    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> crate::bulk::Kind {
        match self {
            Self::Numbers => crate::bulk::Kind::Numbers,
            Self::Tenants => crate::bulk::Kind::Tenants,
            Self::Settings => crate::bulk::Kind::Settings,
        }
    }
}

impl ImportFormat {
    /// Its format.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Jsonl => Format::Jsonl,
        }
    }
}

/// List imports. Operators only.
#[utoipa::path(get, path = "/imports", tag = "Bulk", params(PageQuery),
    responses((status = 200, body = Page<Import>)))]
pub async fn list(
    State(api): State<Api>,
    _operator: Operator,
    List { window, .. }: List,
) -> Result<Json<Page<Import>>, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    let rows = imports::list(tx.conn(), window.after, window.rows()).await?;
    Ok(Json(window.page(rows, |import| import.id, |import| import)))
}

/// Import a file: the body, of any length. Operators only.
///
/// A line creates what isn't there, and sets of what is there the columns that it has: numbers are known by
/// `phone_number` or `prefix`, tenants by `tenant_id` or `external_id`. A column that is absent leaves what is there; an
/// empty cell, or null, unsets it. With `Upload-Complete: ?0` the file goes on in PATCH requests to `/content`.
///
/// An `Idempotency-Key` stands for the path and the query alone, as nobody keeps the file's bytes to compare: its
/// repetition creates nothing and takes no body, and is answered with the import as it was created. HEAD of its
/// `/content` tells how much of the file came.
#[utoipa::path(post, path = "/imports", tag = "Bulk",
    params(ImportQuery, ("Upload-Complete" = Option<String>, Header, description = "`?0`: the file goes on in other \
        requests; absent, or `?1`: this is all of it.")),
    request_body(content(
        (String = "text/csv", example = json!("phone_number,agent\n+12125550001,Front desk\n")),
        (String = "application/jsonl", example = json!("{\"phone_number\":\"+12125550001\",\"agent\":\"Front desk\"}\n")),
    )),
    responses((status = 201, body = Import)))]
pub async fn create(
    State(api): State<Api>,
    _operator: Operator,
    order: Order<ImportQuery>,
    request: Request,
) -> Answered {
    let is_complete = is_complete(request.headers())?.unwrap_or(true);
    let (query, origin) = (&order.query, order.origin().clone());
    let new = NewImport {
        tenant: query.tenant_id,
        kind: query.kind.kind().name(),
        format: query.format.format().name(),
        mode: match query.mode {
            None | Some(ImportMode::BestEffort) => "best_effort",
            Some(ImportMode::AllOrNothing) => "all_or_nothing",
        },
        dry_run: query.dry_run,
        origin: &origin,
    };
    let mut write = match api.write(order).await {
        Ok(write) => write,
        Err(answer) => {
            drain(request.into_body().into_data_stream()).await;
            return Err(answer);
        }
    };
    let import = imports::insert(write.tx.conn(), &new).await.map_err(|error| match error {
        StoreError::NotFound => unknown_tenant(),
        other => other.into(),
    })?;
    let created = write.created(import.id, &import).await?;
    let import = receive(&api, import, is_complete, request.into_body()).await?;
    let location = created.headers().get(header::LOCATION).map(|path| (header::LOCATION, path.clone()));
    let location = HeaderMap::from_iter(location);
    Ok((StatusCode::CREATED, location, upload_headers(&import), Json(import)).into_response())
}

/// The tenant that a query names isn't there.
pub(super) fn unknown_tenant() -> Problem {
    let detail = "tenant_id: there is no such tenant";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_tenant", detail).at("tenant_id")
}

/// Takes a body in. What came before it broke off is kept.
async fn receive(api: &Api, import: Import, is_complete: bool, body: RawBody) -> Result<Import, Problem> {
    let mut upload = Upload::new(&api.store, import)?;
    let mut body = body.into_data_stream();
    loop {
        match tokio::time::timeout(BODY_IDLE_TIMEOUT, body.next()).await {
            Ok(Some(Ok(bytes))) => {
                if let Err(error) = upload.push(&bytes).await {
                    drain(body).await;
                    return Err(upload_problem(error));
                }
            }
            Ok(None) if is_complete => {
                let import = upload.end().await.map_err(upload_problem)?;
                api.imports.notify_waiters();
                return Ok(import);
            }
            Ok(None) => return upload.break_off().await.map_err(upload_problem),
            Ok(Some(Err(_))) | Err(_) => {
                upload.break_off().await.map_err(upload_problem)?;
                let detail = "the body broke off: what came is kept, go on at the offset that HEAD tells";
                return Err(Problem::new(StatusCode::BAD_REQUEST, "body_broke_off", detail));
            }
        }
    }
}

/// Many senders read no answer before they have sent all: what comes is taken, for a while.
async fn drain(mut body: impl Stream<Item = Result<bytes::Bytes, axum::Error>> + Unpin) {
    let draining = async { while let Some(Ok(_)) = body.next().await {} };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, draining).await;
}

fn upload_problem(error: UploadError) -> Problem {
    match error {
        UploadError::Store(error) => error.into(),
        UploadError::Invalid(invalid) => invalid.into(),
        UploadError::Moved => Problem::new(
            StatusCode::CONFLICT,
            "upload_moved",
            "somebody else went on with the upload, or ended it",
        ),
    }
}

/// A structured field's boolean (RFC 9651).
fn is_complete(headers: &HeaderMap) -> Result<Option<bool>, Problem> {
    match headers.get(UPLOAD_COMPLETE).map(HeaderValue::as_bytes) {
        None => Ok(None),
        Some(b"?1") => Ok(Some(true)),
        Some(b"?0") => Ok(Some(false)),
        Some(_) => {
            let detail = "Upload-Complete: wanted ?1 or ?0";
            Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_header", detail))
        }
    }
}

fn upload_headers(import: &Import) -> HeaderMap {
    let complete = if import.state == "uploading" { "?0" } else { "?1" };
    let mut headers = HeaderMap::new();
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(import.bytes_received));
    headers.insert(UPLOAD_COMPLETE, HeaderValue::from_static(complete));
    headers
}

/// Tell how much of an import's file came: `Upload-Offset`, `Upload-Complete`. Operators only.
#[utoipa::path(head, path = "/imports/{import_id}/content", tag = "Bulk", params(("import_id" = Uuid, Path)),
    responses((status = 204)))]
pub async fn offset(
    State(api): State<Api>,
    _operator: Operator,
    PathId(ImportId(id)): PathId<ImportId>,
) -> Result<Response, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    let import = imports::find(tx.conn(), id).await?;
    let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::NO_CONTENT, upload_headers(&import), [fresh]).into_response())
}

/// Append to an import's file at `Upload-Offset`; `Upload-Complete: ?1` when this is the last of it. Operators only.
#[utoipa::path(patch, path = "/imports/{import_id}/content", tag = "Bulk",
    params(("import_id" = Uuid, Path),
        ("Upload-Offset" = u64, Header, description = "How many bytes of the file came before these."),
        ("Upload-Complete" = String, Header, description = "`?1`: the file ends with these; `?0`: it goes on.")),
    request_body(content((String = "application/partial-upload", example = json!("+12125550002,Front desk\n")))),
    responses((status = 204)))]
pub async fn append(
    State(api): State<Api>,
    _operator: Operator,
    PathId(ImportId(id)): PathId<ImportId>,
    order: Order,
    request: Request,
) -> Result<Response, Problem> {
    order.refuse_precondition()?;
    let kind = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind != Some(PARTIAL_UPLOAD.as_bytes()) {
        let detail = "wanted a body with the header Content-Type: application/partial-upload";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    let wanted = |detail| Problem::new(StatusCode::BAD_REQUEST, "invalid_header", detail);
    let is_complete =
        is_complete(request.headers())?.ok_or_else(|| wanted("Upload-Complete: wanted ?1 or ?0"))?;
    let offset = request.headers().get(UPLOAD_OFFSET).and_then(|value| value.to_str().ok());
    let offset: i64 = offset
        .and_then(|offset| offset.parse().ok())
        .ok_or_else(|| wanted("Upload-Offset: wanted the number of bytes that came before"))?;
    let mut tx = api.store.read(Scope::Operator).await?;
    let import = imports::find(tx.conn(), id).await?;
    drop(tx);
    if import.state != "uploading" || import.bytes_received != offset {
        let detail = format!("Upload-Offset: wanted {}, while it is uploading", import.bytes_received);
        let problem = Problem::new(StatusCode::CONFLICT, "upload_offset_mismatch", detail);
        return Ok((upload_headers(&import), problem).into_response());
    }
    let import = receive(&api, import, is_complete, request.into_body()).await?;
    Ok((StatusCode::NO_CONTENT, upload_headers(&import)).into_response())
}

/// Get an import. Operators only.
#[utoipa::path(get, path = "/imports/{import_id}", tag = "Bulk", params(("import_id" = Uuid, Path)),
    responses((status = 200, body = Import)))]
pub async fn get(
    State(api): State<Api>,
    _operator: Operator,
    PathId(ImportId(id)): PathId<ImportId>,
) -> Result<Json<Import>, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    Ok(Json(imports::find(tx.conn(), id).await?))
}

/// Apply an import that is `ready` after its dry run. Operators only.
///
/// Bad lines are left out in the mode `best_effort`; in the other, an import that has any has failed.
#[utoipa::path(post, path = "/imports/{import_id}/apply", tag = "Bulk", params(("import_id" = Uuid, Path)),
    responses((status = 200, body = Import)))]
pub async fn apply(
    State(api): State<Api>,
    _operator: Operator,
    PathId(ImportId(id)): PathId<ImportId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    let found = imports::lock(write.tx.conn(), id).await?;
    let Some(import) = imports::transit(write.tx.conn(), id, &["ready"], "applying").await? else {
        let detail = format!("wanted an import that is ready; it is {}", found.state);
        return Err(Problem::new(StatusCode::CONFLICT, "import_not_ready", detail).into());
    };
    let answer = write.answer(StatusCode::OK, &import).await?;
    api.imports.notify_waiters();
    Ok(answer)
}

/// Cancel an import. What is applied stays. Operators only.
#[utoipa::path(delete, path = "/imports/{import_id}", tag = "Bulk", params(("import_id" = Uuid, Path)),
    responses((status = 204)))]
pub async fn cancel(
    State(api): State<Api>,
    _operator: Operator,
    PathId(ImportId(id)): PathId<ImportId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    let found = imports::lock(write.tx.conn(), id).await?;
    write.expect(async |conn| imports::find(conn, id).await).await?;
    let cancelled = imports::finish(write.tx.conn(), id, "cancelled", None).await?;
    if cancelled.is_none() && found.state != "cancelled" {
        let detail = format!("the import is over: {}", found.state);
        return Err(Problem::new(StatusCode::CONFLICT, "import_over", detail).into());
    }
    write.no_content().await
}

/// Which bad lines, and how.
#[derive(Debug, Deserialize, Serialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ErrorsFilter {
    /// `csv`: all that are kept, as CSV; absent: a page of them.
    #[param(inline)]
    format: Option<ErrorsFormat>,
}

/// How bad lines are written.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorsFormat {
    /// Comma-separated values with a header.
    Csv,
}

/// List an import's bad lines, in the file's order: the first 10,000; `lines_bad` counts all. Operators only.
#[utoipa::path(get, path = "/imports/{import_id}/errors", tag = "Bulk",
    params(("import_id" = Uuid, Path), ErrorsFilter, PageQuery),
    responses((status = 200, content(
        (Page<BadLine> = "application/json"),
        (String = "text/csv", example = json!("line,field,code,message\n2,name,invalid_field,name: wanted\n"))))))]
pub async fn errors(
    State(api): State<Api>,
    _operator: Operator,
    PathId(ImportId(id)): PathId<ImportId>,
    List { filter, window }: List<ErrorsFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    imports::find(tx.conn(), id).await?;
    if filter.format.is_some() {
        let rows = imports::errors(tx.conn(), id, 0, ERRORS_MAX).await?;
        let kind = [(header::CONTENT_TYPE, Format::Csv.media_type())];
        return Ok((kind, errors_csv(&rows)).into_response());
    }
    // A cursor is opaque: a line's number in the shape of other lists' cursors.
    let after = window.after.map_or(0, |after| i64::try_from(after.as_u128()).unwrap_or(i64::MAX));
    let rows = imports::errors(tx.conn(), id, after, window.rows()).await?;
    let place = |bad: &BadLine| Uuid::from_u128(u128::from(bad.line.unsigned_abs()));
    Ok(Json(window.page(rows, place, |bad| bad)).into_response())
}

fn errors_csv(rows: &[BadLine]) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    // Writing to memory doesn't fail.
    let _ = out.write_record(["line", "field", "code", "message"]);
    for bad in rows {
        let _ = out.write_record([&*bad.line.to_string(), &bad.field, &bad.code, &bad.message]);
    }
    out.into_inner().unwrap_or_default()
}

/// Follow an import's progress as server-sent events: each `progress` is the import, the last as it ended. Operators
/// only.
#[utoipa::path(get, path = "/imports/{import_id}/events", tag = "Bulk", params(("import_id" = Uuid, Path)),
    responses((status = 200, content((String = "text/event-stream",
        example = json!("event: progress\ndata: {\"state\":\"done\",...}\n\n"))))))]
pub async fn events(
    State(api): State<Api>,
    _operator: Operator,
    PathId(ImportId(id)): PathId<ImportId>,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    imports::find(tx.conn(), id).await?;
    drop(tx);
    let progress = futures_util::stream::unfold(Some((api, None)), move |state| async move {
        let (api, before) = state?;
        let import = next_progress(&api, id, before.as_ref()).await?;
        let event = Event::default().event("progress").json_data(&import);
        let next = (!import.is_over()).then_some((api, Some(import)));
        Some((event, next))
    });
    Ok(Sse::new(progress).keep_alive(KeepAlive::default()))
}

/// The import once it isn't as `before`; `None` when it can't be read or the process stops: the client asks again.
async fn next_progress(api: &Api, id: Uuid, before: Option<&Import>) -> Option<Import> {
    let changed = async {
        loop {
            let mut tx = api.store.read(Scope::Operator).await.ok()?;
            let import = imports::find(tx.conn(), id).await.ok()?;
            drop(tx);
            if before != Some(&import) {
                return Some(import);
            }
            tokio::time::sleep(PROGRESS_INTERVAL).await;
        }
    };
    tokio::select! {
        biased;
        () = api.realtime.stops() => None,
        import = changed => import,
    }
}
