-- What agents are told: staff and services as settings, how an agent speaks, its token, intents, and the tenant's own
-- server for what agents want done.

ALTER TABLE number_settings DROP CONSTRAINT number_settings_kind_check;
ALTER TABLE number_settings ADD CONSTRAINT number_settings_kind_check
    CHECK (kind IN ('voice', 'rules', 'hours', 'sms', 'routing', 'staff', 'services'));
ALTER TABLE tenant_defaults DROP CONSTRAINT tenant_defaults_kind_check;
ALTER TABLE tenant_defaults ADD CONSTRAINT tenant_defaults_kind_check
    CHECK (kind IN ('voice', 'rules', 'hours', 'sms', 'routing', 'staff', 'services'));

ALTER TABLE agents
    ALTER COLUMN language DROP NOT NULL,                -- absent: as its location, tenant or the platform says
    ADD COLUMN greeting    text,
    ADD COLUMN prompt      text,
    ADD COLUMN voice_id    text,
    ADD COLUMN version     integer NOT NULL DEFAULT 1,  -- counted up by each change
    ADD COLUMN token_hash  bytea,                       -- SHA-256; absent: the agent has no token
    ADD CONSTRAINT agents_token_hash_key UNIQUE (token_hash);

CREATE TABLE intents (
    id          uuid NOT NULL,
    tenant_id   uuid NOT NULL,
    name        text NOT NULL,
    phrases     jsonb NOT NULL,
    responses   jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT intents_pkey PRIMARY KEY (id),
    CONSTRAINT intents_name_key UNIQUE (tenant_id, name),
    CONSTRAINT intents_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

ALTER TABLE intents ENABLE ROW LEVEL SECURITY;
ALTER TABLE intents FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON intents TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON intents TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON intents TO dialplane_tenant, dialplane_operator;

CREATE TABLE tool_servers (
    tenant_id        uuid NOT NULL,
    url              text NOT NULL,
    timeout_ms       integer NOT NULL,
    concurrency_max  integer NOT NULL,
    secret_sealed    bytea NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tool_servers_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tool_servers_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

ALTER TABLE tool_servers ENABLE ROW LEVEL SECURITY;
ALTER TABLE tool_servers FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tool_servers TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON tool_servers TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON tool_servers TO dialplane_tenant, dialplane_operator;
