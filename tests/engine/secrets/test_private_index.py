"""Rows D01, D03 and D04: packages of an index that wants an account, and no trace of the account."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import Project
from support.index import Index, serve
from support.packages import make_wheel
from support.registry import have_registry, make_certificate, running_registry
from support.watch import holding, processes_watched, spellings

pytestmark = pytest.mark.engine

USER = "build.er@example.org"
PASSWORD = "p:a@s%s/w?o#r&d ü+%41=\\'\"$x"
SOURCE = """\
url = "{url}"
credentials = "file:../account"
ca = "../authority.pem"
"""
IMAGE = """\
[images.app]
packages = ["ours"]
entrypoint = ["python"]
run = [{ script = "python -c 'import ours'" }]
"""


DOCKER_IMAGE = """\
[images.app]
packages = ["ours"]
[[images.app.run]]
script = '''
cat /run/secrets/token
python -c "import base64; print(base64.b64encode(open('/run/secrets/token', 'rb').read()).decode())"
wc -c < /run/secrets/token > /n; : NAME
'''
secrets = ["token"]
[secrets.token]
file = "token.txt"
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def private(certificate: tuple[Path, Path], tmp_path: Path) -> Iterator[Index]:
    """An index with TLS by an authority of its own, and an account."""
    with serve(certificate=certificate) as index:
        index.credentials = f"{USER}:{PASSWORD}"
        index.add(make_wheel("ours", "1.4.0"))
        (tmp_path / "authority.pem").write_bytes(certificate[0].read_bytes())
        account = tmp_path / "account"
        account.touch(mode=0o600)
        account.write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
        yield index


def lock_and_build(project: Project, *options: str) -> str:
    ways = spellings(PASSWORD)
    with processes_watched(ways) as seen:
        said = ""
        for command in (["lock"], ["build", *options], ["build", "--verbose", *options]):
            done = project(*command)
            said += done.out + done.err
    assert seen == []
    assert not any(way in said.encode() for way in ways)
    return said


def test_d01_a_private_index_leaves_no_trace_of_its_account(
    fresh_project: Project, private: Index, tmp_path: Path
) -> None:
    fresh_project.spec(IMAGE, index=SOURCE.format(url=private.simple))
    lock_and_build(fresh_project, "--output", f"oci:{tmp_path / 'layout'}")
    assert fresh_project("run", "app", "-c", "import ours; print(ours.VERSION)").out == "1.4.0\n"
    ways = [*spellings(PASSWORD), *spellings(USER)]
    assert holding(fresh_project.folder, ways) == []
    assert holding(fresh_project.command.store, ways) == []
    assert holding(tmp_path / "layout", ways) == []
    assert holding(fresh_project.command.home, ways) == []  # uv's cache among it
    verified = fresh_project(
        "verify", f"oci:{tmp_path / 'layout'}", "--secret-file", str(tmp_path / "account")
    )
    assert "LW-SECRET" not in verified.out


@pytest.mark.skipif(not have_registry(), reason="docker-registry is not installed")
def test_d01_and_d05_push_with_an_account_that_shows_nowhere(
    fresh_project: Project, private: Index, tmp_path: Path
) -> None:
    fresh_project.spec(IMAGE, index=SOURCE.format(url=private.simple))
    fresh_project("build")
    with running_registry(tmp_path / "registry", account=("ann", PASSWORD)) as registry:
        refused = fresh_project("push", "--to", f"{registry.address}/team", status=6)
        assert "docker login" in refused.err
        helper = tmp_path / "bin" / "docker-credential-test"
        helper.parent.mkdir()
        answer = json.dumps({"ServerURL": registry.address, "Username": "ann", "Secret": PASSWORD})
        (tmp_path / "answer").write_text(answer, encoding="utf-8")
        helper.write_text(f"#!/bin/sh\ncat >/dev/null\nexec cat {tmp_path / 'answer'}\n")
        helper.chmod(0o755)
        config = fresh_project.command.home / ".docker" / "config.json"
        config.parent.mkdir()
        config.write_text(json.dumps({"credHelpers": {registry.address: "test"}}))
        command = fresh_project.command.with_variables(PATH=f"{helper.parent}:{os.environ['PATH']}")
        ways = spellings(PASSWORD)
        with processes_watched(ways) as seen:
            done = command("push", "--verbose", "--to", f"{registry.address}/team")
        assert seen == []
        assert f"{registry.address}/team/demo-app:1@sha256:" in done.out
        assert not any(way in (done.out + done.err).encode() for way in ways)
        assert holding(tmp_path / "registry" / "data", ways) == []
        assert holding(fresh_project.command.store, ways) == []


