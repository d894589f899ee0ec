//! Row-level security: below the API's own checks, Postgres itself shows a tenant nothing but its own.

use dialplane_bench::operator::Operator;
use dialplane_bench::operator::Salon;
use dialplane_bench::system::{Admin, Database, Redis};
use serde_json::json;

/// A database with two tenants who have something of everything.
struct TwoTenants {
    database: Database,
    salons: [Salon; 2],
    _redis: Redis,
    _admin: Admin,
}

impl TwoTenants {
    fn create() -> Self {
        let (redis, database) = (Redis::start(), Database::create());
        let admin = Admin::start(&database, &redis);
        let operator = Operator::new(admin.address);
        let salons = [1, 2].map(|suffix| {
            let salon = Salon::create(&operator, suffix);
            let key = json!({"name": "ci", "role": "admin"});
            let _ = operator.ok("POST", &format!("/tenants/{}/api-keys", salon.tenant), &key);
            let rules = json!({"rules": [{"then": {"action": "agent"}}]});
            let _ = operator.ok("PUT", &format!("{}/routing", salon.phone_path()), &rules);
            let _ = operator.ok("PUT", &format!("/tenants/{}/defaults/routing", salon.tenant), &rules);
            let tenant = format!("/tenants/{}", salon.tenant);
            let intent = operator.create(&format!("{tenant}/intents"), &json!({"name": "book"}));
            let agent = format!("{tenant}/agents/{}", salon.agent);
            let _ = operator.ok("PATCH", &agent, &json!({ "intent_ids": [intent] }));
            let former = json!({"source": "manual", "phone_number": format!("+1415555000{suffix}")});
            let former = operator.create(&format!("{tenant}/phone-numbers"), &former);
            let unassign = format!("{tenant}/phone-numbers/{former}/unassign");
            let _ = operator.ok("POST", &unassign, &serde_json::Value::Null);
            let server = json!({"url": "https://tools.example/"});
            let _ = operator.ok("PUT", &format!("/tenants/{}/tool-server", salon.tenant), &server);
            let kept = format!(
                "set role dialplane_operator; insert into idempotency_keys (tenant_id, principal, key, fingerprint)
                 values ('{}', 'key', 'k', '')",
                salon.tenant
            );
            let _ = database.query(&kept);
            // Not yet whole, so that no worker takes it.
            let import = format!(
                "set role dialplane_operator;
                 with import as (insert into imports (id, tenant_id, kind, format, mode, dry_run, actor)
                    values (gen_random_uuid(), '{}', 'numbers', 'csv', 'best_effort', false, 'key') returning id, tenant_id),
                 piece as (insert into import_pieces (import_id, piece, tenant_id, first_line, bytes)
                    select id, 0, tenant_id, 1, '' from import)
                 insert into import_errors (import_id, line, tenant_id, field, code, message)
                    select id, 1, tenant_id, '', 'invalid', '' from import",
                salon.tenant
            );
            let _ = database.query(&import);
            // It waits for a person, so that no worker takes it.
            let job = format!(
                "set role dialplane_operator;
                 with job as (insert into provisioning_jobs (id, tenant_id, kind, state, request, progress, stage, actor)
                    values (gen_random_uuid(), '{}', 'number', 'manual', '{{}}', '{{}}', 'choose', 'key')
                    returning id, tenant_id),
                 step as (insert into provisioning_steps (job_id, step, tenant_id, stage, outcome)
                    select id, 1, tenant_id, 'choose', 'person' from job)
                 insert into purchases (id, tenant_id, job_id, account_id, provider, country, upfront, monthly, currency,
                    is_estimated, wanted)
                    select gen_random_uuid(), tenant_id, id, gen_random_uuid(), 'twilio', 'US', 0, 1, 'USD', true, '{{}}'
                    from job",
                salon.tenant
            );
            let _ = database.query(&job);
            let calls = format!(
                "set role dialplane_operator;
                 with refused as (insert into refused_calls (id, tenant_id, account_id, called_number, reason, count,
                    first_at, last_at)
                    values (gen_random_uuid(), '{0}', gen_random_uuid(), '', 'other', 1, now(), now()))
                 insert into calls (id, started_at, tenant_id, direction, provider, account_id, provider_call_id, legs,
                    outcome)
                    values (gen_random_uuid(), now(), '{0}', 'inbound', 'twilio', gen_random_uuid(), '', '[]', 'under_way')",
                salon.tenant
            );
            let _ = database.query(&calls);
            let usage = format!(
                "set role dialplane_operator;
                 insert into call_corrections (id, tenant_id, call_id, started_at, duration_ms, reason)
                    values (gen_random_uuid(), '{0}', gen_random_uuid(), now(), 1, '');
                 insert into usage_quarters (tenant_id, quarter, dims, serves, calls, answered, missed, closed, refused,
                    voicemail, duration_ms, billed_s, peak)
                    values ('{0}', '2020-01-01Z', 7, 128, 1, 0, 0, 0, 0, 0, 0, 0, 1);
                 insert into usage_costs (tenant_id, quarter, provider, stage, currency, rated)
                    values ('{0}', '2020-01-01Z', 'twilio', '', 'USD', 1);
                 insert into usage_dirty (tenant_id, hour) values ('{0}', 'infinity');
                 insert into rates (id, tenant_id, kind, amount, currency, valid_from)
                    values (gen_random_uuid(), '{0}', 'per_call', 1, 'USD', now())",
                salon.tenant
            );
            let _ = database.query(&usage);
            salon
        });
        Self { database, salons, _redis: redis, _admin: admin }
    }

