//! Intents: what callers may want, with example phrases and responses by language.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::IntentId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Editor, InTenant, PathId, Viewer};
use super::body::{Body, present};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, NameFilter, Page, PageQuery};
use super::writes::Answered;
use crate::invalid::{self, Invalid};
use crate::store::intents::{self, Intent, IntentFields};
use crate::store::tenants;

const PHRASES_MAX: usize = 50;
const RESPONSES_MAX: usize = 20;
const TEXT_CHARS_MAX: usize = 1_000;

/// An intent to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIntent {
    /// 1 to 200 characters, unlike those of the tenant's other intents.
    name: String,
    /// What callers say who want it, at most 50.
    #[serde(default)]
    phrases: Vec<String>,
    /// What is answered, by language tag: `{"en": "When would you like to come?"}`.
    #[serde(default)]
    responses: BTreeMap<String, String>,
}

/// Fields of an intent to change; those absent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IntentPatch {
    /// 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    /// All phrases.
    #[serde(default, deserialize_with = "present")]
    phrases: Option<Vec<String>>,
    /// All responses.
    #[serde(default, deserialize_with = "present")]
    responses: Option<BTreeMap<String, String>>,
}

fn check(fields: &IntentFields<'_>) -> Result<(), Invalid> {
    invalid::name("name", fields.name)?;
    if fields.phrases.len() > PHRASES_MAX {
        return Err(Invalid::new("phrases", format!("wanted at most {PHRASES_MAX}")));
    }
    let mut seen = BTreeSet::new();
    for (index, phrase) in fields.phrases.iter().enumerate() {
        let place = format!("phrases[{index}]");
        invalid::spoken(&place, phrase, TEXT_CHARS_MAX)?;
        if !seen.insert(phrase.trim().to_lowercase()) {
            return Err(Invalid::new(place, "wanted each phrase once"));
        }
    }
    if fields.responses.len() > RESPONSES_MAX {
        return Err(Invalid::new("responses", format!("wanted at most {RESPONSES_MAX}")));
    }
    for (tag, response) in fields.responses {
        let place = format!("responses.{tag}");
        invalid::language(&place, tag)?;
        invalid::spoken(&place, response, TEXT_CHARS_MAX)?;
    }
    Ok(())
}

/// List a tenant's intents.
#[utoipa::path(get, path = "/tenants/{tenant_id}/intents", tag = "Intents",
    params(("tenant_id" = Uuid, Path), PageQuery, NameFilter), responses((status = 200, body = Page<Intent>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    list: List<NameFilter>,
) -> Result<Json<Page<Intent>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    let rows = intents::list(tx.conn(), tenant.id, list.filter.name(), list.window.after, list.window.rows())
        .await?;
    Ok(Json(list.window.page(rows, |intent| intent.id, |intent| intent)))
}

/// Create an intent.
#[utoipa::path(post, path = "/tenants/{tenant_id}/intents", tag = "Intents",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = NewIntent,
    responses((status = 201, body = Intent)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order,
    Body(new): Body<NewIntent>,
) -> Answered {
    let fields = IntentFields { name: &new.name, phrases: &new.phrases, responses: &new.responses };
    check(&fields)?;
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    let intent = intents::insert(write.tx.conn(), tenant.id, &fields).await?;
    write.tx.record_tenant(tenant.id).await?;
    write.created(intent.id, &intent).await
}

/// Get an intent.
#[utoipa::path(get, path = "/tenants/{tenant_id}/intents/{intent_id}", tag = "Intents",
    params(("tenant_id" = Uuid, Path), ("intent_id" = Uuid, Path)), responses((status = 200, body = Intent)))]
pub async fn get(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<IntentId>,
) -> Result<Json<Intent>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    Ok(Json(intents::find(tx.conn(), tenant.id, id).await?))
}

/// Change an intent.
#[utoipa::path(patch, path = "/tenants/{tenant_id}/intents/{intent_id}", tag = "Intents",
    params(("tenant_id" = Uuid, Path), ("intent_id" = Uuid, Path), WaitQuery), request_body = IntentPatch,
    responses((status = 200, body = Intent)))]
pub async fn change(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<IntentId>,
    order: Order,
    Body(patch): Body<IntentPatch>,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    let row = intents::find(write.tx.conn(), tenant.id, id).await?;
    write.expect(async |_| Ok::<_, Problem>(&row)).await?;
    let fields = IntentFields {
        name: patch.name.as_deref().unwrap_or(&row.name),
        phrases: patch.phrases.as_deref().unwrap_or(&row.phrases.0),
        responses: patch.responses.as_ref().unwrap_or(&row.responses.0),
    };
    check(&fields)?;
    let intent = intents::update(write.tx.conn(), tenant.id, id, &fields).await?;
    write.tx.record_tenant(tenant.id).await?;
    write.answer(StatusCode::OK, &intent).await
}

/// Delete an intent.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/intents/{intent_id}", tag = "Intents",
    params(("tenant_id" = Uuid, Path), ("intent_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<IntentId>,
    order: Order,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    write.expect(async |conn| intents::find(conn, tenant.id, id).await).await?;
    intents::delete(write.tx.conn(), tenant.id, id).await?;
    write.tx.record_tenant(tenant.id).await?;
    write.no_content().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_place() {
        let field = |json: &str| {
            let new: NewIntent = serde_json::from_str(json).unwrap();
            let fields = IntentFields { name: &new.name, phrases: &new.phrases, responses: &new.responses };
            check(&fields).unwrap_err().field
        };
        for (json, expected) in [
            (r#"{"name":""}"#, "name"),
            (r#"{"name":"a","phrases":["x","X "]}"#, "phrases[1]"),
            (r#"{"name":"a","phrases":[" "]}"#, "phrases[0]"),
            (r#"{"name":"a","responses":{"english":"x"}}"#, "responses.english"),
            (r#"{"name":"a","responses":{"en":""}}"#, "responses.en"),
        ] {
            assert_eq!(field(json), expected, "{json}");
        }
    }
}
