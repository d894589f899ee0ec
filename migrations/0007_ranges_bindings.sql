-- Blocks of numbers on a trunk: a phone number whose address is what the block's numbers begin with. Two owners for one
-- address are refused here, where every writer passes.

ALTER TABLE phone_numbers
    ADD COLUMN is_range   boolean NOT NULL DEFAULT false,  -- phone_number is what the block's numbers begin with
    ADD COLUMN address    text,     -- where the location is, in one line
    ADD COLUMN calls_max  integer,  -- absent: any number of calls at a time
    ADD CONSTRAINT phone_numbers_calls_max_check CHECK (calls_max BETWEEN 1 AND 1000),
    DROP CONSTRAINT phone_numbers_phone_number_check,
    ADD CONSTRAINT phone_numbers_phone_number_check CHECK (
        phone_number ~ CASE WHEN is_range THEN '^\+[1-9][0-9]{3,13}$' ELSE '^\+[1-9][0-9]{6,14}$' END
    ),
    DROP CONSTRAINT phone_numbers_phone_number_key;
-- A number and a block may have the same digits: the block's numbers are longer. The operator class lets the index also
-- find what begins with given digits.
CREATE UNIQUE INDEX phone_numbers_phone_number_key ON phone_numbers (phone_number text_pattern_ops, is_range);

-- Refuses a number inside another tenant's block, and a block that holds, or lies in, what is another tenant's. It sees
-- all tenants' rows and tells only that there is such a one.
--
-- All addresses that could overlap have their first four digits in common, as no block has fewer: an advisory lock on
-- these until the transaction ends lets no two writers miss each other. Numbers can't overlap each other, so that they
-- share the lock and wait for blocks alone. Who writes several blocks in one transaction does it in the order of their
-- digits, or may meet another such writer in a deadlock.
CREATE FUNCTION phone_numbers_refuse_overlap() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
-- A plan that a connection made while the table was small would read the whole of it when it is large.
SET enable_seqscan = off
AS $$
DECLARE
    locks        CONSTANT integer := 1684627824;  -- "diap" in ASCII; the other key is of one part
    first_digits CONSTANT integer := substr(NEW.phone_number, 2, 4)::integer;
BEGIN
    IF NEW.is_range THEN
        PERFORM pg_advisory_xact_lock(locks, first_digits);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(locks, first_digits);
    END IF;
    -- Statements of their own: each sees what was committed until it began, so with the lock held, everything.
    IF EXISTS (
        SELECT FROM phone_numbers AS block
        WHERE block.is_range AND block.tenant_id <> NEW.tenant_id AND block.phone_number = ANY (ARRAY(
            SELECT left(NEW.phone_number, upto) FROM generate_series(5, length(NEW.phone_number) - 1) AS upto
        ))
    ) OR (NEW.is_range AND EXISTS (
        -- ':' comes behind '9'.
        SELECT FROM phone_numbers AS inside
        WHERE inside.tenant_id <> NEW.tenant_id
            AND inside.phone_number ~>~ NEW.phone_number AND inside.phone_number ~<~ (NEW.phone_number || ':')
    )) THEN
        RAISE EXCEPTION 'the address overlaps another tenant''s'
            USING ERRCODE = 'exclusion_violation', TABLE = 'phone_numbers', CONSTRAINT = 'phone_numbers_overlap_excl';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER phone_numbers_refuse_overlap BEFORE INSERT OR UPDATE OF phone_number, is_range, tenant_id
    ON phone_numbers FOR EACH ROW EXECUTE FUNCTION phone_numbers_refuse_overlap();
REVOKE ALL ON FUNCTION phone_numbers_refuse_overlap() FROM PUBLIC;
-- The owner of the tables sees no row of theirs; the operators' role does. To be given a function, a role needs CREATE.
GRANT CREATE ON SCHEMA public TO dialplane_operator;
ALTER FUNCTION phone_numbers_refuse_overlap() OWNER TO dialplane_operator;
REVOKE CREATE ON SCHEMA public FROM dialplane_operator;

-- The provider's own name of a number (Vapi's phoneNumberId), by which its webhooks may speak of it.
ALTER TABLE phone_number_bindings ADD COLUMN number_id text;
CREATE UNIQUE INDEX phone_number_bindings_number_id_key ON phone_number_bindings (account_id, number_id)
    WHERE number_id IS NOT NULL;
