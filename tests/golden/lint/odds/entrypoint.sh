#!/bin/bash
set -e
chown -R "$USER_ID:$GROUP_ID" /data
python "$@"
