//! Makes a number that an account holds one of ours: its row, who may use it, where it is held.

use dialplane_common::ids::PhoneNumberId;
use dialplane_common::rest::numbers::Held;

use super::Provisioner;
use super::account::OpenAccount;
use crate::store::bindings::Binding;
use crate::store::holdings::{self, Holding};
use crate::store::jobs::Job;
use crate::store::numbers::{self, Address, NumberFields};
use crate::store::purchases::Purchase;
use crate::store::{StoreError, WriteTx, accounts, bindings, pool, tenants};

/// What became of a number.
pub enum Adopted {
    /// It is reserved for the job.
    Kept(PhoneNumberId),
    /// It is somebody's here already.
    Taken,
}

impl Provisioner {
    /// Reserves a number for a job's tenant, or for the pool.
    pub(super) async fn adopt(
        &self,
        tx: &mut WriteTx,
        job: &Job,
        account: &OpenAccount,
        held: &Held,
        purchase: Option<&Purchase>,
    ) -> Result<Adopted, StoreError> {
        let Some(number) = held.number else { return Err(StoreError::Malformed("number")) };
        if let Some(id) = holdings::by_held_id(tx.conn(), account.row.id, &held.id).await? {
            // Adopted before: a commit whose answer was lost.
            return Ok(if job.phone_number_id == Some(id.0) { Adopted::Kept(id) } else { Adopted::Taken });
        }
        if numbers::is_known(tx.conn(), number).await? {
            return Ok(Adopted::Taken);
        }
        let id = match job.tenant() {
            Some(tenant) => {
                tenants::lock(tx.conn(), tenant).await?;
                let fields = NumberFields {
                    display_name: job.request.display_name.clone().unwrap_or_else(|| number.to_string()),
                    timezone: job.request.timezone.clone(),
                    ..NumberFields::of(Address::Number(number))
                };
                let source = if purchase.is_some() { "provision" } else { job.kind.as_str() };
                let id = numbers::insert(tx.conn(), tenant, Address::Number(number), source, &fields).await?;
                numbers::set_lifecycle(tx.conn(), id, "reserved").await?;
                accounts::grant(tx.conn(), account.id(), tenant).await?;
                let binding = Binding {
                    account_id: account.row.id,
                    role: "carrier".to_owned(),
                    number_id: Some(held.id.clone()),
                };
                bindings::replace(tx.conn(), tenant, id, &[binding]).await?;
                tx.record_number(tenant, id).await?;
                id
            }
            None => {
                let id = pool::add(tx.conn(), number, Some(account.id())).await?;
                numbers::set_lifecycle(tx.conn(), id, "reserved").await?;
                id
            }
        };
        let origin = match purchase {
            None => "imported",
            Some(_) if held.is_free => "free",
            Some(_) => "bought",
        };
        let holding = Holding {
            phone_number_id: id.0,
            account_id: account.row.id,
            role: "carrier".to_owned(),
            held_id: held.id.clone(),
            origin: origin.to_owned(),
            former: purchase.is_none().then(|| sqlx::types::Json(held.setup.clone())),
            purchase_id: purchase.map(|purchase| purchase.id),
            public_url: None,
        };
        holdings::put(tx.conn(), &holding).await?;
        Ok(Adopted::Kept(id))
    }
}
