//! From "give them a number" to a call that is answered, at simulated providers.

use dialplane_bench::crash;
use dialplane_bench::http;
use dialplane_bench::operator::Operator;
use dialplane_bench::system::{Admin, Database, Providers, Redis, Router, free_port, wait_for};
use serde_json::{Value, json};

/// Both planes and the providers, which know each other.
struct Journey {
    operator: Operator,
    providers: Providers,
    _router: Router,
    _admin: Admin,
    _database: Database,
    _redis: Redis,
}

impl Journey {
    fn begin(more: &[(&str, &str)]) -> Self {
        let (redis, database) = (Redis::start(), Database::create());
        let providers = Providers::start(&[("PROVIDERS_SETTLE_MS", "200"), ("PROVIDERS_LATE_MS", "200")]);
        let webhooks = format!("127.0.0.1:{}", free_port());
        let public = format!("http://{webhooks}");
        let bases = providers.bases();
        let mut settings: Vec<(&str, &str)> = bases.iter().map(|(name, url)| (*name, url.as_str())).collect();
        settings.extend([("PUBLIC_URLS", public.as_str()), ("PROVISIONING_SETTLE_SECONDS", "1")]);
        settings.extend(more);
        let admin = Admin::start_with(&database, &redis, &settings);
        let redis_url = redis.url();
        let mut settings: Vec<(&str, &str)> = bases.iter().map(|(name, url)| (*name, url.as_str())).collect();
        settings.extend([
            ("REDIS_URL", redis_url.as_str()),
            ("ROUTER_LISTEN", &webhooks),
            ("PUBLIC_URLS", &public),
        ]);
        let router = Router::start(&settings);
        let operator = Operator::new(admin.address);
        let journey =
            Self { operator, providers, _router: router, _admin: admin, _database: database, _redis: redis };
        journey.account(
            "/accounts",
            "twilio",
            &json!({"account_sid": "ACplatform", "auth_token": "platform-token"}),
        );
        journey.account("/accounts", "vapi", &json!({"api_key": "vapi-key", "secret": "vapi-secret"}));
        journey
    }

    fn account(&self, path: &str, provider: &str, credentials: &Value) -> String {
        let account = json!({"provider": provider, "label": provider, "credentials": credentials});
        self.operator.create(path, &account)
    }

    fn tenant(&self) -> String {
        self.operator.create("/tenants", &json!({"name": "Sparkle Nails", "timezone": "America/New_York"}))
    }

    fn custom_agent(&self, tenant: &str) -> String {
        let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
        let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
        self.operator.create(&format!("/tenants/{tenant}/agents"), &agent)
    }

    /// A tenant's jobs of one kind.
    fn jobs(&self, tenant: &str, kind: &str) -> Vec<Value> {
        let jobs = self.operator.ok("GET", &format!("/provisioning?tenant_id={tenant}"), &Value::Null);
        let jobs = jobs["items"].as_array().cloned().unwrap_or_default();
        jobs.into_iter().filter(|job| job["kind"] == kind).collect()
    }

    /// An assistant as Vapi has it.
    fn assistant(&self, id: &str) -> Value {
        let headers = [("Authorization", "Bearer vapi-key")];
        let path = format!("/vapi/assistant/{id}");
        let answer =
            http::request(self.providers.address, "GET", &path, &headers, b"").expect("Vapi answers");
        serde_json::from_str(&answer.body).expect("an assistant")
    }

    /// Asks for a number; the job's id.
    fn ask(&self, tenant: &str, body: &Value) -> String {
        let job = self.operator.ok("POST", &format!("/tenants/{tenant}/phone-numbers"), body);
        text(&job["id"])
    }

    fn job(&self, id: &str) -> Value {
        self.operator.ok("GET", &format!("/provisioning/{id}"), &Value::Null)
    }

    /// The job once it stands so.
    fn when(&self, id: &str, state: &str) -> Value {
        let mut job = Value::Null;
        wait_for("a job", || {
            job = self.job(id);
            assert!(job["state"] == state || job["ended_at"].is_null(), "{job}");
            job["state"] == state
        });
        job
    }

