-- What calls cost, and what came together by the hour: rate cards, usage, corrections of calls, plans.

-- What somebody pays. Where several hold for a call, the most specific does: of a tenant before all tenants', of a provider
-- before any, of a country before any, of a direction before both; then the one that began last.
CREATE TABLE rates (
    id           uuid NOT NULL,
    tenant_id    uuid,             -- absent: all tenants
    provider     text,             -- absent: any
    country      text,             -- of the called number; absent: any
    direction    text,             -- absent: both
    kind         text NOT NULL,
    amount       numeric(14, 6) NOT NULL,
    currency     text NOT NULL,
    increment_s  integer NOT NULL DEFAULT 60,
    minimum_s    integer NOT NULL DEFAULT 0,
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz,      -- absent: for good
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT rates_pkey PRIMARY KEY (id),
    CONSTRAINT rates_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    -- Two that are alike in all of this would hold with equal right.
    CONSTRAINT rates_ambiguous_key UNIQUE NULLS NOT DISTINCT (
        kind, tenant_id, provider, country, direction, valid_from
    ),
    CONSTRAINT rates_kind_check CHECK (
        kind IN ('per_minute', 'per_call', 'per_number_month', 'stage:transport', 'stage:stt', 'stage:llm', 'stage:tts',
            'stage:platform')
    ),
    CONSTRAINT rates_direction_check CHECK (direction IN ('inbound', 'outbound')),
    CONSTRAINT rates_country_check CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT rates_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT rates_amount_check CHECK (amount >= 0),
    CONSTRAINT rates_increment_check CHECK (increment_s BETWEEN 1 AND 3600 AND minimum_s BETWEEN 0 AND 3600),
    CONSTRAINT rates_valid_check CHECK (valid_to > valid_from)
);
CREATE INDEX rates_tenant_idx ON rates (tenant_id);

ALTER TABLE rates ENABLE ROW LEVEL SECURITY;
ALTER TABLE rates FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON rates TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON rates TO dialplane_operator
    USING (current_user = 'dialplane_operator');
-- Tenants see what their calls cost, by the function below, and no rates.
GRANT SELECT, INSERT, UPDATE, DELETE ON rates TO dialplane_operator;
SELECT audit_table('rates', 'rate', '{id}');

-- What people say of a call against what its provider does. Each is kept; of a field the last that was said counts.
CREATE TABLE call_corrections (
    id           uuid NOT NULL,
    tenant_id    uuid NOT NULL,
    call_id      uuid NOT NULL,     -- no foreign key: calls go with their partitions
    started_at   timestamptz NOT NULL,
    duration_ms  bigint,
    cost         numeric(18, 6),
    currency     text,
    reason       text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT call_corrections_pkey PRIMARY KEY (id),
    CONSTRAINT call_corrections_duration_check CHECK (duration_ms >= 0),
    CONSTRAINT call_corrections_cost_check CHECK (cost >= 0 AND (cost IS NULL) = (currency IS NULL)),
    CONSTRAINT call_corrections_says_check CHECK (coalesce(duration_ms, cost) IS NOT NULL)
);
-- By the tenant, the call and the order of what was said. A call's id begins with the time at which it was first stored.
CREATE INDEX call_corrections_call_idx ON call_corrections (tenant_id, call_id, id);
CREATE INDEX call_corrections_started_idx ON call_corrections (tenant_id, started_at);

ALTER TABLE call_corrections ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_corrections FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON call_corrections TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON call_corrections TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT ON call_corrections TO dialplane_tenant;
GRANT SELECT, INSERT ON call_corrections TO dialplane_operator;
SELECT audit_table('call_corrections', 'call.correction', '{call_id,id}');

-- Usage, worked out from the records by the hour, in quarters of an hour, since there are time zones whose days begin at
-- one. It outlives the records. An hour that is marked below isn't read here but worked out anew.
--
-- `dims` tells which of number (1), agent (2) and provider (4) a row is of. Rows of all three (7) have the counts of calls
-- that began in the quarter. The most calls at one time don't add up: rows of fewer have nothing but the peak, where it is
-- more than that of one call. `serves` has a bit for each set of the three (1 << dims) for which the row has the peak: that
-- of a set in a quarter is the most of all rows that serve it, and of those of all three.
CREATE TABLE usage_quarters (
    tenant_id        uuid NOT NULL,
    quarter          timestamptz NOT NULL,
    dims             smallint NOT NULL,
    serves           smallint NOT NULL,
    phone_number_id  uuid,
    agent_id         uuid,
    provider         text,
    calls            bigint NOT NULL,
    answered         bigint NOT NULL,
    missed           bigint NOT NULL,
    closed           bigint NOT NULL,
    refused          bigint NOT NULL,
    voicemail        bigint NOT NULL,
    duration_ms      bigint NOT NULL,
    billed_s         bigint NOT NULL,
    peak             bigint NOT NULL,
    CONSTRAINT usage_quarters_key UNIQUE NULLS NOT DISTINCT (
        tenant_id, quarter, dims, phone_number_id, agent_id, provider
    )
);
-- For operators, who ask of all tenants.
CREATE INDEX usage_quarters_quarter_idx ON usage_quarters USING brin (quarter);

-- What the calls that began in a quarter cost: by the rate cards, by their providers' reports, and what counts of the two,
-- or what corrections say. Rows of a stage tell what of that which counts is for what.
CREATE TABLE usage_costs (
    tenant_id        uuid NOT NULL,
    quarter          timestamptz NOT NULL,
    phone_number_id  uuid,
    agent_id         uuid,
    provider         text NOT NULL,
    stage            text NOT NULL,   -- empty: all of it
    currency         text NOT NULL,
    rated            numeric,
    reported         numeric,
    counted          numeric,
    CONSTRAINT usage_costs_key UNIQUE NULLS NOT DISTINCT (
        tenant_id, quarter, stage, phone_number_id, agent_id, provider, currency
    )
);
CREATE INDEX usage_costs_quarter_idx ON usage_costs USING brin (quarter);

