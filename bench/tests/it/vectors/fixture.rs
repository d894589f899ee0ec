//! Requests as the providers' own SDKs sign them: `fixtures/signed.json` beside each provider says how they were made.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dialplane_bench::signing::form;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct File {
    generated_with: GeneratedWith,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct GeneratedWith {
    /// What goes with the public keys, by their ids.
    #[serde(default)]
    test_signing_seeds_b64: BTreeMap<String, String>,
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
pub struct Vector {
    pub name: String,
    pub kind: String,
    pub method: String,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub secrets: Vec<Secret>,
    /// How the account shows who it is, where it can choose.
    #[serde(default)]
    pub auth: Value,
    pub valid: bool,
    pub to_e164: Option<String>,
    /// The clock of who verifies, in seconds; absent where no time is signed.
    pub now: Option<i64>,
}

/// One of the secrets that a request may be signed with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
pub struct Secret {
    pub r#type: String,
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub value: String,
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub password: String,
    #[serde(default)]
    pub api_key: String,
    #[serde(default)]
    pub method: String,
    /// What an Ed25519 public key belongs to.
    #[serde(skip)]
    pub seed: [u8; 32],
}

/// All of a provider's.
pub fn read(provider: &str) -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/src/provider").join(provider);
    let text =
        std::fs::read_to_string(folder.join("fixtures/signed.json")).expect("the provider has fixtures");
    let file: File = serde_json::from_str(&text).expect("the fixtures are as described");
    let mut vectors = file.vectors;
    for secret in vectors.iter_mut().flat_map(|vector| &mut vector.secrets) {
        if let Some(seed) = file.generated_with.test_signing_seeds_b64.get(&secret.id) {
            let seed = STANDARD.decode(seed).expect("seeds are in base64");
            secret.seed = seed.try_into().expect("seeds have 32 bytes");
        }
    }
    vectors
}

impl Vector {
    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        headers.next().map(|(_, value)| &**value)
    }

    pub fn is_json(&self) -> bool {
        self.header("Content-Type").is_some_and(|value| value.contains("json"))
    }

    pub fn query(&self) -> &str {
        form::query(&self.url)
    }

    /// What it says: the query's parameters for a GET, the body's for a form, the texts of a JSON object.
    pub fn parameters(&self) -> Vec<(String, String)> {
        if self.method == "GET" {
            return form::decode(self.query());
        }
        if !self.is_json() {
            return form::decode(&self.body);
        }
        let Ok(Value::Object(object)) = serde_json::from_str(&self.body) else { return Vec::new() };
        let texts = object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
        texts.collect()
    }

    /// The parameters of a form in the body.
    pub fn posted(&self) -> Vec<(String, String)> {
        if self.method == "GET" || self.is_json() { Vec::new() } else { form::decode(&self.body) }
    }
}

/// Parameters as they are signed.
pub fn borrowed(parameters: &[(String, String)]) -> Vec<(&str, &str)> {
    parameters.iter().map(|(name, value)| (&**name, &**value)).collect()
}
