-- Agents that tenants share, what an agent knows, and what its provider is told besides.

-- Who may use an agent: its owner, by a row like any other, and whom the platform lets use its own. What uses an agent
-- refers to this table, so that the foreign key itself says that it may.
CREATE TABLE agent_grants (
    tenant_id  uuid NOT NULL,
    agent_id   uuid NOT NULL,
    CONSTRAINT agent_grants_pkey PRIMARY KEY (tenant_id, agent_id),
    CONSTRAINT agent_grants_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT agent_grants_agent_fkey FOREIGN KEY (agent_id) REFERENCES agents (id) ON DELETE CASCADE
);
CREATE INDEX agent_grants_agent_idx ON agent_grants (agent_id);

ALTER TABLE agents
    ALTER COLUMN tenant_id DROP NOT NULL,                  -- absent: the platform's, which tenants share
    ADD COLUMN kind    text NOT NULL DEFAULT 'dedicated',
    ADD COLUMN config  jsonb NOT NULL DEFAULT '{}',        -- the provider's own settings, as they are
    ADD CONSTRAINT agents_kind_check CHECK (kind IN ('shared', 'dedicated', 'own')),
    ADD CONSTRAINT agents_shared_check CHECK ((tenant_id IS NULL) = (kind = 'shared'));

-- Every writer of an agent, whichever it is, grants it to its owner. It runs as the operators' role: tenants grant nothing.
CREATE FUNCTION agents_grant_own() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO agent_grants (tenant_id, agent_id)
    SELECT tenant_id, id FROM new_rows WHERE tenant_id IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER agents_grant_own AFTER INSERT ON agents
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION agents_grant_own();
REVOKE ALL ON FUNCTION agents_grant_own() FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO dialplane_operator;
ALTER FUNCTION agents_grant_own() OWNER TO dialplane_operator;
REVOKE CREATE ON SCHEMA public FROM dialplane_operator;

ALTER TABLE agent_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_grants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agent_grants TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON agent_grants TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT ON agent_grants TO dialplane_tenant;
GRANT UPDATE (agent_id) ON agent_grants TO dialplane_tenant;  -- for locking a row
GRANT SELECT, INSERT, UPDATE, DELETE ON agent_grants TO dialplane_operator;

-- A tenant reads the shared agents that it may use, and changes none.
CREATE POLICY granted ON agents FOR SELECT TO dialplane_tenant USING (
    tenant_id IS NULL AND EXISTS (
        SELECT FROM agent_grants AS granted
        WHERE granted.agent_id = agents.id
            AND granted.tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid
    )
);

-- Agents that are there already. Nobody but the operators' role sees them.
SET LOCAL ROLE dialplane_operator;
INSERT INTO agent_grants (tenant_id, agent_id) SELECT tenant_id, id FROM agents;
RESET ROLE;

ALTER TABLE phone_numbers
    DROP CONSTRAINT phone_numbers_agent_fkey,
    ADD CONSTRAINT phone_numbers_agent_fkey FOREIGN KEY (tenant_id, agent_id)
        REFERENCES agent_grants (tenant_id, agent_id);
ALTER TABLE former_locations
    DROP CONSTRAINT former_locations_agent_fkey,
    ADD CONSTRAINT former_locations_agent_fkey FOREIGN KEY (tenant_id, agent_id)
        REFERENCES agent_grants (tenant_id, agent_id) ON DELETE SET NULL (agent_id);

-- Which of its tenant's intents an agent knows; none: all.
ALTER TABLE intents ADD CONSTRAINT intents_tenant_key UNIQUE (tenant_id, id);
CREATE TABLE agent_intents (
    tenant_id  uuid NOT NULL,
    agent_id   uuid NOT NULL,
    intent_id  uuid NOT NULL,
    CONSTRAINT agent_intents_pkey PRIMARY KEY (agent_id, intent_id),
    CONSTRAINT agent_intents_agent_fkey FOREIGN KEY (tenant_id, agent_id)
        REFERENCES agents (tenant_id, id) ON DELETE CASCADE,
    -- No cascade: with its last intent gone, an agent would know all.
    CONSTRAINT agent_intents_intent_fkey FOREIGN KEY (tenant_id, intent_id) REFERENCES intents (tenant_id, id)
);
CREATE INDEX agent_intents_intent_idx ON agent_intents (tenant_id, intent_id);

ALTER TABLE agent_intents ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_intents FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agent_intents TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON agent_intents TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON agent_intents TO dialplane_tenant, dialplane_operator;

-- Staff and services are now also written one by one, by their ids.
SET LOCAL ROLE dialplane_operator;
UPDATE tenant_defaults SET value = jsonb_build_object(kind, (
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', gen_random_uuid()) || item ORDER BY place), '[]')
    FROM jsonb_array_elements(value -> kind) WITH ORDINALITY AS listed (item, place)
))
WHERE kind IN ('staff', 'services');
RESET ROLE;

SELECT audit_table('agent_grants', 'agent.grant', '{agent_id}');
SELECT audit_table('agent_intents', 'agent.intent', '{agent_id,intent_id}');
