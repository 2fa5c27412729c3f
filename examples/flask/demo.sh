#!/usr/bin/env bash
# Builds the Flask example, runs it, fetches its page, shows its layers, and builds it again.
#
# Usage: demo.sh [BASE]
# BASE is an image of a registry, such as ubuntu:22.04. Without it the base is made from the package mirror that this
# machine uses, since a machine behind a firewall reaches one of those and often no image registry.
# $LAYERCAKE is the program; without it, it is built first.
# The store is $LAYERCAKE_HOME, or target/demo of the checkout.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

# What the demonstration needs of the machine: the programs, and the packages that have them.
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need curl curl
[ $# -gt 0 ] || need mmdebstrap mmdebstrap
[ "$(id -u)" = 0 ] || need newuidmap uidmap
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq
    $sudo apt-get install -qq -y "${missing[@]}"
fi

if [ -z "${LAYERCAKE:-}" ]; then
    say "building layercake"
    cargo build --release --manifest-path "$root/Cargo.toml"
    LAYERCAKE="${CARGO_TARGET_DIR:-$root/target}/release/layercake"
fi
export LAYERCAKE
export LAYERCAKE_HOME="${LAYERCAKE_HOME:-$root/target/demo}"

base=${1:-}
if [ -z "$base" ]; then
    base=demo-base
    if ! "$LAYERCAKE" inspect "$base" >/dev/null 2>&1; then
        say "making a base from this machine's package mirror"
        "$here/../base.sh" "$base"
    fi
fi

# What pip needs to reach its index from here: certificates and settings of this machine, shown to every RUN.
# Nothing of them stays in the image. They lie in a folder of their own, where no package of the image wants to write.
host=()
certificates=${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}
if [ -r "$certificates" ]; then
    inside=/run/host/ca-certificates.crt
    host+=(--host-file "$certificates:$inside")
    for name in PIP_CERT SSL_CERT_FILE REQUESTS_CA_BUNDLE; do host+=(--host-env "$name=$inside"); done
fi
for settings in "${PIP_CONFIG_FILE:-}" "$HOME/.config/pip/pip.conf" /etc/pip.conf; do
    if [ -n "$settings" ] && [ -r "$settings" ]; then
        host+=(--host-file "$settings:/run/host/pip.conf" --host-env PIP_CONFIG_FILE=/run/host/pip.conf)
        break
    fi
done
for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST; do
    if [ -n "${!name:-}" ]; then host+=(--host-env "$name"); fi
done

build() { "$LAYERCAKE" build --build-arg BASE="$base" "${host[@]}" -t flask-hello "$@" "$here"; }

say "building the image"
time build

say "running it"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null || echo 18000)
"$LAYERCAKE" run --rm -p "127.0.0.1:$port:8000" flask-hello &
container=$!
trap 'kill "$container" 2>/dev/null || true' EXIT
curl --silent --show-error --fail --retry 40 --retry-delay 1 --retry-all-errors --retry-max-time 60 --max-time 10 \
    "http://127.0.0.1:$port/" >"$LAYERCAKE_HOME/page"
kill "$container"
wait "$container" || true
trap - EXIT
say "its page: $(cat "$LAYERCAKE_HOME/page")"
grep -q 'Hello World!' "$LAYERCAKE_HOME/page"

say "its layers"
"$LAYERCAKE" history flask-hello

say "building it again: nothing runs"
time build --progress plain
