-- Who changed what, when and from where. A trigger on each table with people's data writes it, one statement for each
-- statement that changed rows; a sealer in the background gives the entries their numbers and chains them by hash, so
-- that writers take no lock for it.

-- The one role that writes the log: it owns the trigger's function and seals. 0001 says why it is created so.
DO $$
BEGIN
    BEGIN
        CREATE ROLE dialplane_sealer NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
    BEGIN
        GRANT dialplane_sealer TO CURRENT_USER;
    EXCEPTION
        WHEN unique_violation OR internal_error THEN NULL;
        WHEN insufficient_privilege THEN
            IF NOT pg_has_role(current_user, 'dialplane_sealer', 'MEMBER') THEN
                RAISE EXCEPTION 'role dialplane_sealer is not granted to %', current_user
                    USING HINT = format('Run as an administrator: GRANT dialplane_sealer TO %I', current_user);
            END IF;
    END;
END
$$;
GRANT USAGE ON SCHEMA public TO dialplane_sealer;

CREATE TABLE audit_log (
    id           bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id    uuid,  -- absent: the platform's. No foreign key: what happened stays when the tenant goes
    at           timestamptz NOT NULL,
    actor        text,  -- these three as the transaction said; absent: it didn't
    request_id   text,
    address      text,
    action       text NOT NULL,
    resource     text NOT NULL,
    resource_id  text NOT NULL,
    before       jsonb,
    after        jsonb,
    seq          bigint,  -- its place in the chain, from 1 without a hole; absent until it is sealed
    hash         bytea,   -- SHA-256 over the hash before it and all of the above
    CONSTRAINT audit_log_action_check CHECK (action IN ('insert', 'update', 'delete')),
    CONSTRAINT audit_log_sealed_check CHECK ((seq IS NULL) = (hash IS NULL))
);
-- Writers pay for the first alone, which finds what is to be sealed; the others have an entry once it is. There is no
-- primary key: who reads the log knows entries by their places.
CREATE UNIQUE INDEX audit_log_unsealed_key ON audit_log (id) WHERE seq IS NULL;
CREATE UNIQUE INDEX audit_log_seq_key ON audit_log (seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_log_tenant_idx ON audit_log (tenant_id, seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_log_resource_idx ON audit_log (resource_id, seq) WHERE seq IS NOT NULL;

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_log TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON audit_log TO dialplane_operator
    USING (current_user = 'dialplane_operator');
CREATE POLICY sealer ON audit_log TO dialplane_sealer
    USING (current_user = 'dialplane_sealer');
GRANT SELECT ON audit_log TO dialplane_tenant, dialplane_operator;
GRANT SELECT, INSERT, UPDATE (seq, hash) ON audit_log TO dialplane_sealer;
GRANT SELECT ON SEQUENCE audit_log_id_seq TO dialplane_sealer;

-- Append-only for the owner too: what is sealed is never changed again, and nothing ever goes. Sealing meets neither
-- condition, so that no function is called for it; and a trigger before the change would lock each row by itself. Together
-- they would be half of what sealing costs.
CREATE FUNCTION audit_log_refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege', TABLE = 'audit_log';
END
$$;
-- Every column but the seal's. A test finds those that aren't here.
CREATE TRIGGER audit_log_refuse_change
    AFTER DELETE OR UPDATE OF id, tenant_id, at, actor, request_id, address, action, resource, resource_id, before, after
    ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_refuse_change();
CREATE TRIGGER audit_log_refuse_seal AFTER UPDATE ON audit_log
    FOR EACH ROW WHEN (OLD.seq IS NOT NULL OR NEW.seq IS NULL) EXECUTE FUNCTION audit_log_refuse_change();
CREATE TRIGGER audit_log_refuse_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();

-- What the log says in place of a row's secrets: that they are there, and whether `was`, the row before, had others.
CREATE FUNCTION audit_secrets(doc jsonb, was jsonb, secrets text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        jsonb_object_agg(name, CASE WHEN doc -> name = coalesce(was, doc) -> name THEN 'secret' ELSE 'new secret' END),
        '{}'
    )
    FROM unnest(secrets) AS name WHERE doc ->> name IS NOT NULL
$$;

-- Appends what a statement changed. Its arguments: the resource's public name, the column with the tenant, the one or two
-- columns that tell one row from another, and those with secrets. A row that goes from one tenant to another is deleted
-- in the log of the one and inserted in that of the other: neither sees what the other had.
--
-- OFFSET 0 has each row made into a document once: without it, the expression would stand wherever the document is used.
CREATE FUNCTION audit_log_append() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    resource     CONSTANT text := TG_ARGV[0];
    tenant       CONSTANT text := TG_ARGV[1];
    keys         CONSTANT text[] := TG_ARGV[2];
    key          CONSTANT text := coalesce(keys[1], '');
    other_key    CONSTANT text := coalesce(keys[2], '');
    secrets      CONSTANT text[] := TG_ARGV[3];
    has_secrets  CONSTANT boolean := secrets <> '{}';
    unlogged     CONSTANT text[] := '{updated_at,last_used_at}';
    actor        CONSTANT text := nullif(current_setting('dialplane.actor', true), '');
    request_id   CONSTANT text := nullif(current_setting('dialplane.request_id', true), '');
    address      CONSTANT text := nullif(current_setting('dialplane.address', true), '');
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_log (tenant_id, at, actor, request_id, address, action, resource, resource_id, after)
        SELECT (doc ->> tenant)::uuid, now(), actor, request_id, address, 'insert', resource,
            concat_ws('/', doc ->> key, doc ->> other_key),
            CASE WHEN has_secrets THEN doc - unlogged || audit_secrets(doc, NULL, secrets) ELSE doc - unlogged END
        FROM (SELECT to_jsonb(new_rows) AS doc FROM new_rows OFFSET 0) AS inserted;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO audit_log (tenant_id, at, actor, request_id, address, action, resource, resource_id, before)
        SELECT (doc ->> tenant)::uuid, now(), actor, request_id, address, 'delete', resource,
            concat_ws('/', doc ->> key, doc ->> other_key),
            CASE WHEN has_secrets THEN doc - unlogged || audit_secrets(doc, NULL, secrets) ELSE doc - unlogged END
        FROM (SELECT to_jsonb(old_rows) AS doc FROM old_rows OFFSET 0) AS deleted;
    ELSE
        INSERT INTO audit_log (
            tenant_id, at, actor, request_id, address, action, resource, resource_id, before, after
        )
        SELECT coalesce(was.owner, is_now.owner)::uuid, now(), actor, request_id, address,
            CASE WHEN was.doc IS NULL THEN 'insert' WHEN is_now.doc IS NULL THEN 'delete' ELSE 'update' END,
            resource, coalesce(was.id, is_now.id),
            CASE WHEN has_secrets THEN was.doc || audit_secrets(was.raw, NULL, secrets) ELSE was.doc END,
            CASE WHEN has_secrets THEN is_now.doc || audit_secrets(is_now.raw, was.raw, secrets) ELSE is_now.doc END
        FROM (
            SELECT raw, raw - unlogged AS doc, raw ->> tenant AS owner,
                concat_ws('/', raw ->> key, raw ->> other_key) AS id
            FROM (SELECT to_jsonb(old_rows) AS raw FROM old_rows OFFSET 0) AS old_docs
        ) AS was
        FULL JOIN (
            SELECT raw, raw - unlogged AS doc, raw ->> tenant AS owner,
                concat_ws('/', raw ->> key, raw ->> other_key) AS id
            FROM (SELECT to_jsonb(new_rows) AS raw FROM new_rows OFFSET 0) AS new_docs
        ) AS is_now ON is_now.id = was.id AND coalesce(is_now.owner, '') = coalesce(was.owner, '')
        WHERE was.doc IS DISTINCT FROM is_now.doc;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION audit_log_append() FROM PUBLIC;
-- To be given a function, a role needs CREATE.
GRANT CREATE ON SCHEMA public TO dialplane_sealer;
ALTER FUNCTION audit_log_append() OWNER TO dialplane_sealer;
REVOKE CREATE ON SCHEMA public FROM dialplane_sealer;

-- Has a table's changes logged from now on. Each new table with people's data calls it in its migration.
CREATE FUNCTION audit_table(
    audited regclass, resource text, keys text[], secrets text[] DEFAULT '{}', tenant text DEFAULT 'tenant_id'
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    call CONSTANT text := format('FOR EACH STATEMENT EXECUTE FUNCTION public.audit_log_append(%L, %L, %L, %L)',
        resource, tenant, keys, secrets);
BEGIN
    EXECUTE format('CREATE TRIGGER audit_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows %s', audited, call);
    EXECUTE format('CREATE TRIGGER audit_update AFTER UPDATE ON %s
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows %s', audited, call);
    EXECUTE format('CREATE TRIGGER audit_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows %s', audited, call);
END
$$;
REVOKE ALL ON FUNCTION audit_table(regclass, text, text[], text[], text) FROM PUBLIC;

SELECT audit_table('tenants', 'tenant', '{id}', tenant => 'id');
SELECT audit_table('api_keys', 'api_key', '{id}', '{hash}');
SELECT audit_table('accounts', 'account', '{id}', '{credentials_sealed}');
SELECT audit_table('account_grants', 'account.grant', '{account_id}');
SELECT audit_table('agents', 'agent', '{id}', '{token_hash}');
SELECT audit_table('phone_numbers', 'phone_number', '{id}');
SELECT audit_table('phone_number_bindings', 'phone_number.binding', '{phone_number_id,account_id}');
SELECT audit_table('number_settings', 'phone_number.settings', '{phone_number_id,kind}');
SELECT audit_table('tenant_defaults', 'tenant.defaults', '{tenant_id,kind}');
SELECT audit_table('platform_defaults', 'platform.defaults', '{kind}');
SELECT audit_table('platform', 'platform', '{}');
SELECT audit_table('intents', 'intent', '{id}');
SELECT audit_table('tool_servers', 'tool_server', '{tenant_id}', '{secret_sealed}');
