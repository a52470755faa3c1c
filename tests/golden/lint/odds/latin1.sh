#!/bin/sh
set -e
# déjà vu
exec python "$@"
