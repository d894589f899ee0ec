//! Text messages: what is sent back and passed on, by the settings of number, tenant and platform.

use dialplane_bench::operator::Salon;
use serde_json::{Value, json};

use crate::call::{ending, post, twiml};
use crate::installation::Installation;

/// Writes to the salon's number.
fn write(system: &Installation, salon: &Salon, from: &str) -> String {
    let parameters = [
        ("AccountSid", &*salon.account_sid),
        ("MessageSid", "SM8d2f4b6a0c1e3d5f7a9b8c7d6e5f4a3b"),
        ("Body", "Are you <open>?"),
        ("From", from),
        ("To", &*salon.number),
    ];
    let answer = post(salon, system.router.address, &salon.webhook_path("sms"), &parameters);
    assert_eq!(ending(&answer), (200, "answered"), "{answer:?}");
    answer.body
}

#[test]
fn messages_are_answered_as_their_location_says() {
    let system = Installation::start();
    let salon = system.salon(1);
    let (number, tenant) = (salon.phone_path(), format!("/tenants/{}", salon.tenant));
    let sender = "+15105550198";
    let reply = |text: &str| format!("<Message>{text}</Message>");
    let passed_on = format!("<Message to=\"+12025550147\">{sender}: Are you &lt;open&gt;?</Message>");
    assert_eq!(write(&system, &salon, sender), twiml("").replace("<Response></Response>", "<Response/>"));
    system.apply("PUT", "/defaults/sms", &json!({"reply_open": "Thanks.", "reply_closed": "Closed."}));
    assert_eq!(write(&system, &salon, sender), twiml(&reply("Thanks.")));
    system.apply("PUT", &format!("{tenant}/defaults/sms"), &json!({"forward_to": "+12025550147"}));
    assert_eq!(write(&system, &salon, sender), twiml(&(reply("Thanks.") + &passed_on)));
    system.apply("PUT", &format!("{number}/settings/sms"), &json!({"reply_open": "Broadway is open."}));
    assert_eq!(write(&system, &salon, sender), twiml(&(reply("Broadway is open.") + &passed_on)));
    system.apply("PUT", &format!("{number}/settings/hours"), &json!({"override": {"open": false}}));
    assert_eq!(write(&system, &salon, sender), twiml(&(reply("Closed.") + &passed_on)));
    // Whoever gets them isn't answered, or the two would go on for ever.
    assert!(write(&system, &salon, "+12025550147").contains("<Response/>"));

    let setting = system.operator.ok("GET", &format!("{number}/settings/sms"), &Value::Null);
    let inherited = json!({"reply_open": "Thanks.", "reply_closed": "Closed.", "forward_to": "+12025550147"});
    assert_eq!(setting["inherited"], inherited);
    system.apply("PUT", &format!("{number}/settings/sms"), &json!({"enabled": false}));
    assert!(write(&system, &salon, sender).contains("<Response/>"));
    system.apply("DELETE", &format!("{number}/settings/sms"), &Value::Null);
    assert_eq!(write(&system, &salon, sender), twiml(&(reply("Closed.") + &passed_on)));
}

#[test]
fn a_number_whose_calls_are_not_routed_answers_no_message() {
    let system = Installation::start();
    let salon = system.salon(1);
    system.apply("PUT", "/defaults/sms", &json!({"reply_open": "Thanks."}));
    system.apply("PATCH", &salon.phone_path(), &json!({"status": "inactive"}));
    let parameters = [
        ("AccountSid", &*salon.account_sid),
        ("MessageSid", "SM1"),
        ("Body", "Hello"),
        ("From", "+15105550198"),
        ("To", &*salon.number),
    ];
    let answer = post(&salon, system.router.address, &salon.webhook_path("sms"), &parameters);
    assert_eq!(ending(&answer), (200, "inactive_number"));
    assert!(answer.body.contains("<Response/>"), "{answer:?}");
}
