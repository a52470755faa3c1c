#!/bin/sh
# Installs what the tests need on a Debian-like machine and runs all of them: lint, types, architecture,
# generated files, unit, property and engine tests. Needs Python 3.11 or newer, and root or sudo.
# A container engine that is not running is started here and stopped by its process id.
set -eu
cd "$(dirname "$0")/.."
. tools/lib.sh

install_packages mmdebstrap debian-archive-keyring ca-certificates uidmap runc crun \
  docker.io containerd skopeo docker-registry podman conmon tini busybox-static shellcheck apache2-utils graphviz git \
  iproute2 openssl gcc libc6-dev chromium fonts-dejavu-core
make_environment .venv
.venv/bin/uv pip install --quiet --python .venv/bin/python --editable . --group dev
PATH="$PWD/.venv/bin:$PATH"
export PATH

work=$(mktemp -d)
daemon=
stop() {
  status=$?
  trap - EXIT INT TERM
  if [ -n "$daemon" ]; then
    as_root kill "$daemon" 2>/dev/null || :
    while as_root kill -0 "$daemon" 2>/dev/null; do sleep 0.2; done
  fi
  as_root rm -rf "$work"
  exit "$status"
}
trap stop EXIT INT TERM

# Debian 12 has no buildx, and its Docker no named contexts: a newer Docker for the tests that need them.
LAYERWRIGHT_TEST_DOCKER=${LAYERWRIGHT_TEST_DOCKER:-$work/newer-docker}
export LAYERWRIGHT_TEST_DOCKER
sh tools/newer_docker.sh "$LAYERWRIGHT_TEST_DOCKER"

# The client by its path: a newer client without buildx elsewhere on PATH refuses to build.
if ! /usr/bin/docker version >/dev/null 2>&1; then
  as_root sh -c 'echo $$ > "$1/pid"; exec dockerd --pidfile "$1/docker.pid" > "$1/log" 2>&1' start "$work" &
  for _ in $(seq 300); do
    /usr/bin/docker version >/dev/null 2>&1 && break
    sleep 0.1
  done
  daemon=$(cat "$work/pid")
  /usr/bin/docker version >/dev/null 2>&1 || {
    echo "dockerd did not start:" >&2
    tail -n 20 "$work/log" >&2
    exit 1
  }
fi

# Locks name packages by index, file and digest, so a machine's own copy of an index serves as well.
if [ -n "${PIP_FIND_LINKS:-}" ] && [ -d "$PIP_FIND_LINKS" ] && [ -z "${LAYERWRIGHT_INDEX_PYTORCH_CPU:-}" ]; then
  LAYERWRIGHT_INDEX_PYTORCH_CPU=$PIP_FIND_LINKS
  export LAYERWRIGHT_INDEX_PYTORCH_CPU
fi

nox --no-venv --sessions lint types generated
LAYERWRIGHT_REQUIRE_ENGINES=1 python -m pytest "$@"
