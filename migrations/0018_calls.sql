-- What became of calls: a record each, in partitions of a month; which events are stored; calls that weren't routed. Routers
-- write none of it: the admin plane's consumer does, as an operator, from their events. None of it has foreign keys: what
-- happened stays when a tenant, a number or an agent goes.

-- A record is worked out from `legs`, which hold all that was told of the call. A text message is a record as well, with
-- direction 'message': so it counts once however often its provider repeats it.
CREATE TABLE calls (
    id                 uuid NOT NULL,         -- version 7: of when it was first stored
    started_at         timestamptz NOT NULL,  -- when a router first heard of it, by that router's clock
    tenant_id          uuid,                  -- absent: nobody's
    phone_number_id    uuid,
    agent_id           uuid,                  -- whom the last decision gave it to
    direction          text NOT NULL,
    from_number        text,
    to_number          text,
    provider           text NOT NULL,         -- these three of the carrier's leg, as far as it is known
    account_id         uuid NOT NULL,
    provider_call_id   text NOT NULL,
    legs               jsonb NOT NULL,        -- admin/src/calls/leg.rs
    action             text,                  -- what was decided last; absent: nothing was
    is_closed          boolean NOT NULL DEFAULT false,
    is_over_limit      boolean NOT NULL DEFAULT false,
    refused            text,                  -- why it wasn't routed; absent: it was
    outcome            text NOT NULL,         -- all of the record in a word
    ringing_at         timestamptz,
    answered_at        timestamptz,
    transferred_at     timestamptz,
    voicemail_at       timestamptz,
    ended_at           timestamptz,           -- absent: under way, or its end was never told
    end_kind           text,
    end_reason         text,                  -- in the provider's words
    duration_ms        bigint,                -- what is counted; absent until it is known
    reported_cost      numeric,               -- what providers want for it, of all legs
    reported_currency  text,
    cost_stages        jsonb,                 -- what of it is for what: decimal numbers as texts, by their names
    flags              text[] NOT NULL DEFAULT '{}',
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT calls_pkey PRIMARY KEY (id, started_at),
    CONSTRAINT calls_direction_check CHECK (direction IN ('inbound', 'outbound', 'message')),
    CONSTRAINT calls_action_check CHECK (
        action IN ('agent', 'forward', 'ring', 'voicemail', 'message', 'reject', 'redirect')
    ),
    CONSTRAINT calls_refused_check CHECK (
        refused IN ('unknown_number', 'inactive_number', 'suspended_tenant', 'no_route')
    ),
    CONSTRAINT calls_outcome_check CHECK (
        outcome IN ('under_way', 'answered', 'missed', 'closed', 'refused', 'voicemail', 'busy', 'message')
    ),
    CONSTRAINT calls_end_kind_check CHECK (end_kind IN ('completed', 'busy', 'no_answer', 'canceled', 'failed')),
    CONSTRAINT calls_duration_check CHECK (duration_ms >= 0),
    CONSTRAINT calls_flags_check CHECK (
        flags <@ '{clock_off,duration_negative,duration_absurd,late_status,conflicting_repeat,never_offered}'
    )
) PARTITION BY RANGE (started_at);
CREATE INDEX calls_tenant_idx ON calls (tenant_id, started_at DESC, id DESC);
CREATE INDEX calls_started_idx ON calls (started_at DESC, id DESC);
CREATE INDEX calls_phone_number_idx ON calls (phone_number_id, started_at DESC);
CREATE INDEX calls_agent_idx ON calls (agent_id, started_at DESC);
CREATE INDEX calls_under_way_idx ON calls (tenant_id, started_at) WHERE ended_at IS NULL;

ALTER TABLE calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE calls FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON calls TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON calls TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT ON calls TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON calls TO dialplane_operator;

-- What has no partition of its own: calls of routers whose clocks are off. Tenants aren't granted a partition; its policies
-- are the table's all the same.
CREATE TABLE calls_default PARTITION OF calls DEFAULT;
ALTER TABLE calls_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE calls_default FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON calls_default TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON calls_default TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT ON calls_default TO dialplane_operator;

-- Makes the partition of the month that `within` lies in. Says whether there was none. Who calls it takes what lies in the
-- default partition of that month out beforehand and puts it back.
CREATE FUNCTION calls_make_partition(within timestamptz) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    month CONSTANT timestamptz := date_trunc('month', within);
    name  CONSTANT text := 'calls_' || to_char(month, 'YYYY_MM');
