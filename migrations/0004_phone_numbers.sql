-- Agents, phone numbers and what ties numbers to accounts.

CREATE TABLE agents (
    id          uuid NOT NULL,
    tenant_id   uuid NOT NULL,
    name        text NOT NULL,
    language    text NOT NULL,
    provider    text NOT NULL,
    target      jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT agents_pkey PRIMARY KEY (id),
    CONSTRAINT agents_tenant_key UNIQUE (tenant_id, id),
    CONSTRAINT agents_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

ALTER TABLE agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE agents FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agents TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON agents TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON agents TO dialplane_tenant, dialplane_operator;

CREATE TABLE phone_numbers (
    id            uuid NOT NULL,
    tenant_id     uuid NOT NULL,
    phone_number  text NOT NULL,
    display_name  text NOT NULL,
    timezone      text,  -- absent: the tenant's
    status        text NOT NULL DEFAULT 'active',
    lifecycle     text NOT NULL DEFAULT 'active',
    source        text NOT NULL,
    agent_id      uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT phone_numbers_pkey PRIMARY KEY (id),
    CONSTRAINT phone_numbers_tenant_key UNIQUE (tenant_id, id),
    CONSTRAINT phone_numbers_phone_number_key UNIQUE (phone_number),
    -- No cascade: a tenant that has numbers isn't deleted.
    CONSTRAINT phone_numbers_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT phone_numbers_agent_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id),
    CONSTRAINT phone_numbers_phone_number_check CHECK (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
    CONSTRAINT phone_numbers_status_check CHECK (status IN ('active', 'inactive', 'suspended')),
    CONSTRAINT phone_numbers_lifecycle_check CHECK (
        lifecycle IN ('available', 'reserved', 'active', 'porting', 'quarantined', 'released')
    )
);
CREATE INDEX phone_numbers_agent_idx ON phone_numbers (tenant_id, agent_id);

ALTER TABLE phone_numbers ENABLE ROW LEVEL SECURITY;
ALTER TABLE phone_numbers FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON phone_numbers TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON phone_numbers TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON phone_numbers TO dialplane_tenant, dialplane_operator;

CREATE TABLE phone_number_bindings (
    tenant_id        uuid NOT NULL,
    phone_number_id  uuid NOT NULL,
    account_id       uuid NOT NULL,
    role             text NOT NULL DEFAULT 'carrier',
    CONSTRAINT phone_number_bindings_pkey PRIMARY KEY (phone_number_id, account_id),
    CONSTRAINT phone_number_bindings_phone_number_fkey FOREIGN KEY (tenant_id, phone_number_id)
        REFERENCES phone_numbers (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT phone_number_bindings_account_fkey FOREIGN KEY (tenant_id, account_id)
        REFERENCES account_grants (tenant_id, account_id),
    CONSTRAINT phone_number_bindings_role_check CHECK (role IN ('carrier', 'agent'))
);
CREATE INDEX phone_number_bindings_account_idx ON phone_number_bindings (tenant_id, account_id);

ALTER TABLE phone_number_bindings ENABLE ROW LEVEL SECURITY;
ALTER TABLE phone_number_bindings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON phone_number_bindings TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON phone_number_bindings TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON phone_number_bindings TO dialplane_tenant, dialplane_operator;
