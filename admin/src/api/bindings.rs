//! Whether a number may be bound as somebody wants.

use axum::http::StatusCode;
use dialplane_common::ids::{AccountId, TenantId};
use sqlx::postgres::PgConnection;

use super::auth::Principal;
use super::error::Problem;
pub use crate::bindings::{NewBinding, Wanted, carrier, wanted};
use crate::invalid::Invalid;
use crate::store::accounts;
use crate::store::bindings::Binding;

impl Wanted {
    /// Holds the accounts, and refuses those that aren't the tenant's to bind to. What is bound already stays.
    ///
    /// A tenant's key binds numbers to the tenant's own accounts only. On an account that tenants share, whoever names a
    /// number would get its calls: there the platform says whose number it is.
    ///
    /// # Errors
    /// The first that is refused, and why.
    pub async fn check(
        &self,
        conn: &mut PgConnection,
        principal: &Principal,
        tenant: TenantId,
        current: &[Binding],
    ) -> Result<(), Problem> {
        for (index, binding) in self.bindings.iter().enumerate() {
            if current.contains(binding) {
                continue;
            }
            let place =
                if self.is_list { format!("bindings[{index}].account_id") } else { "account_id".to_owned() };
            let account = AccountId(binding.account_id);
            if !accounts::is_usable(conn, tenant, account).await? {
                let wanted = "wanted an account of this tenant, or one granted to it";
                return Err(Invalid::new(place, wanted).into());
            }
            if !principal.is_operator() && !accounts::is_own(conn, tenant, account).await? {
                let detail = format!("{place}: only operators bind numbers to the platform's accounts");
                return Err(Problem::new(StatusCode::FORBIDDEN, "operator_only", detail).at(&place));
            }
        }
        Ok(())
    }
}
