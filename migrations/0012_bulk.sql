-- Bulk: files of numbers, tenants and settings on their way into the tables.

CREATE TABLE imports (
    id               uuid NOT NULL,
    tenant_id        uuid,  -- absent: lines of any tenant
    kind             text NOT NULL,
    format           text NOT NULL,
    mode             text NOT NULL,
    dry_run          boolean NOT NULL,
    state            text NOT NULL DEFAULT 'uploading',
    header           bytea,   -- a CSV file's first record
    bytes_received   bigint NOT NULL DEFAULT 0,
    next_line        bigint NOT NULL DEFAULT 1,  -- of the file, counted by its line breaks
    pieces           integer NOT NULL DEFAULT 0,
    lines_received   bigint NOT NULL DEFAULT 0,
    lines_checked    bigint NOT NULL DEFAULT 0,
    lines_bad        bigint NOT NULL DEFAULT 0,
    lines_created    bigint NOT NULL DEFAULT 0,
    lines_changed    bigint NOT NULL DEFAULT 0,
    lines_unchanged  bigint NOT NULL DEFAULT 0,
    failure          text,
    actor            text NOT NULL,  -- where it comes from, for the audit log
    request_id       text,
    address          text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    CONSTRAINT imports_pkey PRIMARY KEY (id),
    CONSTRAINT imports_tenant_key UNIQUE (tenant_id, id),
    CONSTRAINT imports_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT imports_kind_check CHECK (kind IN ('numbers', 'tenants', 'settings')),
    CONSTRAINT imports_format_check CHECK (format IN ('csv', 'jsonl')),
    CONSTRAINT imports_mode_check CHECK (mode IN ('best_effort', 'all_or_nothing')),
    CONSTRAINT imports_state_check CHECK (
        state IN ('uploading', 'validating', 'ready', 'applying', 'done', 'failed', 'cancelled')
    )
);
CREATE INDEX imports_unfinished_idx ON imports (state, id) WHERE finished_at IS NULL;

ALTER TABLE imports ENABLE ROW LEVEL SECURITY;
ALTER TABLE imports FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON imports TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON imports TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE ON imports TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON imports TO dialplane_operator;

-- What came of a file, cut between its records; gone once it is applied. Whoever applies a piece deletes it in the same
-- transaction, so that each is applied once, by whichever process comes, and none after a crash is lost.
CREATE TABLE import_pieces (
    import_id   uuid NOT NULL,
    piece       integer NOT NULL,
    tenant_id   uuid,
    first_line  bigint NOT NULL,
    bytes       bytea NOT NULL,
    bad_lines   bigint[] NOT NULL DEFAULT '{}',  -- those that validation refused
    CONSTRAINT import_pieces_pkey PRIMARY KEY (import_id, piece),
    CONSTRAINT import_pieces_import_fkey FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE,
    CONSTRAINT import_pieces_tenant_fkey FOREIGN KEY (tenant_id, import_id)
        REFERENCES imports (tenant_id, id) ON DELETE CASCADE
);
-- Read whole and once: compressing takes longer than writing.
ALTER TABLE import_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;

ALTER TABLE import_pieces ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_pieces FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON import_pieces TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON import_pieces TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON import_pieces TO dialplane_tenant, dialplane_operator;

CREATE TABLE import_errors (
    import_id  uuid NOT NULL,
    line       bigint NOT NULL,
    tenant_id  uuid,
    field      text NOT NULL,
    code       text NOT NULL,
    message    text NOT NULL,
    CONSTRAINT import_errors_pkey PRIMARY KEY (import_id, line),
    CONSTRAINT import_errors_import_fkey FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE,
    CONSTRAINT import_errors_tenant_fkey FOREIGN KEY (tenant_id, import_id)
        REFERENCES imports (tenant_id, id) ON DELETE CASCADE
);

ALTER TABLE import_errors ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_errors FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON import_errors TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON import_errors TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, DELETE ON import_errors TO dialplane_tenant, dialplane_operator;

-- Overlapping addresses are looked for once a statement: row by row, it was most of what inserting many costs. As before,
-- all that could overlap have their first four digits in common and meet at an advisory lock on these; the checks are
-- statements of their own, behind the lock, and see all that was committed until then.
CREATE INDEX phone_numbers_ranges_idx ON phone_numbers (phone_number text_pattern_ops) WHERE is_range;

CREATE FUNCTION phone_numbers_refuse_overlaps() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    locks CONSTANT integer := 1684627824;  -- as in phone_numbers_refuse_overlap
BEGIN
    PERFORM CASE
        WHEN has_range THEN pg_advisory_xact_lock(locks, first_digits)
        ELSE pg_advisory_xact_lock_shared(locks, first_digits)
    END
    FROM (
        SELECT substr(phone_number, 2, 4)::integer AS first_digits, bool_or(is_range) AS has_range
        FROM inserted GROUP BY 1 ORDER BY 1
    ) AS wanted;
    -- Most numbers lie where there are no blocks at all.
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT left(phone_number, 5) AS head FROM inserted) AS heads
        WHERE EXISTS (
            SELECT FROM phone_numbers AS block
            WHERE block.is_range AND block.lifecycle <> 'released'
                AND block.phone_number ~>=~ head AND block.phone_number ~<~ (head || ':')
        )
    ) AND (
        EXISTS (
            SELECT FROM inserted CROSS JOIN LATERAL generate_series(5, length(inserted.phone_number) - 1) AS upto
            JOIN phone_numbers AS block ON block.is_range AND block.phone_number = left(inserted.phone_number, upto)
            WHERE block.lifecycle <> 'released' AND block.tenant_id <> inserted.tenant_id
        ) OR EXISTS (
            SELECT FROM inserted JOIN phone_numbers AS inside
                ON inside.phone_number ~>~ inserted.phone_number
                AND inside.phone_number ~<~ (inserted.phone_number || ':')
            WHERE inserted.is_range AND inside.lifecycle <> 'released' AND inside.tenant_id <> inserted.tenant_id
        )
    ) THEN
        RAISE EXCEPTION 'the address overlaps another tenant''s'
            USING ERRCODE = 'exclusion_violation', TABLE = 'phone_numbers', CONSTRAINT = 'phone_numbers_overlap_excl';
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION phone_numbers_refuse_overlaps() FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO dialplane_operator;
ALTER FUNCTION phone_numbers_refuse_overlaps() OWNER TO dialplane_operator;
REVOKE CREATE ON SCHEMA public FROM dialplane_operator;

DROP TRIGGER phone_numbers_refuse_overlap ON phone_numbers;
CREATE TRIGGER phone_numbers_refuse_overlap BEFORE UPDATE OF phone_number, is_range, tenant_id
    ON phone_numbers FOR EACH ROW EXECUTE FUNCTION phone_numbers_refuse_overlap();
CREATE TRIGGER phone_numbers_refuse_overlaps AFTER INSERT ON phone_numbers
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION phone_numbers_refuse_overlaps();

-- A plan that a connection made while the table was small would read the whole of it when it is large. Nor is one made
-- anew for each length of the arrays: that takes longer than the statement.
ALTER FUNCTION feed_append(smallint[], bytea[], smallint[], bytea[], text[], bytea) SET enable_seqscan = off;
ALTER FUNCTION feed_append(smallint[], bytea[], smallint[], bytea[], text[], bytea)
    SET plan_cache_mode = force_generic_plan;
