//! What agents ask during a call: built-in tools, and those of a tenant's own server.

mod built_in;
mod forwarded;
mod server;

use dialplane_bench::operator::Salon;
use dialplane_bench::system::Router;
use serde_json::Value;

use crate::agents::VapiNumber;
use crate::installation::Installation;

/// A salon whose number is Vapi's too.
struct Caller {
    system: Installation,
    salon: Salon,
    vapi: VapiNumber,
}

impl Caller {
    fn start(settings: &[(&str, &str)]) -> Self {
        let system = Installation::start_with(settings);
        let salon = system.salon(1);
        let vapi = VapiNumber::create(&system, &salon);
        Self { system, salon, vapi }
    }

    fn router(&self) -> &Router {
        &self.system.router
    }

    /// The result of one tool call, or its error, as it is spoken.
    fn ask(&self, name: &str, arguments: &Value) -> Result<String, String> {
        let results = self.vapi.tools(self.router(), &[("call_1", name, arguments.clone())]);
        assert_eq!(results.len(), 1, "{results:?}");
        spoken(&results[0])
    }
}

/// What is said of a tool call: one line, whichever it is.
fn spoken(result: &Value) -> Result<String, String> {
    let line = |value: &Value| value.as_str().map(str::to_owned);
    let said = match (line(&result["result"]), line(&result["error"])) {
        (Some(result), None) => Ok(result),
        (None, Some(error)) => Err(error),
        _ => panic!("a result or an error, as text: {result}"),
    };
    let (Ok(text) | Err(text)) = &said;
    assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
    said
}
