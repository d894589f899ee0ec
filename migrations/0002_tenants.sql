-- Tenants and the keys that open the API.

CREATE TABLE tenants (
    id          uuid NOT NULL,
    name        text NOT NULL,
    timezone    text NOT NULL,
    status      text NOT NULL DEFAULT 'active',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_status_check CHECK (status IN ('active', 'suspended'))
);

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants TO dialplane_tenant
    USING (id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
-- A policy holds for the members of its role, and the owner is one: hence the condition.
CREATE POLICY operator ON tenants TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, UPDATE (name, timezone, updated_at) ON tenants TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO dialplane_operator;

CREATE TABLE api_keys (
    id            uuid NOT NULL,
    tenant_id     uuid,
    name          text NOT NULL,
    role          text NOT NULL,
    hash          bytea NOT NULL,
    hint          text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    expires_at    timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_hash_key UNIQUE (hash),
    CONSTRAINT api_keys_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_role_check CHECK (
        (tenant_id IS NULL AND role = 'operator')
        OR (tenant_id IS NOT NULL AND role IN ('admin', 'editor', 'viewer'))
    )
);
CREATE INDEX api_keys_tenant_idx ON api_keys (tenant_id, id);

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_keys TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON api_keys TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, DELETE ON api_keys TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON api_keys TO dialplane_operator;
