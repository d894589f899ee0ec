//! `keys`: keys of the API, directly in Postgres: the first operator's key, and a way in when all are lost.

use clap::{Args, Subcommand, ValueEnum};
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::ids::TenantId;
use uuid::Uuid;

use super::{open, table};
use crate::Failure;
use crate::api::{api_keys as rest, auth};
use crate::config::StoreArguments;
use crate::store::api_keys::{self, NewApiKey};
use crate::store::{Origin, Scope, Store, StoreError, tenants};

const ROWS: i64 = 1_000;
const COLUMNS: [&str; 7] = ["id", "tenant_id", "name", "role", "hint", "last_used_at", "expires_at"];

/// What to do with keys.
#[derive(Subcommand)]
pub enum KeysCommand {
    /// Make a key and print it, this once.
    Create(CreateArguments),
    /// List keys, without the keys.
    List(ListArguments),
    /// Delete a key: it is no longer good, here and in the routers.
    Revoke(RevokeArguments),
}

/// Settings of `keys create`.
#[derive(Args)]
pub struct CreateArguments {
    /// What it is called.
    #[arg(long)]
    name: String,
    /// Whose it is, by the tenant's id; absent: an operator's.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// What a tenant's key may do.
    #[arg(long, requires = "tenant", default_value = "admin")]
    role: TenantRole,
    #[command(flatten)]
    store: StoreArguments,
}

/// What a tenant's key may do.
#[derive(Clone, Copy, ValueEnum)]
pub enum TenantRole {
    /// Reads.
    Viewer,
    /// Writes, but neither accounts nor keys.
    Editor,
    /// Everything of its tenant.
    Admin,
}

/// Settings of `keys list`.
#[derive(Args)]
pub struct ListArguments {
    /// A tenant's, by its id; absent: the operators'.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArguments,
}

/// Settings of `keys revoke`.
#[derive(Args)]
pub struct RevokeArguments {
    /// The key's id, as `keys list` shows it.
    id: Uuid,
    /// Whose it is, by the tenant's id; absent: an operator's.
    #[arg(long)]
    tenant: Option<TenantId>,
    #[command(flatten)]
    store: StoreArguments,
}

/// Runs the command.
///
/// # Errors
/// When Postgres can't be reached, or there is no such tenant or key.
pub async fn run(command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Create(arguments) => {
            let (name, tenant) = (arguments.name, arguments.tenant);
            let role = match (tenant, arguments.role) {
                (None, _) => "operator",
                (Some(_), TenantRole::Viewer) => "viewer",
                (Some(_), TenantRole::Editor) => "editor",
                (Some(_), TenantRole::Admin) => "admin",
            };
            crate::invalid::name("--name", &name).map_err(|error| Failure::new("create a key", &error))?;
            let key = rest::draw("dp_")
                .map_err(|_| Failure::new("create a key", &"the system gives no randomness"))?;
            let store = open(arguments.store.settings()?)?;
            create(&store, tenant, (&name, role), &key)
                .await
                .map_err(|error| Failure::new("create a key", &error))?;
            table::print(&key);
        }
        KeysCommand::List(arguments) => {
            let store = open(arguments.store.settings()?)?;
            let keys =
                list(&store, arguments.tenant).await.map_err(|error| Failure::new("list keys", &error))?;
            table::print_rows(arguments.json, &COLUMNS, &keys);
        }
        KeysCommand::Revoke(arguments) => {
            let store = open(arguments.store.settings()?)?;
            let revoked = revoke(&store, arguments.tenant, arguments.id).await;
            revoked.map_err(|error| Failure::new("revoke the key", &error))?;
        }
    }
    Ok(())
}

async fn create(
    store: &Store,
    tenant: Option<TenantId>,
    (name, role): (&str, &str),
    key: &str,
) -> Result<(), StoreError> {
    let hint = &key[key.len() - 4..];
    let new = NewApiKey { tenant_id: tenant, name, role, hash: auth::hash(key), hint, expires_at: None };
    let mut tx = store.write(Scope::Operator, &Origin::system("keys")).await?;
    if let Some(tenant) = tenant {
        tenants::find(tx.conn(), tenant).await?;
    }
    if let Some(stored) = api_keys::insert(tx.conn(), &new).await? {
        tx.record(&stored.record()?)?;
    }
    tx.commit().await?;
    Ok(())
}

async fn list(store: &Store, tenant: Option<TenantId>) -> Result<Vec<serde_json::Value>, StoreError> {
    let mut tx = store.read(Scope::Operator).await?;
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = api_keys::list(tx.conn(), tenant, None, after, ROWS).await?;
        let Some(last) = page.last() else { return Ok(keys) };
        after = Some(last.id);
        keys.extend(page.iter().map(|key| serde_json::to_value(key).unwrap_or_default()));
    }
}

async fn revoke(store: &Store, tenant: Option<TenantId>, id: Uuid) -> Result<(), StoreError> {
    let mut tx = store.write(Scope::Operator, &Origin::system("keys")).await?;
    let hash = api_keys::delete(tx.conn(), tenant, id).await?;
    tx.remove(RecordKey::Token(hash));
    tx.commit().await?;
    Ok(())
}
