-- What was answered to requests with an Idempotency-Key. A row commits with what its request wrote.

CREATE TABLE idempotency_keys (
    tenant_id        uuid,                                  -- whose key asked; absent: an operator's
    owner            uuid NOT NULL GENERATED ALWAYS AS (
                         coalesce(tenant_id, '00000000-0000-0000-0000-000000000000')) STORED,
    principal        text NOT NULL,                         -- who asked
    key              text NOT NULL,
    fingerprint      bytea NOT NULL,                        -- SHA-256 of method, path, query and body
    status           smallint,                              -- absent only until its own transaction commits
    location         text,
    etag             text,
    revision         bigint,
    body             bytea,                                 -- without one-time secrets
    secrets_withheld boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (owner, principal, key),
    CONSTRAINT idempotency_keys_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
CREATE INDEX idempotency_keys_tenant_idx ON idempotency_keys (tenant_id);

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency_keys TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON idempotency_keys TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO dialplane_operator;