BEGIN
    -- One at a time.
    PERFORM pg_advisory_xact_lock(1684627824, 18);
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE public.%I PARTITION OF public.calls FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = 80)',
        name, month, month + interval '1 month'
    );
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
        'CREATE POLICY tenant ON public.%I TO dialplane_tenant
            USING (tenant_id = nullif(current_setting(''dialplane.tenant_id'', true), '''')::uuid)', name
    );
    EXECUTE format(
        'CREATE POLICY operator ON public.%I TO dialplane_operator USING (current_user = ''dialplane_operator'')', name
    );
    EXECUTE format('GRANT SELECT ON public.%I TO dialplane_operator', name);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION calls_make_partition(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION calls_make_partition(timestamptz) TO dialplane_operator;

-- Drops the partitions of months that are over before `upto`. Says how many.
CREATE FUNCTION calls_drop_partitions(upto timestamptz) RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
-- All who read calls would wait behind one who waits: it is tried again later.
SET lock_timeout = '2s'
AS $$
DECLARE
    old     text;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(1684627824, 18);
    FOR old IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'public.calls'::regclass AND relname ~ '^calls_[0-9]{4,}_[0-9]{2}$'
            AND to_date(substr(relname, 7), 'YYYY_MM') + interval '1 month' <= upto
    LOOP
        EXECUTE format('DROP TABLE public.%I', old);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
REVOKE ALL ON FUNCTION calls_drop_partitions(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION calls_drop_partitions(timestamptz) TO dialplane_operator;

SELECT calls_make_partition(now() + make_interval(months => month)) FROM generate_series(-2, 2) AS month;

-- By which names a call is known: how a later event finds its record, and how the legs of one call find each other. A name
-- is a hash, over the account and the provider's call id, or over the tenant and the call id: the latter is what the
-- agent's leg, which knows the carrier's call id, meets the carrier's leg by; never another tenant's.
CREATE TABLE call_legs (
    name        uuid NOT NULL,
    call_id     uuid NOT NULL,
    started_at  timestamptz NOT NULL,  -- the record's
    CONSTRAINT call_legs_pkey PRIMARY KEY (name)
);
-- Rows come in the order of time, as good as: enough to find the old ones.
CREATE INDEX call_legs_started_idx ON call_legs USING brin (started_at);
ALTER TABLE call_legs ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_legs FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON call_legs TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON call_legs TO dialplane_operator;

-- How far each writer of events is stored without a hole, and which of its batches are stored beyond. Who stores a batch
-- writes its row first and reads `stored_through` afterwards: whichever of the two knew it, it counts once.
CREATE TABLE event_writers (
    writer          uuid NOT NULL,
    stored_through  bigint NOT NULL DEFAULT 0,
    seen_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT event_writers_pkey PRIMARY KEY (writer)
);
ALTER TABLE event_writers ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_writers FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON event_writers TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON event_writers TO dialplane_operator;

CREATE TABLE event_batches (
    writer    uuid NOT NULL,
    sequence  bigint NOT NULL,
    CONSTRAINT event_batches_pkey PRIMARY KEY (writer, sequence)
);
ALTER TABLE event_batches ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_batches FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON event_batches TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON event_batches TO dialplane_operator;

-- Calls that weren't routed, one row for what somebody has to mend. Bounded by account: what is beyond is counted in one
-- row of the account's with an empty number and the reason 'other'.
CREATE TABLE refused_calls (
    id             uuid NOT NULL,
    tenant_id      uuid,              -- the account's owner; absent: the platform
    account_id     uuid NOT NULL,
    called_number  text NOT NULL,
    reason         text NOT NULL,
    count          bigint NOT NULL,   -- each call once
    first_at       timestamptz NOT NULL,
    last_at        timestamptz NOT NULL,
    last_from      text,
    is_dismissed   boolean NOT NULL DEFAULT false,  -- until it is called again
    CONSTRAINT refused_calls_pkey PRIMARY KEY (id),
    CONSTRAINT refused_calls_called_number_key UNIQUE (account_id, called_number, reason),
    CONSTRAINT refused_calls_reason_check CHECK (
        reason IN ('unknown_number', 'inactive_number', 'suspended_tenant', 'no_route', 'other')
    )
);
CREATE INDEX refused_calls_tenant_idx ON refused_calls (tenant_id, id);
ALTER TABLE refused_calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE refused_calls FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON refused_calls TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON refused_calls TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT ON refused_calls TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON refused_calls TO dialplane_operator;

-- A number that is being ported has arrived with its first call: looked for with every few calls, found hardly ever.
CREATE INDEX phone_numbers_porting_idx ON phone_numbers (id) WHERE lifecycle = 'porting';
