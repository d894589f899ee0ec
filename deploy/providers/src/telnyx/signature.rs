//! How Telnyx signs a webhook: Ed25519 over `<timestamp>|<body>`, with one key pair for each account.

use ed25519_dalek::{Signer, SigningKey};

use crate::account::Account;
use crate::draw::digest;
use crate::secrets::base64;

/// The account's key pair: always the same for its API key.
fn pair(account: &Account) -> SigningKey {
    let key = account.secret.as_deref().unwrap_or(&account.id);
    SigningKey::from_bytes(&digest(&format!("telnyx {key}")))
}

/// What the portal shows: base64 of 32 bytes.
pub fn public_key(account: &Account) -> String {
    base64(pair(account).verifying_key().as_bytes())
}

/// The two headers of a webhook.
pub fn headers(account: &Account, now: i64, body: &str) -> [(String, String); 2] {
    let signature = sign(&pair(account), &now.to_string(), body);
    [("telnyx-timestamp".to_owned(), now.to_string()), ("telnyx-signature-ed25519".to_owned(), signature)]
}

fn sign(key: &SigningKey, timestamp: &str, body: &str) -> String {
    base64(&key.sign(format!("{timestamp}|{body}").as_bytes()).to_bytes())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Verifier};

    use super::*;

    #[test]
    fn another_library_makes_the_same() {
        // Made with PyNaCl from this seed, and verified by the official SDK.
        let seed = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            "BSA/Ds08RH4nL8xOw08NpQr8w376gU9+6OMJXF4WtHw=",
        );
        let key = SigningKey::from_bytes(&seed.unwrap().try_into().unwrap());
        let body = "AccountSid=f5586561-8ff0-4291-a51b-c7dfe4139ff9&CallSid=v3%3A9X2vxPDFY2RHSJ1EdMS0RHRksMTg7ldNxdjWbVr9zBjbGjGsSe-aiQ&CallSidLegacy=v3%3A9X2vxPDFY2RHSJ1EdMS0RHRksMTg7ldNxdjWbVr9zBjbGjGsSe-aiQ&CallerId=%2B35319605860&CallingPartyType=pstn&ConnectionId=1568109700606592442&From=%2B35319605860&FromSipUri=%2B35319605860%4010.239.182.10&To=%2B13129457420&ToSipUri=%2B13129457420%40sip.telnyx.com";
        let expected =
            "s5GFVsqGa+Cuw+szn7kYSNLxMRZ4Klv9uF9TMW1AuehkJZCIWcqsYW2C1GbXHhCaarOMkyMNbA6LPDzrltLdAw==";
        assert_eq!(sign(&key, "1795200000", body), expected);
    }

    #[test]
    fn what_is_signed_verifies_with_the_shown_key() {
        let mut account = Account::new("telnyx", "x", jiff::Timestamp::UNIX_EPOCH);
        account.secret = Some("KEY1".into());
        let [(_, at), (_, signature)] = headers(&account, 1_795_200_000, "{}");
        let decode =
            |text: &str| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
        let signature = Signature::from_slice(&decode(&signature)).unwrap();
        let key: [u8; 32] = decode(&public_key(&account)).try_into().unwrap();
        let key = ed25519_dalek::VerifyingKey::from_bytes(&key).unwrap();
        assert!(key.verify(format!("{at}|{{}}").as_bytes(), &signature).is_ok());
        assert!(key.verify(b"1795200000|{ }", &signature).is_err());
    }
}
