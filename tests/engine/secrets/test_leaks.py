"""The leak scan at the end of every build: what it finds fails the build, and nothing of it is kept."""

import base64
import secrets
import subprocess
from pathlib import Path

import pytest

from support.command import Project
from support.watch import holding, spellings

pytestmark = pytest.mark.engine

STEP = """\
[images.app]
run = [{{ script = '''{script}''', secrets = ["token"] }}]
[secrets.token]
env = "API_TOKEN"
"""


def with_secret(project: Project, value: str) -> Project:
    return Project(
        folder=project.folder,
        base=project.base,
        index=project.index,
        command=project.command.with_variables(API_TOKEN=value),
    )


def python(code: str) -> str:
    return f"/usr/bin/python3 -c \"t = open('/run/secrets/token', 'rb').read(); {code}\""


LEAVES = {
    "copied": ("cp /run/secrets/token /opt/kept", "/opt/kept"),
    "base64": (python("import base64; open('/b', 'wb').write(base64.b64encode(b'x' + t))"), "/b, line 1"),
    "quoted": (python("import urllib.parse as u; open('/q', 'w').write(u.quote(t))"), "percent-encoded"),
    "packed": (python("import gzip; open('/z.gz', 'wb').write(gzip.compress(t))"), "/z.gz"),
    "folder": ('mkdir "/$(cat /run/secrets/token)"', "the names of the files"),
    "link": ('ln -s "$(cat /run/secrets/token)" /link', "the names of the files"),
}


def test_what_a_step_leaves_of_a_secret_fails_the_build(fresh_project: Project) -> None:
    value = "s3c+r=t:" + secrets.token_hex(8)
    secret = with_secret(fresh_project, value)
    images = "".join(
        f"[images.{name}]\nrun = [{{ script = '''{script}''', secrets = [\"token\"] }}]\n"
        for name, (script, _) in LEAVES.items()
    )
    secret.spec(f'{images}[images.good]\n[secrets.token]\nenv = "API_TOKEN"\n')
    for _ in range(2):  # nothing of the first build serves the second
        done = secret("build", "--json", status=4)
        for name, (_, place) in LEAVES.items():
            assert (
                f"{name} would give a secret away; the image is not kept\n  the secret 'token' is in"
                in done.err
            )
            assert place in done.err
        assert "base64\n" in done.err
        assert "layerwright.toml:" in done.err
        assert value not in done.out + done.err
        assert holding(secret.command.store, spellings(value)) == []
    assert [image["cell"] for image in done.json()["images"]] == ["good"]


def test_a_leak_is_no_image_and_leaves_an_older_one_alone(fresh_project: Project) -> None:
    value = secrets.token_hex(12)
    secret = with_secret(fresh_project, value)
    secret.spec(STEP.format(script="wc -c < /run/secrets/token > /n"))
    before = secret("build", "--json").image["digest"]
    secret.spec(STEP.format(script="cp /run/secrets/token /n"))
    failed = secret("build", "--json", status=4)
    assert failed.json()["error"]["exit_code"] == 4
    assert value not in failed.out
    secret.spec(STEP.format(script="wc -c < /run/secrets/token > /n"))
    again = secret("build", "--json").image
    assert again["digest"] == before
    assert all(layer["cached"] for layer in again["layers"])


def test_a_secret_that_is_declared_later_is_found_in_what_was_built_before(fresh_project: Project) -> None:
    value = secrets.token_hex(12)
    fresh_project.write({"src/settings.txt": f"region = 3\nkeep {value} for later\n"})
    image = '[images.app]\ncopy = [{ from = "src", to = "/code/src" }]\n'
    fresh_project.spec(image)
    fresh_project("build")
    secret = with_secret(fresh_project, value)
    secret.spec(f'{image}[secrets.token]\nenv = "API_TOKEN"\n')
    done = secret("build", status=4)
    assert "/code/src/settings.txt, line 2" in done.err
    assert holding(fresh_project.command.store, [value.encode()]) == []


@pytest.mark.parametrize(
    ("images", "place"),
    [
        ('env = {{ TOKEN = "{value}" }}', "env TOKEN"),
        ('labels = {{ note = "{value}" }}', "label note"),
        ('entrypoint = ["python", "--token={value}"]', "entrypoint"),
        ("run = [{{ script = 'echo {value} | wc -c > /n' }}]", "a run step"),
    ],
)
def test_what_the_spec_itself_says_is_searched(fresh_project: Project, images: str, place: str) -> None:
    value = secrets.token_hex(12)
    secret = with_secret(fresh_project, value)
    text = images.format(value=value)
    secret.spec(f'[images.app]\n{text}\n[secrets.token]\nenv = "API_TOKEN"\n')
    done = secret("build", status=4)
    assert place in done.err or "history" in done.err
    assert value not in done.out + done.err


