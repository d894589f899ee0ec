-- Tenants whole: profile, limits, integrations, what is wanted of provisioning. Phone numbers: the primary one, the pool,
-- and what becomes of a number that nobody has.

ALTER TABLE tenants
    ADD COLUMN external_id        text,     -- whoever sells the platform knows the tenant by it; the operators' to set
    ADD COLUMN profile            jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN integrations       jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN provisioning       jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN phone_numbers_max  integer,  -- absent: any number; the operators' to set
    ADD COLUMN agents_max         integer,  -- the same
    ADD CONSTRAINT tenants_external_id_key UNIQUE (external_id),
    ADD CONSTRAINT tenants_phone_numbers_max_check CHECK (phone_numbers_max BETWEEN 0 AND 1000000),
    ADD CONSTRAINT tenants_agents_max_check CHECK (agents_max BETWEEN 0 AND 1000000);
GRANT UPDATE (profile, integrations, provisioning) ON tenants TO dialplane_tenant;

-- A number that no tenant has is the platform's: in the pool (available, reserved), resting before it is given back to
-- its provider (quarantined), or given back (released). Rows without a tenant are operators' alone, as no tenant's policy
-- holds for them. A released number's row stays for what refers to it, and keeps nobody from the address.
ALTER TABLE phone_numbers
    ALTER COLUMN tenant_id DROP NOT NULL,
    ADD COLUMN is_primary         boolean NOT NULL DEFAULT false,  -- kept by phone_numbers_keep_primary
    ADD COLUMN address_parts      jsonb,        -- the address taken apart; `address` is it in one line
    ADD COLUMN quarantined_until  timestamptz,  -- then it is released; absent while quarantined: it is being given back
    ADD COLUMN carrier_account_id uuid,         -- the account that brings a pooled number's calls: the platform's
    ADD CONSTRAINT phone_numbers_holder_check CHECK (
        CASE WHEN tenant_id IS NULL THEN lifecycle IN ('available', 'reserved', 'quarantined', 'released')
             ELSE lifecycle IN ('reserved', 'active', 'porting') END
    ),
    ADD CONSTRAINT phone_numbers_carrier_account_fkey FOREIGN KEY (carrier_account_id)
        REFERENCES accounts (id) ON DELETE SET NULL;
DROP INDEX phone_numbers_phone_number_key;
CREATE UNIQUE INDEX phone_numbers_phone_number_key ON phone_numbers (phone_number text_pattern_ops, is_range)
    WHERE lifecycle <> 'released';
CREATE UNIQUE INDEX phone_numbers_primary_key ON phone_numbers (tenant_id) WHERE is_primary;
CREATE INDEX phone_numbers_unheld_idx ON phone_numbers (lifecycle, id) WHERE tenant_id IS NULL;

-- As in 0007, with the new index. A number that no tenant has overlaps nobody's: it is taken as such, and lies in the
-- block of whoever has one around it.
CREATE OR REPLACE FUNCTION phone_numbers_refuse_overlap() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    locks        CONSTANT integer := 1684627824;  -- "diap" in ASCII; the other key is of one part
    first_digits CONSTANT integer := substr(NEW.phone_number, 2, 4)::integer;
BEGIN
    IF NEW.tenant_id IS NULL THEN
        RETURN NEW;
    END IF;
    IF NEW.is_range THEN
        PERFORM pg_advisory_xact_lock(locks, first_digits);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(locks, first_digits);
    END IF;
    -- Statements of their own: each sees what was committed until it began, so with the lock held, everything.
    IF EXISTS (
        SELECT FROM phone_numbers AS block
        WHERE block.is_range AND block.lifecycle <> 'released' AND block.tenant_id <> NEW.tenant_id
            AND block.phone_number = ANY (ARRAY(
                SELECT left(NEW.phone_number, upto) FROM generate_series(5, length(NEW.phone_number) - 1) AS upto
            ))
    ) OR (NEW.is_range AND EXISTS (
        -- ':' comes behind '9'.
        SELECT FROM phone_numbers AS inside
        WHERE inside.lifecycle <> 'released' AND inside.tenant_id <> NEW.tenant_id
            AND inside.phone_number ~>~ NEW.phone_number AND inside.phone_number ~<~ (NEW.phone_number || ':')
    )) THEN
        RAISE EXCEPTION 'the address overlaps another tenant''s'
            USING ERRCODE = 'exclusion_violation', TABLE = 'phone_numbers', CONSTRAINT = 'phone_numbers_overlap_excl';
    END IF;
    RETURN NEW;
