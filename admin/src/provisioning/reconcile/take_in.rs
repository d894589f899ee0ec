//! Makes a number that an account holds, and that nobody here knew, one of ours.

use dialplane_common::e164::E164;
use dialplane_common::ids::{AccountId, PhoneNumberId, TenantId};
use dialplane_common::rest::numbers::Held;
use sqlx::types::Json;
use uuid::Uuid;

use crate::provisioning::upkeep;
use crate::store::accounts::AccountRow;
use crate::store::bindings::Binding;
use crate::store::holdings::{self, Holding};
use crate::store::numbers::{self, Address, NumberFields};
use crate::store::{Origin, StoreError, WriteTx, accounts, bindings, books, pool, purchases, tenants};

/// How a number came into an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Brought {
    /// This purchase brought it, later than it was waited for, or beside another.
    Late(Uuid),
    /// Nobody here knows.
    Unknown,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is one of ours.
    In(PhoneNumberId),
    /// It was already, or a job takes care of it.
    Passed,
    /// The number is somebody's here, held elsewhere.
    Known,
}

/// Takes a number in: the platform's into the pool, one of a tenant's own account as one that the tenant doesn't use. A job
/// points it at us. Twice is once: who comes second finds it done.
///
/// # Errors
/// [`StoreError::PhoneNumbersMax`], [`StoreError::AddressOverlaps`] where its tenant can't have it;
/// [`StoreError::Malformed`] for one without a number.
pub async fn take_in(
    tx: &mut WriteTx,
    account: &AccountRow,
    held: &Held,
    brought: Brought,
    origin: &Origin,
) -> Result<Taken, StoreError> {
    let Some(number) = held.number else { return Err(StoreError::Malformed("number")) };
    let bought = match brought {
        Brought::Unknown => None,
        Brought::Late(id) => Some(books::lock_bought(tx.conn(), id).await?),
    };
    let is_settling = bought.as_ref().is_some_and(|bought| bought.is_looked_for && !bought.is_kept);
    if is_settling || holdings::by_held_id(tx.conn(), account.id, &held.id).await?.is_some() {
        return Ok(Taken::Passed);
    }
    if numbers::is_known(tx.conn(), number).await? {
        return Ok(Taken::Known);
    }
    let purchase = match &bought {
        None => None,
        Some(bought) => Some(settle(tx, bought.id, bought.is_kept, Some(number), &held.id, "late").await?),
    };
    let id = match account.tenant_id {
        None => pool::add(tx.conn(), number, Some(AccountId(account.id))).await?,
        Some(tenant) => add_unused(tx, TenantId(tenant), account, number, &held.id).await?,
    };
    let origin_of_it = match brought {
        Brought::Unknown => "imported",
        Brought::Late(_) if held.is_free => "free",
        Brought::Late(_) => "bought",
    };
    let holding = Holding {
        phone_number_id: id.0,
        account_id: account.id,
        role: "carrier".to_owned(),
        held_id: held.id.clone(),
        origin: origin_of_it.to_owned(),
        former: purchase.is_none().then(|| Json(held.setup.clone())),
        purchase_id: purchase,
        public_url: None,
    };
    holdings::put(tx.conn(), &holding).await?;
    upkeep::point_at_us(tx.conn(), id, None, origin).await?;
    Ok(Taken::In(id))
}

/// Says what became of a locked purchase, and gives the purchase that this number is of: where another number is of the
/// first one, this number has one of its own.
pub(super) async fn settle(
    tx: &mut WriteTx,
    purchase: Uuid,
    is_kept: bool,
    number: Option<E164>,
    held_id: &str,
    state: &str,
) -> Result<Uuid, StoreError> {
    if is_kept {
        let number = number.map(|number| number.to_string());
        return purchases::record_another(tx.conn(), purchase, number.as_deref(), state, held_id).await;
    }
    purchases::settle(tx.conn(), purchase, state, Some(held_id)).await?;
    Ok(purchase)
}

/// Gives a tenant a number of its own account that it doesn't use yet.
async fn add_unused(
    tx: &mut WriteTx,
    tenant: TenantId,
    account: &AccountRow,
    number: E164,
    held_id: &str,
) -> Result<PhoneNumberId, StoreError> {
    tenants::lock(tx.conn(), tenant).await?;
    let address = Address::Number(number);
    let fields = NumberFields { status: "inactive".to_owned(), ..NumberFields::of(address) };
    let id = numbers::insert(tx.conn(), tenant, address, "provision", &fields).await?;
    accounts::grant(tx.conn(), AccountId(account.id), tenant).await?;
    let binding =
        Binding { account_id: account.id, role: "carrier".to_owned(), number_id: Some(held_id.to_owned()) };
    bindings::replace(tx.conn(), tenant, id, &[binding]).await?;
    tx.record_number(tenant, id).await?;
    Ok(id)
}
