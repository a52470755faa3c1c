"""A program for tests: runs a shell script in a root file system, in the foreground or with its lines captured.

Started as ``python sandbox_run.py MODE RUNNER LOWER SCRATCH SCRIPT``; MODE is ``foreground``, ``captured`` or
``namespace`` (an ordinary user's way). Needs msgspec and the standard library only, so that another Python will do.
"""

import os
import sys
from pathlib import Path

from msgspec.structs import replace

from layerwright.host.environment import HostEnvironment
from layerwright.sandbox.execute import execute, execute_foreground
from layerwright.sandbox.model import Bind, Command
from layerwright.sandbox.namespace import enter_namespace
from layerwright.sandbox.probe import probe
from layerwright.sandbox.rootfs import assemble


def main() -> int:
    mode, runner, lower, scratch, script = sys.argv[1:]
    host = HostEnvironment.gather(dict(os.environ))
    ids = {}
    if mode == "namespace":
        host = enter_namespace(host)
        ids = {"uid": host.caller_uid, "gid": host.caller_gid}
    capabilities = probe(host, Path(scratch))
    if runner:
        chroot = runner == "chroot"
        capabilities = replace(
            capabilities,
            runners=(runner,),
            overlay=capabilities.overlay and not chroot,
            mount_namespace=capabilities.mount_namespace and not chroot,
        )
    command = Command(
        argv=("/bin/bash", "-c", script),
        env={"PATH": "/bin"},
        cwd="/code",
        binds=(Bind(source=Path(scratch) / "code", target="/code"),),
        network=True,
        tty=os.isatty(0),
        **ids,
    )
    with assemble([Path(lower)], scratch=Path(scratch), capabilities=capabilities) as rootfs:
        if mode == "captured":
            return execute(rootfs, command, capabilities=capabilities, on_line=print, timeout=120)
        status = execute_foreground(rootfs, command, capabilities=capabilities)
        for change in rootfs.changes():
            print(change.kind, change.path)
        return status


if __name__ == "__main__":
    sys.exit(main())