END
$$;

-- Where a number has been in its life. A tenant sees the part of it that was its own. A number's first step is written with
-- its second: until then its own row says it.
CREATE TABLE phone_number_history (
    id               bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id        uuid,
    phone_number_id  uuid NOT NULL,
    lifecycle        text NOT NULL,
    at               timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT phone_number_history_pkey PRIMARY KEY (id),
    CONSTRAINT phone_number_history_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    -- Not with tenant_id: the number is other tenants' later on.
    CONSTRAINT phone_number_history_phone_number_fkey FOREIGN KEY (phone_number_id)
        REFERENCES phone_numbers (id) ON DELETE CASCADE
);
CREATE INDEX phone_number_history_phone_number_idx ON phone_number_history (phone_number_id, id);
CREATE INDEX phone_number_history_tenant_idx ON phone_number_history (tenant_id);

ALTER TABLE phone_number_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE phone_number_history FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON phone_number_history TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON phone_number_history TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT ON phone_number_history TO dialplane_tenant;
GRANT SELECT, INSERT ON phone_number_history TO dialplane_operator;

-- Exactly one number of a tenant that has any whose calls are routed is its primary one, else none is: the one that was,
-- as long as its calls are routed; then the oldest of them. Limits of how many numbers a tenant has hold here as well,
-- where every writer passes.
--
-- Both take the tenant's row, in the order of ids, so that no two writers miss each other. Who locks a number and then
-- changes whether its calls are routed locks its tenant first. Plans are made once: making one takes longer than what it
-- is for, and one for a small table would read the whole of it when it is large.
CREATE FUNCTION phone_numbers_keep_primary(tenants_changed uuid[], grows boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM FROM tenants WHERE id = ANY (tenants_changed) ORDER BY id FOR NO KEY UPDATE;
    IF grows AND EXISTS (
        SELECT FROM tenants AS tenant
        WHERE tenant.id = ANY (tenants_changed) AND tenant.phone_numbers_max IS NOT NULL
            AND tenant.phone_numbers_max < (SELECT count(*) FROM phone_numbers WHERE tenant_id = tenant.id)
    ) THEN
        RAISE EXCEPTION 'the tenant may have no more phone numbers'
            USING ERRCODE = 'check_violation', TABLE = 'phone_numbers', CONSTRAINT = 'phone_numbers_max_check';
    END IF;
    UPDATE phone_numbers SET is_primary = false
    WHERE tenant_id = ANY (tenants_changed) AND is_primary
        AND NOT (status = 'active' AND lifecycle IN ('active', 'porting'));
    UPDATE phone_numbers SET is_primary = true
    WHERE id IN (
        SELECT (
            SELECT id FROM phone_numbers
            WHERE tenant_id = tenant.id AND status = 'active' AND lifecycle IN ('active', 'porting')
            ORDER BY id LIMIT 1
        )
        FROM unnest(tenants_changed) AS tenant (id)
        WHERE NOT EXISTS (SELECT FROM phone_numbers WHERE tenant_id = tenant.id AND is_primary)
    );
END
$$;

-- Whether tenants' new numbers are but some more: each has a primary one already, and no limit.
CREATE FUNCTION phone_numbers_are_but_more(gaining uuid[]) RETURNS boolean
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM tenants WHERE id = ANY (gaining) AND phone_numbers_max IS NOT NULL)
        AND NOT EXISTS (
            SELECT FROM unnest(gaining) AS tenant (id)
            WHERE NOT EXISTS (SELECT FROM phone_numbers WHERE tenant_id = tenant.id AND is_primary)
        );
END
$$;

-- Writers who but add more share the tenants' rows: they wait for those alone who may take a primary number away or set a
-- limit, and make those wait. What was so before the rows were taken is looked at again; where it isn't so any more, two
-- such writers may meet in a deadlock. Who makes a new number the primary one takes its tenant's row beforehand.
CREATE FUNCTION phone_numbers_inserted() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    gaining CONSTANT uuid[] := ARRAY(SELECT DISTINCT tenant_id FROM new_rows WHERE tenant_id IS NOT NULL);
BEGIN
    IF phone_numbers_are_but_more(gaining) THEN
        PERFORM FROM tenants WHERE id = ANY (gaining) ORDER BY id FOR SHARE;
        IF phone_numbers_are_but_more(gaining) THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM phone_numbers_keep_primary(gaining, true);
    RETURN NULL;
