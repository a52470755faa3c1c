#!/bin/bash
set -e
docker build \
    -f private.Dockerfile \
    --build-arg PYPI_PASSWORD=$(awk -F '://|@' '/index-url/{print $2}' ~/.config/pip/pip.conf | cut -d':' -f2) \
    -t your_image_name .