def test_shapes_of_secrets_in_what_is_copied_fail_the_build_unless_allowed_by_name(
    fresh_project: Project,
) -> None:
    token = "ghp_" + base64.b64encode(secrets.token_bytes(60)).decode().translate({43: "a", 47: "b"})[:36]
    fresh_project.write({"src/deploy.sh": f"curl -H 'Authorization: token {token}' https://x\n"})
    image = '[images.app]\ncopy = [{ from = "src", to = "/code/src" }]\n'
    fresh_project.spec(image)
    done = fresh_project("build", status=4)
    assert "seems to be in /code/src/deploy.sh, line 1" in done.err
    assert "[leaks] allow" in done.err
    assert token not in done.err
    fresh_project.spec(f'{image}[leaks]\nallow = ["/code/src/*.sh"]\n')
    done = fresh_project("build")
    assert "allowed by '/code/src/*.sh' of [leaks]" in done.err


def test_what_steps_print_is_masked_in_every_spelling_and_told(project: Project) -> None:
    value = "s3c+r/t:" + secrets.token_hex(8)
    secret = with_secret(project, value)
    code = "import base64, urllib.parse as u; print(base64.b64encode(t).decode(), u.quote(t), t.hex())"
    secret.spec(STEP.format(script=python(code)))
    done = secret("build", "--verbose")
    assert not any(way in (done.out + done.err).encode() for way in spellings(value))
    assert "a step of the build printed a secret; it is shown as ***" in done.err


def test_a_secret_too_short_to_be_looked_for_is_told(project: Project) -> None:
    secret = with_secret(project, "abc")
    secret.spec(STEP.format(script="wc -c < /run/secrets/token"))
    assert "the secret 'token' has fewer than 6 characters" in secret("build").err


def test_a_secret_that_may_be_missing_is_an_empty_file(project: Project) -> None:
    project.spec(
        '[images.app]\nrun = [{ script = "test -f /run/secrets/token && ! test -s /run/secrets/token", '
        'secrets = ["token"] }]\n[secrets.token]\nenv = "NOT_THERE"\nrequired = false\n'
    )
    project("build")
    project.spec(STEP.format(script="true"))
    assert (
        "the secret 'token' is empty in the variable API_TOKEN"
        in with_secret(project, "  ")("build", status=2).err
    )


def test_a_leak_of_a_docker_build_is_no_image(fresh_project: Project, docker: str, tmp_path: Path) -> None:
    value = "s3c+r=t:" + secrets.token_hex(8)
    secret = with_secret(fresh_project, value)
    name = f"layerwright-test-{secrets.token_hex(4)}"
    secret.spec(
        STEP.format(script=f"cp /run/secrets/token /opt/kept; echo {name}").replace(
            "run", f'name = "{name}"\nrun', 1
        )
    )
    done = secret("build", "--backend", "docker", status=4)
    assert "the secret 'token' is in /opt/kept" in done.err
    assert "docker builder prune" in done.err
    assert value not in done.out + done.err
    shown = subprocess.run(
        [docker, "image", "inspect", f"{name}:1"], capture_output=True, check=False, timeout=60
    )
    assert shown.returncode != 0


def test_the_seeds_own_recipe_is_found_out(fresh_project: Project, docker: str, tmp_path: Path) -> None:
    """Weakness W03: account and password as build arguments stand in the history, and ``verify`` says so."""
    value = "p@ss:w%rd" + secrets.token_hex(6)
    base = f"layerwright-test-{secrets.token_hex(4)}"
    fresh_project.spec(f'[images.app]\nname = "{base}"\n')
    fresh_project("build", "--output", "docker")
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text(
        f"FROM {base}:1\nARG PYPI_ACCOUNT\nARG PYPI_PASSWORD\n"
        "RUN echo pip install -i http://$PYPI_ACCOUNT:$PYPI_PASSWORD@10.0.0.1:16000/simple > /dev/null\n"
    )
    tag = f"layerwright-test-seed:{secrets.token_hex(4)}"
    (tmp_path / "pw").write_text(value)
    try:
        subprocess.run(
            [docker, "build", "-q", "-t", tag, "--build-arg", "PYPI_ACCOUNT=ann", "--build-arg",
             f"PYPI_PASSWORD={value}", str(tmp_path / "context")],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        done = fresh_project("verify", f"docker:{tag}", "--secret-file", str(tmp_path / "pw"), status=1)
        assert "the secret 'pw' is in history" in done.out
        assert value not in done.out + done.err
    finally:
        for name in (tag, f"{base}:1"):
            subprocess.run([docker, "image", "rm", "-f", name], capture_output=True, check=False, timeout=60)
