-- How many calls a tenant may have at a time: the operators' to set. Tenants' column grants don't name it.
ALTER TABLE tenants
    ADD COLUMN calls_max integer,  -- absent: any number
    ADD CONSTRAINT tenants_calls_max_check CHECK (calls_max BETWEEN 1 AND 1000);

-- Where an account's provider writes numbers in their national form, they are of this country.
ALTER TABLE accounts
    ADD COLUMN country text,  -- ISO 3166-1 alpha-2
    ADD CONSTRAINT accounts_country_check CHECK (country ~ '^[A-Z]{2}$');

-- One account of an owner for each account at a provider. Different owners may claim the same one: whose it is, only its
-- secrets prove, and these are looked at when a webhook comes. Where a provider names no account, none is the same.
ALTER TABLE accounts
    ADD COLUMN own_id text;  -- the provider's name of the account itself, where webhooks claim another's (external_id)
CREATE UNIQUE INDEX accounts_identity_key
    ON accounts (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'), provider, coalesce(own_id, external_id))
    WHERE coalesce(own_id, external_id) <> '';
