//! `demo`: a tenant with a number, made over REST unless it is there, and a signed call to it, ready to paste.
//!
//! The account's secrets are derived from the operator's key: the same every time, known to nobody else, and nowhere
//! in this source.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::config::{DemoArguments, public_urls};
use crate::{Failure, outbound};

const TENANT: &str = "Demo Salon";
const ACCOUNT: &str = "demo";
const AGENT: &str = "Front desk";
const NUMBER: &str = "+12125550100";
const CALLER: &str = "+15105550198";

/// Runs the command.
///
/// # Errors
/// When the admin plane refuses or can't be reached.
pub async fn run(arguments: DemoArguments) -> Result<(), Failure> {
    let key = arguments.api_key.filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| Failure::new("ADMIN_BOOTSTRAP_KEY", &"wanted an operator's key"))?;
    let public = public_urls(arguments.public_urls.as_deref())?;
    let router_url = arguments.router_url.trim_end_matches('/');
    let signed_base = public.first().map_or(router_url, |url| url.as_str());
    let secrets = Secrets::derive(&key);
    let api = Client {
        base: format!("{}/api/v2", arguments.admin_url.trim_end_matches('/')),
        key,
        http: outbound::client()?,
    };
    let account_id = provision(&api, &secrets).await?;
    if arguments.simulated_providers {
        add_platform_accounts(&api, &secrets).await?;
    }
    let path = format!("/webhooks/twilio/voice/{account_id}");
    let call = Call::new(&secrets, format!("{signed_base}{path}"));
    #[expect(clippy::print_stdout, reason = "the call is what the command is for")]
    {
        println!("{}", call.curl(&format!("{router_url}{path}")));
    }
    Ok(())
}

/// What Twilio and the account share.
struct Secrets {
    account_sid: String,
    auth_token: String,
    /// Of the platform's own account.
    platform: String,
}

impl Secrets {
    fn derive(key: &str) -> Self {
        let digits = |purpose: &str| -> String {
            let hash = Sha256::digest(format!("dialplane demo {purpose} {key}"));
            hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
        };
        Self {
            account_sid: format!("AC{}", digits("account")),
            auth_token: digits("token"),
            platform: digits("platform"),
        }
    }
}

/// Makes what isn't there, and gives the account's id.
async fn provision(api: &Client, secrets: &Secrets) -> Result<String, Failure> {
    let tenant = json!({"name": TENANT, "timezone": "America/New_York"});
    let tenant = api.find_or_create("/tenants", ("name", TENANT), &tenant).await?;
    let below = |path: &str| format!("/tenants/{tenant}/{path}");
    let credentials = json!({"account_sid": secrets.account_sid, "auth_token": secrets.auth_token});
    let account = json!({"provider": "twilio", "label": ACCOUNT, "credentials": credentials});
    let account = api.find_or_create(&below("accounts"), ("label", ACCOUNT), &account).await?;
    // An account from a run with another key has other secrets.
    api.send(Method::PATCH, &below(&format!("accounts/{account}")), &json!({"credentials": credentials}))
        .await?;
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": AGENT, "language": "en", "provider": "custom", "target": target});
    let agent = api.find_or_create(&below("agents"), ("name", AGENT), &agent).await?;
    let number = json!({
        "source": "manual", "phone_number": NUMBER, "account_id": account, "agent_id": agent,
        "display_name": "Broadway", "timezone": "America/New_York",
    });
    let number = api.find_or_create(&below("phone-numbers"), ("phone_number", NUMBER), &number).await?;
    let day = json!([["09:00", "17:00"]]);
    let hours =
        json!({"weekly": {"mon": day, "tue": day, "wed": day, "thu": day, "fri": [["09:00", "02:00"]]}});
    api.send(Method::PUT, &below(&format!("phone-numbers/{number}/settings/hours")), &hours).await?;
    let closed =
        json!({"action": "message", "say": "We are closed. Please call again on a weekday after nine."});
    let rules = json!({"rules": [{"when": {"open": false}, "then": closed}, {"then": {"action": "agent"}}]});
    let path = below(&format!("phone-numbers/{number}/routing?wait=applied&timeout_ms=10000"));
    api.send(Method::PUT, &path, &rules).await?;
    Ok(account)
}