    /// The number of a job that is done.
    fn number(&self, id: &str) -> Value {
        let job = self.when(id, "done");
        let path =
            format!("/tenants/{}/phone-numbers/{}", text(&job["tenant_id"]), text(&job["phone_number_id"]));
        self.operator.ok("GET", &path, &Value::Null)
    }

    /// Calls a number; who answered.
    fn call(&self, number: &Value) -> Value {
        let call = json!({"to": number["phone_number"], "from": "+15105550198"});
        let mut answered = Value::Null;
        // The router hears of the number a moment after the job is done.
        wait_for("the call to be answered", || {
            answered = self.providers.control("POST", "/control/calls", &call)["answered_by"].clone();
            answered["rejected"].is_null()
        });
        answered
    }

    fn force(&self, operation: &str, fault: &str) {
        self.providers.control("POST", "/control/next", &json!({"operation": operation, "fault": fault}));
    }

    /// Numbers that were bought, by the ledger.
    fn bought(&self) -> usize {
        let ledger = self.providers.control("GET", "/ledger", &Value::Null);
        let entries = ledger["entries"].as_array().cloned().unwrap_or_default();
        entries.iter().filter(|entry| entry["action"] == "buy" && entry["what"] == "number").count()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn outcomes(job: &Value) -> Vec<(String, String)> {
    let steps = job["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().map(|step| (text(&step["stage"]), text(&step["outcome"]))).collect()
}

#[test]
fn an_agent_is_made_gets_a_number_and_answers_it() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    let new = json!({"name": "Front desk", "language": "en", "area_code": "415", "provision_phone": true});
    let agent = journey.operator.ok("POST", &format!("/tenants/{tenant}/agents"), &new);
    assert_eq!(agent["target"], Value::Null);
    let number = journey.number(&text(&agent["job_id"]));
    assert!(text(&number["phone_number"]).starts_with("+1415"), "{number}");
    assert_eq!(number["agent_id"], agent["id"]);
    let agent =
        journey.operator.ok("GET", &format!("/tenants/{tenant}/agents/{}", text(&agent["id"])), &Value::Null);
    let answered = journey.call(&number);
    assert_eq!((&answered["provider"], &answered["agent"]), (&json!("vapi"), &agent["target"]["id"]));
}

#[test]
fn numbers_are_bought_at_the_platforms_carrier_for_agents_of_any_kind() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    let agent = journey.custom_agent(&tenant);
    let wish = json!({"source": "provision", "agent_id": agent, "area_code": "212", "strategies": ["platform_account"]});
    let number = journey.number(&journey.ask(&tenant, &wish));
    assert_eq!(journey.call(&number)["stream"], "wss://voice.example/agent");
    let hosted = json!({"name": "Hosted", "provider": "vapi", "provision_phone": true, "strategies": ["platform_account"]});
    let hosted = journey.operator.ok("POST", &format!("/tenants/{tenant}/agents"), &hosted);
    let number = journey.number(&text(&hosted["job_id"]));
    assert_eq!(number["bindings"].as_array().map(Vec::len), Some(2), "{number}");
    assert_eq!(journey.call(&number)["provider"], "vapi");
    assert_eq!(journey.bought(), 2);
}

#[test]
fn a_number_that_is_given_to_another_agent_leads_to_that_agents_provider() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    let agent = journey.custom_agent(&tenant);
    let wish = json!({"source": "provision", "agent_id": agent, "strategies": ["platform_account"]});
    let number = journey.number(&journey.ask(&tenant, &wish));
    let hosted = json!({"name": "Hosted", "provider": "vapi"});
    let hosted = journey.operator.ok("POST", &format!("/tenants/{tenant}/agents"), &hosted);
    journey.when(&text(&hosted["job_id"]), "done");
    let path = format!("/tenants/{tenant}/phone-numbers/{}", text(&number["id"]));
    let given = journey.operator.ok("PATCH", &path, &json!({"agent_id": hosted["id"]}));
    assert_eq!(given["bindings"].as_array().map(Vec::len), Some(1), "{given}");
    let relinked = || journey.jobs(&tenant, "relink");
    wait_for("the agent's provider to be told", || relinked().iter().any(|job| job["state"] == "done"));
    assert_eq!(relinked().len(), 1);
    let number = journey.operator.ok("GET", &path, &Value::Null);
    assert_eq!(number["bindings"].as_array().map(Vec::len), Some(2), "{number}");
    assert_eq!(journey.call(&number)["provider"], "vapi");
}