END
$$;
CREATE TRIGGER phone_numbers_inserted AFTER INSERT ON phone_numbers
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION phone_numbers_inserted();

CREATE FUNCTION phone_numbers_updated() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    changed uuid[];
    grows   boolean;
    moves   boolean;
BEGIN
    SELECT array_agg(DISTINCT tenant) FILTER (WHERE tenant IS NOT NULL), coalesce(bool_or(arrives), false), bool_or(steps)
    INTO changed, grows, moves
    FROM (
        SELECT unnest(ARRAY[before.tenant_id, after.tenant_id]) AS tenant,
            after.tenant_id IS NOT NULL AND before.tenant_id IS DISTINCT FROM after.tenant_id AS arrives,
            (before.tenant_id, before.lifecycle) IS DISTINCT FROM (after.tenant_id, after.lifecycle) AS steps
        FROM old_rows AS before JOIN new_rows AS after USING (id)
        WHERE (before.tenant_id, before.status, before.lifecycle)
            IS DISTINCT FROM (after.tenant_id, after.status, after.lifecycle)
    ) AS changes;
    IF moves THEN
        -- Whoever loses a number sees what became of it then.
        INSERT INTO phone_number_history (tenant_id, phone_number_id, lifecycle, at)
        SELECT step.tenant_id, after.id, step.lifecycle, step.at
        FROM old_rows AS before JOIN new_rows AS after USING (id)
        CROSS JOIN LATERAL (VALUES
            (true, before.tenant_id, before.lifecycle, before.created_at),
            (false, coalesce(after.tenant_id, before.tenant_id), after.lifecycle, now())
        ) AS step (is_first, tenant_id, lifecycle, at)
        WHERE (before.tenant_id, before.lifecycle) IS DISTINCT FROM (after.tenant_id, after.lifecycle)
            AND NOT (step.is_first AND EXISTS (SELECT FROM phone_number_history WHERE phone_number_id = after.id))
        ORDER BY after.id, step.is_first DESC;
    END IF;
    IF changed IS NOT NULL THEN
        PERFORM phone_numbers_keep_primary(changed, grows);
    END IF;
    RETURN NULL;
END
$$;
-- A trigger with transition tables takes no list of columns: what doesn't concern it, it sees itself.
CREATE TRIGGER phone_numbers_updated AFTER UPDATE ON phone_numbers
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION phone_numbers_updated();

CREATE FUNCTION phone_numbers_deleted() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM phone_numbers_keep_primary(
        ARRAY(SELECT DISTINCT tenant_id FROM old_rows WHERE tenant_id IS NOT NULL), false);
    RETURN NULL;
END
$$;
CREATE TRIGGER phone_numbers_deleted AFTER DELETE ON phone_numbers
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION phone_numbers_deleted();

-- The numbers that are there get their tenants' primary ones. Nobody but the operators' role sees them.
SET LOCAL ROLE dialplane_operator;
UPDATE phone_numbers SET is_primary = true
WHERE id IN (
    SELECT DISTINCT ON (tenant_id) id FROM phone_numbers
    WHERE status = 'active' AND lifecycle IN ('active', 'porting') ORDER BY tenant_id, id
);
RESET ROLE;

-- How many agents a tenant may have.
CREATE FUNCTION agents_keep_limit() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM FROM tenants
    WHERE id IN (SELECT tenant_id FROM new_rows) AND agents_max IS NOT NULL ORDER BY id FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT FROM tenants AS tenant
        WHERE tenant.id IN (SELECT tenant_id FROM new_rows) AND tenant.agents_max IS NOT NULL
            AND tenant.agents_max < (SELECT count(*) FROM agents WHERE tenant_id = tenant.id)
    ) THEN
        RAISE EXCEPTION 'the tenant may have no more agents'
            USING ERRCODE = 'check_violation', TABLE = 'agents', CONSTRAINT = 'agents_max_check';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER agents_keep_limit AFTER INSERT ON agents
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION agents_keep_limit();