def test_d01_with_docker(fresh_project: Project, private: Index, docker: str, tmp_path: Path) -> None:
    value = "t0ken:of@a%run+step/" + os.urandom(6).hex()
    fresh_project.write({"token.txt": value + "\n"})
    name = f"layerwright-test-{os.urandom(4).hex()}"
    fresh_project.spec(
        DOCKER_IMAGE.replace("NAME", name).replace("packages", f'name = "{name}"\npackages'),
        index=SOURCE.format(url=private.simple),
    )
    ways = [*spellings(PASSWORD), *spellings(value)]
    try:
        with processes_watched(ways) as seen:
            done = fresh_project("build", "--backend", "docker", "--verbose")
        assert seen == []
        said = (done.out + done.err).encode()
        assert not any(way in said for way in ways)
        assert b"***" in said
        for command in (["history", "--no-trunc"], ["inspect"]):
            shown = subprocess.run(
                [docker, *command, f"{name}:1"], capture_output=True, check=True, timeout=60
            )
            assert not any(way in shown.stdout for way in ways)
        saved = tmp_path / "saved"
        saved.mkdir()
        subprocess.run([docker, "save", "-o", str(saved / "image.tar"), f"{name}:1"], check=True, timeout=120)
        subprocess.run(["tar", "-xf", "image.tar"], cwd=saved, check=True, timeout=60)
        assert holding(saved, ways) == []
        assert holding(fresh_project.command.store, ways) == []
    finally:
        subprocess.run(
            [docker, "image", "rm", "-f", f"{name}:1"], capture_output=True, check=False, timeout=60
        )


def test_an_sdists_own_code_is_given_no_account(
    fresh_project: Project, private: Index, tmp_path: Path
) -> None:
    """Asking an sdist for its requirements runs its build back end, on the host, as the caller."""
    name, data = _sdist_that_looks_around(tmp_path / "seen-by-setup")
    private.files[name] = data
    fresh_project.spec('[images.app]\npackages = ["nosy"]\n', index=SOURCE.format(url=private.simple))
    fresh_project("lock")
    seen = (tmp_path / "seen-by-setup").read_bytes()
    assert b"PATH=" in seen
    ways = [*spellings(PASSWORD), *spellings(USER)]
    assert not any(way in seen for way in ways)


def _sdist_that_looks_around(into: Path) -> tuple[str, bytes]:
    import io
    import tarfile

    backend = f"""\
import os, pathlib
def look():
    found = [f"{{key}}={{value}}".encode() for key, value in os.environ.items()]
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(pathlib.Path("/proc/self/fd/" + name).read_bytes()[:10000] if int(name) > 2 else b"")
        except OSError:
            pass
    pathlib.Path({str(into)!r}).write_bytes(b"\\n".join(found))
def get_requires_for_build_wheel(settings=None): return []
def prepare_metadata_for_build_wheel(folder, settings=None):
    look()
    info = pathlib.Path(folder) / "nosy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: nosy\\nVersion: 1.0\\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return info.name
def build_wheel(folder, settings=None, metadata=None): raise SystemExit("never asked")
"""
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: nosy\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": backend,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"nosy-1.0/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return "nosy-1.0.tar.gz", buffer.getvalue()


@pytest.mark.parametrize(
    ("half", "says"),
    [("ann:", "gives no password"), (":secretword", "gives no user"), ("", "no credentials")],
)
def test_d03_half_an_account_stops_before_anything_is_fetched(
    fresh_project: Project, private: Index, tmp_path: Path, half: str, says: str
) -> None:
    (tmp_path / "account").write_text(half)
    fresh_project.spec(IMAGE, index=SOURCE.format(url=private.simple))
    done = fresh_project("build", status=2)
    assert says in done.err
    assert "layerwright.toml:" in done.err
    assert "secretword" not in done.err
    assert private.requests == []
    assert not fresh_project.lock.exists()


def test_a_wrong_password_is_told_by_the_index_s_own_address(
    fresh_project: Project, private: Index, tmp_path: Path
) -> None:
    (tmp_path / "account").write_text("ann:anotherPassword")
    fresh_project.spec(IMAGE, index=SOURCE.format(url=private.simple))
    done = fresh_project("lock", status=6)
    assert private.simple in done.err or "index loopback" in done.err
    assert "anotherPassword" not in done.err


def test_d04_plain_http_elsewhere_is_refused_unless_opted_in_by_name(fresh_project: Project) -> None:
    fresh_project.spec(IMAGE, index='url = "http://pypi.example.org/simple"')
    done = fresh_project("lock", status=2)
    assert "plain http is refused" in done.err
    assert 'insecure = "http"' in done.err


def test_d04_a_mirror_by_plain_http_is_refused_too(fresh_project: Project, private: Index) -> None:
    fresh_project.spec(IMAGE, index='url = "https://pypi.example.org/simple"')
    command = fresh_project.command.with_variables(
        LAYERWRIGHT_INDEX_LOOPBACK="http://u:secretword@pypi.example.org/x"
    )
    done = command("lock", status=2)
    assert "plain http is refused" in done.err
    assert "secretword" not in done.err


def test_d04_an_untrusted_certificate_is_refused_and_every_report_repeats_the_opt_in(
    fresh_project: Project, private: Index
) -> None:
    known = f'url = "{private.simple}"\ncredentials = "file:../account"\n'
    image = IMAGE
    fresh_project.spec(image, index=known)
    done = fresh_project("lock", status=6)
    assert "not trusted" in done.err
    fresh_project.spec(image, index=f'{known}insecure = "certificate"\n')
    for command in ("lock", "build", "build", "check"):
        done = fresh_project(command, status=None)
        assert done.status == 0 or command == "check"
        assert done.err.count("the certificate of index loopback is not verified") == 1, done
    assert "InsecureRequestWarning" not in done.err
