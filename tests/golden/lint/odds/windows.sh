#!/bin/sh
set -e
exec python "$@"
