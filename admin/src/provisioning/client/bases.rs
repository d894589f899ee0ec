//! Where providers' APIs are.

use dialplane_common::provider::{Api, PROVIDERS};
use dialplane_common::rest::Request;
use dialplane_common::rest::base::{Base, BaseError, bases};

/// Where providers' APIs are: where the settings say, else at an account's own host where its provider gives it one,
/// else at their usual place.
#[derive(Clone, Debug, Default)]
pub struct Bases(Vec<Base>);

/// Who said where a request goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place<'a> {
    /// The provider or an operator.
    Known(&'a str),
    /// Whoever wrote the account's credentials: maybe a tenant.
    Own(&'a str),
}

impl Bases {
    /// The bases that the environment names for the APIs that are asked for numbers and agents.
    ///
    /// # Errors
    /// The first setting that isn't a base URL.
    pub fn from_environment(environment: impl Fn(&str) -> Option<String>) -> Result<Self, BaseError> {
        bases(apis(), environment).map(Self)
    }

    /// These.
    #[must_use]
    pub const fn new(bases: Vec<Base>) -> Self {
        Self(bases)
    }

    /// Those that settings name.
    #[must_use]
    pub fn named(&self) -> &[Base] {
        &self.0
    }

    /// Where a request goes.
    pub(super) fn place<'a>(&'a self, request: &'a Request) -> Place<'a> {
        let setting = request.api.base_setting;
        let named = self.0.iter().find(|base| base.setting == setting).map(|base| base.url.as_str());
        match (named, &request.base) {
            (Some(base), _) => Place::Known(base),
            (None, Some(base)) => Place::Own(base),
            (None, None) => Place::Known(request.api.base),
        }
    }
}

/// The APIs that are asked for numbers and agents.
fn apis() -> impl Iterator<Item = Api> {
    PROVIDERS.iter().flat_map(|provider| {
        let numbers = provider.numbers().map_or(&[][..], |numbers| numbers.apis());
        let agents = provider.agents().map_or(&[][..], |agents| agents.apis());
        numbers.iter().chain(agents).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    const API: Api = Api { base_setting: "X_API_BASE", base: "https://api.x.example" };

    #[test]
    fn a_setting_stands_above_an_account_s_host_and_that_above_the_usual_place() {
        let named = Bases::new(vec![Base { setting: "X_API_BASE", url: "http://10.0.0.1/x".into() }]);
        let plain = Request::new("x.y", Method::GET, API, "/");
        let own = plain.clone().base("https://acme.x.example");
        let unnamed = Bases::default();
        assert_eq!(unnamed.place(&plain), Place::Known("https://api.x.example"));
        assert_eq!(unnamed.place(&own), Place::Own("https://acme.x.example"));
        assert_eq!(named.place(&plain), Place::Known("http://10.0.0.1/x"));
        assert_eq!(named.place(&own), Place::Known("http://10.0.0.1/x"));
    }

    #[test]
    fn each_api_that_is_asked_stands_in_the_file_of_settings() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/admin.env");
        let file = std::fs::read_to_string(file).unwrap();
        for Api { base_setting, base } in apis() {
            let line = format!("#{base_setting}={base}");
            assert!(file.lines().any(|found| found.starts_with(&line)), "{line}");
        }
    }

    #[test]
    fn a_setting_that_is_no_base_url_is_one_line_that_names_it() {
        for api in apis() {
            let environment = |name: &str| (name == api.base_setting).then(|| "api.example".to_owned());
            let error = Bases::from_environment(environment).unwrap_err();
            assert_eq!((error.setting, error.value.as_str()), (api.base_setting, "api.example"));
        }
        assert!(Bases::from_environment(|_| None).unwrap().named().is_empty());
    }
}
