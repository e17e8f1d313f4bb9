#!/usr/bin/env bash
# HC Platform's one command. `./hc help` lists what it does.
set -euo pipefail

ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
PYTHON=$ROOT/.venv/bin/python
CHROMIUM_PACKAGES="chromium fonts-noto-core fonts-noto-cjk"

usage() {
    cat <<'HELP'
Usage: ./hc COMMAND

  up [--port N] [--no-demo]   start everything here; Ctrl-C stops it, the next `up` continues
  test [PYTEST ARGUMENTS]     all checks and tests; with arguments only pytest on these
  lint                        style, import rules, types, security patterns, migrations, deployment check
  bench [NAME]                one benchmark, or the list of them
  manage COMMAND …            Django's commands; `./hc manage help` lists them
  postgres PROGRAM …          psql, pg_dump or pg_restore on the embedded database
  help                        this text

Settings come from the environment or from a file .env (see .env.example and docs/operations.md).
HELP
}

# What this script itself has to say goes to stderr: stdout belongs to the command.
say() { printf '%s\n' "$*" >&2; }

fail() {
    printf '\nhc: %s\n' "$*" >&2
    exit 1
}

# --- Python and its packages ---

# Run a command with its output in a file; show a clock in a terminal, one line elsewhere.
step() {
    local title=$1 log began=$SECONDS pid code=0
    shift
    log=$(mktemp)
    set -m # a process group of its own, so that Ctrl-C can end all of it
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    set +m
    trap 'kill -- "-$pid" 2>/dev/null || true; rm -f "$log"; exit 130' INT TERM
    if [ -t 2 ]; then
        while kill -0 "$pid" 2>/dev/null; do
            printf '\r\033[K%s … %d s' "$title" $((SECONDS - began)) >&2
            sleep 0.2
        done
        printf '\r\033[K' >&2
    else
        say "$title …"
    fi
    wait "$pid" || code=$?
    trap - INT TERM
    if [ "$code" -eq 0 ]; then
        say "$title: $((SECONDS - began)) s"
    else
        cat "$log" >&2
    fi
    rm -f "$log"
    return "$code"
}

find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and was not found. On Debian or Ubuntu, as root:
    apt-get update && apt-get install -y python3 python3-venv"
}

make_venv() {
    local python
    "$PYTHON" -c 'import pip' 2>/dev/null && return
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python cannot make virtual environments. On Debian or Ubuntu, as root:
    apt-get update && apt-get install -y python3-venv"
    step "Making the virtual environment .venv" "$python" -m venv --clear "$ROOT/.venv" ||
        fail "The virtual environment could not be made (see above). Is there room on the disk, and may you write to $ROOT?"
}

