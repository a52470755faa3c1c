"""Rows F03, F04 and F12: source trees at their tags, fetched or taken from a checkout that is never written to.

The repositories are stand-ins with submodules (support/musa_sources.py); git, the engines and the layers are real.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.layers import members_of, tars_of
from support.musa_sources import Repositories, Workplace, commit_all, git, served
from support.podman import settings_file

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

KEPT = {"pytorch": "v2.0.0", "vision": "v0.15.2"}


def uses(*names: str, more: str = "") -> str:
    """An image that holds source trees where the documents say."""
    entries = ", ".join(f'{{ source = "{name}", to = "/home/{name}"{more} }}' for name in names)
    return f"[images.dev]\nsources = [{entries}]\n"


def state_of(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Everything below a folder: times, modes, contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (status.st_mtime_ns, status.st_mode, content)
    return found


def files_of(workplace: Workplace, tmp_path: Path, below: str = "home/") -> dict[str, bytes]:
    """Files of the image, by path."""
    archive = tmp_path / f"saved-{time.monotonic_ns()}.tar"
    workplace("build", "dev", "--output", f"docker-archive:{archive}")
    found: dict[str, bytes] = {}
    for tar in tars_of(archive):
        import io
        import tarfile

        with tarfile.open(fileobj=io.BytesIO(tar)) as layer:
            for member in layer:
                if member.isfile() and member.name.startswith(below):
                    file = layer.extractfile(member)
                    found[member.name] = file.read() if file else b""
    return found


def told(text: str) -> str:
    """What the command said, without colours and line ends."""
    return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", text))


@pytest.mark.parametrize("name", ["pytorch", "vision"])
def test_f03_f04_fetched_at_the_tag_with_submodules(workplace: Workplace, tmp_path: Path, name: str) -> None:
    workplace.write(workplace.source(name, KEPT[name]) + uses(name))
    workplace("lock")
    lock = (workplace.lock).read_text(encoding="utf-8")
    commits = workplace.repositories.commits
    assert f'rev = "{KEPT[name]}", commit = "{commits[name]}"' in lock
    held = files_of(workplace, tmp_path)
    wanted = workplace.repositories.clone(name, tmp_path / "wanted", at=KEPT[name])
    expected = {
        f"home/{name}/{path.relative_to(wanted)}": path.read_bytes()
        for path in wanted.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(wanted).parts
    }
    assert held == expected  # the tag, not what the branch says by now; and no .git
    if name == "pytorch":
        assert 'submodule = "third_party/kineto", git = "file://' in lock
        for below in ("kineto", "sleef"):
            assert f'commit = "{commits[below]}"' in lock
        assert "home/pytorch/third_party/kineto/third_party/sleef/include/sleef.h" in held


def test_f03_a_lock_keeps_its_commit_when_the_tag_moves(workplace: Workplace, tmp_path: Path) -> None:
    workplace.write(workplace.source("vision", "v0.15.2") + uses("vision"))
    workplace("build")
    lock = workplace.lock
    before = lock.read_text(encoding="utf-8")
    copy = workplace.repositories.clone("vision", tmp_path / "copy")
    (copy / "new.txt").write_text("moved", encoding="utf-8")
    commit = commit_all(copy, "moved")
    git(copy, "tag", "--force", "--annotate", "--message", "moved", "v0.15.2")
    git(copy, "push", "--quiet", "--force", "origin", "v0.15.2")
    workplace("lock")
    assert lock.read_text(encoding="utf-8") == before
    done = workplace("lock", "--upgrade", "vision")
    assert f'commit = "{commit}"' in lock.read_text(encoding="utf-8")
    assert f"v0.15.2 at {commit[:12]}" in told(done.out + done.err)


@pytest.mark.parametrize(
    ("rev", "said"),
    [
        ("v9.9.9", "has neither a tag nor a branch 'v9.9.9'"),
        ("70daa54", "looks like part of a commit"),
        ("v2.0.0^{}", "is no tag, branch or commit"),
        ("--upload-pack=x", "is no tag, branch or commit"),
    ],
)
def test_f03_a_revision_that_is_none(workplace: Workplace, rev: str, said: str) -> None:
    workplace.write(workplace.source("pytorch", rev) + uses("pytorch"))
    done = workplace("lock", status=None)
    assert done.status in {2, 3}
    assert said in told(done.err)
    assert "sources.pytorch" in done.err
    assert workplace.lock.read_text(encoding="utf-8") == workplace.head_lock


def test_f03_f04_f12_checkouts_are_reused_and_only_read(workplace: Workplace, tmp_path: Path) -> None:
    """With neither network nor repositories, from what the user has cloned."""
    for name, tag in KEPT.items():
        workplace.repositories.clone(name, workplace.folder / name, at=tag)
    (workplace.folder / "pytorch" / "build").mkdir()
    (workplace.folder / "pytorch" / "build" / "left.o").write_text("ignored by git")
    sources = "".join(
        workplace.source(name, tag, f'checkout = "{name}"').replace(
            f'"{workplace.repositories.path(name)}"', f'"https://layerwright.invalid/{name}"'
        )
        for name, tag in KEPT.items()
    )
    shutil.rmtree(workplace.repositories.folder)
    workplace.write(sources + uses("pytorch", "vision"))
    before = {name: state_of(workplace.folder / name) for name in KEPT}
    workplace("lock", "--offline")
    first = workplace("build", "--offline")
    for name in KEPT:
        assert f"the checkout {name} is at that commit and clean: nothing is fetched" in told(first.err)
    held = files_of(workplace, tmp_path)
    assert "home/pytorch/third_party/kineto/third_party/sleef/include/sleef.h" in held
    assert "home/vision/setup.py" in held
    assert not [path for path in held if ".git/" in path or path.endswith(("/.git", "left.o"))]
    second = workplace("build", "--offline")
    assert told(second.err).count("prepared by an earlier build, and taken from the store") == 2
    assert {name: state_of(workplace.folder / name) for name in KEPT} == before


def change_file(folder: Path) -> None:
    (folder / "setup.py").write_text("# mine\n", encoding="utf-8")


def add_file(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine\n", encoding="utf-8")


def go_elsewhere(folder: Path) -> None:
    git(folder, "checkout", "--quiet", "main")


def commit_more(folder: Path) -> None:
    (folder / "mine.py").write_text("mine = 1\n", encoding="utf-8")
    commit_all(folder, "mine")


def lose_submodule(folder: Path) -> None:
    git(folder, "submodule", "--quiet", "deinit", "--force", "third_party/kineto")


def change_submodule(folder: Path) -> None:
    (folder / "third_party/kineto/include/kineto.h").write_text("/* mine */\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "said", "mends"),
    [
        (change_file, "has changes that are in no commit: setup.py (modified)", True),
        (add_file, "has changes that are in no commit: notes.txt (untracked)", True),
        (go_elsewhere, "and the lock has v2.0.0", True),
        (commit_more, "and the lock has v2.0.0", True),
        (lose_submodule, "the submodule third_party/kineto of the checkout pytorch is not there", True),
        (change_submodule, "the checkout pytorch/third_party/kineto has changes", True),
    ],
)
def test_f03_a_checkout_that_is_not_what_is_locked(
    workplace: Workplace, spoil, said: str, mends: bool
) -> None:
    """Refused before anything is built, by one line that names the key; the command that is told mends it."""
    checkout = workplace.repositories.clone("pytorch", workplace.folder / "pytorch", at="v2.0.0")
    source = workplace.source("pytorch", "v2.0.0", 'checkout = "pytorch"')
    workplace.write(source + uses("pytorch"))
    workplace("lock")
    spoil(checkout)
    before = state_of(checkout)
    done = workplace("build", status=2)
    assert said in told(done.err)
    assert "[sources.pytorch.checkout]" in done.err
    assert state_of(checkout) == before
    hint = next(line for line in done.err.splitlines() if line.startswith("hint: "))
    commands = re.split(r" keeps them aside|; or remove", hint.removeprefix("hint: "))[0].split(" && ")
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "git"
        git(workplace.folder, *words)
    assert "is at that commit and clean" in told(workplace("build").err)


def test_f03_a_checkout_that_is_not_there_is_fetched(workplace: Workplace) -> None:
    source = workplace.source("vision", "v0.15.2", 'checkout = "~/nowhere/vision"')
    workplace.write(source + uses("vision"))
    assert "there is no checkout ~/nowhere/vision: it is fetched from" in told(workplace("build").err)
    (workplace.folder / "vision").mkdir()
    workplace.write(source.replace("~/nowhere/", "") + uses("vision"))
    assert "vision is there, and is no git checkout" in told(workplace("build", status=2).err)


def test_f12_what_is_prepared_needs_no_repository(workplace: Workplace) -> None:
    workplace.write(workplace.source("vision", "v0.15.2") + uses("vision"))
    workplace("build")
    shutil.rmtree(workplace.repositories.folder)
    workplace.write(workplace.source("vision", "v0.15.2") + uses("vision") + 'labels = { other = "1" }\n')
    (image,) = workplace("build", "--json").json()["images"]
    assert [layer["cached"] for layer in image["layers"] if "source" in layer["created_by"]] == [True]


def test_git_comes_along_when_asked(workplace: Workplace, tmp_path: Path) -> None:
    """As scripts need it that check out their tag again; of the caller, nothing is in it."""
    workplace.write(workplace.source("pytorch", "v2.0.0") + uses("pytorch", more=", git = true"))
    archive = tmp_path / "saved.tar"
    workplace("build", "--output", f"docker-archive:{archive}")
    (data,) = [tar for tar in tars_of(archive) if b"home/pytorch/setup.py" in tar]
    (tmp_path / "layer.tar").write_bytes(data)
    subprocess.run(["tar", "-xf", tmp_path / "layer.tar", "-C", tmp_path], check=True, timeout=60)
    tree = tmp_path / "home/pytorch"
    assert git(tree, "status", "--porcelain") == ""
    assert git(tree, "rev-parse", "HEAD").strip() == workplace.repositories.commits["pytorch"]
    git(tree, "checkout", "--quiet", "v2.0.0")
    statuses = git(tree, "submodule", "status", "--recursive").splitlines()
    assert [line[0] for line in statuses] == [" ", " "]
    assert git(tree, "log", "--oneline").count("\n") == 1
    names = [path.name for path in (tree / ".git").rglob("*")]
    assert not {"logs", "hooks", "FETCH_HEAD"} & set(names)
    config = (tree / ".git/config").read_text(encoding="utf-8")
    assert str(workplace.repositories.path("pytorch")) in config


@pytest.fixture
def daemon(repositories: Repositories) -> Iterator[str]:
    """A server of the repositories; gives its address."""
    with served(repositories.folder) as address:
        yield address


@pytest.mark.parametrize("backend", ["docker", "podman"])
def test_f03_engines_get_the_files_alone(
    workplace: Workplace, daemon: str, tmp_path: Path, backend: str
) -> None:
    """From a server, with submodules whose addresses are relative to it."""
    source = workplace.source("pytorch", "v2.0.0").replace(
        str(workplace.repositories.path("pytorch")), f"{daemon}/pytorch.git"
    )
    workplace.write(source + uses("pytorch"))
    variables = {**os.environ, "CONTAINERS_CONF": str(settings_file(tmp_path))}
    command = workplace.command.with_variables(CONTAINERS_CONF=variables["CONTAINERS_CONF"])
    reference = "layerwright-test-sources-dev:1"
    command("build", "--backend", backend, timeout=300)
    archive = tmp_path / "saved.tar"
    try:
        subprocess.run([backend, "save", "-o", archive, reference], check=True, env=variables, timeout=60)
    finally:
        subprocess.run([backend, "rmi", "-f", reference], check=False, env=variables, capture_output=True)
    names = {member.name for member in members_of(tars_of(archive))}
    assert "home/pytorch/third_party/kineto/third_party/sleef/include/sleef.h" in names
    assert not [name for name in names if name.endswith("/.git") or "/.git/" in name or "opt/tree" in name]
    lock = (workplace.lock).read_text(encoding="utf-8")
    assert f'git = "{daemon}/kineto.git"' in lock


def test_f03_a_server_that_gives_no_single_commits(workplace: Workplace, daemon: str, tmp_path: Path) -> None:
    """As those of git's first protocol: all branches are fetched, then."""
    copy = workplace.repositories.clone("vision", tmp_path / "copy")
    (copy / "between.txt").write_text("between", encoding="utf-8")
    commit = commit_all(copy, "between")
    (copy / "after.txt").write_text("after", encoding="utf-8")
    commit_all(copy, "after")
    git(copy, "push", "--quiet", "origin", "main")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[protocol]\nversion = 0\n", encoding="utf-8")
    source = workplace.source("vision", commit).replace(
        str(workplace.repositories.path("vision")), f"{daemon}/vision.git"
    )
    for more in ("", ", git = true"):
        workplace.write(source + uses("vision", more=more))
        archive = tmp_path / "saved.tar"
        workplace.command.changed(home=home)("build", "--output", f"docker-archive:{archive}")
        names = {member.name for member in members_of(tars_of(archive))}
        assert "home/vision/between.txt" in names
        assert "home/vision/after.txt" not in names
        assert ("home/vision/.git/HEAD" in names) is bool(more)


