-- What the admin plane asks of PostgreSQL when a number's name is changed, statement for statement.
-- Each client takes its number and its record once; nothing of this is measured twice.
\if :ready
\else
SELECT tenant, number, kinds, keys, versions, payloads, hashes, frames FROM pgbench_clients WHERE client = :client_id \gset
\set ready 1
\endif
\set name random(1, 1000000000)
BEGIN;
SELECT FROM phone_numbers WHERE tenant_id = :tenant AND id = :number FOR NO KEY UPDATE;
SELECT n.*, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'account_id', account_id, 'role', role, 'number_id', number_id) ORDER BY account_id), '[]')
        FROM phone_number_bindings b WHERE b.phone_number_id = n.id
    ) AS bindings
    FROM phone_numbers n WHERE n.tenant_id = :tenant AND n.id = :number;
UPDATE phone_numbers SET display_name = 'Location ' || :name::text, address = NULL, timezone = 'America/New_York',
        status = 'active', agent_id = NULL, calls_max = NULL, address_parts = NULL, updated_at = now()
    WHERE tenant_id = :tenant AND id = :number RETURNING id;
SELECT n.*, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'account_id', account_id, 'role', role, 'number_id', number_id) ORDER BY account_id), '[]')
        FROM phone_number_bindings b WHERE b.phone_number_id = n.id
    ) AS bindings
    FROM phone_numbers n WHERE n.tenant_id = :tenant AND n.id = :number;
SELECT phone_number_id, kind, value FROM number_settings WHERE phone_number_id = ANY (ARRAY[:number]::uuid[]);
SELECT feed_append(:kinds::smallint[], :keys::bytea[], :versions::smallint[], :payloads::bytea[], :hashes::text[],
    :frames::bytea);
COMMIT;
