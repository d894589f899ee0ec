//! The providers' APIs, each a base and a table of routes.

use http::Method;
use serde_json::Value;

use crate::account::Account;
use crate::reply::Reply;
use crate::request::Request;
use crate::turn::{Outcome, Turn};

/// All of them.
pub static APIS: &[&Api] = &[
    &crate::bandwidth::API,
    &crate::elevenlabs::API,
    &crate::livekit::API,
    &crate::plivo::API,
    &crate::retell::API,
    &crate::signalwire::API,
    &crate::telnyx::API,
    &crate::twilio::API,
    &crate::twilio::PRICING,
    &crate::twilio::NUMBERS,
    &crate::vapi::API,
    &crate::vonage::API,
    &crate::vonage::REST,
];

/// One API.
pub struct Api {
    /// The first segment of its paths here.
    pub base: &'static str,
    /// Whose it is.
    pub provider: &'static str,
    /// What can be asked; the first that fits is meant.
    pub routes: &'static [Route],
    /// Tells which account asks.
    pub admit: fn(&mut Turn<'_>) -> Result<String, Reply>,
    /// Says no, in the provider's words.
    pub refuse: fn(&Refusal, &Request) -> Reply,
    /// What an account's owner enters where its webhooks are verified and its API is used.
    pub credentials: fn(&Account) -> Value,
}

/// One thing that can be asked.
pub struct Route {
    /// How.
    pub method: Method,
    /// Where: segments, of which `{name}` is anything, and `{name}.json` anything that ends so.
    pub path: &'static str,
    /// What it is called where faults are chosen: `twilio.buy`.
    pub operation: &'static str,
    /// Whether a limit of the account's can stand against it.
    pub costs: bool,
    /// What is done.
    pub handle: fn(&mut Turn<'_>) -> Outcome,
}

impl Route {
    /// A route that costs nothing.
    pub const fn new(
        method: Method,
        path: &'static str,
        operation: &'static str,
        handle: fn(&mut Turn<'_>) -> Outcome,
    ) -> Self {
        Self { method, path, operation, costs: false, handle }
    }

    /// A route that buys or makes something.
    pub const fn buying(
        path: &'static str,
        operation: &'static str,
        handle: fn(&mut Turn<'_>) -> Outcome,
    ) -> Self {
        Self { method: Method::POST, path, operation, costs: true, handle }
    }

    /// What stands in the path's places, when the path is this route's.
    pub fn matches(&self, segments: &[String]) -> Option<Vec<(&'static str, String)>> {
        let wanted: Vec<_> = self.path.trim_matches('/').split('/').collect();
        if wanted.len() != segments.len() {
            return None;
        }
        let mut params = Vec::new();
        for (want, given) in wanted.into_iter().zip(segments) {
            match want.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                None if want == given => {}
                None => return None,
                Some((name, suffix)) => {
                    let value = given.strip_suffix(suffix).filter(|value| !value.is_empty())?;
                    params.push((name, value.to_owned()));
                }
            }
        }
        Some(params)
    }
}

/// Why a request isn't done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is no such path.
    NotFound,
    /// There were too many.
    TooMany,
    /// The provider is out of order.
    OutOfOrder,
    /// The account has as many as it may have.
    Limit,
}

impl Api {
    /// The route of a request, and what stands in its path's places.
    pub fn route(&self, request: &Request) -> Option<(&'static Route, Vec<(&'static str, String)>)> {
        let segments = request.segments();
        let find = |segments: &[String]| {
            let fits = |route: &'static Route| route.matches(segments).map(|params| (route, params));
            self.routes.iter().filter(|route| route.method == request.method).find_map(fits)
        };
        find(&segments).or_else(|| find(&without_suffix(&segments)))
    }
}

/// The same path without the `.json` that some may leave out.
fn without_suffix(segments: &[String]) -> Vec<String> {
    let mut segments = segments.to_vec();
    if let Some(last) = segments.last_mut()
        && let Some(bare) = last.strip_suffix(".json")
    {
        *last = bare.to_owned();
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_paths_are_read() {
        let route = Route::new(Method::GET, "/Accounts/{account}/Numbers/{sid}.json", "x.y", |_| {
            Ok(Reply::empty(200))
        });
        let read = |path: &str| {
            let segments: Vec<_> = path.split('/').map(str::to_owned).collect();
            route.matches(&segments)
        };
        assert_eq!(
            read("Accounts/AC1/Numbers/PN1.json"),
            Some(vec![("account", "AC1".into()), ("sid", "PN1".into())])
        );
        for other in
            ["Accounts/AC1/Numbers/PN1", "Accounts/AC1/Numbers/.json", "Accounts/AC1", "A/AC1/Numbers/x.json"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn operations_are_named_by_their_provider() {
        for api in APIS {
            for route in api.routes {
                let (provider, operation) = route.operation.split_once('.').unwrap();
                assert_eq!(provider, api.provider, "{}", route.operation);
                assert!(!operation.is_empty() && route.path.starts_with('/'));
            }
        }
    }
}