-- A location whose tenant doesn't have its number now: all that was set of it, for the day when the number comes back.
-- Kept as long as the platform has the number, whoever it is with.
CREATE TABLE former_locations (
    tenant_id      uuid NOT NULL,
    phone_number   text NOT NULL,
    is_range       boolean NOT NULL,
    display_name   text NOT NULL,
    address        text,
    address_parts  jsonb,
    timezone       text,
    status         text NOT NULL,
    agent_id       uuid,
    calls_max      integer,
    settings       jsonb NOT NULL,  -- documents by kind
    bindings       jsonb NOT NULL,  -- a list of what phone_number_bindings had
    left_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT former_locations_pkey PRIMARY KEY (tenant_id, phone_number, is_range),
    CONSTRAINT former_locations_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT former_locations_agent_fkey FOREIGN KEY (tenant_id, agent_id)
        REFERENCES agents (tenant_id, id) ON DELETE SET NULL (agent_id)
);
CREATE INDEX former_locations_phone_number_idx ON former_locations (phone_number, is_range);

ALTER TABLE former_locations ENABLE ROW LEVEL SECURITY;
ALTER TABLE former_locations FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON former_locations TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON former_locations TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON former_locations TO dialplane_tenant, dialplane_operator;

-- Takes a number from its tenant, whose location is kept, and leaves it to the platform. It runs as the operators' role,
-- as a tenant can't give a row away: hence the look at whose transaction it is. current_user is the owner in here; which
-- role the transaction was set to, the setting `role` still says. A tenant's that doesn't say which tenant may nothing.
--
-- becomes: available, quarantined (for `rest`) or released. False: the tenant has no such number.
CREATE FUNCTION phone_number_leave(holder uuid, leaving_id uuid, becomes text, rest interval)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    asking     CONSTANT uuid := nullif(current_setting('dialplane.tenant_id', true), '')::uuid;
    is_tenant  CONSTANT boolean := 'dialplane_tenant' IN (session_user, current_setting('role'));
    leaving    phone_numbers%ROWTYPE;
    carrier    uuid;
BEGIN
    IF holder IS DISTINCT FROM coalesce(asking, holder) OR (is_tenant AND asking IS NULL) THEN
        RETURN false;
    END IF;
    SELECT * INTO leaving FROM phone_numbers WHERE tenant_id = holder AND id = leaving_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- The platform's own accounts only: a tenant's is no good without the tenant.
    SELECT binding.account_id INTO carrier
    FROM phone_number_bindings AS binding JOIN accounts AS account ON account.id = binding.account_id
    WHERE binding.phone_number_id = leaving.id AND binding.role = 'carrier' AND account.tenant_id IS NULL
    ORDER BY binding.account_id LIMIT 1;
    INSERT INTO former_locations AS kept (tenant_id, phone_number, is_range, display_name, address, address_parts,
        timezone, status, agent_id, calls_max, settings, bindings)
    SELECT holder, leaving.phone_number, leaving.is_range, leaving.display_name, leaving.address,
        leaving.address_parts, leaving.timezone, leaving.status, leaving.agent_id, leaving.calls_max,
        (SELECT coalesce(jsonb_object_agg(kind, value), '{}') FROM number_settings WHERE phone_number_id = leaving.id),
        (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'account_id', account_id, 'role', role, 'number_id', number_id)), '[]')
            FROM phone_number_bindings WHERE phone_number_id = leaving.id)
    ON CONFLICT ON CONSTRAINT former_locations_pkey DO UPDATE SET
        display_name = excluded.display_name, address = excluded.address, address_parts = excluded.address_parts,
        timezone = excluded.timezone, status = excluded.status, agent_id = excluded.agent_id,
        calls_max = excluded.calls_max, settings = excluded.settings, bindings = excluded.bindings, left_at = now();
    DELETE FROM number_settings WHERE phone_number_id = leaving.id;
    DELETE FROM phone_number_bindings WHERE phone_number_id = leaving.id;
    UPDATE phone_numbers SET
        tenant_id = NULL, lifecycle = becomes, status = 'active', is_primary = false, display_name = leaving.phone_number,
        address = NULL, address_parts = NULL, timezone = NULL, agent_id = NULL, calls_max = NULL,
        quarantined_until = CASE becomes WHEN 'quarantined' THEN now() + rest END,
        carrier_account_id = carrier, updated_at = now()
    WHERE id = leaving.id;
    IF becomes = 'released' THEN
        DELETE FROM former_locations WHERE phone_number = leaving.phone_number AND is_range = leaving.is_range;
    END IF;
    RETURN true;
