-- Settings: a number's own, its tenant's defaults behind them, the platform's behind those. A value is the document
-- that the API took, checked.

CREATE TABLE number_settings (
    tenant_id        uuid NOT NULL,
    phone_number_id  uuid NOT NULL,
    kind             text NOT NULL,
    value            jsonb NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT number_settings_pkey PRIMARY KEY (phone_number_id, kind),
    CONSTRAINT number_settings_phone_number_fkey FOREIGN KEY (tenant_id, phone_number_id)
        REFERENCES phone_numbers (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT number_settings_kind_check CHECK (kind IN ('voice', 'rules', 'hours', 'sms', 'routing'))
);
CREATE INDEX number_settings_tenant_idx ON number_settings (tenant_id, kind);

ALTER TABLE number_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE number_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON number_settings TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON number_settings TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON number_settings TO dialplane_tenant, dialplane_operator;

CREATE TABLE tenant_defaults (
    tenant_id   uuid NOT NULL,
    kind        text NOT NULL,
    value       jsonb NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenant_defaults_pkey PRIMARY KEY (tenant_id, kind),
    CONSTRAINT tenant_defaults_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT tenant_defaults_kind_check CHECK (kind IN ('voice', 'rules', 'hours', 'sms', 'routing'))
);

ALTER TABLE tenant_defaults ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_defaults FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_defaults TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON tenant_defaults TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_defaults TO dialplane_tenant, dialplane_operator;

-- Every tenant may read these: they stand behind its own.
CREATE TABLE platform_defaults (
    kind        text NOT NULL,
    value       jsonb NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT platform_defaults_pkey PRIMARY KEY (kind),
    CONSTRAINT platform_defaults_kind_check CHECK (kind IN ('voice', 'rules', 'hours', 'sms', 'routing'))
);
GRANT SELECT ON platform_defaults TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON platform_defaults TO dialplane_operator;

-- What is one for the whole platform and no tenant's business.
CREATE TABLE platform (
    one                        boolean NOT NULL DEFAULT true,
    unknown_numbers_tenant_id  uuid,
    CONSTRAINT platform_pkey PRIMARY KEY (one),
    CONSTRAINT platform_one_check CHECK (one),
    CONSTRAINT platform_unknown_numbers_fkey FOREIGN KEY (unknown_numbers_tenant_id)
        REFERENCES tenants (id) ON DELETE SET NULL
);
INSERT INTO platform DEFAULT VALUES;
GRANT SELECT, UPDATE ON platform TO dialplane_operator;
