//! Why a call goes where it goes: by the records that routers were last sent.

use axum::Json;
use axum::extract::State;
use dialplane_common::call;
use dialplane_common::e164::Prefix;
use dialplane_common::explain::{Explanation, Known, KnownNumber, KnownTenant, Question, explain};
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::feed::record::{AgentRecord, NumberRecord, PlatformRecord, Record, TenantRecord};
use dialplane_common::ids::{AgentId, TenantId};
use dialplane_common::route::{Rule, Step, Subject};
use jiff::tz::TimeZone;
use sqlx::postgres::PgConnection;

use super::Api;
use super::auth::{InTenant, Operator, Viewer};
use super::error::Problem;
use super::parameters::Query;
use super::question::ExplainQuery;
use crate::store::{Scope, StoreError, feed, tenants};

/// Explain a call to any number.
#[utoipa::path(get, path = "/explain", tag = "Routing", params(ExplainQuery),
    responses((status = 200, description = "What is done with the call, by which rule, and why none before.",
        body = Object)))]
pub async fn get(
    State(api): State<Api>,
    _operator: Operator,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, Problem> {
    let question = query.question()?;
    let mut tx = api.store.read(Scope::Operator).await?;
    Ok(Json(explain_from_records(tx.conn(), &question, None).await?))
}

/// Explain a call to one of a tenant's numbers. Those of others are explained as numbers that nobody has.
#[utoipa::path(get, path = "/tenants/{tenant_id}/explain", tag = "Routing",
    params(("tenant_id" = Uuid, Path), ExplainQuery),
    responses((status = 200, description = "What is done with the call, by which rule, and why none before.",
        body = Object)))]
pub async fn get_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, Problem> {
    let question = query.question()?;
    let mut own = api.store.read(tenant.principal.scope()).await?;
    tenants::find(own.conn(), tenant.id).await?;
    drop(own);
    // Records lie outside the tenants' tables; what isn't this tenant's is left out below.
    let mut tx = api.store.read(Scope::Operator).await?;
    Ok(Json(explain_from_records(tx.conn(), &question, Some(tenant.id)).await?))
}

async fn explain_from_records(
    conn: &mut PgConnection,
    question: &Question,
    only: Option<TenantId>,
) -> Result<Explanation, StoreError> {
    let revision = feed::state(conn).await?.revision;
    let platform =
        feed::records(conn, &[RecordKey::Platform]).await?.into_iter().find_map(|record| match record {
            Record::Platform(platform) => Some(platform),
            _ => None,
        });
    let platform = platform.unwrap_or_default();
    let number = number(conn, &question.to).await?;
    let owner = number.as_ref().map(|number| number.tenant_id).or(platform.unknown_numbers);
    let owner = owner.filter(|owner| only.is_none_or(|only| only == *owner));
    let number = number.filter(|number| Some(number.tenant_id) == owner);
    let tenant = match owner {
        Some(id) => tenant(conn, id).await?.map(|tenant| (id, tenant)),
        None => None,
    };
    let agents = agents(conn, number.as_ref(), tenant.as_ref().map(|(_, tenant)| tenant), &platform).await?;
    let zone = zone(number.as_ref(), tenant.as_ref().map(|(_, tenant)| tenant))?;
    let accounts: Vec<_> =
        number.iter().flat_map(|number| &number.bindings).map(|binding| binding.account).collect();
    let agent = |id: AgentId| {
        let serves = |agent: &AgentRecord| owner.is_some_and(|owner| agent.serves(owner));
        let found = agents.iter().find(|(known, agent)| *known == id && serves(agent));
        found.map(|(_, agent)| agent)
    };
    let known = Known {
        number: number.as_ref().map(|number| KnownNumber {
            id: number.id,
            display_name: &number.place.display_name,
            active: number.active,
            timezone: number.timezone.as_deref(),
            agent_id: number.agent_id,
            accounts: &accounts,
        }),
        tenant: tenant.as_ref().map(|(id, tenant)| KnownTenant {
            id: *id,
            name: &tenant.business.name,
            suspended: tenant.suspended,
            timezone: &tenant.timezone,
            subject: subject(number.as_ref(), tenant, &platform, &zone),
        }),
        agent: &agent,
        live: &(),
    };
    Ok(explain(&known, question).at_revision(revision, None))
}