#[test]
fn an_agent_that_is_changed_is_changed_at_its_provider() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    let path = format!("/tenants/{tenant}/agents");
    let made =
        journey.operator.ok("POST", &path, &json!({"name": "Hosted", "provider": "vapi", "greeting": "Hi"}));
    drop(journey.when(&text(&made["job_id"]), "done"));
    let path = format!("{path}/{}", text(&made["id"]));
    let hosted = text(&journey.operator.ok("GET", &path, &Value::Null)["target"]["id"]);
    assert_eq!(journey.assistant(&hosted)["firstMessage"], "Hi");
    let patch = |patch: Value| drop(journey.operator.ok("PATCH", &path, &patch));
    patch(json!({"name": "Another name here alone"}));
    patch(json!({"greeting": "Good morning", "prompt": "You are kind."}));
    wait_for("Vapi to be told", || journey.jobs(&tenant, "update").iter().any(|job| job["state"] == "done"));
    assert_eq!(journey.jobs(&tenant, "update").len(), 1);
    let assistant = journey.assistant(&hosted);
    assert_eq!(assistant["firstMessage"], "Good morning");
    assert!(assistant["model"].to_string().contains("You are kind."), "{assistant}");
    // Numbers aren't all that has our address.
    let configure = |all: bool| {
        let asked = journey.operator.ok("POST", "/provisioning/configure", &json!({"all": all}));
        asked["jobs"].as_u64()
    };
    assert_eq!((configure(false), configure(true)), (Some(0), Some(1)));
}

#[test]
fn a_tenant_gets_an_account_below_the_platforms_and_buys_its_numbers_there() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    let find = |path: &str, provider: &str| {
        let found = journey.operator.ok("GET", &format!("{path}?provider={provider}"), &Value::Null);
        found["items"].as_array().cloned().unwrap_or_default()
    };
    let above = |provider: &str| {
        let id = text(&find("/accounts", provider)[0]["id"]);
        format!("/accounts/{id}/subaccounts")
    };
    let ask = || journey.operator.ok("POST", &above("twilio"), &json!({"tenant_id": tenant}));
    // What is made though nobody is told is found, not made again.
    journey.force("twilio.create_subaccount", "500-after");
    journey.when(&text(&ask()["id"]), "done");
    journey.when(&text(&ask()["id"]), "done");
    let own = find(&format!("/tenants/{tenant}/accounts"), "twilio");
    assert_eq!((own.len(), &own[0]["label"]), (1, &json!("Sparkle Nails")), "{own:?}");
    let ledger = journey.providers.control("GET", "/ledger", &Value::Null);
    let entries = ledger["entries"].as_array().cloned().unwrap_or_default();
    let made = entries.iter().filter(|entry| entry["what"] == "subaccount").count();
    assert_eq!(made, 1, "{ledger}");
    let agent = journey.custom_agent(&tenant);
    let wish = json!({"source": "provision", "agent_id": agent, "strategies": ["tenant_account"]});
    let number = journey.number(&journey.ask(&tenant, &wish));
    assert_eq!(number["bindings"][0]["account_id"], own[0]["id"], "{number}");
    assert_eq!(journey.call(&number)["stream"], "wss://voice.example/agent");
    let none = journey.operator.send("POST", &above("vapi"), &json!({"tenant_id": tenant}));
    assert_eq!((none.status, none.body.contains("no_subaccounts")), (409, true), "{}", none.body);
}

