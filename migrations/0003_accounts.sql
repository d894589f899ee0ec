-- Credentials at providers, and who may use them.

CREATE TABLE accounts (
    id                  uuid NOT NULL,
    tenant_id           uuid,  -- absent: the platform's
    provider            text NOT NULL,
    label               text NOT NULL,
    external_id         text NOT NULL,
    credentials_sealed  bytea NOT NULL,
    signature_policy    text NOT NULL DEFAULT 'enforce',
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT accounts_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT accounts_signature_policy_check CHECK (signature_policy IN ('enforce', 'observe', 'off'))
);
CREATE INDEX accounts_tenant_idx ON accounts (tenant_id, id);

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON accounts TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON accounts TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts TO dialplane_tenant, dialplane_operator;

-- Who may use an account: its owner, by a row like any other, and whom the platform lets use its own. What uses an
-- account refers to this table, so that the foreign key itself says that it may.
CREATE TABLE account_grants (
    tenant_id   uuid NOT NULL,
    account_id  uuid NOT NULL,
    CONSTRAINT account_grants_pkey PRIMARY KEY (tenant_id, account_id),
    CONSTRAINT account_grants_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT account_grants_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
);
CREATE INDEX account_grants_account_idx ON account_grants (account_id);

ALTER TABLE account_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_grants FORCE ROW LEVEL SECURITY;
-- A tenant can grant itself nothing but its own accounts: of accounts, it sees no others.
CREATE POLICY tenant ON account_grants TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid)
    WITH CHECK (
        tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid
        AND EXISTS (SELECT FROM accounts WHERE accounts.id = account_id)
    );
CREATE POLICY operator ON account_grants TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT ON account_grants TO dialplane_tenant;
GRANT UPDATE (account_id) ON account_grants TO dialplane_tenant;  -- for locking a row
GRANT SELECT, INSERT, UPDATE, DELETE ON account_grants TO dialplane_operator;
