-- The feed: what routers have to know, written in the transaction that changes it. No tenant role reads or writes these
-- tables; it appends through feed_append, which runs as the owner.

CREATE TABLE feed_state (
    one       boolean NOT NULL DEFAULT true,
    revision  bigint NOT NULL DEFAULT 0,
    digest    numeric(39) NOT NULL DEFAULT 0,
    CONSTRAINT feed_state_pkey PRIMARY KEY (one),
    CONSTRAINT feed_state_one_check CHECK (one)
);
INSERT INTO feed_state DEFAULT VALUES;

-- Each record as it was last written. The hash is of these bytes, and the digest the sum of the hashes.
CREATE TABLE feed_records (
    kind      smallint NOT NULL,
    key       bytea NOT NULL,
    version   smallint NOT NULL,
    payload   bytea NOT NULL,
    hash      numeric(39) NOT NULL,
    revision  bigint NOT NULL,
    CONSTRAINT feed_records_pkey PRIMARY KEY (kind, key)
);

CREATE TABLE feed_entries (
    revision      bigint NOT NULL,
    frames        bytea NOT NULL,
    digest        numeric(39) NOT NULL,
    committed_at  timestamptz NOT NULL,
    CONSTRAINT feed_entries_pkey PRIMARY KEY (revision)
);

-- Every life that the feed in Redis has had. One that isn't here was never ours, or was lost with a restored backup.
CREATE TABLE feed_epochs (
    epoch       uuid NOT NULL,
    revision    bigint NOT NULL,  -- it began at or after this one
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT feed_epochs_pkey PRIMARY KEY (epoch)
);

-- Where the publisher is, for people to read, and what they want of it. It decides by what lies in Redis alone.
CREATE TABLE feed_publisher (
    one                  boolean NOT NULL DEFAULT true,
    epoch                uuid,
    published_revision   bigint NOT NULL DEFAULT 0,
    checkpoint_revision  bigint NOT NULL DEFAULT 0,
    new_epoch_wanted     boolean NOT NULL DEFAULT false,
    CONSTRAINT feed_publisher_pkey PRIMARY KEY (one),
    CONSTRAINT feed_publisher_one_check CHECK (one)
);
INSERT INTO feed_publisher DEFAULT VALUES;

REVOKE ALL ON feed_state, feed_records, feed_entries, feed_epochs, feed_publisher FROM PUBLIC, dialplane_tenant;
GRANT SELECT ON feed_state, feed_records TO dialplane_operator;
GRANT SELECT, DELETE ON feed_entries TO dialplane_operator;
GRANT SELECT, INSERT ON feed_epochs TO dialplane_operator;
GRANT SELECT, UPDATE ON feed_publisher TO dialplane_operator;

-- Appends one delta and returns its revision. Call it last in the transaction: from here to the commit nobody else can,
-- which makes the order of revisions the order of commits.
--
-- One element of each array for each record, no record twice: kind, key, version, payload (null: the record is gone),
-- hash as decimal text (null likewise). frames: the same changes as the feed carries them.
-- Removing a record that isn't there changes no digest.
CREATE FUNCTION feed_append(
    kinds smallint[], keys bytea[], versions smallint[], payloads bytea[], hashes text[], frames bytea
) RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    modulus   CONSTANT numeric := 340282366920938463463374607431768211456;  -- 2^128
    before    feed_state%ROWTYPE;
    gone      numeric;
    added     numeric;
    appended  bigint;
    total     numeric;
BEGIN
    SELECT * INTO STRICT before FROM feed_state WHERE one FOR UPDATE;
    appended := before.revision + 1;

    SELECT coalesce(sum(stored.hash), 0) INTO gone
    FROM unnest(kinds, keys) AS changed (kind, key)
    JOIN feed_records AS stored USING (kind, key);
    SELECT coalesce(sum(hash::numeric), 0) INTO added FROM unnest(hashes) AS hash;
    total := mod(mod(before.digest - gone + added, modulus) + modulus, modulus);

    DELETE FROM feed_records AS stored
    USING unnest(kinds, keys, payloads) AS changed (kind, key, payload)
    WHERE stored.kind = changed.kind AND stored.key = changed.key AND changed.payload IS NULL;
    INSERT INTO feed_records AS stored (kind, key, version, payload, hash, revision)
    SELECT changed.kind, changed.key, changed.version, changed.payload, changed.hash::numeric, appended
    FROM unnest(kinds, keys, versions, payloads, hashes) AS changed (kind, key, version, payload, hash)
    WHERE changed.payload IS NOT NULL
    ON CONFLICT (kind, key) DO UPDATE SET
        version = excluded.version,
        payload = excluded.payload,
        hash = excluded.hash,
        revision = excluded.revision;

    INSERT INTO feed_entries (revision, frames, digest, committed_at)
    VALUES (appended, feed_append.frames, total, clock_timestamp());
    UPDATE feed_state SET revision = appended, digest = total WHERE one;
    PERFORM pg_notify('dialplane_feed', appended::text);
    RETURN appended;
END
$$;

REVOKE ALL ON FUNCTION feed_append(smallint[], bytea[], smallint[], bytea[], text[], bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed_append(smallint[], bytea[], smallint[], bytea[], text[], bytea)
    TO dialplane_tenant, dialplane_operator;
