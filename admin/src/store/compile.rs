//! Rows to records: what routers have to know, read whole from the tables and noted in the transaction.
//!
//! Each function wants the record's root row locked by this transaction, before anything was written.

use dialplane_common::feed::frame::RecordKey;
use dialplane_common::feed::record::{
    AccountRecord, AgentRecord, NumberRecord, PLATFORM, PlatformRecord, Record, SignaturePolicy,
    TenantRecord, TokenHolder, TokenRecord, ToolServer,
};
use dialplane_common::ids::{AccountId, AgentId, IntentId, PhoneNumberId, TenantId};
use dialplane_common::location::{
    Business, Conversation, Intent, Person, Place, Profile, Service, Sms, Voice,
};
use dialplane_common::route::{Hours, Step};
use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;

use super::accounts::AccountRow;
use super::agents::Agent;
use super::api_keys::token_hash;
use super::bulk::{self, Documents};
use super::numbers::{Address, NumberRow};
use super::settings::{Kind, Owner};
use super::tenants::Tenant;
use super::{StoreError, WriteTx, intents, numbers, plans, settings, tenants, tool_servers};
use crate::hours::HoursDocument;
use crate::invalid::Invalid;
use crate::messages::SmsDocument;
use crate::people::{ServicesDocument, StaffDocument};
use crate::profile::{RulesDocument, VoiceDocument};
use crate::routing::{self, PlatformRoutingDocument, Routing, RoutingDocument};

