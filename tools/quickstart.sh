#!/bin/sh
# Installs layerwright on a fresh Debian-like machine, then builds the OCR example without a container engine
# and runs a script in it. Needs Python 3.11 or newer, and root or sudo. Everything goes to .venv here and to
# the store (~/.cache/layerwright, or LAYERWRIGHT_STORE).
set -eu
cd "$(dirname "$0")/.."
. tools/lib.sh

install_packages mmdebstrap debian-archive-keyring ca-certificates uidmap
make_environment .venv
.venv/bin/uv pip install --quiet --python .venv/bin/python .

cd examples/ocr
exec ../../.venv/bin/layerwright run ocr read_page.py page.png out/page-read.png
