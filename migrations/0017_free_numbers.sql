-- How full the platform's accounts are with free numbers. A row is written when its account's level changes, not when its
-- count does, so that the audit log, and the events that are made of it, tell each crossing once.
CREATE TABLE free_number_levels (
    account_id   uuid NOT NULL,
    level        text NOT NULL,
    total        bigint NOT NULL,  -- these two as they were when the level changed
    numbers_max  bigint NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT free_number_levels_pkey PRIMARY KEY (account_id),
    CONSTRAINT free_number_levels_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
    CONSTRAINT free_number_levels_level_check CHECK (level IN ('ok', 'warning', 'critical'))
);

ALTER TABLE free_number_levels ENABLE ROW LEVEL SECURITY;
ALTER TABLE free_number_levels FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON free_number_levels TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON free_number_levels TO dialplane_operator;

SELECT audit_table('free_number_levels', 'free_numbers', '{account_id}');

-- They are counted every few seconds, and are few among all.
CREATE INDEX number_holdings_free_idx ON number_holdings (account_id) WHERE origin = 'free';
