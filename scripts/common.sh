# What the scripts share. They run in the root of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=target/setup.log
venv=target/venv

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Runs a command without a word; what it said is shown if it fails.
quietly() {
    mkdir -p target
    "$@" </dev/null >"$log" 2>&1 && return
    cat "$log" >&2
    fail "failed: $*"
}

# The newest patch of each release of Envoy that the lab knows, the oldest first.
envoy_versions() { sed -n 's/^ *V[0-9_]* = "\([0-9.]*\)",$/\1/p' integration/src/version.rs; }

# Runs the pip of a Python environment of the project's own: not by its script, which names the
# directory where the environment was made.
pip() {
    [ -x "$venv/bin/pip" ] || quietly /usr/bin/python3 -m venv --clear "$venv"
    quietly "$venv/bin/python3" -m pip --disable-pip-version-check --no-input "$@"
}
