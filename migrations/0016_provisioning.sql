-- Provisioning: jobs that buy, take over, configure and give back numbers at providers; what was bought; where each number
-- is held. A job is written by a request; workers do the rest as operators.

CREATE TABLE provisioning_jobs (
    id                uuid NOT NULL,
    tenant_id         uuid,            -- absent: the platform's, for its pool
    kind              text NOT NULL,
    state             text NOT NULL DEFAULT 'pending',
    request           jsonb NOT NULL,  -- what was asked for
    progress          jsonb NOT NULL,  -- where it is: admin/src/provisioning/workflow.rs
    stage             text NOT NULL,   -- the same in a word
    reason_code       text,            -- why it waits, or ended as it did
    reason            text,            -- the same for people
    phone_number_id   uuid,            -- these two as soon as there are such; no foreign keys: what happened stays
    agent_id          uuid,
    batch_id          uuid,            -- of those that were asked for together
    cancel_requested  boolean NOT NULL DEFAULT false,
    next_at           timestamptz NOT NULL DEFAULT now(),
    lease             uuid,            -- of whoever works on it
    lease_until       timestamptz,
    actor             text NOT NULL,   -- where it comes from, for the audit log
    request_id        text,
    address           text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    ended_at          timestamptz,
    CONSTRAINT provisioning_jobs_pkey PRIMARY KEY (id),
    CONSTRAINT provisioning_jobs_tenant_key UNIQUE (tenant_id, id),
    CONSTRAINT provisioning_jobs_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT provisioning_jobs_kind_check CHECK (
        kind IN ('number', 'agent', 'import', 'port_in', 'release', 'configure', 'relink', 'update',
            'subaccount', 'refill')
    ),
    CONSTRAINT provisioning_jobs_state_check CHECK (
        state IN ('pending', 'running', 'confirming', 'manual', 'done', 'failed', 'canceled')
    )
);
CREATE INDEX provisioning_jobs_due_idx ON provisioning_jobs (next_at) WHERE state IN ('pending', 'running');
CREATE INDEX provisioning_jobs_tenant_idx ON provisioning_jobs (tenant_id, id);
CREATE INDEX provisioning_jobs_batch_idx ON provisioning_jobs (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX provisioning_jobs_state_idx ON provisioning_jobs (state, id);
CREATE INDEX provisioning_jobs_number_idx ON provisioning_jobs (phone_number_id) WHERE ended_at IS NULL;
-- A number is given back by one job.
CREATE UNIQUE INDEX provisioning_jobs_release_key ON provisioning_jobs (phone_number_id)
    WHERE kind = 'release' AND ended_at IS NULL;

ALTER TABLE provisioning_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE provisioning_jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON provisioning_jobs TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON provisioning_jobs TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT ON provisioning_jobs TO dialplane_tenant;
GRANT UPDATE (state, progress, stage, request, reason_code, reason, cancel_requested, next_at, updated_at, ended_at)
    ON provisioning_jobs TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON provisioning_jobs TO dialplane_operator;

-- What a job did, one row a step, in order; never changed.
CREATE TABLE provisioning_steps (
    job_id      uuid NOT NULL,
    step        integer NOT NULL,
    tenant_id   uuid,
    stage       text NOT NULL,
    outcome     text NOT NULL,
    account_id  uuid,
    code        text,
    detail      text,
    at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT provisioning_steps_pkey PRIMARY KEY (job_id, step),
    CONSTRAINT provisioning_steps_job_fkey FOREIGN KEY (job_id) REFERENCES provisioning_jobs (id) ON DELETE CASCADE,
    CONSTRAINT provisioning_steps_tenant_fkey FOREIGN KEY (tenant_id, job_id)
        REFERENCES provisioning_jobs (tenant_id, id) ON DELETE CASCADE
);

ALTER TABLE provisioning_steps ENABLE ROW LEVEL SECURITY;
ALTER TABLE provisioning_steps FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON provisioning_steps TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON provisioning_steps TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT ON provisioning_steps TO dialplane_tenant;
GRANT SELECT, INSERT ON provisioning_steps TO dialplane_operator;

-- Each request that can cost, recorded before it is sent. Its id goes with it to the provider as a tag. What was spent
-- stays when tenant, job and account are gone: no foreign keys.
CREATE TABLE purchases (
    id            uuid NOT NULL,
    tenant_id     uuid,
    job_id        uuid NOT NULL,
    account_id    uuid NOT NULL,
    provider      text NOT NULL,
    country       text NOT NULL,
    phone_number  text,           -- absent: the provider chooses
    upfront       numeric(12, 4) NOT NULL,
    monthly       numeric(12, 4) NOT NULL,
    currency      text NOT NULL,
    is_estimated  boolean NOT NULL,  -- the provider named no price: the platform's estimate
    state         text NOT NULL DEFAULT 'recorded',
    held_id       text,           -- the provider's name of what was bought
    wanted        jsonb NOT NULL, -- what was looked for
    settles_at    timestamptz,    -- until then it may still come about
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT purchases_pkey PRIMARY KEY (id),
    -- recorded: not sent. sent: what came of it isn't known. owned: kept. refused: the provider didn't. lost: looked for
    -- and not found. late: it came after all, and was pooled. returned: given back.
    CONSTRAINT purchases_state_check CHECK (
        state IN ('recorded', 'sent', 'owned', 'refused', 'lost', 'late', 'returned')
    )
);
CREATE INDEX purchases_job_idx ON purchases (job_id);
CREATE INDEX purchases_account_idx ON purchases (account_id, state);
CREATE INDEX purchases_spent_idx ON purchases (created_at, tenant_id);

ALTER TABLE purchases ENABLE ROW LEVEL SECURITY;
ALTER TABLE purchases FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON purchases TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON purchases TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT ON purchases TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE ON purchases TO dialplane_operator;

-- Where a number is held: the carrier that has it, and the providers of agents that know of it. The platform's knowledge,
-- whoever the number is with.
CREATE TABLE number_holdings (
    phone_number_id  uuid NOT NULL,
    account_id       uuid NOT NULL,
    role             text NOT NULL,
    held_id          text NOT NULL,   -- the provider's name of it
    origin           text NOT NULL,
    former           jsonb,           -- what stood on it before it was imported: put back when it goes
    monthly          numeric(12, 4),
    currency         text,
    purchase_id      uuid,
    public_url       text,            -- where it was pointed
    wants_link       boolean NOT NULL DEFAULT false,  -- another agent answers it now, and no job tells its provider yet
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT number_holdings_pkey PRIMARY KEY (phone_number_id, account_id),
    CONSTRAINT number_holdings_held_key UNIQUE (account_id, held_id),
    CONSTRAINT number_holdings_phone_number_fkey FOREIGN KEY (phone_number_id)
        REFERENCES phone_numbers (id) ON DELETE CASCADE,
    CONSTRAINT number_holdings_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT number_holdings_role_check CHECK (role IN ('carrier', 'agent')),
    CONSTRAINT number_holdings_origin_check CHECK (origin IN ('bought', 'free', 'imported'))
);

ALTER TABLE number_holdings ENABLE ROW LEVEL SECURITY;
ALTER TABLE number_holdings FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON number_holdings TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON number_holdings TO dialplane_operator;
CREATE INDEX number_holdings_wants_link_idx ON number_holdings (phone_number_id) WHERE wants_link;

-- Whoever gives a number that a carrier holds for us to another agent, by whichever way: a job tells the agent's provider.
CREATE FUNCTION phone_numbers_want_link() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE number_holdings SET wants_link = true WHERE phone_number_id = NEW.id AND role = 'carrier' AND NOT wants_link;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION phone_numbers_want_link() FROM PUBLIC;
CREATE TRIGGER phone_numbers_want_link AFTER UPDATE OF agent_id ON phone_numbers
    FOR EACH ROW WHEN (NEW.agent_id IS NOT NULL AND NEW.agent_id IS DISTINCT FROM OLD.agent_id)
    EXECUTE FUNCTION phone_numbers_want_link();

-- Whether a carrier holds a number for us, so that it has to be given back. A tenant's transaction, which sees no holding,
-- asks of its own numbers alone.
CREATE FUNCTION phone_number_is_held(id_asked uuid) RETURNS boolean
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM number_holdings AS held JOIN phone_numbers AS number ON number.id = held.phone_number_id
        WHERE number.id = id_asked AND held.role = 'carrier' AND (
            current_setting('role', true) IS DISTINCT FROM 'dialplane_tenant'
            OR number.tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid
        )
    )
