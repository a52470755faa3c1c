#!/bin/sh
# Starts what it is given, or the image's default.
set -eu
mkdir -p "${HF_HOME:?}"
exec "$@"
