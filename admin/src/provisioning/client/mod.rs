//! stub
use dialplane_common::ids::AccountId;
use dialplane_common::rest::{Exchange, Fault};
#[derive(Clone)]
pub struct Client;
impl Client {
    pub async fn run<T: Send + 'static>(
        &self,
        _: AccountId,
        _: &str,
        _: u32,
        _: Exchange<T>,
    ) -> Result<T, Fault> {
        Err(Fault::retry("stub"))
    }
}