impl WriteTx {
    /// Notes the platform's record as it is now.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn record_platform(&mut self) -> Result<(), StoreError> {
        let hours = hours(self.conn(), Owner::Platform).await?;
        let routing: Option<PlatformRoutingDocument> =
            settings::get(self.conn(), Owner::Platform, Kind::Routing).await?;
        let routing = routing.map(|routing| routing.compile()).transpose();
        let routing = routing.map_err(|_| StoreError::Malformed("routing"))?.unwrap_or_default();
        let record = PlatformRecord {
            hours,
            rules: routing.rules,
            over_limit: routing.over_limit,
            unknown_numbers: settings::unknown_numbers(self.conn()).await?,
            profile: profile(self.conn(), Owner::Platform).await?,
            sms: sms(self.conn(), Owner::Platform).await?,
        };
        self.record(&Record::Platform(record))
    }

    /// Notes a tenant's record as it is now.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn record_tenant(&mut self, id: TenantId) -> Result<(), StoreError> {
        let tenant = tenants::find(self.conn(), id).await?;
        let (business, intent_ids) = business(self.conn(), id, tenant.name).await?;
        let routing = routing(self.conn(), Owner::Tenant(id)).await?;
        let over_limit = match (routing.over_limit, tenant.plan.as_deref()) {
            (None, Some(plan)) => plans_over_limit(self.conn(), plan).await?,
            (own, _) => own,
        };
        let record = TenantRecord {
            business,
            suspended: tenant.status != "active",
            timezone: tenant.timezone,
            hours: hours(self.conn(), Owner::Tenant(id)).await?,
            rules: routing.rules,
            over_limit,
            calls_max: calls_max(tenant.limits.calls_max),
            tool_server: self.tool_server(id).await?,
            sms: sms(self.conn(), Owner::Tenant(id)).await?,
            intent_ids,
        };
        self.record(&Record::Tenant(id, record))
    }

    /// Notes the record of a tenant that was just inserted and sets nothing else.
    ///
    /// # Errors
    /// [`StoreError::RecordTooLarge`].
    pub fn record_new_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        let record = TenantRecord {
            suspended: tenant.status != "active",
            calls_max: calls_max(tenant.limits.calls_max.or(tenant.calls_max)),
            ..TenantRecord::new(&tenant.name, &tenant.timezone)
        };
        self.record(&Record::Tenant(TenantId(tenant.id), record))
    }

    /// Notes an account's record as it is now: its credentials leave the sealing of the database for the feed's.
    ///
    /// # Errors
    /// When the credentials can't be opened.
    pub fn record_account(&mut self, row: &AccountRow) -> Result<(), StoreError> {
        let id = AccountId(row.id);
        let credentials = row.credentials(self.keys())?;
        let plain = dialplane_common::feed::frame::encode(&credentials.credentials);
        let record = AccountRecord {
            tenant_id: row.tenant_id.map(TenantId),
            provider: row.provider.clone(),
            external_id: credentials.external_id.clone(),
            calling_code: row.calling_code()?,
            signature_policy: match row.signature_policy.as_str() {
                "observe" => SignaturePolicy::Observe,
                "off" => SignaturePolicy::Off,
                _ => SignaturePolicy::Enforce,
            },
            sealed_credentials: self.keys().feed.seal(super::nonce::draw()?, id.as_bytes(), &plain),
        };
        self.record(&Record::Account(id, record))
    }

    /// Notes an agent's record as it is now.
    ///
    /// # Errors
    /// When its target isn't one.
    pub fn record_agent(&mut self, row: &Agent) -> Result<(), StoreError> {
        let Some(target) = &row.target else {
            // Nobody answers there yet.
            self.remove(RecordKey::Agent(AgentId(row.id)));
            return Ok(());
        };
        let record = AgentRecord {
            tenant_id: row.tenant_id.map_or(PLATFORM, TenantId),
            name: row.name.clone(),
            profile: Profile {
                voice: Voice {
                    language: row.language.clone(),
                    greeting: row.greeting.clone(),
                    voice_id: row.voice_id.clone(),
                    ..Voice::default()
                },
                conversation: Conversation { prompt: row.prompt.clone(), ..Conversation::default() },
            }
            .into(),
            target: target.0.compile(&row.provider).map_err(|_| StoreError::Malformed("target"))?,
            version: u32::try_from(row.version).map_err(|_| StoreError::Malformed("version"))?,
            intent_ids: row.intent_ids.iter().copied().map(IntentId).collect(),
        };
        self.record(&Record::Agent(AgentId(row.id), record))
    }

    /// Notes an agent's token as it is now, if it has one.
    ///
    /// # Errors
    /// When its hash isn't one.
    pub fn record_agent_token(&mut self, row: &Agent) -> Result<(), StoreError> {
        let Some(hash) = &row.token_hash else { return Ok(()) };
        let holder = TokenHolder::Agent(row.tenant_id.map_or(PLATFORM, TenantId), AgentId(row.id));
        self.record(&Record::Token(token_hash(hash)?, TokenRecord { holder, expires_at: None }))
    }

    /// Notes a number's record as it is now, and gives the row.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn record_number(
        &mut self,
        tenant: TenantId,
        id: PhoneNumberId,
    ) -> Result<NumberRow, StoreError> {
        let row = numbers::find(self.conn(), tenant, id).await?;
        let documents = bulk::documents(self.conn(), &[row.id]).await?.remove(&row.id).unwrap_or_default();
        self.record(&number_record(&row, &documents)?)?;
        Ok(row)
    }

    /// The tenant's server for what agents want done: its secret leaves the sealing of the database for the feed's.
    async fn tool_server(&mut self, id: TenantId) -> Result<Option<ToolServer>, StoreError> {
        let Some(row) = tool_servers::find(self.conn(), id).await? else { return Ok(None) };
        let secret = row.secret(self.keys(), id)?;
        let small = |value: i32| u16::try_from(value).map_err(|_| StoreError::Malformed("tool server"));
        Ok(Some(ToolServer {
            url: row.url,
            timeout_ms: small(row.timeout_ms)?,
            concurrency_max: small(row.concurrency_max)?,
            sealed_secret: self.keys().feed.seal(super::nonce::draw()?, id.as_bytes(), secret.expose()),
        }))
    }

    /// Notes that a tenant and all of its accounts and agents are gone, before its rows are deleted.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn remove_tenant(&mut self, id: TenantId) -> Result<(), StoreError> {
        let accounts: Vec<uuid::Uuid> =
            sqlx::query_scalar("SELECT id FROM accounts WHERE tenant_id = $1 FOR UPDATE")
                .bind(id.0)
                .fetch_all(self.conn())
                .await?;
        let agents: Vec<uuid::Uuid> =
            sqlx::query_scalar("SELECT id FROM agents WHERE tenant_id = $1 FOR UPDATE")
                .bind(id.0)
                .fetch_all(self.conn())
                .await?;
        let tokens: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT token_hash FROM agents WHERE tenant_id = $1 AND token_hash IS NOT NULL
             UNION ALL SELECT hash FROM api_keys WHERE tenant_id = $1",
        )
        .bind(id.0)
        .fetch_all(self.conn())
        .await?;
        for token in tokens {
            self.remove(RecordKey::Token(token_hash(&token)?));
        }
        for account in accounts {
            self.remove(RecordKey::Account(AccountId(account)));
        }
        for agent in agents {
            self.remove(RecordKey::Agent(AgentId(agent)));
        }
        self.remove(RecordKey::Tenant(id));
        Ok(())
    }
}

