//! Tokens of an OIDC issuer: what good ones open, and that forged ones open nothing.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::issuer::{AUDIENCE, Issuer};
use super::signer::{Signer, encode, now};
use crate::harness::{Admin, OPERATOR};

async fn status(admin: &Admin, token: &str, method: Method, path: &str) -> StatusCode {
    let body = if method == Method::GET { Value::Null } else { json!({}) };
    admin.send(token, method, &format!("/api/v2{path}"), &body).await.0
}

/// Status and code of an answer to GET of the tenants.
async fn knock(admin: &Admin, token: &str) -> (StatusCode, String) {
    let (status, answer) = admin.send(token, Method::GET, "/api/v2/tenants", &Value::Null).await;
    (status, answer["code"].as_str().unwrap_or_default().to_owned())
}

async fn refused(admin: &Admin, what: &str, token: &str) {
    let (status, code) = knock(admin, token).await;
    assert_eq!((status, code.as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"), "{what}");
}

#[tokio::test]
async fn a_token_opens_what_its_role_does_in_its_tenant() {
    let signers = [Signer::rsa("r"), Signer::p256("p"), Signer::ed25519("e")];
    let issuer = Issuer::start(&signers.each_ref()).await;
    let Some(admin) = Admin::start_with(&issuer.settings_and(&[])).await else { return };
    let [mine, theirs] = ["Mine", "Theirs"].map(|name| json!({"name": name}));
    let (mine, theirs) = (admin.create("/tenants", mine).await, admin.create("/tenants", theirs).await);
    let own = format!("/tenants/{mine}");
    issuer.known_to(&admin, &signers[0].token(&issuer.claims(&mine, "viewer"))).await;
    for signer in &signers {
        let token = |role: &str| signer.token(&issuer.claims(&mine, role));
        assert_eq!(status(&admin, &token("viewer"), Method::GET, &own).await, StatusCode::OK);
        assert_eq!(
            status(&admin, &token("viewer"), Method::PUT, &format!("{own}/defaults/hours")).await,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            status(&admin, &token("editor"), Method::GET, &format!("{own}/api-keys")).await,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            status(&admin, &token("admin"), Method::GET, &format!("{own}/api-keys")).await,
            StatusCode::OK
        );
        assert_eq!(status(&admin, &token("admin"), Method::GET, "/accounts").await, StatusCode::FORBIDDEN);
        for elsewhere in [&theirs, &Uuid::now_v7().to_string()] {
            let path = format!("/tenants/{elsewhere}");
            assert_eq!(status(&admin, &token("admin"), Method::GET, &path).await, StatusCode::NOT_FOUND);
        }
    }
    // One that names no key, where there is but one of its kind.
    let claims = issuer.claims(&mine, "viewer");
    assert_eq!(
        knock(&admin, &signers[1].token_with(&json!({"alg": "ES256"}), &claims)).await.0,
        StatusCode::OK
    );
    // The highest of several roles; what only an operator may grant isn't among them.
    let mut several = issuer.claims(&mine, "");
    several["role"] = json!(["viewer", "operator", "someone"]);
    let token = signers[0].token(&several);
    assert_eq!(status(&admin, &token, Method::GET, &own).await, StatusCode::OK);
    assert_eq!(status(&admin, &token, Method::PATCH, &own).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&admin, &token, Method::GET, "/accounts").await, StatusCode::FORBIDDEN);
    // Its tenant is gone: nothing is there.
    let gone = signers[0].token(&issuer.claims(&theirs, "admin"));
    let path = format!("/tenants/{theirs}");
    assert_eq!(status(&admin, &gone, Method::GET, &path).await, StatusCode::OK);
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    assert_eq!(status(&admin, &gone, Method::GET, &path).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&admin, &gone, Method::PATCH, &path).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn operators_come_by_token_only_where_that_is_allowed() {
    let signer = Signer::p256("p");
    let issuer = Issuer::start(&[&signer]).await;
    let settings = issuer.settings_and(&[("OIDC_OPERATORS", "true"), ("OIDC_ROLE_CLAIM", "realm.roles")]);
    let Some(admin) = Admin::start_with(&settings).await else { return };
    let mut claims = issuer.claims("", "");
    claims["realm"] = json!({"roles": ["operator"]});
    let token = signer.token(&claims);
    issuer.known_to(&admin, &token).await;
    let (made, _) = admin.send(&token, Method::POST, "/api/v2/tenants", &json!({"name": "Salon"})).await;
    assert_eq!(made, StatusCode::CREATED);
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let (rsa, good, attackers) = (Signer::rsa("r"), Signer::p256("p"), Signer::p256("p"));
    let issuer = Issuer::start(&[&rsa, &good]).await;
    let elsewhere = Issuer::start(&[&attackers]).await;
    let off = [("ADMIN_FAILURE_LIMIT", "0")];
    let Some(admin) = Admin::start_with(&issuer.settings_and(&off)).await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let claims = issuer.claims(&tenant, "admin");
    let token = good.token(&claims);
    issuer.known_to(&admin, &token).await;

    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let plain = |header: Value| format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    for name in ["none", "None", "NONE", ""] {
        let unsigned = plain(json!({"alg": name, "kid": "p"}));
        refused(&admin, name, &format!("{unsigned}.")).await;
        refused(&admin, name, &format!("{unsigned}.{signature}")).await;
    }
    // A public key as a shared secret, in each way that somebody may have it.
    let public = rsa.public();
    let modulus = public["n"].as_str().unwrap();
    for secret in [modulus.as_bytes(), public.to_string().as_bytes(), b""] {
        let signed = plain(json!({"alg": "HS256", "kid": "r"}));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let mac = ring::hmac::sign(&key, signed.as_bytes());
        refused(&admin, "a shared secret", &format!("{signed}.{}", encode(mac))).await;
    }
    // Signed by somebody else, wherever the token says that the key is to be found.
    let places = json!({"alg": "ES256", "kid": "p", "jwk": attackers.public(), "jku": format!("{}/keys", elsewhere.url),
        "x5u": elsewhere.url});
    refused(&admin, "an attacker's key", &attackers.token(&claims)).await;
    refused(&admin, "a key in the token", &attackers.token_with(&places, &claims)).await;
    for id in ["../../keys", "' OR 1=1 --", "", "p\u{0}", "r p"] {
        refused(&admin, id, &attackers.token_with(&json!({"alg": "ES256", "kid": id}), &claims)).await;
    }
    assert_eq!(elsewhere.asked(), 0);
    // The issuer's own keys, for what they aren't for.
    for (alg, id) in
        [("ES256", "r"), ("RS256", "p"), ("RS512", "r"), ("PS256", "r"), ("EdDSA", "p"), ("ES384", "p")]
    {
        refused(&admin, alg, &good.token_with(&json!({"alg": alg, "kid": id}), &claims)).await;
        refused(&admin, alg, &rsa.token_with(&json!({"alg": alg, "kid": id}), &claims)).await;
    }
    refused(
        &admin,
        "another kind",
        &good.token_with(&json!({"alg": "ES256", "kid": "p", "typ": "logout+jwt"}), &claims),
    )
    .await;
    let critical = json!({"alg": "ES256", "kid": "p", "crit": ["exp"]});
    refused(&admin, "what nobody understands", &good.token_with(&critical, &claims)).await;
    // Changed after it was signed.
    let other = encode(issuer.claims(&Uuid::now_v7().to_string(), "admin").to_string());
    for (what, token) in [
        ("another payload", format!("{header}.{other}.{signature}")),
        ("no signature", format!("{header}.{payload}.")),
        ("half a signature", format!("{header}.{payload}.{}", &signature[..40])),
        ("zeros", format!("{header}.{payload}.{}", encode([0; 64]))),
        ("a fourth part", format!("{token}.{signature}")),
    ] {
        refused(&admin, what, &token).await;
    }
    let mut long = claims.clone();
    long["groups"] = json!("x".repeat(9_000));
    refused(&admin, "more than 8 KiB", &good.token(&long)).await;
    for (name, value) in [
        ("iss", json!("https://attacker.example")),
        ("aud", json!("somebody else")),
        ("aud", json!([])),
        ("exp", json!(now() - 61)),
        ("exp", Value::Null),
        ("nbf", json!(now() + 120)),
        ("iat", json!(now() + 120)),
        ("sub", json!("")),
        ("tenant_id", json!("mine")),
        ("role", json!("owner")),
        ("role", json!("operator")),
    ] {
        let mut claims = claims.clone();
        claims[name] = value;
        refused(&admin, name, &good.token(&claims)).await;
    }
    let mut lists = claims.clone();
    lists["aud"] = json!(["somebody else", AUDIENCE]);
    assert_eq!(knock(&admin, &good.token(&lists)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn without_an_issuer_a_token_is_a_key_that_nobody_knows() {
    let Some(admin) = Admin::start().await else { return };
    let claims = json!({"sub": "ada", "exp": now() + 300, "role": "operator"});
    refused(&admin, "no issuer", &Signer::p256("p").token(&claims)).await;
}

#[tokio::test]
async fn a_key_rotated_mid_way_is_seen_at_once_and_asked_for_once() {
    let (first, second) = (Signer::p256("1"), Signer::p256("2"));
    let issuer = Issuer::start(&[&first]).await;
    let Some(admin) = Admin::start_with(&issuer.settings_and(&[])).await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let claims = issuer.claims(&tenant, "viewer");
    let (old, new) = (first.token(&claims), second.token(&claims));
    issuer.known_to(&admin, &old).await;
    let before = issuer.asked();
    issuer.rotate(&[&first, &second]);
    // Many at once, and one question.
    let answers = (0..50).map(|_| knock(&admin, &new));
    for (status, _) in futures_util::future::join_all(answers).await {
        assert_eq!(status, StatusCode::OK);
    }
    assert_eq!(issuer.asked(), before + 1);
    assert_eq!(knock(&admin, &old).await.0, StatusCode::OK);
    // The old one is withdrawn, which is seen with the next question.
    issuer.rotate(&[&second]);
    refused(&admin, "not yet known", &Signer::p256("3").token(&claims)).await;
    refused(&admin, "withdrawn", &old).await;
    assert_eq!(knock(&admin, &new).await.0, StatusCode::OK);
}

#[tokio::test]
async fn unknown_keys_do_not_make_us_flood_the_issuer() {
    let signer = Signer::p256("p");
    let issuer = Issuer::start(&[&signer]).await;
    let off = [("ADMIN_FAILURE_LIMIT", "0")];
    let Some(admin) = Admin::start_with(&issuer.settings_and(&off)).await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let claims = issuer.claims(&tenant, "viewer");
    issuer.known_to(&admin, &signer.token(&claims)).await;
    for id in 0..100 {
        let header = json!({"alg": "ES256", "kid": id.to_string()});
        refused(&admin, "unknown", &signer.token_with(&header, &claims)).await;
    }
    // That of the start, five at once, and one in ten seconds.
    assert!((2..12).contains(&issuer.asked()), "{}", issuer.asked());
    assert_eq!(knock(&admin, &signer.token(&claims)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_issuer_that_is_away_takes_nothing_away() {
    let signer = Signer::ed25519("e");
    let issuer = Issuer::start(&[&signer]).await;
    let Some(mut admin) = Admin::start_with(&issuer.settings_and(&[])).await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let claims = issuer.claims(&tenant, "viewer");
    let token = signer.token(&claims);
    issuer.known_to(&admin, &token).await;
    let address = issuer.url.strip_prefix("http://").unwrap().to_owned();
    drop(issuer);
    assert_eq!(knock(&admin, &token).await.0, StatusCode::OK);
    refused(&admin, "unknown", &Signer::ed25519("f").token(&claims)).await;
    assert_eq!(knock(&admin, &token).await.0, StatusCode::OK);
    // One that starts while it is away says so, and serves keys.
    admin.restart();
    assert_eq!(knock(&admin, &token).await, (StatusCode::SERVICE_UNAVAILABLE, "issuer_unavailable".into()));
    assert_eq!(knock(&admin, OPERATOR).await.0, StatusCode::OK);
    let issuer = Issuer::at(&address, &[&signer]).await;
    issuer.known_to(&admin, &token).await;
}

#[tokio::test]
async fn an_issuer_that_misbehaves_is_not_followed() {
    let (good, evil) = (Signer::p256("p"), Signer::p256("p"));
    let (issuer, elsewhere) = (Issuer::start(&[&good]).await, Issuer::start(&[&evil]).await);
    let Some(mut admin) = Admin::start_with(&issuer.settings_and(&[])).await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let claims = issuer.claims(&tenant, "viewer");
    let tokens = [good.token(&claims), evil.token(&claims)];
    let keys = json!({"keys": [good.public()]}).to_string();
    let configuration = |issuer: &str, place: &str| json!({"issuer": issuer, "jwks_uri": place});
    let elsewhere_keys = format!("{}/keys", elsewhere.url);
    let own_keys = format!("{}/keys", issuer.url);
    for (what, says) in [
        ("a redirect", (None, None, Some(elsewhere_keys.clone()))),
        ("an error", (None, Some((StatusCode::NOT_FOUND, keys.clone())), None)),
        ("too long", (None, Some((StatusCode::OK, format!("{}{keys}", " ".repeat(300_000)))), None)),
        ("no keys", (None, Some((StatusCode::OK, "{\"keys\":[]}".into())), None)),
        ("not JSON", (None, Some((StatusCode::OK, "<html>".into())), None)),
        ("another's", (Some(configuration(&elsewhere.url, &own_keys)), None, None)),
        ("not over TLS", (Some(configuration(&issuer.url, "http://keys.example/")), None, None)),
        ("a file", (Some(configuration(&issuer.url, "file:///etc/passwd")), None, None)),
    ] {
        issuer.change(|issuer| (issuer.configuration, issuer.answer, issuer.redirect) = says);
        admin.restart();
        for token in &tokens {
            let (status, code) = knock(&admin, token).await;
            assert_eq!(
                (status, code.as_str()),
                (StatusCode::SERVICE_UNAVAILABLE, "issuer_unavailable"),
                "{what}"
            );
        }
    }
    assert_eq!(elsewhere.asked(), 0);
    issuer.change(|issuer| (issuer.configuration, issuer.answer, issuer.redirect) = (None, None, None));
    admin.restart();
    issuer.known_to(&admin, &tokens[0]).await;
    refused(&admin, "another's key of the same name", &tokens[1]).await;
}
