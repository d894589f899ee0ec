//! Bodies, read strictly: an unknown field is refused, and every refusal names the place.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};

use super::Api;
use super::error::Problem;
use super::idempotency::BodyHash;
use crate::invalid::{self, Invalid};

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        if !is_json(&request) {
            let detail = "wanted a body with the header Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        let hash = request.extensions().get::<BodyHash>().cloned();
        let bytes = Bytes::from_request(request, api)
            .await
            .map_err(|rejection| Problem::of_status(rejection.status()))?;
        if let Some(hash) = hash {
            hash.set(&bytes);
        }
        read(&bytes).map(Self)
    }
}

fn is_json(request: &Request) -> bool {
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let syntax = |error: &serde_json::Error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body isn't JSON: {error}"))
    };
    // The reader would take a list for an object, its items for the fields in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Invalid::new("body", "wanted a JSON object").into());
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.inner().classify() {
            serde_json::error::Category::Data => {
                // The position says less than the path does.
                let text = error.inner().to_string();
                let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
                Problem::from(invalid::at_path(None, error.path(), text))
            }
            _ => syntax(error.inner()),
        })?;
    reader.end().map_err(|error| syntax(&error))?;
    Ok(value)
}

/// For fields of a PATCH: absent and null are two things. `Option<Option<T>>` tells them apart with this, and
/// `Option<T>` refuses null.
///
/// # Errors
/// As `T`.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read")]
        name: String,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        inner: Vec<Vec<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        number: u8,
    }

    #[test]
    fn refusals_name_the_place() {
        let check = |json: &str, begin: &str| {
            let problem = format!("{:?}", read::<Outer>(json.as_bytes()).unwrap_err());
            assert!(problem.contains(&format!("detail: \"{begin}")), "{json} {problem}");
        };
        check(r#"{"name":"a","nam":1}"#, "nam: unknown field");
        check(r#"{}"#, "name: wanted");
        check(r#"{"name":5}"#, "name: invalid type");
        check(
            r#"{"name":"a","inner":[[{"number":1}],[{"number":300}]]}"#,
            "inner[1][0].number: invalid value",
        );
        check(r#"{"name":"a","inner":[[{"number":1,"x":1}]]}"#, "inner[0][0].x: unknown field");
        check(r#"{"name":"a","inner":[[7]]}"#, "inner[0][0]: invalid type");
        check(r#"["a"]"#, "body: wanted a JSON object");
        check(r#"{"name":"a"} x"#, "the body isn't JSON");
        check(r#"{"name":"#, "the body isn't JSON");
    }
}
