//! Calls: what became of them, newest first.
//!
//! Numbers of callers are personal data: they are shown to whoever may see the tenant, and never logged.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dialplane_common::ids::TenantId;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{CallId, InTenant, Operator, PathId, Principal, Viewer};
use super::error::Problem;
use super::page::Page;
use super::parameters::Query;
use crate::calls::leg::Leg;
use crate::calls::register::Moment;
use crate::store::calls::{self, Call, CallFilter};
use crate::store::instant::Instant;
use crate::store::usage::{self, CallCost};
use crate::store::{StoreError, tenants};

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// Which calls.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CallQuery {
    /// How many calls, 1 to 200; absent: 50.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next` of the page before; absent: the first page. The other parameters stay as they were.
    cursor: Option<String>,
    /// Those of this tenant alone; below a tenant's path, that tenant or absent.
    tenant_id: Option<Uuid>,
    /// Those that began at or after this instant alone (RFC 3339).
    since: Option<String>,
    /// Those that began before this instant alone (RFC 3339).
    until: Option<String>,
    /// Those for this number alone.
    phone_number_id: Option<Uuid>,
    /// Those that went to this agent alone.
    agent_id: Option<Uuid>,
    /// Those by this provider alone.
    provider: Option<String>,
    /// Those with this outcome alone; `message`: text messages, which are left out otherwise.
    #[param(inline)]
    outcome: Option<CallOutcome>,
    /// Those from this address alone: E.164 where it is a number.
    from: Option<String>,
    /// Those to this address alone, likewise.
    to: Option<String>,
    /// Those with this flag alone.
    #[param(inline)]
    flag: Option<CallFlag>,
}

macro_rules! choice {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    )*};
}

choice! {
    /// A call in a word.
    CallOutcome {
        /// It isn't over.
        UnderWay "under_way"
        /// It was answered.
        Answered "answered"
        /// Nobody answered it.
        Missed "missed"
        /// The location was closed.
        Closed "closed"
        /// It wasn't routed.
        Refused "refused"
        /// The caller left a message.
        Voicemail "voicemail"
        /// It was busy, or a limit of calls at a time was reached.
        Busy "busy"
        /// It is a text message.
        Message "message"
    }
    /// What is odd about a call.
    CallFlag {
        /// Its provider's clock is off by more than a day.
        ClockOff "clock_off"
        /// Its provider gave it a negative duration.
        DurationNegative "duration_negative"
        /// Its provider gave it a duration that can't be.
        DurationAbsurd "duration_absurd"
        /// It was told to begin after it had ended.
        LateStatus "late_status"
        /// Something was told twice, and differently.
        ConflictingRepeat "conflicting_repeat"
        /// It was never offered to a router, as far as is known.
        NeverOffered "never_offered"
    }
}

/// A call with its legs.
#[derive(Serialize, ToSchema)]
pub struct CallDetails {
    #[serde(flatten)]
    call: Call,
    /// What each account told of it: the carrier, the agent's provider, to whom it was put through.
    legs: Vec<CallLeg>,
    /// What it costs and how long it is billed; null of what is nobody's, and of a text message.
    price: Option<CallCost>,
}

/// What one account told of a call.
#[derive(Serialize, ToSchema)]
pub struct CallLeg {
    /// The provider.
    provider: String,
    /// The account.
    account_id: Uuid,
    /// The provider's name of the call.
    provider_call_id: String,
    /// The carrier's name of it.
    carrier_call_id: Option<String>,
    /// Whether it was made by us.
    is_outbound: bool,
    /// When a router first heard of it.
    #[schema(value_type = String, format = DateTime)]
    started_at: Instant,
    /// When it rang.
    #[schema(value_type = Option<String>, format = DateTime)]
    ringing_at: Option<Instant>,
    /// When it was answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    answered_at: Option<Instant>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Instant>,
    /// How.
    end_kind: Option<&'static str>,
    /// Why, in the provider's words.
    end_reason: Option<String>,
    /// How long it lasted as the provider says, in milliseconds: not checked.
    told_duration_ms: Option<i64>,
    /// What the provider wants for it: a decimal number.
    reported_cost: Option<String>,
    /// In which currency.
    reported_currency: Option<String>,
}

