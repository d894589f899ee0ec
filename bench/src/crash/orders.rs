//! Who wants numbers: tenants with and without accounts of their own, agents here and there, some who change their mind.

use serde_json::{Value, json};

use crate::operator::Operator;
use crate::simulation::dice::Dice;

const TENANTS: usize = 8;

/// What was ordered.
pub struct Orders {
    tenants: Vec<Tenant>,
    jobs: Vec<String>,
}

struct Tenant {
    id: String,
    agent: String,
}

impl Orders {
    /// Makes the accounts and the tenants.
    pub fn new(operator: &Operator) -> Self {
        let account = |path: &str, sid: &str| {
            let credentials =
                json!({"account_sid": sid, "auth_token": format!("token of {sid}").replace(' ', "-")});
            operator.create(path, &json!({"provider": "twilio", "label": sid, "credentials": credentials}))
        };
        account("/accounts", "ACplatform");
        let credentials = json!({"api_key": "vapi-key", "secret": "vapi-secret"});
        let _ = operator
            .create("/accounts", &json!({"provider": "vapi", "label": "vapi", "credentials": credentials}));
        let tenant = |index: usize| {
            let id = operator.create("/tenants", &json!({"name": format!("Tenant {index}")}));
            let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
            let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
            let agent = operator.create(&format!("/tenants/{id}/agents"), &agent);
            if index.is_multiple_of(2) {
                account(&format!("/tenants/{id}/accounts"), &format!("ACtenant{index}"));
            }
            Tenant { id, agent }
        };
        Self { tenants: (0..TENANTS).map(tenant).collect(), jobs: Vec::new() }
    }

    /// How many jobs there are.
    pub fn count(&self) -> usize {
        self.jobs.len()
    }

    /// Orders until so many jobs go on, and calls one off now and then.
    pub fn keep_open(&mut self, operator: &Operator, dice: &mut Dice, open: usize) {
        let running = operator.ok("GET", "/provisioning?state=running&limit=200", &Value::Null);
        let pending = operator.ok("GET", "/provisioning?state=pending&limit=200", &Value::Null);
        let count = |page: &Value| page["items"].as_array().map_or(0, Vec::len);
        for _ in count(&running) + count(&pending)..open {
            let job = self.order(operator, dice);
            self.jobs.push(job);
        }
        if dice.chance(0.1) && !self.jobs.is_empty() {
            let at = self.jobs.len() - 1 - dice.place(self.jobs.len().min(open));
            // One that is over can't be called off any more.
            let _ = operator.send("POST", &format!("/provisioning/{}/cancel", self.jobs[at]), &Value::Null);
        }
    }

    fn order(&self, operator: &Operator, dice: &mut Dice) -> String {
        let tenant = &self.tenants[dice.place(TENANTS)];
        let below = |path: &str| format!("/tenants/{}/{path}", tenant.id);
        let text = |answer: &Value, field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        match dice.of(0..4) {
            0 => {
                let agent = json!({"name": "Made", "provider": "vapi", "provision_phone": true, "area_code": "415",
                    "strategies": ["free"]});
                text(&operator.ok("POST", &below("agents"), &agent), "job_id")
            }
            1 => {
                let agent = json!({"name": "Made", "provider": "vapi", "provision_phone": true,
                    "strategies": ["platform_account"]});
                text(&operator.ok("POST", &below("agents"), &agent), "job_id")
            }
            2 => {
                let number = json!({"source": "provision", "agent_id": tenant.agent,
                    "strategies": ["tenant_account", "platform_account"]});
                text(&operator.ok("POST", &below("phone-numbers"), &number), "id")
            }
            _ => {
                let number = json!({"source": "provision", "agent_id": tenant.agent, "area_code": "212",
                    "strategies": ["pool", "platform_account"]});
                text(&operator.ok("POST", &below("phone-numbers"), &number), "id")
            }
        }
    }
}
