//! Each provider's answer carries what applies: the number's settings, the agent's, the tenant's.

use serde_json::{Value, json};

use super::Location;

/// The variables are the same everywhere.
fn check_variables(variables: &Value, location: &Location) {
    for (name, expected) in [
        ("tenant_id", &*location.salon.tenant),
        ("tenant_name", "Sparkle Nails"),
        ("phone_number", &*location.salon.number),
        ("location_name", "Broadway"),
        ("location_address", "12 Broadway, New York"),
        ("timezone", "America/New_York"),
        ("open_now", "false"),
        // Closed until somebody opens it again.
        ("next_opening", ""),
        ("language", "de"),
        ("rules", "Be brief.\nBe kind."),
        ("caller", "+15105550198"),
        ("parking", "behind the house"),
        ("prompt", "You answer for a salon."),
    ] {
        assert_eq!(variables[name], expected, "{name}: {variables}");
    }
    assert!(variables["intents"].as_str().is_some_and(|text| text.contains("Booking")), "{variables}");
}

#[test]
fn vapis_assistant_is_told_what_applies() {
    let location = Location::start();
    location.host("vapi");
    let answer = location.vapi();
    assert_eq!(answer["assistantId"], "agent_front_desk", "{answer}");
    let overrides = &answer["assistantOverrides"];
    assert_eq!(overrides["firstMessage"], "Hello from Broadway.");
    assert_eq!(overrides["maxDurationSeconds"], 600);
    let voice = &overrides["voice"];
    assert_eq!(
        (&voice["provider"], &voice["voiceId"]),
        (&json!("11labs"), &json!("numbers-voice")),
        "{voice}"
    );
    assert_eq!(overrides["metadata"]["phone_number_id"], location.salon.phone.as_str());
    assert_eq!(overrides["metadata"]["to"], location.salon.number.as_str(), "Vapi named it by its id alone");
    check_variables(&overrides["variableValues"], &location);
    location.greet("Welcome to {{location_name}}.");
    assert_eq!(location.vapi()["assistantOverrides"]["firstMessage"], "Welcome to Broadway.");
}

#[test]
fn elevenlabss_agent_is_told_what_applies() {
    let location = Location::start();
    location.host("elevenlabs");
    let answer = location.elevenlabs();
    let overrides = &answer["conversation_config_override"];
    let agent = json!({"prompt": {"prompt": "You answer for a salon."}, "first_message": "Hello from Broadway.", "language": "de"});
    assert_eq!(overrides["agent"], agent, "{answer}");
    assert_eq!(overrides["tts"]["voice_id"], "numbers-voice", "{answer}");
    assert_eq!(overrides["conversation"]["max_duration_seconds"], 600);
    let variables = &answer["dynamic_variables"];
    check_variables(variables, &location);
    assert_eq!((&variables["route_action"], &variables["call_refused"]), (&json!("agent"), &json!("false")));
    assert_eq!(variables["transfer_to"], "+12025550147");
    location.greet("Welcome to Broadway.");
    let answer = location.elevenlabs();
    assert_eq!(answer["conversation_config_override"]["agent"]["first_message"], "Welcome to Broadway.");
}

#[test]
fn retells_agent_is_told_what_applies() {
    let location = Location::start();
    location.host("retell");
    let voice = json!({"provider": "retell", "voice_id": "retell-Cimo"});
    let defaults = format!("/tenants/{}/defaults/voice", location.salon.tenant);
    let mine = format!("{}/settings/voice", location.salon.phone_path());
    location.system.apply("DELETE", &mine, &Value::Null);
    location.system.apply("PUT", &defaults, &voice);
    location.system.apply("PUT", &mine, &json!({"greeting": "Hello from Broadway.", "speed": 1.25}));
    let answer = location.retell();
    assert_eq!(answer["override_agent_id"], "agent_front_desk", "{answer}");
    let agent = &answer["agent_override"]["agent"];
    assert_eq!(
        (&agent["voice_id"], &agent["voice_speed"]),
        (&json!("retell-Cimo"), &json!(1.25)),
        "{answer}"
    );
    assert_eq!(
        (&agent["language"], &agent["max_call_duration_ms"]),
        (&json!("de-DE"), &json!(600_000)),
        "{answer}"
    );
    assert_eq!(answer["agent_override"]["retell_llm"]["begin_message"], "Hello from Broadway.");
    let variables = &answer["dynamic_variables"];
    check_variables(variables, &location);
    assert_eq!(variables["transfer_to"], "+12025550147");
    location.system.apply("PUT", &defaults, &json!({"provider": "retell", "voice_id": "retell-Maren"}));
    assert_eq!(location.retell()["agent_override"]["agent"]["voice_id"], "retell-Maren");
}

#[test]
fn whether_it_is_open_and_when_it_opens_follow_the_hours() {
    let location = Location::start();
    location.host("vapi");
    let hours = format!("{}/settings/hours", location.salon.phone_path());
    let variables = || location.vapi()["assistantOverrides"]["variableValues"].clone();
    location.system.apply("PUT", &hours, &json!({"override": {"open": true}}));
    assert_eq!(variables()["open_now"], "true");
    let until = jiff::Timestamp::now().as_second() + 10 * 24 * 60 * 60;
    let until = jiff::Timestamp::from_second(until).expect("an instant");
    location.system.apply("PUT", &hours, &json!({"override": {"open": false, "until": until.to_string()}}));
    let zone = jiff::tz::TimeZone::get("America/New_York").expect("a zone");
    let wall = until.to_zoned(zone).strftime("%A %Y-%m-%d %H:%M").to_string();
    assert_eq!((&variables()["open_now"], &variables()["next_opening"]), (&json!("false"), &json!(wall)));
}