/// List calls of all tenants, and those that are nobody's, newest first. Operators only.
#[utoipa::path(get, path = "/calls", tag = "Calls", params(CallQuery),
    responses((status = 200, body = Page<Call>)))]
pub async fn list(
    State(api): State<Api>,
    Operator(principal): Operator,
    Query(query): Query<CallQuery>,
) -> Result<Json<Page<Call>>, Problem> {
    page_of(&api, &principal, query.tenant_id.map(TenantId), query).await
}

/// List a tenant's calls, newest first.
///
/// A call is here a moment after its first webhook, and changes as more is told of it.
#[utoipa::path(get, path = "/tenants/{tenant_id}/calls", tag = "Calls",
    params(("tenant_id" = Uuid, Path), CallQuery), responses((status = 200, body = Page<Call>)))]
pub async fn list_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    Query(query): Query<CallQuery>,
) -> Result<Json<Page<Call>>, Problem> {
    if query.tenant_id.is_some_and(|id| id != tenant.id.0) {
        return Err(refuse("tenant_id: wanted the path's, or none".into()));
    }
    is_there(&api, &tenant).await?;
    page_of(&api, &tenant.principal, Some(tenant.id), query).await
}

/// Get a call and its legs. Operators only.
#[utoipa::path(get, path = "/calls/{call_id}", tag = "Calls", params(("call_id" = Uuid, Path)),
    responses((status = 200, body = CallDetails)))]
pub async fn get(
    State(api): State<Api>,
    Operator(principal): Operator,
    PathId(CallId(id)): PathId<CallId>,
) -> Result<Json<CallDetails>, Problem> {
    details(&api, &principal, None, id).await
}

/// Get a tenant's call and its legs.
#[utoipa::path(get, path = "/tenants/{tenant_id}/calls/{call_id}", tag = "Calls",
    params(("tenant_id" = Uuid, Path), ("call_id" = Uuid, Path)), responses((status = 200, body = CallDetails)))]
pub async fn get_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(CallId(id)): PathId<CallId>,
) -> Result<Json<CallDetails>, Problem> {
    details(&api, &tenant.principal, Some(tenant.id), id).await
}

/// Refuses a tenant that isn't there.
pub(super) async fn is_there(api: &Api, tenant: &InTenant<Viewer>) -> Result<(), Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    Ok(())
}

async fn details(
    api: &Api,
    principal: &Principal,
    tenant: Option<TenantId>,
    id: Uuid,
) -> Result<Json<CallDetails>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    let whole = calls::find(tx.conn(), tenant.map(|tenant| tenant.0), id).await?;
    let price = match whole.call.tenant_id {
        Some(tenant) => price(tx.conn(), TenantId(tenant), &whole.call).await?,
        None => None,
    };
    Ok(Json(CallDetails { call: whole.call, legs: whole.legs.0.iter().map(leg).collect(), price }))
}

