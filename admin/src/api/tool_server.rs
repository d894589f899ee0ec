//! The tenant's own server for what agents want done, beyond the tools that are built in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::TenantId;
use dialplane_common::secret::Secret;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Admin, InTenant, Viewer};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::writes::Answered;
use crate::invalid::Invalid;
use crate::store::instant::Instant;
use crate::store::tenants;
use crate::store::tool_servers::{self, ToolServerRow};
use crate::url;

const SECRET_CHARS: std::ops::RangeInclusive<usize> = 16..=200;

/// A tool server to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolServerDocument {
    /// An absolute `https` URL. `http` is taken, but routers call such only on the networks that
    /// `ROUTER_TOOL_PRIVATE_NETWORKS` names.
    url: String,
    /// How long an answer may take, 500 to 15000 milliseconds; absent: 5000.
    timeout_ms: Option<u16>,
    /// How many requests it takes at a time, 1 to 200; absent: 20.
    max_concurrent: Option<u16>,
    /// What requests are signed with, 16 to 200 characters; write-only. Absent: the one that is set stays; where none
    /// is, one is drawn and shown in the answer, this once.
    secret: Option<String>,
}

/// A tool server.
#[derive(Clone, Serialize, ToSchema)]
pub struct ToolServer {
    /// Where it is.
    url: String,
    /// How long an answer may take, in milliseconds.
    timeout_ms: i32,
    /// How many requests it takes at a time.
    max_concurrent: i32,
    /// What requests are signed with; only in the answer to the request that had it drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Instant,
}

impl ToolServer {
    fn of(row: ToolServerRow, secret: Option<String>) -> Self {
        Self {
            url: row.url,
            timeout_ms: row.timeout_ms,
            max_concurrent: row.concurrency_max,
            secret,
            updated_at: row.updated_at,
        }
    }
}

impl ToolServerDocument {
    fn check(&self) -> Result<(u16, u16), Invalid> {
        url::absolute("url", &self.url, &["https", "http"])?;
        let within = |field: &str, value: u16, range: std::ops::RangeInclusive<u16>| {
            let wanted = format!("wanted {} to {}", range.start(), range.end());
            if range.contains(&value) { Ok(value) } else { Err(Invalid::new(field, wanted)) }
        };
        if let Some(secret) = &self.secret
            && !(SECRET_CHARS.contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(Invalid::new("secret", "wanted 16 to 200 characters, ASCII, no blanks"));
        }
        Ok((
            within("timeout_ms", self.timeout_ms.unwrap_or(5_000), 500..=15_000)?,
            within("max_concurrent", self.max_concurrent.unwrap_or(20), 1..=200)?,
        ))
    }
}

/// Get a tenant's tool server.
#[utoipa::path(get, path = "/tenants/{tenant_id}/tool-server", tag = "Tools",
    params(("tenant_id" = Uuid, Path)), responses((status = 200, body = ToolServer)))]
pub async fn get(State(api): State<Api>, tenant: InTenant<Viewer>) -> Result<Json<ToolServer>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    Ok(Json(read(tx.conn(), tenant.id).await?))
}

async fn read(conn: &mut PgConnection, tenant: TenantId) -> Result<ToolServer, Problem> {
    let row = tool_servers::find(conn, tenant).await?;
    row.map(|row| ToolServer::of(row, None)).ok_or_else(Problem::not_found)
}

/// Set a tenant's tool server. What agents want done is posted to it, signed.
#[utoipa::path(put, path = "/tenants/{tenant_id}/tool-server", tag = "Tools",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = ToolServerDocument,
    responses((status = 200, body = ToolServer)))]
pub async fn put(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    order: Order,
    Body(document): Body<ToolServerDocument>,
) -> Answered {
    let limits = document.check()?;
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    write.expect(async |conn| read(conn, tenant.id).await).await?;
    let before = tool_servers::find(write.tx.conn(), tenant.id).await?;
    let keys = api.store.keys();
    let (secret, drawn) = match (document.secret, before) {
        (Some(secret), _) => (Secret::new(secret), None),
        (None, Some(before)) => (before.secret(keys, tenant.id)?, None),
        (None, None) => {
            let drawn = super::api_keys::draw("dpt_")?;
            (Secret::new(drawn.clone()), Some(drawn))
        }
    };
    let row =
        tool_servers::put(write.tx.conn(), keys, tenant.id, &document.url, limits, secret.expose()).await?;
    write.tx.record_tenant(tenant.id).await?;
    let redacted = ToolServer::of(row, None);
    let shown = ToolServer { secret: drawn, ..redacted.clone() };
    write.answer_once(StatusCode::OK, &shown, &redacted).await
}

/// Take away a tenant's tool server: its agents have the built-in tools alone.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/tool-server", tag = "Tools",
    params(("tenant_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(State(api): State<Api>, tenant: InTenant<Admin>, order: Order) -> Answered {
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    write.expect(async |conn| read(conn, tenant.id).await).await?;
    tool_servers::delete(write.tx.conn(), tenant.id).await?;
    write.tx.record_tenant(tenant.id).await?;
    write.no_content().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_place() {
        let field =
            |json: &str| serde_json::from_str::<ToolServerDocument>(json).unwrap().check().unwrap_err().field;
        for (json, expected) in [
            (r#"{"url":"ftp://x.example"}"#, "url"),
            (r#"{"url":"https://x.example","timeout_ms":100}"#, "timeout_ms"),
            (r#"{"url":"https://x.example","max_concurrent":0}"#, "max_concurrent"),
            (r#"{"url":"https://x.example","secret":"short"}"#, "secret"),
        ] {
            assert_eq!(field(json), expected, "{json}");
        }
    }
}
