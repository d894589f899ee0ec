//! The REST API: every path once.
//!
//! A request passes [`envelope`] (id, limits, metrics, problems), says who it is ([`auth`]: a gate before every path, and
//! the extractors in a handler's arguments say who may call it), and is checked; a handler is then one transaction.

pub mod accounts;
pub mod agent_numbers;
pub mod agents;
pub mod api_keys;
pub mod audit;
pub mod auth;
pub mod bindings;
pub mod body;
pub mod call_usage;
pub mod calls;
pub mod calls_live;
pub mod configure;
pub mod corrections;
pub mod defaults;
pub mod docs;
mod documents;
pub mod envelope;
pub mod error;
pub mod etag;
pub mod events;
pub mod explain;
pub mod exports;
pub mod feed;
pub mod idempotency;
pub mod imports;
pub mod intents;
pub mod jobs;
pub mod limits;
pub mod openapi;
pub mod order;
pub mod page;
pub mod parameters;
pub mod people;
pub mod phone_numbers;
pub mod plans;
pub mod pool;
mod question;
pub mod rates;
pub mod reconciliations;
pub mod refused_calls;
mod required_role;
pub mod rules;
pub mod services;
pub mod setting;
pub mod settings;
pub mod shared_agents;
pub mod sms;
pub mod staff;
pub mod subaccounts;
pub mod tenant_deletion;
pub mod tenants;
pub mod tool_server;
pub mod usage;
pub mod usage_stages;
mod usage_table;
pub mod voice;
pub mod writes;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Redirect;
use axum::routing::get;
use tokio::sync::Notify;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::auth::gate::{self, Gate};
use crate::calls::live::Live;
use crate::fleet::Fleet;
use crate::live::LiveReader;
use crate::metrics::Metrics;
use crate::provisioning::Provisioner;
use crate::store::Store;

/// Where the API lies.
pub const BASE: &str = "/api/v2";

/// The most bytes of a request's body: far above any document, far below what hurts.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What handlers work with.
#[derive(Clone)]
pub struct Api {
    /// Postgres.
    pub store: Store,
    /// The routers.
    pub fleet: Fleet,
    /// Their calls of those that have a limit.
    pub live: Arc<LiveReader>,
    /// Wakes this process's publisher.
    pub wake: Arc<Notify>,
    /// Wakes the workers that take imports on.
    pub imports: Arc<Notify>,
    /// Whether this process publishes.
    pub is_publishing: Arc<AtomicBool>,
    /// Streams of events.
    pub realtime: events::Realtime,
    /// Calls under way, as they are recorded.
    pub under_way: Live,
    /// Who is let in.
    pub gate: Arc<Gate>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// How long a phone number that its tenant deleted rests.
    pub number_quarantine: Duration,
    /// What numbers and agents are had by.
    pub provisioner: Provisioner,
}