END
$$;

-- Gives a number that the platform has to a tenant, with the location that the tenant had there, if it had one. Out of the
-- pool only operators' transactions give; a number that rests goes back to the tenant that had it last. One that is being
-- given back to its carrier goes to nobody. Whose transaction it is, it sees as phone_number_leave does.
--
-- The id; null: there is no such number to be had.
CREATE FUNCTION phone_number_arrive(holder uuid, number text, block boolean, pooled boolean) RETURNS uuid
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    asking     CONSTANT uuid := nullif(current_setting('dialplane.tenant_id', true), '')::uuid;
    is_tenant  CONSTANT boolean := 'dialplane_tenant' IN (session_user, current_setting('role'));
    arriving   phone_numbers%ROWTYPE;
    kept       former_locations%ROWTYPE;
BEGIN
    IF holder IS DISTINCT FROM coalesce(asking, holder) OR (is_tenant AND asking IS NULL) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO arriving FROM phone_numbers
    WHERE tenant_id IS NULL AND phone_number = number AND is_range = block
        AND (lifecycle IN ('available', 'reserved') OR quarantined_until IS NOT NULL) FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO kept FROM former_locations
    WHERE tenant_id = holder AND phone_number = number AND is_range = block;
    IF pooled AND asking IS NOT NULL THEN
        RETURN NULL;
    END IF;
    IF NOT pooled AND (arriving.lifecycle <> 'quarantined' OR holder IS DISTINCT FROM (
        SELECT tenant_id FROM former_locations WHERE phone_number = number AND is_range = block
        ORDER BY left_at DESC LIMIT 1
    )) THEN
        RETURN NULL;
    END IF;
    UPDATE phone_numbers SET
        tenant_id = holder, lifecycle = 'active', quarantined_until = NULL, carrier_account_id = NULL,
        status = coalesce(kept.status, 'active'), display_name = coalesce(kept.display_name, number),
        address = kept.address, address_parts = kept.address_parts, timezone = kept.timezone,
        agent_id = kept.agent_id, calls_max = kept.calls_max, updated_at = now()
    WHERE id = arriving.id;
    INSERT INTO number_settings (tenant_id, phone_number_id, kind, value)
    SELECT holder, arriving.id, kind, value FROM jsonb_each(kept.settings) AS setting (kind, value);
    -- Accounts that are gone, or whose grant was taken back, don't come again.
    INSERT INTO phone_number_bindings (tenant_id, phone_number_id, account_id, role, number_id)
    SELECT holder, arriving.id, binding.account_id, binding.role, binding.number_id
    FROM jsonb_to_recordset(kept.bindings) AS binding (account_id uuid, role text, number_id text)
    JOIN account_grants AS usable ON usable.tenant_id = holder AND usable.account_id = binding.account_id
    WHERE NOT EXISTS (
        SELECT FROM phone_number_bindings AS other
        WHERE other.account_id = binding.account_id AND other.number_id = binding.number_id
    );
    -- The platform's account that brings the calls goes with the number.
    IF arriving.carrier_account_id IS NOT NULL THEN
        INSERT INTO account_grants (tenant_id, account_id) VALUES (holder, arriving.carrier_account_id)
        ON CONFLICT DO NOTHING;
        INSERT INTO phone_number_bindings (tenant_id, phone_number_id, account_id, role)
        VALUES (holder, arriving.id, arriving.carrier_account_id, 'carrier') ON CONFLICT DO NOTHING;
    END IF;
    DELETE FROM former_locations WHERE tenant_id = holder AND phone_number = number AND is_range = block;
    RETURN arriving.id;
END
$$;

REVOKE ALL ON FUNCTION phone_number_leave(uuid, uuid, text, interval),
    phone_number_arrive(uuid, text, boolean, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION phone_number_leave(uuid, uuid, text, interval),
    phone_number_arrive(uuid, text, boolean, boolean) TO dialplane_tenant, dialplane_operator;
-- As in 0007: the owner of the tables sees no row of theirs.
GRANT CREATE ON SCHEMA public TO dialplane_operator;
ALTER FUNCTION phone_number_leave(uuid, uuid, text, interval) OWNER TO dialplane_operator;
ALTER FUNCTION phone_number_arrive(uuid, text, boolean, boolean) OWNER TO dialplane_operator;
REVOKE CREATE ON SCHEMA public FROM dialplane_operator;
