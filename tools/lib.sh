# Shared by the scripts here; sourced, never run.

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian packages that are not there yet; the lists are fetched only when something is missing.
install_packages() {
  missing=
  for package in "$@"; do
    dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  echo "installing$missing"
  as_root apt-get update -qq
  # shellcheck disable=SC2086 # a list of names
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
}

# A virtual environment with uv in it; Debian splits what venv needs into a package of its own.
make_environment() {
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "layerwright needs Python 3.11 or newer; $(python3 --version) is first on PATH" >&2
    exit 2
  }
  python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv
  [ -x "$1/bin/python" ] || python3 -m venv "$1"
  [ -x "$1/bin/uv" ] || "$1/bin/python" -m pip install --quiet --disable-pip-version-check uv
}
