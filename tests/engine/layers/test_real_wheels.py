"""Wheels from the index become the tree that ``installer`` makes of them."""

import csv
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys

import pytest
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile as OracleWheel

from layerwright.layers import WheelFile, emit_blob, emit_tar, wheel_layer
from layerwright.oci.digest import Digest

pytestmark = pytest.mark.network

# entry points; C extensions; headers; the data scheme; a program in the scripts scheme; many small files
REQUIREMENTS = ("uvicorn", "pyyaml", "greenlet", "jupyterlab-widgets", "ruff", "setuptools")
PREFIX = "/opt/venv"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), *REQUIREMENTS]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return sorted(folder.glob("*.whl"))


def describe(path):
    name, version = path.name.split("-")[:2]
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return WheelFile(path=path, sha256=sha256, file=path.name, name=name, version=version, requested=False)


def tree_of(root):
    return {
        str(path.relative_to(root)): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def rows_of(content):
    rows = csv.reader(io.StringIO(content.decode()))
    return {os.path.normpath(path): (digest, size) for path, digest, size in rows}


def test_trees_and_records_are_installer_s(wheels, tmp_path):
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert len(wheels) == len(REQUIREMENTS)
    for path in wheels:
        wheel = describe(path)
        ours, theirs = tmp_path / path.stem / "ours", tmp_path / path.stem / "theirs"
        ours.mkdir(parents=True)
        digests = wheel_layer([wheel], prefix=PREFIX, python=python, trees={wheel.sha256: ours})
        with OracleWheel.open(path) as source:
            scheme = {
                "purelib": f"lib/python{python}/site-packages",
                "platlib": f"lib/python{python}/site-packages",
                "scripts": "bin",
                "data": "",
                "headers": f"include/site/python{python}/{wheel.name}",
            }
            destination = SchemeDictionaryDestination(
                {name: str(theirs / place) for name, place in scheme.items()},
                f"{PREFIX}/bin/python3",
                "posix",
            )
            install(source, destination, {"INSTALLER": b"layerwright\n"})
            scripts = {f"bin/{name}" for name, _, _, _ in source_scripts(source)}
        mine, oracle = tree_of(ours / PREFIX[1:]), tree_of(theirs)
        assert mine.keys() == oracle.keys()
        record = next(name for name in mine if name.endswith("RECORD") and name.count("/") == 4)
        for name in mine.keys() - scripts - {record}:
            assert mine[name] == oracle[name], name
        mine_rows, oracle_rows = rows_of(mine[record][1]), rows_of(oracle[record][1])
        assert mine_rows.keys() == oracle_rows.keys()
        for name in mine_rows.keys() - {f"../../../{script}" for script in scripts}:
            assert mine_rows[name] == oracle_rows[name], name
        tar = b"".join(emit_tar([wheel], prefix=PREFIX, python=python))
        assert Digest.of(tar) == digests.diff_id
        assert gzip.decompress(b"".join(emit_blob([wheel], prefix=PREFIX, python=python))) == tar


def source_scripts(source):
    from installer.utils import parse_entrypoints

    if "entry_points.txt" not in source.dist_info_filenames:
        return []
    return list(parse_entrypoints(source.read_dist_info("entry_points.txt")))


def test_pip_finds_lists_checks_and_uninstalls(wheels, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    python = tmp_path / "venv/bin/python"
    tree = tmp_path / "tree"
    (tmp_path / "tree").mkdir()
    chosen = [describe(path) for path in wheels if path.name.startswith(("greenlet", "pyyaml"))]
    for wheel in chosen:
        (tree / wheel.name).mkdir()
    prefix = str(tmp_path / "venv")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    wheel_layer(
        chosen, prefix=prefix, python=version, trees={wheel.sha256: tree / wheel.name for wheel in chosen}
    )
    for wheel in chosen:  # the environment alone: the tree's upper folders are those of the host
        shutil.copytree(tree / wheel.name / prefix[1:], prefix, dirs_exist_ok=True)

    def pip(*arguments):
        command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout.decode()

    assert "greenlet" in pip("list")
    assert "No broken requirements" in pip("check")
    assert "Installer: layerwright" in pip("show", "--verbose", "greenlet")
    pip("uninstall", "--yes", "greenlet", "pyyaml")
    left = [
        str(path) for path in (tmp_path / "venv").rglob("*") if "greenlet" in str(path) or "yaml" in path.name
    ]
    assert [path for path in left if "/pip/" not in path] == []
