//! URL path to provider, kind and account.

use dialplane_common::ids::AccountId;
use dialplane_common::provider::{Body, Kind, PROVIDERS, Provider};
use hyper::Method;

/// What a path names.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// Who calls.
    pub provider: &'static dyn Provider,
    /// The provider's place in [`PROVIDERS`].
    pub provider_index: usize,
    /// What about.
    pub kind: &'static Kind,
    /// The kind's place in the provider's list.
    pub kind_index: usize,
    /// For which account; absent: the account is found from what the request claims.
    pub account: Option<AccountId>,
    /// What its bodies are: the kind's, or wider under a second name.
    pub body: Body,
}

impl Endpoint {
    /// Whether it takes requests of this method.
    #[must_use]
    pub fn takes(&self, method: &Method) -> bool {
        *method == Method::POST || (self.kind.get && *method == Method::GET)
    }
}

/// A second name of Twilio's voice webhook, which also takes JSON.
pub const CALL_INCOMING: &str = "/api/webhooks/call/incoming";

/// Reads `/webhooks/{provider}/{kind}[/{account_id}]`. `None`: there is nothing at this path.
#[must_use]
pub fn endpoint(path: &str) -> Option<Endpoint> {
    if path == CALL_INCOMING {
        let endpoint = find("twilio", "voice", None)?;
        return Some(Endpoint { body: Body::FormOrJson, ..endpoint });
    }
    let mut segments = path.strip_prefix("/webhooks/")?.split('/');
    let (provider, kind) = (segments.next()?, segments.next()?);
    let account = segments.next().map(str::parse).transpose().ok()?;
    if segments.next().is_some() { None } else { find(provider, kind, account) }
}

fn find(provider: &str, kind: &str, account: Option<AccountId>) -> Option<Endpoint> {
    let provider_index = PROVIDERS.iter().position(|known| known.name() == provider)?;
    let provider = PROVIDERS[provider_index];
    let kind_index = provider.kinds().iter().position(|known| known.name == kind)?;
    let kind = &provider.kinds()[kind_index];
    Some(Endpoint { provider, provider_index, kind, kind_index, account, body: kind.body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_provider_kind_and_account() {
        let id = "0190c5a4-7b1e-7cc3-98c4-dc0c0c07398f";
        let voice = endpoint(&format!("/webhooks/twilio/voice/{id}")).unwrap();
        assert_eq!((voice.provider.name(), voice.kind.name, voice.body), ("twilio", "voice", Body::Form));
        assert_eq!(voice.account.unwrap().to_string(), id);
        assert!(endpoint("/webhooks/twilio/status").is_some_and(|status| status.account.is_none()));
        assert!(
            endpoint(CALL_INCOMING)
                .is_some_and(|call| call.body == Body::FormOrJson && call.kind.name == "voice")
        );
    }

    #[test]
    fn post_is_taken_everywhere_and_get_where_the_kind_takes_it() {
        let mut taken = [0, 0];
        for (provider, kind) in PROVIDERS.iter().flat_map(|of| of.kinds().iter().map(move |kind| (of, kind)))
        {
            let endpoint = endpoint(&format!("/webhooks/{}/{}", provider.name(), kind.name)).unwrap();
            assert!(endpoint.takes(&Method::POST), "{} {}", provider.name(), kind.name);
            assert_eq!(endpoint.takes(&Method::GET), kind.get, "{} {}", provider.name(), kind.name);
            assert!(
                ![Method::HEAD, Method::PUT, Method::OPTIONS].iter().any(|method| endpoint.takes(method))
            );
            taken[usize::from(kind.get)] += 1;
        }
        assert!(!taken.contains(&0), "{taken:?}");
    }

    #[test]
    fn other_paths_name_nothing() {
        for path in [
            "/",
            "/webhooks/",
            "/webhooks/twilio",
            "/webhooks/twilio/",
            "/webhooks/nobody/voice",
            "/webhooks/twilio/nothing",
            "/webhooks/twilio/voice/",
            "/webhooks/twilio/voice/not-an-id",
            "/webhooks/twilio/voice/0190c5a4-7b1e-7cc3-98c4-dc0c0c07398f/",
            "/Webhooks/twilio/voice",
            "/api/webhooks/call/incoming/",
        ] {
            assert!(endpoint(path).is_none(), "{path}");
        }
    }
}
