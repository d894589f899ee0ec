-- Two roles without login that every transaction of the admin plane takes one of. Roles belong to the cluster, not to
-- the database: they may be there already, or be created for another database at this very moment.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['dialplane_tenant', 'dialplane_operator'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        BEGIN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        EXCEPTION
            -- Granted at this very moment by a migration of another database.
            WHEN unique_violation OR internal_error THEN NULL;
            WHEN insufficient_privilege THEN
                IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
                    RAISE EXCEPTION 'role % is not granted to %', wanted, current_user
                        USING HINT = format('Run as an administrator: GRANT %I TO %I', wanted, current_user);
                END IF;
        END;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO dialplane_tenant, dialplane_operator;

-- So that a process can tell whether the schema is its own.
GRANT SELECT ON _sqlx_migrations TO dialplane_operator;
