//! What an agent wants done during a call: answered from the snapshot, or asked of the tenant's own server.

use std::fmt;

use dialplane_common::provider::Provider;
use dialplane_common::provider::event::{ToolRequest, ToolResult};
use dialplane_common::tools;

use super::Reaction;
use super::call::{Source, Webhook};
use crate::outbound::{Outbound, ToolCalls};
use crate::outcome::{Answer, Outcome};
use crate::snapshot::Number;

/// What an agent is told when its tenant has nothing that does what it wants.
const NO_SUCH_TOOL: &str = "I can't do that here.";

/// Tool calls of which some wait for the tenant's own server.
pub struct ToolWork {
    provider: &'static dyn Provider,
    /// One for each call, in order; those that are forwarded hold what is said when that fails.
    results: Vec<ToolResult>,
    forwarded: ToolCalls,
    /// Which results the forwarded calls have, in their order.
    places: Vec<usize>,
}

impl fmt::Debug for ToolWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolWork").field("places", &self.places).finish_non_exhaustive()
    }
}

impl ToolWork {
    /// Asks the tenant's own server, all calls at once, and answers.
    pub async fn finish(mut self, outbound: &Outbound) -> Answer {
        for (place, outcome) in self.places.into_iter().zip(outbound.call_tools(self.forwarded).await) {
            if let Some(result) = self.results.get_mut(place) {
                result.outcome = outcome;
            }
        }
        Answer::document(Outcome::Answered, self.provider.tool_results(&self.results))
    }
}

impl<'a> Webhook<'a> {
    /// Every failure becomes a result that can be spoken: the agent is in the middle of a conversation.
    pub(super) fn tools(&self, source: &Source<'a>, request: &ToolRequest<'_>) -> Result<Reaction, Answer> {
        let provider = self.endpoint.provider;
        let owner = match self.active_owner(source, &request.call) {
            Ok(owner) => owner,
            Err(refused) => {
                let results: Vec<_> =
                    request.calls.iter().map(|call| result(call, Err(NO_SUCH_TOOL.into()))).collect();
                return Err(Answer::document(refused.outcome, provider.tool_results(&results)));
            }
        };
        let location = self.location(&owner, owner.number.and_then(Number::agent));
        let server = owner.tenant.about.tool_server.as_ref();
        let (mut results, mut places) = (Vec::with_capacity(request.calls.len()), Vec::new());
        let mut forwarded = server.map(|(server, secret)| {
            ToolCalls::new(
                owner.tenant_id,
                server,
                secret,
                location.phone_number_id,
                provider.name(),
                &owner.complete(&request.call),
            )
        });
        for (place, call) in request.calls.iter().enumerate() {
            let built_in = tools::answer(&call.name, &call.arguments, &location);
            let by = match (&built_in, &forwarded) {
                (Some(_), _) => "built_in",
                (None, Some(_)) => "forwarded",
                (None, None) => "unknown",
            };
            self.router.metrics.tool_calls.with_label_values(&[by]).inc();
            if let (None, Some(forwarded)) = (&built_in, &mut forwarded) {
                forwarded.add(call);
                places.push(place);
            }
            results.push(result(call, built_in.unwrap_or_else(|| Err(NO_SUCH_TOOL.into()))));
        }
        Ok(match forwarded {
            Some(forwarded) if !places.is_empty() => {
                Reaction::Later(Box::new(ToolWork { provider, results, forwarded, places }))
            }
            _ => Reaction::Now(Answer::document(Outcome::Answered, provider.tool_results(&results))),
        })
    }
}

fn result(
    call: &dialplane_common::provider::event::ToolCall<'_>,
    outcome: Result<String, String>,
) -> ToolResult {
    ToolResult { id: call.id.clone().into_owned(), name: call.name.clone().into_owned(), outcome }
}
