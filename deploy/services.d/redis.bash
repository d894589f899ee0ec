# The private Redis. It never evicts: the feed and the call events are no cache.
# shellcheck shell=bash

# XTRIM MINID came with it.
REDIS_VERSION_MIN=6.2

# Whether the installed Redis is there and new enough.
redis_is_usable() {
    local version
    version=$(redis-server --version 2> /dev/null | sed -nE 's/.*v=([0-9]+\.[0-9]+).*/\1/p') || return 1
    [[ -n $version ]] || return 1
    [[ $(printf '%s\n%s\n' "$REDIS_VERSION_MIN" "$version" | sort -V | head -n 1) == "$REDIS_VERSION_MIN" ]]
}

redis_url() { printf 'redis://default:%s@127.0.0.1:%s/' "$REDIS_PASSWORD" "$REDIS_PORT"; }

# Sends one command, prints the first line of its answer. Nothing but bash is needed for that.
redis_ask() {
    (
        exec 3<> "/dev/tcp/127.0.0.1/$REDIS_PORT"
        printf 'AUTH %s\r\n%s\r\n' "$REDIS_PASSWORD" "$1" >&3
        IFS= read -r -t 5 answer <&3
        [[ $answer == +OK* ]]
        IFS= read -r -t 5 answer <&3 || true
        printf '%s' "${answer%$'\r'}"
    ) 2> /dev/null
}

# Whether it is up and is ours: it knows our password.
redis_answers() {
    [[ -n $REDIS_PORT && -n $REDIS_PASSWORD ]] || return 1
    [[ $(redis_ask PING) == +PONG ]]
}

redis_configure() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    {
        echo 'bind 127.0.0.1'
        echo "port $REDIS_PORT"
        echo 'protected-mode yes'
        echo "requirepass $REDIS_PASSWORD"
        echo "dir \"$DATA/redis\""
        echo 'maxmemory-policy noeviction'
        # Postgres holds the truth: a snapshot on the way out keeps unread call events, and that is all that is wanted.
        echo 'appendonly no'
        if ((EPHEMERAL)); then
            echo 'save ""'
        else
            echo 'save 300 1'
            echo 'stop-writes-on-bgsave-error no'
        fi
    } | as_service sh -c 'umask 077; mkdir -p "$0/redis"; cat > "$0/redis.conf"' "$DATA"
}

redis_start() {
    local log=$DATA/redis.log pid attempt tries
    [[ -n $REDIS_PASSWORD ]] || REDIS_PASSWORD=$(random_hex 24)
    for ((attempt = 0; attempt < 5; attempt++)); do
        # A port that somebody else has taken meanwhile is given up.
        if [[ -z $REDIS_PORT ]] || ! port_is_free "$REDIS_PORT"; then
            REDIS_PORT=$(free_port)
        fi
        redis_configure
        # A session of its own, so that Ctrl-C in the terminal doesn't reach it.
        become_service setsid redis-server "$DATA/redis.conf" >> "$log" 2>&1 < /dev/null &
        pid=$!
        printf '%s\n' "$pid" > "$DATA/redis.pid"
        state_save
        for ((tries = 0; tries < 300; tries++)); do
            ! redis_answers || return 0
            kill -0 "$pid" 2> /dev/null || break
            sleep 0.05
        done
        tail -n 10 "$log" | grep -q 'Address already in use' || break
        REDIS_PORT=''
    done
    tail -n 20 "$log" >&2 || true
    die "Redis did not start; its log is $log"
}

# Whether the remembered process is this Redis still, and not another that got its number.
redis_runs() {
    [[ -f $DATA/redis.pid ]] || return 1
    local title
    title=$(tr '\0' ' ' 2> /dev/null < "/proc/$(< "$DATA/redis.pid")/cmdline") || return 1
    [[ $title == *redis-server*"$REDIS_PORT"* ]]
}

redis_stop() {
    local tries
    redis_runs || return 0
    redis_ask SHUTDOWN > /dev/null || true
    for ((tries = 0; tries < 200; tries++)); do
        redis_runs || break
        sleep 0.05
        # One that hangs doesn't hear the polite request.
        ((tries < 190)) || kill -KILL "$(< "$DATA/redis.pid")" 2> /dev/null || true
    done
    rm -f -- "$DATA/redis.pid"
}
