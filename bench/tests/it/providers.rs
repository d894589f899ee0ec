//! Each carrier is answered in its own words, whatever is done with a call, and asked again goes on in the chain.

use dialplane_bench::http::Response;
use serde_json::{Value, json};

use crate::call::ending;
use crate::vectors::fixture::{self, Vector};
use crate::vectors::trial::{AGENT, Trial};
use crate::vectors::{Stage, trial};

/// How a carrier says things.
struct Words {
    trial: &'static Trial,
    /// The request by which a call comes in.
    call: &'static str,
    /// Makes it one that says that nobody answered what was dialled.
    unanswered: fn(&mut Vector),
    /// What has to stand in the answers.
    dials: &'static str,
    says: &'static str,
    records: &'static str,
    redirects: &'static str,
    ends: &'static str,
    rejects: &'static str,
    busy: &'static str,
    /// Whether it rings several addresses one after the other.
    in_turn: bool,
}

const BANDWIDTH: Words = Words {
    trial: &trial::BANDWIDTH,
    call: "initiate",
    unanswered: |vector| {
        let event = r#""eventType":"transferComplete","cause":"timeout""#;
        vector.body = vector.body.replace(r#""eventType":"initiate""#, event);
    },
    dials: "<PhoneNumber>+12025550147</PhoneNumber>",
    says: "<SpeakSentence>Nobody is here.</SpeakSentence>",
    records: "<Record ",
    redirects: "redirectUrl=\"https://other.example/voice\"",
    ends: "<Hangup/>",
    rejects: "<Hangup/>",
    // It has no busy tone.
    busy: "<Hangup/>",
    in_turn: false,
};

const JAMBONZ: Words = Words {
    trial: &trial::JAMBONZ,
    call: "call_hook",
    unanswered: |vector| {
        let result = r#""dial_call_status":"no-answer","call_sid""#;
        vector.body = vector.body.replacen(r#""call_sid""#, result, 1);
    },
    dials: "+12025550147",
    says: "Nobody is here.",
    records: r#""record""#,
    redirects: "https://other.example/voice",
    ends: r#""hangup""#,
    rejects: "404",
    busy: "486",
    in_turn: false,
};

const PLIVO: Words = Words {
    trial: &trial::PLIVO,
    call: "answer-post-v3",
    unanswered: |vector| vector.body.push_str("&DialStatus=no-answer"),
    dials: "<Number>12025550147</Number>",
    says: "Nobody is here.</Speak>",
    records: "<Record ",
    redirects: "https://other.example/voice</Redirect>",
    ends: "<Hangup/>",
    rejects: "<Hangup reason=\"rejected\"/>",
    busy: "<Hangup reason=\"busy\"/>",
    in_turn: false,
};

const SIGNALWIRE: Words = Words {
    trial: &trial::SIGNALWIRE,
    call: "voice-inbound",
    unanswered: |vector| vector.body.push_str("&DialCallStatus=no-answer"),
    dials: "<Number>+12025550147</Number>",
    says: "Nobody is here.</Say>",
    records: "<Record ",
    redirects: "https://other.example/voice</Redirect>",
    ends: "<Hangup/>",
    rejects: "<Reject/>",
    busy: "<Reject reason=\"busy\"/>",
    in_turn: false,
};

const SIGNALWIRE_JSON: Words = Words {
    call: "swml-json",
    unanswered: |vector| {
        let result = r#""vars":{"connect_result":"failed"},"params":{"step":"dial"}"#;
        vector.body = vector.body.replacen(r#""vars":{}"#, result, 1);
    },
    dials: "+12025550147",
    says: "Nobody is here.",
    records: r#""record""#,
    redirects: "https://other.example/voice",
    ends: r#""hangup""#,
    rejects: "decline",
    busy: "busy",
    ..SIGNALWIRE
};

const TELNYX: Words = Words {
    trial: &trial::TELNYX,
    call: "texml-voice",
    unanswered: |vector| vector.body.push_str("&DialCallStatus=no-answer"),
    dials: "<Number>+12025550147</Number>",
    says: "Nobody is here.</Say>",
    records: "<Record ",
    redirects: "https://other.example/voice</Redirect>",
    ends: "<Hangup/>",
    rejects: "<Reject/>",
    busy: "<Reject reason=\"busy\"/>",
    in_turn: false,
};

const TWILIO: Words = Words {
    trial: &trial::TWILIO,
    call: "voice-inbound",
    unanswered: |vector| vector.body.push_str("&DialCallStatus=no-answer"),
    dials: "<Number>+12025550147</Number>",
    says: "<Say>Nobody is here.</Say>",
    records: "<Record ",
    redirects: "https://other.example/voice</Redirect>",
    ends: "<Hangup/>",
    rejects: "<Reject/>",
    busy: "<Reject reason=\"busy\"/>",
    in_turn: false,
};

const VONAGE: Words = Words {
    trial: &trial::VONAGE,
    call: "answer-post",
    unanswered: |vector| vector.body = vector.body.replacen('{', r#"{"status":"unanswered","#, 1),
    dials: r#""number":"12025550147""#,
    says: "Nobody is here.",
    records: r#""record""#,
    redirects: "https://other.example/voice",
    // An NCCO ends the call when it is over.
    ends: "talk",
    // It can't refuse a call without a word.
    rejects: "talk",
    busy: "talk",
    in_turn: true,
};

/// A carrier's account with the number of its call.
struct Line {
    words: &'static Words,
    stage: Stage,
    vectors: Vec<Vector>,
    call: usize,
    account: String,
    phone: String,
}

impl Line {
    fn open(words: &'static Words) -> Self {
        let vectors = fixture::read(words.trial.provider);
        let call = vectors.iter().position(|vector| vector.name == words.call).expect("there is such a call");
        let stage = Stage::start(words.trial, &vectors[call..=call]);
        let credentials = (words.trial.credentials)(&vectors[call]);
        let account = stage.tenant.account(words.trial.provider, &credentials);
        let phone = format!("/tenants/{}/phone-numbers/{}", stage.tenant.id, stage.tenant.phones[0]);
        Self { words, stage, vectors, call, account, phone }
    }

    fn route(&self, then: &Value) {
        let rules = json!({"rules": [{ "then": then }]});
        self.stage.system.apply("PUT", &format!("{}/routing", self.phone), &rules);
    }

    fn path(&self) -> String {
        let kind = (self.words.trial.kind)(&self.vectors[self.call]);
        format!("/webhooks/{}/{kind}/{}", self.words.trial.provider, self.account)
    }

    fn ring(&self) -> Response {
        self.stage.send(self.words.trial, &self.vectors, self.call, &self.path())
    }

    /// Nobody answered what a document dialled.
    fn unanswered(&self, document: &str) -> Response {
        let path = format!("/webhooks/{}/after/{}", self.words.trial.provider, self.account);
        let at = document.find(&path).unwrap_or_else(|| panic!("asks what follows: {document}"));
        let target = document[at..].split(['"', '<', '\'']).next().unwrap_or_default().replace("&amp;", "&");
        let state = target.split_once('?').expect("carries a state").1;
        self.stage.send_changed(self.words.trial, &self.vectors, self.call, &path, |vector| {
            vector.url.push(if vector.url.contains('?') { '&' } else { '?' });
            vector.url.push_str(state);
            (self.words.unanswered)(vector);
        })
    }

    fn check(&self, answer: &Response, expected: &str) {
        let name = self.words.trial.provider;
        assert_eq!(ending(answer), (200, "answered"), "{name}: {answer:?}");
        assert!(answer.body.contains(expected), "{name}, wanted {expected}: {}", answer.body);
    }
}

fn check(words: &'static Words) {
    let line = Line::open(words);
    let routed = |then: Value, expected: &str| {
        line.route(&then);
        line.check(&line.ring(), expected);
    };
    routed(json!({"action": "agent"}), AGENT);
    routed(json!({"action": "forward", "to": "+12025550147"}), words.dials);
    routed(json!({"action": "ring", "to": ["+12025550147", "+12025550148"]}), words.dials);
    routed(json!({"action": "message", "say": "Nobody is here."}), words.says);
    routed(json!({"action": "voicemail"}), words.records);
    routed(json!({"action": "redirect", "url": "https://other.example/voice"}), words.redirects);
    routed(json!({"action": "reject"}), words.rejects);
    routed(json!({"action": "reject", "reason": "busy"}), words.busy);
    chain(&line);
    refusals(&line);
}

/// What follows a step is taken when nobody answers, to the end of the chain.
fn chain(line: &Line) {
    let message = json!({"action": "message", "say": "Nobody is here."});
    let ring = json!({"action": "ring", "to": ["+12025550147", "+12025550148"], "else": message});
    line.route(&json!({"action": "forward", "to": "+12025550146", "else": ring}));
    let first = line.ring();
    line.check(&first, "12025550146");
    let mut second = line.unanswered(&first.body);
    line.check(&second, line.words.dials);
    if line.words.in_turn {
        second = line.unanswered(&second.body);
    }
    line.check(&second, "12025550148");
    let third = line.unanswered(&second.body);
    line.check(&third, line.words.says);
    line.check(&third, line.words.ends);
}

/// Calls that nobody is to take are refused in the provider's words, with the status of a document.
fn refusals(line: &Line) {
    let (system, words) = (&line.stage.system, line.words);
    let refused = |outcome: &str, expected: &str| {
        let answer = line.ring();
        assert_eq!(ending(&answer), (200, outcome), "{}: {answer:?}", words.trial.provider);
        assert!(answer.body.contains(expected), "{}: {answer:?}", words.trial.provider);
    };
    system.apply("PATCH", &line.phone, &json!({"status": "suspended"}));
    refused("inactive_number", words.rejects);
    system.apply("PATCH", &line.phone, &json!({"status": "active"}));
    let tenant = format!("/tenants/{}", line.stage.tenant.id);
    system.apply("PATCH", &tenant, &json!({"status": "suspended"}));
    refused("suspended_tenant", words.busy);
    system.apply("PATCH", &tenant, &json!({"status": "active"}));
    line.check(&line.ring(), "12025550146");
    system.apply("DELETE", &line.phone, &Value::Null);
    refused("unknown_number", words.rejects);
}

#[test]
fn bandwidth() {
    check(&BANDWIDTH);
}

#[test]
fn jambonz() {
    check(&JAMBONZ);
}

#[test]
fn plivo() {
    check(&PLIVO);
}

#[test]
fn signalwire() {
    check(&SIGNALWIRE);
}

#[test]
fn signalwire_in_json() {
    check(&SIGNALWIRE_JSON);
}

#[test]
fn telnyx() {
    check(&TELNYX);
}

#[test]
fn twilio() {
    check(&TWILIO);
}

#[test]
fn vonage() {
    check(&VONAGE);
}
