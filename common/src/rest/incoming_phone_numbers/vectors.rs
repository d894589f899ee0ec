//! What is sent and how answers are read, for the tests of each provider that speaks this API.

use serde_json::{Value, json};

use crate::rest::numbers::{HeldState, NumberType, Numbers, Order, Wanted};
use crate::rest::samples::{self, ACCOUNT, TAG};
use crate::rest::script::{check_meaningless, check_replies, talk};
use crate::rest::{Account, Reply};

/// A provider, as the tests see it.
pub struct Sample {
    pub numbers: &'static dyn Numbers,
    pub account: Account<'static>,
    /// The header's value.
    pub authorization: &'static str,
    /// What requests' paths begin with.
    pub root: &'static str,
    /// [`Dialect::SUFFIX`](super::Dialect::SUFFIX).
    pub suffix: &'static str,
    /// [`Dialect::PROVIDER`](super::Dialect::PROVIDER).
    pub provider: &'static str,
    /// [`Dialect::VOICE_FRAGMENT`](super::Dialect::VOICE_FRAGMENT).
    pub fragment: &'static str,
    /// Whether its numbers have trunks.
    pub trunk: bool,
}

/// All of it.
pub fn check(sample: &Sample) {
    searches(sample);
    buys(sample);
    finds_what_was_bought(sample);
    reads(sample);
    lists(sample);
    configures(sample);
    tells_drift(sample);
    restores(sample);
    releases(sample);
}

impl Sample {
    fn line(&self, method: &str, below: &str) -> String {
        format!("{method} {}{below}", self.root)
    }

    fn url(&self, host: &str, kind: &str) -> String {
        format!("https://{host}.example/webhooks/{}/{kind}/{ACCOUNT}", self.provider)
    }

    /// A number that is as we set it.
    fn ours(&self) -> Value {
        let mut number = json!({
            "sid": "PN1", "account_sid": "AC1", "phone_number": "+12125550001", "friendly_name": TAG,
            "capabilities": {"voice": true, "sms": true, "mms": true, "fax": false},
            "voice_url": self.url("a", "voice") + self.fragment, "voice_method": "POST",
            "voice_fallback_url": self.url("b", "voice"), "voice_fallback_method": "POST",
            "voice_application_sid": "", "status_callback": self.url("a", "status"),
            "status_callback_method": "POST", "sms_url": self.url("a", "sms"), "sms_method": "POST",
            "sms_fallback_url": self.url("b", "sms"), "sms_fallback_method": "POST",
            "sms_application_sid": null, "origin": "twilio", "status": "in-use", "beta": false,
        });
        if self.trunk {
            number["trunk_sid"] = Value::Null;
        }
        number
    }

    /// What is set on a number of ours, in the order of the provider's fields.
    fn form(&self) -> Vec<(&'static str, String)> {
        let mut form = vec![
            ("VoiceUrl", self.url("a", "voice") + self.fragment),
            ("VoiceMethod", "POST".into()),
            ("VoiceFallbackUrl", self.url("b", "voice")),
            ("VoiceFallbackMethod", "POST".into()),
            ("VoiceApplicationSid", String::new()),
        ];
        form.extend(self.trunk.then(|| ("TrunkSid", String::new())));
        form.extend([
            ("StatusCallback", self.url("a", "status")),
            ("StatusCallbackMethod", "POST".into()),
            ("SmsUrl", self.url("a", "sms")),
            ("SmsMethod", "POST".into()),
            ("SmsFallbackUrl", self.url("b", "sms")),
            ("SmsFallbackMethod", "POST".into()),
            ("SmsApplicationSid", String::new()),
        ]);
        form
    }
}

