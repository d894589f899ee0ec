//! Settings that are one document each: voice, rules, sms, staff, services. A number's own, its tenant's behind it, the
//! platform's behind that.

use axum::Json;
use axum::http::StatusCode;
use dialplane_common::ids::PhoneNumberId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::Api;
use super::auth::{Editor, InTenant, Principal, Viewer};
use super::error::Problem;
use super::order::Order;
use super::setting::Setting;
use super::writes::Answered;
use crate::invalid::Invalid;
use crate::messages::SmsDocument;
use crate::people::{ServicesDocument, StaffDocument};
use crate::profile::{RulesDocument, VoiceDocument};
use crate::store::settings::{self, Kind, Owner};
use crate::store::{StoreError, numbers, tenants};

/// A setting that is one document.
pub trait Document: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// Its kind.
    const KIND: Kind;

    /// Refuses what a router couldn't use.
    ///
    /// # Errors
    /// What is wanted where.
    fn check(&self) -> Result<(), Invalid>;

    /// This document, with what it lacks from the one behind it.
    fn over(self, behind: &Self) -> Self;

    /// Gives ids to what is listed without.
    fn identify(&mut self) {}

    /// The staff, where it is one: people name services.
    fn staff(&self) -> Option<&StaffDocument> {
        None
    }
}

impl Document for VoiceDocument {
    const KIND: Kind = Kind::Voice;

    fn check(&self) -> Result<(), Invalid> {
        self.compile().map(drop)
    }

    fn over(self, behind: &Self) -> Self {
        self.over(behind)
    }
}

impl Document for RulesDocument {
    const KIND: Kind = Kind::Rules;

    fn check(&self) -> Result<(), Invalid> {
        self.compile().map(drop)
    }

    fn over(self, behind: &Self) -> Self {
        self.over(behind)
    }
}

impl Document for SmsDocument {
    const KIND: Kind = Kind::Sms;

    fn check(&self) -> Result<(), Invalid> {
        self.compile().map(drop)
    }

    fn over(self, behind: &Self) -> Self {
        self.over(behind)
    }
}

impl Document for StaffDocument {
    const KIND: Kind = Kind::Staff;

    fn check(&self) -> Result<(), Invalid> {
        self.compile().map(drop)
    }

    fn over(self, _behind: &Self) -> Self {
        self
    }

    fn identify(&mut self) {
        for person in &mut self.staff {
            person.id.get_or_insert_with(Uuid::now_v7);
        }
    }

    fn staff(&self) -> Option<&StaffDocument> {
        Some(self)
    }
}

impl Document for ServicesDocument {
    const KIND: Kind = Kind::Services;

    fn identify(&mut self) {
        for service in &mut self.services {
            service.id.get_or_insert_with(Uuid::now_v7);
        }
    }

    fn check(&self) -> Result<(), Invalid> {
        self.compile().map(drop)
    }

    fn over(self, _behind: &Self) -> Self {
        self
    }
}

async fn setting<D: Document>(conn: &mut PgConnection, owners: &[Owner]) -> Result<Setting<D>, StoreError> {
    let mut scopes = Vec::with_capacity(owners.len());
    for owner in owners {
        scopes.push(settings::get::<D>(conn, *owner, D::KIND).await?);
    }
    Ok(Setting::merged(owners, scopes, |near, far| near.over(far)))
}

/// Refuses people who give what isn't offered there. Where no services are set anywhere, nothing says what is.
/// The refusal names the place: `staff[1].services[0]`.
///
/// # Errors
/// When Postgres can't be asked.
pub(super) async fn check_offered<D: Document>(
    conn: &mut PgConnection,
    owners: &[Owner],
    document: &D,
) -> Result<Result<(), Invalid>, StoreError> {
    let Some(staff) = document.staff() else { return Ok(Ok(())) };
    match setting::<ServicesDocument>(conn, owners).await?.effective {
        Some(offered) => Ok(staff.check_offered(&offered)),
        None => Ok(Ok(())),
    }
}

fn owners_of_number(tenant: &InTenant<impl Sized>, id: PhoneNumberId) -> [Owner; 3] {
    [Owner::Number(tenant.id, id), Owner::Tenant(tenant.id), Owner::Platform]
}

/// A number's.
///
/// # Errors
/// When there is no such number.
pub async fn get_of_number<D: Document>(
    api: &Api,
    tenant: &InTenant<Viewer>,
    id: PhoneNumberId,
) -> Result<Json<Setting<D>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    numbers::find(tx.conn(), tenant.id, id).await?;
    Ok(Json(setting(tx.conn(), &owners_of_number(tenant, id)).await?))
}