    /// Runs SQL as one of the roles that requests run under, with this tenant set; `None`: with nothing set.
    fn query(&self, role: &str, tenant: Option<&str>, sql: &str) -> String {
        let set = tenant.map_or(String::new(), |tenant| format!("set dialplane.tenant_id = '{tenant}';"));
        self.database.query(&format!("set role {role}; {set} {sql}"))
    }

    fn tables(&self, sql_condition: &str) -> Vec<String> {
        let names = self.database.query(&format!(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'public' and c.relkind in ('r', 'p') and {sql_condition} order by 1"
        ));
        names.lines().map(str::to_owned).collect()
    }

    /// Tables whose rows belong to tenants.
    fn tenant_tables(&self) -> Vec<String> {
        self.tables(
            "exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)",
        )
    }

    /// Those of them that the tenants' role may read.
    fn readable(&self) -> Vec<String> {
        let may = |table: &String| {
            let sql = format!("select has_table_privilege('dialplane_tenant', '{table}', 'select')");
            self.database.query(&sql) == "t"
        };
        self.tenant_tables().into_iter().filter(may).collect()
    }
}

#[test]
fn every_table_of_tenants_forces_row_level_security() {
    let two = TwoTenants::create();
    let tables = two.tenant_tables();
    for known in [
        "accounts",
        "account_grants",
        "agent_grants",
        "agent_intents",
        "agents",
        "api_keys",
        "call_corrections",
        "calls",
        "former_locations",
        "import_errors",
        "import_pieces",
        "imports",
        "intents",
        "number_settings",
        "phone_number_history",
        "phone_numbers",
        "provisioning_jobs",
        "provisioning_steps",
        "purchases",
        "rates",
        "refused_calls",
        "tenant_defaults",
        "tool_servers",
        "usage_costs",
        "usage_dirty",
        "usage_quarters",
    ] {
        assert!(tables.iter().any(|table| table == known), "{known} is a table with tenant_id: {tables:?}");
    }
    let lax = two.tables(
        "(c.relname = 'tenants' or exists (select from pg_attribute a where a.attrelid = c.oid
          and a.attname = 'tenant_id' and not a.attisdropped))
         and not (c.relrowsecurity and c.relforcerowsecurity)",
    );
    assert_eq!(lax, [""; 0], "tables that hold tenants' rows without forced row-level security");
}

#[test]
fn with_no_tenant_set_a_tenants_role_sees_nothing() {
    let two = TwoTenants::create();
    let readable = two.readable();
    assert!(readable.len() >= 9, "{readable:?}");
    for table in readable.iter().map(String::as_str).chain(["tenants"]) {
        let count = format!("select count(*) from {table}");
        assert_ne!(
            two.query("dialplane_operator", None, &count),
            "0",
            "{table} has rows, as the operators' role sees"
        );
        assert_eq!(two.query("dialplane_tenant", None, &count), "0", "{table}");
        assert_eq!(two.query("dialplane_tenant", Some(""), &count), "0", "{table}, set to nothing");
    }
}