$$;
REVOKE ALL ON FUNCTION phone_number_is_held(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION phone_number_is_held(uuid) TO dialplane_tenant, dialplane_operator;

-- What each account holds against what is believed here: one row a run, one a finding. They are kept for a month.
CREATE TABLE reconciliations (
    id          uuid NOT NULL,
    dry_run     boolean NOT NULL,
    account_id  uuid,            -- absent: all
    state       text NOT NULL DEFAULT 'pending',
    accounts    integer NOT NULL DEFAULT 0,
    numbers     integer NOT NULL DEFAULT 0,
    failure     text,
    actor       text NOT NULL,   -- where it comes from, for the audit log
    request_id  text,
    address     text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    CONSTRAINT reconciliations_pkey PRIMARY KEY (id),
    CONSTRAINT reconciliations_state_check CHECK (state IN ('pending', 'running', 'done', 'failed'))
);
CREATE INDEX reconciliations_open_idx ON reconciliations (id) WHERE ended_at IS NULL;
CREATE INDEX reconciliations_ended_idx ON reconciliations (ended_at);
CREATE TABLE reconciliation_findings (
    reconciliation_id  uuid NOT NULL,
    finding            integer NOT NULL,
    account_id         uuid NOT NULL,
    kind               text NOT NULL,
    phone_number       text,
    held_id            text NOT NULL,
    detail             text NOT NULL,
    action             text NOT NULL,
    outcome            text NOT NULL,
    CONSTRAINT reconciliation_findings_pkey PRIMARY KEY (reconciliation_id, finding),
    CONSTRAINT reconciliation_findings_run_fkey FOREIGN KEY (reconciliation_id)
        REFERENCES reconciliations (id) ON DELETE CASCADE,
    CONSTRAINT reconciliation_findings_kind_check CHECK (
        kind IN ('orphan', 'late_purchase', 'ghost', 'drift', 'unreachable')
    ),
    CONSTRAINT reconciliation_findings_action_check CHECK (
        action IN ('report', 'wait', 'pool', 'release', 'adopt', 'deactivate', 'repair')
    ),
    -- planned: a dry run. done. person: somebody has to see to it. waiting: a later run sees to it. passed: looked at
    -- again, it was no more so. failed: detail says why.
    CONSTRAINT reconciliation_findings_outcome_check CHECK (
        outcome IN ('planned', 'done', 'person', 'waiting', 'passed', 'failed')
    )
);
ALTER TABLE reconciliations ENABLE ROW LEVEL SECURITY;
ALTER TABLE reconciliations FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON reconciliations TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON reconciliations TO dialplane_operator;
ALTER TABLE reconciliation_findings ENABLE ROW LEVEL SECURITY;
ALTER TABLE reconciliation_findings FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON reconciliation_findings TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, DELETE ON reconciliation_findings TO dialplane_operator;

-- How much may be spent each month for a tenant; absent: the platform's default.
ALTER TABLE tenants
    ADD COLUMN spend_max numeric(12, 2),
    ADD CONSTRAINT tenants_spend_max_check CHECK (spend_max BETWEEN 0 AND 1000000);

-- An agent that is being made at its provider has no target yet. Where it was made by us, it is deleted with the row.
ALTER TABLE agents
    ALTER COLUMN target DROP NOT NULL,
    ADD COLUMN account_id uuid,
    ADD COLUMN is_made    boolean NOT NULL DEFAULT false,
    ADD COLUMN job_id     uuid,  -- the job that makes it; no foreign key: what happened stays
    ADD CONSTRAINT agents_account_fkey FOREIGN KEY (tenant_id, account_id)
        REFERENCES account_grants (tenant_id, account_id);

-- What the providers of agents that we made, or are making, were told.
CREATE TABLE hosted_agents (
    agent_id    uuid NOT NULL,
    public_url  text,                            -- where the provider sends what it has to say
    is_changed  boolean NOT NULL DEFAULT false,  -- the agent was changed since, and no job tells its provider yet
    CONSTRAINT hosted_agents_pkey PRIMARY KEY (agent_id),
    CONSTRAINT hosted_agents_agent_fkey FOREIGN KEY (agent_id) REFERENCES agents (id) ON DELETE CASCADE
);
CREATE INDEX hosted_agents_changed_idx ON hosted_agents (agent_id) WHERE is_changed;

ALTER TABLE hosted_agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE hosted_agents FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON hosted_agents TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON hosted_agents TO dialplane_operator;

-- Whoever changes an agent that its provider was told of, by whichever way, or is being told of at this moment: a job tells it.
CREATE FUNCTION agents_want_update() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO hosted_agents (agent_id, is_changed) VALUES (NEW.id, true)
    ON CONFLICT (agent_id) DO UPDATE SET is_changed = true WHERE NOT hosted_agents.is_changed;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION agents_want_update() FROM PUBLIC;
CREATE TRIGGER agents_want_update AFTER UPDATE OF language, greeting, prompt, voice_id, config ON agents
    FOR EACH ROW WHEN (
        (NEW.is_made OR NEW.target IS NULL)
        AND (NEW.language, NEW.greeting, NEW.prompt, NEW.voice_id, NEW.config)
            IS DISTINCT FROM (OLD.language, OLD.greeting, OLD.prompt, OLD.voice_id, OLD.config)
    )
    EXECUTE FUNCTION agents_want_update();

-- As in 0007: the owner of the tables sees no row of theirs.
GRANT CREATE ON SCHEMA public TO dialplane_operator;
ALTER FUNCTION phone_number_is_held(uuid) OWNER TO dialplane_operator;
ALTER FUNCTION phone_numbers_want_link() OWNER TO dialplane_operator;
ALTER FUNCTION agents_want_update() OWNER TO dialplane_operator;
REVOKE CREATE ON SCHEMA public FROM dialplane_operator;

SELECT audit_table('purchases', 'purchase', '{id}');
-- What stood on an imported number may hold its owner's secrets.
SELECT audit_table('number_holdings', 'phone_number.holding', '{phone_number_id,account_id}', '{former}');