/// Makes the platform's accounts at the providers, unless they are there: simulated ones take any credentials.
async fn add_platform_accounts(api: &Client, secrets: &Secrets) -> Result<(), Failure> {
    let (sid, token) = (format!("AC{}", &secrets.platform), &secrets.auth_token);
    let accounts = [
        ("twilio", json!({"account_sid": sid, "auth_token": token})),
        ("vapi", json!({"api_key": format!("vapi-{token}"), "secret": token})),
    ];
    for (provider, credentials) in accounts {
        let label = format!("{ACCOUNT} {provider}");
        let account = json!({"provider": provider, "label": label, "credentials": credentials});
        api.find_or_create("/accounts", ("label", &label), &account).await?;
    }
    Ok(())
}

/// The admin plane.
struct Client {
    base: String,
    key: String,
    http: reqwest::Client,
}

impl Client {
    /// The id of the item whose `field` is `value`, made from `body` when no item is.
    async fn find_or_create(
        &self,
        path: &str,
        (field, value): (&str, &str),
        body: &Value,
    ) -> Result<String, Failure> {
        let mut page = String::new();
        loop {
            let list = self.send(Method::GET, &format!("{path}?limit=200{page}"), &Value::Null).await?;
            let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(found) = items.iter().find(|item| item[field] == value) {
                return text(found, "id");
            }
            match list["next"].as_str() {
                Some(cursor) => page = format!("&cursor={cursor}"),
                None => return text(&self.send(Method::POST, path, body).await?, "id"),
            }
        }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        let what = format!("{method} {path}");
        let failed = |error: reqwest::Error| Failure::new(&what, &error);
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        let request = if body.is_null() { request } else { request.json(body) };
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let answer: Value = if status == StatusCode::NO_CONTENT {
            Value::Null
        } else {
            response.json().await.map_err(failed)?
        };
        match status.is_success() {
            true => Ok(answer),
            false => Err(Failure::new(&what, &answer["detail"].as_str().unwrap_or(status.as_str()))),
        }
    }
}

fn text(item: &Value, field: &str) -> Result<String, Failure> {
    let text = item[field].as_str().map(str::to_owned);
    text.ok_or_else(|| Failure::new("read the answer", &format!("it has no {field}")))
}

/// A call as Twilio announces it.
struct Call {
    parameters: Vec<(&'static str, String)>,
    signature: String,
}

impl Call {
    /// `url` is what the signature covers.
    fn new(secrets: &Secrets, url: String) -> Self {
        let sid = format!("CA{}", &secrets.account_sid[2..]);
        // In the order of their names, in which they are signed.
        let parameters = vec![
            ("AccountSid", secrets.account_sid.clone()),
            ("CallSid", sid),
            ("CallStatus", "ringing".into()),
            ("Direction", "inbound".into()),
            ("From", CALLER.into()),
            ("To", NUMBER.into()),
        ];
        let signed: String = std::iter::once(url)
            .chain(parameters.iter().map(|(name, value)| format!("{name}{value}")))
            .collect();
        Self { parameters, signature: sign(&secrets.auth_token, &signed) }
    }

    fn curl(&self, url: &str) -> String {
        let mut lines = vec![format!("curl '{url}'"), format!("-H 'X-Twilio-Signature: {}'", self.signature)];
        lines
            .extend(self.parameters.iter().map(|(name, value)| format!("--data-urlencode '{name}={value}'")));
        lines.join(" \\\n  ")
    }
}

fn sign(auth_token: &str, text: &str) -> String {
    // An HMAC takes keys of any length.
    let mac =
        Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).map(|mac| mac.chain_update(text.as_bytes()));
    mac.map(|mac| STANDARD.encode(mac.finalize().into_bytes())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twilio's own example, "Security" page.
    #[test]
    fn signs_as_twilio_does() {
        let text = "https://mycompany.com/myapp.php?foo=1&bar=2CallSidCA1234567890ABCDECaller+14158675310\
                    Digits1234From+14158675310To+18005551212";
        assert_eq!(sign("12345", text), "GvWf1cFY/Q7PnoempGyD5oXAezc=");
    }

    #[test]
    fn parameters_are_in_the_order_that_is_signed() {
        let call = Call::new(&Secrets::derive("an-operator-key"), "http://a.example/x".into());
        assert!(call.parameters.is_sorted_by_key(|(name, _)| *name));
        assert!(call.curl("http://a.example/x").starts_with("curl 'http://a.example/x' \\\n  -H 'X-Twilio-"));
    }
}
