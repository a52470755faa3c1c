"""Tries what the sandbox can do here, and prints it as JSON.

A program of its own (``python -P -m layerwright.doctor.sandbox_child``), since an ordinary user moves into a user
namespace for it: in there the owners of devices and sockets, which the other checks look at, cannot be told apart.
"""

import json
import sys
import tempfile
from pathlib import Path

from layerwright.host.environment import HostEnvironment
from layerwright.sandbox.namespace import enter_namespace, mapped_ids
from layerwright.sandbox.probe import probe

__all__ = ["main"]


def main() -> int:
    """Read ``{"variables": …, "folder": …}``; print the capabilities and how many ids there are."""
    wanted = json.loads(sys.stdin.buffer.read())
    host = enter_namespace(HostEnvironment.gather(wanted["variables"]))
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=wanted["folder"]) as scratch:
        capabilities = probe(host, Path(scratch))
    document = {"ids": mapped_ids(), **json.loads(capabilities.to_json())}
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