/// The number's record; else that of the longest block that it lies in.
async fn number(conn: &mut PgConnection, to: &str) -> Result<Option<NumberRecord>, StoreError> {
    let Some(number) = call::address(to) else { return Ok(None) };
    let keys: Vec<_> =
        std::iter::once(RecordKey::Number(number)).chain(Prefix::of(number).map(RecordKey::Range)).collect();
    let records = feed::records(conn, &keys).await?;
    let length = |record: &Record| match record {
        Record::Number(..) => u64::MAX,
        Record::Range(prefix, _) => prefix.to_u64(),
        _ => 0,
    };
    let longest = records.into_iter().max_by_key(length);
    Ok(longest.and_then(|record| match record {
        Record::Number(_, number) | Record::Range(_, number) => Some(number),
        _ => None,
    }))
}

async fn tenant(conn: &mut PgConnection, id: TenantId) -> Result<Option<TenantRecord>, StoreError> {
    let records = feed::records(conn, &[RecordKey::Tenant(id)]).await?;
    Ok(records.into_iter().find_map(|record| match record {
        Record::Tenant(_, tenant) => Some(tenant),
        _ => None,
    }))
}

/// All agents that the number or a rule names.
async fn agents(
    conn: &mut PgConnection,
    number: Option<&NumberRecord>,
    tenant: Option<&TenantRecord>,
    platform: &PlatformRecord,
) -> Result<Vec<(AgentId, AgentRecord)>, StoreError> {
    let lists = [
        number.and_then(|number| number.rules.as_ref()),
        tenant.and_then(|tenant| tenant.rules.as_ref()),
        platform.rules.as_ref(),
    ];
    let own = number.and_then(|number| number.agent_id);
    let named =
        lists.into_iter().flatten().flatten().flat_map(|rule: &Rule| &rule.then).flat_map(
            |step| match step {
                Step::Agent { agent } => agent.iter().copied().collect(),
                Step::Split { agents } => agents.iter().map(|share| share.agent).collect(),
                _ => Vec::new(),
            },
        );
    let keys: Vec<_> = own.into_iter().chain(named).map(RecordKey::Agent).collect();
    let records = feed::records(conn, &keys).await?;
    let agent = |record| match record {
        Record::Agent(id, agent) => Some((id, agent)),
        _ => None,
    };
    Ok(records.into_iter().filter_map(agent).collect())
}

fn zone(number: Option<&NumberRecord>, tenant: Option<&TenantRecord>) -> Result<TimeZone, StoreError> {
    let own = number.and_then(|number| number.timezone.as_deref());
    match own.or(tenant.map(|tenant| tenant.timezone.as_str())) {
        Some(name) => TimeZone::get(name).map_err(|_| StoreError::Malformed("time zone")),
        None => Ok(TimeZone::UTC),
    }
}

fn subject<'a>(
    number: Option<&'a NumberRecord>,
    tenant: &'a TenantRecord,
    platform: &'a PlatformRecord,
    zone: &'a TimeZone,
) -> Subject<'a> {
    Subject {
        rules: [
            number.and_then(|number| number.rules.as_deref()),
            tenant.rules.as_deref(),
            platform.rules.as_deref(),
        ],
        over_limit: [
            number.and_then(|number| number.over_limit.as_deref()),
            tenant.over_limit.as_deref(),
            platform.over_limit.as_deref(),
        ],
        hours: [
            number.and_then(|number| number.hours.as_ref()),
            tenant.hours.as_ref(),
            platform.hours.as_ref(),
        ],
        zone,
    }
}