def test_f03_a_submodule_cannot_read_this_machine(workplace: Workplace, daemon: str, tmp_path: Path) -> None:
    """A server's repository that names a folder of the builder's as a submodule is refused by git."""
    copy = workplace.repositories.clone("vision", tmp_path / "copy")
    git(copy, "submodule", "--quiet", "add", str(workplace.repositories.path("sleef")), "stolen")
    commit_all(copy, "stolen")
    git(copy, "tag", "evil")
    git(copy, "push", "--quiet", "origin", "evil")
    source = workplace.source("vision", "evil").replace(
        str(workplace.repositories.path("vision")), f"{daemon}/vision.git"
    )
    workplace.write(source + uses("vision"))
    done = workplace("lock", status=6)
    assert "transport 'file' not allowed" in told(done.err)


def test_keys_of_published_tests_are_no_leak(workplace: Workplace, daemon: str, tmp_path: Path) -> None:
    """Large projects have keys among their tests; what stands in a folder of the user's is searched by the rules."""
    from support.secret_samples import expand

    copy = workplace.repositories.clone("vision", tmp_path / "copy")
    (copy / "test_token.txt").write_text(expand("token = ghp_<alnum:36>\n"))
    commit_all(copy, "a test with a token")
    git(copy, "tag", "keyed")
    git(copy, "push", "--quiet", "origin", "keyed")
    own = str(workplace.repositories.path("vision"))
    source = workplace.source("vision", "keyed")
    workplace.write(source.replace(own, f"{daemon}/vision.git") + uses("vision"))
    assert files_of(workplace, tmp_path)["home/vision/test_token.txt"].startswith(b"token = ghp_")
    workplace.write(source + uses("vision"))
    said = told(workplace("build", "dev", status=4).err)
    assert "home/vision/test_token.txt" in said


def test_repositories_are_the_same_each_time(original_repositories: Repositories, tmp_path: Path) -> None:
    from support.musa_sources import make_repositories

    assert make_repositories(tmp_path / "again").commits == original_repositories.commits