/// All paths of the API with their documentation.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::get, tenants::change, tenant_deletion::delete))
        .routes(routes!(tenants::suspend))
        .routes(routes!(tenants::resume))
        .routes(routes!(limits::get))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::get, accounts::change, accounts::delete))
        .routes(routes!(accounts::list_platform, accounts::create_platform))
        .routes(routes!(accounts::get_platform, accounts::change_platform, accounts::delete_platform))
        .routes(routes!(accounts::grant, accounts::revoke))
        .routes(routes!(agents::list, agents::create))
        .routes(routes!(agents::get, agents::change, agents::delete))
        .routes(routes!(agent_numbers::list, agent_numbers::attach))
        .routes(routes!(agent_numbers::detach))
        .routes(routes!(shared_agents::list, shared_agents::create))
        .routes(routes!(shared_agents::get, shared_agents::change, shared_agents::delete))
        .routes(routes!(shared_agents::make_token, shared_agents::delete_token))
        .routes(routes!(shared_agents::grant, shared_agents::revoke))
        .routes(routes!(phone_numbers::list, phone_numbers::create))
        .routes(routes!(
            phone_numbers::get,
            phone_numbers::change,
            phone_numbers::replace,
            phone_numbers::delete
        ))
        .routes(routes!(phone_numbers::history))
        .routes(routes!(pool::list, pool::add))
        .routes(routes!(pool::get, pool::remove))
        .routes(routes!(pool::assign))
        .routes(routes!(pool::unassign))
        .routes(routes!(settings::get_hours, settings::put_hours, settings::delete_hours))
        .routes(routes!(settings::get_routing, settings::put_routing, settings::delete_routing))
        .routes(routes!(defaults::get_hours, defaults::put_hours, defaults::delete_hours))
        .routes(routes!(defaults::get_routing, defaults::put_routing, defaults::delete_routing))
        .routes(routes!(
            defaults::get_platform_hours,
            defaults::put_platform_hours,
            defaults::delete_platform_hours
        ))
        .routes(routes!(
            defaults::get_platform_routing,
            defaults::put_platform_routing,
            defaults::delete_platform_routing
        ))
        .routes(routes!(voice::get, voice::put, voice::delete))
        .routes(routes!(voice::get_of_tenant, voice::put_of_tenant, voice::delete_of_tenant))
        .routes(routes!(voice::get_of_platform, voice::put_of_platform, voice::delete_of_platform))
        .routes(routes!(rules::get, rules::put, rules::delete))
        .routes(routes!(rules::get_of_tenant, rules::put_of_tenant, rules::delete_of_tenant))
        .routes(routes!(rules::get_of_platform, rules::put_of_platform, rules::delete_of_platform))
        .routes(routes!(sms::get, sms::put, sms::delete))
        .routes(routes!(sms::get_of_tenant, sms::put_of_tenant, sms::delete_of_tenant))
        .routes(routes!(sms::get_of_platform, sms::put_of_platform, sms::delete_of_platform))
        .routes(routes!(people::list_staff, people::add_person))
        .routes(routes!(people::get_person, people::change_person, people::remove_person))
        .routes(routes!(people::list_services, people::add_service))
        .routes(routes!(people::get_service, people::change_service, people::remove_service))
        .routes(routes!(staff::get, staff::put, staff::delete))
        .routes(routes!(staff::get_of_tenant, staff::put_of_tenant, staff::delete_of_tenant))
        .routes(routes!(services::get, services::put, services::delete))
        .routes(routes!(services::get_of_tenant, services::put_of_tenant, services::delete_of_tenant))
        .routes(routes!(intents::list, intents::create))
        .routes(routes!(intents::get, intents::change, intents::delete))
        .routes(routes!(tool_server::get, tool_server::put, tool_server::delete))
        .routes(routes!(agents::make_token, agents::delete_token))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::delete))
        .routes(routes!(api_keys::list_operator, api_keys::create_operator))
        .routes(routes!(api_keys::delete_operator))
        .routes(routes!(explain::get))
        .routes(routes!(explain::get_of_tenant))
        .routes(routes!(events::follow))
        .routes(routes!(events::follow_platform))
        .routes(routes!(audit::list))
        .routes(routes!(audit::list_of_tenant))
        .routes(routes!(feed::get))
        .routes(routes!(feed::routers))
        .routes(routes!(imports::list, imports::create))
        .routes(routes!(imports::get, imports::cancel))
        .routes(routes!(imports::offset, imports::append))
        .routes(routes!(imports::apply))
        .routes(routes!(imports::errors))
        .routes(routes!(imports::events))
        .routes(routes!(exports::get))
        .routes(routes!(jobs::list, jobs::create_batch))
        .routes(routes!(usage::spending))
        .routes(routes!(call_usage::get))
        .routes(routes!(call_usage::get_of_tenant))
        .routes(routes!(usage_stages::get))
        .routes(routes!(corrections::list, corrections::create))
        .routes(routes!(plans::list, plans::create))
        .routes(routes!(plans::get, plans::change, plans::delete))
        .routes(routes!(rates::list, rates::create))
        .routes(routes!(rates::get, rates::change, rates::delete))
        .routes(routes!(usage::free_numbers))
        .routes(routes!(jobs::get))
        .routes(routes!(jobs::retry))
        .routes(routes!(jobs::cancel))
        .routes(routes!(jobs::confirm))
        .routes(routes!(jobs::resolve))
        .routes(routes!(jobs::events))
        .routes(routes!(calls::list_of_tenant))
        .routes(routes!(calls_live::follow_of_tenant))
        .routes(routes!(calls::get_of_tenant))
        .routes(routes!(calls::list))
        .routes(routes!(calls_live::follow))
        .routes(routes!(calls::get))
        .routes(routes!(refused_calls::list_of_tenant))
        .routes(routes!(refused_calls::list))
        .routes(routes!(refused_calls::dismiss))
        .routes(routes!(configure::create))
        .routes(routes!(subaccounts::create))
        .routes(routes!(reconciliations::list, reconciliations::create))
        .routes(routes!(reconciliations::get))
        .routes(routes!(jobs::list_of_tenant))
        .routes(routes!(jobs::get_of_tenant))
        .routes(routes!(jobs::cancel_of_tenant))
        .routes(routes!(jobs::confirm_of_tenant))
}

/// The API as a service.
pub fn router(api: Api) -> Router {
    let (routes, _) = OpenApiRouter::new().nest(BASE, routes()).split_for_parts();
    let metrics = Arc::clone(&api.metrics);
    routes
        .route_layer(axum::middleware::from_fn_with_state(api.clone(), gate::pass))
        .route("/api/v2/openapi.json", get(openapi::serve))
        .route("/docs", get(docs::serve))
        .route("/", get(async || Redirect::temporary("/docs")))
        .fallback(async || error::Problem::no_such_path())
        .method_not_allowed_fallback(async || error::Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(etag::tag_shown))
        .layer(axum::middleware::from_fn_with_state(metrics, envelope::wrap))
        .with_state(api)
}
