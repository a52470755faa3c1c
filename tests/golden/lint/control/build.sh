#!/usr/bin/env bash
# Builds the image and tries it.
set -euo pipefail

version=${1:?the version to build}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

options=()
if [[ -t 0 ]]; then
  options+=(--interactive --tty)
fi

docker buildx build \
  --file "$here/Dockerfile" \
  --secret id=netrc,src="$HOME/.netrc" \
  --tag "registry.example.org/team/app:$version" \
  "$here"

if ! docker run --rm "${options[@]}" --gpus all --shm-size 8g \
  --user "$(id -u):$(id -g)" --volume "$PWD:/code" \
  "registry.example.org/team/app:$version" python -c 'import app' > "$scratch/log"; then
  echo "the image does not work:" >&2
  cat "$scratch/log" >&2
  exit 1
fi

printf '%s' "${REGISTRY_TOKEN:?}" | docker login --username ci --password-stdin registry.example.org
docker push "registry.example.org/team/app:$version"
