"""The README's first command in an ordinary container: no added capability, as most CI jobs run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.command import Command

pytestmark = [pytest.mark.engine, pytest.mark.network]

ROOT = Path(__file__).parents[3]

_SPEC = """\
[project]
name = "fresh-machine"
[images.machine]
name = "fresh-machine"
from = "debian:bookworm"
python = "3.11"
tags = ["test"]
apt = ["ca-certificates"]
"""


def certificates() -> str:
    """The bundle this machine trusts; a container knows nothing of a company's own authority."""
    named = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
    return named or "/etc/ssl/certs/ca-certificates.crt"


def test_quickstart_in_an_unprivileged_container(docker: str, tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    folder.mkdir()
    (folder / "layerwright.toml").write_text(_SPEC, encoding="utf-8")
    command = Command(folder=folder, store=tmp_path / "store", home=tmp_path)
    command("build", "--output", "docker", timeout=600)
    checkout = tmp_path / "layerwright"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        target = checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    # Writable copy inside: the script makes its environment beside itself.
    script = "cp -r /src /root/layerwright && cd /root/layerwright && sh tools/quickstart.sh"
    bundle = "/bundle.crt"
    trusted = [f"--env={name}={bundle}" for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")]
    done = subprocess.run(
        [docker, "run", "--rm", "--network=host", f"--volume={checkout}:/src:ro",
         f"--volume={certificates()}:{bundle}:ro", *trusted, "fresh-machine:test", "sh", "-c", script],
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    subprocess.run([docker, "rmi", "fresh-machine:test"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Corner Hardware Ltd" in done.stdout
    assert "drawn to out/page-read.png" in done.stdout
    assert "nothing can be mounted here" in done.stderr