/// A number's record, from its row and its documents.
///
/// # Errors
/// [`StoreError::Malformed`].
pub fn number_record(row: &NumberRow, documents: &Documents) -> Result<Record, StoreError> {
    let routing = document(documents, Kind::Routing, RoutingDocument::compile)?.unwrap_or_default();
    let record = NumberRecord {
        id: PhoneNumberId(row.id),
        tenant_id: TenantId(row.tenant_id),
        active: row.is_routed(),
        place: Place {
            display_name: row.display_name.clone(),
            address: row.address.clone(),
            profile: Profile {
                voice: document(documents, Kind::Voice, VoiceDocument::compile)?.unwrap_or_default(),
                conversation: document(documents, Kind::Rules, RulesDocument::compile)?.unwrap_or_default(),
            },
            staff: document(documents, Kind::Staff, StaffDocument::compile)?,
            services: document(documents, Kind::Services, ServicesDocument::compile)?,
        },
        timezone: row.timezone.clone(),
        agent_id: row.agent_id.map(AgentId),
        bindings: row.bindings.iter().map(super::bindings::Binding::record).collect(),
        hours: document(documents, Kind::Hours, HoursDocument::compile)?,
        rules: routing.rules,
        over_limit: routing.over_limit,
        calls_max: calls_max(row.calls_max),
        sms: document(documents, Kind::Sms, SmsDocument::compile)?.unwrap_or_default(),
    };
    Ok(match row.address()? {
        Address::Number(number) => Record::Number(number, record),
        Address::Range(prefix) => Record::Range(prefix, record),
    })
}

fn document<D: DeserializeOwned, T>(
    documents: &Documents,
    kind: Kind,
    compile: impl FnOnce(&D) -> Result<T, Invalid>,
) -> Result<Option<T>, StoreError> {
    let Some(value) = documents.get(kind.name()) else { return Ok(None) };
    let document = D::deserialize(value).map_err(|_| StoreError::Malformed("setting"))?;
    compile(&document).map(Some).map_err(|_| StoreError::Malformed(kind.name()))
}

/// A limit as stored, where the table's check keeps it small.
fn calls_max(stored: Option<i32>) -> Option<u16> {
    stored.and_then(|calls| u16::try_from(calls).ok())
}

async fn hours(conn: &mut PgConnection, owner: Owner) -> Result<Option<Hours>, StoreError> {
    let document: Option<HoursDocument> = settings::get(conn, owner, Kind::Hours).await?;
    document.map(|document| document.compile()).transpose().map_err(|_| StoreError::Malformed("hours"))
}

async fn profile(conn: &mut PgConnection, owner: Owner) -> Result<Profile, StoreError> {
    let voice: Option<VoiceDocument> = settings::get(conn, owner, Kind::Voice).await?;
    let rules: Option<RulesDocument> = settings::get(conn, owner, Kind::Rules).await?;
    Ok(Profile {
        voice: voice.unwrap_or_default().compile().map_err(|_| StoreError::Malformed("voice"))?,
        conversation: rules.unwrap_or_default().compile().map_err(|_| StoreError::Malformed("rules"))?,
    })
}

async fn sms(conn: &mut PgConnection, owner: Owner) -> Result<Sms, StoreError> {
    let document: Option<SmsDocument> = settings::get(conn, owner, Kind::Sms).await?;
    document.unwrap_or_default().compile().map_err(|_| StoreError::Malformed("sms"))
}

async fn staff(conn: &mut PgConnection, owner: Owner) -> Result<Option<Vec<Person>>, StoreError> {
    let document: Option<StaffDocument> = settings::get(conn, owner, Kind::Staff).await?;
    document.map(|document| document.compile()).transpose().map_err(|_| StoreError::Malformed("staff"))
}

async fn services(conn: &mut PgConnection, owner: Owner) -> Result<Option<Vec<Service>>, StoreError> {
    let document: Option<ServicesDocument> = settings::get(conn, owner, Kind::Services).await?;
    document.map(|document| document.compile()).transpose().map_err(|_| StoreError::Malformed("services"))
}

/// The business, and the ids of its intents in their order.
async fn business(
    conn: &mut PgConnection,
    id: TenantId,
    name: String,
) -> Result<(Business, Vec<IntentId>), StoreError> {
    let owner = Owner::Tenant(id);
    let intents = intents::list(conn, id, None, None, i64::MAX).await?;
    let ids = intents.iter().map(|intent| IntentId(intent.id)).collect();
    let intents = intents.into_iter().map(|intent| Intent {
        name: intent.name,
        phrases: intent.phrases.0,
        responses: intent.responses.0,
    });
    let business = Business {
        name,
        intents: intents.collect(),
        profile: profile(conn, owner).await?.into(),
        staff: staff(conn, owner).await?.unwrap_or_default(),
        services: services(conn, owner).await?.unwrap_or_default(),
    };
    Ok((business, ids))
}

/// What a plan says of a call that is one too many.
async fn plans_over_limit(conn: &mut PgConnection, plan: &str) -> Result<Option<Vec<Step>>, StoreError> {
    let chain = plans::find(conn, plan).await?.over_limit;
    let chain = chain.map(|chain| routing::over_limit(&chain.0)).transpose();
    chain.map_err(|_| StoreError::Malformed("plan"))
}

async fn routing(conn: &mut PgConnection, owner: Owner) -> Result<Routing, StoreError> {
    let document: Option<RoutingDocument> = settings::get(conn, owner, Kind::Routing).await?;
    document.unwrap_or_default().compile().map_err(|_| StoreError::Malformed("routing"))
}