async fn price(
    conn: &mut PgConnection,
    tenant: TenantId,
    call: &Call,
) -> Result<Option<CallCost>, StoreError> {
    match usage::call_cost(conn, tenant, call.id, call.started_at).await {
        Ok(price) => Ok(Some(price)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn leg(leg: &Leg) -> CallLeg {
    let instant = |ms: i64| Instant(jiff::Timestamp::from_millisecond(ms).unwrap_or_default());
    let at = |moment: &Option<Moment>| moment.as_ref().map(|moment| instant(moment.at()));
    let told = &leg.told;
    let end = told.end.as_ref().map(|end| &end.value);
    let cost = told.cost.as_ref().map(|cost| &cost.value);
    CallLeg {
        provider: leg.provider.clone(),
        account_id: leg.account,
        provider_call_id: leg.call_id.clone(),
        carrier_call_id: told.carrier.as_ref().map(|carrier| carrier.value.clone()),
        is_outbound: leg.is_outbound,
        started_at: instant(leg.heard),
        ringing_at: at(&told.ringing),
        answered_at: at(&told.answered),
        ended_at: at(&told.ended),
        end_kind: end.map(|end| end.kind.word()),
        end_reason: end.and_then(|end| end.reason.clone()),
        told_duration_ms: told.duration.as_ref().map(|duration| duration.value),
        reported_cost: cost.map(|cost| cost.amount.to_string()),
        reported_currency: cost.map(|cost| cost.currency.clone()),
    }
}

async fn page_of(
    api: &Api,
    principal: &Principal,
    tenant: Option<TenantId>,
    query: CallQuery,
) -> Result<Json<Page<Call>>, Problem> {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(refuse(format!("limit: wanted 1 to {LIMIT_MAX}")));
    }
    let filter = CallFilter {
        tenant: tenant.map(|tenant| tenant.0),
        since: query.since.as_deref().map(|text| instant("since", text)).transpose()?,
        until: query.until.as_deref().map(|text| instant("until", text)).transpose()?,
        phone_number: query.phone_number_id,
        agent: query.agent_id,
        provider: text("provider", query.provider)?,
        outcome: query.outcome.map(CallOutcome::word),
        caller: text("from", query.from.map(|from| address(&from)))?,
        called: text("to", query.to.map(|to| address(&to)))?,
        flag: query.flag.map(CallFlag::word),
        messages: query.outcome == Some(CallOutcome::Message),
        behind: query.cursor.as_deref().map(place).transpose()?,
    };
    let mut tx = api.store.read(principal.scope()).await?;
    let mut items = calls::list(tx.conn(), &filter, limit + 1).await?;
    drop(tx);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(|last| {
        let at = last.started_at.0.as_microsecond().to_be_bytes();
        URL_SAFE_NO_PAD.encode([at.as_slice(), last.id.as_bytes()].concat())
    });
    Ok(Json(Page { items, next }))
}

/// The place of a list behind which a page begins.
fn place(cursor: &str) -> Result<(Instant, Uuid), Problem> {
    let parse = || {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
        let (at, id) = bytes.split_first_chunk::<8>()?;
        let at = jiff::Timestamp::from_microsecond(i64::from_be_bytes(*at)).ok()?;
        Some((Instant(at), Uuid::from_slice(id).ok()?))
    };
    let detail = "cursor: wanted next of the page before, as it was";
    parse().ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", detail))
}

/// In a query a plus is a space, and people forget.
fn address(text: &str) -> String {
    match text.strip_prefix(' ') {
        Some(digits) => format!("+{digits}"),
        None => text.to_owned(),
    }
}

/// Postgres takes no NUL.
fn text(name: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if text.contains('\0') => Err(refuse(format!("{name}: wanted a text without NUL"))),
        text => Ok(text),
    }
}

fn instant(name: &str, text: &str) -> Result<Instant, Problem> {
    let parsed = text.replace(' ', "+").parse();
    parsed.map(Instant).map_err(|_| refuse(format!("{name}: wanted an instant like 2026-12-24T20:00:00Z")))
}

fn refuse(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_lead_to_a_place_or_are_refused() {
        let cursor =
            URL_SAFE_NO_PAD.encode([1_i64.to_be_bytes().as_slice(), Uuid::max().as_bytes()].concat());
        assert_eq!(place(&cursor).unwrap().1, Uuid::max());
        let far =
            URL_SAFE_NO_PAD.encode([i64::MAX.to_be_bytes().as_slice(), Uuid::nil().as_bytes()].concat());
        for text in ["", "x", "AAAA", &far, &"A".repeat(33)] {
            assert_eq!(place(text).unwrap_err().code(), "invalid_cursor", "{text}");
        }
    }

    #[test]
    fn a_plus_that_became_a_space_is_a_plus() {
        assert_eq!((address(" 12125550001"), address("sip:a@b")), ("+12125550001".into(), "sip:a@b".into()));
    }
}
