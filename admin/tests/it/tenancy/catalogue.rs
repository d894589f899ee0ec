//! What Postgres's own catalogue says of tables, policies and roles, so that a migration that forgets one fails here.

use sqlx::{Connection, FromRow, PgConnection};

use crate::harness::Admin;

/// The roles that requests run as.
const ROLES: [&str; 2] = ["dialplane_tenant", "dialplane_operator"];

async fn connect(admin: &Admin) -> PgConnection {
    PgConnection::connect(&admin.database_url).await.unwrap()
}

async fn list(connection: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
}

#[derive(FromRow)]
struct Policy {
    table_name: String,
    name: String,
    is_permissive: bool,
    command: String,
    roles: Vec<String>,
    condition: Option<String>,
    check: Option<String>,
}

#[tokio::test]
async fn every_table_of_tenants_has_its_policies_and_no_others() {
    let Some(admin) = Admin::start().await else { return };
    let mut connection = connect(&admin).await;
    let tables = list(
        &mut connection,
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'f', 'm', 'v') AND (c.relname = 'tenants' OR EXISTS (
            SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
         ORDER BY 1",
    )
    .await;
    assert!(tables.len() >= 11, "{tables:?}");
    let lax = list(
        &mut connection,
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'f', 'm', 'v') AND (c.relname = 'tenants' OR EXISTS (
            SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
         AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
    )
    .await;
    assert_eq!(lax, [""; 0], "without forced row-level security, or nothing that can have it");
    let policies: Vec<Policy> = sqlx::query_as(
        "SELECT tablename::text AS table_name, policyname::text AS name, permissive = 'PERMISSIVE' AS is_permissive,
            cmd::text AS command, roles::text[] AS roles, qual AS condition, with_check AS check
         FROM pg_policies WHERE schemaname = 'public'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    for table in &tables {
        for (name, role, condition) in [
            ("tenant", ROLES[0], "current_setting('dialplane.tenant_id'::text, true)"),
            ("operator", ROLES[1], "CURRENT_USER = 'dialplane_operator'::name"),
        ] {
            let found = policies.iter().find(|policy| policy.table_name == *table && policy.name == name);
            let policy = found.unwrap_or_else(|| panic!("{table} has no policy {name}"));
            assert_eq!(
                (policy.roles.as_slice(), policy.command.as_str()),
                (&[role.to_owned()][..], "ALL"),
                "{table}"
            );
            // A condition beside it (`OR`) would show more.
            for text in [Some(&policy.condition), policy.check.is_some().then_some(&policy.check)]
                .into_iter()
                .flatten()
            {
                let text = text.as_deref().unwrap_or_default();
                assert!(text.contains(condition) && !text.contains(" OR "), "{table} {name}: {text}");
            }
        }
    }
    // Permissive policies add up: any other one on such a table shows more, whatever it says.
    let known = |policy: &Policy| {
        let of_sealer = policy.table_name == "audit_log" && policy.roles == ["dialplane_sealer"];
        // Shared agents, for those to whom they are granted.
        let of_grants =
            policy.table_name == "agents" && policy.name == "granted" && policy.command == "SELECT";
        ["tenant", "operator"].contains(&policy.name.as_str()) || of_sealer || of_grants
    };
    let others = policies.iter().filter(|policy| tables.contains(&policy.table_name) && policy.is_permissive);
    let others: Vec<_> = others.filter(|policy| !known(policy)).map(|policy| &policy.table_name).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn the_roles_of_requests_can_do_nothing_but_what_is_granted() {
    let Some(admin) = Admin::start().await else { return };
    let mut connection = connect(&admin).await;
    let roles = "'dialplane_tenant', 'dialplane_operator'";
    let mut list = async |sql: String| -> Vec<String> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
    };
    let plain = list(format!(
        "SELECT rolname::text FROM pg_roles WHERE rolname IN ({roles}) AND NOT (rolsuper OR rolbypassrls OR rolcreaterole
            OR rolcreatedb OR rolreplication OR rolcanlogin) ORDER BY 1 DESC"
    ))
    .await;
    assert_eq!(plain, ROLES);
    // Nor through another role: neither the other one of the two, nor one of Postgres's own.
    let members = list(format!(
        "SELECT member::regrole::text || ' in ' || roleid::regrole::text FROM pg_auth_members
         WHERE member IN (SELECT oid FROM pg_roles WHERE rolname IN ({roles}))"
    ))
    .await;
    assert_eq!(members, [""; 0]);
    let owned = list(format!(
        "SELECT relname::text FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner WHERE rolname IN ({roles})
         UNION ALL SELECT nspname::text FROM pg_namespace JOIN pg_roles ON pg_roles.oid = nspowner WHERE rolname IN ({roles})
         UNION ALL SELECT datname::text FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE rolname IN ({roles})
         UNION ALL SELECT rolname || ' ' || proname FROM pg_proc JOIN pg_roles ON pg_roles.oid = proowner
            WHERE rolname IN ({roles}) ORDER BY 1"
    ))
    .await;
    // They have to see all tenants' rows.
    assert_eq!(
        owned,
        [
            "agents_grant_own",
            "agents_want_update",
            "phone_number_arrive",
            "phone_number_is_held",
            "phone_number_leave",
            "phone_numbers_refuse_overlap",
            "phone_numbers_refuse_overlaps",
            "phone_numbers_want_link",
            "usage_numbers",
            "usage_rates",
        ]
        .map(|name| format!("dialplane_operator {name}"))
    );
    let creating = list(format!(
        "SELECT rolname::text FROM pg_roles WHERE rolname IN ({roles})
         AND (has_schema_privilege(oid, 'public', 'CREATE') OR has_database_privilege(oid, current_database(), 'CREATE'))"
    ))
    .await;
    assert_eq!(creating, [""; 0]);
    // Neither empties a table, nor makes triggers or references, which row-level security doesn't hold.
    let more = list(format!(
        "SELECT rolname || ' ' || relname FROM pg_roles, pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
         WHERE rolname IN ({roles}) AND nspname = 'public' AND relkind IN ('r', 'p')
            AND has_table_privilege(pg_roles.oid, pg_class.oid, 'TRUNCATE, TRIGGER, REFERENCES')"
    ))
    .await;
    assert_eq!(more, [""; 0]);
    let public = list(
        "SELECT relname::text FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace,
            LATERAL aclexplode(relacl) AS acl WHERE nspname = 'public' AND acl.grantee = 0"
            .to_owned(),
    )
    .await;
    assert_eq!(public, [""; 0], "granted to everybody");
}

/// A function that runs as its owner goes past what its caller may: it is named here, its search path is its own, and not
/// everybody calls it.
#[tokio::test]
async fn functions_that_run_as_their_owner_are_few_and_careful() {
    let Some(admin) = Admin::start().await else { return };
    let mut connection = connect(&admin).await;
    let definers = list(
        &mut connection,
        "SELECT proname::text FROM pg_proc JOIN pg_namespace AS n ON n.oid = pronamespace
         WHERE nspname = 'public' AND prosecdef
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e') ORDER BY 1",
    )
    .await;
    let expected = [
        "agents_grant_own",
        "agents_want_update",
        "audit_log_append",
        "calls_drop_partitions",
        "calls_make_partition",
        "feed_append",
        "phone_number_arrive",
        "phone_number_is_held",
        "phone_number_leave",
        "phone_numbers_refuse_overlap",
        "phone_numbers_refuse_overlaps",
        "phone_numbers_want_link",
        "usage_numbers",
        "usage_rates",
    ];
    assert_eq!(definers, expected);
    let careless = list(
        &mut connection,
        "SELECT proname::text FROM pg_proc JOIN pg_namespace AS n ON n.oid = pronamespace
         WHERE nspname = 'public' AND prosecdef AND (has_function_privilege('public', pg_proc.oid, 'EXECUTE')
            OR NOT EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE setting LIKE 'search_path=pg_catalog%pg_temp'))",
    )
    .await;
    assert_eq!(careless, [""; 0]);
}