/// Sets a number's.
///
/// # Errors
/// What is wanted where; when there is no such number.
pub async fn put_of_number<D: Document>(
    api: &Api,
    tenant: &InTenant<Editor>,
    id: PhoneNumberId,
    order: Order,
    document: D,
) -> Answered {
    document.check()?;
    let mut write = api.write_routing(order).await?;
    numbers::lock(write.tx.conn(), tenant.id, id).await?;
    write.expect(async |conn| setting::<D>(conn, &owners_of_number(tenant, id)).await).await?;
    check_offered(write.tx.conn(), &owners_of_number(tenant, id), &document).await??;
    settings::put(write.tx.conn(), Owner::Number(tenant.id, id), D::KIND, &document).await?;
    write.tx.record_number(tenant.id, id).await?;
    let setting = setting::<D>(write.tx.conn(), &owners_of_number(tenant, id)).await?;
    write.answer(StatusCode::OK, &setting).await
}

/// Unsets a number's: it is inherited.
///
/// # Errors
/// When there is no such number.
pub async fn delete_of_number<D: Document>(
    api: &Api,
    tenant: &InTenant<Editor>,
    id: PhoneNumberId,
    order: Order,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    numbers::lock(write.tx.conn(), tenant.id, id).await?;
    write.expect(async |conn| setting::<D>(conn, &owners_of_number(tenant, id)).await).await?;
    settings::delete(write.tx.conn(), Owner::Number(tenant.id, id), D::KIND).await?;
    write.tx.record_number(tenant.id, id).await?;
    write.no_content().await
}

/// A tenant's.
///
/// # Errors
/// When there is no such tenant.
pub async fn get_of_tenant<D: Document>(
    api: &Api,
    tenant: &InTenant<Viewer>,
) -> Result<Json<Setting<D>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    Ok(Json(setting(tx.conn(), &[Owner::Tenant(tenant.id), Owner::Platform]).await?))
}

/// Sets a tenant's.
///
/// # Errors
/// What is wanted where; when there is no such tenant.
pub async fn put_of_tenant<D: Document>(
    api: &Api,
    tenant: &InTenant<Editor>,
    order: Order,
    mut document: D,
) -> Answered {
    document.check()?;
    document.identify();
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    write.expect(async |conn| setting::<D>(conn, &[Owner::Tenant(tenant.id), Owner::Platform]).await).await?;
    check_offered(write.tx.conn(), &[Owner::Tenant(tenant.id)], &document).await??;
    settings::put(write.tx.conn(), Owner::Tenant(tenant.id), D::KIND, &document).await?;
    write.tx.record_tenant(tenant.id).await?;
    let setting = setting::<D>(write.tx.conn(), &[Owner::Tenant(tenant.id), Owner::Platform]).await?;
    write.answer(StatusCode::OK, &setting).await
}

/// Unsets a tenant's.
///
/// # Errors
/// When there is no such tenant.
pub async fn delete_of_tenant<D: Document>(api: &Api, tenant: &InTenant<Editor>, order: Order) -> Answered {
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    write.expect(async |conn| setting::<D>(conn, &[Owner::Tenant(tenant.id), Owner::Platform]).await).await?;
    settings::delete(write.tx.conn(), Owner::Tenant(tenant.id), D::KIND).await?;
    write.tx.record_tenant(tenant.id).await?;
    write.no_content().await
}

/// The platform's.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn get_of_platform<D: Document>(
    api: &Api,
    principal: &Principal,
) -> Result<Json<Setting<D>>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    Ok(Json(setting(tx.conn(), &[Owner::Platform]).await?))
}

/// Sets the platform's.
///
/// # Errors
/// What is wanted where.
pub async fn put_of_platform<D: Document>(api: &Api, order: Order, document: D) -> Answered {
    document.check()?;
    let mut write = api.write_routing(order).await?;
    settings::lock_platform(write.tx.conn()).await?;
    write.expect(async |conn| setting::<D>(conn, &[Owner::Platform]).await).await?;
    settings::put(write.tx.conn(), Owner::Platform, D::KIND, &document).await?;
    write.tx.record_platform().await?;
    let setting = setting::<D>(write.tx.conn(), &[Owner::Platform]).await?;
    write.answer(StatusCode::OK, &setting).await
}

/// Unsets the platform's.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn delete_of_platform<D: Document>(api: &Api, order: Order) -> Answered {
    let mut write = api.write_routing(order).await?;
    settings::lock_platform(write.tx.conn()).await?;
    write.expect(async |conn| setting::<D>(conn, &[Owner::Platform]).await).await?;
    settings::delete(write.tx.conn(), Owner::Platform, D::KIND).await?;
    write.tx.record_platform().await?;
    write.no_content().await
}