# install FILE: only when a list of packages has changed since the last time.
install() {
    local file=$1 lists=$1 stamp=$ROOT/.venv/installed-$1 wanted
    make_venv
    [ "$file" = requirements.txt ] || lists="requirements.txt $file"
    # shellcheck disable=SC2086
    wanted=$(cd "$ROOT" && cat $lists | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say "Installing the packages of $file (the first time this downloads 1 to 4 GB, mostly torch)"
    pip_install "$file" || { say "That failed; trying once more" && pip_install "$file"; } ||
        fail "The packages could not be installed (see above). Check the connection to the package index and the
room on the disk (up to 8 GB), then give the same command again."
    printf '%s\n' "$wanted" >"$stamp"
}

pip_install() {
    set -- "$PYTHON" -m pip install --disable-pip-version-check --no-input -r "$ROOT/$1"
    if [ -t 2 ]; then
        "$@" </dev/null >&2
    else
        "$@" --progress-bar off </dev/null | { grep -v '^Requirement already satisfied' || true; } >&2
    fi
}

# --- Settings that have to be there before Django starts ---

# The value of NAME in the environment, or else in .env.
setting() {
    local value=${!1:-}
    if [ -z "$value" ] && [ -f "$ROOT/.env" ]; then
        value=$(sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$ROOT/.env" | head -n 1 | sed "s/[[:space:]]*\$//; s/^['\"]//; s/['\"]\$//")
    fi
    printf '%s' "$value"
}

# prepare_environment [NAME]: with a name, data of its own, beside those of `up`.
prepare_environment() {
    DATA_DIR=$(setting DATA_DIR)
    DATA_DIR=${DATA_DIR:-.data}
    case $DATA_DIR in
        /*) ;;
        *) DATA_DIR=$ROOT/$DATA_DIR ;;
    esac
    export DATA_DIR=$DATA_DIR${1:+/$1}
    # Safe path: a file in the caller's directory that is named like a module must not be imported.
    export PYTHONPATH=$ROOT PYTHONSAFEPATH=1
    (umask 077 && mkdir -p "$DATA_DIR") || fail "Cannot make the directory $DATA_DIR. Set DATA_DIR to one that you may write."
    SECRET_KEY=$(setting SECRET_KEY)
    [ -n "$SECRET_KEY" ] || SECRET_KEY=$(kept_secret_key)
    export SECRET_KEY
}

# Made once: sessions and signatures have to survive a restart.
kept_secret_key() {
    local file=$DATA_DIR/secret_key
    if [ ! -s "$file" ]; then
        (umask 077 && "$PYTHON" -c 'import secrets; print(secrets.token_urlsafe(60))' >"$file.$$")
        mv -n "$file.$$" "$file" || true # another call may have been faster
        rm -f "$file.$$"
    fi
    cat "$file" || fail "Cannot read $file. It belongs to whoever ran this first; set DATA_DIR to a directory of your own."
}

embedded() { "$PYTHON" -m hc_platform.embedded "$@"; }

with_servers() { embedded run "$@"; }

# For tests: their data need not outlive a power failure.
with_scratch_servers() { embedded run --scratch "$@"; }

# --- Commands ---

up() {
    install requirements.txt
    prepare_environment
    cd "$ROOT"
    exec "$PYTHON" manage.py up "$@"
}

manage() {
    install requirements.txt
    prepare_environment
    with_servers "$PYTHON" "$ROOT/manage.py" "$@"
}

postgres() {
    [ $# -gt 0 ] || fail "Which program? For example: ./hc postgres psql"
    install requirements.txt
    prepare_environment
    embedded postgres "$@"
}

bench() {
    local name=${1:-}
    if [ -z "$name" ]; then
        echo "Benchmarks (./hc bench NAME):"
        find "$ROOT/benchmarks" -maxdepth 1 -name '[!_]*.py' -printf '  %f\n' | sed 's/\.py$//' | sort
        return
    fi
    [ -f "$ROOT/benchmarks/$name.py" ] || fail "There is no benchmark $name. ./hc bench lists them."
    shift
    install requirements-dev.txt
    own_environment bench
    export PYTHONPATH=$ROOT:$ROOT/benchmarks
    with_servers "$PYTHON" "$ROOT/benchmarks/$name.py" "$@"
}

lint() {
    install requirements-dev.txt
    own_environment test
    cd "$ROOT"
    check_everything
}

run_tests() {
    install requirements-dev.txt
    find_chromium
    own_environment test
    cd "$ROOT"
    if [ $# -gt 0 ]; then
        with_scratch_servers "$PYTHON" -m pytest "$@"
    else
        check_everything
        test_in_two_halves
    fi
}

# Each half has a core and servers of its own; torch's second thread would only wait for the other half.
test_in_two_halves() {
    local log other code=0
    log=$(mktemp)
    export OMP_NUM_THREADS=1
    say "The tests of training and of the browser run beside the others; what they say follows at the end."
    set -m # a process group of its own, so that Ctrl-C can end all of it
    (
        export DATA_DIR=$DATA_DIR-beside
        umask 077 && mkdir -p "$DATA_DIR"
        with_scratch_servers "$PYTHON" -m pytest tests/training tests/browser -o cache_dir=.pytest_cache/beside
    ) >"$log" 2>&1 </dev/null &
    other=$!
    set +m
    trap 'kill -- "-$other" 2>/dev/null || true; rm -f "$log"; exit 130' INT TERM
    with_scratch_servers "$PYTHON" -m pytest tests --ignore=tests/training --ignore=tests/browser || code=$?
    wait "$other" || code=$?
    trap - INT TERM
    cat "$log"
    rm -f "$log"
    return "$code"
}

check_everything() {
    local folders="hc_platform annotation training"
    # shellcheck disable=SC2086
    step "Style (ruff)" "$PYTHON" -m ruff check $folders tests benchmarks manage.py ||
        fail "The style has faults (see above). Many go away with: .venv/bin/python -m ruff check --fix"
    step "Import rules (import-linter)" "$PYTHON" .venv/bin/lint-imports ||
        fail "A module imports what it must not (see above). The rules stand in pyproject.toml."
    step "Static types of the pure code (mypy)" "$PYTHON" -m mypy ||
        fail "A type does not hold (see above). pyproject.toml names the modules that are looked at."
    # shellcheck disable=SC2086
    step "Security patterns (bandit)" "$PYTHON" -m bandit --quiet --recursive --configfile pyproject.toml $folders ||
        fail "There is a dangerous call (see above). Change it, or say in a comment '# nosec ID # REASON' why it is safe."
    step "Migrations are complete" with_scratch_servers "$PYTHON" manage.py makemigrations --check --dry-run ||
        fail "A model changed and its migration is missing: ./hc manage makemigrations --name WHAT_IT_DOES"
    step "Deployment check" env HTTPS=1 ALLOWED_HOSTS=platform.example \
        "$PYTHON" manage.py check --deploy --fail-level WARNING ||
        fail "The production settings are not safe (see above)."
}

# Tests and benchmarks have their own data and settings: what .env says or `up` holds plays no part.
own_environment() {
    export DATABASE_URL="" REDIS_URL="" DEBUG=0 HTTPS=0 SIGN_UP=invitation BASE_MODEL_PATH="" BASE_MODELS_DIR="" TRAINING_PROCESSES="" METRICS_TOKEN=""
    export ALLOWED_HOSTS=localhost,127.0.0.1 CSRF_TRUSTED_ORIGINS="" LOG_LEVEL=INFO TIME_ZONE=UTC
    prepare_environment "$1"
}

find_chromium() {
    local path=${CHROMIUM_PATH:-/usr/bin/chromium}
    [ -x "$path" ] && return
    [ -z "${CHROMIUM_PATH:-}" ] || fail "CHROMIUM_PATH is $path, and no program is there."
    command -v apt-get >/dev/null || fail "The browser tests need Chromium: install it and set CHROMIUM_PATH to the program."
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "The browser tests need Chromium. Install it once as root:
    apt-get update && apt-get install -y --no-install-recommends $CHROMIUM_PACKAGES"
        as_root=(sudo -n)
    fi
    step "Refreshing the package lists (apt-get)" "${as_root[@]}" apt-get update ||
        fail "apt-get update failed (see above). Check the network, then run this again."
    # shellcheck disable=SC2086
    step "Installing Chromium for the browser tests" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $CHROMIUM_PACKAGES ||
        fail "Chromium could not be installed (see above). Install it by hand and set CHROMIUM_PATH, or run this again."
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
    up) up "$@" ;;
    test) run_tests "$@" ;;
    lint) lint ;;
    bench) bench "$@" ;;
    manage) manage "$@" ;;
    postgres) postgres "$@" ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        fail "There is no command $command."
        ;;
esac
