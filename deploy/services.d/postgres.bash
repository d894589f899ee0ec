# The private PostgreSQL: scram passwords over loopback TCP, no Unix socket at all (a socket's path is limited to 107
# bytes, which a deep checkout exceeds), a database and a role `dialplane` that is no superuser.
# shellcheck shell=bash disable=SC2153 # DATA and DIR are set by state.bash

POSTGRES_VERSION_MIN=14
POSTGRES_CONNECTIONS_MAX=200

# Prints the program directory of the newest PostgreSQL that is new enough, or of version $1 only.
postgres_bin() {
    local only=${1:-} dir major best='' best_major=0 candidates=() program
    for dir in /usr/lib/postgresql/*/bin; do candidates+=("$dir"); done
    ! program=$(command -v postgres) || candidates+=("$(dirname "$program")")
    for dir in "${candidates[@]}"; do
        for program in initdb postgres pg_ctl pg_isready psql; do
            [[ -x $dir/$program ]] || continue 2
        done
        major=$("$dir/postgres" --version 2> /dev/null | sed -E 's/^[^0-9]*([0-9]+).*/\1/') || continue
        [[ $major =~ ^[0-9]+$ ]] || continue
        [[ -z $only || $major == "$only" ]] || continue
        if ((major >= POSTGRES_VERSION_MIN && major > best_major)); then
            best=$dir best_major=$major
        fi
    done
    [[ -n $best ]] && printf '%s' "$best"
}

postgres_url() { printf 'postgres://dialplane:%s@127.0.0.1:%s/dialplane' "$POSTGRES_PASSWORD" "$POSTGRES_PORT"; }

# Runs the SQL on standard input as the superuser. The password goes through the environment, which only this user and
# root can read, unlike an argument.
postgres_admin() {
    local bin
    bin=$(postgres_bin) || return
    (
        for name in "${!PG@}"; do unset "$name"; done
        export PGPASSWORD=$POSTGRES_ADMIN_PASSWORD PGCONNECT_TIMEOUT=5
        exec "$bin/psql" -X -q -At -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d postgres
    )
}

# Whether it is up and is ours: it knows our password.
postgres_answers() {
    [[ -n $POSTGRES_PORT && -f $DATA/postgres/postmaster.pid ]] || return 1
    [[ $(postgres_admin <<< 'SELECT 1' 2> /dev/null) == 1 ]]
}

postgres_init() {
    local data=$DATA/postgres bin=$1 locale=C
    # What never became ready holds nothing.
    postgres_stop
    as_service rm -rf -- "$data"
    POSTGRES_PASSWORD=$(random_hex 24)
    POSTGRES_ADMIN_PASSWORD=$(random_hex 24)
    ! locale -a 2> /dev/null | grep -qi '^c\.utf-\?8$' || locale=C.UTF-8
    # shellcheck disable=SC2016 # expanded by the inner shell
    printf '%s\n' "$POSTGRES_ADMIN_PASSWORD" | as_service sh -c 'umask 077; cat > "$0"' "$DATA/password"
    as_service "$bin/initdb" -D "$data" -U postgres --pwfile "$DATA/password" --auth-host scram-sha-256 \
        --auth-local reject --encoding UTF8 --locale "$locale" --no-instructions > "$DATA/initdb.log" 2>&1 || {
        cat "$DATA/initdb.log" >&2
        die "initdb failed"
    }
    as_service rm -f -- "$DATA/password"
    # shellcheck disable=SC2016 # expanded by the inner shell
    {
        echo "listen_addresses = '127.0.0.1'"
        echo "unix_socket_directories = ''"
        echo "max_connections = $POSTGRES_CONNECTIONS_MAX"
        if ((EPHEMERAL)); then
            echo 'fsync = off'
            echo 'synchronous_commit = off'
            echo 'full_page_writes = off'
        else
            # As deploy/RUNBOOK.md recommends, for a small machine.
            echo 'shared_buffers = 512MB'
            echo 'max_wal_size = 8GB'
            echo 'min_wal_size = 2GB'
            echo 'checkpoint_timeout = 15min'
        fi
    } | as_service sh -c 'cat >> "$0"' "$data/postgresql.conf"
}

# Creates the role and the database, each unless it is there. Tests create databases and migrations create group
# roles, hence CREATEDB and CREATEROLE; a superuser would see through row-level security.
postgres_populate() {
    postgres_admin << SQL
SELECT 'CREATE ROLE dialplane' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dialplane') \gexec
ALTER ROLE dialplane LOGIN CREATEDB CREATEROLE PASSWORD '$POSTGRES_PASSWORD';
SELECT 'CREATE DATABASE dialplane OWNER dialplane'
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'dialplane') \gexec
SQL
}

postgres_start() {
    local data=$DATA/postgres log=$DATA/postgres.log bin version='' attempt
    if [[ -f $DATA/postgres.ready ]]; then
        [[ -n $POSTGRES_PASSWORD ]] ||
            die "$DIR/services.env with the passwords of $data is gone; delete $DATA to start empty"
        version=$(< "$data/PG_VERSION")
        bin=$(postgres_bin "$version") ||
            die "$data was made by PostgreSQL $version, which isn't installed; install postgresql-$version, or delete $DATA to start empty"
    else
        bin=$(postgres_bin) || die "found no PostgreSQL >= $POSTGRES_VERSION_MIN; run: deploy/services install"
        postgres_init "$bin"
        # From here on a restart must know the passwords.
        state_save
    fi
    for attempt in 1 2 3 4 5; do
        # A port that somebody else has taken meanwhile is given up.
        if [[ -z $POSTGRES_PORT ]] || ! port_is_free "$POSTGRES_PORT"; then
            POSTGRES_PORT=$(free_port)
        fi
        if as_service "$bin/pg_ctl" start -s -w -t 60 -D "$data" -l "$log" -o "-p $POSTGRES_PORT" > /dev/null 2>&1; then
            break
        fi
        if ((attempt == 5)) || ! tail -n 10 "$log" | grep -q 'Address already in use'; then
            tail -n 20 "$log" >&2 || true
            die "PostgreSQL did not start; its log is $log"
        fi
        POSTGRES_PORT=''
    done
    for ((attempt = 0; ; attempt++)); do
        "$bin/pg_isready" -q -h 127.0.0.1 -p "$POSTGRES_PORT" && break
        ((attempt < 300)) || die "PostgreSQL does not answer on port $POSTGRES_PORT; its log is $log"
        sleep 0.1
    done
    if [[ -z $version ]]; then
        postgres_populate
        as_service touch "$DATA/postgres.ready"
    fi
}

postgres_stop() {
    local data=$DATA/postgres bin
    [[ -f $data/postmaster.pid ]] || return 0
    bin=$(postgres_bin "$(cat "$data/PG_VERSION")") || return 0
    as_service "$bin/pg_ctl" status -D "$data" > /dev/null 2>&1 || return 0
    as_service "$bin/pg_ctl" stop -s -w -t 30 -m fast -D "$data" > /dev/null 2>&1 ||
        as_service "$bin/pg_ctl" stop -s -w -t 30 -m immediate -D "$data" > /dev/null ||
        say "PostgreSQL in $data did not stop"
}