#[test]
fn with_a_tenant_set_its_role_sees_and_changes_its_own_rows_alone() {
    let two = TwoTenants::create();
    let [own, other] = two.salons.each_ref().map(|salon| &*salon.tenant);
    for table in two.readable() {
        let seen =
            two.query("dialplane_tenant", Some(own), &format!("select distinct tenant_id from {table}"));
        assert_eq!(seen, own, "{table}");
    }
    assert_eq!(two.query("dialplane_tenant", Some(own), "select id from tenants"), own);

    let changed = |sql: &str| {
        two.query(
            "dialplane_tenant",
            Some(own),
            &format!("with changed as ({sql} returning 1) select count(*) from changed"),
        )
    };
    assert_eq!(
        changed(&format!("update phone_numbers set display_name = 'x' where tenant_id = '{own}'")),
        "1"
    );
    assert_eq!(
        changed(&format!("update phone_numbers set display_name = 'x' where tenant_id = '{other}'")),
        "0"
    );
    assert_eq!(changed(&format!("delete from phone_numbers where tenant_id = '{other}'")), "0");
    assert_eq!(changed(&format!("delete from api_keys where tenant_id = '{other}'")), "0");
    // Neither by giving a row away, nor by making one for another, nor by taking another's account.
    let salons = &two.salons;
    refused(&two, Some(own), &format!("update agents set tenant_id = '{other}'"));
    refused(
        &two,
        Some(own),
        &format!(
            "insert into agents (id, tenant_id, name, language, provider, target)
         values (gen_random_uuid(), '{other}', 'x', 'en', 'custom', '{{}}')"
        ),
    );
    refused(
        &two,
        Some(own),
        &format!(
            "insert into account_grants (tenant_id, account_id) values ('{own}', '{}')",
            salons[1].account
        ),
    );
    refused(
        &two,
        Some(own),
        &format!("insert into agent_grants (tenant_id, agent_id) values ('{own}', '{}')", salons[1].agent),
    );
    // What a tenant calls off it may write to its jobs, but neither steps nor purchases, nor a job of another's.
    let jobs = |tenant: &str| {
        format!("update provisioning_jobs set cancel_requested = true where tenant_id = '{tenant}'")
    };
    assert_eq!((&*changed(&jobs(own)), &*changed(&jobs(other))), ("1", "0"));
    refused(&two, Some(own), "update provisioning_jobs set lease = null");
    refused(&two, Some(own), "update provisioning_steps set outcome = 'done'");
    refused(&two, Some(own), "update purchases set state = 'refused'");
    refused(&two, Some(own), "update calls set outcome = 'missed'");
    refused(&two, Some(own), "update refused_calls set is_dismissed = true");
    refused(&two, Some(own), "perform from call_legs");
    refused(&two, Some(own), "perform from number_holdings");
    refused(&two, Some(own), "perform from hosted_agents");
    // Nor by the functions that move numbers, which see more than it does.
    let number = &salons[1].number;
    for call in [
        format!("select phone_number_leave('{other}', '{}', 'available', '0')", salons[1].phone),
        format!("select phone_number_arrive('{other}', '{number}', false, false)"),
        "select phone_number_arrive('OWN', '+14155550001', false, true)".replace("OWN", own),
        "select phone_number_arrive('OWN', '+14155550002', false, false)".replace("OWN", own),
    ] {
        let answer = two.query("dialplane_tenant", Some(own), &call);
        assert!(matches!(&*answer, "" | "f"), "{call}: {answer}");
    }
}

#[test]
fn with_no_tenant_set_a_tenants_role_moves_no_number() {
    let two = TwoTenants::create();
    let [salon, other] = &two.salons;
    let (tenant, phone) = (&salon.tenant, &salon.phone);
    // Those who ask for it as operators move the one and the other: what is refused could be done.
    let calls = [
        format!("select phone_number_leave('{tenant}', '{phone}', 'available', '0')"),
        format!("select phone_number_arrive('{tenant}', '+14155550001', false, true) is not null"),
        format!(
            "select phone_number_arrive('{}', '{}', false, true) is not null",
            other.tenant, salon.number
        ),
    ];
    let holders = "select string_agg(phone_number || coalesce(tenant_id::text, ''), ' ' order by id) from phone_numbers";
    let before = two.query("dialplane_operator", None, holders);
    for call in &calls {
        for unset in [None, Some("")] {
            assert_eq!(two.query("dialplane_tenant", unset, call), "f", "{call} {unset:?}");
        }
    }
    assert_eq!(two.query("dialplane_operator", None, holders), before);
    for call in &calls {
        assert_eq!(two.query("dialplane_operator", None, call), "t", "{call}");
    }
}

/// Checks that Postgres refuses SQL of the tenants' role for want of privilege.
fn refused(two: &TwoTenants, tenant: Option<&str>, sql: &str) {
    let sql = format!(
        "do $$ begin {sql}; raise 'it was allowed'; exception when insufficient_privilege then null; end $$"
    );
    assert_eq!(two.query("dialplane_tenant", tenant, &sql), "");
}

#[test]
fn a_tenants_role_reads_and_writes_nothing_of_the_feed() {
    let two = TwoTenants::create();
    let own = Some(&*two.salons[0].tenant);
    let tables = two.tables("c.relname like 'feed\\_%'");
    assert!(tables.len() >= 4, "{tables:?}");
    for table in tables {
        refused(&two, own, &format!("perform from {table}"));
        refused(&two, own, &format!("delete from {table}"));
        refused(&two, own, &format!("insert into {table} default values"));
    }
}
