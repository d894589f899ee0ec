//! What agents are told of the location that they answer for.

mod answers;
mod api;

use dialplane_bench::operator::Salon;
use serde_json::{Value, json};

use crate::agents::{VapiNumber, ask, retell_inbound};
use crate::installation::Installation;

const INITIATION_SECRET: &str = "dp_init_of_a_whole_system";
const RETELL_KEY: &str = "key_of_a_whole_system";

/// A salon whose number is known at three providers that host agents, and closed by hand.
struct Location {
    system: Installation,
    salon: Salon,
    vapi: VapiNumber,
    elevenlabs: String,
    retell: String,
}

impl Location {
    fn start() -> Self {
        let system = Installation::start();
        let salon = system.salon(1);
        let tenant = format!("/tenants/{}", salon.tenant);
        let put = |path: String, body: Value| system.apply("PUT", &path, &body);
        put(
            format!("{tenant}/defaults/voice"),
            json!({"provider": "11labs", "voice_id": "tenants-voice", "speed": 1.1, "greeting": "Hello from Broadway."}),
        );
        let rules = json!({"prompt": "You answer for a salon.", "rules": ["Be brief.", "Be kind."],
            "transfer_to": "+12025550147", "max_duration_seconds": 600, "variables": {"parking": "behind the house"}});
        put(format!("{tenant}/defaults/rules"), rules);
        put(format!("{}/settings/voice", salon.phone_path()), json!({"voice_id": "numbers-voice"}));
        put(format!("{}/settings/hours", salon.phone_path()), json!({"override": {"open": false}}));
        put(
            format!("{tenant}/defaults/services"),
            json!({"services": [{"name": "Manicure", "duration_minutes": 45}]}),
        );
        put(
            format!("{tenant}/defaults/staff"),
            json!({"staff": [{"name": "Anna Meyer", "role": "stylist"}]}),
        );
        let intent = json!({"name": "Booking", "phrases": ["I want to come"], "responses": {"en": "When?"}});
        system.apply("POST", &format!("{tenant}/intents"), &intent);
        system.apply("PATCH", &salon.phone_path(), &json!({"address": "12 Broadway, New York"}));
        let vapi = VapiNumber::create(&system, &salon);
        let account = |provider: &str, credentials: Value| {
            let body = json!({"provider": provider, "label": provider, "credentials": credentials});
            system.operator.create(&format!("{tenant}/accounts"), &body)
        };
        let elevenlabs = account("elevenlabs", json!({"initiation_secret": INITIATION_SECRET}));
        let retell = account("retell", json!({"api_key": RETELL_KEY}));
        let bindings = json!([{"account_id": salon.account}, {"account_id": elevenlabs}, {"account_id": retell},
            {"account_id": vapi.account, "number_id": vapi.number_id}]);
        system.apply("PATCH", &salon.phone_path(), &json!({ "bindings": bindings }));
        Self { system, salon, vapi, elevenlabs, retell }
    }

    /// An agent of this provider's takes the number's calls.
    fn host(&self, provider: &str) -> String {
        let agent = json!({"name": "Front desk", "language": "de", "provider": provider,
            "target": {"type": "hosted", "id": "agent_front_desk"}});
        let id = self.system.operator.create(&format!("/tenants/{}/agents", self.salon.tenant), &agent);
        self.system.apply("PATCH", &self.salon.phone_path(), &json!({ "agent_id": id }));
        id
    }

    fn vapi(&self) -> Value {
        self.vapi.send(&self.system.router, json!({"type": "assistant-request"}))
    }

    fn elevenlabs(&self) -> Value {
        let body = json!({"caller_id": "+15105550198", "agent_id": "agent_front_desk",
            "called_number": self.salon.number, "call_sid": crate::call::CALL});
        let target = format!("/webhooks/elevenlabs/initiation/{}", self.elevenlabs);
        ask(&self.system.router, &target, &[("X-Dialplane-Secret", INITIATION_SECRET)], &body)
    }

    fn retell(&self) -> Value {
        let answer =
            retell_inbound(&self.salon.number, "call_1", RETELL_KEY, &self.system.router, &self.retell);
        answer["call_inbound"].clone()
    }

    fn greet(&self, greeting: &str) {
        let voice = json!({"voice_id": "numbers-voice", "greeting": greeting});
        self.system.apply("PUT", &format!("{}/settings/voice", self.salon.phone_path()), &voice);
    }
}