#[test]
fn who_has_a_number_ported_is_told_where_it_can_be_brought() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    let says = |number: &str, expected: &str| {
        let job = journey.ask(&tenant, &json!({"source": "port_in", "phone_number": number}));
        let reason = text(&journey.when(&job, "manual")["reason"]);
        assert!(reason.contains(expected), "{number}: {reason}");
    };
    says("+12125550142", "it can be, with the account number and the PIN");
    says("+18005550142", "it can't be: The phone number type is not supported for porting.");
}

#[test]
fn a_purchase_whose_answer_is_lost_is_found_and_not_repeated() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    let wish = json!({"source": "provision", "strategies": ["platform_account"]});
    journey.force("twilio.buy", "500-after");
    let job = journey.ask(&tenant, &wish);
    journey.number(&job);
    assert_eq!(journey.bought(), 1);
    let took = outcomes(&journey.job(&job));
    assert!(took.contains(&("buy".into(), "unclear".into())), "{took:?}");
    assert!(took.contains(&("look".into(), "done".into())), "{took:?}");
}

#[test]
fn a_purchase_that_never_happened_is_made_anew() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    journey.force("twilio.buy", "500-before");
    let job = journey.ask(&tenant, &json!({"source": "provision", "strategies": ["platform_account"]}));
    journey.number(&job);
    assert_eq!(journey.bought(), 1);
    let took = outcomes(&journey.job(&job));
    assert_eq!(
        took.iter().filter(|(stage, outcome)| stage == "look" && outcome == "absent").count(),
        3,
        "{took:?}"
    );
}

#[test]
fn nothing_is_bought_beyond_what_may_be_spent_or_was_agreed_to() {
    let journey = Journey::begin(&[("PROVISIONING_TENANT_SPEND_MAX", "2.00")]);
    let tenant = journey.tenant();
    let wish = |cost_max: Value| json!({"source": "provision", "strategies": ["platform_account"], "cost_max": cost_max});
    let asks = journey.ask(&tenant, &wish(json!("0.50")));
    assert_eq!(journey.when(&asks, "confirming")["reason_code"], "cost");
    assert_eq!(journey.bought(), 0);
    let _ = journey.operator.ok("POST", &format!("/provisioning/{asks}/confirm"), &Value::Null);
    journey.number(&asks);
    let second = journey.ask(&tenant, &wish(Value::Null));
    assert_eq!(journey.when(&second, "manual")["reason_code"], "spending_limit");
    assert_eq!(journey.bought(), 1);
}

#[test]
fn a_job_that_is_called_off_leaves_nothing_behind() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    let new = json!({"name": "Made", "provider": "vapi", "provision_phone": true, "strategies": ["manual"]});
    let agent = journey.operator.ok("POST", &format!("/tenants/{tenant}/agents"), &new);
    let job = text(&agent["job_id"]);
    journey.when(&job, "manual");
    let _ = journey.operator.ok("POST", &format!("/provisioning/{job}/cancel"), &Value::Null);
    journey.when(&job, "canceled");
    let ledger = journey.providers.control("GET", "/ledger", &Value::Null);
    let made = |action: &str| {
        let entries = ledger["entries"].as_array().cloned().unwrap_or_default();
        entries.iter().filter(|entry| entry["what"] == "agent" && entry["action"] == action).count()
    };
    assert_eq!((made("create"), made("delete")), (1, 1), "{ledger}");
}

#[test]
fn wrong_credentials_end_with_a_reason_that_a_person_can_act_on() {
    let journey = Journey::begin(&[]);
    let tenant = journey.tenant();
    let declared = json!({"provider": "twilio", "id": "ACplatform", "secret": "another"});
    journey.providers.control("PUT", "/control/accounts", &declared);
    let job = journey.ask(&tenant, &json!({"source": "provision", "strategies": ["platform_account"]}));
    let job = journey.when(&job, "manual");
    let steps = job["steps"].as_array().cloned().unwrap_or_default();
    assert!(steps.iter().any(|step| step["code"] == "20003"), "{job}");
    assert!(!text(&job["reason"]).is_empty() && journey.bought() == 0, "{job}");
}

#[test]
fn killed_again_and_again_it_buys_no_number_twice_and_loses_none() {
    crash::run(&crash::Options::kills(15, 7)).unwrap();
}
