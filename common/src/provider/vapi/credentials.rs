//! Vapi's credentials: how its requests are authenticated, in the words of its `authenticationPlan`, and the REST key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use serde_json::{Map, Value};

use super::plan::{self, Algorithm, Encoding};
use crate::provider::credentials::{AccountCredentials, Credential, CredentialError, Fields};
use crate::secret::Secret;

const ORG_ID_CHARS_MAX: usize = 64;

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    fields.external_id_if_set("org_id", |id| {
        let right =
            id.len() <= ORG_ID_CHARS_MAX && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if right { Ok(()) } else { Err("wanted the organisation's id: letters, digits and hyphens") }
    })?;
    fields.api_secret("api_key")?;
    fields.text("credential_id")?;
    let mut any = false;
    for field in ["auth", "auth_secondary"] {
        if let Some(plan) = fields.object(field)? {
            any = true;
            if let Some((credential, secret)) = read_plan(plan)? {
                fields.add(credential, format!("{field}.{secret}"));
            }
        }
    }
    for field in ["secret", "secret_secondary"] {
        if let Some(secret) = fields.text(field)? {
            any = true;
            fields.add(plan::credential(plan::BEARER, &plan::Bearer::x_vapi_secret(), secret), field);
        }
    }
    if !any {
        return Err(fields.error("auth", "wanted Vapi's authentication plan, or secret"));
    }
    fields.finish()
}

/// A plan's credential and the field of its secret; none for plans without a secret.
fn read_plan(mut fields: Fields<'_>) -> Result<Option<(Credential, &'static str)>, CredentialError> {
    let read = match fields.wanted("type")? {
        "none" => None,
        "bearer" => Some((bearer(&mut fields)?, "token")),
        "hmac" => Some((hmac(&mut fields)?, "secretKey")),
        "oauth2" => Some((oauth2(&mut fields)?, "clientSecret")),
        _ => return Err(fields.error("type", "wanted none, bearer, hmac or oauth2")),
    };
    fields.finish()?;
    Ok(read)
}

fn bearer(fields: &mut Fields<'_>) -> Result<Credential, CredentialError> {
    let plan = plan::Bearer {
        header_name: header(fields, "headerName")?.unwrap_or_else(|| "authorization".to_owned()),
        bearer_prefix_enabled: fields.flag("bearerPrefixEnabled")?.unwrap_or(true),
    };
    Ok(plan::credential(plan::BEARER, &plan, fields.wanted("token")?))
}

fn hmac(fields: &mut Fields<'_>) -> Result<Credential, CredentialError> {
    let algorithm = match fields.wanted("algorithm")? {
        "sha1" => Algorithm::Sha1,
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => return Err(fields.error("algorithm", "wanted sha1, sha256 or sha512")),
    };
    let signature_encoding = match fields.text("signatureEncoding")? {
        None | Some("hex") => Encoding::Hex,
        Some("base64") => Encoding::Base64,
        Some(_) => return Err(fields.error("signatureEncoding", "wanted hex or base64")),
    };
    let include_timestamp = fields.flag("includeTimestamp")?.unwrap_or(true);
    let default_format = if include_timestamp { "{timestamp}.{body}" } else { "{body}" };
    let plan = plan::Hmac {
        algorithm,
        signature_header: header(fields, "signatureHeader")?.unwrap_or_else(|| "x-signature".to_owned()),
        timestamp_header: header(fields, "timestampHeader")?.unwrap_or_else(|| "x-timestamp".to_owned()),
        signature_prefix: fields.free_text("signaturePrefix")?.unwrap_or_default().to_owned(),
        payload_format: fields.free_text("payloadFormat")?.unwrap_or(default_format).to_owned(),
        message_id_header: header(fields, "messageIdHeader")?,
        signature_encoding,
        secret_is_base64: fields.flag("secretIsBase64")?.unwrap_or(false),
    };
    let holds = |placeholder| plan.payload_format.contains(placeholder);
    if !holds("{body}") {
        return Err(fields.error("payloadFormat", "wanted {body} in it: else nobody signs the body"));
    }
    if holds("{timestamp}") && !include_timestamp {
        return Err(fields.error("payloadFormat", "has {timestamp}, but includeTimestamp is false"));
    }
    if holds("{svix-id}") && plan.message_id_header.is_none() {
        return Err(fields.error("messageIdHeader", "is missing, but payloadFormat has {svix-id}"));
    }
    let secret = fields.free_text("secretKey")?.unwrap_or_default();
    if secret.is_empty() {
        return Err(fields.error("secretKey", "is missing"));
    }
    if plan.secret_is_base64 && STANDARD.decode(secret).is_ok_and(|key| !key.is_empty()) {
        return Ok(plan::credential(plan::HMAC, &plan, secret));
    }
    if plan.secret_is_base64 {
        return Err(fields.error("secretKey", "wanted base64, as secretIsBase64 is true"));
    }
    Ok(plan::credential(plan::HMAC, &plan, secret))
}

