# Installs what the services and the Rust linker need from Debian's or Ubuntu's packages, and leaves no service of the
# system's running or enabled that wasn't there before.
# shellcheck shell=bash disable=SC2154 # `self` is the sourcing file's path

POLICY=/usr/sbin/policy-rc.d
POLICY_SAVED=/usr/sbin/policy-rc.d.before-dialplane
NO_CLUSTER=/etc/postgresql-common/createcluster.d/dialplane.conf

# Prints the packages that are missing for the named services and for building, one a line.
packages_missing() {
    local service
    for service in "$@"; do
        case $service in
            postgres) postgres_bin > /dev/null || echo postgresql ;;
            redis) redis_is_usable || echo redis-server ;;
        esac
    done
    if ! command -v cc > /dev/null || ! command -v make > /dev/null; then
        echo build-essential
    fi
}

# Makes sure that the named services' programs, a linker and make are there; exits, saying what to do, if they can't be.
packages_install() {
    local missing
    mapfile -t missing < <(packages_missing "$@")
    ((${#missing[@]})) || return 0
    local by_hand="apt-get update && apt-get install -y ${missing[*]}"
    if ! command -v apt-get > /dev/null; then
        packages_explain "${missing[@]}"
        exit 1
    fi
    if [[ $EUID -eq 0 ]]; then
        say "installing ${missing[*]}"
        "$self" packages "${missing[@]}" || die "could not install them; by hand: $by_hand"
    elif command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
        say "installing ${missing[*]} through sudo"
        sudo -n "$self" packages "${missing[@]}" || die "could not install them; by hand: sudo sh -c '$by_hand'"
    elif command -v sudo > /dev/null && [[ -t 0 && -t 2 ]]; then
        say "installing ${missing[*]} through sudo, which may ask for your password"
        sudo "$self" packages "${missing[@]}" || die "could not install them; by hand: sudo sh -c '$by_hand'"
    else
        say "missing: ${missing[*]}. This user may not install them. As root, run:"
        printf '    %s\n' "$by_hand" >&2
        exit 1
    fi
    mapfile -t missing < <(packages_missing "$@")
    ((${#missing[@]} == 0)) || {
        say "this system's packages are too old:"
        packages_explain "${missing[@]}"
        exit 1
    }
}

# Says what is wanted, for systems whose package names or versions we don't know.
packages_explain() {
    local package
    for package in "$@"; do
        case $package in
            postgresql)
                say "install PostgreSQL >= $POSTGRES_VERSION_MIN with its server and client programs, or set DATABASE_URL"
                ;;
            redis-server) say "install Redis >= $REDIS_VERSION_MIN (redis-server in PATH), or set REDIS_URL" ;;
            *) say "install a C compiler (cc) and make" ;;
        esac
    done
}

# As root: installs the named packages without starting their services.
packages_apt() {
    [[ $EUID -eq 0 ]] || die "packages are installed as root"
    # The caller's umask of 077 would make the system's files unreadable to others.
    umask 022
    # An earlier install that was killed may have left its own policy: the saved one is the true one then.
    if [[ -e $POLICY ]] && ! grep -q "$POLICY_SAVED" "$POLICY"; then
        mv "$POLICY" "$POLICY_SAVED"
    fi
    trap packages_restore EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # Forbids starting the new services; about all others the system's own policy, if it has one, goes on deciding.
    cat > "$POLICY" << SH
#!/bin/sh
case " \$* " in *" postgresql"* | *" redis-server"*) exit 101 ;; esac
[ ! -x $POLICY_SAVED ] || exec $POLICY_SAVED "\$@"
exit 0
SH
    chmod 755 "$POLICY"
    # No cluster of the system's is made, so that its (enabled) service has nothing to start.
    mkdir -p "$(dirname "$NO_CLUSTER")"
    echo 'create_main_cluster = false' > "$NO_CLUSTER"

    export DEBIAN_FRONTEND=noninteractive
    local apt=(apt-get -q -y -o DPkg::Lock::Timeout=120)
    local log package
    log=$(mktemp)
    "${apt[@]}" update > "$log" 2>&1 < /dev/null || say "apt-get update failed; trying with the lists that are there"
    if ! "${apt[@]}" install --no-install-recommends "$@" >> "$log" 2>&1 < /dev/null; then
        tail -n 30 "$log" >&2
        die "apt-get failed; all that it said is in $log"
    fi
    rm -f -- "$log"

    for package in "$@"; do
        [[ $package == redis-server ]] || continue
        # Its package enables it for the next boot.
        ! command -v systemctl > /dev/null || systemctl -q disable redis-server.service > /dev/null 2>&1 || true
        ! command -v update-rc.d > /dev/null || update-rc.d redis-server disable > /dev/null 2>&1 || true
    done
}

packages_restore() {
    rm -f -- "$NO_CLUSTER" "$POLICY"
    rmdir --ignore-fail-on-non-empty /etc/postgresql-common/createcluster.d 2> /dev/null || true
    [[ ! -e $POLICY_SAVED ]] || mv "$POLICY_SAVED" "$POLICY"
}
