-- An epoch of the feed belongs to the database that began it. One that came back from a backup, or goes on from a standby
-- that lacked the last commits, may say something else at a revision that routers have seen, and neither it nor Redis need
-- show that: so it isn't the same database any more, and the feed begins a new epoch.
--
-- The same: this cluster (a new one has another identifier), on this timeline (recovery to a point in time and a standby's
-- promotion begin another), this database and this table (loading a dump makes new ones).

CREATE FUNCTION feed_database() RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT concat_ws('-',
        (SELECT system_identifier FROM pg_control_system()),
        left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (SELECT oid FROM pg_database WHERE datname = current_database()),
        'feed_state'::regclass::oid)
$$;

REVOKE ALL ON FUNCTION feed_database() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed_database() TO dialplane_operator;

ALTER TABLE feed_epochs ADD COLUMN database text NOT NULL DEFAULT feed_database();
