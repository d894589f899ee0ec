//! Signs webhooks as the providers do, apart from the code that is tested and measured.
//!
//! One file a provider; each function computes one header, parameter or token from what it covers. Nothing of
//! `dialplane_common::provider` is used here: a mistake that both sides shared would be seen by nobody.

pub mod bandwidth;
pub mod bland;
pub mod elevenlabs;
pub mod form;
pub mod jambonz;
pub mod jwt;
pub mod livekit;
pub mod mac;
pub mod plivo;
pub mod retell;
pub mod signalwire;
pub mod telnyx;
pub mod twilio;
pub mod vapi;
pub mod vonage;

#[cfg(test)]
mod tests {
    //! The system tests hold the other functions against all requests of the providers' SDKs.

    use super::*;
    use serde_json::Value;

    fn vector(text: &str, name: &str) -> Value {
        let file: Value = serde_json::from_str(text).unwrap();
        let mut vectors = file["vectors"].as_array().unwrap().iter();
        vectors.find(|vector| vector["name"] == name).unwrap().clone()
    }

    fn body(vector: &Value) -> &[u8] {
        vector["body"].as_str().unwrap().as_bytes()
    }

    #[test]
    fn headers_that_hold_their_time_are_the_sdks() {
        let livekit = vector(
            include_str!("../../../common/src/provider/livekit/fixtures/signed.json"),
            "participant_joined_sip",
        );
        let secret = &livekit["secrets"][0];
        let (key, secret) = (secret["id"].as_str().unwrap(), secret["value"].as_str().unwrap());
        let made = livekit::authorization(key, secret, 1_793_534_400, body(&livekit));
        assert_eq!(livekit["headers"]["Authorization"], made);

        let vonage =
            vector(include_str!("../../../common/src/provider/vonage/fixtures/signed.json"), "answer-post");
        let secret = vonage["secrets"][0]["value"].as_str().unwrap();
        let (hash, application) = (vonage::body_hash(body(&vonage)), "aaaaaaaa-bbbb-cccc-dddd-0123456789ab");
        let made = vonage::authorization("a1b2c3d4", application, secret, 1_795_200_000, &hash);
        assert_eq!(vonage["headers"]["Authorization"], made);
    }

    #[test]
    fn headers_that_hold_a_secret_are_the_sdks() {
        let bandwidth =
            vector(include_str!("../../../common/src/provider/bandwidth/fixtures/signed.json"), "initiate");
        let made = bandwidth::authorization("bw-hook", "N7q!x2Lp9Zt4");
        assert_eq!(bandwidth["headers"]["Authorization"], made);
        assert_eq!(vapi::bearer("token", true), "Bearer token");
        assert_eq!(vapi::bearer("token", false), "token");
    }
}
