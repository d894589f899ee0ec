# What is remembered about the private services: ports and passwords in DIR/services.env, their data in DATA.
# shellcheck shell=bash disable=SC2034 # read by the files beside this one

POSTGRES_PORT='' POSTGRES_PASSWORD='' POSTGRES_ADMIN_PASSWORD=''
REDIS_PORT='' REDIS_PASSWORD=''
DATA=''

say() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; }
die() {
    say "$@"
    exit 1
}

random_hex() { od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

port_is_free() { ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# A port that nobody listens on, below the range that Linux gives to outgoing connections.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        port_is_free "$port" && break
    done
    printf '%s' "$port"
}

# The user that the services run as: PostgreSQL refuses root, and Redis doesn't need it.
service_user() {
    if [[ $EUID -ne 0 ]]; then
        id -un
    elif id -u postgres > /dev/null 2>&1; then
        printf postgres
    else
        printf nobody
    fi
}

# Runs a command as the service user.
as_service() { (become_service "$@"); }

# Becomes a command of the service user's, with none of the caller's PostgreSQL settings and none of this script's
# open files: a service that held the lock or the guard's pipe would keep others waiting.
become_service() {
    local name user
    cd /
    for name in "${!PG@}"; do unset "$name"; done
    export LC_ALL=C
    exec 6<&- 7>&- 8>&- 9>&-
    [[ $EUID -eq 0 ]] || exec "$@"
    user=$(service_user)
    if command -v setpriv > /dev/null; then
        exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups -- "$@"
    elif command -v runuser > /dev/null; then
        exec runuser -u "$user" -- "$@"
    else
        # shellcheck disable=SC2016 # expanded by the inner shell
        exec su -s /bin/sh "$user" -c 'exec "$0" "$@"' -- "$@"
    fi
}

# Makes DIR and, in it or beside it, DATA.
state_make() {
    mkdir -p "$DIR"
    DIR=$(cd "$DIR" && pwd)
    [[ -O $DIR ]] || die "$DIR belongs to another user; name another directory with DIALPLANE_DIR"
    state_find_data
    [[ ! -d $DATA ]] || return 0
    mkdir "$DATA"
    if [[ $EUID -eq 0 ]]; then
        chmod 711 "$DIR"
        chown "$(service_user):" "$DATA"
        if ! as_service test -w "$DATA" 2> /dev/null; then
            # A checkout below /root, say: closed to everybody else.
            rmdir "$DATA"
            local parent=/var/lib/dialplane
            ((EPHEMERAL)) && parent=/tmp/dialplane.root
            mkdir -p "$parent"
            chmod 711 "$parent"
            DATA=$(mktemp -d "$parent/XXXXXX")
            printf '%s\n' "$DIR" > "$DATA/owner"
            chown "$(service_user):" "$DATA"
            printf '%s\n' "$DATA" > "$DIR/data.path"
        fi
    fi
}

# Sets DATA. A pointer counts only if the data knows this DIR as its owner: a copied checkout gets data of its own.
state_find_data() {
    DATA=$DIR/data
    if [[ -s $DIR/data.path ]]; then
        local path owner=''
        path=$(< "$DIR/data.path")
        [[ ! -r $path/owner ]] || owner=$(< "$path/owner")
        [[ $owner != "$DIR" ]] || DATA=$path
    fi
}

# Reads what earlier starts chose.
state_open() {
    DIR=$(cd "$DIR" && pwd)
    state_find_data
    if [[ -f $DIR/services.env ]]; then
        [[ -r $DIR/services.env ]] || die "$DIR belongs to another user; name another directory with DIALPLANE_DIR"
        # shellcheck disable=SC1091 # written below
        source "$DIR/services.env"
    fi
}

# Written beside and renamed, so that a reader sees all of it or the one before.
state_save() {
    local name
    for name in POSTGRES_PORT POSTGRES_PASSWORD POSTGRES_ADMIN_PASSWORD REDIS_PORT REDIS_PASSWORD; do
        printf '%s=%s\n' "$name" "${!name}"
    done > "$DIR/services.env.new"
    mv -f "$DIR/services.env.new" "$DIR/services.env"
}

# One start or stop at a time in one DIR.
state_lock() {
    exec 9> "$DIR/services.lock"
    flock -w 120 9 || die "another start or stop holds $DIR/services.lock"
}
state_unlock() { exec 9>&-; }

# Deletes the state of an ephemeral run, and never anything else.
state_remove() {
    local tries
    [[ -d $DIR && ${DIR##*/} == dialplane.?????? ]] || return 0
    state_find_data
    # After a kill, initdb may be writing there still; it ends when its files are gone.
    for ((tries = 0; tries < 50; tries++)); do
        rm -rf -- "$DATA" "$DIR" 2> /dev/null && break
        sleep 0.1
    done
    rmdir /tmp/dialplane.root 2> /dev/null || true
}