/// `url` and `scope` are for Vapi: the token comes from our webhook of kind `token`, whatever it is asked for.
fn oauth2(fields: &mut Fields<'_>) -> Result<Credential, CredentialError> {
    fields.free_text("url")?;
    fields.free_text("scope")?;
    let id = fields.wanted("clientId")?.to_owned();
    let value = Secret::new(fields.wanted("clientSecret")?);
    Ok(Credential { kind: plan::OAUTH2.to_owned(), id, value })
}

/// A header's name, in lower case.
fn header(fields: &mut Fields<'_>, field: &'static str) -> Result<Option<String>, CredentialError> {
    let Some(text) = fields.text(field)? else { return Ok(None) };
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| fields.error(field, "wanted the name of an HTTP header"))?;
    Ok(Some(name.as_str().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(json: &str) -> Result<AccountCredentials, CredentialError> {
        read(&serde_json::from_str(json).unwrap())
    }

    fn check(json: &str, field: &str) {
        let error = read_text(json).err().map(|error| error.field);
        assert_eq!(error.as_deref(), Some(field), "{json}");
    }

    #[test]
    fn errors_name_the_place() {
        check(r#"{}"#, "auth");
        check(r#"{"org_id":"a b","secret":"s"}"#, "org_id");
        check(r#"{"org_id":"a_b","secret":"s"}"#, "org_id");
        check(r#"{"api_key":"k"}"#, "auth");
        check(r#"{"api_key":"k","credential_id":"c"}"#, "auth");
        check(r#"{"secret":"s","credential_id":""}"#, "credential_id");
        check(r#"{"secret":""}"#, "secret");
        check(r#"{"secret":"s","api":"k"}"#, "api");
        check(r#"{"auth":"bearer"}"#, "auth");
        check(r#"{"auth":{}}"#, "auth.type");
        check(r#"{"auth":{"type":"basic"}}"#, "auth.type");
        check(r#"{"auth":{"type":"none","token":"t"}}"#, "auth.token");
        check(r#"{"auth":{"type":"bearer"}}"#, "auth.token");
        check(r#"{"auth":{"type":"bearer","token":"t","headerName":"a:b"}}"#, "auth.headerName");
        check(
            r#"{"auth":{"type":"bearer","token":"t","bearerPrefixEnabled":1}}"#,
            "auth.bearerPrefixEnabled",
        );
        check(r#"{"auth":{"type":"none"},"auth_secondary":{"type":"bearer"}}"#, "auth_secondary.token");
        check(r#"{"auth":{"type":"oauth2","clientSecret":"s"}}"#, "auth.clientId");
        check(r#"{"auth":{"type":"oauth2","clientId":"i"}}"#, "auth.clientSecret");
        check(r#"{"auth":{"type":"hmac","secretKey":"s"}}"#, "auth.algorithm");
        let hmac = |rest: &str, field: &str| {
            check(&format!(r#"{{"auth":{{"type":"hmac","algorithm":"sha256",{rest}}}}}"#), field);
        };
        hmac(r#""secretKey":"""#, "auth.secretKey");
        hmac(r#""secretKey":"s","algorithm2":"""#, "auth.algorithm2");
        hmac(r#""secretKey":"s","signatureEncoding":"hexadecimal""#, "auth.signatureEncoding");
        hmac(r#""secretKey":"s","payloadFormat":"{timestamp}""#, "auth.payloadFormat");
        hmac(
            r#""secretKey":"s","payloadFormat":"{timestamp}.{body}","includeTimestamp":false"#,
            "auth.payloadFormat",
        );
        hmac(r#""secretKey":"s","payloadFormat":"{svix-id}.{body}""#, "auth.messageIdHeader");
        hmac(r#""secretKey":"not base64","secretIsBase64":true"#, "auth.secretKey");
    }

    #[test]
    fn several_plans_stand_side_by_side() {
        let read = read_text(
            r#"{"org_id":"8f2c1b7e-3a54","api_key":"k","credential_id":"5f0c","secret":"one","secret_secondary":"two",
                "auth":{"type":"hmac","algorithm":"sha512","secretKey":"clé ✓","signaturePrefix":""},
                "auth_secondary":{"type":"oauth2","url":"https://x/token","clientId":"i","clientSecret":"s"}}"#,
        )
        .unwrap();
        assert_eq!((read.external_id.as_str(), read.external_field), ("8f2c1b7e-3a54", "org_id"));
        let names =
            ["api_key", "auth.secretKey", "auth_secondary.clientSecret", "secret", "secret_secondary"];
        assert_eq!(read.secret_names, names);
        let kinds: Vec<&str> = read.credentials.iter().map(|credential| credential.kind.as_str()).collect();
        assert_eq!(kinds, [plan::HMAC, plan::OAUTH2, plan::BEARER, plan::BEARER]);
    }

    #[test]
    fn an_account_without_authentication_has_no_secret() {
        let read = read_text(r#"{"auth":{"type":"none"}}"#).unwrap();
        assert!(read.credentials.is_empty() && read.external_id.is_empty());
    }
}