fn searches(s: &Sample) {
    let check = |wanted: &Wanted, below: &str| {
        talk(s.numbers.search(&s.account, wanted))
            .sends(&s.line("GET", &format!("/AvailablePhoneNumbers/{below}")))
            .with_header("authorization", s.authorization)
            .gets_json(200, json!({"available_phone_numbers": []}))
            .done()
    };
    let suffix = s.suffix;
    let us = samples::wanted();
    assert!(
        check(&us, &format!("US/Local{suffix}?AreaCode=212&VoiceEnabled=true&SmsEnabled=true&PageSize=50"))
            .is_empty()
    );
    let toll_free = Wanted { number_type: NumberType::TollFree, area_code: None, sms: false, ..us.clone() };
    check(&toll_free, &format!("US/TollFree{suffix}?VoiceEnabled=true&PageSize=50"));
    let london = Wanted { country: "GB".into(), area_code: Some("20".into()), ..us.clone() };
    check(&london, &format!("GB/Local{suffix}?Contains=4420&VoiceEnabled=true&SmsEnabled=true&PageSize=50"));
    let both = Wanted { contains: Some("777".into()), ..us.clone() };
    check(
        &both,
        &format!("US/Local{suffix}?AreaCode=212&Contains=777&VoiceEnabled=true&SmsEnabled=true&PageSize=50"),
    );
    let search = || s.numbers.search(&s.account, &us);
    check_meaningless(search);
    check_replies(
        search,
        &[
            (404, r#"{"code":20404,"message":"not found","status":404}"#, "elsewhere"),
            (401, r#"{"code":20003,"message":"Authenticate","status":401}"#, "stop"),
            (429, r#"{"code":20429,"message":"Too many requests","status":429}"#, "retry"),
            (200, "{}", "unclear"),
            (200, r#"{"available_phone_numbers":null}"#, "unclear"),
        ],
    );
    offers(s);
}

fn offers(s: &Sample) {
    let number = |number: &str, requires: &str, sms: bool| {
        json!({"phone_number": number, "address_requirements": requires, "beta": false,
            "capabilities": {"voice": true, "sms": sms}})
    };
    let found = json!({"available_phone_numbers": [number("+12125550001", "none", true),
        number("+13125550001", "none", true), number("2125550001", "none", true),
        number("+12125550002", "local", false), number("+12125550003", "any", true),
        number("+12125550004", "none", true)]});
    let talk = talk(s.numbers.search(&s.account, &samples::wanted())).gets_json(200, found);
    let offers = if talk.label() == "sends" { talk.gets(404, "").done() } else { talk.done() };
    let offers: Vec<_> = offers
        .iter()
        .map(|offer| (offer.number.unwrap().to_string(), offer.sms, offer.requires.as_deref()))
        .collect();
    assert_eq!(
        offers,
        [
            ("+12125550001".to_owned(), true, None),
            ("+12125550002".to_owned(), false, Some("an address in the number's region")),
            ("+12125550003".to_owned(), true, Some("an address")),
        ]
    );
}

fn buys(s: &Sample) {
    let mut form = vec![("PhoneNumber", "+12125550001".to_owned()), ("FriendlyName", TAG.to_owned())];
    form.extend(s.form().into_iter().filter(|(_, value)| !value.is_empty()));
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
    let buy = || s.numbers.buy(&s.account, &samples::order());
    let held = talk(buy())
        .sends_once(&s.line("POST", &format!("/IncomingPhoneNumbers{}", s.suffix)))
        .with_header("authorization", s.authorization)
        .with_form(&form)
        .gets_json(201, s.ours())
        .done();
    assert_eq!((&*held.id, held.number, &*held.name), ("PN1", "+12125550001".parse().ok(), TAG));
    assert_eq!((held.state, held.is_free, held.agent_id), (HeldState::Active, false, None));
    check_meaningless(buy);
    check_replies(
        buy,
        &[
            (400, r#"{"code":21422,"message":"not available"}"#, "elsewhere"),
            (401, r#"{"code":20003,"message":"Authenticate"}"#, "stop"),
            (429, "", "retry"),
            (201, "", "unclear"),
            (201, "{}", "unclear"),
            (201, r#"{"sid":"PN1"}"#, "unclear"),
            (201, r#"{"sid":"","phone_number":"+12125550001"}"#, "unclear"),
            (201, r#"{"sid":7,"phone_number":"+12125550001"}"#, "unclear"),
            (201, r#"{"sid":"PN2","phone_number":"+12125550002"}"#, "unclear"),
            (201, r#"{"sid":"PN1","phone_number":"+12125550001"}"#, "done"),
        ],
    );
    let fault = talk(s.numbers.buy(&s.account, &Order { number: None, ..samples::order() })).fault();
    assert_eq!(fault.label(), "stop");
}

fn finds_what_was_bought(s: &Sample) {
    let bought = || s.numbers.bought(&s.account, &samples::order());
    let mut other = s.ours();
    other["friendly_name"] = json!(format!("{TAG}0"));
    let line = format!("/IncomingPhoneNumbers{}?FriendlyName=dp%3A{}&PageSize=1000", s.suffix, &TAG[3..]);
    let found = talk(bought())
        .sends(&s.line("GET", &line))
        .gets_json(200, json!({"incoming_phone_numbers": [other, s.ours()], "next_page_uri": null}))
        .done();
    assert_eq!(found.iter().map(|held| &*held.name).collect::<Vec<_>>(), [TAG]);
    check_meaningless(bought);
    check_replies(
        bought,
        &[
            (200, r#"{"incoming_phone_numbers":[]}"#, "done"),
            (200, "{}", "unclear"),
            (200, r#"{"incoming_phone_numbers":[{}]}"#, "unclear"),
        ],
    );
}

fn reads(s: &Sample) {
    let get = || s.numbers.get(&s.account, "PN1");
    let line = s.line("GET", &format!("/IncomingPhoneNumbers/PN1{}", s.suffix));
    let mut fax = s.ours();
    fax["capabilities"]["voice"] = json!(false);
    assert_eq!(talk(get()).sends(&line).gets_json(200, fax).done().state, HeldState::Blocked);
    check_meaningless(get);
    check_replies(
        get,
        &[
            (404, r#"{"code":20404,"message":"not found"}"#, "gone"),
            (200, r#"{"sid":"PN2","phone_number":"+12125550001"}"#, "unclear"),
            (200, r#"{"sid":"PN1","phone_number":"40404"}"#, "done"),
        ],
    );
    let odd = talk(s.numbers.get(&s.account, "../Calls?x"));
    odd.sends(&s.line("GET", &format!("/IncomingPhoneNumbers/..%2FCalls%3Fx{}", s.suffix)));
}

fn lists(s: &Sample) {
    let below = format!("/IncomingPhoneNumbers{}", s.suffix);
    let next = format!("/elsewhere{below}?PageSize=1000&Page=1&PageToken=PAPN1%2B");
    let first = talk(s.numbers.list(&s.account, None))
        .sends(&s.line("GET", &format!("{below}?PageSize=1000")))
        .gets_json(200, json!({"incoming_phone_numbers": [s.ours()], "next_page_uri": next}))
        .done();
    assert_eq!(
        (first.numbers.len(), first.next.as_deref()),
        (1, Some("PageSize=1000&Page=1&PageToken=PAPN1%2B"))
    );
    let list = || s.numbers.list(&s.account, first.next.as_deref());
    let last = talk(list())
        .sends(&s.line("GET", &format!("{below}?PageSize=1000&Page=1&PageToken=PAPN1%2B")))
        .gets_json(200, json!({"incoming_phone_numbers": [], "next_page_uri": null}))
        .done();
    assert_eq!((last.numbers.len(), last.next), (0, None));
    check_meaningless(list);
}

fn configures(s: &Sample) {
    let held = talk(s.numbers.get(&s.account, "PN1")).gets_json(200, s.ours()).done();
    let (both, one) = (samples::webhooks(), samples::webhooks_without_fallback());
    let mut form = vec![("FriendlyName", "Broadway".to_owned())];
    form.extend(s.form());
    let line = s.line("POST", &format!("/IncomingPhoneNumbers/PN1{}", s.suffix));
    let pairs: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
    let configure = || s.numbers.configure(&s.account, &held, "Broadway", &both);
    talk(configure()).sends(&line).with_form(&pairs).gets_json(200, s.ours()).done();
    // Without a second public URL what stood there as fallback is cleared.
    let alone = pairs.iter().filter(|(name, _)| !name.ends_with("FallbackMethod"));
    let alone: Vec<_> =
        alone.map(|(name, value)| (*name, if name.ends_with("FallbackUrl") { "" } else { value })).collect();
    talk(s.numbers.configure(&s.account, &held, "Broadway", &one)).sends(&line).with_form(&alone);
    check_meaningless(configure);
    check_replies(configure, &[(404, "", "gone"), (200, r#"{"sid":"PN2"}"#, "unclear"), (400, "", "stop")]);
}

fn tells_drift(s: &Sample) {
    let drift = |change: Value| {
        let mut number = s.ours();
        let Value::Object(change) = change else { unreachable!() };
        number.as_object_mut().unwrap().extend(change);
        let held = talk(s.numbers.get(&s.account, "PN1")).gets_json(200, number).done();
        s.numbers.drift(&s.account, &held, &samples::webhooks())
    };
    assert!(drift(json!({"friendly_name": "Broadway", "voice_caller_id_lookup": true})).is_empty());
    assert_eq!(drift(json!({"voice_url": s.url("a", "voice") + "#other"})), ["voice_url"]);
    assert_eq!(drift(json!({"voice_method": "GET", "sms_url": null})), ["voice_method", "sms_url"]);
    assert_eq!(drift(json!({"voice_application_sid": "AP1"})), ["voice_application_sid"]);
    if s.trunk {
        assert_eq!(drift(json!({"trunk_sid": "TK1"})), ["trunk_sid"]);
    }
    let held = talk(s.numbers.get(&s.account, "PN1")).gets_json(200, s.ours()).done();
    let alone = s.numbers.drift(&s.account, &held, &samples::webhooks_without_fallback());
    assert_eq!(alone, ["voice_fallback_url", "sms_fallback_url"]);
}

fn restores(s: &Sample) {
    let mut before = s.ours();
    for (name, value) in [
        ("friendly_name", json!("Main line")),
        ("voice_url", json!("https://old.example/voice?x=1")),
        ("voice_fallback_url", json!("")),
        ("voice_fallback_method", Value::Null),
        ("status_callback", Value::Null),
        ("sms_application_sid", json!("AP1")),
    ] {
        before[name] = value;
    }
    let held = talk(s.numbers.get(&s.account, "PN1")).gets_json(200, before).done();
    let restore = || s.numbers.restore(&s.account, "PN1", &held.setup);
    let mut form = vec![("FriendlyName", "Main line".to_owned())];
    form.extend(s.form());
    form.retain(|(name, _)| *name != "VoiceFallbackMethod");
    for (name, value) in &mut form {
        match *name {
            "VoiceUrl" => *value = "https://old.example/voice?x=1".into(),
            "VoiceFallbackUrl" | "StatusCallback" => value.clear(),
            "SmsApplicationSid" => *value = "AP1".into(),
            _ => {}
        }
    }
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
    let line = s.line("POST", &format!("/IncomingPhoneNumbers/PN1{}", s.suffix));
    talk(restore()).sends(&line).with_form(&form).gets_json(200, s.ours()).done();
    check_meaningless(restore);
    check_replies(restore, &[(404, "", "gone")]);
}

fn releases(s: &Sample) {
    let held = talk(s.numbers.get(&s.account, "PN1")).gets_json(200, s.ours()).done();
    let release = || s.numbers.release(&s.account, &held);
    talk(release())
        .sends(&s.line("DELETE", &format!("/IncomingPhoneNumbers/PN1{}", s.suffix)))
        .gets(204, "")
        .done();
    check_replies(
        release,
        &[
            (404, r#"{"code":20404,"message":"not found"}"#, "done"),
            (502, "<html>", "unclear"),
            (429, "", "retry"),
            (401, r#"{"code":20003,"message":"Authenticate"}"#, "stop"),
        ],
    );
    let busy = Reply { retry_after: Some(std::time::Duration::from_secs(9)), ..Reply::new(503, "") };
    assert_eq!(talk(release()).gets_reply(busy).label(), "unclear");
}
