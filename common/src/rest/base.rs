//! Where providers' APIs are, when not at their usual place: what an operator says of it.

use http::Uri;

use crate::provider::Api;

/// Where a provider's API is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base {
    /// The setting that says so: [`Api::base_setting`].
    pub setting: &'static str,
    /// Its base URL, without a slash at the end.
    pub url: String,
}

/// A setting that isn't a base URL.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("wanted a base URL like https://api.example.com")]
pub struct BaseError {
    /// The setting.
    pub setting: &'static str,
    /// What it says.
    pub value: String,
}

/// The bases that the environment names for these APIs. Plain `http` is taken too: an operator knows the way.
///
/// # Errors
/// The first setting that isn't a base URL.
pub fn bases(
    apis: impl IntoIterator<Item = Api>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Base>, BaseError> {
    let mut bases: Vec<Base> = Vec::new();
    for Api { base_setting: setting, .. } in apis {
        let Some(text) = environment(setting).filter(|text| !text.is_empty()) else { continue };
        let url = text.trim_end_matches('/');
        if url.contains(['?', '#']) || http_url(url).is_none() {
            return Err(BaseError { setting, value: text });
        }
        if bases.iter().all(|base| base.setting != setting) {
            bases.push(Base { setting, url: url.to_owned() });
        }
    }
    Ok(bases)
}

/// Reads an absolute `https` or `http` URL; `None` when it is none that can be asked. One with a user's name or
/// password is none: HTTP has headers for them, and they end up in logs.
#[must_use]
pub fn http_url(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let (authority, host) = (uri.authority()?.as_str(), uri.host()?);
    // What the parser lets through beside host and port: users, and ports that are none.
    let whole = uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let is_good = matches!(uri.scheme_str()?, "https" | "http") && !host.is_empty() && whole == authority;
    is_good.then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: Api = Api { base_setting: "X_API_BASE", base: "https://api.x.example" };

    #[test]
    fn bases_are_urls_that_a_path_can_follow() {
        let check = |value: Option<&str>, expected: Result<Option<&str>, ()>| {
            let found = bases([API, API], |setting| {
                assert_eq!(setting, "X_API_BASE");
                value.map(str::to_owned)
            });
            let url = |bases: Vec<Base>| bases.first().map(|base| base.url.clone());
            assert_eq!(found.map(url).map_err(drop), expected.map(|url| url.map(str::to_owned)), "{value:?}");
        };
        check(None, Ok(None));
        check(Some(""), Ok(None));
        check(Some("http://127.0.0.1:9000/"), Ok(Some("http://127.0.0.1:9000")));
        check(Some("https://a.example/v2"), Ok(Some("https://a.example/v2")));
        for wrong in
            ["a.example", "https://a.example/?x", "https://a.example/#x", "ftp://a.example", "https://u:p@a"]
        {
            check(Some(wrong), Err(()));
        }
    }
}