-- Hours whose usage isn't what the records say. Several rows of an hour are as good as one.
CREATE TABLE usage_dirty (
    tenant_id  uuid NOT NULL,
    hour       timestamptz NOT NULL
);
CREATE INDEX usage_dirty_tenant_idx ON usage_dirty (tenant_id, hour);
CREATE INDEX usage_dirty_hour_idx ON usage_dirty (hour);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{usage_quarters,usage_costs,usage_dirty}'::text[] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO dialplane_tenant
                USING (tenant_id = nullif(current_setting(''dialplane.tenant_id'', true), '''')::uuid)', name
        );
        EXECUTE format(
            'CREATE POLICY operator ON %I TO dialplane_operator USING (current_user = ''dialplane_operator'')', name
        );
        EXECUTE format('GRANT SELECT ON %I TO dialplane_tenant', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO dialplane_operator', name);
    END LOOP;
END
$$;

-- Hours before this have no records any more: their usage stays as it is.
CREATE TABLE usage_state (
    one            boolean NOT NULL DEFAULT true,
    frozen_before  timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT usage_state_pkey PRIMARY KEY (one),
    CONSTRAINT usage_state_one_check CHECK (one)
);
INSERT INTO usage_state DEFAULT VALUES;
GRANT SELECT ON usage_state TO dialplane_tenant;
GRANT SELECT, UPDATE ON usage_state TO dialplane_operator;

-- Until when a call counts as under way, for the most calls at one time: four hours at most.
CREATE FUNCTION usage_call_end(started_at timestamptz, ended_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
AS $$
    SELECT greatest(least(ended_at, started_at + interval '4 hours'), started_at + interval '1 millisecond')
$$;

-- Marks hours. A mark that is there is held, so that nobody works the hour out and takes the mark away before this
-- transaction is seen; where somebody is just doing so, another is set. So no writer ever waits for one.
CREATE FUNCTION usage_mark(tenants uuid[], hours timestamptz[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
AS $$
    INSERT INTO usage_dirty (tenant_id, hour)
    SELECT marked.tenant_id, marked.hour FROM unnest(tenants, hours) AS marked (tenant_id, hour)
    WHERE NOT EXISTS (
        SELECT FROM usage_dirty AS there WHERE there.tenant_id = marked.tenant_id AND there.hour = marked.hour
        FOR KEY SHARE SKIP LOCKED
    )
$$;
REVOKE ALL ON FUNCTION usage_mark(uuid[], timestamptz[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_mark(uuid[], timestamptz[]) TO dialplane_operator;

-- Marks the hours that a statement's calls began in, or were under way in: as they were, and as they are.
CREATE FUNCTION usage_mark_calls() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    tenants uuid[];
    firsts  timestamptz[];
    lasts   timestamptz[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(tenant_id), array_agg(first), array_agg(last) INTO tenants, firsts, lasts FROM (
            SELECT DISTINCT tenant_id, date_trunc('hour', started_at, 'UTC') AS first,
                date_trunc('hour', usage_call_end(started_at, ended_at), 'UTC') AS last
            FROM new_rows WHERE tenant_id IS NOT NULL AND direction <> 'message'
        ) AS calls;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(tenant_id), array_agg(first), array_agg(last) INTO tenants, firsts, lasts FROM (
            SELECT DISTINCT tenant_id, date_trunc('hour', started_at, 'UTC') AS first,
                date_trunc('hour', usage_call_end(started_at, ended_at), 'UTC') AS last
            FROM old_rows WHERE tenant_id IS NOT NULL AND direction <> 'message'
        ) AS calls;
    ELSE
        SELECT array_agg(tenant_id), array_agg(first), array_agg(last) INTO tenants, firsts, lasts FROM (
            SELECT tenant_id, date_trunc('hour', started_at, 'UTC') AS first,
                date_trunc('hour', usage_call_end(started_at, ended_at), 'UTC') AS last
            FROM new_rows WHERE tenant_id IS NOT NULL AND direction <> 'message'
            UNION
            SELECT tenant_id, date_trunc('hour', started_at, 'UTC'),
                date_trunc('hour', usage_call_end(started_at, ended_at), 'UTC')
            FROM old_rows WHERE tenant_id IS NOT NULL AND direction <> 'message'
        ) AS calls;
    END IF;
    IF tenants IS NOT NULL THEN
        PERFORM usage_mark(array_agg(tenant_id), array_agg(hour)) FROM (
            SELECT DISTINCT tenant_id, hour FROM unnest(tenants, firsts, lasts) AS calls (tenant_id, first, last),
                generate_series(first, last, interval '1 hour') AS hour
        ) AS marked;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION usage_mark_calls() FROM PUBLIC;
CREATE TRIGGER usage_inserted AFTER INSERT ON calls REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION usage_mark_calls();
CREATE TRIGGER usage_updated AFTER UPDATE ON calls REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION usage_mark_calls();
CREATE TRIGGER usage_deleted AFTER DELETE ON calls REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION usage_mark_calls();

-- Marks the hours of which there is usage that such a rate may have a part in. Whoever changes rates calls it behind the
-- change, under the lock that it takes: nobody works usage out meanwhile.
CREATE FUNCTION usage_mark_rate(holder uuid, at_provider text, since timestamptz, upto timestamptz) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT pg_advisory_xact_lock(1684627824, 19);
    SELECT usage_mark(array_agg(tenant_id), array_agg(hour)) FROM (
        SELECT DISTINCT tenant_id, date_trunc('hour', quarter, 'UTC') AS hour FROM usage_quarters
        WHERE dims = 7 AND (holder IS NULL OR tenant_id = holder) AND (at_provider IS NULL OR provider = at_provider)
            AND quarter >= date_trunc('hour', since, 'UTC') AND quarter < coalesce(upto, 'infinity')
            AND quarter >= (SELECT frozen_before FROM usage_state)
    ) AS rated
    HAVING count(*) > 0
$$;
REVOKE ALL ON FUNCTION usage_mark_rate(uuid, text, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_mark_rate(uuid, text, timestamptz, timestamptz) TO dialplane_operator;

-- Which country a number belongs to, by the longest of these that it begins with: as common/src/country.
CREATE TABLE number_countries (
    prefix   text NOT NULL,
    country  text,           -- absent: in use, and no one country's
    CONSTRAINT number_countries_pkey PRIMARY KEY (prefix)
);
GRANT SELECT ON number_countries TO dialplane_tenant, dialplane_operator;
INSERT INTO number_countries (prefix, country)
SELECT prefix, country FROM (VALUES
    (NULL, '1500 1521 1522 1523 1524 1525 1526 1527 1528 1529 1532 1533 1535 1538 1542 1543 1544 1545 1546 1547 1549
        1550 1552 1553 1554 1556 1558 1566 1569 1577 1578 1588 1589 1700 1800 1822 1833 1844 1855 1866 1877 1880
        1881 1882 1883 1884 1885 1886 1887 1888 1889 1900'),
    ('AC', '247'), ('AD', '376'), ('AE', '971'), ('AF', '93'), ('AG', '1268'), ('AI', '1264'), ('AL', '355'),
    ('AM', '374'), ('AO', '244'), ('AQ', '6721'), ('AR', '54'), ('AS', '1684'), ('AT', '43'), ('AU', '61'),
    ('AW', '297'), ('AX', '35818'), ('AZ', '994'), ('BA', '387'), ('BB', '1246'), ('BD', '880'), ('BE', '32'),
    ('BF', '226'), ('BG', '359'), ('BH', '973'), ('BI', '257'), ('BJ', '229'),
    ('BL', '59059027 59059029 59059051 59059052'), ('BM', '1441'), ('BN', '673'), ('BO', '591'),
    ('BQ', '5993 5994 5997'), ('BR', '55'), ('BS', '1242'), ('BT', '975'), ('BW', '267'), ('BY', '375'),
    ('BZ', '501'),
    ('CA', '1204 1226 1236 1249 1250 1257 1263 1273 1289 1306 1343 1354 1365 1367 1368 1382 1403 1416 1418 1428 1431
        1437 1438 1450 1468 1474 1506 1514 1519 1548 1579 1581 1584 1587 1600 1604 1613 1622 1633 1639 1644 1647
        1655 1672 1677 1683 1688 1705 1709 1742 1753 1778 1780 1782 1807 1819 1825 1867 1873 1879 1902 1905 1942'),
    ('CC', '6189162 61851002 61851031 61851060 61851089 61851118 61851176 61851223 61891703'), ('CD', '243'),
    ('CF', '236'), ('CG', '242'), ('CH', '41'), ('CI', '225'), ('CK', '682'), ('CL', '56'), ('CM', '237'),
    ('CN', '86'), ('CO', '57'), ('CR', '506'), ('CU', '53'), ('CV', '238'), ('CW', '599'),
    ('CX', '6189164 61851001 61851030 61851059 61851088 61851117 61851146 61851175 61851222 61851235 61891958'),
    ('CY', '357'), ('CZ', '420'), ('DE', '49'), ('DJ', '253'), ('DK', '45'), ('DM', '1767'),
    ('DO', '1809 1829 1849'), ('DZ', '213'), ('EC', '593'), ('EE', '372'), ('EG', '20'), ('EH', '2125288 2125289'),
    ('ER', '291'), ('ES', '34'), ('ET', '251'), ('FI', '358'), ('FJ', '679'), ('FK', '500'), ('FM', '691'),
    ('FO', '298'), ('FR', '33'), ('GA', '241'), ('GB', '44'), ('GD', '1473'), ('GE', '995'), ('GF', '594'),
    ('GG', '441481 447781 447839 4479111 4479117'), ('GH', '233'), ('GI', '350'), ('GL', '299'), ('GM', '220'),
    ('GN', '224'), ('GP', '590'), ('GQ', '240'), ('GR', '30'), ('GT', '502'), ('GU', '1671'), ('GW', '245'),
    ('GY', '592'), ('HK', '852'), ('HN', '504'), ('HR', '385'), ('HT', '509'), ('HU', '36'), ('ID', '62'),
    ('IE', '353'), ('IL', '972'), ('IM', '441624 447524 447624 447924 4474576'), ('IN', '91'), ('IO', '246'),
    ('IQ', '964'), ('IR', '98'), ('IS', '354'), ('IT', '39'),
    ('JE', '441534 447509 447797 447829 447937 4477003 4477007 4477008'), ('JM', '1658 1876'), ('JO', '962'),
    ('JP', '81'), ('KE', '254'), ('KG', '996'), ('KH', '855'), ('KI', '686'), ('KM', '269'), ('KN', '1869'),
    ('KP', '850'), ('KR', '82'), ('KW', '965'), ('KY', '1345'), ('KZ', '76 77 997 733622'), ('LA', '856'),
    ('LB', '961'), ('LC', '1758'), ('LI', '423'), ('LK', '94'), ('LR', '231'), ('LS', '266'), ('LT', '370'),
    ('LU', '352'), ('LV', '371'), ('LY', '218'), ('MA', '212'), ('MC', '377'), ('MD', '373'), ('ME', '382'),
    ('MF', '59059000 59059007 59059009 59059013 59059030 59059043 59059050 59059056 59059058 59059077 59059079
        59059087'),
    ('MG', '261'), ('MH', '692'), ('MK', '389'), ('ML', '223'), ('MM', '95'), ('MN', '976'), ('MO', '853'),
    ('MP', '1670'), ('MQ', '596'), ('MR', '222'), ('MS', '1664'), ('MT', '356'), ('MU', '230'), ('MV', '960'),
    ('MW', '265'), ('MX', '52'), ('MY', '60'), ('MZ', '258'), ('NA', '264'), ('NC', '687'), ('NE', '227'),
    ('NF', '672'), ('NG', '234'), ('NI', '505'), ('NL', '31'), ('NO', '47'), ('NP', '977'), ('NR', '674'),
    ('NU', '683'), ('NZ', '64'), ('OM', '968'), ('PA', '507'), ('PE', '51'), ('PF', '689'), ('PG', '675'),
    ('PH', '63'), ('PK', '92'), ('PL', '48'), ('PM', '508'), ('PR', '1787 1939'), ('PS', '970'), ('PT', '351'),
    ('PW', '680'), ('PY', '595'), ('QA', '974'), ('RE', '262'), ('RO', '40'), ('RS', '381'), ('RU', '7'),
    ('RW', '250'), ('SA', '966'), ('SB', '677'), ('SC', '248'), ('SD', '249'), ('SE', '46'), ('SG', '65'),
    ('SH', '290'), ('SI', '386'), ('SJ', '4779'), ('SK', '421'), ('SL', '232'), ('SM', '378'), ('SN', '221'),
    ('SO', '252'), ('SR', '597'), ('SS', '211'), ('ST', '239'), ('SV', '503'), ('SX', '1721'), ('SY', '963'),
    ('SZ', '268'), ('TA', '2908'), ('TC', '1649'), ('TD', '235'), ('TG', '228'), ('TH', '66'), ('TJ', '992'),
    ('TK', '690'), ('TL', '670'), ('TM', '993'), ('TN', '216'), ('TO', '676'), ('TR', '90'), ('TT', '1868'),
    ('TV', '688'), ('TW', '886'), ('TZ', '255'), ('UA', '380'), ('UG', '256'), ('US', '1'), ('UY', '598'),
    ('UZ', '998'), ('VA', '379 3906698'), ('VC', '1784'), ('VE', '58'), ('VG', '1284'), ('VI', '1340'),
    ('VN', '84'), ('VU', '678'), ('WF', '681'), ('WS', '685'), ('XK', '383'), ('YE', '967'),
    ('YT', '262269 262639 2622689 2627090 2629398 2629478 2629769'), ('ZA', '27'), ('ZM', '260'), ('ZW', '263')
) AS listed (country, prefixes), regexp_split_to_table(prefixes, '\s+') AS prefix;

CREATE FUNCTION number_country(number text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT country FROM number_countries
    WHERE number LIKE '+%' AND prefix = ANY (ARRAY(SELECT substr(number, 2, digits) FROM generate_series(1, 8) AS digits))
    ORDER BY length(prefix) DESC LIMIT 1
$$;
REVOKE ALL ON FUNCTION number_country(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION number_country(text) TO dialplane_tenant, dialplane_operator;

-- The rates that may hold for these tenants. A tenant's transaction, which sees none, has to ask for itself.
CREATE FUNCTION usage_rates(holders uuid[]) RETURNS SETOF rates
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT * FROM rates WHERE (tenant_id IS NULL OR tenant_id = ANY (holders)) AND (
        current_setting('role', true) IS DISTINCT FROM 'dialplane_tenant'
        OR holders = ARRAY[nullif(current_setting('dialplane.tenant_id', true), '')::uuid]
    )
$$;
REVOKE ALL ON FUNCTION usage_rates(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_rates(uuid[]) TO dialplane_tenant, dialplane_operator;

-- How many numbers a tenant had at any time in each of these months, by the carrier that has them and their country. One
-- that came and went within a month counts in it once. A number's past is in its history from its second step on.
CREATE FUNCTION usage_numbers(holder uuid, months timestamptz[], month_ends timestamptz[])
RETURNS TABLE (month integer, provider text, country text, numbers bigint)
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH steps AS (
        SELECT phone_number_id, tenant_id, at AS since,
            lead(at, 1, 'infinity') OVER (PARTITION BY phone_number_id ORDER BY id) AS upto
        FROM phone_number_history
        WHERE phone_number_id IN (SELECT phone_number_id FROM phone_number_history WHERE tenant_id = holder)
    ), held AS (
        SELECT phone_number_id, since, upto FROM steps WHERE tenant_id = holder
        UNION ALL
        SELECT id, created_at, 'infinity' FROM phone_numbers
        WHERE tenant_id = holder
            AND NOT EXISTS (SELECT FROM phone_number_history AS past WHERE past.phone_number_id = phone_numbers.id)
    ), asked AS (
        SELECT place::integer AS month, since, upto
        FROM unnest(months, month_ends) WITH ORDINALITY AS listed (since, upto, place)
    )
    SELECT asked.month, carrier.provider, number_country(number.phone_number), count(DISTINCT number.id)
    FROM asked JOIN held ON held.since < asked.upto AND held.upto > asked.since
    JOIN phone_numbers AS number ON number.id = held.phone_number_id
    LEFT JOIN LATERAL (
        SELECT account.provider FROM number_holdings JOIN accounts AS account ON account.id = number_holdings.account_id
        WHERE number_holdings.phone_number_id = number.id AND number_holdings.role = 'carrier'
        UNION ALL
        SELECT account.provider FROM phone_number_bindings AS bound
        JOIN accounts AS account ON account.id = bound.account_id
        WHERE bound.phone_number_id = number.id
        LIMIT 1
    ) AS carrier ON true
    WHERE current_setting('role', true) IS DISTINCT FROM 'dialplane_tenant'
        OR holder = nullif(current_setting('dialplane.tenant_id', true), '')::uuid
    GROUP BY 1, 2, 3
$$;
REVOKE ALL ON FUNCTION usage_numbers(uuid, timestamptz[], timestamptz[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_numbers(uuid, timestamptz[], timestamptz[]) TO dialplane_tenant, dialplane_operator;

-- As in 0007: the owner of the tables sees no row of theirs.
GRANT CREATE ON SCHEMA public TO dialplane_operator;
ALTER FUNCTION usage_rates(uuid[]) OWNER TO dialplane_operator;
ALTER FUNCTION usage_numbers(uuid, timestamptz[], timestamptz[]) OWNER TO dialplane_operator;
REVOKE CREATE ON SCHEMA public FROM dialplane_operator;

-- An amount of a call's: `rated`, `reported`, `counted`, or `stage`, which is part of what counts.
CREATE TYPE usage_amount AS (kind text, stage text, currency text, amount numeric);

-- An amount as people read it: all of its places, two at least.
CREATE FUNCTION usage_amount_text(amount numeric) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE WHEN scale(trim_scale(amount)) < 2 THEN round(amount, 2) ELSE trim_scale(amount) END::text
$$;

-- The calls of these tenants that began in [since, upto), each with what it counts as and what it cost. Amounts have six
-- places at most, so that a sum over calls is what they show, to the last digit.
CREATE FUNCTION usage_calls(holders uuid[], since timestamptz, upto timestamptz)
RETURNS TABLE (
    tenant_id uuid, call_id uuid, started_at timestamptz, phone_number_id uuid, agent_id uuid, provider text,
    is_answered boolean, is_missed boolean, is_closed boolean, is_refused boolean, is_voicemail boolean,
    duration_ms bigint, billed_s bigint, amounts usage_amount[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT id, tenant_id, started_at, phone_number_id, agent_id, provider, direction, to_number, refused, is_closed,
            voicemail_at, ended_at, answered_at, duration_ms, reported_cost, reported_currency, cost_stages,
            -- By an agent; or by whomever, where nobody told what had been decided.
            agent_id IS NOT NULL OR (action IS NULL AND end_kind = 'completed') AS is_taken
        FROM calls
        WHERE tenant_id = ANY (holders) AND started_at >= since AND started_at < upto AND direction <> 'message'
    ), corrected AS (
        SELECT call_id, (array_agg(duration_ms ORDER BY id DESC) FILTER (WHERE duration_ms IS NOT NULL))[1] AS duration_ms,
            (array_agg(cost ORDER BY id DESC) FILTER (WHERE cost IS NOT NULL))[1] AS cost,
            (array_agg(currency ORDER BY id DESC) FILTER (WHERE cost IS NOT NULL))[1] AS currency
        FROM call_corrections WHERE call_corrections.tenant_id = ANY (holders) AND call_id IN (SELECT id FROM asked)
        GROUP BY call_id
    ), cards AS MATERIALIZED (
        SELECT * FROM usage_rates(holders) AS rate
        WHERE kind <> 'per_number_month' AND valid_from < upto AND coalesce(valid_to > since, true)
    ), called AS MATERIALIZED (
        -- Only where it makes a difference.
        SELECT to_number, coalesce(number_country(to_number), '') AS country
        FROM (SELECT DISTINCT to_number FROM asked WHERE to_number IS NOT NULL) AS numbers
        WHERE EXISTS (SELECT FROM cards WHERE cards.country IS NOT NULL)
    ), found AS MATERIALIZED (
        SELECT asked.*, coalesce(called.country, '') AS country, refused IS NOT NULL AS is_refused,
            coalesce(corrected.duration_ms, asked.duration_ms, 0) AS lasted_ms, corrected.cost, corrected.currency,
            CASE WHEN reported_currency IS NOT NULL THEN round(reported_cost, 6) END AS reported
        FROM asked LEFT JOIN called ON called.to_number = asked.to_number
        LEFT JOIN corrected ON corrected.call_id = asked.id
    ), bounds AS (
        SELECT since AS at
        UNION SELECT valid_from FROM cards WHERE valid_from > since
        UNION SELECT valid_to FROM cards WHERE valid_to < upto
    ), spans AS (
        SELECT at AS span_from, lead(at, 1, upto) OVER (ORDER BY at) AS span_to FROM bounds
    ), held AS (
        -- What holds for calls that are alike: they are few, however many the calls.
        SELECT alike.*, span_from, span_to, rate.*
        FROM (
            SELECT DISTINCT found.tenant_id AS holder, found.provider AS at_provider, direction AS way, country AS place
            FROM found
        ) AS alike
        CROSS JOIN spans CROSS JOIN LATERAL (
            SELECT DISTINCT ON (kind) kind, amount, currency, increment_s, minimum_s FROM cards
            WHERE (cards.tenant_id IS NULL OR cards.tenant_id = alike.holder)
                AND (cards.provider IS NULL OR cards.provider = alike.at_provider)
                AND (cards.country IS NULL OR cards.country = alike.place)
                AND (cards.direction IS NULL OR cards.direction = alike.way)
                AND valid_from <= span_from AND coalesce(valid_to > span_from, true)
            ORDER BY kind, cards.tenant_id IS NULL, cards.provider IS NULL, cards.country IS NULL,
                cards.direction IS NULL, valid_from DESC
        ) AS rate
    ), book AS MATERIALIZED (
        SELECT holder, at_provider, way, place, span_from, span_to,
            max(amount) FILTER (WHERE kind = 'per_minute') AS minute_amount,
            max(held.currency) FILTER (WHERE kind = 'per_minute') AS minute_currency,
            max(amount) FILTER (WHERE kind = 'per_call') AS call_amount,
            max(held.currency) FILTER (WHERE kind = 'per_call') AS call_currency,
            array_agg(substr(kind, 7)) FILTER (WHERE kind LIKE 'stage:%') AS stages,
            array_agg(held.currency) FILTER (WHERE kind LIKE 'stage:%') AS stage_currencies,
            array_agg(amount) FILTER (WHERE kind LIKE 'stage:%') AS stage_amounts,
            -- A stage's minutes are those of the price by the minute, where there is one.
            coalesce(
                max(increment_s) FILTER (WHERE kind = 'per_minute'), max(increment_s) FILTER (WHERE kind LIKE 'stage:%')
            ) AS increment_s,
            coalesce(
                max(minimum_s) FILTER (WHERE kind = 'per_minute'), max(minimum_s) FILTER (WHERE kind LIKE 'stage:%')
            ) AS minimum_s
        FROM held GROUP BY 1, 2, 3, 4, 5, 6
    ), billed AS (
        SELECT found.*, book.*, CASE
            WHEN lasted_ms = 0 OR increment_s IS NULL THEN 0
            ELSE greatest((lasted_ms + increment_s * 1000 - 1) / (increment_s * 1000) * increment_s, minimum_s)
            END AS seconds
        FROM found LEFT JOIN book ON holder = found.tenant_id AND at_provider = found.provider AND way = found.direction
            AND place = found.country AND found.started_at >= span_from AND found.started_at < span_to
    )
    SELECT billed.tenant_id, id, billed.started_at, billed.phone_number_id, billed.agent_id, billed.provider,
        taken.is_answered, NOT is_refused AND ended_at IS NOT NULL AND NOT taken.is_answered, billed.is_closed, is_refused,
        voicemail_at IS NOT NULL, lasted_ms, seconds,
        CASE WHEN call_currency IS NOT NULL OR minute_currency IS NOT NULL OR stages IS NOT NULL OR reported IS NOT NULL
            OR cost IS NOT NULL
        THEN ARRAY(
            WITH rated AS (
                SELECT minute_currency AS of, round(minute_amount * seconds / 60, 6) AS amount
                WHERE minute_currency IS NOT NULL
                UNION ALL
                SELECT call_currency, call_amount WHERE call_currency IS NOT NULL AND NOT is_refused
                UNION ALL
                SELECT stage.of, round(stage.amount * seconds / 60, 6)
                FROM unnest(stage_currencies, stage_amounts) AS stage (of, amount) WHERE minute_currency IS NULL
            )
            SELECT ('rated', '', rated.of, rated.amount)::usage_amount FROM rated
            UNION ALL
            SELECT ('counted', '', rated.of, rated.amount)::usage_amount FROM rated
            WHERE cost IS NULL AND reported IS NULL
            UNION ALL
            SELECT ('reported', '', reported_currency, reported)::usage_amount WHERE reported IS NOT NULL
            UNION ALL
            SELECT ('counted', '', reported_currency, reported)::usage_amount WHERE cost IS NULL AND reported IS NOT NULL
            UNION ALL
            SELECT ('counted', '', billed.currency, cost)::usage_amount WHERE cost IS NOT NULL
            UNION ALL
            SELECT ('stage', told.stage, reported_currency, round(told.amount::numeric, 6))::usage_amount
            FROM jsonb_each_text(CASE WHEN jsonb_typeof(cost_stages) = 'object' THEN cost_stages END)
                AS told (stage, amount)
            WHERE cost IS NULL AND reported IS NOT NULL AND told.amount ~ '^-?[0-9]{1,12}(\.[0-9]{1,18})?$'
            UNION ALL
            SELECT ('stage', stage.name, stage.of, round(stage.amount * seconds / 60, 6))::usage_amount
            FROM unnest(stages, stage_currencies, stage_amounts) AS stage (name, of, amount)
            WHERE cost IS NULL AND (reported IS NULL OR coalesce(cost_stages, '{}') = '{}')
        ) END
    FROM billed CROSS JOIN LATERAL (
        SELECT NOT is_refused AND (
            answered_at IS NOT NULL OR (is_taken AND lasted_ms > 0)
        ) AS is_answered
    ) AS taken;
END
$$;
REVOKE ALL ON FUNCTION usage_calls(uuid[], timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_calls(uuid[], timestamptz, timestamptz) TO dialplane_tenant, dialplane_operator;

-- Usage of these tenants in [since, upto), which are full hours, from the records.
CREATE FUNCTION usage_worked_out(holders uuid[], since timestamptz, upto timestamptz) RETURNS SETOF usage_quarters
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH counts AS (
        SELECT tenant_id, date_bin('15 minutes', started_at, '2000-01-01 00:00:00+00') AS quarter, 7::smallint AS dims,
            128::smallint AS serves, phone_number_id, agent_id, provider, count(*) AS calls,
            count(*) FILTER (WHERE is_answered) AS answered, count(*) FILTER (WHERE is_missed) AS missed,
            count(*) FILTER (WHERE is_closed) AS closed, count(*) FILTER (WHERE is_refused) AS refused,
            count(*) FILTER (WHERE is_voicemail) AS voicemail,
            sum(duration_ms)::bigint AS duration_ms, sum(billed_s)::bigint AS billed_s, 0::bigint AS peak
        FROM usage_calls(holders, since, upto) GROUP BY 1, 2, 5, 6, 7
    ), under_way AS MATERIALIZED (
        SELECT tenant_id, phone_number_id, agent_id, provider, started_at AS began,
            greatest(least(usage_call_end(started_at, ended_at), now()), started_at + interval '1 millisecond') AS ended
        FROM calls
        WHERE tenant_id = ANY (holders) AND started_at >= since - interval '4 hours' AND started_at < upto
            AND direction <> 'message' AND refused IS NULL AND usage_call_end(started_at, ended_at) > since
    ), varied AS (
        -- Which of the three differ at all.
        SELECT tenant_id, (count(DISTINCT coalesce(phone_number_id::text, '')) > 1)::integer
            + (count(DISTINCT coalesce(agent_id::text, '')) > 1)::integer * 2
            + (count(DISTINCT provider) > 1)::integer * 4 AS dims
        FROM under_way GROUP BY 1
    ), sets AS (
        SELECT tenant_id, (subset | (7 & ~dims))::smallint AS dims, (bit_or(1 << subset))::smallint AS serves
        FROM varied, generate_series(0, 7) AS subset GROUP BY 1, 2
    ), spans AS (
        SELECT sets.tenant_id, sets.dims, sets.serves,
            CASE WHEN sets.dims & 1 > 0 THEN phone_number_id END AS phone_number_id,
            CASE WHEN sets.dims & 2 > 0 THEN agent_id END AS agent_id,
            CASE WHEN sets.dims & 4 > 0 THEN provider END AS provider, began, ended
        FROM under_way JOIN sets ON sets.tenant_id = under_way.tenant_id
    ), turns AS (
        SELECT tenant_id, dims, serves, phone_number_id, agent_id, provider, began AS at, 1 AS change FROM spans
        UNION ALL
        SELECT tenant_id, dims, serves, phone_number_id, agent_id, provider, ended, -1 FROM spans
        UNION ALL
        -- A quarter begins with what is under way.
        SELECT DISTINCT tenant_id, dims, serves, phone_number_id, agent_id, provider, at, 0
        FROM spans, generate_series(
            date_bin('15 minutes', began, '2000-01-01 00:00:00+00') + interval '15 minutes',
            ended - interval '1 microsecond', interval '15 minutes'
        ) AS at
    ), running AS (
        -- At one moment calls end before others begin.
        SELECT tenant_id, dims, serves, phone_number_id, agent_id, provider, at, change, sum(change) OVER (
            PARTITION BY tenant_id, dims, serves, phone_number_id, agent_id, provider ORDER BY at, change
        ) AS calls_now
        FROM turns
    ), peaks AS (
        SELECT tenant_id, date_bin('15 minutes', at, '2000-01-01 00:00:00+00') AS quarter, dims, serves, phone_number_id,
            agent_id, provider, max(calls_now) AS peak
        FROM running WHERE change >= 0 AND at >= since AND at < upto GROUP BY 1, 2, 3, 4, 5, 6, 7
        -- One call at a time is what rows of all three say as well.
        HAVING dims = 7 OR max(calls_now) > 1
    )
    SELECT tenant_id, quarter, dims, bit_or(serves), phone_number_id, agent_id, provider, sum(calls)::bigint,
        sum(answered)::bigint, sum(missed)::bigint, sum(closed)::bigint, sum(refused)::bigint, sum(voicemail)::bigint,
        sum(duration_ms)::bigint, sum(billed_s)::bigint, max(peak)::bigint
    FROM (
        SELECT * FROM counts
        UNION ALL
        SELECT tenant_id, quarter, dims, serves, phone_number_id, agent_id, provider, 0, 0, 0, 0, 0, 0, 0, 0, peak FROM peaks
    ) AS parts
    GROUP BY 1, 2, 3, 5, 6, 7;
END
$$;
REVOKE ALL ON FUNCTION usage_worked_out(uuid[], timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_worked_out(uuid[], timestamptz, timestamptz) TO dialplane_tenant, dialplane_operator;

-- Costs likewise.
CREATE FUNCTION usage_costs_worked_out(holders uuid[], since timestamptz, upto timestamptz) RETURNS SETOF usage_costs
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT tenant_id, date_bin('15 minutes', started_at, '2000-01-01 00:00:00+00'), phone_number_id, agent_id, provider,
        part.stage, part.currency, sum(part.amount) FILTER (WHERE part.kind = 'rated'),
        sum(part.amount) FILTER (WHERE part.kind = 'reported'),
        sum(part.amount) FILTER (WHERE part.kind IN ('counted', 'stage'))
    FROM usage_calls(holders, since, upto) AS call, unnest(call.amounts) AS part
    GROUP BY 1, 2, 3, 4, 5, 6, 7;
END
$$;
REVOKE ALL ON FUNCTION usage_costs_worked_out(uuid[], timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_costs_worked_out(uuid[], timestamptz, timestamptz) TO dialplane_tenant, dialplane_operator;

-- Works marked hours before `upto` out, of at most `most` marks, the oldest first. Says how many marks it took away. Of a
-- tenant one transaction works at a time, and none while rates change. Tenants share 256 locks: one for each would be more
-- than Postgres has room for.
CREATE FUNCTION usage_roll_up(upto timestamptz, most integer) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    marks   tid[];
    frozen  timestamptz;
    worked  record;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1684627824, 19);
    SELECT frozen_before INTO frozen FROM usage_state;
    SELECT array_agg(mark) INTO marks FROM (
        SELECT ctid AS mark FROM usage_dirty WHERE hour < upto
            AND pg_try_advisory_xact_lock(1969382757, hashtext(tenant_id::text) & 255)
        ORDER BY hour LIMIT most FOR UPDATE SKIP LOCKED
    ) AS taken;
    IF marks IS NULL THEN
        RETURN 0;
    END IF;
    FOR worked IN
        SELECT hour, array_agg(DISTINCT tenant_id) AS tenants FROM usage_dirty
        WHERE ctid = ANY (marks) AND hour >= frozen GROUP BY hour ORDER BY hour
    LOOP
        DELETE FROM usage_quarters
        WHERE tenant_id = ANY (worked.tenants) AND quarter >= worked.hour AND quarter < worked.hour + interval '1 hour';
        DELETE FROM usage_costs
        WHERE tenant_id = ANY (worked.tenants) AND quarter >= worked.hour AND quarter < worked.hour + interval '1 hour';
        INSERT INTO usage_quarters
        SELECT * FROM usage_worked_out(worked.tenants, worked.hour, worked.hour + interval '1 hour');
        INSERT INTO usage_costs
        SELECT * FROM usage_costs_worked_out(worked.tenants, worked.hour, worked.hour + interval '1 hour');
    END LOOP;
    DELETE FROM usage_dirty WHERE ctid = ANY (marks);
    RETURN cardinality(marks);
END
$$;
REVOKE ALL ON FUNCTION usage_roll_up(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_roll_up(timestamptz, integer) TO dialplane_operator;

-- What tenants may, by the name of what they pay for. Limits that a tenant has itself come first.
CREATE TABLE plans (
    name               text NOT NULL,
    calls_max          integer,
    phone_numbers_max  integer,
    spend_max          numeric(12, 2),
    over_limit         jsonb,  -- a chain of actions: what is done with a call that is one too many
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT plans_pkey PRIMARY KEY (name),
    CONSTRAINT plans_calls_max_check CHECK (calls_max BETWEEN 1 AND 1000),
    CONSTRAINT plans_phone_numbers_max_check CHECK (phone_numbers_max BETWEEN 0 AND 1000000),
    CONSTRAINT plans_spend_max_check CHECK (spend_max BETWEEN 0 AND 1000000)
);
-- A tenant's limits show what stands behind them.
GRANT SELECT ON plans TO dialplane_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON plans TO dialplane_operator;

ALTER TABLE tenants
    ADD COLUMN plan text,
    ADD CONSTRAINT tenants_plan_fkey FOREIGN KEY (plan) REFERENCES plans (name);
CREATE INDEX tenants_plan_idx ON tenants (plan) WHERE plan IS NOT NULL;
SELECT audit_table('plans', 'plan', '{name}');

-- Changes what routers needn't know of tenants, one change after the other, in a transaction of this statement alone: what
-- others begin theirs with, role, tenant and origin, it sets anew before each. So each row is changed under its own tenant's
-- row-level security and logged under its own actor, and a message and a commit are shared. Only the login role may call it,
-- which may take either role anyway. Plans are made anew where the role changes: let those of a role stand together.
--
-- A row that somebody else holds is left as it is, and so comes back without the tenant, unless `patient`. One that isn't
-- there, or that the role may not see, doesn't come back.
CREATE FUNCTION tenant_changes(
    patient boolean, roles text[], owns uuid[], actors text[], request_ids text[], addresses text[],
    changing uuid[], profiles jsonb[], new_integrations jsonb[], provisionings jsonb[]
) RETURNS TABLE (place integer, tenant tenants, limits jsonb)
LANGUAGE plpgsql
AS $$
BEGIN
    FOR i IN 1 .. cardinality(changing) LOOP
        PERFORM set_config('role', roles[i], true), set_config('dialplane.tenant_id', owns[i]::text, true),
            set_config('dialplane.actor', actors[i], true), set_config('dialplane.request_id', request_ids[i], true),
            set_config('dialplane.address', addresses[i], true);
        IF patient THEN
            PERFORM FROM tenants WHERE id = changing[i] FOR NO KEY UPDATE;
        END IF;
        RETURN QUERY
        UPDATE tenants AS t SET
            profile = coalesce(profiles[i], t.profile), integrations = coalesce(new_integrations[i], t.integrations),
            provisioning = coalesce(provisionings[i], t.provisioning), updated_at = now()
        WHERE t.id = (SELECT id FROM tenants WHERE id = changing[i] FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING i, t, (
            SELECT jsonb_build_object('calls_max', coalesce(t.calls_max, own_plan.calls_max),
                'phone_numbers_max', coalesce(t.phone_numbers_max, own_plan.phone_numbers_max), 'agents_max', t.agents_max,
                'spend_max', coalesce(t.spend_max, own_plan.spend_max)::text)
            FROM (SELECT) AS one LEFT JOIN plans AS own_plan ON own_plan.name = t.plan
        );
        IF NOT FOUND THEN
            RETURN QUERY SELECT i, NULL::tenants, NULL::jsonb FROM tenants WHERE id = changing[i];
        END IF;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION tenant_changes(
    boolean, text[], uuid[], text[], text[], text[], uuid[], jsonb[], jsonb[], jsonb[]
) FROM PUBLIC;

-- Tenants whose records routers are to get anew, since their plan changed: a plan may have more tenants than one transaction
-- should hold. Whoever changes a plan holds the row, there or new, until it is seen.
CREATE TABLE tenants_to_record (
    tenant_id  uuid NOT NULL,
    CONSTRAINT tenants_to_record_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tenants_to_record_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
ALTER TABLE tenants_to_record ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants_to_record FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants_to_record TO dialplane_tenant
    USING (tenant_id = nullif(current_setting('dialplane.tenant_id', true), '')::uuid);
CREATE POLICY operator ON tenants_to_record TO dialplane_operator
    USING (current_user = 'dialplane_operator');
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants_to_record TO dialplane_operator;

-- As in 0013, with plans.
CREATE OR REPLACE FUNCTION phone_numbers_keep_primary(tenants_changed uuid[], grows boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM FROM tenants WHERE id = ANY (tenants_changed) ORDER BY id FOR NO KEY UPDATE;
    IF grows AND EXISTS (
        SELECT FROM tenants AS tenant LEFT JOIN plans AS plan ON plan.name = tenant.plan
        WHERE tenant.id = ANY (tenants_changed)
            AND coalesce(tenant.phone_numbers_max, plan.phone_numbers_max)
                < (SELECT count(*) FROM phone_numbers WHERE tenant_id = tenant.id)
    ) THEN
        RAISE EXCEPTION 'the tenant may have no more phone numbers'
            USING ERRCODE = 'check_violation', TABLE = 'phone_numbers', CONSTRAINT = 'phone_numbers_max_check';
    END IF;
    UPDATE phone_numbers SET is_primary = false
    WHERE tenant_id = ANY (tenants_changed) AND is_primary
        AND NOT (status = 'active' AND lifecycle IN ('active', 'porting'));
    UPDATE phone_numbers SET is_primary = true
    WHERE id IN (
        SELECT (
            SELECT id FROM phone_numbers
            WHERE tenant_id = tenant.id AND status = 'active' AND lifecycle IN ('active', 'porting')
            ORDER BY id LIMIT 1
        )
        FROM unnest(tenants_changed) AS tenant (id)
        WHERE NOT EXISTS (SELECT FROM phone_numbers WHERE tenant_id = tenant.id AND is_primary)
    );
END
$$;

CREATE OR REPLACE FUNCTION phone_numbers_are_but_more(gaining uuid[]) RETURNS boolean
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN NOT EXISTS (
            SELECT FROM tenants AS tenant LEFT JOIN plans AS plan ON plan.name = tenant.plan
            WHERE tenant.id = ANY (gaining) AND coalesce(tenant.phone_numbers_max, plan.phone_numbers_max) IS NOT NULL
        )
        AND NOT EXISTS (
            SELECT FROM unnest(gaining) AS tenant (id)
            WHERE NOT EXISTS (SELECT FROM phone_numbers WHERE tenant_id = tenant.id AND is_primary)
        );
END
$$;
