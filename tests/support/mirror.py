"""Where tests find Debian's archive."""

import os

from layerwright.sources.apt import DebianMirror

MIRROR = DebianMirror.parse(
    os.environ.get("LAYERWRIGHT_DEBIAN_MIRROR", ""),
    snapshot=os.environ.get("LAYERWRIGHT_DEBIAN_SNAPSHOT", ""),
)
